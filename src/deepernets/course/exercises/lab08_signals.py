"""Exercises of lab 8, second part: gradient norms by depth, and the deviation of first weights."""

from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import islice
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deepernets.course.exercises.judging import JudgedExercise as Exercise
from deepernets.course.exercises.numbers import close, draws, number
from deepernets.models.layers import glorot_std, he_std

CLASSES, CONVOLUTIONS = 3, 3
MOST = 20  # numbers that are read of an answer
Loss = Callable[[Tensor, Tensor], Tensor]


def _network(seed: int) -> nn.Sequential:
    """Return three convolutions, two with biases, one normalised, and a linear layer; in training mode."""
    network = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 3, 3),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(3, CLASSES),
    )
    generator = draws(seed, 41)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return network


def _batch(seed: int, salt: int) -> tuple[Tensor, Tensor]:
    generator = draws(seed, salt)
    images = torch.randn(12, 2, 6, 6, generator=generator) + 0.5
    return images, torch.randint(CLASSES, (12,), generator=generator)


def _gradients(
    network: nn.Module, batch: tuple[Tensor, Tensor], loss: Loss = F.cross_entropy
) -> list[Tensor]:
    """Return the gradients by the convolutions' weights, then those by their biases (zero where they have none)."""
    network, (images, labels) = deepcopy(network), batch
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    biases = [
        layer.bias if layer.bias is not None else torch.zeros(1, requires_grad=True) for layer in layers
    ]
    value = loss(network(images), labels)
    by_weights = torch.autograd.grad(value, [layer.weight for layer in layers], retain_graph=True)
    by_biases = torch.autograd.grad(value, biases, allow_unused=True)
    return [*by_weights, *(torch.zeros(1) if bias is None else bias for bias in by_biases)]


def _norms(gradients: Iterable[Tensor]) -> list[float]:
    return [float(gradient.detach().norm()) for gradient in gradients]


def _usual_norms(seed: int) -> dict[str, list[list[float]]]:
    """Return what the usual mistakes give on the first batch."""
    network, batch = _network(seed), _batch(seed, 42)
    gradients = _gradients(network, batch)
    by_weights, by_biases = gradients[:CONVOLUTIONS], gradients[CONVOLUTIONS:]
    softmax = _gradients(network, batch, lambda logits, labels: F.cross_entropy(logits.softmax(1), labels))
    summed = _gradients(
        network, batch, lambda logits, labels: F.cross_entropy(logits, labels, reduction="sum")
    )
    asleep = _gradients(network.eval(), batch)
    norms = _norms(by_weights)
    pairs = zip(by_weights, by_biases, strict=True)
    return {
        "reversed": [norms[::-1]],
        "bias": [[sqrt(float(weight.norm() ** 2 + bias.norm() ** 2)) for weight, bias in pairs]],
        "sum": [[float(g.sum()) for g in by_weights], [float(g.abs().sum()) for g in by_weights]],
        "mean": [
            [float(g.mean()) for g in by_weights],
            [float(g.abs().mean()) for g in by_weights],
            [float(g.square().mean().sqrt()) for g in by_weights],
        ],
        "largest": [[float(g.abs().max()) for g in by_weights]],
        "squared": [[norm**2 for norm in norms]],
        "weights": [_norms(layer.weight for layer in network.modules() if isinstance(layer, nn.Conv2d))],
        "softmax": [_norms(softmax[:CONVOLUTIONS])],
        "summed loss": [_norms(summed[:CONVOLUTIONS])],
        "evaluation mode": [_norms(asleep[:CONVOLUTIONS])],
    }


def _numbers(values: Any) -> list[float] | None:
    try:
        return [number(value) for value in islice(values, MOST)]
    except (TypeError, ValueError, RuntimeError):
        return None


def _equal(values: list[float], others: list[float]) -> bool:
    return len(values) == len(others) and all(map(close, values, others))


def judge_gradient_norms(answer: Any, seed: int) -> str | None:
    """Two batches in turn must each give the norms of their own gradients, and leave the weights alone."""
    if not callable(answer):
        return "no function"
    network, start = _network(seed), _network(seed)
    first, second = _batch(seed, 42), _batch(seed, 43)
    values = _numbers(answer(network, *first))
    if values is None:
        return "no numbers"
    if len(values) != CONVOLUTIONS:
        return "other layers" if len(values) > CONVOLUTIONS else "too few"
    kept = zip(network.parameters(), start.parameters(), strict=True)
    if not all(torch.equal(parameter, before) for parameter, before in kept):
        return "changes weights"
    gradients = _gradients(start, first)[:CONVOLUTIONS]
    if not _equal(values, _norms(gradients)):
        usual = _usual_norms(seed).items()
        return next((name for name, lists in usual if any(_equal(values, wrong) for wrong in lists)), "other")
    again = _numbers(answer(network, *second)) or []
    later = _gradients(start, second)[:CONVOLUTIONS]
    if _equal(again, _norms(later)):
        return None
    added = _norms(one + other for one, other in zip(gradients, later, strict=True))
    return "accumulated" if _equal(again, added) else "second call"


GRADIENT_NORMS = Exercise(
    "gradient_norms",
    judge_gradient_norms,
    {
        "no function": "A function is wanted: gradient_norms(network, images, labels).",
        "no numbers": "A list of numbers is wanted, one per convolution.",
        "other layers": "Too many numbers: one per convolution is wanted, none for its bias, a normalisation or a "
        "linear layer.",
        "too few": "Too few numbers: one for each convolution of the network, however deep it is.",
        "changes weights": "The weights have changed: measure the gradients, but take no step.",
        "reversed": "The numbers are right, in the wrong order: begin with the convolution next to the image.",
        "bias": "The gradients of the biases are in it, too: take those of the weights alone.",
        "sum": "That is a sum over the gradient; its Euclidean norm is the root of the sum of squares.",
        "mean": "That is a mean; a norm does not divide by the number of weights.",
        "largest": "That is the largest entry; the Euclidean norm takes all of them.",
        "squared": "Those are squares of the norms: the root is missing.",
        "weights": "Those are the norms of the weights themselves, not of their gradients.",
        "softmax": "Cross-entropy takes logits and applies the softmax itself; yours is applied twice.",
        "summed loss": "The loss is summed over the batch: its mean per image is wanted, or twice the batch would "
        "give twice the gradient.",
        "evaluation mode": "The network was switched to evaluation; leave its mode as it is, so that it "
        "normalises by the batch as in training.",
        "accumulated": "The first call is right, the second is not: the gradients of the first batch are still "
        "there when the second one's are added.",
        "second call": "The first call is right, and a second one on other images is not: what is left over from "
        "the first?",
        "other": "Run the batch, take the mean cross-entropy, differentiate it by each convolution's weights, "
        "and take the root of the sum of squares.",
    },
)

USUAL_DEVIATIONS: dict[str, Callable[[int, int, int], float]] = {
    "fan out": lambda c_in, c_out, kernel: sqrt(2 / (kernel**2 * c_out)),
    "variance": lambda c_in, c_out, kernel: 2 / (kernel**2 * c_in),
    "factor 1": lambda c_in, c_out, kernel: sqrt(1 / (kernel**2 * c_in)),
    "glorot": glorot_std,
    "kernel not squared": lambda c_in, c_out, kernel: sqrt(2 / (kernel * c_in)),
    "no kernel": lambda c_in, c_out, kernel: sqrt(2 / c_in),
    "upside down": lambda c_in, c_out, kernel: sqrt(kernel**2 * c_in / 2),
    "uniform": lambda c_in, c_out, kernel: sqrt(6 / (kernel**2 * c_in)),
}


def judge_he_std(answer: Any, seed: int) -> str | None:
    """The root of 2 / (k² · c_in), for three convolutions."""
    if not callable(answer):
        return "no function"
    generator = draws(seed, 44)
    layers = []
    for kernel in (3, 5, 7):
        c_in = int(torch.randint(8, 65, (), generator=generator))
        layers.append((c_in, c_in + int(torch.randint(8, 65, (), generator=generator)), kernel))
    try:
        values = [number(answer(*layer)) for layer in layers]
    except (TypeError, ValueError, RuntimeError):
        return "no number"
    if _equal(values, [he_std(*layer) for layer in layers]):
        return None
    usual = USUAL_DEVIATIONS.items()
    return next((name for name, rule in usual if _equal(values, [rule(*layer) for layer in layers])), "other")


HE_STD = Exercise(
    "he_std",
    judge_he_std,
    {
        "no function": "A function is wanted that gives a number: he_std(c_in, c_out, kernel).",
        "no number": "The function stopped, or gave something that is no number.",
        "fan out": "That counts the outputs that a unit reaches; on the way forward its inputs are what adds up.",
        "variance": "That is the variance; the standard deviation is its root.",
        "factor 1": "Without a ReLU that would be right; how much of the signal does a ReLU take away?",
        "glorot": "That is Glorot's, the mean of both directions; He's looks at the inputs, and at the ReLU.",
        "kernel not squared": "A kernel is as high as it is wide: how many inputs does one unit add up?",
        "no kernel": "A unit of a convolution adds up more than one input per channel.",
        "upside down": "The more inputs are added up, the smaller each weight has to be.",
        "uniform": "That is the bound of a uniform distribution; the standard deviation is wanted.",
        "other": "If a unit adds up n inputs, which variance of the weights makes n · Var[w] / 2 equal to 1? The "
        "standard deviation is its root.",
    },
)
