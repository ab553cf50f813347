"""Exercises of lab 10: timing, checkpoints, shards, averaged gradients, whitening in two steps."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from statistics import mean, median, median_low
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import SGD

from deepernets.course.exercises.judging import FunctionExercise, Mistake, Symptom, every, fails
from deepernets.course.exercises.values import (
    Raised,
    Stopped,
    Unsuitable,
    attempt,
    kind_of,
    normal,
    number,
    tensor,
)

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
            every(lambda one: abs(one["the result"]) < 0.01),
            "Your times are near 0. Is work() called between two readings of the `clock` that is passed?",
        ),
        Symptom(
            "calls",
            lambda given, right: [one["the result"] for one in given] == [one["the result"] for one in right],
            "The result is right, but work() was not called warm_up + repeats times.",
        ),
    ],
)


KEYS = ("model", "optimizer", "epoch", "random")


def _small_training(seed: int) -> tuple[nn.Module, SGD]:
    """Seed the random numbers, and return a network with dropout and running statistics, and its optimizer."""
    torch.manual_seed(seed)
    layers = [nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 3)]
    network = nn.Sequential(*layers)
    return network, SGD(network.parameters(), lr=0.1, momentum=0.9)


def _steps(network: nn.Module, optimizer: SGD, number_of_steps: int) -> Tensor:
    """Take steps on random images, and return all weights and statistics as one vector."""
    for _ in range(number_of_steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(torch.randn(8, 4)), torch.randint(3, (8,))).backward()
        optimizer.step()
    return _vector(network)


def _vector(network: nn.Module) -> Tensor:
    return torch.cat([values.detach().double().flatten() for values in network.state_dict().values()])


def _momentum(optimizer: SGD) -> Tensor:
    states = [state.get("momentum_buffer") for state in optimizer.state.values()]
    return torch.cat([torch.zeros(0), *(values.flatten() for values in states if values is not None)])


def _state(model: nn.Module, optimizer: SGD) -> tuple[list[float], list[float], bool]:
    """Return weights and statistics, momentum, and whether the network is in training mode."""
    return _vector(model).tolist(), _momentum(optimizer).tolist(), model.training


def _checkpoint(model: nn.Module, optimizer: SGD, epoch: int) -> dict[str, Any]:
    return {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": epoch,
        "random": torch.get_rng_state(),
    }


def _save_checkpoint(path: Path, model: nn.Module, optimizer: SGD, epoch: int) -> None:
    """Write all that training needs to go on into one file."""
    torch.save(_checkpoint(model, optimizer, epoch), path)


def _load_checkpoint(path: Path, model: nn.Module, optimizer: SGD) -> int:
    """Restore model, optimizer and random numbers from a file, and return the number of finished epochs."""
    checkpoint = torch.load(path)
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    torch.set_rng_state(checkpoint["random"])
    return int(checkpoint["epoch"])


def _observe_saving(function: Callable[..., Any], seed: int, epoch: int) -> dict[str, Any]:
    model, optimizer = _small_training(seed)
    _steps(model, optimizer, 3)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{epoch}.pt"
        before, training = torch.get_rng_state(), _state(model, optimizer)
        function(path, model, optimizer, epoch)
        kept = training == _state(model, optimizer)
        draws = not torch.equal(before, torch.get_rng_state())
        if not path.is_file():
            raise Unsuitable("There is no file at `path` after the call: write one with torch.save(…, path).")
        checkpoint = attempt(torch.load, path)
    if isinstance(checkpoint, Raised):
        raise Unsuitable(
            "torch.load(path) refuses the file. Store state dictionaries, numbers and tensors, not objects such as "
            "the network itself."
        )
    if not isinstance(checkpoint, dict):
        raise Unsuitable(f"Expected a dictionary in the file; got {kind_of(checkpoint)}.")
    found: dict[str, Any] = {"the set of keys": sorted(map(str, checkpoint))}
    if found["the set of keys"] != sorted(KEYS):
        return found
    names = attempt(lambda: sorted(map(str, checkpoint["model"])))
    found["the names in the entry 'model'"] = [] if isinstance(names, Raised) else names
    unbroken = _steps(model, optimizer, 2)
    resumed = _small_training(seed + 1)
    loads = {
        "model": lambda: resumed[0].load_state_dict(checkpoint["model"]),
        "optimizer": lambda: resumed[1].load_state_dict(checkpoint["optimizer"]),
        "random": lambda: torch.set_rng_state(checkpoint["random"]),
    }
    for key, load in loads.items():
        if isinstance(attempt(load), Raised):
            return found | {"the entry that cannot be loaded": key}
    momentum = _momentum(resumed[1])
    continued = _steps(*resumed, 2)
    return found | {
        "the entry that cannot be loaded": "none",
        "whether the function draws random numbers": draws,
        "whether network and optimizer are as before": kept,
        "whether the entry 'random' is the generator's state": torch.equal(checkpoint["random"], before),
        "the entry 'epoch'": number("the entry 'epoch'")(checkpoint["epoch"]),
        "the number of momentum values": len(momentum),
        "whether two further steps give the weights of an unbroken run": torch.equal(unbroken, continued),
        "the weights of an unbroken run": unbroken,
        "the weights of the resumed run": continued,
    }


def _saving(**changes: Callable[[nn.Module, SGD, int], Any]) -> Callable[..., None]:
    """Return a `save_checkpoint` that writes other entries, or leaves one out where the change is None."""

    def save_checkpoint(path: Path, model: nn.Module, optimizer: SGD, epoch: int) -> None:
        checkpoint = _checkpoint(model, optimizer, epoch)
        for key, change in changes.items():
            checkpoint[key] = change(model, optimizer, epoch)
        torch.save(checkpoint, path)

    return save_checkpoint


def _refused(key: str) -> Callable[[list[Any], list[Any]], bool]:
    return every(lambda one: one.get("the entry that cannot be loaded") == key)


SAVE_CHECKPOINT = FunctionExercise(
    "save_checkpoint(path, model, optimizer, epoch)",
    returns=lambda value: value,
    reference=_save_checkpoint,
    inputs=lambda draw: [(draw.getrandbits(16), 1), (draw.getrandbits(16), draw.randint(2, 90))],
    observe=_observe_saving,
    shown=lambda _, epoch: f"path, model, optimizer, {epoch}",
    tries=1,
    mistakes=[
        Symptom(
            "keys",
            every(lambda one: len(one) == 1),
            "The file has other keys than the four of the text: is one missing, or spelled in another way?",
        ),
        Mistake(
            "parameters only",
            [
                _saving(model=lambda model, *_: dict(model.named_parameters())),
                _saving(model=lambda model, *_: [values.detach() for values in model.parameters()]),
            ],
            "The entry 'model' has parameters only. Running statistics are part of a network, too: which method "
            "returns both?",
        ),
        Symptom(
            "model", _refused("model"), "`load_state_dict` of an equal network refuses the entry 'model'."
        ),
        Symptom(
            "optimizer",
            _refused("optimizer"),
            "`load_state_dict` of an equal optimizer refuses the entry 'optimizer'.",
        ),
        Symptom(
            "random",
            _refused("random"),
            "`torch.set_rng_state` refuses the entry 'random'. A seed is not a state: which function returns the "
            "state that it expects?",
        ),
        Symptom(
            "no momentum",
            every(lambda one: one.get("the number of momentum values") == 0),
            "The entry 'optimizer' has no momentum. Is it the state of the optimizer that was passed?",
        ),
        Symptom(
            "draws",
            every(lambda one: one.get("whether the function draws random numbers")),
            "Your function draws random numbers, so the interrupted training and the resumed one differ.",
        ),
        Symptom(
            "changes the training",
            fails("whether network and optimizer are as before"),
            "Your function changes the weights, the mode of the network, or the optimizer. Only read from them.",
        ),
        Mistake(
            "other random state",
            [
                _saving(random=lambda *_: torch.Generator().get_state()),
                _saving(random=lambda *_: torch.Generator().manual_seed(0).get_state()),
            ],
            "The entry 'random' is a state, but not that of the generator which dropout and shuffling draw from.",
        ),
        Mistake(
            "next epoch",
            _saving(epoch=lambda model, optimizer, epoch: epoch + 1),
            "You store another epoch than the one that was passed: `epoch` epochs are finished.",
        ),
        Symptom(
            "weights",
            every(
                lambda one: one.get("whether two further steps give the weights of an unbroken run") is False
            ),
            "Everything can be loaded, but training goes on differently. Are all entries those of this moment, and "
            "in full precision?",
        ),
    ],
)


def _observe_loading(function: Callable[..., Any], seed: int, epoch: int, training: bool) -> dict[str, Any]:
    model, optimizer = _small_training(seed)
    _steps(model, optimizer, 3)
    optimizer.param_groups[0]["lr"] = 1 / (epoch + 1)  # a schedule has changed it
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{epoch}.pt"
        _save_checkpoint(path, model, optimizer, epoch)
        network, fresh = _small_training(seed + 1)
        returned = function(path, network.train(training), fresh)
        file = path.is_file()
    return {
        "state": network.state_dict(),
        "momentum": _momentum(fresh),
        "learning rate": fresh.param_groups[0]["lr"],
        "random": torch.get_rng_state(),
        "mode": network.training,
        "file": file,
        "epoch": number("the number of finished epochs")(returned),
    }


def _compare_loading(found: dict[str, Any], seed: int, epoch: int, training: bool) -> dict[str, Any]:
    """Return whether the state that was found is the saved one."""
    model, optimizer = _small_training(seed)
    _steps(model, optimizer, 3)
    same = {name: _equal(values, found["state"][name]) for name, values in model.state_dict().items()}
    learned = dict(model.named_parameters())
    return {
        "whether the network has the saved weights": all(same[name] for name in learned),
        "whether the network has the saved statistics": all(
            same[name] for name in same if name not in learned
        ),
        "whether the optimizer has the saved momentum": _equal(found["momentum"], _momentum(optimizer)),
        "the learning rate of the optimizer": found["learning rate"],
        "whether the random state is the saved one": _equal(found["random"], torch.get_rng_state()),
        "whether the mode is as before": found["mode"] == training,
        "whether the file is still there": found["file"],
        "the returned epoch": found["epoch"],
    }


def _equal(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors agree, but for rounding: the other may come from another process."""
    return one.shape == other.shape and torch.allclose(one.double(), other.double(), atol=1e-6)


LOAD_CHECKPOINT = FunctionExercise(
    "load_checkpoint(path, model, optimizer)",
    returns=number("the number of finished epochs"),
    reference=_load_checkpoint,
    inputs=lambda draw: [
        (draw.getrandbits(16), 1, True),
        (draw.getrandbits(16), draw.randint(2, 90), False),
    ],
    observe=_observe_loading,
    derive=_compare_loading,
    shown=lambda _, epoch, training: (
        f"path to a checkpoint after epoch {epoch}, model (training={training}), optimizer"
    ),
    tries=1,
    mistakes=[
        Symptom(
            "weights",
            fails("whether the network has the saved weights"),
            "The network that was passed does not have the saved weights afterwards. Load them into it: an "
            "assignment such as `model = …` only renames an object in your function.",
        ),
        Symptom(
            "statistics",
            fails("whether the network has the saved statistics"),
            "The network has the saved weights, but not the saved running statistics. The entry 'model' has both.",
        ),
        Symptom(
            "momentum",
            fails("whether the optimizer has the saved momentum"),
            "The optimizer that was passed does not have the saved momentum afterwards.",
        ),
        Symptom(
            "random",
            fails("whether the random state is the saved one"),
            "The next random numbers are not those of the unbroken run. Restore their state, as the last thing.",
        ),
        Symptom(
            "mode",
            fails("whether the mode is as before"),
            "The network is in another mode afterwards. Leave its mode as it is.",
        ),
        Symptom(
            "file", fails("whether the file is still there"), "The file is gone afterwards: only read it."
        ),
        Symptom(
            "next epoch",
            lambda given, right: all(
                one["the returned epoch"] == other["the returned epoch"] + 1
                for one, other in zip(given, right, strict=True)
            ),
            "You return the next epoch. Return the number of epochs that are finished, as it is in the file.",
        ),
        Symptom(
            "fixed epoch",
            lambda given, right: len({each["the returned epoch"] for each in given}) == 1,
            "You return the same number for every file. It is one of the entries.",
        ),
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
            "You ask for an entry that does not exist. The list may be shorter than `world`, and no shard may "
            "reach beyond its end.",
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
            "Some indices are in no shard. Which ones: the rest where the length is no multiple of `world`, or "
            "others?",
        ),
        Symptom(
            "uneven",
            lambda given, right: list(map(_entries, given)) == list(map(_entries, right)),
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
    keeps_inputs=True,
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


def _observe_matrix(function: Callable[..., Any], covariance: Tensor) -> Tensor:
    value = function(covariance)
    matrix: Tensor = tensor("a matrix as large as the covariance")(value).double()
    _require_shape(matrix, covariance)
    return matrix


def _require_shape(matrix: Tensor, covariance: Tensor) -> None:
    if matrix.shape != covariance.shape:
        raise Unsuitable(f"Expected a matrix of the shape {tuple(covariance.shape)}; got {kind_of(matrix)}.")


def _whitened(matrix: Tensor, covariance: Tensor) -> dict[str, Tensor]:
    """Return the covariance after whitening, which is the same for all right answers."""
    _require_shape(matrix, covariance)  # a made-up matrix of many rows would take all memory
    return {"W Σ Wᵀ": _without_noise(matrix @ covariance.double() @ matrix.T)}


def _scaled(covariance: Tensor, power: float = -0.5) -> Tensor:
    """Return V Λ^power."""
    variances, directions = torch.linalg.eigh(covariance)
    return directions * variances**power


def _turned(matrix: Tensor, covariance: Tensor) -> dict[str, Tensor]:
    """Return what is the same for all right answers, whatever the order and the signs of the filters."""
    _require_shape(matrix, covariance)
    turned = matrix @ covariance.double() @ matrix.T
    turned -= turned.diag().diag()
    return {"R Rᵀ": matrix @ matrix.T, "R Σ Rᵀ without its diagonal": _without_noise(turned)}


def _without_noise(matrix: Tensor) -> Tensor:
    """Return a matrix with 0 in place of what is rounding noise, which a hint should not show."""
    return torch.where(matrix.abs() < 1e-5, 0.0, matrix)


UNCORRELATED_FILTERS = FunctionExercise(
    "uncorrelated_filters(covariance)",
    returns=tensor("R, as large as the covariance"),
    reference=lambda covariance: torch.linalg.eigh(covariance)[1].T,
    inputs=_covariances,
    observe=_observe_matrix,
    derive=_turned,
    tolerance=0.01,
    mistakes=[
        Mistake(
            "transposed",
            [lambda c: torch.linalg.eigh(c)[1], lambda c: torch.linalg.svd(c)[0]],
            "Your filters are the columns of the matrix. They should be its rows.",
        ),
        Mistake(
            "nothing",
            lambda c: torch.eye(len(c)),
            "The responses of these filters are the inputs themselves.",
        ),
        Mistake(
            "variances",
            [lambda c: torch.linalg.eigh(c)[0].diag(), lambda c: torch.linalg.eigh(c)[0].flip(0).diag()],
            "Those are the variances. The directions are the other part of what eigh returns.",
        ),
        Mistake(
            "scaled",
            [lambda c: _scaled(c).T, lambda c: torch.linalg.inv(torch.linalg.cholesky(c))],
            "The responses are uncorrelated, but the filters should have length 1. Scaling is the next exercise.",
        ),
        Mistake(
            "scaled up",
            [lambda c: _scaled(c, 0.5).T, lambda c: _scaled(c, 1).T],
            "The responses are uncorrelated, but your filters have another length than 1.",
        ),
        Mistake(
            "not turned",
            [lambda c: c, lambda c: torch.linalg.cholesky(c), torch.linalg.inv],
            "Take the directions of eigh. Σ itself, its inverse or its root do not make responses uncorrelated.",
        ),
        Symptom(
            "not orthogonal",
            lambda given, right: all(
                not torch.allclose(one["R Rᵀ"], other["R Rᵀ"], atol=0.02)
                for one, other in zip(given, right, strict=True)
            ),
            "R Rᵀ is not the identity: the filters should have length 1 and be orthogonal to each other.",
        ),
    ],
)


WHITENING = FunctionExercise(
    "whitening(covariance)",
    returns=tensor("W, as large as the covariance"),
    reference=lambda c: torch.linalg.inv(torch.linalg.cholesky(c)),
    inputs=_covariances,
    observe=_observe_matrix,
    derive=_whitened,
    tolerance=0.01,
    keeps_inputs=True,
    mistakes=[
        Mistake(
            "transposed",
            [_scaled, lambda c: torch.linalg.inv(torch.linalg.cholesky(c)).T],
            "Your filters are the columns of W. They should be its rows.",
        ),
        Mistake(
            "turned only",
            lambda c: _scaled(c, 0).T,
            "The responses are uncorrelated, but their variances are not 1 yet.",
        ),
        Mistake(
            "turned only, transposed",
            lambda c: _scaled(c, 0),
            "The filters of W are its rows, and yours are columns. They are not scaled yet, either.",
        ),
        Mistake(
            "divided by variances",
            lambda c: _scaled(c, -1).T,
            "You divide by the variances. What does a variance become if a filter is divided by 2?",
        ),
        Mistake(
            "columns scaled",
            [
                lambda c: _scaled(c, 0).T * torch.linalg.eigh(c)[0].rsqrt(),
                lambda c: _scaled(c, 0).T / torch.linalg.eigh(c)[0],
            ],
            "You scale the columns of the matrix. Each filter is a row, and has one scale.",
        ),
        Mistake(
            "other order",
            lambda c: _scaled(c, 0).T * torch.linalg.eigh(c)[0].flip(0).rsqrt()[:, None],
            "You divide by the right numbers in the wrong order. Which variance does each row have?",
        ),
        Mistake(
            "multiplied",
            [lambda c: _scaled(c, 0.5).T, lambda c: _scaled(c, 1).T],
            "You make large variances even larger. Divide instead of multiplying.",
        ),
        Mistake(
            "not inverted",
            [torch.linalg.cholesky, lambda c: _scaled(c, 0.5) @ _scaled(c, 0).T],
            "That is a root of Σ. W undoes it.",
        ),
        Mistake(
            "scaled only",
            lambda c: c.diag().rsqrt().diag(),
            "Each response has variance 1, but they are still correlated. Start from the uncorrelated filters.",
        ),
        Mistake("inverse", torch.linalg.inv, "W appears twice in W Σ Wᵀ, so it is no inverse."),
        Mistake("nothing", lambda c: torch.eye(len(c)), "That W changes nothing."),
    ],
)

EXERCISES = (
    MEDIAN_SECONDS,
    SAVE_CHECKPOINT,
    LOAD_CHECKPOINT,
    SHARD,
    AVERAGED,
    UNCORRELATED_FILTERS,
    WHITENING,
)
