"""Exercises of lab 10: make it fast."""

import random
import statistics
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from deepernets.course.exercises.judging import JudgedExercise as Exercise
from deepernets.course.exercises.lab10_processes import AVERAGED, SHARD
from deepernets.course.exercises.lab10_whitening import WHITENING
from deepernets.course.exercises.numbers import close, draws, number


class _Stopwatch:
    """A clock that only moves when the timed function is called: first slowly, then steadily, with one hiccup."""

    def __init__(self, seed: int) -> None:
        draw = random.Random(seed)
        self.costs = [9.0, 7.0, 5.0] + [1.0 + 0.1 * draw.random() for _ in range(40)]
        self.costs[5] = 30.0  # something else needed the machine
        self.now, self.calls = 100.0, 0

    def read(self) -> float:
        """Return the time in seconds."""
        return self.now

    def work(self) -> None:
        """Take the time that this call takes."""
        self.now += self.costs[min(self.calls, len(self.costs) - 1)]
        self.calls += 1


def judge_median_seconds(answer: Any, seed: int) -> str | None:
    """The median of `repeats` timed calls, after `warm_up` calls that do not count."""
    if not callable(answer):
        return "no function"
    watch = _Stopwatch(seed)
    warm_up, repeats = 3, 7
    try:
        given = number(answer(watch.work, watch.read, warm_up, repeats))
    except (TypeError, ValueError, RuntimeError):
        return "no number"
    costs = watch.costs
    timed, early = costs[warm_up : warm_up + repeats], costs[:repeats]
    if close(given, statistics.median(timed)):
        return None if watch.calls == warm_up + repeats else "calls"
    usual = {
        "mean": statistics.mean(timed),
        "minimum": min(timed),
        "total": sum(timed),
        "no warm-up": statistics.median(early),
        "mean without warm-up": statistics.mean(early),
        "warm-up counted": statistics.median(costs[: warm_up + repeats]),
        "last call": timed[-1],
        "per second": 1 / statistics.median(timed),
    }
    return next((mistake for mistake, wrong in usual.items() if close(given, wrong)), "other")


MEDIAN_SECONDS = Exercise(
    "median_seconds",
    judge_median_seconds,
    {
        "no function": "A function is wanted: median_seconds(work, clock, warm_up, repeats).",
        "no number": "A number is wanted: seconds for one call.",
        "calls": "The result is right, but work() was not called warm_up + repeats times.",
        "mean": "One hiccup moves the mean; the median does not mind it.",
        "minimum": "That is the fastest call; how long does a usual one take?",
        "total": "That is the time of all calls together.",
        "no warm-up": "The first calls are slow, and they are among your times: call work() first without timing.",
        "mean without warm-up": "Two things: the first calls must not count, and a hiccup moves the mean.",
        "warm-up counted": "The warm-up calls are among the times; they must not count.",
        "last call": "That is the last call alone; take the median of all timed calls.",
        "per second": "That is calls per second; seconds per call are wanted.",
        "other": "warm_up calls; then for each repeat clock(), work(), clock(); the median of the differences.",
    },
)


def judge_flipped(answer: Any, seed: int) -> str | None:
    """Those images mirrored left to right whose flip is True."""
    if not callable(answer):
        return "no function"
    generator = draws(seed, 101)
    images = torch.randn(6, 3, 4, 5, generator=generator)
    flips = torch.tensor([True, False, False, True, True, False])[torch.randperm(6, generator=generator)]
    before = images.clone()
    given = answer(images, flips.clone())
    if not torch.equal(images, before):
        return "in place"
    if not isinstance(given, Tensor):
        return "no tensor"

    def where(changed: Tensor, choice: Tensor = flips) -> Tensor:
        return torch.where(choice[:, None, None, None], changed, before)

    right = where(before.flip(3))
    usual: dict[str, Callable[[], Tensor]] = {
        "all alike": lambda: before.flip(3),
        "none": lambda: before,
        "the others": lambda: where(before.flip(3), ~flips),
        "upside down": lambda: where(before.flip(2)),
        "both ways": lambda: where(before.flip((2, 3))),
        "colours": lambda: where(before.flip(1)),
        "batch": lambda: where(before.flip(0)),
        "some missing": lambda: before[flips].flip(3),
    }
    if given.shape == right.shape and torch.allclose(given, right):
        return None
    return next(
        (
            name
            for name, wrong in usual.items()
            if given.shape == wrong().shape and torch.allclose(given, wrong())
        ),
        "other",
    )


FLIPPED = Exercise(
    "flipped",
    judge_flipped,
    {
        "no function": "A function is wanted: flipped(images, flips).",
        "no tensor": "Return the batch, a tensor (N, C, H, W).",
        "in place": "The images themselves have changed; the next epoch would start from mirrored ones.",
        "all alike": "All images are mirrored; each has a flip of its own.",
        "none": "No image is mirrored.",
        "the others": "Mirrored are those whose flip is False.",
        "upside down": "They stand on their heads: the width is the last dimension.",
        "both ways": "They are turned by half a turn: only the last dimension is reversed.",
        "colours": "Red and blue are exchanged: the width is the last dimension.",
        "batch": "The batch is reversed, so that images no longer belong to their labels.",
        "some missing": "Only the mirrored images are left; all must come back, in their places.",
        "other": "images.flip(3) mirrors all of them; torch.where chooses, with flips[:, None, None, None].",
    },
)


def judge_overall_speedup(answer: Any, seed: int) -> str | None:
    """Amdahl's law: 1 / ((1 - share) + share / factor)."""
    if not callable(answer):
        return "no function"
    draw = random.Random(seed)
    cases = [(0.8, 4.0), (draw.uniform(0.2, 0.45), draw.uniform(3, 9))]
    try:
        given = [number(answer(*case)) for case in cases]
    except (TypeError, ValueError, RuntimeError):
        return "no number"
    rules: dict[str, Callable[[float, float], float]] = {
        "time left": lambda s, f: (1 - s) + s / f,
        "multiplied": lambda s, f: 1 / ((1 - s) + s * f),
        "exchanged": lambda s, f: 1 / (s + (1 - s) / f),
        "weighted": lambda s, f: (1 - s) + s * f,
        "factor": lambda s, f: f,
        "share of the factor": lambda s, f: s * f,
        "rest forgotten": lambda s, f: f / s,
        "saving": lambda s, f: s - s / f,
    }

    def alike(rule: Callable[[float, float], float]) -> bool:
        return all(close(value, rule(*case)) for value, case in zip(given, cases, strict=True))

    if alike(lambda s, f: 1 / ((1 - s) + s / f)):
        return None
    return next((mistake for mistake, rule in rules.items() if alike(rule)), "other")


OVERALL_SPEEDUP = Exercise(
    "overall_speedup",
    judge_overall_speedup,
    {
        "no function": "A function is wanted: overall_speedup(share, factor).",
        "no number": "A number is wanted: how many times as fast the whole becomes.",
        "time left": "That is the time that is left; how many times as fast is one divided by it.",
        "multiplied": "What becomes faster takes less time: divide its share by the factor.",
        "exchanged": "It is the share that becomes faster, not the rest.",
        "weighted": "Times add up, speeds do not: add what each part takes, then take the inverse.",
        "factor": "Only a share becomes faster by that; the rest takes as long as before.",
        "share of the factor": "Times add up: the rest, and the share divided by the factor.",
        "rest forgotten": "The rest takes as long as before, and it is missing.",
        "saving": "That is the share of time that is saved; the whole's speed against before is wanted.",
        "other": "New time: (1 - share) + share / factor of the old one; the speed-up is its inverse.",
    },
)

EXERCISES = (MEDIAN_SECONDS, FLIPPED, OVERALL_SPEEDUP, SHARD, AVERAGED, WHITENING)
