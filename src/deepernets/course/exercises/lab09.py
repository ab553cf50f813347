"""Exercises of lab 9: heat maps, occlusion, calibration, principal components, lines between weights."""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import torch
from torch import Tensor

from deepernets.analysis import insight
from deepernets.course.exercises.judging import FunctionExercise, Mistake, Symptom
from deepernets.course.exercises.values import Raised, Unsuitable, kind_of, normal, number, tensor


def _heat(
    maps: Tensor, gradients: Tensor, dim: Any = (1, 2), last: Callable[[Tensor], Tensor] = torch.relu
) -> Tensor:
    """Return Grad-CAM's heat map; or one with gradients averaged over other dimensions, or another last step."""
    return last((gradients.mean(dim=dim, keepdim=True) * maps).sum(dim=0))


def _weights(gradients: Tensor) -> Tensor:
    return gradients.mean(dim=(1, 2), keepdim=True)  # (C, 1, 1)


def _maps_and_gradients(draw: Random) -> list[tuple[Tensor, Tensor]]:
    """Return maps and gradients of which every other channel speaks against the class."""
    small = torch.tensor([[[3.0, 0.0], [0.0, 1.0]], [[0.0, 2.0], [0.0, 5.0]]])
    cases = [(small, torch.tensor([2.0, -1.0])[:, None, None].expand(2, 2, 2).clone())]
    for channels, after_relu in ((6, True), (4, False)):
        maps, gradients = normal(draw, channels, 4, 5), normal(draw, channels, 4, 5)
        signs = torch.tensor([1.0, -1.0] * (channels // 2))[:, None, None]
        cases.append((maps.relu() if after_relu else maps, gradients - _weights(gradients) + 0.7 * signs))
    return cases


HEAT_MAP = FunctionExercise(
    "heat_map(maps, gradients)",
    returns=tensor("the heat map, (h, w)", arrays=True),
    reference=_heat,
    inputs=_maps_and_gradients,
    mistakes=[
        Mistake(
            "no relu",
            partial(_heat, last=torch.clone),
            "What speaks against the class is still in it. Which function keeps what is positive?",
        ),
        Mistake(
            "summed",
            lambda maps, gradients: _heat(maps, gradients) * maps[0].numel(),
            "α is a mean over rows and columns. You take the sum.",
        ),
        Mistake(
            "stretched",
            [
                lambda maps, gradients: _heat(maps, gradients) / _heat(maps, gradients).max(),
                lambda maps, gradients: _heat(maps, gradients) / len(maps),
            ],
            "Right up to a factor. Return L as the equation has it, neither stretched nor averaged.",
        ),
        Mistake(
            "relu each",
            lambda maps, gradients: (_weights(gradients) * maps).relu().sum(dim=0),
            "Apply the ReLU once, after the sum over channels: they may speak against each other.",
        ),
        Mistake(
            "relu of weights",
            [
                lambda maps, gradients: _heat(maps, _weights(gradients).relu()),
                lambda maps, gradients: _heat(maps, _weights(gradients).relu(), last=torch.clone),
            ],
            "Channels with a negative weight belong to the sum. The ReLU comes after it.",
        ),
        Mistake(
            "relu of gradients",
            lambda maps, gradients: _heat(maps, gradients.relu()),
            "Negative gradients belong to the mean. The ReLU comes at the end.",
        ),
        Mistake(
            "not averaged",
            [
                lambda maps, gradients: (gradients * maps).sum(dim=0),
                lambda maps, gradients: (gradients * maps).sum(dim=0).relu(),
            ],
            "Each channel has one weight, the mean of its gradients over rows and columns.",
        ),
        Mistake(
            "maps alone",
            [
                lambda maps, _, change=change, last=last: last(change(maps, 0))
                for change in (torch.sum, torch.mean)
                for last in (torch.clone, torch.relu)
            ],
            "The maps are not weighted yet. How much does each channel matter for the class?",
        ),
        Mistake(
            "gradients alone",
            [
                lambda _, gradients: gradients.sum(dim=0).relu(),
                lambda _, gradients: gradients.mean(dim=0).relu(),
            ],
            "Those are gradients alone. What should they weight?",
        ),
        Mistake(
            "one dimension",
            [partial(_heat, dim=0), partial(_heat, dim=1), partial(_heat, dim=2)],
            "You average over one dimension only. Each channel has one number: which two go?",
        ),
        Mistake(
            "exchanged",
            lambda maps, gradients: _heat(gradients, maps),
            "The mean of the gradients weights the maps, not the other way round.",
        ),
        Mistake(
            "not summed",
            [
                lambda maps, gradients: (_weights(gradients) * maps).relu(),
                lambda maps, gradients: _weights(gradients) * maps,
            ],
            "One map per channel is left. Sum them over the channels.",
        ),
        Mistake(
            "absolute",
            partial(_heat, last=torch.abs),
            "The sign matters: what speaks against the class is set to 0, not counted for it.",
        ),
        Mistake(
            "backwards",
            lambda maps, gradients: _heat(maps, -gradients),
            "That is what speaks against the class. Is there a minus sign too many?",
        ),
    ],
)


def _hide(image: Tensor, rows: Any, columns: Any, colours: Any = slice(None), value: float = 0.0) -> Tensor:
    copy = image.clone()
    copy[colours, rows, columns] = value
    return copy


def _hidden(image: Tensor, row: int, column: int, size: int, **changes: Any) -> Tensor:
    return _hide(image, slice(row, row + size), slice(column, column + size), **changes)


def _images_and_squares(draw: Random) -> list[tuple[Tensor, int, int, int]]:
    return [
        (torch.ones(1, 2, 3), 0, 1, 1),
        (normal(draw, 3, 11, 12) + 0.5, 2, 3 + draw.randrange(2), 5),
        (normal(draw, 3, 11, 12) + 0.5, 4, draw.randrange(2), 3),
        (normal(draw, 3, 12, 9) + 0.5, 8, 5, 4),  # up to the last row and column
    ]


ALL = slice(None)
HIDDEN = FunctionExercise(
    "hidden(image, row, column, size)",
    returns=tensor("the changed copy of the image"),
    reference=_hidden,
    inputs=_images_and_squares,
    keeps_inputs=True,
    mistakes=[
        Mistake(
            "rows for columns",
            lambda image, row, column, size: _hidden(image, column, row, size),
            "Rows and columns are exchanged: dimension 1 is the row, dimension 2 the column.",
        ),
        Mistake(
            "one colour",
            [partial(_hidden, colours=colour) for colour in (0, -1)],
            "Only one channel is hidden. The square covers all of them.",
        ),
        Mistake(
            "colours for rows",
            [
                lambda image, row, column, size: _hide(
                    image, slice(column, column + size), ALL, slice(row, row + size)
                ),
                lambda image, row, column, size: _hide(image, ALL, ALL, slice(row, row + size)),
            ],
            "The first dimension is the channel, and all channels are hidden. The row comes second.",
        ),
        Mistake(
            "one more",
            lambda image, row, column, size: _hidden(image, row, column, size + 1),
            "The square is one pixel too large: a slice ends before its end.",
        ),
        Mistake(
            "one less",
            [
                lambda image, row, column, size: _hidden(image, row, column, size - 1),
                lambda image, row, column, size: _hidden(image, row + 1, column + 1, size - 1),
            ],
            "The square is one pixel too small: a slice includes its start, and ends before its end.",
        ),
        Mistake(
            "end for size",
            lambda image, row, column, size: _hide(image, slice(row, size), slice(column, size)),
            "The slice ends at `size`. It must end at the place plus the size.",
        ),
        Mistake(
            "centred",
            [
                lambda image, row, column, size, odd=odd: _hide(
                    image,
                    *(slice(max(place - size // 2, 0), place + size // 2 + odd) for place in (row, column)),
                )
                for odd in (0, 1)
            ],
            "The square starts at the given place. Yours is around it.",
        ),
        Mistake(
            "other value",
            [
                partial(_hidden, value=1.0),
                lambda image, *square: torch.where(
                    _hidden(torch.ones_like(image), *square) > 0, image, image.mean()
                ),
            ],
            "The square has another value than 0, the mean colour of a normalised image.",
        ),
        Mistake(
            "stripes",
            [
                lambda image, row, column, size: _hide(image, slice(row, row + size), ALL),
                lambda image, row, column, size: _hide(image, ALL, slice(column, column + size)),
                lambda image, *square: _hidden(_hidden(image, square[0], 0, 99), 0, square[1], 99),
            ],
            "Whole rows or columns are hidden. Only `size` pixels of each should be.",
        ),
        Mistake(
            "nothing hidden",
            lambda image, *square: image,
            "Nothing has changed. Did you set the square in the copy that you return?",
        ),
        Mistake(
            "square alone",
            lambda image, *square: image - _hidden(image, *square),
            "Only the square is left. It should be the part that is missing.",
        ),
        Mistake(
            "cut out",
            lambda image, row, column, size: image[:, row : row + size, column : column + size],
            "That is the square, cut out. Return the whole image, with zeros in the square.",
        ),
    ],
)


def _place(confidence: Tensor, bins: int) -> Tensor:
    return (confidence * bins).long().clamp(max=bins - 1)


def _calibration(
    confidence: Tensor,
    right: Tensor,
    bins: int,
    place: Callable[[Tensor, int], Tensor] = _place,
    gap: Callable[[float, int], float] = lambda gap, images: abs(gap) * images,
    divide: Callable[[Tensor, Tensor, int], int] = lambda places, filled, bins: len(places),
) -> float:
    """Return the calibration error; or one with other bins, other gaps or another divisor."""
    places = place(confidence, bins)
    filled = torch.unique(places[(places >= 0) & (places < bins)])
    total = 0.0
    for here in (places == bin_ for bin_ in filled):
        gap_here = (right[here].double() - confidence[here].double()).mean().item()
        total += gap(gap_here, int(here.sum()))
    return total / divide(places, filled, bins)


def _answers(draw: Random) -> list[tuple[Tensor, Tensor, int]]:
    """Return confidences, whether the answers were right, and a number of bins; some confidences are 0 or 1."""
    cases = [([0.9375, 0.9375, 0.4375], [True, False, True], 2)]
    for bins in (10, draw.choice((5, 7, 8, 12))):
        drawn = [draw.randrange(1, 256, 2) / 256 for _ in range(40)]  # never at the edge of a bin
        cases.append((drawn, [confidence > 0.9 or draw.random() < 0.55 for confidence in drawn], bins))
    ends = [1.0, 1.0, 0.0, *cases[1][0]], [True, False, True, *cases[1][1]], 10
    edges = [0.25, 0.5, 0.5, 0.75, 0.375], [True, True, False, False, True], 4
    return [(torch.tensor(sure), torch.tensor(right), bins) for sure, right, bins in (*cases, ends, edges)]


CALIBRATION_ERROR = FunctionExercise(
    "calibration_error(confidence, right, bins)",
    returns=number("the expected calibration error, from 0 to 1"),
    reference=_calibration,
    inputs=_answers,
    tolerance=1e-5,
    mistakes=[
        Symptom(
            "empty bins",
            lambda given, right: any(
                (isinstance(one, Raised) and isinstance(one.error, ZeroDivisionError)) or one != one
                for one in given
            ),
            "A bin without images has no mean, and gives nan or a division by 0: leave it out.",
        ),
        Mistake(
            "signed",
            [
                partial(_calibration, gap=lambda gap, images: gap * images),
                partial(_calibration, gap=lambda gap, images: -gap * images),
            ],
            "Gaps of different sign cancel. Take their size in each bin.",
        ),
        Mistake(
            "squared",
            [
                partial(_calibration, gap=lambda gap, images: gap**2 * images),
                lambda *answers: _calibration(*answers, gap=lambda gap, images: gap**2 * images) ** 0.5,
            ],
            "The gaps are squared. Take their size.",
        ),
        Mistake(
            "unweighted",
            partial(
                _calibration, gap=lambda gap, _: abs(gap), divide=lambda places, filled, bins: len(filled)
            ),
            "A bin with one image counts as much as one with twenty: weight each gap with its images.",
        ),
        Mistake(
            "unweighted over all",
            partial(_calibration, gap=lambda gap, _: abs(gap), divide=lambda places, filled, bins: bins),
            "Weight each gap with its images, and divide by all images, not by the bins.",
        ),
        Mistake(
            "not divided",
            [partial(_calibration, divide=lambda *_: 1), partial(_calibration, divide=lambda *each: each[2])],
            "Divide the weighted gaps by the number of all images.",
        ),
        Mistake(
            "largest",
            lambda confidence, right, bins: max(
                abs((right[here].double() - confidence[here].double()).mean().item())
                for here in (_place(confidence, bins) == bin_ for bin_ in range(bins))
                if here.any()
            ),
            "That is the largest gap of all bins. Take their weighted mean.",
        ),
        Mistake(
            "last bin",
            partial(_calibration, place=lambda confidence, bins: (confidence * bins).long()),
            "Images with a confidence of exactly 1 are in no bin of yours. Where do they belong?",
        ),
        Mistake(
            "one bin more",
            lambda confidence, right, bins: _calibration(
                confidence, right, bins + 1, place=lambda confidence, more: (confidence * (more - 1)).long()
            ),
            "Images with a confidence of exactly 1 have a bin of their own. They belong to the last one.",
        ),
        Mistake(
            "first bin",
            partial(_calibration, place=lambda confidence, bins: _place(confidence, bins) - 1),
            "The images of the first bin are missing: bins count from 0.",
        ),
        Mistake(
            "upper edge",
            [
                partial(_calibration, place=lambda confidence, bins: (confidence * bins).ceil().long() - 1),
                partial(
                    _calibration,
                    place=lambda confidence, bins: ((confidence * bins).ceil().long() - 1).clamp(min=0),
                ),
            ],
            "A confidence at the edge of two bins, such as 0.5 with four bins, belongs to the upper one.",
        ),
        Mistake(
            "rounded",
            lambda confidence, right, bins: _calibration(
                confidence,
                right,
                bins + 1,
                place=lambda confidence, more: (confidence * (more - 1)).round().long(),
            ),
            "You round to the nearest bin. A bin reaches from its lower edge up to the next.",
        ),
        Mistake(
            "one bin",
            lambda confidence, right, bins: _calibration(confidence, right, 1),
            "That is the gap over all images at once: over- and underconfidence cancel. Use bins.",
        ),
        Mistake(
            "image by image",
            lambda confidence, right, bins: (right.double() - confidence).abs().mean(),
            "A single image is right or wrong: compare shares, in bins of like confidence.",
        ),
        Mistake(
            "percent",
            lambda *answers: 100 * _calibration(*answers),
            "Return a share between 0 and 1, not percent.",
        ),
        Mistake(
            "fixed bins",
            [
                lambda confidence, right, bins, fixed=fixed: _calibration(confidence, right, fixed)
                for fixed in (10, 15)
            ],
            "You always use the same number of bins. Where is `bins` used?",
        ),
    ],
)


def _features_and_counts(draw: Random) -> list[tuple[Tensor, int]]:
    """Return features far from 0 whose principal directions are clear; once more features than images."""
    cases = [(torch.tensor([[0.0, 1.0], [1.0, 2.0], [3.0, 4.0]]), 1)]
    for images, features, k in ((30, 5, 2), (20, 5, 3), (4, 6, 2)):
        spread = 2.0 ** torch.arange(3, 3 - features, -1)
        turned, _ = torch.linalg.qr(normal(draw, features, features))
        cases.append((normal(draw, images, features) * spread @ turned + 5 * normal(draw, features), k))
    return cases


def _observe_points(function: Callable[..., Any], features: Tensor, k: int) -> dict[str, Tensor]:
    """Return the coordinates along directions turned so that the farthest image is on the positive side."""
    points = tensor("the coordinates, (N, k)", arrays=True)(function(features, k))
    if points.dim() == 2 and points.numel():
        farthest = points.gather(0, points.abs().argmax(dim=0, keepdim=True))
        points = points * torch.where(farthest < 0, -1.0, 1.0)
    return {"the coordinates (up to signs)": points}


def _rows(features: Tensor) -> Tensor:
    """Return the principal directions of features that are centred already."""
    return torch.linalg.svd(features, full_matrices=False)[2]


def _centred(features: Tensor) -> Tensor:
    return features - features.mean(dim=0)


def _along_own(features: Tensor, k: int) -> Tensor:
    return features @ _rows(features)[:k].T


PROJECTED = FunctionExercise(
    "projected(features, k)",
    returns=tensor("the coordinates, (N, k)", arrays=True),
    reference=insight.principal_components,
    inputs=_features_and_counts,
    observe=_observe_points,
    tolerance=0.01,  # single and double precision differ in the fourth decimal where features are far from 0
    mistakes=[
        Mistake(
            "not centred", _along_own, "Without taking the mean off, the first direction points at the mean."
        ),
        Mistake(
            "centred for directions only",
            lambda x, k: x @ _rows(_centred(x))[:k].T,
            "The directions are right. Project the centred features, too.",
        ),
        Mistake(
            "centred too late",
            [lambda x, k: _centred(x) @ _rows(x)[:k].T, lambda x, k: _centred(_along_own(x, k))],
            "Take the mean off before the decomposition, or the first direction points at the mean.",
        ),
        Mistake(
            "last directions",
            [
                lambda x, k: _centred(x) @ _rows(_centred(x))[-k:].T,
                lambda x, k: _centred(x) @ _rows(_centred(x)).flip(0)[:k].T,
            ],
            "Those are the directions of least variance. svd gives the largest first.",
        ),
        Mistake(
            "ascending",
            lambda x, k: insight.principal_components(x, k).flip(1),
            "The directions are right, in the wrong order. The first has the largest variance.",
        ),
        Mistake(
            "first columns",
            [lambda x, k: _centred(x)[:, :k], lambda x, k: x[:, :k]],
            "Those are the first features. The directions of largest variance are mixtures of all.",
        ),
        Mistake(
            "wrong axis",
            lambda x, k: _along_own(x - x.mean(dim=1, keepdim=True), k),
            "You take the mean of each image. Take each feature's mean over the images.",
        ),
        Mistake(
            "one mean",
            lambda x, k: _along_own(x - x.mean(), k),
            "You take one mean over everything. Each feature has a mean of its own.",
        ),
        Mistake(
            "directions",
            [lambda x, k: _rows(_centred(x))[:k], lambda x, k: _rows(_centred(x))[:k].T],
            "Those are the directions. Project the features on them.",
        ),
        Mistake(
            "not stretched",
            lambda x, k: torch.linalg.svd(_centred(x), full_matrices=False)[0][:, :k],
            "Right but for the lengths: multiply each direction by its singular value.",
        ),
        Mistake(
            "transposed",
            lambda x, k: insight.principal_components(x, k).T,
            "Transposed: return one row per image, one column per direction.",
        ),
        Mistake(
            "rows for columns",
            [
                lambda x, k: _centred(x) @ _rows(_centred(x))[:, :k],
                lambda x, k: _centred(x) @ torch.linalg.svd(_centred(x))[2][:, :k],
            ],
            "svd's third result has one direction per row. Take the first k rows.",
        ),
        Mistake(
            "standardised",
            [
                lambda x, k: _along_own(_centred(x) / x.std(dim=0), k),
                lambda x, k: _along_own(_centred(x) / x.std(dim=0, correction=0), k),
            ],
            "Take the mean off only. Dividing by the standard deviation changes the directions.",
        ),
        Mistake(
            "all directions",
            lambda x, k: _along_own(_centred(x), x.shape[1]),
            "Those are the coordinates along all directions. Return the first k only.",
        ),
        Mistake(
            "signs lost",
            lambda x, k: insight.principal_components(x, k).abs(),
            "A direction may point either way, but each image must keep its side of the mean.",
        ),
        Mistake(
            "fixed number",
            [lambda x, k, fixed=fixed: insight.principal_components(x, fixed) for fixed in (2, 3)],
            "You always return the same number of columns. Where is `k` used?",
        ),
    ],
)

State = dict[str, Tensor]


def _states_and_shares(draw: Random) -> list[tuple[State, State, float]]:
    def state() -> State:
        return {
            "block.conv.weight": normal(draw, 2, 1, 3, 3),
            "block.norm.running_mean": normal(draw, 2),
            "block.norm.num_batches_tracked": torch.tensor(draw.randint(1, 9)),
            "head.bias": normal(draw, 3),
        }

    shares = [0, 1, round(draw.uniform(0.1, 0.4), 2), 1.5, -0.5]
    first = {"w": torch.tensor([0.0, 4.0])}, {"w": torch.tensor([1.0, 0.0])}, 0.25
    return [first, *((state(), state(), share) for share in shares)]


def _observe_state(function: Callable[..., Any], start: State, end: State, share: float) -> State:
    wanted = {name: (value.shape, value.dtype) for name, value in start.items()}
    made = function(start, end, share)
    if not isinstance(made, dict):
        raise Unsuitable(f"Expected a dictionary of tensors; got {kind_of(made)}.")
    if made.keys() != wanted.keys():
        odd = min(made.keys() ^ wanted.keys(), key=str)
        raise Unsuitable(
            f"Expected the names of `start`; {odd!r} is {'missing' if odd in wanted else 'new'}."
        )
    read = {name: tensor(f"the weights {name!r}")(value) for name, value in made.items()}
    for name, (shape, kind) in wanted.items():
        if kind.is_floating_point and made[name].dtype != kind:
            raise Unsuitable(
                f"Expected {name!r} to be of type {kind}, as in `start`; got {made[name].dtype}."
            )
        if read[name].shape != shape:
            raise Unsuitable(
                f"Expected {name!r} to have the shape {tuple(shape)}; got {tuple(read[name].shape)}."
            )
    return {name: read[name] for name, (_, kind) in wanted.items() if kind.is_floating_point}


def _each(rule: Callable[[Tensor, Tensor, float], Tensor]) -> Callable[[State, State, float], State]:
    """Return a `between_weights` by a rule for one tensor; counters stay."""
    return lambda start, end, share: {
        name: rule(value, end[name], share) if value.is_floating_point() else value
        for name, value in start.items()
    }


BETWEEN_WEIGHTS = FunctionExercise(
    "between_weights(start, end, share)",
    returns=lambda made: made,
    reference=insight.interpolated,
    inputs=_states_and_shares,
    observe=_observe_state,
    keeps_inputs=True,
    mistakes=[
        Mistake(
            "backwards",
            _each(lambda a, b, t: t * a + (1 - t) * b),
            "You go backwards: share 0 is the start, share 1 the end.",
        ),
        Mistake(
            "sum",
            [_each(lambda a, b, t: a + t * b), _each(lambda a, b, t: a + b)],
            "That leaves the start whole. It loses what the end gains.",
        ),
        Mistake(
            "difference alone",
            _each(lambda a, b, t: t * (b - a)),
            "That is the step away from the start. Add it to the start.",
        ),
        Mistake(
            "wrong way",
            [_each(lambda a, b, t: a + t * (a - b)), _each(lambda a, b, t: b + t * (b - a))],
            "Where are you at share 0, and where at share 1? One of the two is wrong.",
        ),
        Mistake("mean", _each(lambda a, b, t: (a + b) / 2), "That is the middle, whatever the share."),
        Mistake(
            "stops",
            [
                _each(lambda a, b, t: torch.lerp(a, b, min(max(t, 0.0), 1.0))),
                _each(lambda a, b, t: torch.lerp(a, b, min(t, 1.0))),
                _each(lambda a, b, t: torch.lerp(a, b, max(t, 0.0))),
            ],
            "A share above 1 goes on beyond the end, and one below 0 goes the other way.",
        ),
        Mistake("start", _each(lambda a, b, t: a), "Those are the start's weights, whatever the share."),
        Mistake("end", _each(lambda a, b, t: b), "Those are the end's weights, whatever the share."),
    ],
)

EXERCISES = (HEAT_MAP, HIDDEN, CALIBRATION_ERROR, PROJECTED, BETWEEN_WEIGHTS)
