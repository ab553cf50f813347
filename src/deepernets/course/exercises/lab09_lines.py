"""Exercises of lab 9, second part: directions of features, and lines between weights."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from deepernets.course.exercises.judging import JudgedExercise as Exercise
from deepernets.course.exercises.lab09_tensors import Usual, alike, plain
from deepernets.course.exercises.numbers import draws

TOLERANCE = 5e-3  # single and double precision differ in the fourth decimal where features are far from 0
DIRECTIONS = (2, 3)  # how many are asked for; both are tried


def _features(seed: int) -> Tensor:
    """Return features (30, 5), far from 0, whose directions of largest variance are told apart with ease."""
    generator = draws(seed, 94)
    turned, _ = torch.linalg.qr(torch.randn(5, 5, generator=generator))
    spread = torch.tensor([8.0, 4.0, 2.0, 1.0, 0.5])
    return torch.randn(30, 5, generator=generator) * spread @ turned + 20 * torch.randn(
        5, generator=generator
    )


def _own_directions(features: Tensor, k: int) -> Tensor:
    """Return features, as they are, along their first k directions."""
    return features @ torch.linalg.svd(features, full_matrices=False)[2][:k].T


def _usual_projections(features: Tensor, k: int) -> Usual:
    centred = features - features.mean(dim=0)
    left, _, rows = torch.linalg.svd(centred, full_matrices=False)
    return [
        ("not centred", _own_directions(features, k)),
        ("centred for directions only", features @ rows[:k].T),
        ("last directions", centred @ rows[-k:].T),
        ("last directions", centred @ rows.flip(0)[:k].T),
        ("first columns", centred[:, :k]),
        ("first columns", features[:, :k]),
        ("wrong axis", _own_directions(features - features.mean(dim=1, keepdim=True), k)),
        ("one mean", _own_directions(features - features.mean(), k)),
        ("directions", rows[:k]),
        ("not stretched", left[:, :k]),
        ("transposed", (centred @ rows[:k].T).T),
        ("rows for columns", centred @ rows[:, :k]),
        ("standardised", _own_directions(centred / features.std(dim=0), k)),
        ("all directions", centred @ rows.T),
        ("signs lost", (centred @ rows[:k].T).abs()),
    ]


def _judge_projection(given: Tensor | None, features: Tensor, k: int) -> str | None:
    if given is None or given.dim() < 2:
        return "no tensor"
    wanted = _own_directions(features - features.mean(dim=0), k).double()
    if given.shape == wanted.shape:
        signs = (given * wanted).sum(dim=0).sign()  # each direction may point either way
        if alike(given * signs, wanted, TOLERANCE):
            return None
    return next(
        (
            mistake
            for mistake, wrong in _usual_projections(features, k)
            if alike(given.abs(), wrong.abs(), TOLERANCE)
        ),
        "other",
    )


def judge_projected(answer: Any, seed: int) -> str | None:
    """Centred features on their first k principal directions, whatever the signs."""
    if not callable(answer):
        return "no function"
    features = _features(seed)
    for k in DIRECTIONS:
        mistake = _judge_projection(plain(answer(features.clone(), k)), features, k)
        if mistake:
            return mistake if k == DIRECTIONS[0] else "always two"
    return None


PROJECTED = Exercise(
    "projected",
    judge_projected,
    {
        "no function": "A function is wanted: projected(features, k).",
        "no tensor": "A tensor (N, k) of numbers is wanted.",
        "not centred": "Without taking the mean off first, the first direction points at the mean.",
        "centred for directions only": "The directions are right; project the centred features, too.",
        "last directions": "Those are the directions of least variance; svd gives the largest first.",
        "first columns": "Those are the first features; the directions of largest variance are mixtures of all.",
        "wrong axis": "The mean is taken per image; it is each feature's mean over the images.",
        "one mean": "One mean is taken over everything; each feature has a mean of its own.",
        "directions": "Those are the directions; the features are to be projected on them.",
        "not stretched": "Right but for the lengths: each direction still wants its singular value.",
        "transposed": "Transposed: one row per image, one column per direction.",
        "rows for columns": "svd's third result has one direction per row; take the first k rows.",
        "standardised": "Only the mean is taken off; dividing by the deviation, too, changes the directions.",
        "all directions": "Those are the coordinates along all directions; only the first k are wanted.",
        "signs lost": "A direction may point either way, but each image must keep its side of the mean.",
        "always two": "Right for two directions, and wrong for three: where is `k` used?",
        "other": "Look at the features' means once they are centred, and at the shapes of svd's three results.",
    },
)


SHARES = (0.25, 1.5)


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
    kept = [{name: tensor.clone() for name, tensor in part.items()} for part in (start, end)]
    results: list[list[Tensor]] = []
    for share in SHARES:
        made = answer(dict(start), dict(end), share)
        if not all(
            torch.equal(part[name], copy[name])
            for part, copy in zip((start, end), kept, strict=True)
            for name in copy
        ):
            return "in place"
        if not isinstance(made, dict) or set(made) != set(start):
            return "no dictionary"
        tensors = [plain(made[name]) for name in ("a", "b") if isinstance(made[name], Tensor)]
        results.append([tensor for tensor in tensors if tensor is not None])
    if any(len(parts) < 2 for parts in results):
        return "no dictionary"

    def by(rule: Callable[[Tensor, Tensor, float], Tensor]) -> bool:
        wanted = [[rule(start[name], end[name], share) for name in ("a", "b")] for share in SHARES]
        return all(
            alike(given, right)
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
        "in place": "The tensors that you were given have changed: make new ones.",
        "backwards": "The way runs backwards: share 0 is the start, share 1 the end.",
        "sum": "That leaves the start whole: it loses what the end gains.",
        "difference alone": "That is the step from the start; add it to the start.",
        "mean": "That is the middle, whatever the share.",
        "stops at the end": "A share above 1 goes on beyond the end.",
        "start": "Those are the start's weights, whatever the share.",
        "end": "Those are the end's weights, whatever the share.",
        "other": "Try numbers: which weight lies a quarter of the way from 0 to 8, and which at 1.5 times?",
    },
)
