"""Exercises of lab 7, last part: one step of Adam, and how many steps a run has."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from deepernets.course.exercises.judging import JudgedExercise as Exercise
from deepernets.course.exercises.numbers import draws, number

RATE = 0.01
State = tuple[Tensor, Tensor, Tensor]
Rule = Callable[[Tensor, Tensor, Tensor, Tensor, int], Any]


@dataclass(frozen=True)
class Adam:
    """One step of Adam (Kingma & Ba 2015, algorithm 1), right as it stands; each field makes a mistake."""

    betas: tuple[float, float] = (0.9, 0.999)
    correction: bool = True
    late: int = 0
    squared: bool = True
    root: bool = True
    divide: bool = True
    epsilon: float = 1e-8
    inside: bool = False
    sign: float = -1.0

    def __call__(self, weight: Tensor, gradient: Tensor, mean: Tensor, square: Tensor, step: int) -> State:
        """Return the weight and both averages, uncorrected, after the step."""
        first, second = self.betas
        mean = first * mean + (1 - first) * gradient
        square = second * square + (1 - second) * (gradient**2 if self.squared else gradient.abs())
        power = step + self.late
        unbiased = mean / (1 - first**power) if self.correction else mean
        spread = square / (1 - second**power) if self.correction else square
        return weight + self.sign * RATE * unbiased / self._below(spread), mean, square

    def _below(self, spread: Tensor) -> Tensor:
        if not self.divide:
            return torch.ones_like(spread)
        if self.inside:
            return (spread + self.epsilon).sqrt()
        return (spread.sqrt() if self.root else spread) + self.epsilon


USUAL: dict[str, Rule] = {
    "no correction": Adam(correction=False),
    "correction late": Adam(late=1),
    "correction early": Adam(late=-1),
    "no root": Adam(root=False),
    "uphill": Adam(sign=1.0),
    "not squared": Adam(squared=False),
    "momentum alone": Adam(divide=False),
    "no epsilon": Adam(epsilon=0.0),
    "epsilon inside": Adam(inside=True),
    "betas exchanged": Adam(betas=(0.999, 0.9)),
}


def _gradient(generator: torch.Generator) -> Tensor:
    """Draw a gradient of 9: three of usual size, three so small that epsilon's place shows, three of 0."""
    sizes = torch.tensor([1.0, 5e-4, 0.0]).repeat_interleave(3)
    signs = torch.randint(0, 2, (9,), generator=generator) * 2 - 1
    return sizes * signs * (0.5 + torch.rand(9, generator=generator))


def _walk(rule: Rule, seed: int, steps: int = 3) -> list[State] | None:
    """Return weight, mean and square after each of a few steps; None where a step returns something else."""
    generator = draws(seed, 71)
    weight = torch.randn(9, generator=generator)
    state: State = weight, torch.zeros(9), torch.zeros(9)
    states = []
    for step in range(1, steps + 1):
        weight, mean, square = (part.float().clone() for part in state)  # gradients are float32, too
        returned = rule(weight, _gradient(generator), mean, square, step)
        try:
            weight, mean, square = (torch.as_tensor(part).detach().double().clone() for part in returned)
        except (TypeError, ValueError, RuntimeError):
            return None
        if not weight.shape == mean.shape == square.shape == (9,):
            return None
        state = weight, mean, square
        states.append(state)
    return states


def _same_weight(one: State, other: State) -> bool:
    # wide enough for epsilon added before the correction (the paper's second form), too narrow for the mistakes
    return torch.allclose(one[0], other[0], rtol=0, atol=5e-5, equal_nan=True)


def _same(some: list[State], others: list[State]) -> bool:
    return all(
        _same_weight(one, other)
        and all(torch.allclose(a, b, rtol=1e-3, atol=1e-14) for a, b in zip(one[1:], other[1:], strict=True))
        for one, other in zip(some, others, strict=True)
    )


def judge_adam_step(answer: Any, seed: int) -> str | None:
    """Three steps of Adam leave the weight and both averages as they should be."""
    if not callable(answer):
        return "no function"
    given, right = _walk(answer, seed), _walk(Adam(), seed)
    if given is None or right is None:
        return "not three"
    if _same(given, right):
        return None
    for mistake, rule in USUAL.items():
        if _same(given, _walk(rule, seed) or []):
            return mistake
    return "averages" if _same_weight(given[0], right[0]) else "other"


ADAM_STEP = Exercise(
    "adam_step",
    judge_adam_step,
    {
        "no function": "A function is wanted: adam_step(weight, gradient, mean, square, step).",
        "not three": "Three tensors of the weight's shape are wanted: the new weight, mean and square.",
        "no correction": "Both averages start at 0 and are too small at first: divide by 1 - beta ** step.",
        "correction late": "The correction is one step ahead: `step` is 1 at the first step.",
        "correction early": "At the first step your correction divides by 1 - 1: `step` counts from 1, not from 0.",
        "no root": "The square root is missing: the gradient is measured against its own size, not its square.",
        "uphill": "The weight goes up the slope; subtract the change.",
        "not squared": "The second average is of squared gradients.",
        "momentum alone": "That is momentum with a correction; Adam divides by the root of the second average.",
        "no epsilon": "A weight whose gradient has always been 0 comes out as nan: what keeps Adam from 0 / 0?",
        "epsilon inside": "Epsilon stands behind the root: under it, 1e-8 counts as much as a gradient of 1e-4.",
        "betas exchanged": "The betas are exchanged: the mean forgets faster than the mean square.",
        "averages": "The first weight is right; return the averages as they were before the correction.",
        "other": "Take it in three parts: both averages, both corrected, then the weight. Which part differs?",
    },
)


def judge_steps_per_run(answer: Any, seed: int) -> str | None:
    """Optimizer steps of a whole run; the last batch of an epoch may be smaller."""
    if not callable(answer):
        return "no function"
    draw = random.Random(seed)
    cases = [(14_000, 128, 15), (draw.randint(900, 999), 32, draw.randint(2, 9)), (640, 64, 3)]
    values = [answer(*case) for case in cases]
    try:
        given = [number(value) for value in values]
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
        "one batch short": by(lambda images, batch, epochs: (math.ceil(images / batch) - 1) * epochs),
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
        "one batch short": "One batch of every epoch is missing: how many are 640 images in batches of 64?",
        "one more": "Where the batches fill the epoch exactly, there is no smaller one behind them.",
        "other": "How many batches does one epoch have, and how many epochs are there?",
    },
)
