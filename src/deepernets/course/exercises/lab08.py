"""Exercises of lab 8: degradation, identity layers, blocks that do nothing, gradients, initial weights."""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from itertools import product
from math import sqrt
from operator import gt, lt
from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deepernets.analysis import depth
from deepernets.course.exercises.judging import FunctionExercise, Mistake, Symptom, every, fails
from deepernets.course.exercises.values import Unsuitable, kind_of, normal, number, numbers, tensor
from deepernets.models.layers import (
    Convolution,
    Residual,
    glorot_std,
    he_std,
    normalised_convolutions,
)

WORDS = ("not converged", "degradation", "overfitting", "neither")

Epochs = list[dict[str, float]]
Errors = tuple[float, float]  # training, validation

# Errors by epoch, in percent, of a shallow network and of a deeper one; the last epoch is what counts.
ERRORS: list[tuple[list[Errors], list[Errors]]] = [
    ([(5, 12)], [(9, 16)]),
    ([(12, 16), (6, 12)], [(15, 18), (3, 15), (3, 16)]),
    ([(12, 20), (8, 14), (9, 15)], [(15, 22), (4, 10), (5, 11)]),
    ([(5, 16), (4, 15)], [(6, 14), (8, 13)]),
    ([(9, 16), (5, 14), (5, 14)], [(4, 13), (3, 12), (12, 17)]),
    ([(9, 16), (6, 12)], [(9, 13), (4, 11), (5, 15)]),
    ([(12, 36)], [(3, 29)]),
    ([(7, 12)], [(7.4, 12.4)]),  # too close to tell
    ([(7, 12)], [(6.5, 12.5)]),
    ([(7, 12)], [(7.5, 15)]),
    ([(30, 34), (7, 12)], [(15, 18), (45, 47)]),  # not converged
    ([(45, 47)], [(7, 40), (6, 50)]),
    ([(45, 47)], [(40, 52)]),
    ([(35, 37)], [(35.5, 37)]),
]


def _epochs(errors: list[Errors], more: float = 0.0) -> Epochs:
    """Return the epochs of a record with these errors in percent, and `more` points added to each."""
    epochs = []
    for place, pair in enumerate(errors, 1):
        epoch: dict[str, float] = {"epoch": place}
        for split, error in zip(("train", "validation"), pair, strict=True):
            epoch |= {f"{split}_loss": (error + more) / 50, f"{split}_accuracy": 1 - (error + more) / 100}
        epochs.append(epoch)
    return epochs


def _pairs(draw: Random) -> list[tuple[Any, ...]]:
    more = [draw.uniform(0, 0.4) for _ in ERRORS]
    pairs = [tuple(_epochs(net, add) for net in nets) for nets, add in zip(ERRORS, more, strict=True)]
    other_limits = [(*pairs[0], 0.01, 0.04), (*pairs[0], 0.08, 0.2), (*pairs[-1], 0.002, 0.5)]
    at_both_limits = (_epochs([(12.5, 25)]), _epochs([(25, 37.5)]), 0.125, 0.25)  # exact in binary
    others = [*pairs[1:], *other_limits, at_both_limits]
    return [pairs[0], *draw.sample(others, len(others))]


def _show_pair(shallow: Epochs, deep: Epochs, tolerance: float = 0.01, far: float = 0.2) -> str:
    ends = [
        f"{name} ending with train_accuracy {epochs[-1]['train_accuracy']:.4g} and "
        f"validation_accuracy {epochs[-1]['validation_accuracy']:.4g}, "
        for name, epochs in (("shallow", shallow), ("deep", deep))
    ]
    return f"{''.join(ends)}tolerance={tolerance}, far={far}"


def _word(value: Any) -> str:
    if type(value) is str and value in WORDS:
        return value
    raise Unsuitable(f"Expected one of the strings {', '.join(map(repr, WORDS))}; got {kind_of(value)}.")


def _verdict(a: Errors, b: Errors, tolerance: float, far: float, *asked: Errors) -> str:
    """Compare last errors; `asked` are those of which the first one must not be above `far`."""
    if max(errors[0] for errors in asked or (a, b)) > far:
        return "not converged"
    if b[0] > a[0] + tolerance:
        return "degradation"
    return "overfitting" if b[1] > a[1] + tolerance else "neither"


def _by(
    rule: Callable[..., str], read: Callable[[Epochs], dict[str, float]] = lambda epochs: epochs[-1]
) -> Callable[..., str]:
    """Return a `diagnose_depth` by a rule on the errors of two networks, which are read from their epochs."""

    def diagnose(shallow: Epochs, deep: Epochs, tolerance: float = 0.01, far: float = 0.2) -> str:
        ends = map(read, (shallow, deep))
        a, b = ((1 - end["train_accuracy"], 1 - end["validation_accuracy"]) for end in ends)
        return rule(a, b, tolerance, far)

    return diagnose


def _degraded_on_both(a: Errors, b: Errors, tolerance: float, far: float) -> str:
    lesser = min(b[0] - a[0], b[1] - a[1])
    return _verdict((0, a[1]), (lesser, b[1]), tolerance, far, a, b)


def _converged_asked_last(a: Errors, b: Errors, tolerance: float, far: float) -> str:
    found = _verdict(a, b, tolerance, 1)
    return _verdict(a, b, tolerance, far) if found == "neither" else found


def _converged_asked_second(a: Errors, b: Errors, tolerance: float, far: float) -> str:
    return "degradation" if b[0] > a[0] + tolerance else _verdict(a, b, tolerance, far)


DIAGNOSE_DEPTH = FunctionExercise(
    "diagnose_depth(shallow, deep, tolerance=0.01, far=0.2)",
    returns=_word,
    reference=depth.diagnosis,
    inputs=_pairs,
    shown=_show_pair,
    keeps_inputs=True,
    mistakes=[
        Mistake(
            "validation",
            [
                _by(lambda a, b, tol, far: _verdict(a[::-1], b[::-1], tol, far, a, b)),
                _by(lambda a, b, tol, far: _verdict(a[::-1], b[::-1], tol, far)),
                _by(lambda a, b, tol, far: _verdict((a[1], 0), (b[1], 0), tol, far, a, b)),
            ],
            "Degradation shows on the images that were trained on. Which accuracy do you compare first?",
        ),
        Mistake(
            "converged on validation",
            _by(lambda a, b, tol, far: _verdict(a, b, tol, far, a[::-1], b[::-1])),
            "You ask the validation error whether a run has converged. Step 1 is about the training error.",
        ),
        Mistake(
            "reversed",
            _by(lambda a, b, *limits: _verdict(b, a, *limits)),
            "You compare the wrong way round: an error is one minus an accuracy, and the second network is deeper.",
        ),
        Mistake("always unconverged", lambda *pair: "not converged", "An error is one minus an accuracy."),
        Mistake(
            "first epoch",
            _by(_verdict, lambda epochs: epochs[0]),
            "You judge by the first epoch, not by the last.",
        ),
        Mistake(
            "best epoch",
            [
                _by(_verdict, lambda epochs: {key: max(epoch[key] for epoch in epochs) for key in epochs[0]}),
                _by(_verdict, lambda epochs: max(epochs, key=lambda epoch: epoch["validation_accuracy"])),
            ],
            "You judge by the best epoch. Which epoch says how training ended?",
        ),
        Mistake(
            "same epoch",
            lambda shallow, deep, *limits: depth.diagnosis(
                shallow[: len(deep)], deep[: len(shallow)], *limits
            ),
            "Where one run is longer, you stop at the end of the shorter one. Take the last epoch of each.",
        ),
        Mistake("both", _by(_degraded_on_both), "Step 2 asks for the training error alone."),
        Mistake(
            "gap",
            [
                _by(lambda a, b, *limits: _verdict((a[0], b[0]), b, *limits)),
                _by(lambda a, b, *limits: _verdict((a[0], a[1] - a[0]), (b[0], b[1] - b[0]), *limits)),
            ],
            "You look at a gap between training and validation. Step 3 compares two validation errors.",
        ),
        Mistake(
            "no tolerance",
            [
                _by(lambda a, b, tol, far: _verdict(a, b, 0, far)),
                _by(lambda a, b, tol, far: _verdict((a[0], a[1] - tol), b, tol, far)),
            ],
            "Some pairs differ by less than the tolerance. What do you return for them?",
        ),
        Mistake(
            "fixed limits",
            [
                lambda shallow, deep: depth.diagnosis(shallow, deep),
                lambda shallow, deep, tolerance=0.01, far=0.2: depth.diagnosis(shallow, deep),
                lambda shallow, deep, tolerance=0.01, far=0.2: depth.diagnosis(shallow, deep, tolerance),
                lambda shallow, deep, tolerance=0.01, far=0.2: depth.diagnosis(shallow, deep, far=far),
            ],
            "Right for the default limits only: use the arguments `tolerance` and `far` instead of numbers.",
        ),
        Mistake(
            "never unconverged",
            [_by(lambda a, b, tol, far: _verdict(a, b, tol, 1)), _by(lambda a, b, *_: _verdict(a, b, 0, 1))],
            "Some of these runs end with a training error above `far`. What can be said about them?",
        ),
        Mistake(
            "one run",
            [
                _by(lambda a, b, *limits: _verdict(a, b, *limits, a)),
                _by(lambda a, b, *limits: _verdict(a, b, *limits, b)),
                _by(lambda a, b, *limits: _verdict(a, b, *limits, min(a, b))),
            ],
            "One run that has not converged is enough, whichever it is. You miss some of these pairs.",
        ),
        Mistake(
            "convergence last",
            [_by(_converged_asked_last), _by(_converged_asked_second)],
            "You return another answer before you have asked whether both runs have converged.",
        ),
        Mistake(
            "at the limits",
            [
                _by(lambda a, b, tol, far: _verdict(a, b, tol - 1e-9, far - 1e-9)),
                _by(lambda a, b, tol, far: _verdict(a, b, tol - 1e-9, far)),
                _by(lambda a, b, tol, far: _verdict(a, b, tol, far - 1e-9)),
            ],
            "An error equal to `far` is not above it, and a difference equal to `tolerance` is not more.",
        ),
    ],
)


def _eye(channels: int) -> Tensor:
    return torch.eye(channels)[..., None, None]


def _off_centre(channels: int, by: tuple[int, ...]) -> Tensor:
    return depth.identity_weights(channels).roll(by, (2, 3))


IDENTITY_CONVOLUTION = FunctionExercise(
    "identity_convolution(channels)",
    returns=tensor("the weights of a 3×3 convolution", arrays=True),
    reference=depth.identity_weights,
    inputs=lambda draw: [(2,), (1,), (draw.randint(3, 9),), (draw.randint(10, 20),)],
    mistakes=[
        Symptom(
            "one map each",
            lambda given, right: [each.shape for each in given] == [each[:, :1].shape for each in right],
            "Every channel out has a kernel for every channel in.",
        ),
        Mistake("no side", [torch.eye, _eye], "Each pair of channels needs a kernel of 3×3 weights."),
        Mistake(
            "off centre",
            [partial(_off_centre, by=by) for by in product((-1, 0, 1), repeat=2) if any(by)],
            "Those weights move the image by a pixel. Which of the nine is over the pixel itself?",
        ),
        Mistake(
            "across channels",
            [
                lambda channels: F.pad(torch.ones(channels, channels, 1, 1), (1, 1, 1, 1)),
                lambda channels: F.pad(torch.ones(channels, channels, 1, 1) / channels, (1, 1, 1, 1)),
            ],
            "Each channel out is a mixture of all channels in. Which one alone should it see?",
        ),
        Mistake(
            "every tap",
            [lambda c: _eye(c).expand(-1, -1, 3, 3), lambda c: _eye(c).expand(-1, -1, 3, 3) / 9],
            "The channels are right, but each pixel is mixed with its eight neighbours.",
        ),
        Mistake(
            "diagonal kernels",
            [lambda c: torch.eye(3).expand(c, c, 3, 3), lambda c: _eye(c) * torch.eye(3)],
            "Your kernels have ones along a diagonal, so that each adds up three pixels.",
        ),
        Mistake("ones", lambda c: torch.ones(c, c, 3, 3), "Nearly all weights must be zero."),
        Mistake("zeros", lambda c: torch.zeros(c, c, 3, 3), "Weights of zero give zero, not the input."),
    ],
)


def _block(channels: int, projected: bool, seed: int) -> Residual:
    """Return a residual block with drawn weights and statistics; a last β of 0 would hide a mistake."""
    branch = normalised_convolutions(channels, [Convolution(3, channels), Convolution(3, channels)])
    block = Residual(branch, nn.Conv2d(channels, channels, 1) if projected else nn.Identity())
    draw = Random(seed)
    with torch.no_grad():
        for name, values in block.state_dict().items():
            if values.is_floating_point():
                drawn = normal(draw, *values.shape)
                values.copy_(drawn.abs() + 0.5 if name.endswith("running_var") else drawn)
    return block


def _observe_switching_off(
    function: Callable[..., Any], channels: int, projected: bool, training: bool, seed: int
) -> dict[str, Any]:
    block = _block(channels, projected, seed).train(training)
    layers = list(block.modules())
    before = {name: value.clone() for name, value in block.state_dict().items()}
    function(block)
    now = block.state_dict()
    changed = [name for name in before | now if not _equal(before.get(name), now.get(name))]
    images = normal(Random(seed + 1), 2, channels, 4, 4).relu()
    with torch.no_grad():
        branch, output = block.branch(images), block(images)
    return {
        "the output of block.branch": tensor("the output of block.branch")(branch),
        "the list of changed tensors": changed,
        "whether the layers are the same objects": list(map(id, block.modules())) == list(map(id, layers)),
        "whether all parameters still require gradients": all(p.requires_grad for p in block.parameters()),
        "whether the mode is as before": all(module.training == training for module in layers),
        "the output of the block": tensor("the output of the block")(output),
    }


def _equal(one: Tensor | None, other: Tensor | None) -> bool:
    return one is not None and other is not None and torch.equal(one, other)


@torch.no_grad()
def _fill(block: Residual, *names: str, value: float = 0.0) -> None:
    for name in names:
        block.get_parameter(name).fill_(value)


def _switch_off(block: Residual) -> None:
    """Set the last γ and β of a residual block to 0, so that it returns what its shortcut does."""
    _fill(block, "branch.norm2.weight", "branch.norm2.bias")


LAST_SCALE, LAST_SHIFT = "branch.norm2.weight", "branch.norm2.bias"
CONVOLUTIONS = "branch.conv1.weight", "branch.conv2.weight"

SWITCH_OFF = FunctionExercise(
    "switch_off(block)",
    returns=lambda value: value,
    reference=_switch_off,
    inputs=lambda draw: [
        (2, False, True, draw.getrandbits(16)),
        (3, True, False, draw.getrandbits(16)),
        (draw.randint(4, 6), False, False, draw.getrandbits(16)),
    ],
    observe=_observe_switching_off,
    shown=lambda channels, projected, training, _: f"a block of {channels} channels, training={training}",
    tries=1,
    mistakes=[
        Symptom(
            "changes mode",
            fails("whether the mode is as before"),
            "The block is in another mode afterwards. Leave its mode as it is.",
        ),
        Symptom(
            "replaced",
            fails("whether the layers are the same objects"),
            "A layer was replaced or removed. Keep all layers, and change numbers in the last one only.",
        ),
        Symptom(
            "frozen",
            fails("whether all parameters still require gradients"),
            "Some parameters can no longer be trained. Change their values and nothing else.",
        ),
        Mistake(
            "scale only",
            lambda block: _fill(block, LAST_SCALE),
            "γ is 0, but the normalisation also adds its β, which is not 0 in a trained network.",
        ),
        Mistake(
            "shift only",
            lambda block: _fill(block, LAST_SHIFT),
            "β is 0, but what is normalised is still multiplied by a γ other than 0.",
        ),
        Mistake(
            "first normalisation",
            [
                lambda block: _fill(block, "branch.norm1.weight", "branch.norm1.bias"),
                lambda block: _fill(block, "branch.norm1.weight"),
            ],
            "You change the first normalisation. What comes after it in the branch?",
        ),
        Mistake(
            "convolutions",
            [
                lambda block: _fill(block, *CONVOLUTIONS),
                lambda block: _fill(block, CONVOLUTIONS[1]),
                lambda block: _fill(block, CONVOLUTIONS[0]),
            ],
            "Convolutions of 0 do not silence the normalisation after them: it still adds its β.",
        ),
        Mistake(
            "ones",
            lambda block: (_fill(block, LAST_SCALE, value=1.0), _fill(block, LAST_SHIFT)),
            "γ = 1 and β = 0 leave what was normalised as it is. The output of the branch should be 0.",
        ),
        Symptom(
            "statistics",
            lambda given, right: any(
                "running" in name for each in given for name in each["the list of changed tensors"]
            ),
            "You change running statistics. They are measured, and used in evaluation mode only.",
        ),
        Symptom(
            "too much",
            lambda given, right: (
                all(not each["the output of block.branch"].any() for each in given)
                and all(
                    len(one["the list of changed tensors"]) > len(other["the list of changed tensors"])
                    for one, other in zip(given, right, strict=True)
                )
            ),
            "The branch gives 0, but you change more tensors than necessary. Two of the last layer are enough.",
        ),
        Symptom(
            "nothing",
            every(lambda one: not one["the list of changed tensors"]),
            "No tensor of the block has changed. Write into its parameters, in place.",
        ),
    ],
)

Batch = tuple[Tensor, Tensor]


def _network(nested: bool, seed: int) -> nn.Module:
    """Return a network with one convolution, or with four of which some are in blocks; its weights are drawn."""
    parts: list[nn.Module] = [nn.Conv2d(2, 3, 3, padding=1), nn.ReLU()]
    if nested:
        block = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU())
        parts += [nn.Sequential(block, nn.Conv2d(4, 4, 1), nn.ReLU()), nn.Conv2d(4, 3, 3)]
    network = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3))
    draw = Random(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(normal(draw, *parameter.shape))
    return network


def _batch(draw: Random, images: int) -> Batch:
    return normal(draw, images, 2, 6, 5) + 0.5, torch.tensor([draw.randrange(3) for _ in range(images)])


def _networks_and_batches(draw: Random) -> list[tuple[Any, ...]]:
    kinds = [(False, True), (True, True), (True, False)]  # nested, in training mode
    return [(*kind, draw.getrandbits(16), _batch(draw, 6), _batch(draw, 4)) for kind in kinds]


def _observe_norms(
    function: Callable[..., Any], nested: bool, training: bool, seed: int, first: Batch, second: Batch
) -> dict[str, Any]:
    network = _network(nested, seed).train(training)
    weights = deepcopy(list(network.parameters()))
    read = numbers("the norm for each convolution")
    norms = [read(function(network, *batch)) for batch in (first, second)]
    return {
        "the first result": norms[0],
        "the second result (for other images)": norms[1],
        "whether the weights are as before": all(
            one.dtype == other.dtype and torch.equal(one, other)
            for one, other in zip(network.parameters(), weights, strict=True)
        ),
        "whether the mode is as before": all(module.training == training for module in network.modules()),
    }


def _convolutions(network: nn.Module) -> list[Any]:
    return list(depth.convolutions(network).values())


def _norms(
    read: Callable[[Tensor], Any] = torch.norm,
    loss: Callable[..., Tensor] = F.cross_entropy,
    training: bool | None = None,
) -> Callable[..., list[float]]:
    """Return a `gradient_norms`, or one that reads gradients, takes the loss or sets the mode in its own way."""

    def gradient_norms(network: nn.Module, images: Tensor, labels: Tensor) -> list[float]:
        network = network if training is None else deepcopy(network).train(training)
        weights = [layer.weight for layer in _convolutions(network)]
        return [float(read(slope)) for slope in torch.autograd.grad(loss(network(images), labels), weights)]

    return gradient_norms


def _accumulated(
    network: nn.Module, images: Tensor, labels: Tensor, weights_only: bool = True
) -> list[Tensor]:
    F.cross_entropy(network(images), labels).backward()
    layers = _convolutions(network)
    read = [[layer.weight] if weights_only else list(layer.parameters()) for layer in layers]
    return [torch.cat([parameter.grad.flatten() for parameter in one]).norm() for one in read]


def _with_biases(network: nn.Module, images: Tensor, labels: Tensor) -> list[Tensor]:
    network.zero_grad()
    return _accumulated(network, images, labels, weights_only=False)


def _lengths(outcomes: list[Any]) -> list[int]:
    return [len(outcome["the first result"]) for outcome in outcomes]


GRADIENT_NORMS = FunctionExercise(
    "gradient_norms(network, images, labels)",
    returns=numbers("the norm for each convolution"),
    reference=_norms(),
    inputs=_networks_and_batches,
    observe=_observe_norms,
    shown=lambda nested, training, *_: (
        f"a network with {'4 convolutions' if nested else '1 convolution'}, training={training}, …"
    ),
    tries=1,
    mistakes=[
        Symptom(
            "changes weights",
            fails("whether the weights are as before"),
            "The weights have changed. Measure the gradients, but take no step.",
        ),
        Symptom(
            "changes mode",
            fails("whether the mode is as before"),
            "The network is in another mode after your function than before it. Leave its mode as it is.",
        ),
        Symptom(
            "other layers",
            lambda given, right: any(map(gt, _lengths(given), _lengths(right))),
            "Too many numbers: return one per convolution, and none for biases or other layers.",
        ),
        Symptom(
            "too few",
            lambda given, right: any(map(lt, _lengths(given), _lengths(right))),
            "Too few numbers: return one for every convolution, those inside blocks included.",
        ),
        Mistake(
            "reversed", lambda *batch: _norms()(*batch)[::-1], "Begin with the convolution next to the image."
        ),
        Mistake("bias", _with_biases, "The biases' gradients are included. Take those of the weights alone."),
        Mistake(
            "sum",
            [_norms(torch.sum), _norms(lambda slope: slope.abs().sum())],
            "That is a sum over the gradient. Its Euclidean norm is the root of the sum of squares.",
        ),
        Mistake(
            "mean",
            [_norms(lambda g: g.abs().mean()), _norms(lambda g: g.square().mean().sqrt())],
            "You take a mean over the gradient. A norm does not divide by the number of weights.",
        ),
        Mistake(
            "largest",
            [_norms(torch.max), _norms(lambda slope: slope.abs().max())],
            "That is the largest entry. The Euclidean norm takes all of them.",
        ),
        Mistake("squared", _norms(lambda slope: slope.square().sum()), "You forgot the root."),
        Mistake(
            "weights",
            lambda network, *batch: [layer.weight.norm() for layer in _convolutions(network)],
            "Those are the norms of the weights themselves, not of their gradients.",
        ),
        Mistake(
            "softmax",
            _norms(loss=lambda logits, labels: F.cross_entropy(logits.softmax(1), labels)),
            "Cross-entropy takes logits and applies the softmax itself. Yours is applied twice.",
        ),
        Mistake(
            "other loss",
            [
                _norms(loss=lambda logits, _: logits.sum()),
                _norms(loss=lambda logits, _: logits.mean()),
                _norms(loss=lambda logits, labels: logits[range(len(labels)), labels].sum()),
            ],
            "Those are gradients of the logits. The loss is the cross-entropy.",
        ),
        Mistake(
            "summed loss",
            _norms(loss=lambda logits, labels: F.cross_entropy(logits, labels, reduction="sum")),
            "The loss is summed over the batch. Take its mean over the images.",
        ),
        Mistake(
            "evaluation mode",
            _norms(training=False),
            "Where the network is in training mode, leave it there.",
        ),
        Mistake(
            "training mode", _norms(training=True), "Where the network is in evaluation mode, leave it there."
        ),
        Mistake(
            "accumulated", _accumulated, "In a second call, the first batch's gradients are still there."
        ),
    ],
)

HE_STD = FunctionExercise(
    "he_std(c_in, c_out, kernel)",
    returns=number("the standard deviation of the weights"),
    reference=he_std,
    inputs=lambda draw: [
        (2, 8, 1),
        *((draw.randint(8, 64), draw.randint(65, 128), kernel) for kernel in (3, 5, 7)),
        (64, 16, 3),
    ],
    mistakes=[
        Mistake(
            "fan out",
            lambda i, o, k: sqrt(2 / (k**2 * o)),
            "You count the outputs. A unit adds up products over its inputs.",
        ),
        Mistake(
            "variance",
            lambda i, o, k: 2 / (k**2 * i),
            "That is the variance of the weights. Return their standard deviation.",
        ),
        Mistake(
            "factor 1",
            lambda i, o, k: sqrt(1 / (k**2 * i)),
            "That keeps the variance where no ReLU is between the layers. What does a ReLU do to E[x²]?",
        ),
        Mistake(
            "half", lambda i, o, k: sqrt(1 / (2 * k**2 * i)), "A ReLU halves the signal. Make up for it."
        ),
        Mistake(
            "half a root",
            [lambda i, o, k: 2 / (k * sqrt(i)), lambda i, o, k: sqrt(2) / (k**2 * i)],
            "Your root is of one part of the variance only. Take it of the whole fraction.",
        ),
        Mistake("glorot", glorot_std, "That is Glorot's, which is for layers without ReLU."),
        Mistake(
            "kernel not squared", lambda i, o, k: sqrt(2 / (k * i)), "A kernel is as high as it is wide."
        ),
        Mistake("no kernel", lambda i, o, k: sqrt(2 / i), "A unit adds up more than one input per channel."),
        Mistake(
            "upside down", lambda i, o, k: sqrt(k**2 * i / 2), "The more inputs, the smaller each weight."
        ),
        Mistake("uniform", lambda i, o, k: sqrt(6 / (k**2 * i)), "That is a uniform distribution's bound."),
    ],
)

EXERCISES = (DIAGNOSE_DEPTH, IDENTITY_CONVOLUTION, SWITCH_OFF, GRADIENT_NORMS, HE_STD)
