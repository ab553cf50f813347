"""Exercises of lab 10: timing, mirrored batches, Amdahl's law, shards, averaged gradients, whitening."""

from collections.abc import Callable
from functools import partial
from random import Random
from statistics import mean, median, median_low
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deepernets.course.exercises.judging import FunctionExercise, Mistake, Symptom
from deepernets.course.exercises.values import Stopped, Unsuitable, kind_of, normal, number, tensor

Summary = Callable[[list[float]], float]


def _timed(
    work: Callable[[], Any],
    clock: Callable[[], float],
    warm_up: int,
    repeats: int,
    summary: Summary = median,
) -> float:
    """Return the median time of a call of `work`, in seconds; or another summary of the times."""
    for _ in range(warm_up):
        work()
    times = []
    for _ in range(repeats):
        before = clock()
        work()
        times.append(clock() - before)
    return summary(times)


def _seconds_of_calls(draw: Random) -> list[tuple[list[float], int, int]]:
    """Return the seconds of each call (the first ones are slow, one is disturbed), warm-up calls and repeats."""
    cases = [([9.0, 2.0, 1.0, 4.0], 1, 3)]
    for warm_up, repeats in ((3, 7), (2, 6), (0, 5)):
        seconds = [9.0, 7.0, 5.0, *(draw.uniform(1, 2) for _ in range(20))]
        seconds[5] = 30.0
        cases.append((seconds, warm_up, repeats))
    return cases


def _observe_timing(
    function: Callable[..., Any], seconds: list[float], warm_up: int, repeats: int
) -> dict[str, float]:
    now, calls = 100.0, 0

    def work() -> None:  # moves the clock by what this call takes
        nonlocal now, calls
        now += seconds[min(calls, len(seconds) - 1)]
        calls += 1

    result = number("the median time of a call, in seconds")(function(work, lambda: now, warm_up, repeats))
    return {"the result": result, "the number of calls": calls}


MEDIAN_SECONDS = FunctionExercise(
    "median_seconds(work, clock, warm_up, repeats)",
    returns=number("the median time of a call, in seconds"),
    reference=_timed,
    inputs=_seconds_of_calls,
    observe=_observe_timing,
    shown=lambda seconds, warm_up, repeats: (
        f"work, clock, warm_up={warm_up}, repeats={repeats}; calls of work() take "
        f"{', '.join(f'{s:.3g}' for s in seconds[: warm_up + repeats])} s"
    ),
    mistakes=[
        Mistake("mean", partial(_timed, summary=mean), "One disturbed call moves the mean."),
        Mistake("minimum", partial(_timed, summary=min), "That is the fastest call, not a usual one."),
        Mistake("maximum", partial(_timed, summary=max), "That is the slowest call, not a usual one."),
        Mistake("total", partial(_timed, summary=sum), "That is the time of all calls together."),
        Mistake("last call", partial(_timed, summary=lambda times: times[-1]), "That is the last call."),
        Mistake(
            "middle without order",
            partial(_timed, summary=lambda times: times[len(times) // 2]),
            "The middle of the list is the median only after sorting.",
        ),
        Mistake(
            "even",
            [partial(_timed, summary=median_low), partial(_timed, summary=lambda t: sorted(t)[len(t) // 2])],
            "Right for an odd number of times. Of an even number, the median is the mean of the middle two.",
        ),
        Mistake(
            "no warm-up",
            [lambda w, c, _, n: _timed(w, c, 0, n), lambda w, c, _, n: _timed(w, c, 0, n, mean)],
            "The first calls are slow, and are among your times. Call work() first without timing it.",
        ),
        Mistake(
            "warm-up counted",
            lambda w, c, warm, n: _timed(w, c, 0, warm + n),
            "Warm-up calls must not count.",
        ),
        Mistake(
            "warm-up included in repeats",
            lambda work, clock, warm_up, repeats: _timed(work, clock, warm_up, repeats - warm_up),
            "You time repeats - warm_up calls. The warm-up comes in addition to the repeats.",
        ),
        Mistake(
            "per second", lambda *case: 1 / _timed(*case), "Return seconds per call, not calls per second."
        ),
        Mistake(
            "milliseconds", lambda *case: 1000 * _timed(*case), "Return seconds, as the clock counts them."
        ),
        Symptom(
            "own clock",
            lambda given, right: all(abs(one["the result"]) < 0.01 for one in given),
            "Your times are near 0. Is work() called between two readings of the `clock` that is passed?",
        ),
        Symptom(
            "calls",
            lambda given, right: [one["the result"] for one in given] == [one["the result"] for one in right],
            "The result is right, but work() was not called warm_up + repeats times.",
        ),
    ],
)


def _flip(images: Tensor, flips: Tensor, dims: tuple[int, ...] = (3,)) -> Tensor:
    return torch.where(flips[:, None, None, None], images.flip(dims), images)


def _batches(draw: Random) -> list[tuple[Tensor, Tensor]]:
    flips = [draw.random() < 0.5 for _ in range(4)]
    mixed = torch.tensor([True, False, *flips, True, False])
    return [
        (torch.tensor([1.0, 2.0, 3.0, 4.0]).view(2, 1, 1, 2), torch.tensor([True, False])),
        (normal(draw, 8, 3, 4, 5), mixed),
        (normal(draw, 8, 3, 5, 5), mixed[torch.tensor(draw.sample(range(8), 8))]),
        (normal(draw, 3, 1, 6, 4), torch.tensor([False, False, False])),
    ]


FLIPPED = FunctionExercise(
    "flipped(images, flips)",
    returns=tensor("the batch, (N, C, H, W)"),
    reference=_flip,
    inputs=_batches,
    keeps_inputs=True,
    mistakes=[
        Mistake("all alike", lambda i, _: i.flip(3), "You mirror all images. Each has its entry in `flips`."),
        Mistake("none", lambda i, _: i, "No image is mirrored."),
        Mistake("the others", lambda i, flips: _flip(i, ~flips), "You mirror those whose entry is False."),
        Mistake("upside down", partial(_flip, dims=(2,)), "You exchange top and bottom."),
        Mistake("both ways", partial(_flip, dims=(2, 3)), "You turn images by half a turn."),
        Mistake("channels", partial(_flip, dims=(1,)), "You reverse the channels, not the width."),
        Mistake("batch", partial(_flip, dims=(0,)), "You reverse the batch, so images lose their labels."),
        Mistake(
            "transposed",
            lambda i, flips: _flip(i, flips, (2, 3)).transpose(2, 3),
            "You exchange height and width. Reverse the width only.",
        ),
        Mistake(
            "some missing",
            [lambda i, flips: i[flips].flip(3), lambda i, flips: i[~flips]],
            "Only some of the images are left. Return all, in their places.",
        ),
        Mistake(
            "moved",
            [
                lambda i, flips: torch.cat([i[~flips], i[flips].flip(3)]),
                lambda i, flips: torch.cat([i[flips].flip(3), i[~flips]]),
            ],
            "Mirrored images come back at another place. Their labels stay where they were.",
        ),
    ],
)

OVERALL_SPEEDUP = FunctionExercise(
    "overall_speedup(share, factor)",
    returns=number("how many times as fast the whole becomes"),
    reference=lambda share, factor: 1 / ((1 - share) + share / factor),
    inputs=lambda draw: [
        (0.5, 2),
        (0.8, 4.0),
        (0.0, 3),
        (1, 8),
        (0.9, 1e9),
        (draw.uniform(0.2, 0.45), draw.uniform(3, 9)),
    ],
    mistakes=[
        Mistake("time left", lambda s, f: (1 - s) + s / f, "That is the time that is left, not a speed."),
        Mistake("multiplied", lambda s, f: 1 / ((1 - s) + s * f), "What becomes faster takes less time."),
        Mistake("exchanged", lambda s, f: 1 / (s + (1 - s) / f), "The share becomes faster, not the rest."),
        Mistake("weighted", lambda s, f: (1 - s) + s * f, "Times add up, speeds do not."),
        Mistake("factor", lambda s, f: f, "Only a share becomes that much faster."),
        Mistake("share of the factor", lambda s, f: s * f, "Times add up: that of the rest is missing."),
        Mistake("rest forgotten", lambda s, f: f / s, "The rest takes as long as before, and it is missing."),
        Mistake("saving", lambda s, f: s - s / f, "That is the share of time that is saved."),
        Mistake("gain", lambda s, f: 1 / (1 - s + s / f) - 1, "That is 1 where the whole is twice as fast."),
        Mistake("limit", lambda s, f: 1 / (1 - s), "That is the limit for an endless factor."),
        Mistake("percent", lambda s, f: 100 / (1 - s + s / f), "Return how many times as fast, not percent."),
    ],
)


def _read_shard(value: Any) -> list[int]:
    """Read a list, or a tensor or array of one dimension, of whole numbers: what can index a tensor."""
    entries = value.tolist() if type(value) in (Tensor, np.ndarray) else value
    if type(entries) is list and all(type(entry) is int for entry in entries):
        return entries
    inside = " of other things" if type(entries) is list else ""
    raise Unsuitable(f"Expected a list of indices for every rank; got {kind_of(value)}{inside}.")


def _observe_shards(function: Callable[..., Any], indices: list[int], world: int) -> dict[str, list[int]]:
    shards = [_read_shard(function(list(indices), rank, world)) for rank in range(world)]
    return {
        "the sorted list of all shards' entries": sorted(index for shard in shards for index in shard),
        "the sorted list of the shards' lengths": sorted(map(len, shards)),
    }


def _indices_and_worlds(draw: Random) -> list[tuple[list[int], int]]:
    lengths = [(2, 1), (4, 2), (5, 2), (12, 3), (10, 4), (draw.randint(7, 11), 5), (2, 3)]
    return [(draw.sample(range(100, 150), length), world) for length, world in lengths]


def _entries(outcome: dict[str, list[int]]) -> list[int]:
    return outcome["the sorted list of all shards' entries"]


def _any_pair(shows: Callable[[list[int], list[int]], bool]) -> Callable[[list[Any], list[Any]], bool]:
    """Return whether a property of all shards' entries, beside the right ones, shows for some input."""
    return lambda given, right: any(map(shows, map(_entries, given), map(_entries, right)))


SHARD = FunctionExercise(
    "shard(indices, rank, world)",
    returns=_read_shard,
    reference=lambda indices, rank, world: indices[rank::world],
    inputs=_indices_and_worlds,
    observe=_observe_shards,
    shown=lambda indices, world: f"{indices}, rank, {world}",
    mistakes=[
        Symptom(
            "too far",
            lambda given, right: any(isinstance(one, Stopped) and one.kind == "IndexError" for one in given),
            "You ask for an entry beyond the end of the list. Do all shards end before it does?",
        ),
        Mistake("everything", lambda i, *_: i, "Every process gets all indices."),
        Mistake(
            "all the same",
            [lambda i, rank, world: i[::world], lambda i, rank, world: i[: len(i) // world]],
            "Every process gets the same shard. Where is `rank` used?",
        ),
        Symptom(
            "positions",
            _any_pair(lambda found, indices: not set(found) <= set(indices)),
            "Some of your numbers are not in `indices`. Return its entries, not their positions.",
        ),
        Symptom(
            "repeats",
            _any_pair(lambda found, indices: len(set(found)) < len(found)),
            "Some indices are in two shards: these images would count twice.",
        ),
        Mistake("first missing", lambda i, rank, world: i[rank + 1 :: world], "Ranks count from 0."),
        Symptom(
            "rest lost",
            _any_pair(lambda found, indices: len(found) < len(indices)),
            "Some indices are in no shard. What if the length cannot be divided by `world`?",
        ),
        Symptom(
            "uneven",
            _any_pair(lambda found, indices: found == indices),
            "All indices are there, but one shard is longer than another by more than one.",
        ),
    ],
)


def _average(
    gradients: list[Tensor], images: list[int], divide: Callable[[list[int]], float] = sum
) -> Tensor:
    weighted = [count * gradient for count, gradient in zip(images, gradients, strict=True)]
    return torch.stack(weighted).sum(dim=0) / divide(images)


def _gradients_and_images(draw: Random) -> list[tuple[list[Tensor], list[int]]]:
    cases = [([torch.tensor([1.0, 2.0]), torch.tensor([5.0, 6.0])], [3, 1])]
    for counts, shape in (([30, 30, 4], (4,)), ([1, draw.randint(5, 9), 2, 2], (5, 3)), ([6], (2, 1, 3, 3))):
        cases.append(([normal(draw, *shape) for _ in counts], counts))
    return cases


AVERAGED = FunctionExercise(
    "averaged(gradients, images)",
    returns=tensor("the mean gradient, of the shape of one gradient"),
    reference=_average,
    inputs=_gradients_and_images,
    tolerance=1e-5,
    mistakes=[
        Mistake(
            "unweighted",
            lambda g, n: torch.stack(g).mean(dim=0),
            "A process with 1 image counts as much as one with 3: weight each with its images.",
        ),
        Mistake("sum", lambda g, _: torch.stack(g).sum(dim=0), "That is a sum, not a mean."),
        Mistake("not divided", partial(_average, divide=lambda n: 1), "Divide by the number of all images."),
        Mistake("processes", partial(_average, divide=len), "Divide by all images, not by processes."),
        Mistake(
            "divided already",
            lambda g, n: torch.stack(g).sum(dim=0) / sum(n),
            "Each gradient is a mean already: multiply it by its images before you divide.",
        ),
        Mistake(
            "inverse",
            lambda g, n: _average(g, [1 / count for count in n]),
            "The process with the fewest images has the largest weight. Turn it round.",
        ),
        Mistake("first", lambda g, _: g[0], "That is the first process's gradient alone."),
        Mistake(
            "one number",
            lambda g, n: _average(g, n).mean(),
            "Average over the processes only: the result has the shape of one gradient.",
        ),
    ],
)


def _covariances(draw: Random) -> list[tuple[Tensor]]:
    mixed = [normal(draw, size, size) for size in (3, 4, 6)]
    return [
        (torch.tensor([[5.0, 4.0], [4.0, 5.0]]),),
        *((matrix @ matrix.T + 0.5 * torch.eye(len(matrix)),) for matrix in mixed),
    ]


def _observe_whitening(function: Callable[..., Any], covariance: Tensor) -> dict[str, Tensor]:
    """Return the covariance after whitening, which is the same for all right answers."""
    sigma = covariance.double()
    matrix = tensor("W, as large as the covariance")(function(covariance))
    if matrix.shape != sigma.shape:
        raise Unsuitable(f"Expected W of the shape {tuple(sigma.shape)}; got {kind_of(matrix)}.")
    return {"W Σ Wᵀ": matrix.double() @ sigma @ matrix.double().T}


def _scaled(covariance: Tensor, power: float = -0.5) -> Tensor:
    """Return V Λ^power."""
    variances, directions = torch.linalg.eigh(covariance)
    return directions * variances**power


WHITENING = FunctionExercise(
    "whitening(covariance)",
    returns=tensor("W, as large as the covariance"),
    reference=lambda c: torch.linalg.inv(torch.linalg.cholesky(c)),
    inputs=_covariances,
    observe=_observe_whitening,
    tolerance=0.01,
    mistakes=[
        Mistake(
            "transposed",
            [_scaled, lambda c: torch.linalg.inv(torch.linalg.cholesky(c)).T],
            "Your filters are the columns of W. They should be its rows.",
        ),
        Mistake("turned only", lambda c: _scaled(c, 0).T, "The variances are not 1 yet: scale each row."),
        Mistake(
            "turned only, transposed",
            lambda c: _scaled(c, 0),
            "eigh returns directions as columns, W has filters as rows. They are not scaled yet, either.",
        ),
        Mistake(
            "divided by variances",
            lambda c: _scaled(c, -1).T,
            "You divide by Λ. What does a variance become if a filter is divided by 2?",
        ),
        Mistake(
            "multiplied",
            [lambda c: _scaled(c, 0.5).T, lambda c: _scaled(c, 1).T],
            "You make large variances larger still. Divide instead of multiplying.",
        ),
        Mistake(
            "not inverted",
            [torch.linalg.cholesky, lambda c: _scaled(c, 0.5) @ _scaled(c, 0).T],
            "That is a root of Σ. W undoes it.",
        ),
        Mistake(
            "scaled only",
            lambda c: c.diag().rsqrt().diag(),
            "Each answer has variance 1, but they are still correlated: turn first.",
        ),
        Mistake("inverse", torch.linalg.inv, "W appears twice in W Σ Wᵀ, so it is no inverse."),
        Mistake("nothing", lambda c: torch.eye(len(c)), "That W changes nothing."),
    ],
)

EXERCISES = (MEDIAN_SECONDS, FLIPPED, OVERALL_SPEEDUP, SHARD, AVERAGED, WHITENING)
