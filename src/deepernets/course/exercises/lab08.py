"""Exercises of lab 8: degradation, identity layers, zero γ; `lab08_signals` has gradients and first weights."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from deepernets.course.checks import Exercise
from deepernets.course.exercises.lab08_signals import GRADIENT_NORMS, HE_STD
from deepernets.course.exercises.numbers import draws, nearest, number

DEGRADATION, OVERFITTING, NEITHER = WORDS = ("degradation", "overfitting", "neither")
SPLITS = ("train", "validation")

Epochs = list[dict[str, float]]
Pair = tuple[Epochs, Epochs]

# For each pair of nets, whether the deeper one has the higher (training, validation) error: in the first epoch,
# at its best, at the end. The end is what counts; the others tell mistakes apart.
ORDERS = (
    ((False, False), (False, True), (True, True)),
    ((True, True), (False, False), (False, True)),
    ((False, True), (True, True), (False, False)),
    ((False, True), (False, False), (True, False)),
)
LEVELS = (0.85, 0.15, 0.45)  # of the errors then


def _pair(order: tuple[tuple[bool, bool], ...], generator: torch.Generator) -> Pair:
    """Return the epochs of a shallow and a deep net whose errors are in this `order`."""
    nets: Pair = ([], [])
    for number_of_epoch, (level, deep_is_higher) in enumerate(zip(LEVELS, order, strict=True), 1):
        base, margin = (torch.rand(2, generator=generator) * 0.02 + torch.tensor([level, 0.03])).tolist()
        for epochs, is_deep in zip(nets, (False, True), strict=True):
            epoch: dict[str, float] = {"epoch": number_of_epoch}
            for split, higher in zip(SPLITS, deep_is_higher, strict=True):
                # above the training error of either net, so that "validation above training" tells nothing
                error = base + margin * (higher == is_deep) + 0.06 * (split == "validation")
                epoch |= {f"{split}_loss": 2 * error, f"{split}_accuracy": 1 - error}
            epochs.append(epoch)
    return nets


def _errors(epoch: dict[str, float]) -> tuple[float, float]:
    return 1 - epoch["train_accuracy"], 1 - epoch["validation_accuracy"]


def _verdict(shallow: tuple[float, float], deep: tuple[float, float]) -> str:
    if deep[0] > shallow[0]:
        return DEGRADATION
    return OVERFITTING if deep[1] > shallow[1] else NEITHER


def _at_the_end(shallow: Epochs, deep: Epochs) -> str:
    return _verdict(_errors(shallow[-1]), _errors(deep[-1]))


def _by_validation(shallow: Epochs, deep: Epochs) -> str:
    return DEGRADATION if _errors(deep[-1])[1] > _errors(shallow[-1])[1] else NEITHER


def _splits_exchanged(shallow: Epochs, deep: Epochs) -> str:
    return _verdict(_errors(shallow[-1])[::-1], _errors(deep[-1])[::-1])


def _at_best(shallow: Epochs, deep: Epochs) -> str:
    best = [tuple(map(min, *map(_errors, epochs))) for epochs in (shallow, deep)]
    return _verdict(*best)


def _both(shallow: Epochs, deep: Epochs) -> str:
    found, other = _at_the_end(shallow, deep), _by_validation(shallow, deep)
    return NEITHER if found == DEGRADATION != other else found


def _by_gap(shallow: Epochs, deep: Epochs) -> str:
    return DEGRADATION if _at_the_end(shallow, deep) == DEGRADATION else OVERFITTING


USUAL_VERDICTS: list[tuple[str, Callable[[Epochs, Epochs], str]]] = [
    ("validation", _by_validation),
    ("validation", _splits_exchanged),
    ("reversed", lambda shallow, deep: _at_the_end(deep, shallow)),
    ("first epoch", lambda shallow, deep: _at_the_end(shallow[:1], deep[:1])),
    ("best epoch", _at_best),
    ("both", _both),
    ("gap", _by_gap),
]


def judge_diagnose_depth(answer: Any, seed: int) -> str | None:
    """Higher training error is degradation; else higher validation error is overfitting; else neither."""
    if not callable(answer):
        return "no function"
    generator = draws(seed, 31)
    pairs = [_pair(order, generator) for order in ORDERS]
    pairs = [pairs[place] for place in torch.randperm(len(pairs), generator=generator).tolist()]
    said = [answer(shallow, deep) for shallow, deep in pairs]
    if not all(type(word) is str and word in WORDS for word in said):
        return "words"
    if said == [_at_the_end(*pair) for pair in pairs]:
        return None
    usual = (mistake for mistake, rule in USUAL_VERDICTS if said == [rule(*pair) for pair in pairs])
    return next(usual, "other")


DIAGNOSE_DEPTH = Exercise(
    "diagnose_depth",
    judge_diagnose_depth,
    {
        "no function": "A function is wanted: diagnose_depth(shallow, deep).",
        "words": 'Return one of three words, always: "degradation", "overfitting" or "neither".',
        "validation": "Degradation shows on the images that were trained on; which accuracy do you compare first?",
        "reversed": "The wrong way round: an error is one minus an accuracy, and the deeper net is the second.",
        "first epoch": "That is how the nets began; which epoch says how they ended?",
        "best epoch": "The lowest error on the way is not the one that training ended with.",
        "both": "A deeper net that trains worse is degraded, whatever the validation images happen to say.",
        "gap": "A net may do better than the shallower one on both counts; is every net that is not degraded "
        "overfitted?",
        "other": "Compare training errors at the end; only where the deeper net's is not higher, look at the "
        "validation errors at the end.",
    },
)


def _identity(channels: int, row: int = 1, column: int = 1) -> Tensor:
    """Return weights that shift every map by up to one pixel, or by none."""
    weights = torch.zeros(channels, channels, 3, 3)
    weights[:, :, row, column] = torch.eye(channels)
    return weights


def _usual_weights(channels: int) -> dict[str, list[Tensor]]:
    eye, ones = torch.eye(channels)[:, :, None, None], torch.ones(channels, channels, 3, 3)
    across = torch.zeros_like(ones)
    across[:, :, 1, 1] = 1
    return {
        "off centre": [_identity(channels, *divmod(tap, 3)) for tap in range(9) if tap != 4],
        "across channels": [across, across / channels],
        "every tap": [eye * ones, eye * ones / 9],
        "ones": [ones],
        "zeros": [0 * ones],
    }


def judge_identity_convolution(answer: Any, seed: int) -> str | None:
    """A 3×3 convolution with these weights must give back what it gets."""
    if not callable(answer):
        return "no function"
    generator = draws(seed, 32)
    for channels in (2 + int(torch.randint(1, 4, (), generator=generator)), 7):
        try:
            weights = torch.as_tensor(answer(channels)).detach().float()
        except (TypeError, ValueError, RuntimeError):
            return "no weights"
        if weights.shape == (channels, 1, 3, 3):
            return "one map each"
        if weights.shape != (channels, channels, 3, 3):
            return "shape"
        maps = torch.randn(2, channels, 6, 5, generator=generator)
        if torch.allclose(F.conv2d(maps, weights, padding=1), maps, atol=1e-5):
            continue
        usual = _usual_weights(channels).items()
        near = (name for name, wrong in usual if any(torch.allclose(weights, other) for other in wrong))
        return next(near, "other")
    return None


IDENTITY_CONVOLUTION = Exercise(
    "identity_convolution",
    judge_identity_convolution,
    {
        "no function": "A function is wanted: identity_convolution(channels).",
        "no weights": "A tensor of weights is wanted, not a layer.",
        "shape": "The weights of a 3x3 convolution have the shape (channels out, channels in, 3, 3).",
        "one map each": "Every channel out has a kernel for every channel in, most of them zero: "
        "the shape is (channels, channels, 3, 3).",
        "off centre": "Those weights move the picture by a pixel: which of the nine lies over the pixel itself?",
        "across channels": "Each channel out is a mixture of all channels in. Which one alone should it see?",
        "every tap": "The channels are right, but each pixel is mixed with its eight neighbours.",
        "ones": "Ones everywhere mix all channels and all neighbours; nearly all weights are to be zero.",
        "zeros": "Weights of zero give zero. That changes nothing in a branch with a shortcut, but here there "
        "is none.",
        "other": "The map that comes out differs from the one that went in. Which single weight of each channel "
        "out must not be zero, and how large is it?",
    },
)


def judge_layers_at_start(answer: Any, seed: int) -> str | None:
    """With every last γ at zero, only the stem's convolution and the linear layer matter: two."""
    try:
        layers = number(answer)
    except (TypeError, ValueError, RuntimeError):
        return "no number"
    usual = {"all": 56.0, "convolutions": 55.0, "halves": 29.0, "shallower": 20.0, "one": 1.0, "none": 0.0}
    return nearest(layers, 2, {**usual, "blocks": 27.0, "inside": 54.0}, otherwise="other")


LAYERS_AT_START = Exercise(
    "layers_at_start",
    judge_layers_at_start,
    {
        "no number": "A number is wanted: how many of the 56 layers?",
        "all": "Those are all layers. What do the 54 inside the blocks add, if they are multiplied by 0?",
        "convolutions": "Those are all convolutions. Most of them stand before a gamma of 0.",
        "halves": "The first convolution of each block computes something, but does it get past the last gamma?",
        "shallower": "ResNet-20's blocks would start as their shortcuts, too: is there anything left of them?",
        "one": "One layer before the blocks, one after them: which have you left out?",
        "none": "The blocks do nothing yet; but some layers stand outside of them.",
        "blocks": "That is the number of blocks, and each of them passes on what it gets.",
        "inside": "Those are the layers inside the blocks: they are the ones that gamma silences.",
        "other": "ReLU(0 + x) = x where x is not negative: take the blocks away. Which layers with weights are "
        "left?",
    },
)

EXERCISES = (DIAGNOSE_DEPTH, IDENTITY_CONVOLUTION, LAYERS_AT_START, GRADIENT_NORMS, HE_STD)
