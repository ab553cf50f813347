"""Exercises of lab 10, second part: work shared by several processes."""

from collections import Counter
from typing import Any

import torch
from torch import Tensor

from deepernets.course.exercises.judging import JudgedExercise as Exercise
from deepernets.course.exercises.numbers import draws


def judge_shard(answer: Any, seed: int) -> str | None:
    """Shards that hold every index once, and whose sizes differ by one at most."""
    if not callable(answer):
        return "no function"
    for length, world in ((12, 3), (10, 4), (7 + seed % 5, 2)):
        indices = [100 + 3 * index for index in range(length)]
        try:
            shards = [[int(index) for index in answer(list(indices), rank, world)] for rank in range(world)]
        except (TypeError, ValueError):
            return "no list"
        except IndexError:
            return "too far"
        mistake = _mistake_of(shards, indices)
        if mistake:
            return mistake
    return None


def _mistake_of(shards: list[list[int]], indices: list[int]) -> str | None:
    sizes = sorted(map(len, shards))
    if len(shards) > 1 and all(shard == indices for shard in shards):
        return "everything"
    if len(shards) > 1 and shards[0] and all(shard == shards[0] for shard in shards):
        return "all the same"
    found = Counter(index for shard in shards for index in shard)
    if set(found) - set(indices):
        return "positions"
    if max(found.values(), default=0) > 1:
        return "repeats"
    missing = set(indices) - set(found)
    if missing:
        return "first missing" if indices[0] in missing else "rest lost"
    return "uneven" if sizes[-1] - sizes[0] > 1 else None


SHARD = Exercise(
    "shard",
    judge_shard,
    {
        "no function": "A function is wanted: shard(indices, rank, world).",
        "no list": "A list of indices is wanted for every rank.",
        "too far": "An index error: do all shards end before the list does?",
        "everything": "Every process gets all indices, and does all of the work.",
        "all the same": "Every process gets the same shard: what is `rank` for?",
        "positions": "Those are positions, or numbers of your own; the shard's elements of `indices` are wanted.",
        "repeats": "Some indices are in two shards: these images would count twice.",
        "first missing": "The first index is in no shard: ranks count from 0.",
        "rest lost": "Where the length cannot be divided, the last indices are in no shard.",
        "uneven": "All indices are there, but one process has more than one index more to do than another.",
        "other": "Every world-th index, starting with the rank-th.",
    },
)


def judge_averaged(answer: Any, seed: int) -> str | None:
    """The mean gradient over all images: each process's mean weighted with its images."""
    if not callable(answer):
        return "no function"
    gradients = [torch.randn(4, generator=draws(seed, 102 + rank)) for rank in range(3)]
    images = [30, 30, 4]
    kept = [gradient.clone() for gradient in gradients]
    given = answer(gradients, images)
    if not isinstance(given, Tensor) or given.shape != kept[0].shape:
        return "no tensor"
    total = sum(images)
    weighted = sum((count * gradient for count, gradient in zip(images, kept, strict=True)), torch.zeros(4))
    stacked = torch.stack(kept)
    usual = {
        "unweighted": stacked.mean(dim=0),
        "sum": stacked.sum(dim=0),
        "not divided": weighted,
        "divided by processes": weighted / len(kept),
        "divided already": stacked.sum(dim=0) / total,
        "first": kept[0],
        "median": stacked.median(dim=0).values,
    }
    if torch.allclose(given, weighted / total, atol=1e-5):
        return None
    return next(
        (mistake for mistake, wrong in usual.items() if torch.allclose(given, wrong, atol=1e-5)), "other"
    )


AVERAGED = Exercise(
    "averaged",
    judge_averaged,
    {
        "no function": "A function is wanted: averaged(gradients, images).",
        "no tensor": "A tensor is wanted, of the shape of one gradient.",
        "unweighted": "A process with 4 images counts as much as one with 30: weight each with its images.",
        "sum": "That is the sum; the step would grow with the number of processes.",
        "not divided": "The weights are right; divide by the number of all images.",
        "divided by processes": "Divide by the number of all images, not of processes.",
        "divided already": "Each gradient is a mean already: multiply it with its images before you divide.",
        "first": "That is the first process's gradient; the others have worked for nothing.",
        "median": "That is a median; the gradient of the whole batch is a mean.",
        "other": "Sum of images · gradient over all processes, divided by the sum of the images.",
    },
)
