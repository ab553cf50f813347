"""The answers that students of lab 10 really give."""

import statistics
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
import torch


def timed(work: Any, clock: Any, warm_up: int, repeats: int, summary: Any = statistics.median) -> Any:
    for _ in range(warm_up):
        work()
    times = []
    for _ in range(repeats):
        started = clock()
        work()
        times.append(clock() - started)
    return summary(times)


def timed_by_readings(work: Any, clock: Any, warm_up: int, repeats: int) -> Any:
    [work() for _ in range(warm_up)]
    readings = [clock()]
    for _ in range(repeats):
        work()
        readings.append(clock())
    return np.median(np.diff(readings))


def timed_in_all(work: Any, clock: Any, warm_up: int, repeats: int) -> Any:
    return timed(work, clock, 0, warm_up + repeats)


def flip(images: Any, flips: Any, dim: Any = 3) -> torch.Tensor:
    out = images.clone()
    out[flips] = images[flips].flip(dim)
    return out


def flip_one_by_one(images: Any, flips: Any) -> torch.Tensor:
    return torch.stack([image.flip(-1) if turn else image for image, turn in zip(images, flips, strict=True)])


def flip_in_place(images: Any, flips: Any) -> torch.Tensor:
    images[flips] = images[flips].flip(3)
    return images


def flip_batch(images: Any, flips: Any) -> torch.Tensor:
    return torch.where(flips[:, None, None, None], images.flip(0), images)


def halves(indices: Any, rank: int, world: int) -> Any:
    """Contiguous shards, the first ones one longer where they must be."""
    size, rest = divmod(len(indices), world)
    start = rank * size + min(rank, rest)
    return indices[start : start + size + (rank < rest)]


def chunk(indices: Any, rank: int, world: int, size: Any) -> Any:
    return indices[rank * size : (rank + 1) * size]


def weighted(gradients: Any, images: Any, divisor: Any = None) -> torch.Tensor:
    total = sum(count * gradient for count, gradient in zip(images, gradients, strict=True))
    return total / (sum(images) if divisor is None else divisor)


def whitened(covariance: Any, power: Any = -0.5, transpose: Any = True) -> torch.Tensor:
    """By eigenvalues: diag(Λ^power) Vᵀ."""
    variances, directions = torch.linalg.eigh(covariance)
    scaled = directions * variances**power
    return scaled.T if transpose else scaled


def whitened_by_cholesky(covariance: Any) -> torch.Tensor:
    return torch.linalg.inv(torch.linalg.cholesky(covariance))


def whitened_symmetrically(covariance: Any) -> torch.Tensor:
    """Whiten and turn back."""
    variances, directions = torch.linalg.eigh(covariance)
    return directions @ torch.diag(variances.rsqrt()) @ directions.T


RIGHT: list[tuple[str, Any]] = [
    ("median_seconds", timed),
    ("median_seconds", timed_by_readings),
    ("flipped", flip),
    ("flipped", flip_one_by_one),
    ("overall_speedup", lambda share, factor: 1 / (1 - share + share / factor)),
    ("overall_speedup", lambda share, factor: factor / (factor * (1 - share) + share)),
    ("shard", lambda indices, rank, world: indices[rank::world]),
    ("shard", halves),
    ("averaged", weighted),
    (
        "averaged",
        lambda gradients, images: torch.tensordot(
            torch.tensor(images).float() / sum(images), torch.stack(gradients), dims=1
        ),
    ),
    ("whitening", whitened),
    ("whitening", whitened_by_cholesky),
    ("whitening", lambda covariance: whitened(covariance.double())),
    (
        "averaged",
        lambda gradients, images: torch.tensor(np.average(np.stack(gradients), axis=0, weights=images)),
    ),
    ("shard", lambda indices, rank, world: np.array_split(indices, world)[rank]),
    ("shard", lambda indices, rank, world: torch.tensor(indices)[rank::world]),
    ("whitening", whitened_symmetrically),
]
WRONG: list[tuple[str, str, Any]] = [
    ("median_seconds", "even", partial(timed, summary=statistics.median_high)),
    ("median_seconds", "own clock", lambda work, clock, *calls: timed(work, perf_counter, *calls)),
    ("flipped", "moved", lambda images, flips: torch.cat([images[~flips], images[flips].flip(3)])),
    ("flipped", "kind", lambda images, flips: flip(images, flips).numpy()),
    ("flipped", "counter-example", lambda images, flips: images.flip(3) if flips[0] else images),
    ("shard", "kind", lambda indices, rank, world: tuple(indices[rank::world])),
    ("shard", "kind", lambda indices, rank, world: [float(index) for index in indices[rank::world]]),
    ("shard", "uneven", lambda indices, rank, world: [index for index in indices if index % world == rank]),
    ("averaged", "kind", lambda gradients, images: weighted(gradients, images).numpy()),
    ("averaged", "one number", lambda gradients, images: weighted(gradients, images).mean()),
    ("whitening", "kind", lambda covariance: whitened(covariance).to(torch.complex64)),
    ("whitening", "transposed", lambda covariance: whitened_by_cholesky(covariance).T),
    ("whitening", "not inverted", torch.linalg.cholesky),
    ("whitening", "counter-example", lambda covariance: len(covariance) * whitened(covariance)),
    ("median_seconds", "mean", partial(timed, summary=statistics.mean)),
    ("median_seconds", "minimum", partial(timed, summary=min)),
    ("median_seconds", "total", partial(timed, summary=sum)),
    ("median_seconds", "last call", partial(timed, summary=lambda times: times[-1])),
    ("median_seconds", "no warm-up", lambda work, clock, warm_up, repeats: timed(work, clock, 0, repeats)),
    (
        "median_seconds",
        "no warm-up",
        lambda work, clock, warm_up, repeats: timed(work, clock, 0, repeats, statistics.mean),
    ),
    ("median_seconds", "warm-up counted", timed_in_all),
    ("median_seconds", "per second", lambda *args: 1 / timed(*args)),
    ("median_seconds", "calls", lambda work, *args: [timed(work, *args), work()][0]),
    ("median_seconds", "kind", partial(timed, summary=list)),
    ("median_seconds", "own clock", lambda *args: 0.0),
    ("flipped", "all alike", lambda images, flips: images.flip(3)),
    ("flipped", "none", lambda images, flips: images),
    ("flipped", "the others", lambda images, flips: flip(images, ~flips)),
    ("flipped", "upside down", lambda images, flips: flip(images, flips, 2)),
    ("flipped", "both ways", lambda images, flips: flip(images, flips, (2, 3))),
    ("flipped", "channels", lambda images, flips: flip(images, flips, 1)),
    ("flipped", "batch", flip_batch),
    ("flipped", "some missing", lambda images, flips: images[flips].flip(3)),
    ("flipped", "changes inputs", flip_in_place),
    ("flipped", "kind", lambda images, flips: None),
    ("flipped", "counter-example", lambda images, flips: -images),
    ("overall_speedup", "time left", lambda share, factor: 1 - share + share / factor),
    ("overall_speedup", "multiplied", lambda share, factor: 1 / (1 - share + share * factor)),
    ("overall_speedup", "exchanged", lambda share, factor: 1 / (share + (1 - share) / factor)),
    ("overall_speedup", "weighted", lambda share, factor: 1 - share + share * factor),
    ("overall_speedup", "factor", lambda share, factor: factor),
    ("overall_speedup", "share of the factor", lambda share, factor: share * factor),
    ("overall_speedup", "rest forgotten", lambda share, factor: factor / share),
    ("overall_speedup", "saving", lambda share, factor: share - share / factor),
    ("overall_speedup", "kind", lambda share, factor: None),
    ("overall_speedup", "counter-example", lambda share, factor: 7.0),
    ("shard", "everything", lambda indices, rank, world: indices),
    ("shard", "all the same", lambda indices, rank, world: indices[::world]),
    ("shard", "positions", lambda indices, rank, world: list(range(rank, len(indices), world))),
    (
        "shard",
        "repeats",
        lambda i, rank, world: i[max(0, rank * (len(i) // world) - 1) : (rank + 1) * len(i) // world],
    ),
    ("shard", "first missing", lambda indices, rank, world: indices[rank + 1 :: world]),
    ("shard", "rest lost", lambda indices, rank, world: chunk(indices, rank, world, len(indices) // world)),
    (
        "shard",
        "uneven",
        lambda i, rank, world: i[
            rank * (len(i) // world) : None if rank == world - 1 else (rank + 1) * (len(i) // world)
        ],
    ),
    ("shard", "kind", lambda indices, rank, world: rank),
    (
        "shard",
        "too far",
        lambda indices, rank, world: [indices[rank + world * step] for step in range(len(indices))],
    ),
    ("averaged", "unweighted", lambda gradients, images: sum(gradients) / len(gradients)),
    ("averaged", "sum", lambda gradients, images: sum(gradients)),
    ("averaged", "not divided", lambda gradients, images: weighted(gradients, images, 1)),
    (
        "averaged",
        "processes",
        lambda gradients, images: weighted(gradients, images, len(gradients)),
    ),
    ("averaged", "divided already", lambda gradients, images: sum(gradients) / sum(images)),
    ("averaged", "first", lambda gradients, images: gradients[0]),
    ("averaged", "counter-example", lambda gradients, images: torch.stack(gradients).median(dim=0).values),
    ("averaged", "kind", lambda gradients, images: gradients),
    ("averaged", "counter-example", lambda gradients, images: torch.zeros(4)),
    ("whitening", "transposed", lambda covariance: whitened(covariance, transpose=False)),
    ("whitening", "turned only", lambda covariance: whitened(covariance, 0)),
    ("whitening", "turned only, transposed", lambda covariance: whitened(covariance, 0, transpose=False)),
    ("whitening", "divided by variances", lambda covariance: whitened(covariance, -1)),
    ("whitening", "multiplied", lambda covariance: whitened(covariance, 0.5)),
    ("whitening", "scaled only", lambda covariance: covariance.diag().rsqrt().diag()),
    ("whitening", "inverse", torch.linalg.inv),
    ("whitening", "kind", lambda covariance: covariance.diag()),
    ("whitening", "kind", lambda covariance: covariance.tolist()),
    ("whitening", "nothing", lambda covariance: torch.eye(len(covariance))),
]
