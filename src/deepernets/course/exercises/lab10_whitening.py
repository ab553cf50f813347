"""Lab 10's exercise on whitening: answers that are uncorrelated, and of variance 1."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from deepernets.course.exercises.judging import JudgedExercise as Exercise
from deepernets.course.exercises.numbers import draws

ONE = torch.eye(4, dtype=torch.float64)


def judge_whitening(answer: Any, seed: int) -> str | None:
    """A matrix W for which W Σ Wᵀ is the identity, for any covariance Σ."""
    if not callable(answer):
        return "no function"
    mixed = torch.randn(4, 4, generator=draws(seed, 106), dtype=torch.float64)
    covariance = mixed @ mixed.T + 0.5 * ONE
    given = answer(covariance.clone())
    if not isinstance(given, Tensor):
        return "no tensor"
    if given.shape != covariance.shape:
        return "shape"
    given = given.double()

    def spread(matrix: Tensor) -> Tensor:
        """The covariance of what the rows of a matrix say."""
        return matrix @ covariance @ matrix.T

    def is_one(matrix: Tensor) -> bool:
        return torch.allclose(matrix, ONE, atol=1e-3)

    def is_diagonal(matrix: Tensor) -> bool:
        return torch.allclose(matrix, matrix.diag().diag(), atol=1e-3)

    said = spread(given)
    if is_one(said):
        return None
    unit = spread(given / given.norm(dim=1, keepdim=True))  # Λ, where the filters are its directions
    usual: dict[str, Callable[[], bool]] = {
        "transposed": lambda: is_one(spread(given.T)),
        "turned only": lambda: is_diagonal(said) and is_one(given @ given.T),
        "turned only, transposed": lambda: is_diagonal(spread(given.T)) and is_one(given @ given.T),
        "divided by variances": lambda: is_diagonal(said) and is_one(said @ unit),
        "multiplied": lambda: is_diagonal(said) and torch.allclose(said, unit @ unit, rtol=1e-3),
        "scaled only": lambda: is_diagonal(given) and is_one(said.diag().diag()),
        "inverse": lambda: torch.allclose(given, covariance.inverse(), rtol=1e-3),
    }
    return next((mistake for mistake, holds in usual.items() if holds()), "other")


WHITENING = Exercise(
    "whitening",
    judge_whitening,
    {
        "no function": "A function is wanted: whitening(covariance).",
        "no tensor": "Return W, a tensor as large as the covariance.",
        "shape": "W is as large as the covariance, (d, d): one filter in each row.",
        "transposed": "The filters are W's columns; they are to be its rows, so transpose.",
        "turned only": "The answers are uncorrelated, but their variances are Λ: divide each row by a square root.",
        "turned only, transposed": "eigh gives directions as columns, and they are not scaled yet: diag(Λ^-½) Vᵀ.",
        "divided by variances": "Variances grow with the square of a filter: divide by the square root of Λ.",
        "multiplied": "Frequent patterns are made larger still: divide by the square root of Λ.",
        "scaled only": "Each answer has variance 1, but they are still correlated: turn first, by V.",
        "inverse": "W is applied to the patches, and W again in W Σ Wᵀ: it is a square root of the inverse.",
        "other": "Σ = V Λ Vᵀ, by torch.linalg.eigh; then W = diag(Λ^-½) Vᵀ.",
    },
)
