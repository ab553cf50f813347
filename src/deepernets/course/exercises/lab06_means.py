"""Exercises of lab 6, fifth part: the last epoch, from means over all epochs so far."""

from typing import Any, NamedTuple

import torch

from deepernets.analysis.baselines import right_in_last_epoch
from deepernets.course.exercises.judging import JudgedExercise as Exercise
from deepernets.course.exercises.numbers import close, draws, number

IMAGES = 10_000


class Case(NamedTuple):
    """What the student's function is called with."""

    before: float
    after: float
    epochs: int
    images: int


def _cases(seed: int) -> list[Case]:
    """Return means of networks that improve: counts of right answers, printed to five decimals of a per cent."""
    generator = draws(seed, 65)
    cases = []
    for epochs in torch.randint(5, 60, (3,), generator=generator).tolist():
        counts = torch.randint(8_000, IMAGES, (epochs,), generator=generator).sort().values
        before = round(100 * int(counts[:-1].sum()) / (IMAGES * (epochs - 1)), 5)
        after = round(100 * int(counts.sum()) / (IMAGES * epochs), 5)
        cases.append(Case(before, after, epochs, IMAGES))
    return cases


def judge_right_in_last_epoch(answer: Any, seed: int) -> str | None:
    """The right answers of all epochs less those of all epochs but the last, as whole numbers."""
    if not callable(answer):
        return "no function"
    cases = _cases(seed)
    try:
        values = [number(answer(*case)) for case in cases]
    except (TypeError, ValueError, RuntimeError):
        return "no number"
    right = [float(right_in_last_epoch(*case)) for case in cases]
    if values == right:
        return None
    if all(abs(value - count) <= 1 for value, count in zip(values, right, strict=True)):
        return "cut off" if all(map(float.is_integer, values)) else "not whole"
    usual = {
        "percent": [100 * count / IMAGES for count in right],
        "share": [count / IMAGES for count in right],
        "sign": [-count for count in right],
        "hundredfold": [100 * count for count in right],
        "difference of means": [(c.after - c.before) / 100 * IMAGES for c in cases],
        "mean": [c.after / 100 * IMAGES for c in cases],
        "all epochs": [c.after / 100 * IMAGES * c.epochs for c in cases],
        "as many epochs": [(c.after - c.before) / 100 * IMAGES * c.epochs for c in cases],
        "an epoch too many": [(c.after * (c.epochs + 1) - c.before * c.epochs) / 100 * IMAGES for c in cases],
    }
    return next((name for name, wrong in usual.items() if all(map(close, values, wrong))), "other")


RIGHT_IN_LAST_EPOCH = Exercise(
    "right_in_last_epoch",
    judge_right_in_last_epoch,
    {
        "no function": "Expected a function: right_in_last_epoch(before, after, epochs, images).",
        "no number": "Return one number: how many images were right in the last epoch.",
        "percent": "That is the last epoch's accuracy in per cent; return the count of images.",
        "share": "That is the last epoch's accuracy as a share; return the count of images.",
        "sign": "The size is right and the sign is not: which of the two means has more right answers behind it?",
        "hundredfold": "A hundred times too many: the means are in per cent.",
        "difference of means": "You took the difference of the two means. They are over different numbers of "
        "answers, so turn each into a count first.",
        "mean": "That is the mean over all epochs again; which part of it belongs to the last one?",
        "all epochs": "Those are the right answers of all epochs; how many of them came before the last one?",
        "as many epochs": "You multiplied both means by the same number of epochs; over how many is the first?",
        "an epoch too many": "Each mean was multiplied by one epoch too many: `after` is over `epochs` epochs.",
        "not whole": "The value is right but for the rounding of the means: a count of images is a whole number.",
        "cut off": "Off by one image here or there: cutting off the decimals is not rounding.",
        "other": "A mean in per cent, times the answers it is over, is a count of right answers. How many answers "
        "is each mean over?",
    },
)
