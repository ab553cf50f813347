"""Exercises of lab 7: learning rates."""

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor

from deepernets.course.checks import Exercise
from deepernets.course.exercises.lab07_steps import ADAM_STEP, STEPS_PER_RUN
from deepernets.course.exercises.numbers import close, number


def _numbers(values: Any) -> list[float] | None:
    """Return a sequence of numbers as a list of floats; None where it is none."""
    try:
        return [
            number(value)
            for value in (values.tolist() if isinstance(values, Tensor | np.ndarray) else values)
        ]
    except (TypeError, ValueError, RuntimeError):
        return None


def _alike(given: list[float], right: list[float]) -> bool:
    return len(given) == len(right) and all(
        math.isclose(value, other, rel_tol=1e-3, abs_tol=1e-9)
        for value, other in zip(given, right, strict=True)
    )


def judge_rising_rates(answer: Any, seed: int) -> str | None:
    """Rates that rise by the same factor from the lowest to the highest."""
    if not callable(answer):
        return "no function"
    draw = random.Random(seed)
    low, high, steps = 10 ** -draw.uniform(4, 6), draw.uniform(1, 9), draw.randint(7, 15)
    given = _numbers(answer(low, high, steps))
    if given is None:
        return "no list"
    ratio = high / low

    def by(rule: Callable[[int], float], count: int = steps) -> list[float]:
        return [rule(step) for step in range(count)]

    right = by(lambda step: low * ratio ** (step / (steps - 1)))
    usual = {
        "linear": by(lambda step: low + (high - low) * step / (steps - 1)),
        "stops short": by(lambda step: low * ratio ** (step / steps)),
        "starts late": by(lambda step: low * ratio ** ((step + 1) / steps)),
        "one too many": by(lambda step: low * ratio ** (step / steps), steps + 1),
        "exponents": by(lambda step: math.log10(low) + math.log10(ratio) * step / (steps - 1)),
        "falling": right[::-1],
    }
    if _alike(given, right):
        return None
    return next((mistake for mistake, wrong in usual.items() if _alike(given, wrong)), "other")


RISING_RATES = Exercise(
    "rising_rates",
    judge_rising_rates,
    {
        "no function": "A function is wanted: rising_rates(low, high, steps).",
        "no list": "A list of numbers is wanted, one rate per step.",
        "linear": "They rise by the same amount each step; they must rise by the same factor.",
        "stops short": "The last rate is not `high`: between n rates there are n - 1 gaps.",
        "starts late": "The first rate is not `low`: the first step has number 0.",
        "one too many": "That is one rate too many: both ends count among the steps.",
        "exponents": "Those are the powers of ten; the rates are ten to that power.",
        "falling": "They fall; start with the lowest.",
        "other": "low · (high / low) ** x, where x runs evenly from 0 at the first step to 1 at the last.",
    },
)


def _losses(seed: int) -> list[float]:
    """Draw losses as of a range test: noisy, falling, then rising."""
    draw = random.Random(seed)
    return [2.3 - 1.5 * math.exp(-(((step - 14) / 6) ** 2)) + draw.uniform(-0.3, 0.3) for step in range(20)]


def judge_smooth(answer: Any, seed: int) -> str | None:
    """Exponential moving average with keep 0.9, divided by 1 - 0.9^step."""
    if not callable(answer):
        return "no function"
    losses, keep = _losses(seed), 0.9
    given = _numbers(answer(list(losses), keep))
    if given is None:
        return "no list"

    def averages(new: float, correct: Callable[[int], float], start: float = 0.0) -> list[float]:
        average, smooth = start, []
        for step, loss in enumerate(losses, start=1):
            average = (1 - new) * average + new * loss
            smooth.append(average / correct(step))
        return smooth

    new = 1 - keep
    right = averages(new, lambda step: 1 - keep**step)
    usual = {
        "not corrected": averages(new, lambda step: 1.0),
        "first loss": averages(new, lambda step: 1.0, start=losses[0]),
        "exchanged": averages(keep, lambda step: 1 - new**step),
        "exchanged, not corrected": averages(keep, lambda step: 1.0),
        "step too late": averages(new, lambda step: 1 - keep ** (step + 1)),
        "wrong share": averages(new, lambda step: 1 - new**step),
        "as they were": losses,
        "mean so far": [sum(losses[: n + 1]) / (n + 1) for n in range(len(losses))],
    }
    if _alike(given, right):
        return None
    return next((mistake for mistake, wrong in usual.items() if _alike(given, wrong)), "other")


SMOOTH_LOSSES = Exercise(
    "smooth_losses",
    judge_smooth,
    {
        "no function": "A function is wanted: smooth_losses(losses, keep).",
        "no list": "A list of numbers is wanted, as long as the losses.",
        "not corrected": "The averages start far too low: they still hold a share of the 0 at the start.",
        "first loss": "Started with the first loss, the average trusts it too much; start at 0 and correct for it.",
        "exchanged": "The weights are exchanged: `keep` is for the average so far, the rest for the new loss.",
        "exchanged, not corrected": "`keep` weighs the average so far; and the correction is missing.",
        "step too late": "The correction is one step too far: at the first loss it divides by 1 - keep.",
        "wrong share": "What the start still weighs after n losses is keep to the power of n.",
        "as they were": "Those are the losses themselves; nothing was smoothed.",
        "mean so far": "That is the mean of all losses so far, in which old ones never fade.",
        "other": "average = keep · average + (1 - keep) · loss; then divide by 1 - keep ** n for the n-th loss.",
    },
)

ANGLES = [0.0, 0.1, 0.25, 0.4, 0.5, 0.75, 0.9, 1.0]


def judge_cosine_with_warm_up(answer: Any, seed: int) -> str | None:
    """A straight line up to 1 at `peak`, then half a cosine down to 0."""
    if not callable(answer):
        return "no function"
    peak = random.Random(seed).choice((0.2, 0.3, 0.35))
    given = [_number(answer(progress, peak)) for progress in ANGLES]
    if any(math.isnan(value) for value in given):
        return "no number"

    def by(
        fall: Callable[[float], float], rise: Callable[[float], float] = lambda p: p / peak
    ) -> list[float]:
        return [rise(p) if p < peak else fall((p - peak) / (1 - peak)) for p in ANGLES]

    def half_cosine(share: float) -> float:
        return (1 + math.cos(math.pi * share)) / 2

    right = by(half_cosine)
    usual = {
        "no warm-up": [half_cosine(p) for p in ANGLES],
        "no one": by(lambda share: math.cos(math.pi * share)),
        "not halved": by(lambda share: 1 + math.cos(math.pi * share)),
        "quarter": by(lambda share: math.cos(math.pi * share / 2)),
        "full turn": by(lambda share: (1 + math.cos(2 * math.pi * share)) / 2),
        "degrees": by(lambda share: (1 + math.cos(180 * share)) / 2),
        "linear": by(lambda share: 1 - share),
        "clock not reset": [p / peak if p < peak else half_cosine(p) for p in ANGLES],
        "not stretched": [p / peak if p < peak else half_cosine(p - peak) for p in ANGLES],
        "slow rise": by(half_cosine, rise=lambda p: p),
    }
    if all(map(close, given, right)):
        return None
    return next((mistake for mistake, wrong in usual.items() if all(map(close, given, wrong))), "other")


def _number(value: Any) -> float:
    try:
        return number(value)
    except (TypeError, ValueError, RuntimeError):
        return math.nan


COSINE_WITH_WARM_UP = Exercise(
    "cosine_with_warm_up",
    judge_cosine_with_warm_up,
    {
        "no function": "A function is wanted: cosine_with_warm_up(progress, peak).",
        "no number": "A number is wanted for every progress from 0 to 1, both included.",
        "no warm-up": "The fall is right; before `peak` it rises from 0 to 1 in a straight line.",
        "no one": "A cosine goes down to -1, a rate must not: add 1, then halve.",
        "not halved": "1 + cos starts at 2: halve it.",
        "quarter": "That is a quarter of a turn, which ends steeply; half a turn ends flat: (1 + cos(πx)) / 2.",
        "full turn": "The factor comes up again at the end: half a turn, π, not a whole one.",
        "degrees": "math.cos takes radians: half a turn is π.",
        "linear": "That falls in a straight line; half a cosine is flat at both ends.",
        "clock not reset": "At the peak the fall has not begun: measure its progress from `peak`.",
        "not stretched": "The fall does not arrive at 0: stretch what is left after `peak` to the length of 1.",
        "slow rise": "The rise does not arrive at 1: divide by `peak`.",
        "other": "Before `peak`: progress / peak. After it: half a cosine of (progress - peak) / (1 - peak).",
    },
)

EXERCISES = (RISING_RATES, SMOOTH_LOSSES, COSINE_WITH_WARM_UP, ADAM_STEP, STEPS_PER_RUN)
