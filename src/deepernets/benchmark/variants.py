"""The variants of the training loop that the benchmark compares, from a plain one to ours, and compiled."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import torch
from accelerate import Accelerator
from torch import nn
from torch.optim import SGD, Optimizer

from deepernets.data.images import Dataset
from deepernets.models.registry import build_model
from deepernets.papers.datasets import DIGITS
from deepernets.recipes.recipe import Recipe
from deepernets.training import distributed, hardware
from deepernets.training.loop import Batch
from deepernets.training.preparation import prepare, split
from deepernets.training.timing import draw_noise

SIDE, CLASSES = 32, DIGITS


@dataclass(frozen=True)
class Size:
    """The size of the benchmark.

    Attributes:
        batch_size: Images per step.
        steps: Timed steps of a round, after one that is not timed.
        rounds: Turns of each variant.
    """

    batch_size: int = 128
    steps: int = 8
    rounds: int = 3


class Setup(NamedTuple):
    """The arguments of `deepernets.training.timing.measure_phases`, and the precision.

    Attributes:
        model: The network, on its device.
        batches: Returns the batches of the next turn.
        criterion: Maps logits and labels to the loss.
        optimizer: Over the network's parameters.
        precision: fp32 or bf16.
    """

    model: nn.Module
    batches: Callable[[], Iterable[Batch]]
    criterion: nn.Module
    optimizer: Optimizer
    precision: str


def plain(network: str, size: Size, precision: hardware.Precision) -> Setup:
    """Set up ``benchmarks/plain_loop.py``, which always uses fp32."""
    hardware.disable_tf32()
    device = distributed.state().device
    images = _noise(size).train
    loop = plain_loop()
    model = build_model(network, in_shape=(3, SIDE, SIDE), classes=len(CLASSES)).to(device)
    optimizer = SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    loader = loop.batches(images.pixels, images.labels, size.batch_size)

    def batches() -> Iterable[Batch]:
        for pixels, labels in loader:
            yield pixels.to(device), labels.to(device)

    return Setup(model, batches, nn.CrossEntropyLoss(), optimizer, "fp32")


def ours(network: str, size: Size, precision: hardware.Precision) -> Setup:
    """Set up the training loop of `deepernets.train`."""
    accelerator = hardware.accelerator(precision)
    return _set_up(network, size, accelerator, hardware.channels_last(accelerator))


def whole_batches(network: str, size: Size, precision: hardware.Precision) -> Setup:
    """Set up the plain loop with images as one tensor, and augmentation of whole batches."""
    return _set_up(network, size, hardware.accelerator("fp32", keeps_memory=False), channels_last=False)


def kept_memory(network: str, size: Size, precision: hardware.Precision) -> Setup:
    """Set up `whole_batches` with memory that is kept between steps."""
    return _set_up(network, size, hardware.accelerator("fp32"), channels_last=False)


def channels_last(network: str, size: Size, precision: hardware.Precision) -> Setup:
    """Set up `kept_memory` with the channels-last memory format; `ours` may add bf16."""
    return _set_up(network, size, hardware.accelerator("fp32"), channels_last=True)


def compiled(network: str, size: Size, precision: hardware.Precision) -> Setup:
    """Set up `ours` with a compiled network; it is compiled in the first batch, which is not timed.

    Raises:
        UserError: no compiler is available.
    """
    accelerator = hardware.accelerator(precision)
    ready = _set_up(network, size, accelerator, hardware.channels_last(accelerator, compiled=True))
    hardware.compile_calls(ready.model)
    return ready


def _set_up(network: str, size: Size, accelerator: Accelerator, channels_last: bool) -> Setup:
    chosen = Recipe(
        "benchmark",
        data="noise",
        model=network,
        batch_size=size.batch_size,
        pad=4,
        flip=True,
        validation_fraction=0.0,
    )
    splits = split(chosen, _noise(size), 0, channels_last)
    training = prepare(chosen, splits, accelerator, 0)
    train = splits.train.to(accelerator.device)
    turn = count(1)
    return Setup(
        training.model,
        lambda: train.epoch(next(turn)),
        training.criterion,
        training.optimizer,
        hardware.precision_of(accelerator),
    )


def build_on_meta(network: str) -> nn.Module:
    """Return the network on the meta device, to count multiply-adds.

    Raises:
        UserError: the network is unknown.
    """
    with torch.device("meta"):
        return build_model(network, in_shape=(3, SIDE, SIDE), classes=len(CLASSES))


def _noise(size: Size) -> Dataset:
    return draw_noise(size.batch_size * (size.steps + 1), (3, SIDE, SIDE), CLASSES)


def plain_loop() -> ModuleType:
    """Return the module ``benchmarks/plain_loop.py`` of the installed package or of the repository."""
    package = Path(__file__).parents[1]
    folder = (
        package / "benchmarks" if (package / "benchmarks").is_dir() else package.parents[1] / "benchmarks"
    )
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # worker processes import the module by name
    return import_module("plain_loop")


# Each variant contains the optimisations of those before it.
VARIANTS: dict[str, Callable[[str, Size, hardware.Precision], Setup]] = {
    "plain": plain,
    "whole batches": whole_batches,
    "memory kept": kept_memory,
    "channels last": channels_last,
    "ours": ours,
    "compiled": compiled,
}
DEFAULT_VARIANTS = ("plain", "ours")


def available_variants() -> tuple[str, ...]:
    """Return the variants that this machine supports; "compiled" needs a compiler."""
    return tuple(way for way in VARIANTS if way != "compiled" or hardware.can_compile())
