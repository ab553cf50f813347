"""Exercises of lab 9: looking inside."""

from typing import Any

import torch
from torch import Tensor

from deepernets.course.exercises.judging import JudgedExercise as Exercise
from deepernets.course.exercises.lab09_calibration import CALIBRATION_ERROR
from deepernets.course.exercises.lab09_lines import BETWEEN_WEIGHTS, PROJECTED
from deepernets.course.exercises.lab09_tensors import Usual, alike, first_alike, plain
from deepernets.course.exercises.numbers import draws


def _stretched(heat: Tensor) -> Tensor:
    """Return a heat map with 1 as its largest size: sums in the place of means give the same picture."""
    return heat / heat.abs().max().clamp(min=1e-12)


def _usual_heat(maps: Tensor, gradients: Tensor) -> Usual:
    weights = gradients.mean(dim=(1, 2), keepdim=True)  # (C, 1, 1)
    one_way = [(gradients.mean(dim=dim, keepdim=True) * maps).sum(dim=0) for dim in (1, 2)]
    total = (weights * maps).sum(dim=0)
    return [
        ("no relu", total),
        ("relu each", (weights * maps).relu().sum(dim=0)),
        ("relu of weights", (weights.relu() * maps).sum(dim=0)),
        ("relu of weights", (weights.relu() * maps).sum(dim=0).relu()),
        ("not averaged", (gradients * maps).sum(dim=0)),
        ("not averaged", (gradients * maps).sum(dim=0).relu()),
        ("maps alone", maps.sum(dim=0)),
        ("maps alone", maps.sum(dim=0).relu()),
        ("gradients alone", gradients.sum(dim=0)),
        ("gradients alone", gradients.sum(dim=0).relu()),
        ("over channels", (gradients.mean(dim=0, keepdim=True) * maps).sum(dim=0).relu()),
        ("one dimension", one_way[0].relu()),
        ("one dimension", one_way[1].relu()),
        ("exchanged", (maps.mean(dim=(1, 2), keepdim=True) * gradients).sum(dim=0).relu()),
        ("not summed", (weights * maps).relu()),
        ("absolute", total.abs()),
        ("backwards", (-total).relu()),
    ]


def _maps_and_gradients(seed: int) -> tuple[Tensor, Tensor]:
    """Return maps and gradients (6, 4, 5) each; every other channel speaks against the class."""
    generator = draws(seed, 91)
    maps, gradients = torch.randn(2, 6, 4, 5, generator=generator)
    weights = (0.2 + torch.rand(6, generator=generator)) * torch.tensor([1.0, -1.0] * 3)
    return maps, gradients - gradients.mean(dim=(1, 2), keepdim=True) + weights[:, None, None]


def judge_heat_map(answer: Any, seed: int) -> str | None:
    """Grad-CAM: maps weighted with their mean gradients, summed over channels, without what is negative."""
    if not callable(answer):
        return "no function"
    maps, gradients = _maps_and_gradients(seed)
    given = plain(answer(maps.clone(), gradients.clone()))
    if given is None or given.dim() < 2:
        return "no tensor"
    right = (gradients.mean(dim=(1, 2), keepdim=True) * maps).sum(dim=0).relu()
    if alike(_stretched(given), _stretched(right)):
        return None
    usual = _usual_heat(maps, gradients)
    return first_alike(_stretched(given), [(mistake, _stretched(wrong)) for mistake, wrong in usual])


HEAT_MAP = Exercise(
    "heat_map",
    judge_heat_map,
    {
        "no function": "A function is wanted: heat_map(maps, gradients).",
        "no tensor": "Return the heat map, a tensor (h, w).",
        "no relu": "What speaks against the class is still in it: which function keeps what is positive?",
        "relu each": "The ReLU comes once, after the sum over channels: channels may speak against each other.",
        "relu of weights": "Channels with a negative weight belong to the sum; the ReLU comes after it.",
        "not averaged": "Each channel has one weight, the mean of its gradients over rows and columns.",
        "maps alone": "The maps are not weighted yet: how much does each channel matter for the class?",
        "gradients alone": "Those are gradients alone; what are they there to weight?",
        "over channels": "The mean is over the channels; a weight belongs to one channel, so which dimensions go?",
        "one dimension": "The mean is over one of the map's two sides only; one number per channel is wanted.",
        "exchanged": "The mean of the gradients weights the maps, not the other way round.",
        "not summed": "One map per channel is left; sum them over the channels.",
        "absolute": "The sign matters: what speaks against the class is set to 0, not counted for it.",
        "backwards": "That is what speaks against the class: is there a minus sign too many?",
        "other": "Three steps: one weight per channel, the weighted sum of the maps, the ReLU. Try each by itself.",
    },
)

PLACES = ((2, 3, 5), (4, 0, 3))  # row, column (or one more) and size of the squares that are tried


def _covered(image: Tensor, *parts: slice, value: float = 0.0) -> Tensor:
    made = image.clone()
    made[parts] = value
    return made


def _usual_covers(image: Tensor, row: int, column: int, size: int) -> Usual:
    everything = slice(None)
    rows, columns = slice(row, row + size), slice(column, column + size)
    around = [slice(max(place - size // 2, 0), place + size // 2 + 1) for place in (row, column)]
    one_more = [slice(place, place + size + 1) for place in (row, column)]
    return [
        ("rows for columns", _covered(image, everything, columns, rows)),
        ("one colour", _covered(image, slice(0, 1), rows, columns)),
        ("colours for rows", _covered(image, rows, columns)),
        ("colours for rows", _covered(image, rows)),
        ("one more", _covered(image, everything, *one_more)),
        ("end for size", _covered(image, everything, slice(row, size), slice(column, size))),
        ("centred", _covered(image, everything, *around)),
        ("ones", _covered(image, everything, rows, columns, value=1.0)),
        ("stripes", _covered(image, everything, rows)),
        ("stripes", _covered(image, everything, everything, columns)),
        ("nothing hidden", image),
        ("square alone", image - _covered(image, everything, rows, columns)),
        ("cut out", image[:, rows, columns]),
    ]


def judge_hidden(answer: Any, seed: int) -> str | None:
    """A copy of the image with a square of zeros at the given place, in all colours; two places are tried."""
    if not callable(answer):
        return "no function"
    generator = draws(seed, 92)
    for row, first_column, size in PLACES:
        column = first_column + int(torch.randint(2, (), generator=generator))
        image = torch.rand(3, 11, 12, generator=generator) + 2
        before = image.clone()
        given = plain(answer(image, row, column, size))
        if not torch.equal(image, before):
            return "in place"
        if given is None or given.dim() < 2:
            return "no tensor"
        right = _covered(before, slice(None), slice(row, row + size), slice(column, column + size))
        if not alike(given, right):
            return first_alike(given, _usual_covers(before, row, column, size))
    return None


HIDDEN = Exercise(
    "hidden",
    judge_hidden,
    {
        "no function": "A function is wanted: hidden(image, row, column, size).",
        "no tensor": "Return the changed copy of the image.",
        "in place": "The image itself has changed, and the next square would be put on top: where is the copy?",
        "rows for columns": "Rows and columns are exchanged: dimension 1 is the row, dimension 2 the column.",
        "one colour": "Only one colour is hidden; the square covers all three.",
        "colours for rows": "The first dimension is the colour, and all colours are hidden; the row comes second.",
        "one more": "The square is one pixel too large: a slice ends before its end.",
        "end for size": "The slice ends at `size`; it must end at the place plus the size.",
        "centred": "The square starts at the given place; here it lies around it.",
        "ones": "0 is the mean colour of a normalised image; 1 is a bright one.",
        "stripes": "Whole rows or columns are hidden; only `size` pixels of each should be.",
        "nothing hidden": "Nothing has changed: did you set the square in the copy that you return?",
        "square alone": "Only the square is left; it should be the part that is missing.",
        "cut out": "That is the square, cut out; the whole image is wanted, with zeros in the square.",
        "other": "Print a small image of ones with a square hidden: which pixels are 0, and which should be?",
    },
)

EXERCISES = (HEAT_MAP, HIDDEN, CALIBRATION_ERROR, PROJECTED, BETWEEN_WEIGHTS)
