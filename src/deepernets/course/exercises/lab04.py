"""Exercises of lab 4: build ResNet."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from deepernets.course.exercises.judging import JudgedExercise as Exercise
from deepernets.course.exercises.lab04_branches import BOTTLENECK_BRANCH, COPY_WEIGHTS, same
from deepernets.course.exercises.numbers import draws, nearest, number


def _first_alike(given: Any, usual: dict[str, Callable[[], Tensor]]) -> str:
    """Return the mistake whose result is the one given."""
    for mistake, wrong in usual.items():
        if same(given, wrong()):
            return mistake
    return "other"


def judge_residual_forward(answer: Any, seed: int) -> str | None:
    """ReLU(F(x) + shortcut(x))."""
    if not callable(answer):
        return "no function"
    generator = draws(seed, 41)
    inner, outer = (
        torch.randn(4, 4, generator=generator) for _ in range(2)
    )  # square: x itself could be added
    x = torch.randn(5, 4, generator=generator)

    def branch(x: Tensor) -> Tensor:
        return x @ inner.T

    def shortcut(x: Tensor) -> Tensor:
        return x @ outer.T

    given = answer(x.clone(), branch, shortcut)
    if not isinstance(given, Tensor):
        return "no tensor"
    right = (branch(x) + shortcut(x)).relu()
    usual: dict[str, Callable[[], Tensor]] = {
        "no relu": lambda: branch(x) + shortcut(x),
        "relu before": lambda: branch(x).relu() + shortcut(x),
        "relu each": lambda: branch(x).relu() + shortcut(x).relu(),
        "relu twice": lambda: (branch(x).relu() + shortcut(x)).relu(),
        "not projected": lambda: (branch(x) + x).relu(),
        "in a row": lambda: branch(shortcut(x)).relu(),
        "no shortcut": lambda: branch(x).relu(),
        "no branch": lambda: shortcut(x).relu(),
        "difference": lambda: (branch(x) - shortcut(x)).relu(),
        "product": lambda: (branch(x) * shortcut(x)).relu(),
        "concatenated": lambda: torch.cat([branch(x), shortcut(x)], dim=1).relu(),
    }
    if not same(given, right):
        return _first_alike(given, usual)
    kept = x.clone()
    given = answer(kept, branch, lambda x: x)
    if not same(given, (branch(x) + x).relu()):
        return "other"
    return None if torch.equal(kept, x) else "changes x"


RESIDUAL_FORWARD = Exercise(
    "residual_forward",
    judge_residual_forward,
    {
        "no function": "A function is wanted: residual_forward(x, branch, shortcut).",
        "no tensor": "Return the block's output, a tensor.",
        "no relu": "The sum is right; the second ReLU, behind it, is missing.",
        "relu before": "The ReLU comes after the addition, not before: F must be able to subtract.",
        "relu each": "One ReLU of the sum, not two of its parts: F must be able to subtract.",
        "relu twice": "Behind the addition is right; a ReLU before it as well keeps F from subtracting.",
        "not projected": "That adds x itself; where shapes change, the shortcut has work to do on it first.",
        "in a row": "Branch and shortcut stand side by side: both get x.",
        "changes x": "The output is right, but x was overwritten: with an identity, shortcut(x) is x itself.",
        "no shortcut": "The shortcut is missing: that is a plain block.",
        "no branch": "F is missing: only the shortcut is left.",
        "difference": "F learns what to add; the two are summed.",
        "product": "The two are summed; multiplying them would be a gate.",
        "concatenated": "The two are added number by number, not laid side by side.",
        "other": "y = ReLU(F(x) + shortcut(x)): branch(x), shortcut(x), their sum, and F.relu of it.",
    },
)


def judge_zero_padded(answer: Any, seed: int) -> str | None:
    """Every stride-th pixel, and c_out - c_in channels of zeros behind."""
    if not callable(answer):
        return "no function"
    x = torch.randn(2, 4, 6, 6, generator=draws(seed, 42))
    given = answer(x.clone(), 12, 2)
    if not isinstance(given, Tensor):
        return "no tensor"
    small = x[:, :, ::2, ::2]

    def padded(maps: Tensor, before: int, behind: int) -> Tensor:
        return F.pad(maps, (0, 0, 0, 0, before, behind))

    usual: dict[str, Callable[[], Tensor]] = {
        "stride forgotten": lambda: padded(x, 0, 8),
        "pooled": lambda: padded(F.avg_pool2d(x, 2), 0, 8),
        "max pooled": lambda: padded(F.max_pool2d(x, 2), 0, 8),
        "corner": lambda: padded(x[:, :, :3, :3], 0, 8),
        "one direction": lambda: padded(x[:, :, ::2], 0, 8),
        "offset": lambda: padded(x[:, :, 1::2, 1::2], 0, 8),
        "doubled": lambda: padded(small, 0, 4),
        "all of them": lambda: padded(small, 0, 12),
        "half of all per side": lambda: padded(small, 6, 6),
        "both sides": lambda: padded(small, 4, 4),
        "in front": lambda: padded(small, 8, 0),
        "repeated": lambda: small.repeat(1, 3, 1, 1),
        "not padded": lambda: small,
        "wider": lambda: F.pad(small, (0, 8)),
        "taller": lambda: F.pad(small, (0, 0, 0, 8)),
    }
    if not same(given, padded(small, 0, 8)):
        return _first_alike(given, usual)
    if not same(answer(x.clone(), 4, 1), x):
        return "not the identity"
    odd = torch.randn(1, 2, 5, 7, generator=draws(seed, 45))
    return None if same(answer(odd.clone(), 3, 3), padded(odd[:, :, ::3, ::3], 0, 1)) else "other sizes"


ZERO_PADDED = Exercise(
    "zero_padded",
    judge_zero_padded,
    {
        "no function": "A function is wanted: zero_padded(x, channels, stride).",
        "no tensor": "Return the shortcut's maps, a tensor.",
        "stride forgotten": "The channels are right; of the pixels, only every stride-th is kept.",
        "pooled": "Those are averages; option A keeps every stride-th pixel as it is.",
        "max pooled": "Those are maxima; option A keeps every stride-th pixel as it is.",
        "corner": "That is the corner of each map; take every stride-th pixel of the whole: a step in the slice.",
        "one direction": "Every stride-th row is kept, but all columns: the slice has two dimensions to thin out.",
        "offset": "Every stride-th pixel, but not from the first one: the branch's kernels start there.",
        "doubled": "That doubles the channels; how many does `channels` ask for?",
        "all of them": "Too many channels: only those are added that x does not have.",
        "half of all per side": "Too many channels: what x lacks is added, not half of all on each side.",
        "both sides": "As many zeros as there should be, but here they all come behind x's channels.",
        "in front": "The zeros come behind x's channels, not in front of them.",
        "repeated": "The new channels hold zeros, no copies: they cost nothing and say nothing.",
        "not padded": "The pixels are right; now add channels of zeros until there are `channels`.",
        "wider": "F.pad counts from the last dimension: the first pair of numbers pads the width.",
        "taller": "F.pad counts from the last dimension: the second pair of numbers pads the height.",
        "not the identity": "With as many channels as x and stride 1, x must come out as it is.",
        "other sizes": "Right for one size and wrong for another: are `channels` and `stride` used as they are "
        "given, also on maps with odd sides?",
        "other": "First a slice with a step in the last two dimensions; then how many zeros, in which dimension?",
    },
)

EXTRA_B = 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64


def judge_extra_of_b(answer: Any, seed: int) -> str | None:
    """What two normalised projections add to ResNet-20."""
    try:
        value = number(answer)
    except (TypeError, ValueError, RuntimeError):
        return "no number"
    usual = {
        "no normalisation": 16 * 32 + 32 * 64,
        "biases": 16 * 32 + 32 + 32 * 64 + 64,
        "one": 16 * 32 + 2 * 32,
        "last one": 32 * 64 + 2 * 64,
        "option C": 14_240,
        "3x3": 9 * (16 * 32 + 32 * 64) + 2 * 32 + 2 * 64,
        "every block": 3 * EXTRA_B,
        "nothing": 0,
    }
    return nearest(value, EXTRA_B, {name: float(wrong) for name, wrong in usual.items()}, otherwise="other")


EXTRA_OF_B = Exercise(
    "extra_of_b",
    judge_extra_of_b,
    {
        "no number": "A number is wanted: parameters of all projections together.",
        "no normalisation": "The 1×1 weights are right; a batch normalisation follows each projection.",
        "biases": "No biases, but a normalisation behind each, with a scale and a shift per channel.",
        "one": "That is the first projection, from 16 to 32 channels; there is a second one.",
        "last one": "That is the second projection, from 32 to 64 channels; there is a first one.",
        "option C": "That is option C, a projection in every block; B has them only where shapes change.",
        "3x3": "A projection is a 1×1 convolution: one weight per pair of channels.",
        "every block": "Only the first block of a stage changes shapes; the others keep the identity.",
        "nothing": "Option A is free; a projection has weights.",
        "other": "Two projections, 16 to 32 and 32 to 64 channels: weights, scales and shifts.",
    },
)

EXERCISES = (RESIDUAL_FORWARD, ZERO_PADDED, BOTTLENECK_BRANCH, EXTRA_OF_B, COPY_WEIGHTS)
