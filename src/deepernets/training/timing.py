"""How long things take, measured so that two figures can be compared."""

import statistics
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from deepernets.training.loop import Batch

PHASES = ("data", "forward", "backward", "step")


def wait_for_device() -> None:
    """Let a GPU finish what it was given: it works on while Python goes on, and clocks would stop too early."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def median_seconds(work: Callable[[], Any], warm_up: int = 2, repeats: int = 5) -> float:
    """Return the median time of a call in seconds.

    Args:
        work: What is called; its result is thrown away.
        warm_up: Calls before the first that is timed: caches fill, libraries choose their kernels.
        repeats: Calls that are timed.
    """
    for _ in range(warm_up):
        work()
    times = []
    for _ in range(repeats):
        wait_for_device()
        started = perf_counter()
        work()
        wait_for_device()
        times.append(perf_counter() - started)
    return statistics.median(times)


def phases(
    model: nn.Module, batches: Iterable[Batch], criterion: nn.Module, optimizer: Optimizer
) -> dict[str, float]:
    """Train on `batches` and return the seconds per image that each part of a step took.

    Args:
        model: Trained by this, in training mode.
        batches: Pairs of images (N, C, H, W) and labels (N,); the first is not counted, as it warms up.
        criterion: From logits and labels to the loss.
        optimizer: Over the model's parameters.

    Returns:
        Seconds per image for data, forward (the loss included), backward and step.
    """
    spent = dict.fromkeys(PHASES, 0.0)
    counted = 0
    model.train()
    clock = _Laps()
    for number, (images, labels) in enumerate(batches):
        laps = [clock.lap()]
        loss = criterion(model(images), labels)
        laps.append(clock.lap())
        optimizer.zero_grad()
        loss.backward()
        laps.append(clock.lap())
        optimizer.step()
        laps.append(clock.lap())
        if number > 0:
            counted += len(labels)
            for phase, seconds in zip(PHASES, laps, strict=True):
                spent[phase] += seconds
    return {phase: seconds / max(counted, 1) for phase, seconds in spent.items()}


class _Laps:
    """A stopwatch that gives the time since it was last asked."""

    def __init__(self) -> None:
        self.last = perf_counter()

    def lap(self) -> float:
        wait_for_device()
        now = perf_counter()
        seconds, self.last = now - self.last, now
        return seconds
