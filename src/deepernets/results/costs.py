"""What a training costs before it is run: multiply-adds, and hours on machines of a known pace."""

from collections.abc import Iterable, Sequence
from functools import cache
from statistics import median

import torch

from deepernets.analysis.arithmetic import count_multiply_adds, training_cost
from deepernets.models.registry import build_model
from deepernets.papers.datasets import DATASETS
from deepernets.progress import format_duration
from deepernets.recipes import get_recipe
from deepernets.recipes.recipe import Recipe, training_images
from deepernets.training.records import Record

# Of a GPU, assumed and not measured: multiply-adds a second, about a fifth of what an H200 is specified to do in
# bf16; and how long a layer of a step takes however small it is, for some five kernels that must be launched.
ASSUMED_GPU = 1e14
ASSUMED_LAYER_SECONDS = 5e-5


def work(wanted: Recipe) -> int:
    """Return the multiply-adds of a recipe's training: forward and backward, all epochs.

    >>> from deepernets.recipes import get_recipe
    >>> f"{work(get_recipe('report-a/vgg-16/as-reported')):.2e}"
    '2.63e+14'
    """
    return training_cost(wanted.epochs, training_images(wanted), _size(wanted)[0])


def pace(found: Iterable[Record], model: str = "") -> float | None:
    """Return the multiply-adds per second of recorded runs on CPUs, their median; None without a record.

    A run counts with its fastest epoch, since others may have shared the machine with other work.

    Args:
        found: Recorded runs; those on a GPU are left out.
        model: A network whose own runs are taken where there are any; small ones reach less than large ones.
    """
    paces = [
        (
            record.recipe.model,
            work(record.recipe) / len(record.epochs) / min(epoch["seconds"] for epoch in record.epochs),
        )
        for record in found
        if record.device.endswith(("thread)", "threads)"))  # a GPU has no number of threads
    ]
    own = [speed for name, speed in paces if name == model]
    return median(own or [speed for _, speed in paces]) if paces else None


def on_gpu(wanted: Recipe) -> float:
    """Return the seconds that a recipe would take on the assumed GPU: for its arithmetic, or its many small calls.

    >>> from deepernets.recipes import get_recipe
    >>> small = get_recipe("report-b/resnet-20-cifar10/ours")  # the calls take far longer than the arithmetic
    >>> round(on_gpu(small) / (work(small) / ASSUMED_GPU))
    22
    """
    steps = wanted.epochs * -(-training_images(wanted) // wanted.batch_size)
    return max(work(wanted) / ASSUMED_GPU, steps * _size(wanted)[1] * ASSUMED_LAYER_SECONDS)


def estimate(name: str, found: Sequence[Record]) -> str:
    """Say what a recipe's run would take on the CPU of the recorded runs, and on the assumed GPU."""
    wanted = get_recipe(name)
    speed = pace(found, wanted.model)
    on_cpu = f"CPU {format_duration(work(wanted) / speed)}, " if speed else ""
    return f"{on_cpu}GPU some {format_duration(on_gpu(wanted))}"


def _size(wanted: Recipe) -> tuple[int, int]:
    """Return the multiply-adds of a recipe's network for one image, and its layers of every kind."""
    info = DATASETS[wanted.data]
    shape = (info.in_shape[0], wanted.image_size, wanted.image_size)
    return _built(wanted.model, shape, len(info.classes))


@cache
def _built(model: str, in_shape: tuple[int, int, int], classes: int) -> tuple[int, int]:
    with torch.device("meta"):
        network = build_model(model, in_shape=in_shape, classes=classes)
    layers = sum(not list(module.children()) for module in network.modules())
    return count_multiply_adds(network, in_shape), layers
