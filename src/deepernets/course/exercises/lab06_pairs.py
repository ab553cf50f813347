"""Exercises of lab 6, fourth part: which classes are mixed up most often."""

from collections.abc import Callable, Sequence
from itertools import count, islice
from typing import Any

import torch
from torch import Tensor

from deepernets.course.exercises.judging import JudgedExercise as Exercise
from deepernets.course.exercises.numbers import draws, number

CLASSES, MOST = 6, 3
Row = tuple[int, ...]


def _by(counts: Tensor, score: Callable[[int, int], float], places: Sequence[tuple[int, int]]) -> list[Row]:
    """Return the first rows (a, b, a taken for b, b taken for a) by falling `score`."""
    ranked = sorted(places, key=lambda place: -score(*place))[:MOST]
    return [(a, b, int(counts[a, b]), int(counts[b, a])) for a, b in ranked]


def _lists(counts: Tensor) -> dict[str, list[Row]]:
    """Return the right list, under "right", and those that the usual mistakes give."""
    upper = [(a, b) for a in range(CLASSES) for b in range(a + 1, CLASSES)]
    off = [(a, b) for a in range(CLASSES) for b in range(CLASSES) if a != b]

    def total(a: int, b: int) -> float:
        return float(counts[a, b] + counts[b, a])

    return {
        "right": _by(counts, total, upper),
        "twice": _by(counts, total, off),
        "one direction": _by(counts, lambda a, b: float(counts[a, b]), off),
        "upper half": _by(counts, lambda a, b: float(counts[a, b]), upper),
        "lower half": _by(counts, lambda a, b: float(counts[b, a]), upper),
        "ascending": _by(counts, lambda a, b: -total(a, b), upper),
    }


def _table(seed: int) -> Tensor:
    """Return a confusion matrix on which each usual mistake lists other pairs, and no two pairs are level."""
    for attempt in count():
        generator = draws(seed, 64 + 100 * attempt)
        counts = torch.randint(1, 60, (CLASSES, CLASSES), generator=generator)
        counts += torch.diag(torch.randint(200, 400, (CLASSES,), generator=generator))
        sums = (counts + counts.T)[torch.triu(torch.ones(CLASSES, CLASSES), diagonal=1) > 0]
        pairs = {name: {_sorted_row(row)[:2] for row in rows} for name, rows in _lists(counts).items()}
        right = pairs.pop("right")
        if (
            len(sums.unique()) == len(sums)
            and right not in pairs.values()
            and len(pairs["one direction"]) == MOST
        ):
            return counts
    raise AssertionError("unreachable")


def _sorted_row(row: Row) -> Row:
    """Return a row with the smaller class first; it says the same."""
    a, b, forth, back = row
    return row if a <= b else (b, a, back, forth)


def _rows(value: Any) -> list[Row] | None:
    """Return an answer as rows of four whole numbers, or None if it is none."""
    try:
        rows = [tuple(number(part) for part in islice(row, 5)) for row in islice(value, 100)]
        whole = [tuple(map(int, row)) for row in rows]
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return None
    return whole if whole == rows and all(len(row) == 4 for row in rows) else None


def judge_confused_pairs(answer: Any, seed: int) -> str | None:
    """The most frequent unordered pairs, both directions added, with the two counts."""
    if not callable(answer):
        return "no function"
    counts = _table(seed)
    rows = _rows(answer(counts.clone(), MOST))
    if rows is None:
        return "no rows"
    lists = {name: [_sorted_row(row) for row in rows] for name, rows in _lists(counts).items()}
    given = [_sorted_row(row) for row in rows]
    if given == lists["right"]:
        return None
    if any(a == b for a, b, _, _ in given):
        return "diagonal"
    if len(given) != MOST:
        return "length"
    if [(a, b, back, forth) for a, b, forth, back in given] == lists["right"]:
        return "columns"
    if len({row[:2] for row in given}) < len(given):
        return "twice"
    if sorted(given) == sorted(lists["right"]):
        return "order"
    halves = {"upper half": "one direction", "lower half": "one direction"}
    mistake = next((name for name, wrong in lists.items() if given == wrong), "other")
    return halves.get(mistake, mistake)


CONFUSED_PAIRS = Exercise(
    "confused_pairs",
    judge_confused_pairs,
    {
        "no function": "A function is wanted: confused_pairs(counts, most).",
        "no rows": "A list is wanted, with four whole numbers for each pair: a, b, a taken for b, b taken for a.",
        "diagonal": "A class is paired with itself: the diagonal holds the right answers.",
        "length": "As many pairs as `most` says are wanted, no more and no fewer.",
        "columns": "The pairs are right, their two counts are exchanged: the row is the true class.",
        "twice": "The same pair is listed twice, once from each side: visit only pairs with a < b.",
        "one direction": "One direction only: a pair counts as often as either is taken for the other.",
        "ascending": "Those are the least frequent pairs; the most frequent are wanted.",
        "order": "The right pairs, in another order: the most frequent first, both directions added.",
        "other": "For each a < b add the two cells off the diagonal that belong to the pair, and sort by the sum.",
    },
)
