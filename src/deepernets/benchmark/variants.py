"""The ways to train that the benchmark compares: a plain loop, ours, the steps between them, and one beyond."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import torch
from accelerate import Accelerator
from torch import nn
from torch.optim import SGD, Optimizer

from deepernets.data.images import Dataset, Images
from deepernets.models.registry import build_model
from deepernets.recipes.recipe import Recipe
from deepernets.training import hardware
from deepernets.training.loop import Batch
from deepernets.training.preparation import prepare, split

SIDE, CLASSES = 32, 10


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        batch_size: Images per step.
        steps: Steps of a round that are timed; one before them is not.
        rounds: Turns that each way takes.
    """

    batch_size: int = 128
    steps: int = 8
    rounds: int = 3


class SetUp(NamedTuple):
    """What a turn needs: all that `deepernets.training.timing.measure_phases` takes.

    Attributes:
        model: The network, on its device.
        batches: Returns the batches of another turn.
        criterion: From logits and labels to the loss.
        optimizer: Over the network's parameters.
        precision: fp32 or bf16.
    """

    model: nn.Module
    batches: Callable[[], Iterable[Batch]]
    criterion: nn.Module
    optimizer: Optimizer
    precision: str


def plain(network: str, size: Size, precision: hardware.Precision) -> SetUp:
    """Set up ``benchmarks/plain_loop.py``, which has fp32 whatever the precision asked for."""
    hardware.disable_tf32()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    images = _images(size)
    loop = plain_loop()
    model = build_model(network, in_shape=(3, SIDE, SIDE), classes=CLASSES).to(device)
    optimizer = SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    loader = loop.batches(images.pixels, images.labels, size.batch_size)

    def batches() -> Iterable[Batch]:
        for pixels, labels in loader:
            yield pixels.to(device), labels.to(device)

    return SetUp(model, batches, nn.CrossEntropyLoss(), optimizer, "fp32")


def ours(network: str, size: Size, precision: hardware.Precision) -> SetUp:
    """Set up what `deepernets.train` trains with."""
    return _set_up(network, size, hardware.accelerator(precision))


def whole_batches(network: str, size: Size, precision: hardware.Precision) -> SetUp:
    """Set up the first step: images as one tensor, augmented a whole batch at a time; everything else is plain."""
    return _set_up(network, size, hardware.accelerator("fp32", keeps_memory=False), channels_last=False)


def kept_memory(network: str, size: Size, precision: hardware.Precision) -> SetUp:
    """Set up the second step: memory is kept between steps as well."""
    return _set_up(network, size, hardware.accelerator("fp32"), channels_last=False)


def channels_last(network: str, size: Size, precision: hardware.Precision) -> SetUp:
    """Set up the third step: channels lie innermost as well; what is left to `ours` is bf16."""
    return _set_up(network, size, hardware.accelerator("fp32"), channels_last=True)


def compiled(network: str, size: Size, precision: hardware.Precision) -> SetUp:
    """Set up a step beyond ours: PyTorch compiles the network, in the first batch, which is not timed.

    Raises:
        UserError: there is no compiler.
    """
    ready = ours(network, size, precision)
    hardware.compile_calls(ready.model)
    return ready


def _set_up(network: str, size: Size, accelerator: Accelerator, channels_last: bool | None = None) -> SetUp:
    last = hardware.channels_last(accelerator) if channels_last is None else channels_last
    images = _images(size)
    dataset = Dataset("noise", "drawn", tuple("0123456789"), images, images)
    chosen = Recipe(
        "benchmark",
        data="noise",
        model=network,
        batch_size=size.batch_size,
        pad=4,
        flip=True,
        validation_fraction=0.0,
    )
    splits = split(chosen, dataset, 0, last)
    training = prepare(chosen, splits, accelerator, 0)
    train = splits.train.to(accelerator.device)
    turn = iter(range(1, 10**6))
    return SetUp(
        training.model,
        lambda: train.epoch(next(turn)),
        training.criterion,
        training.optimizer,
        hardware.precision_of(accelerator),
    )


def on_paper(network: str) -> nn.Module:
    """Return the network without memory for its weights: for shapes and counts.

    Raises:
        UserError: there is no such network.
    """
    with torch.device("meta"):
        return build_model(network, in_shape=(3, SIDE, SIDE), classes=CLASSES)


def _images(size: Size) -> Images:
    """Draw noise: what is on a picture does not change what it costs."""
    count = size.batch_size * (size.steps + 1)
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (count, 3, SIDE, SIDE), generator=generator, dtype=torch.uint8)
    return Images(pixels, torch.arange(count) % CLASSES)


def plain_loop() -> ModuleType:
    """Import ``benchmarks/plain_loop.py``: inside an installed package, or of the repository."""
    package = Path(__file__).parents[1]
    folder = (
        package / "benchmarks" if (package / "benchmarks").is_dir() else package.parents[1] / "benchmarks"
    )
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # and not by path: processes that prepare batches import it again
    return import_module("plain_loop")


# In the order in which a learner would take the steps, each with all before it.
WAYS: dict[str, Callable[[str, Size, hardware.Precision], SetUp]] = {
    "plain": plain,
    "whole batches": whole_batches,
    "memory kept": kept_memory,
    "channels last": channels_last,
    "ours": ours,
    "compiled": compiled,
}
FIRST_AND_LAST = ("plain", "ours")


def here() -> tuple[str, ...]:
    """Return the ways that can be measured on this machine: without a compiler, all but the last."""
    return tuple(way for way in WAYS if way != "compiled" or hardware.can_compile())
