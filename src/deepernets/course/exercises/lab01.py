"""Exercises of lab 1: receptive fields and parameters."""

import random
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from deepernets.course.checks import Exercise
from deepernets.course.exercises.lab01_counts import EXTRA_SHARE, STACK_PARAMETERS
from deepernets.course.exercises.numbers import close, nearest, number


def judge_three_deep(answer: Any, seed: int) -> str | None:
    """Three 3×3 convolutions see a square of 7 pixels a side."""
    try:
        side = number(answer)
    except (TypeError, ValueError, RuntimeError):
        return "no number"
    usual = {
        "sum of kernels": 9.0,
        "area": 49.0,
        "doubled": 6.0,
        "product": 27.0,
        "two layers": 5.0,
        "kernel": 3.0,
    }
    return nearest(side, 7.0, usual, otherwise="other")


THREE_DEEP = Exercise(
    "three_deep",
    judge_three_deep,
    {
        "no number": "A number is wanted: the side of the square, in pixels.",
        "sum of kernels": "Neighbouring kernels overlap: how many new pixels does a layer add at each edge?",
        "area": "That is the number of pixels in the square; its side is wanted.",
        "doubled": "Two new pixels per layer is right, but the first layer starts with one pixel, not with none.",
        "product": "Fields of stride 1 add up and do not multiply.",
        "two layers": "That is what two layers see; a third one adds one pixel at each edge.",
        "kernel": "That is what one layer sees; each further one adds one pixel at each edge.",
        "other": "Draw it: one unit sees 3 units of the layer below, each of which sees 3 of the layer below that.",
    },
)

Layers = list[tuple[int, int]]


def _field(layers: Layers, step: Callable[[int, int, int, int], tuple[int, int]], start: int = 1) -> int:
    """Follow field and jump through layers by a rule (field, jump, kernel, stride) -> (field, jump)."""
    field, jump = start, 1
    for kernel, stride in layers:
        field, jump = step(field, jump, kernel, stride)
    return field


def _some_layers(seed: int) -> list[Layers]:
    draw = random.Random(seed)
    random_layers = [(draw.choice((3, 5, 7)), draw.choice((1, 2, 3))) for _ in range(4)]
    return [[(3, 1)] * 3, [(7, 2), (3, 2), (1, 1), (3, 1)], [*random_layers, (3, 2), (5, 2)]]


def judge_field_size(answer: Any, seed: int) -> str | None:
    """The recursion: each layer adds (kernel - 1) · jump, then multiplies the jump by its stride."""
    if not callable(answer):
        return "no function"
    cases = _some_layers(seed)
    results = [answer(list(layers)) for layers in cases]  # not below: what it raises is the student's to see
    try:
        given = [number(result) for result in results]
    except (TypeError, ValueError, RuntimeError):
        return "no number"

    def by(step: Callable[[int, int, int, int], tuple[int, int]], start: int = 1) -> list[int]:
        return [_field(layers, step, start) for layers in cases]

    right = by(lambda r, j, k, s: (r + (k - 1) * j, j * s))
    usual = {
        "k": by(lambda r, j, k, s: (r + k * j, j * s)),
        "starts at none": by(lambda r, j, k, s: (r + (k - 1) * j, j * s), start=0),
        "no jump": by(lambda r, j, k, s: (r + (k - 1), j)),
        "own stride": by(lambda r, j, k, s: (r + (k - 1) * j * s, j * s)),
        "last stride only": by(lambda r, j, k, s: (r + (k - 1) * j, s)),
        "jump added": by(lambda r, j, k, s: (r + (k - 1) * j, j + s)),
        "jump added less one": by(lambda r, j, k, s: (r + (k - 1) * j, j + s - 1)),
        "product": by(lambda r, j, k, s: (r * k, j * s)),
        "area": [side**2 for side in right],
        "jump": [_field(layers, lambda r, j, k, s: (r * s, j)) for layers in cases],
    }
    if given == right:
        return None
    return next((mistake for mistake, wrong in usual.items() if given == wrong), "other")


FIELD_SIZE = Exercise(
    "field_size",
    judge_field_size,
    {
        "no function": "A function is wanted: field_size(layers).",
        "no number": "A number is wanted: the side of the field in pixels.",
        "k": "A kernel of k adds k - 1 steps to what its middle sees, not k.",
        "starts at none": "Before the first layer a unit is a pixel, and sees one pixel: start at 1.",
        "no jump": "Right for strides of 1. Behind a stride of 2, neighbouring units lie 2 pixels apart.",
        "own stride": "A layer's own stride spreads its outputs: it counts for the layers after it.",
        "last stride only": "The jump is the product of all strides so far, not the last one alone.",
        "jump added": "Strides multiply: behind two strides of 2, neighbours lie 4 pixels apart.",
        "jump added less one": "Strides multiply: behind three strides of 2, neighbours lie 8 pixels apart.",
        "product": "Fields grow by addition: each layer adds (kernel - 1) steps.",
        "area": "That is the number of pixels in the square; its side is wanted.",
        "jump": "That is the distance of neighbouring units, in pixels; the field is wanted.",
        "other": "Keep two numbers, the field and the jump. Each layer adds (kernel - 1) jumps.",
    },
)


def _positive_network(seed: int) -> tuple[nn.Sequential, int]:
    """Return a network whose weights are all positive, so that no gradient cancels, and its field."""
    draw = random.Random(seed)
    layers = [(draw.choice((3, 5)), 1), (3, 2), (draw.choice((3, 5)), 1)]
    network = nn.Sequential(
        *(nn.Conv2d(3 if i == 0 else 2, 2, k, s, padding=k // 2) for i, (k, s) in enumerate(layers))
    )
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.rand(parameter.shape, generator=generator) + 0.1)
    return network, _field(layers, lambda r, j, k, s: (r + (k - 1) * j, j * s))


def judge_field_by_gradient(answer: Any, seed: int) -> str | None:
    """The side of the square of pixels whose gradient is not zero, for the middle unit."""
    if not callable(answer):
        return "no function"
    network, right = _positive_network(seed)
    size = 41
    result = answer(network, size)
    try:
        side = number(result)
    except (TypeError, ValueError, RuntimeError):
        return "no number"
    if side == right:
        return None
    corner = right // 2 + 1
    usual = {
        "area": right**2,
        "area and channels": 3 * right**2,
        "all units": size,
        "all units' area": size**2,
        "corner": corner,
        "last index": right - 1,
        "half": right // 2,
    }
    return next((mistake for mistake, wrong in usual.items() if close(side, float(wrong))), "other")


FIELD_BY_GRADIENT = Exercise(
    "field_by_gradient",
    judge_field_by_gradient,
    {
        "no function": "A function is wanted: field_by_gradient(network, size).",
        "no number": "A number is wanted: how many pixels wide the field is.",
        "area": "That is how many pixels the unit sees; how many lie side by side?",
        "area and channels": "Every pixel is counted once per colour; how many lie side by side in one row?",
        "all units": "The whole image matters to the whole map. Take the gradient of one unit only.",
        "all units' area": "Those are all pixels of the image: one unit alone, and the side of what it sees.",
        "corner": "A unit at the corner sees the padding, too; take the one in the middle.",
        "last index": "From the first to the last pixel: count both ends.",
        "half": "That is the reach to one side; the field reaches to both sides of its middle.",
        "other": "Take the middle unit's gradient at the image; count the columns with a non-zero entry.",
    },
)

EXERCISES = (THREE_DEEP, FIELD_SIZE, EXTRA_SHARE, STACK_PARAMETERS, FIELD_BY_GRADIENT)
