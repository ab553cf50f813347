"""Exercises of lab 5, second part: what chance alone can do, on so many test images."""

from math import comb, erfc, sqrt
from typing import Any

import torch
from torch import Tensor

from deepernets.analysis import statistics
from deepernets.course.exercises.judging import JudgedExercise as Exercise
from deepernets.course.exercises.numbers import close, draws, number


def _counts(seed: int) -> list[tuple[int, int]]:
    """Return right answers and images: a small test set, a larger one, and one without a mistake."""
    generator = draws(seed, 53)

    def between(low: int, high: int) -> int:
        return int(torch.randint(low, high, (), generator=generator))

    small, large = between(40, 90), between(400, 900)
    return [(small - between(6, 12), small), (large - between(60, 90), large), (small, small)]


def judge_binomial_interval(answer: Any, seed: int) -> str | None:
    """Wilson's interval of 95 %, on every count."""
    if not callable(answer):
        return "no function"
    for right, images in _counts(seed):
        try:
            low, high = (number(value) for value in answer(right, images))
        except (TypeError, ValueError, RuntimeError):
            return "not two numbers"
        mistake = _mistaken_interval(low, high, right, images)
        if mistake:
            return mistake
    return None


def _mistaken_interval(low: float, high: float, right: int, images: int) -> str | None:
    wilson = statistics.binomial_interval(right, images)
    if close(low, wilson.low) and close(high, wilson.high):
        return None
    usual = _usual_intervals(right, images)
    same = (name for name, ends in usual.items() if any(close(low, a) and close(high, b) for a, b in ends))
    return next(same, "order" if low > high else "other")


def _usual_intervals(right: int, images: int) -> dict[str, list[tuple[float, float]]]:
    """Return the intervals that usual mistakes give, by mistake."""
    z, share = statistics.Z95, right / images
    low, high = statistics.binomial_interval(right, images)
    shrink = 1 + z**2 / images
    middle, half = (low + high) / 2, (high - low) / 2
    variance = share * (1 - share)

    def around(centre: float, distance: float) -> tuple[float, float]:
        return centre - distance, centre + distance

    return {
        "order": [(high, low)],
        "percent": [(100 * low, 100 * high)],
        "images": [(images * low, images * high)],
        "middle and half width": [(middle, half)],
        "normal": [around(share, z * sqrt(variance / images))],
        "one sigma": [
            statistics.binomial_interval(right, images, z=1.0),
            around(middle, half / z),
            around(share, sqrt(variance / images)),
        ],
        "ninety": [statistics.binomial_interval(right, images, z=1.645)],
        "no division": [around(middle * shrink, half * shrink)],
        "centre": [around(share, half), around(share, half * shrink)],
        "no images": [around(share, z * sqrt(variance))],
        "no root": [around(share, z * variance / images)],
    }


BINOMIAL_INTERVAL = Exercise(
    "binomial_interval",
    judge_binomial_interval,
    {
        "no function": "A function is wanted: binomial_interval(right, images).",
        "not two numbers": "Return two numbers: the lower and the upper end.",
        "order": "The lower end comes first, then the upper one.",
        "percent": "The ends are shares between 0 and 1 here; percent are for showing.",
        "images": "Those are numbers of images; divide by all images to get shares.",
        "middle and half width": "Those are the middle and the half width: subtract and add to get the two ends.",
        "normal": "That is the normal interval, which takes the counted share for the true one. Where all images "
        "are right it has no width at all; Wilson's is wanted.",
        "one sigma": "That covers 68 times in 100: z is the half width of 95 %.",
        "ninety": "That z leaves 5 % out on each side, and so covers 90 %.",
        "no division": "One thing is left: the whole fraction is divided by 1 + z²/n.",
        "centre": "The half width is right; the middle is not the counted share, but drawn from it towards 1/2.",
        "no images": "More images must make it narrower: where does n enter?",
        "no root": "That is z variances, not z standard deviations: where is the root?",
        "other": "Work out p = right / images first, then middle and half width, term by term; z is 1.96.",
    },
)


def _rightness(counts: tuple[int, int, int, int], seed: int) -> tuple[Tensor, Tensor]:
    """Return which images two networks get right, shuffled; counts: both, only the one, only the other, none."""
    repeats = torch.tensor(counts)
    one = torch.tensor([True, True, False, False]).repeat_interleave(repeats)
    other = torch.tensor([True, False, True, False]).repeat_interleave(repeats)
    order = torch.randperm(len(one), generator=draws(seed, 55))
    return one[order], other[order]


def _comparisons(seed: int) -> list[tuple[int, int, int, int]]:
    """Return counts for two networks that differ, in both directions; that come out even; that agree on all."""
    few, extra, both, none = (
        int(torch.randint(low, high, (), generator=draws(seed, 56 + low))) for low, high in _RANGES
    )
    many = few + extra
    return [(both, few, many, none), (both, many, few, none), (both, few, few, none), (both, 0, 0, none)]


_RANGES = ((4, 7), (5, 8), (60, 90), (9, 14))


def judge_mcnemar(answer: Any, seed: int) -> str | None:
    """The two-sided p-value of the exact test, whichever of the two networks is better."""
    if not callable(answer):
        return "no function"
    for counts in _comparisons(seed):
        one, other = _rightness(counts, seed)
        try:
            returned = answer(one.clone(), other.clone())
        except (ValueError, ZeroDivisionError):
            if counts[1] + counts[2] > 0:
                raise
            return "nothing between them"
        try:
            p_value = number(returned)
        except (TypeError, ValueError, RuntimeError):
            return "no number"
        if not close(p_value, statistics.mcnemar(one, other)):
            return _mistaken_test(p_value, counts)
    return None


def _mistaken_test(p_value: float, counts: tuple[int, int, int, int]) -> str:
    only_one, only_other = counts[1:3]
    if only_one == only_other:
        return "above one" if p_value > 1 else "nothing between them" if only_one == 0 else "other"
    usual = _usual_tests(*counts)
    same = (name for name, wrong in usual.items() if any(close(p_value, value) for value in wrong))
    return next(same, "other")


def _tail(heads: int, tosses: int) -> float:
    """Return the chance of at most so many heads in so many tosses of a fair coin."""
    return sum(comb(tosses, count) for count in range(heads + 1)) / 2**tosses


def _fisher(hits: tuple[int, int], images: int) -> float:
    """Return Fisher's p-value for hits on two test sets of so many images each."""
    ways = [comb(images, first) * comb(images, sum(hits) - first) for first in range(sum(hits) + 1)]
    return sum(way for way in ways if way <= ways[hits[0]]) / sum(ways)


def _chi_squared(difference: float, squared_scale: float) -> float:
    """Return the p-value of a squared difference on one degree of freedom."""
    return erfc(sqrt(difference**2 / squared_scale / 2))


def _usual_tests(both: int, only_one: int, only_other: int, none: int) -> dict[str, list[float]]:
    """Return the numbers that usual mistakes give, by mistake."""
    images, apart = both + only_one + only_other + none, only_one + only_other
    fewer, more = sorted((only_one, only_other))
    hits = both + only_one, both + only_other
    pooled = sum(hits) * (2 * images - sum(hits)) / (2 * images)  # of two shares on different images
    exactly = comb(apart, fewer) / 2**apart
    corrections = (0, 0.5, 1)  # for steps of one image: Yates takes half of one off on each of two counts
    return {
        "counts": [only_one, only_other, apart, more - fewer],
        "complement": [1 - 2 * _tail(fewer, apart)],
        "one-sided": [_tail(fewer, apart), _tail(more, apart)],
        "one count": [exactly, 2 * exactly],
        "all images": [scale * _tail(count, images) for count in (fewer, more) for scale in (1, 2)],
        "unpaired": [
            _fisher(hits, images),
            *(_chi_squared(more - fewer - off, pooled) for off in corrections),
        ],
        "approximate": [_chi_squared(more - fewer - off, apart) for off in corrections],
    }


MCNEMAR = Exercise(
    "mcnemar",
    judge_mcnemar,
    {
        "no function": "A function is wanted: mcnemar(one_right, other_right).",
        "no number": "One number is wanted: the p-value.",
        "counts": "That is a count of images; how surprising is it, were it a toss of a fair coin for each?",
        "complement": "That is 1 - p: p is small where the difference is hard to put down to chance.",
        "one-sided": "That is one side only. Which network would be better was not known: count both sides.",
        "one count": "That is the chance of exactly this count; add those of all counts that are further out.",
        "all images": "Images that both get right, or both wrong, tell nothing apart: how many tosses remain?",
        "unpaired": "That test takes the two for results on different images; here the images are the same.",
        "approximate": "That is the chi-squared approximation; with few images take the binomial distribution.",
        "above one": "No probability is above 1: where the two come out even, the sides overlap.",
        "nothing between them": "What if no image tells the two apart? Then nothing speaks against equal networks.",
        "other": "Count the images that only the one gets right, and only the other; compare with a fair coin.",
    },
)
