"""Exercises of lab 8: degradation, identity layers, zero γ; `lab08_signals` has gradients and first weights."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from deepernets.course.exercises.judging import JudgedExercise as Exercise
from deepernets.course.exercises.lab08_signals import GRADIENT_NORMS, HE_STD
from deepernets.course.exercises.numbers import draws, nearest, number

DEGRADATION, OVERFITTING, NEITHER, UNCONVERGED = WORDS = (
    "degradation",
    "overfitting",
    "neither",
    "not converged",
)
SPLITS = ("train", "validation")
TOLERANCE, FAR = 0.01, 0.2

Epochs = list[dict[str, float]]
Pair = tuple[Epochs, Epochs]
Errors = tuple[float, float]  # training, validation

# For each pair of nets, whether the deeper one has the higher (training, validation) error: in the first epoch,
# at its best, at the end. The end is what counts; the others tell mistakes apart.
ORDERS = (
    ((False, False), (False, True), (True, True)),
    ((True, True), (False, False), (False, True)),
    ((False, True), (True, True), (False, False)),
    ((False, True), (False, False), (True, False)),
)
LEVELS = (0.12, 0.01, 0.07)  # of the errors then
MARGIN = 0.03  # by how much one net is worse, at least: beyond the tolerance
# The last errors of pairs that are too close to tell, and of pairs of which one net or both have not converged:
# the lower error, whether the deeper one is higher, and by how much.
CLOSE = ((0.07, True, 0.004), (0.07, False, 0.004))
FAR_OFF = ((0.07, True, 0.5), (0.07, False, 0.5), (0.35, True, 0.1), (0.35, False, 0.1))


def _epoch(
    number: int, base: float, margin: float, deep_is_higher: tuple[bool, bool]
) -> list[dict[str, float]]:
    """Return one epoch of the shallow net and one of the deep net."""
    epochs = []
    for is_deep in (False, True):
        epoch: dict[str, float] = {"epoch": number}
        for split, higher in zip(SPLITS, deep_is_higher, strict=True):
            # above the training error of either net, so that "validation above training" tells nothing
            error = base + margin * (higher == is_deep) + 0.06 * (split == "validation")
            epoch |= {f"{split}_loss": 2 * error, f"{split}_accuracy": 1 - error}
        epochs.append(epoch)
    return epochs


def _pairs(generator: torch.Generator) -> list[Pair]:
    """Return the epochs of pairs of nets, shallow and deep, in a random order."""
    draw = torch.rand(len(ORDERS), len(LEVELS), 2, generator=generator)
    drawn = (draw * torch.tensor([0.005, 0.02])).tolist()
    stages = [
        [
            _epoch(place, level + base, MARGIN + margin, order)
            for place, (level, order, (base, margin)) in enumerate(
                zip(LEVELS, orders, numbers, strict=True), 1
            )
        ]
        for orders, numbers in zip(ORDERS, drawn, strict=True)
    ]
    start = _epoch(1, LEVELS[0], 0.0, (False, False))
    stages += [[start, _epoch(2, base, gap, (higher, higher))] for base, higher, gap in CLOSE + FAR_OFF]
    pairs = [([shallow for shallow, _ in stage], [deep for _, deep in stage]) for stage in stages]
    return [pairs[place] for place in torch.randperm(len(pairs), generator=generator).tolist()]


def _errors(epoch: dict[str, float]) -> Errors:
    return 1 - epoch["train_accuracy"], 1 - epoch["validation_accuracy"]


def _lowest(epochs: Epochs) -> Errors:
    train, validation = zip(*map(_errors, epochs), strict=True)
    return min(train), min(validation)


def _verdict(shallow: Errors, deep: Errors, tolerance: float = TOLERANCE) -> str:
    if deep[0] - shallow[0] > tolerance:
        return DEGRADATION
    return OVERFITTING if deep[1] - shallow[1] > tolerance else NEITHER


def _at_the_end(shallow: Epochs, deep: Epochs) -> str:
    return _verdict(_errors(shallow[-1]), _errors(deep[-1]))


def _converged(*nets: Epochs) -> bool:
    return all(_errors(epochs[-1])[0] <= FAR for epochs in nets)


def _if_converged(rule: Callable[[Epochs, Epochs], str]) -> Callable[[Epochs, Epochs], str]:
    return lambda shallow, deep: rule(shallow, deep) if _converged(shallow, deep) else UNCONVERGED


def _by_validation(shallow: Epochs, deep: Epochs) -> str:
    return DEGRADATION if _errors(deep[-1])[1] - _errors(shallow[-1])[1] > TOLERANCE else NEITHER


def _splits_exchanged(shallow: Epochs, deep: Epochs) -> str:
    return _verdict(_errors(shallow[-1])[::-1], _errors(deep[-1])[::-1])


def _at_best(shallow: Epochs, deep: Epochs) -> str:
    return _verdict(_lowest(shallow), _lowest(deep))


def _both(shallow: Epochs, deep: Epochs) -> str:
    found, other = _at_the_end(shallow, deep), _by_validation(shallow, deep)
    return NEITHER if found == DEGRADATION != other else found


def _by_gap(shallow: Epochs, deep: Epochs) -> str:
    return DEGRADATION if _at_the_end(shallow, deep) == DEGRADATION else OVERFITTING


def _without_tolerance(shallow: Epochs, deep: Epochs) -> str:
    return _verdict(_errors(shallow[-1]), _errors(deep[-1]), tolerance=0)


def _one_run(place: int) -> Callable[[Epochs, Epochs], str]:
    """Ask only one of the two nets whether it has converged."""
    return lambda *nets: _at_the_end(*nets) if _converged(nets[place]) else UNCONVERGED


def _convergence_last(shallow: Epochs, deep: Epochs) -> str:
    found = _at_the_end(shallow, deep)
    return found if found != NEITHER or _converged(shallow, deep) else UNCONVERGED


def _convergence_after_degradation(shallow: Epochs, deep: Epochs) -> str:
    found = _at_the_end(shallow, deep)
    return found if found == DEGRADATION or _converged(shallow, deep) else UNCONVERGED


USUAL_VERDICTS: list[tuple[str, Callable[[Epochs, Epochs], str]]] = [
    ("validation", _if_converged(_by_validation)),
    ("validation", _if_converged(_splits_exchanged)),
    ("reversed", _if_converged(lambda shallow, deep: _at_the_end(deep, shallow))),
    ("first epoch", lambda shallow, deep: _if_converged(_at_the_end)(shallow[:1], deep[:1])),
    ("best epoch", _if_converged(_at_best)),
    ("both", _if_converged(_both)),
    ("gap", _if_converged(_by_gap)),
    ("no tolerance", _if_converged(_without_tolerance)),
    ("never unconverged", _at_the_end),
    ("never unconverged", _without_tolerance),
    ("one run", _one_run(0)),
    ("one run", _one_run(1)),
    ("convergence last", _convergence_last),
    ("convergence last", _convergence_after_degradation),
]


def judge_diagnose_depth(answer: Any, seed: int) -> str | None:
    """Both converged? Then a higher training error is degradation, else a higher validation error overfitting."""
    if not callable(answer):
        return "no function"
    pairs = _pairs(draws(seed, 31))
    said = [answer(shallow, deep) for shallow, deep in pairs]
    if not all(type(word) is str and word in WORDS for word in said):
        return "words"
    right = _if_converged(_at_the_end)
    if said == [right(*pair) for pair in pairs]:
        return None
    usual = (mistake for mistake, rule in USUAL_VERDICTS if said == [rule(*pair) for pair in pairs])
    return next(usual, "other")


DIAGNOSE_DEPTH = Exercise(
    "diagnose_depth",
    judge_diagnose_depth,
    {
        "no function": "Expected a function: diagnose_depth(shallow, deep).",
        "words": 'Always return one of four strings: "not converged", "degradation", "overfitting" or "neither".',
        "validation": "Degradation shows on the images that were trained on. Which accuracy do you compare first?",
        "reversed": "The two networks are exchanged: an error is one minus an accuracy, and the deeper network is "
        "the second argument.",
        "first epoch": "You judge by the first epoch. Which epoch says how training ended?",
        "best epoch": "You judge by the lowest error of any epoch. Which epoch says how training ended?",
        "both": "A deeper network with the higher training error is degraded, whatever its validation error.",
        "gap": "A deeper network may do better on both counts. Is every network that is not degraded overfitted?",
        "no tolerance": "Two of the pairs differ by less than one percentage point. What do you return for them?",
        "never unconverged": "Some of these runs end with a training error of more than 20 %. What can be said "
        "about them?",
        "one run": "You ask only one of the two runs whether it has converged.",
        "convergence last": "You return another answer before you have asked whether both runs have converged.",
        "other": "In this order: has either run a training error above 20 % at the end? Is the deeper network's "
        "training error higher by more than one point? Is its validation error?",
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
