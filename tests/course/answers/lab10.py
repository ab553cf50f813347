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


def saved(model: Any, optimizer: Any, epoch: Any) -> dict[str, Any]:
    entries = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
    return {**entries, "random": torch.get_rng_state()}


def save(path: Any, model: Any, optimizer: Any, epoch: int) -> None:
    torch.save(saved(model, optimizer, epoch), path)


def save_atomically(path: Any, model: Any, optimizer: Any, epoch: int) -> None:
    part = path.with_suffix(".part")
    torch.save(dict(sorted(saved(model, optimizer, torch.tensor(epoch)).items())), part)
    part.rename(path)


def save_other(**changes: Any) -> Any:
    """Return a `save_checkpoint` with entries that are made in another way."""

    def save_checkpoint(path: Any, model: Any, optimizer: Any, epoch: int) -> None:
        made = {key: make(model, optimizer, epoch) for key, make in changes.items()}
        torch.save(saved(model, optimizer, epoch) | made, path)

    return save_checkpoint


def save_without(key: str) -> Any:
    def save_checkpoint(path: Any, *state: Any) -> None:
        torch.save({name: value for name, value in saved(*state).items() if name != key}, path)

    return save_checkpoint


def save_after_drawing(path: Any, *state: Any) -> None:
    save(path, *state)
    torch.rand(1)


def save_after_a_change(path: Any, model: Any, *state: Any) -> None:
    save(path, model, *state)
    model[0].weight.data.add_(0.1)


def load(path: Any, model: Any, optimizer: Any) -> Any:
    entries = torch.load(path, weights_only=True)
    model.load_state_dict(entries["model"])
    optimizer.load_state_dict(entries["optimizer"])
    torch.random.set_rng_state(entries["random"])
    return entries["epoch"]


def load_tensor_by_tensor(path: Any, model: Any, optimizer: Any) -> Any:
    entries = torch.load(path)
    with torch.no_grad():
        for name, values in model.state_dict().items():
            values.copy_(entries["model"][name])
    optimizer.load_state_dict(entries["optimizer"])
    torch.set_rng_state(entries["random"])
    return torch.tensor(entries["epoch"])


def load_parameters(path: Any, model: Any, optimizer: Any) -> Any:
    statistics = {name: values.clone() for name, values in model.named_buffers()}
    epoch = load(path, model, optimizer)
    model.load_state_dict(statistics, strict=False)
    return epoch


def load_and_reset_the_rate(path: Any, model: Any, optimizer: Any) -> Any:
    epoch = load(path, model, optimizer)
    optimizer.param_groups[0]["lr"] = 0.1
    return epoch


def load_without(key: str) -> Any:
    """Return a `load_checkpoint` that leaves one entry alone."""

    def load_checkpoint(path: Any, model: Any, optimizer: Any) -> Any:
        entries = torch.load(path)
        for name, target in {"model": model, "optimizer": optimizer}.items():
            if name != key:
                target.load_state_dict(entries[name])
        if key != "random":
            torch.set_rng_state(entries["random"])
        return entries["epoch"]

    return load_checkpoint


def load_by_assigning(path: Any, model: Any, optimizer: Any) -> Any:
    entries = torch.load(path)
    model = entries["model"]
    optimizer.state = entries["optimizer"] and model and optimizer.state
    torch.set_rng_state(entries["random"])
    return entries["epoch"]


def load_and_sleep(path: Any, model: Any, optimizer: Any) -> Any:
    epoch = load(path, model, optimizer)
    model.eval()
    return epoch


def load_into_a_new_optimizer(path: Any, model: Any, optimizer: Any) -> Any:
    return load(path, model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9))


def load_and_draw(path: Any, model: Any, optimizer: Any) -> Any:
    epoch = load(path, model, optimizer)
    torch.rand(1)
    return epoch


def turned(covariance: Any) -> torch.Tensor:
    return torch.linalg.eigh(covariance).eigenvectors.T


def turned_by_numpy(covariance: Any) -> torch.Tensor:
    values, vectors = np.linalg.eig(covariance.numpy())
    return torch.from_numpy(vectors[:, np.argsort(-values)].T.copy())


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
    ("save_checkpoint", save),
    ("save_checkpoint", save_atomically),
    ("load_checkpoint", load),
    ("load_checkpoint", load_tensor_by_tensor),
    ("uncorrelated_filters", turned),
    ("uncorrelated_filters", turned_by_numpy),
    ("uncorrelated_filters", lambda covariance: torch.linalg.svd(covariance)[2]),
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
    ("shard", "kind", lambda indices, rank, world: tuple(indices[rank::world])),
    ("shard", "kind", lambda indices, rank, world: [float(index) for index in indices[rank::world]]),
    ("shard", "uneven", lambda indices, rank, world: [index for index in indices if index % world == rank]),
    ("shard", "exception", lambda indices, rank, world: np.reshape(indices, (world, -1))[rank]),
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
    ("save_checkpoint", "kind", lambda path, *state: None),
    ("save_checkpoint", "kind", lambda path, model, *state: torch.save(model, path)),
    ("save_checkpoint", "kind", save_other(model=lambda model, *_: model)),
    ("save_checkpoint", "kind", lambda path, model, *state: torch.save([1, 2], path)),
    ("save_checkpoint", "keys", lambda path, model, *state: torch.save(model.state_dict(), path)),
    ("save_checkpoint", "keys", save_without("random")),
    ("save_checkpoint", "keys", save_without("epoch")),
    ("save_checkpoint", "keys", save_other(loss=lambda *state: 0.5)),
    (
        "save_checkpoint",
        "parameters only",
        save_other(model=lambda model, *_: dict(model.named_parameters())),
    ),
    (
        "save_checkpoint",
        "optimizer",
        save_other(optimizer=lambda model, optimizer, _: optimizer.param_groups),
    ),
    ("save_checkpoint", "optimizer", save_other(optimizer=lambda *state: {"lr": 0.1, "momentum": 0.9})),
    (
        "save_checkpoint",
        "no momentum",
        save_other(
            optimizer=lambda m, *_: torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9).state_dict()
        ),
    ),
    ("save_checkpoint", "random", save_other(random=lambda *state: torch.initial_seed())),
    (
        "save_checkpoint",
        "other random state",
        save_other(random=lambda *state: torch.Generator().manual_seed(0).get_state()),
    ),
    ("save_checkpoint", "next epoch", save_other(epoch=lambda model, optimizer, epoch: epoch + 1)),
    ("save_checkpoint", "kind", save_other(epoch=lambda *state: "last")),
    ("save_checkpoint", "draws", save_after_drawing),
    ("save_checkpoint", "changes the training", save_after_a_change),
    ("save_checkpoint", "changes the training", lambda path, model, *state: save(path, model.eval(), *state)),
    (
        "save_checkpoint",
        "weights",
        save_other(model=lambda model, *_: {name: v.half() for name, v in model.state_dict().items()}),
    ),
    (
        "save_checkpoint",
        "model",
        save_other(
            model=lambda model, optimizer, _: optimizer.state_dict(),
            optimizer=lambda model, *_: model.state_dict(),
        ),
    ),
    ("save_checkpoint", "kind", lambda path, *state: save(path.parent / "checkpoint.pt", *state)),
    ("save_checkpoint", "kind", "checkpoint.pt"),
    ("load_checkpoint", "weights", load_without("model")),
    ("load_checkpoint", "weights", load_by_assigning),
    ("load_checkpoint", "momentum", load_without("optimizer")),
    ("load_checkpoint", "momentum", load_into_a_new_optimizer),
    ("load_checkpoint", "random", load_without("random")),
    ("load_checkpoint", "random", load_and_draw),
    ("load_checkpoint", "mode", load_and_sleep),
    ("load_checkpoint", "mode", lambda path, model, optimizer: load(path, model.train(), optimizer)),
    ("load_checkpoint", "statistics", load_parameters),
    ("load_checkpoint", "file", lambda path, *fresh: [load(path, *fresh), path.unlink()][0]),
    ("load_checkpoint", "counter-example", load_and_reset_the_rate),
    ("load_checkpoint", "next epoch", lambda *call: load(*call) + 1),
    ("load_checkpoint", "fixed epoch", lambda *call: load(*call) * 0),
    ("load_checkpoint", "kind", lambda *call: [load(*call), None][1]),
    ("load_checkpoint", "kind", lambda *call: load(*call) and torch.load(call[0])),
    ("load_checkpoint", "counter-example", lambda *call: load(*call) - 1),
    ("uncorrelated_filters", "transposed", lambda covariance: turned(covariance).T),
    ("uncorrelated_filters", "transposed", lambda covariance: torch.linalg.svd(covariance).U),
    ("uncorrelated_filters", "nothing", lambda covariance: torch.eye(len(covariance))),
    ("uncorrelated_filters", "scaled", whitened),
    ("uncorrelated_filters", "scaled", whitened_by_cholesky),
    ("uncorrelated_filters", "scaled up", partial(whitened, power=0.5)),
    ("uncorrelated_filters", "variances", lambda covariance: torch.linalg.eigh(covariance)[0].diag()),
    ("uncorrelated_filters", "kind", lambda covariance: torch.linalg.eigh(covariance)[0]),
    ("uncorrelated_filters", "kind", torch.linalg.eigh),
    ("uncorrelated_filters", "kind", lambda covariance: turned(covariance).tolist()),
    ("uncorrelated_filters", "not turned", lambda covariance: covariance),
    ("uncorrelated_filters", "not orthogonal", lambda covariance: 2 * turned(covariance)),
    ("uncorrelated_filters", "not orthogonal", torch.zeros_like),
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
    (
        "averaged",
        "changes inputs",
        lambda gradients, images: (
            sum(gradient.mul_(count) for gradient, count in zip(gradients, images, strict=True)) / sum(images)
        ),
    ),
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
    ("whitening", "changes inputs", lambda covariance: covariance.copy_(whitened(covariance))),
    (
        "whitening",
        "columns scaled",
        lambda covariance: whitened(covariance, 0) / torch.linalg.eigvalsh(covariance).sqrt(),
    ),
    (
        "whitening",
        "other order",
        lambda covariance: (
            whitened(covariance, 0) / torch.linalg.eigvalsh(covariance).flip(0).sqrt()[:, None]
        ),
    ),
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
