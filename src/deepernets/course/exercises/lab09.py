"""Exercises of lab 9: looking inside."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from deepernets.course.checks import Exercise
from deepernets.course.exercises.lab09_lines import BETWEEN_WEIGHTS, PROJECTED
from deepernets.course.exercises.numbers import close, draws, number

Wrong = dict[str, Callable[[], Tensor]]


def _alike(given: Any, right: Tensor) -> bool:
    return (
        isinstance(given, Tensor) and given.shape == right.shape and torch.allclose(given, right, atol=1e-5)
    )


def _mistake(given: Any, usual: Wrong) -> str:
    return next((mistake for mistake, wrong in usual.items() if _alike(given, wrong())), "other")


def judge_heat_map(answer: Any, seed: int) -> str | None:
    """Grad-CAM: maps weighted with their mean gradients, summed over channels, without what is negative."""
    if not callable(answer):
        return "no function"
    generator = draws(seed, 91)
    maps = torch.randn(6, 4, 5, generator=generator)
    gradients = torch.randn(6, 4, 5, generator=generator)
    given = answer(maps.clone(), gradients.clone())
    if not isinstance(given, Tensor):
        return "no tensor"
    weights = gradients.mean(dim=(1, 2))[:, None, None]
    usual: Wrong = {
        "no relu": lambda: (weights * maps).sum(dim=0),
        "relu each": lambda: (weights * maps).relu().sum(dim=0),
        "relu of weights": lambda: (weights.relu() * maps).sum(dim=0),
        "not averaged": lambda: (gradients * maps).sum(dim=0).relu(),
        "maps alone": lambda: maps.sum(dim=0),
        "gradients alone": lambda: gradients.sum(dim=0).relu(),
        "over channels": lambda: (gradients.mean(dim=0, keepdim=True) * maps).sum(dim=0).relu(),
        "exchanged": lambda: (maps.mean(dim=(1, 2))[:, None, None] * gradients).sum(dim=0).relu(),
        "not summed": lambda: (weights * maps).relu(),
        "absolute": lambda: (weights * maps).sum(dim=0).abs(),
    }
    right = (weights * maps).sum(dim=0).relu()
    if isinstance(given, Tensor) and given.shape == right.shape:
        for factor in (1.0, float(gradients[0].numel()), 1 / len(maps), gradients[0].numel() / len(maps)):
            if _alike(given / factor, right):  # sums for means: the same picture
                return None
    return _mistake(given, usual)


HEAT_MAP = Exercise(
    "heat_map",
    judge_heat_map,
    {
        "no function": "A function is wanted: heat_map(maps, gradients).",
        "no tensor": "Return the heat map, a tensor (h, w).",
        "no relu": "What speaks against the class is still in it: a ReLU at the end.",
        "relu each": "The ReLU comes once, after the sum over channels: channels may speak against each other.",
        "relu of weights": "Channels with a negative weight belong to the sum; the ReLU comes after it.",
        "not averaged": "Each channel has one weight, the mean of its gradients over rows and columns.",
        "maps alone": "The maps are not weighted yet: how much does each channel matter for the class?",
        "gradients alone": "Those are gradients; they weight the maps.",
        "over channels": "The mean is over the wrong dimension: over rows and columns, one weight per channel.",
        "exchanged": "The mean of the gradients weights the maps, not the other way round.",
        "not summed": "One map per channel is left; sum them over the channels.",
        "absolute": "The sign matters: what speaks against the class is set to 0, not counted for it.",
        "other": "weights = gradients.mean over dims 1 and 2; then the weighted sum over channels; then ReLU.",
    },
)


def judge_hidden(answer: Any, seed: int) -> str | None:
    """A copy of the image with a square of zeros at the given place, in all colours."""
    if not callable(answer):
        return "no function"
    generator = draws(seed, 92)
    image = torch.rand(3, 9, 11, generator=generator) + 1
    before = image.clone()
    row, column, size = 2, 3, 5
    given = answer(image, row, column, size)
    if not torch.equal(image, before):
        return "in place"
    if not isinstance(given, Tensor):
        return "no tensor"

    def covered(rows: slice, columns: slice, channels: slice = slice(None), value: float = 0.0) -> Tensor:
        made = before.clone()
        made[channels, rows, columns] = value
        return made

    rows, columns = slice(row, row + size), slice(column, column + size)
    usual: Wrong = {
        "rows for columns": lambda: covered(slice(column, column + size), slice(row, row + size)),
        "one colour": lambda: covered(rows, columns, slice(0, 1)),
        "first rows": lambda: before.clone().index_fill(0, torch.tensor([2]), 0.0),
        "one more": lambda: covered(slice(row, row + size + 1), slice(column, column + size + 1)),
        "end for size": lambda: covered(slice(row, size), slice(column, size)),
        "centred": lambda: covered(
            slice(row - size // 2, row + size // 2 + 1), slice(column - size // 2, column + size // 2 + 1)
        ),
        "ones": lambda: covered(rows, columns, value=1.0),
        "stripes": lambda: before.index_fill(1, torch.arange(row, row + size), 0.0),
        "nothing hidden": lambda: before,
        "square alone": lambda: before - covered(rows, columns),
    }
    return None if _alike(given, covered(rows, columns)) else _mistake(given, usual)


HIDDEN = Exercise(
    "hidden",
    judge_hidden,
    {
        "no function": "A function is wanted: hidden(image, row, column, size).",
        "no tensor": "Return the changed copy of the image.",
        "in place": "The image itself has changed; the next square would be put on top: image.clone() first.",
        "rows for columns": "Rows and columns are exchanged: dimension 1 is the row, dimension 2 the column.",
        "one colour": "Only one colour is hidden; the square covers all three.",
        "first rows": "A whole colour is hidden; rows and columns are dimensions 1 and 2.",
        "one more": "The square is one pixel too large: a slice ends before its end.",
        "end for size": "The slice ends at `size`; it must end at the place plus the size.",
        "centred": "The square starts at the given place; here it lies around it.",
        "ones": "0 is the mean colour of a normalised image; 1 is a bright one.",
        "stripes": "All columns of these rows are hidden; only `size` of them should be.",
        "nothing hidden": "Nothing has changed: assign 0 to the square of a copy, and return the copy.",
        "square alone": "Only the square is left; it should be the part that is missing.",
        "other": "copy = image.clone(), then copy[:, rows, columns] = 0 with slices from place to place + size.",
    },
)


def _expected_error(confidence: Tensor, right: Tensor, bins: int, kind: str = "") -> float:
    """Return the calibration error, rightly or with one thing wrong."""
    place = (confidence * bins).floor().clamp(max=bins - 1)
    total = 0.0
    filled = 0
    for number_of_bin in range(bins):
        here = place == number_of_bin
        count = int(here.sum())
        if not count:
            continue
        filled += 1
        gap = right[here].double().mean().item() - confidence[here].double().mean().item()
        gap = gap if kind == "signed" else gap**2 if kind == "squared" else abs(gap)
        total += gap * (1 if kind in ("unweighted", "unweighted over all") else count)
    divisor = {"unweighted": filled, "unweighted over all": bins, "not divided": 1}.get(kind, len(confidence))
    return total / divisor


def judge_calibration_error(answer: Any, seed: int) -> str | None:
    """The mean gap between confidence and accuracy over bins, weighted with their images; empty ones left out."""
    if not callable(answer):
        return "no function"
    generator = draws(seed, 93)
    confidence = 0.35 + 0.65 * torch.rand(40, generator=generator) ** 0.7
    # timid where it is right, bold where it is wrong: gaps of both signs
    right = (confidence < 0.65) ^ (torch.rand(40, generator=generator) < 0.15)
    confidence, right = torch.cat([confidence, torch.tensor([1.0])]), torch.cat([right, torch.tensor([True])])
    bins = 10
    try:
        given = number(answer(confidence.clone(), right.clone(), bins))
    except (TypeError, ValueError, RuntimeError):
        return "no number"
    if given != given:
        return "empty bins"
    wanted = _expected_error(confidence, right, bins)
    if close(given, wanted):
        return None
    kinds = ("signed", "squared", "unweighted", "unweighted over all", "not divided")
    usual = {kind: _expected_error(confidence, right, bins, kind) for kind in kinds}
    usual["one bin"] = abs(right.double().mean().item() - confidence.double().mean().item())
    usual["image by image"] = (right.double() - confidence).abs().mean().item()
    usual["percent"] = 100 * wanted
    return next((mistake for mistake, wrong in usual.items() if close(given, wrong)), "other")


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
        "one bin": "That is the gap over all images at once: over- and underconfidence cancel. Use bins.",
        "image by image": "A single image is right or wrong: compare shares, in bins of like confidence.",
        "percent": "A share between 0 and 1 is wanted; percent are for showing.",
        "other": "Per bin |mean of right - mean of confidence|, times its images; sum, divided by all images.",
    },
)

EXERCISES = (HEAT_MAP, HIDDEN, CALIBRATION_ERROR, PROJECTED, BETWEEN_WEIGHTS)
