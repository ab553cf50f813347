"""Exercises of lab 9, second part: directions of features, and lines between weights."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from deepernets.course.checks import Exercise
from deepernets.course.exercises.numbers import draws


def _features(seed: int) -> Tensor:
    generator = draws(seed, 94)
    mix = torch.randn(5, 5, generator=generator)
    spread = torch.tensor([6.0, 3.0, 1.0, 0.5, 0.2])
    return torch.randn(30, 5, generator=generator) * spread @ mix + 20 * torch.randn(5, generator=generator)


def _project(features: Tensor, k: int, directions_of: Callable[[Tensor], Tensor]) -> Tensor:
    _, _, rows = torch.linalg.svd(directions_of(features), full_matrices=False)
    return features @ rows[:k].T


def judge_projected(answer: Any, seed: int) -> str | None:
    """Centred features on their first k principal directions, whatever the signs."""
    if not callable(answer):
        return "no function"
    features, k = _features(seed), 2
    given = answer(features.clone(), k)
    if not isinstance(given, Tensor) or not given.is_floating_point():
        return "no tensor"
    centred = features - features.mean(dim=0)
    left, sizes, rows = torch.linalg.svd(centred, full_matrices=False)

    def alike(other: Tensor) -> bool:
        return given.shape == other.shape and torch.allclose(given.abs(), other.abs(), rtol=1e-3, atol=1e-2)

    usual = {
        "not centred": _project(features, k, lambda x: x),
        "centred for directions only": features @ rows[:k].T,
        "last directions": centred @ rows[-k:].T,
        "last directions, last first": centred @ rows.flip(0)[:k].T,
        "first columns": centred[:, :k],
        "wrong axis": _project(features - features.mean(dim=1, keepdim=True), k, lambda x: x),
        "directions": rows[:k],
        "not stretched": left[:, :k],
        "transposed": (centred @ rows[:k].T).T,
        "rows for columns": centred @ rows[:, :k],
        "standardised": _project(centred / features.std(dim=0), k, lambda x: x),
    }
    if alike((left * sizes)[:, :k]):
        return None
    return next((mistake for mistake, wrong in usual.items() if alike(wrong)), "other")


PROJECTED = Exercise(
    "projected",
    judge_projected,
    {
        "no function": "A function is wanted: projected(features, k).",
        "no tensor": "A tensor (N, k) of numbers is wanted.",
        "not centred": "Without taking the mean off first, the first direction points at the mean.",
        "centred for directions only": "The directions are right; project the centred features, too.",
        "last directions": "Those are the directions of least variance; svd gives the largest first.",
        "last directions, last first": "The directions of least variance, backwards: the first ones are wanted.",
        "first columns": "Those are the first features; the directions of largest variance are mixtures of all.",
        "wrong axis": "The mean is taken per image; it is each feature's mean over the images.",
        "directions": "Those are the directions; the features are to be projected on them.",
        "not stretched": "Right but for the lengths: each direction still wants its singular value.",
        "transposed": "Transposed: one row per image, one column per direction.",
        "rows for columns": "svd's third result has one direction per row; take the first k rows.",
        "standardised": "Only the mean is taken off; dividing by the deviation, too, changes the directions.",
        "other": "Centre each feature, take the svd; centred features times its first k directions.",
    },
)


def judge_between_weights(answer: Any, seed: int) -> str | None:
    """(1 - share) · start + share · end, for every tensor of two dictionaries."""
    if not callable(answer):
        return "no function"
    generator = draws(seed, 95)

    def state() -> dict[str, Tensor]:
        counter = torch.randint(1, 9, (), generator=generator)
        return {
            "a": torch.randn(2, 3, generator=generator),
            "b": torch.randn(4, generator=generator),
            "n": counter,
        }

    start, end = state(), state()
    kept = {name: tensor.clone() for name, tensor in start.items()}
    results = []
    for share in (0.25, 1.5):
        made = answer(dict(start), dict(end), share)
        if not all(torch.equal(start[name], kept[name]) for name in start):
            return "in place"
        if not isinstance(made, dict) or set(made) != set(start):
            return "no dictionary"
        results.append([made[name] for name in ("a", "b")])
    if not all(isinstance(tensor, Tensor) for parts in results for tensor in parts):
        return "no dictionary"

    def by(rule: Callable[[Tensor, Tensor, float], Tensor]) -> bool:
        wanted = [[rule(start[name], end[name], share) for name in ("a", "b")] for share in (0.25, 1.5)]
        return all(
            given.shape == right.shape and torch.allclose(given.double(), right.double(), atol=1e-5)
            for parts, rights in zip(results, wanted, strict=True)
            for given, right in zip(parts, rights, strict=True)
        )

    if by(lambda a, b, t: (1 - t) * a + t * b):
        return None
    usual: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {
        "backwards": lambda a, b, t: t * a + (1 - t) * b,
        "sum": lambda a, b, t: a + t * b,
        "difference alone": lambda a, b, t: t * (b - a),
        "mean": lambda a, b, t: (a + b) / 2,
        "stops at the end": lambda a, b, t: (1 - min(t, 1.0)) * a + min(t, 1.0) * b,
        "start": lambda a, b, t: a,
        "end": lambda a, b, t: b,
    }
    return next((mistake for mistake, rule in usual.items() if by(rule)), "other")


BETWEEN_WEIGHTS = Exercise(
    "between_weights",
    judge_between_weights,
    {
        "no function": "A function is wanted: between_weights(start, end, share).",
        "no dictionary": "A dictionary is wanted, with the same names and a tensor for each.",
        "in place": "The start's own tensors have changed: make new ones.",
        "backwards": "The way runs backwards: share 0 is the start, share 1 the end.",
        "sum": "That leaves the start whole: it loses what the end gains.",
        "difference alone": "That is the step from the start; add it to the start.",
        "mean": "That is the middle, whatever the share.",
        "stops at the end": "A share above 1 goes on beyond the end.",
        "start": "Those are the start's weights, whatever the share.",
        "end": "Those are the end's weights, whatever the share.",
        "other": "For every name: (1 - share) times the start's tensor plus share times the end's.",
    },
)
