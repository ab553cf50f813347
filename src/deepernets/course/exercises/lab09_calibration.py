"""Exercises of lab 9, third part: how far confidence can be believed."""

from functools import cache
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from deepernets.course.exercises.judging import JudgedExercise as Exercise
from deepernets.course.exercises.numbers import close, draws, number

TEN = 10
OTHER_NUMBERS = (5, 7, 8, 12)  # of bins, one of which is tried after ten
APART = 0.001  # by which a mistake must differ from the right result, and from other mistakes


def _draw(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return confidences (43,) and whether the answers were right: 0.9 and more is, under that about every other.

    No confidence lies at the edge of a bin, where rounding or the side that an edge belongs to would decide, but
    three are exactly 1, and two of these are wrong.
    """
    drawn = 0.35 + 0.65 * torch.rand(40, generator=generator)
    confidence = (2 * (drawn * 128).floor().clamp(max=127) + 1) / 256
    right = (torch.rand(40, generator=generator) < 0.55) | (confidence > 0.9)
    return torch.cat([confidence, torch.ones(3)]), torch.cat([right, torch.tensor([True, False, False])])


def _expected(confidence: Tensor, right: Tensor, bins: int, kind: str = "") -> float:
    """Return the calibration error, rightly or with one thing wrong."""
    scaled = confidence.double() * bins
    place = (scaled.round() if kind == "rounded" else scaled.floor()).long()
    if kind not in ("rounded", "one bin more", "last bin"):
        place = place.clamp(max=bins - 1)
    size = torch.bincount(place, minlength=bins + 1).double()
    gap = torch.bincount(place, right.double() - confidence.double(), minlength=bins + 1) / size.clamp(min=1)
    if kind == "last bin":
        gap[-1] = 0.0
    weighted = {
        "signed": gap * size,
        "squared": gap**2 * size,
        "unweighted": gap.abs(),
        "unweighted over all": gap.abs(),
    }.get(kind, gap.abs() * size)
    divisors = {"unweighted": int((size > 0).sum()), "unweighted over all": bins, "not divided": 1}
    return weighted.sum().item() / divisors.get(kind, len(confidence))


KINDS = (
    "signed",
    "squared",
    "unweighted",
    "unweighted over all",
    "not divided",
    "last bin",
    "one bin more",
    "rounded",
)


def _usual(confidence: Tensor, right: Tensor) -> dict[str, float]:
    usual = {kind: _expected(confidence, right, TEN, kind) for kind in KINDS}
    usual["one bin"] = abs(right.double().mean().item() - confidence.double().mean().item())
    usual["image by image"] = (right.double() - confidence).abs().mean().item()
    usual["percent"] = 100 * _expected(confidence, right, TEN)
    return usual


def _telling(confidence: Tensor, right: Tensor, other: int) -> bool:
    """Whether every mistake shows: bins next to each other whose gaps have one sign could be one bin."""
    wanted = _expected(confidence, right, TEN)
    usual = sorted([wanted, *_usual(confidence, right).values()])
    apart = all(above - below > APART for below, above in pairwise(usual))
    return apart and abs(wanted - _expected(confidence, right, other)) > APART


@cache
def _answers(seed: int) -> tuple[Tensor, Tensor, int]:
    """Return confidences, whether the answers were right, and a second number of bins; all mistakes show."""
    generator = draws(seed, 93)
    while True:
        confidence, right = _draw(generator)
        other = OTHER_NUMBERS[int(torch.randint(len(OTHER_NUMBERS), (), generator=generator))]
        if _telling(confidence, right, other):
            return confidence, right, other


def judge_calibration_error(answer: Any, seed: int) -> str | None:
    """The mean gap between confidence and accuracy over bins, weighted with their images; empty ones left out."""
    if not callable(answer):
        return "no function"
    confidence, right, other = _answers(seed)
    for bins in (TEN, other):
        returned = answer(confidence.clone(), right.clone(), bins)
        try:
            given = number(returned)
        except (TypeError, ValueError, RuntimeError):
            return "no number"
        if given != given:
            return "empty bins"
        if not close(given, _expected(confidence, right, bins)):
            if bins != TEN:
                return "always ten"
            usual = _usual(confidence, right)
            return next((mistake for mistake, wrong in usual.items() if close(given, wrong)), "other")
    return None


CALIBRATION_ERROR = Exercise(
    "calibration_error",
    judge_calibration_error,
    {
        "no function": "A function is wanted: calibration_error(confidence, right, bins).",
        "no number": "A number is wanted, between 0 and 1.",
        "empty bins": "The result is nan: a bin without images has no mean; leave it out.",
        "signed": "Gaps of different sign cancel; take their size, without the sign.",
        "squared": "The gaps are squared; their size is wanted.",
        "unweighted": "A bin with one image counts as much as one with twenty: weight each gap with its images.",
        "unweighted over all": "Weight each gap with its images, and divide by all images, not by the bins.",
        "not divided": "Divide by the number of images: a mean gap is wanted.",
        "last bin": "Images with a confidence of exactly 1 are in no bin of yours; where do they belong?",
        "one bin more": "Images with a confidence of exactly 1 have a bin of their own; they belong to the last.",
        "rounded": "Places are rounded to the nearest bin; a bin reaches from its lower edge up to the next.",
        "one bin": "That is the gap over all images at once: over- and underconfidence cancel. Use bins.",
        "image by image": "A single image is right or wrong: compare shares, in bins of like confidence.",
        "percent": "A share between 0 and 1 is wanted; percent are for showing.",
        "always ten": "Right with ten bins, and wrong with another number of them: where is `bins` used?",
        "other": "Take one bin by hand: its images, the two means, the size of their gap, and its weight.",
    },
)
