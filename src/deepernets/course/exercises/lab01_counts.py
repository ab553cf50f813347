"""Exercises of lab 1, second part: what stacked convolutions cost."""

import random
from collections.abc import Callable
from typing import Any

from deepernets.course.checks import Exercise
from deepernets.course.exercises.numbers import nearest, number


def judge_extra_share(answer: Any, seed: int) -> str | None:
    """49C² / 27C² - 1."""
    try:
        share = number(answer)
    except (TypeError, ValueError, RuntimeError):
        return "no number"
    usual = {
        "ratio": 49 / 27,
        "of the larger": 22 / 49,
        "upside down": 27 / 49,
        "difference": 22.0,
        "kernels": 7 / 9,
        "one layer": 49 / 9 - 1,
    }
    right = 49 / 27 - 1
    if nearest(share / 100, right, {}, otherwise="other") is None:  # 81 as well as 81.48
        return "percent"
    return nearest(share, right, usual, otherwise="other")


EXTRA_SHARE = Exercise(
    "extra_share",
    judge_extra_share,
    {
        "no number": "A number is wanted, such as 0.5 for half as many again.",
        "ratio": "That is how many times as many; how many *more* is one less.",
        "percent": "That is in per cent; a share is wanted, such as 0.5 for 50 %.",
        "of the larger": "That is the saving against the 7×7 layer; the three 3×3 layers are the measure.",
        "upside down": "That is the three layers against the one; the one against the three is wanted.",
        "difference": "That is the difference in units of C²; divide it by what the three layers have.",
        "kernels": "Those are sides of kernels; weights go with their area.",
        "one layer": "There are three 3×3 layers, not one.",
        "other": "One 7×7 layer has 49C² weights, three 3×3 layers 27C²: how many more, as a share of 27C²?",
    },
)


def judge_stack_parameters(answer: Any, seed: int) -> str | None:
    """Parameters of a stack: layers · (kernel² · channels² + channels)."""
    if not callable(answer):
        return "no function"
    draw = random.Random(seed)
    cases = [(3, 64, 3), (7, 64, 1), (draw.choice((1, 3, 5)), draw.randint(5, 99), draw.randint(2, 6))]
    results = [answer(*case) for case in cases]
    try:
        given = [number(result) for result in results]
    except (TypeError, ValueError, RuntimeError):
        return "no number"

    def by(rule: Callable[[int, int, int], int]) -> list[int]:
        return [rule(*case) for case in cases]

    usual = {
        "no biases": by(lambda k, c, n: n * k**2 * c**2),
        "one bias each": by(lambda k, c, n: n * (k**2 * c**2 + 1)),
        "biases once": by(lambda k, c, n: n * k**2 * c**2 + c),
        "one layer": by(lambda k, c, n: k**2 * c**2 + c),
        "channels once": by(lambda k, c, n: n * (k**2 * c + c)),
        "kernel once": by(lambda k, c, n: n * (k * c**2 + c)),
        "bias per kernel": by(lambda k, c, n: n * (k**2 * c**2 + c**2)),
    }
    if given == by(lambda k, c, n: n * (k**2 * c**2 + c)):
        return None
    return next((mistake for mistake, wrong in usual.items() if given == wrong), "other")


STACK_PARAMETERS = Exercise(
    "stack_parameters",
    judge_stack_parameters,
    {
        "no function": "A function is wanted: stack_parameters(kernel, channels, layers).",
        "no number": "A number is wanted: how many parameters all layers have together.",
        "no biases": "The weights are right; each output channel has a bias, too.",
        "one bias each": "Each layer has not one bias but one per output channel.",
        "biases once": "The biases are counted once for the whole stack; every layer has its own.",
        "one layer": "That is one layer; there are `layers` of them.",
        "channels once": "Each kernel reaches through all input channels: channels in times channels out.",
        "kernel once": "A kernel is as wide as it is high: kernel squared.",
        "bias per kernel": "There is one bias per output channel, not one per pair of channels.",
        "other": "Per layer: kernel² weights for each pair of an input and an output channel, and the biases.",
    },
)
