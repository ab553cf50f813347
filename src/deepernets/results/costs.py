"""The estimated cost of training runs: multiply-adds, and time on machines of known speed."""

from collections.abc import Iterable, Sequence
from functools import cache
from statistics import median

import torch

from deepernets.data.datasets import TRAINING_IMAGES
from deepernets.models.counting import count_multiply_adds, training_cost
from deepernets.models.registry import build_model
from deepernets.recipes import get_recipe
from deepernets.recipes.recipe import Recipe
from deepernets.training.records import Record

CLASSES = {"cifar3": 3, "sketches": 3}  # of data sets with other than ten
GREY = ("mnist", "digits")  # one channel
# Assumed for a GPU: multiply-adds per second, about a fifth of an H200's specification in bf16; and the minimal
# time per layer and step, in which about five kernels are launched.
ASSUMED_GPU = 1e14
ASSUMED_LAYER_SECONDS = 5e-5


def work(wanted: Recipe) -> int:
    """Return the multiply-adds of a recipe's training: forward and backward passes of all epochs.

    >>> from deepernets.recipes import get_recipe
    >>> f"{work(get_recipe('report-a/vgg-16/as-reported')):.2e}"
    '2.63e+14'
    """
    return training_cost(wanted.epochs, training_images(wanted), _size(wanted)[0])


def pace(found: Iterable[Record], model: str = "") -> float | None:
    """Return the median multiply-adds per second of recorded runs on CPUs; None without a record.

    Each run's fastest epoch is used, since the machine may have been busy in others.

    Args:
        found: Recorded runs; those on a GPU are left out.
        model: Use only this network's runs if there are any; small networks are slower per multiply-add.
    """
    paces = [
        (
            record.recipe.model,
            work(record.recipe) / len(record.epochs) / min(epoch["seconds"] for epoch in record.epochs),
        )
        for record in found
        if record.device.endswith(("thread)", "threads)"))  # only a CPU has a number of threads
    ]
    own = [speed for name, speed in paces if name == model]
    return median(own or [speed for _, speed in paces]) if paces else None


def on_gpu(wanted: Recipe) -> float:
    """Return the seconds of a recipe on the assumed GPU, for its arithmetic or for its kernel launches.

    >>> from deepernets.recipes import get_recipe
    >>> small = get_recipe("report-b/resnet-20-cifar10/ours")  # the launches take far longer than the arithmetic
    >>> round(on_gpu(small) / (work(small) / ASSUMED_GPU))
    22
    """
    steps = wanted.epochs * -(-training_images(wanted) // wanted.batch_size)
    return max(work(wanted) / ASSUMED_GPU, steps * _size(wanted)[1] * ASSUMED_LAYER_SECONDS)


def estimate(name: str, found: Sequence[Record]) -> str:
    """Return the estimated time of a recipe on the CPU of the recorded runs and on the assumed GPU, as text."""
    wanted = get_recipe(name)
    speed = pace(found, wanted.model)
    on_cpu = f"CPU {in_words(work(wanted) / speed)}, " if speed else ""
    return f"{on_cpu}GPU about {in_words(on_gpu(wanted))}"


def in_words(seconds: float) -> str:
    """Return a duration as text.

    >>> in_words(40), in_words(400), in_words(40_000)
    ('40 s', '7 min', '11 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def training_images(wanted: Recipe) -> int:
    """Return the number of training images of a recipe."""
    images = TRAINING_IMAGES[wanted.data]
    images -= round(images * wanted.validation_fraction)
    return min(images, wanted.train_images) if wanted.train_images else images


def _size(wanted: Recipe) -> tuple[int, int]:
    """Return the multiply-adds of a recipe's network for one image, and its number of layers."""
    channels = 1 if wanted.data in GREY else 3
    shape = (channels, wanted.image_size, wanted.image_size)
    return _built(wanted.model, shape, CLASSES.get(wanted.data, 10))


@cache
def _built(model: str, in_shape: tuple[int, int, int], classes: int) -> tuple[int, int]:
    with torch.device("meta"):
        network = build_model(model, in_shape=in_shape, classes=classes)
    layers = sum(not list(module.children()) for module in network.modules())
    return count_multiply_adds(network, in_shape), layers
