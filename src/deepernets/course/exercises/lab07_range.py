"""Exercises of lab 7, first part: the range test's rates, its smoothed losses, and the rate it suggests."""

import math
import random
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import numpy as np
from torch import Tensor

from deepernets.course.exercises.judging import JudgedExercise as Exercise
from deepernets.course.exercises.numbers import number

LONGEST = 1000  # numbers of an answer that are looked at; it may be a generator without an end


def numbers(values: Any) -> list[float] | None:
    """Return a sequence of numbers as a list of floats; None where it is none."""
    try:
        plain = values.tolist() if isinstance(values, Tensor | np.ndarray) else values
        return [number(value) for value in islice(plain, LONGEST)]
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return None


def alike(given: Iterable[float], right: Iterable[float]) -> bool:
    """Say whether two lists are as long as each other and agree to a thousandth."""
    ours, theirs = list(given), list(right)
    return len(ours) == len(theirs) and all(
        math.isclose(value, other, rel_tol=1e-3, abs_tol=1e-9)
        for value, other in zip(ours, theirs, strict=True)
    )


def judge_rising_rates(answer: Any, seed: int) -> str | None:
    """Rates that rise by the same factor from the lowest to the highest."""
    if not callable(answer):
        return "no function"
    draw = random.Random(seed)
    low, high, steps = 10 ** -draw.uniform(4, 6), draw.uniform(1, 9), draw.randint(7, 15)
    given = numbers(answer(low, high, steps))
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
    if alike(given, right):
        return None
    return next((mistake for mistake, wrong in usual.items() if alike(given, wrong)), "other")


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
        "other": "Is each rate the same factor higher than the one before, from `low` to `high`, both included?",
    },
)


def _losses(draw: random.Random) -> list[float]:
    """Draw losses as of a range test: noisy, falling, then rising."""
    return [2.3 - 1.5 * math.exp(-(((step - 14) / 6) ** 2)) + draw.uniform(-0.3, 0.3) for step in range(20)]


def _averages(
    losses: list[float], keep: float, correct: Callable[[int], float], start: float = 0.0
) -> list[float]:
    average, smooth = start, []
    for step, loss in enumerate(losses, start=1):
        average = keep * average + (1 - keep) * loss
        smooth.append(average / correct(step))
    return smooth


def judge_smooth(answer: Any, seed: int) -> str | None:
    """Exponential moving average, divided by 1 - keep^step."""
    if not callable(answer):
        return "no function"
    draw = random.Random(seed)
    losses, keep = _losses(draw), draw.choice((0.7, 0.8, 0.85, 0.95))  # not the 0.9 of the lab
    given = numbers(answer(list(losses), keep))
    if given is None:
        return "no list"
    new = 1 - keep
    right = _averages(losses, keep, lambda step: 1 - keep**step)
    usual = {
        "not corrected": _averages(losses, keep, lambda step: 1.0),
        "first loss": _averages(losses, keep, lambda step: 1.0, start=losses[0]),
        "exchanged": _averages(losses, new, lambda step: 1 - new**step),
        "exchanged, not corrected": _averages(losses, new, lambda step: 1.0),
        "step too late": _averages(losses, keep, lambda step: 1 - keep ** (step + 1)),
        "corrected alike": _averages(losses, keep, lambda step: 1 - keep),
        "wrong share": _averages(losses, keep, lambda step: 1 - new**step),
        "always 0.9": _averages(losses, 0.9, lambda step: 1 - 0.9**step),
        "as they were": losses,
        "mean so far": [sum(losses[: n + 1]) / (n + 1) for n in range(len(losses))],
        "last alone": right[-1:],
    }
    if alike(given, right):
        return None
    return next((mistake for mistake, wrong in usual.items() if alike(given, wrong)), "other")


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
        "corrected alike": "You divide by the same number at every step; the start weighs less and less.",
        "wrong share": "What the start still weighs after n losses is keep to the power of n.",
        "always 0.9": "That is right for 0.9 alone; the function is given `keep`.",
        "as they were": "Those are the losses themselves; nothing was smoothed.",
        "mean so far": "That is the mean of all losses so far, in which old ones never fade.",
        "last alone": "That is the last average alone; one for each loss is wanted.",
        "other": "What is the first average, before and after the correction? The second builds on the former.",
    },
)


def judge_suggest_rate(answer: Any, seed: int) -> str | None:
    """A third of the rate at which the smoothed losses are lowest."""
    if not callable(answer):
        return "no function"
    draw = random.Random(seed)
    count, lowest = draw.randint(34, 40), draw.randint(24, 28)
    rates = [10 ** (-5 + 6 * step / (count - 1)) for step in range(count)]
    losses = [
        1.1 - 0.6 * math.exp(-(((step - lowest) / 9) ** 2)) + max(0, step - lowest) ** 2 / 40
        for step in range(count)
    ]
    value = answer(np.array(rates), np.array(losses))
    try:
        given = number(value)
    except (TypeError, ValueError, RuntimeError):
        return "no number"
    again = _averages(losses, 0.9, lambda step: 1 - 0.9**step)
    drop = min(range(1, count), key=lambda step: losses[step] - losses[step - 1])
    usual = {
        "the edge": rates[lowest],
        "position": lowest,
        "a third of the position": lowest / 3,
        "a third of the way": rates[lowest // 3],
        "the loss": losses[lowest],
        "a third of the loss": losses[lowest] / 3,
        "highest loss": rates[losses.index(max(losses))] / 3,
        "highest rate": rates[-1] / 3,
        "lowest rate": rates[0] / 3,
        "times three": rates[lowest] * 3,
        "smoothed again": rates[again.index(min(again))] / 3,
        "steepest": rates[drop],
    }
    if alike([given], [rates[lowest] / 3]):
        return None
    return next((mistake for mistake, wrong in usual.items() if alike([given], [wrong])), "other")


SUGGEST_RATE = Exercise(
    "suggest_rate",
    judge_suggest_rate,
    {
        "no function": "A function is wanted: suggest_rate(rates, losses).",
        "no number": "One number is wanted: the rate to train with.",
        "the edge": "There the loss is about to rise: that is the edge. Stay well below it.",
        "position": "That is a position in the list; which rate stands there?",
        "a third of the position": "That is a third of a position in the list; which rate stands there?",
        "a third of the way": "That is a third of the way along the list; a third of the rate is meant.",
        "the loss": "That is the lowest loss; which rate had it?",
        "a third of the loss": "That is a share of the lowest loss; of which rate should it be?",
        "highest loss": "You looked for the highest loss.",
        "highest rate": "That has nothing to do with the losses: the last rate is merely where the test ended.",
        "lowest rate": "You took the lowest of the rates; the lowest of the losses is meant.",
        "times three": "Three times that rate is beyond the edge: go the other way.",
        "smoothed again": "The losses that you are given are smooth already; smoothed twice, they lag twice.",
        "steepest": "That is where the loss falls fastest, a rule that others use; here we go by its lowest point.",
        "other": "Where in the list is the lowest loss, and which rate has the same position?",
    },
)
