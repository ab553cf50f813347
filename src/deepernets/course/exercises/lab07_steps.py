"""Exercises of lab 7, second part: one step of Adam, and how many steps a run has."""

import math
import random
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from deepernets.course.checks import Exercise
from deepernets.course.exercises.numbers import draws, number

RATE, FIRST, SECOND, EPSILON = 0.01, 0.9, 0.999, 1e-8
State = tuple[Tensor, Tensor, Tensor]
Rule = Callable[[Tensor, Tensor, Tensor, Tensor, int], State]


def _adam(weight: Tensor, gradient: Tensor, mean: Tensor, square: Tensor, step: int) -> State:
    """The right answer: Kingma & Ba (2015), algorithm 1."""
    mean = FIRST * mean + (1 - FIRST) * gradient
    square = SECOND * square + (1 - SECOND) * gradient**2
    change = (mean / (1 - FIRST**step)) / ((square / (1 - SECOND**step)).sqrt() + EPSILON)
    return weight - RATE * change, mean, square


def _wrongly(
    correction: bool = True,
    late: int = 0,
    root: bool = True,
    sign: float = -1.0,
    squared: bool = True,
    divide: bool = True,
) -> Rule:
    """Return an Adam step with one thing wrong."""

    def rule(weight: Tensor, gradient: Tensor, mean: Tensor, square: Tensor, step: int) -> State:
        mean = FIRST * mean + (1 - FIRST) * gradient
        square = SECOND * square + (1 - SECOND) * (gradient**2 if squared else gradient.abs())
        first, second = (
            (1 - FIRST ** (step + late), 1 - SECOND ** (step + late)) if correction else (1.0, 1.0)
        )
        scale = square / second
        below = (scale.sqrt() if root else scale) + EPSILON if divide else 1.0
        return weight + sign * RATE * (mean / first) / below, mean, square

    return rule


def _after(rule: Callable[..., Any], seed: int, steps: int = 3) -> list[Tensor]:
    """Return weight, mean and square after a few steps on drawn gradients."""
    generator = draws(seed, 71)
    weight = torch.randn(6, generator=generator)
    mean, square = torch.zeros(6), torch.zeros(6)
    for step in range(1, steps + 1):
        gradient = torch.randn(6, generator=generator)
        weight, mean, square = (
            torch.as_tensor(part).detach().clone()
            for part in rule(weight.clone(), gradient, mean.clone(), square.clone(), step)
        )
    return [weight, mean, square]


def _same(some: list[Tensor], others: list[Tensor]) -> bool:
    return all(
        one.shape == other.shape and torch.allclose(one.double(), other.double(), rtol=1e-4, atol=1e-6)
        for one, other in zip(some, others, strict=True)
    )


def judge_adam_step(answer: Any, seed: int) -> str | None:
    """Three steps of Adam leave the weight and both averages as they should be."""
    if not callable(answer):
        return "no function"
    try:
        given = _after(answer, seed)
    except (TypeError, ValueError):
        return "not three"
    right = _after(_adam, seed)
    if _same(given, right):
        return None
    usual = {
        "no correction": _wrongly(correction=False),
        "correction late": _wrongly(late=1),
        "no root": _wrongly(root=False),
        "uphill": _wrongly(sign=1.0),
        "not squared": _wrongly(squared=False),
        "momentum alone": _wrongly(divide=False),
    }
    for mistake, rule in usual.items():
        if _same(given, _after(rule, seed)):
            return mistake
    if _same(given[:1], right[:1]):
        return "averages"
    return "other"


ADAM_STEP = Exercise(
    "adam_step",
    judge_adam_step,
    {
        "no function": "A function is wanted: adam_step(weight, gradient, mean, square, step).",
        "not three": "Three tensors are wanted: the new weight, mean and square.",
        "no correction": "Both averages start at 0 and are too small at first: divide by 1 - beta ** step.",
        "correction late": "The correction is one step ahead: `step` is 1 at the first step.",
        "no root": "The square root is missing: the gradient is measured against its own size, not its square.",
        "uphill": "The weight goes up the slope; subtract the change.",
        "not squared": "The second average is of squared gradients.",
        "momentum alone": "That is momentum with a correction; Adam divides by the root of the second average.",
        "averages": "The weight is right; return the averages as they were before the correction.",
        "other": "Both averages, both corrected, then weight - rate · mean / (square.sqrt() + epsilon).",
    },
)


def judge_steps_per_run(answer: Any, seed: int) -> str | None:
    """Optimizer steps of a whole run; the last batch of an epoch may be smaller."""
    if not callable(answer):
        return "no function"
    draw = random.Random(seed)
    cases = [(14_000, 128, 15), (draw.randint(900, 999), 32, draw.randint(2, 9)), (640, 64, 3)]
    try:
        given = [number(answer(*case)) for case in cases]
    except (TypeError, ValueError, RuntimeError):
        return "no number"

    def by(rule: Callable[[int, int, int], float]) -> list[float]:
        return [rule(*case) for case in cases]

    usual = {
        "last batch dropped": by(lambda images, batch, epochs: images // batch * epochs),
        "not rounded": by(lambda images, batch, epochs: images / batch * epochs),
        "rounded at the end": by(lambda images, batch, epochs: math.ceil(images * epochs / batch)),
        "one epoch": by(lambda images, batch, epochs: math.ceil(images / batch)),
        "images": by(lambda images, batch, epochs: images * epochs),
        "one more": by(lambda images, batch, epochs: (images // batch + 1) * epochs),
    }
    if given == by(lambda images, batch, epochs: math.ceil(images / batch) * epochs):
        return None
    return next((mistake for mistake, wrong in usual.items() if given == wrong), "other")


STEPS_PER_RUN = Exercise(
    "steps_per_run",
    judge_steps_per_run,
    {
        "no function": "A function is wanted: steps_per_run(images, batch_size, epochs).",
        "no number": "A number is wanted: how many steps the whole run has.",
        "last batch dropped": "The last batch of an epoch is smaller, but it is a step as well: round up.",
        "not rounded": "There are no half steps: the last batch of each epoch is smaller.",
        "rounded at the end": "Every epoch ends with its own smaller batch: round up before you multiply.",
        "one epoch": "That is one epoch; a run has several.",
        "images": "That is how many images the run sees; a step takes a batch of them.",
        "one more": "Where the batches fill the epoch exactly, there is no smaller one behind them.",
        "other": "Batches per epoch, rounded up, times epochs.",
    },
)
