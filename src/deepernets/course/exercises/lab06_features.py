"""Exercises of lab 6, third part: each pixel by its training mean and deviation."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from deepernets.course.exercises.judging import JudgedExercise as Exercise
from deepernets.course.exercises.lab06_images import as_tensor
from deepernets.course.exercises.numbers import draws


def _features(seed: int) -> tuple[Tensor, Tensor]:
    """Return training (40, 6) and test (15, 6) features; two do not vary in training, one of them does in test."""
    generator = draws(seed, 63)
    scale = 0.1 + torch.rand(6, generator=generator)
    train = scale * torch.rand(40, 6, generator=generator)
    test = 0.2 + 1.5 * scale * torch.rand(15, 6, generator=generator)
    train[:, 2], test[:, 2] = 0.0, 0.0
    train[:, 4] = 0.0
    return train, test


def _divisor(train: Tensor, correction: int) -> Tensor:
    std = train.std(dim=0, correction=correction)
    return torch.where(std > 0, std, 1.0)


def _standardise(train: Tensor, test: Tensor, correction: int) -> list[Tensor]:
    return [(part - train.mean(dim=0)) / _divisor(train, correction) for part in (train, test)]


def judge_standardise_pixels(answer: Any, seed: int) -> str | None:
    """Each pixel by its training mean and deviation, in both sets; a deviation of 0 counts as 1."""
    if not callable(answer):
        return "no function"
    train, test = _features(seed)
    try:
        one, other = answer(train.clone(), test.clone())
    except ValueError:
        return "not two"
    given_train, given_test = as_tensor(one), as_tensor(other)
    if given_train is None or given_test is None:
        return "not two"
    if (given_train.shape, given_test.shape) != (train.shape, test.shape):
        swapped = (given_test.shape, given_train.shape) == (train.shape, test.shape)
        return "swapped" if swapped else "shape"
    given = torch.cat([given_train, given_test])
    # the deviation with n or with n - 1: both are in use
    if any(_alike(given, _standardise(train, test, correction)) for correction in (0, 1)):
        return None
    if given.isnan().any():
        return "nan"
    if given.isinf().any() or given.abs().max() > 1000:
        return "tiny divisor"
    return next(
        (
            mistake
            for mistake, wrong in _wrong_statistics(train, test).items()
            if any(_alike(given, wrong(correction)) for correction in (0, 1))
        ),
        "other",
    )


def _alike(given: Tensor, parts: Sequence[Tensor]) -> bool:
    return torch.allclose(given, torch.cat([*parts]).double(), rtol=1e-3, atol=1e-4)


def _wrong_statistics(train: Tensor, test: Tensor) -> dict[str, Callable[[int], Sequence[Tensor]]]:
    """Return, for each mistake, what it gives with the deviation of that correction."""
    both = torch.cat([train, test])

    def over(source: Tensor, dim: int | None, correction: int, what: Tensor) -> Tensor:
        std = source.std(dim=dim, correction=correction, keepdim=True)
        return (what - source.mean(dim=dim, keepdim=True)) / torch.where(std > 0, std, 1.0)

    def squared(correction: int) -> Sequence[Tensor]:
        variance = train.var(dim=0, correction=correction)
        variance = torch.where(variance > 0, variance, 1.0)
        return [(part - train.mean(dim=0)) / variance for part in (train, test)]

    def zeroed(correction: int) -> Sequence[Tensor]:
        varies = train.std(dim=0) > 0
        return [part * varies for part in _standardise(train, test, correction)]

    return {
        "test statistics": lambda c: [over(part, 0, c, part) for part in (train, test)],
        "joint statistics": lambda c: [over(both, 0, c, part) for part in (train, test)],
        "all pixels alike": lambda c: [over(train, None, c, part) for part in (train, test)],
        "per image": lambda c: [over(part, 1, c, part) for part in (train, test)],
        "variance": squared,
        "mean only": lambda c: [part - train.mean(dim=0) for part in (train, test)],
        "deviation only": lambda c: [part / _divisor(train, c) for part in (train, test)],
        "test untouched": lambda c: [_standardise(train, test, c)[0], test],
        "zeroed": zeroed,
    }


STANDARDISE_PIXELS = Exercise(
    "standardise_pixels",
    judge_standardise_pixels,
    {
        "no function": "A function is wanted: standardise_pixels(train, test).",
        "not two": "Return two tensors: the training and the test images, both standardised.",
        "swapped": "Both are there, in the other order: training images first.",
        "shape": "Both results keep the shape of what came in.",
        "nan": "Some pixels are the same in every training image, and 0 / 0 is no number: what can you divide by "
        "there?",
        "tiny divisor": "A pixel that never varied in training explodes in the test images: you divide by "
        "(almost) 0.",
        "test statistics": "The test images were standardised with their own statistics. Would you have those for "
        "a single new image?",
        "joint statistics": "Mean and deviation come from both sets together; the test images must not have a say.",
        "all pixels alike": "One mean for all pixels together; each pixel, that is each column, has its own.",
        "per image": "Each image was standardised by itself; the statistics of a pixel run over images, dim=0.",
        "variance": "You divide by the variance; the deviation is its root.",
        "mean only": "The mean is gone; divide by the deviation too.",
        "deviation only": "The deviation is right; subtract the mean first.",
        "test untouched": "The test images came back as they went in; the model expects them standardised.",
        "zeroed": "A pixel that never varied in training was set to 0; divide by 1 there, so that test images "
        "keep what they have.",
        "other": "Mean and deviation over the training images, dim=0; then the same two for both sets.",
    },
)
