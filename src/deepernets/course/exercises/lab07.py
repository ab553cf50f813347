"""Exercises of lab 7: learning rates."""

import math
import random
from collections.abc import Callable
from typing import Any

from deepernets.course.exercises.judging import JudgedExercise as Exercise
from deepernets.course.exercises.lab07_range import RISING_RATES, SMOOTH_LOSSES, SUGGEST_RATE
from deepernets.course.exercises.lab07_steps import ADAM_STEP, STEPS_PER_RUN
from deepernets.course.exercises.numbers import close, number

SHARES = [0.0, 0.1, 0.25, 0.4, 0.5, 0.75, 0.9, 1.0]


def _half_cosine(share: float) -> float:
    return (1 + math.cos(math.pi * share)) / 2


def _shape(
    peak: float, fall: Callable[[float], float], rise: Callable[[float], float] | None = None
) -> list[float]:
    """Return the factors of a schedule that rises before `peak`, and falls by the share of the rest after it."""
    return [
        ((rise or (lambda p: p / peak))(p) if p < peak else fall((p - peak) / (1 - peak))) for p in SHARES
    ]


def judge_cosine_with_warm_up(answer: Any, seed: int) -> str | None:
    """A straight line up to 1 at `peak`, then half a cosine down to 0."""
    if not callable(answer):
        return "no function"
    peak = random.Random(seed).choice((0.15, 0.2, 0.3, 0.35))
    values = [answer(progress, peak) for progress in SHARES]
    at_peak = answer(peak, peak)  # neither part may leave the joint out
    try:
        given, joint = [number(value) for value in values], number(at_peak)
    except (TypeError, ValueError, RuntimeError):
        return "no number"
    right = _shape(peak, _half_cosine)
    usual = {
        "no warm-up": [_half_cosine(p) for p in SHARES],
        "no one": _shape(peak, lambda share: math.cos(math.pi * share)),
        "not halved": _shape(peak, lambda share: 1 + math.cos(math.pi * share)),
        "quarter": _shape(peak, lambda share: math.cos(math.pi * share / 2)),
        "full turn": _shape(peak, lambda share: (1 + math.cos(2 * math.pi * share)) / 2),
        "degrees": _shape(peak, lambda share: (1 + math.cos(180 * share)) / 2),
        "linear": _shape(peak, lambda share: 1 - share),
        "clock not reset": [p / peak if p < peak else _half_cosine(p) for p in SHARES],
        "not stretched": [p / peak if p < peak else _half_cosine(p - peak) for p in SHARES],
        "slow rise": _shape(peak, _half_cosine, rise=lambda p: p),
        "starts at the peak": _shape(peak, _half_cosine, rise=lambda p: 1.0),
        "peak mirrored": [
            p / (1 - peak) if p < 1 - peak else _half_cosine((p - 1 + peak) / peak) for p in SHARES
        ],
        "per cent": _shape(peak, lambda share: _half_cosine(share / 100), rise=lambda p: p / peak / 100),
    }
    if all(map(close, given, right)):
        return None if close(joint, 1.0) else "joint"
    return next((mistake for mistake, wrong in usual.items() if all(map(close, given, wrong))), "other")


COSINE_WITH_WARM_UP = Exercise(
    "cosine_with_warm_up",
    judge_cosine_with_warm_up,
    {
        "no function": "A function is wanted: cosine_with_warm_up(progress, peak).",
        "no number": "A number is wanted for every progress from 0 to 1, both included.",
        "no warm-up": "The fall is right; before `peak` it rises from 0 to 1 in a straight line.",
        "no one": "A cosine goes down to -1, a rate must not: add 1, then halve.",
        "not halved": "1 + cos starts at 2: halve it.",
        "quarter": "That is a quarter of a turn, which ends steeply; half a turn ends flat: π, not π/2.",
        "full turn": "The factor comes up again at the end: half a turn, π, not a whole one.",
        "degrees": "math.cos takes radians: half a turn is π.",
        "linear": "That falls in a straight line; half a cosine is flat at both ends.",
        "clock not reset": "At the peak the fall has not begun: measure its progress from `peak`.",
        "not stretched": "The fall does not arrive at 0: stretch what is left after `peak` to the length of 1.",
        "slow rise": "The rise does not arrive at 1: at `peak`, which part of it is done?",
        "starts at the peak": "Before `peak` the factor is 1 already; it rises to that from 0.",
        "peak mirrored": "The highest factor comes too late: `peak` is counted from the start, not from the end.",
        "per cent": "`progress` is a share, from 0 to 1, and not in per cent.",
        "joint": "Exactly at `peak`, the factor is 1: neither part covers that point.",
        "other": "Which share of the rise is done before `peak`, and which share of the fall after it?",
    },
)

EXERCISES = (RISING_RATES, SMOOTH_LOSSES, SUGGEST_RATE, COSINE_WITH_WARM_UP, ADAM_STEP, STEPS_PER_RUN)
