"""What a training costs before it is run: multiply-adds, and hours on machines of a known pace."""

from collections.abc import Iterable, Sequence
from functools import cache
from statistics import median

import torch

from deepernets.analysis.arithmetic import multiply_adds
from deepernets.analysis.significance import training_cost
from deepernets.models.zoo import build
from deepernets.training.recipe import Recipe, recipe
from deepernets.training.records import Record

TRAINING_IMAGES = {"mnist": 60_000, "cifar3": 15_000, "cifar10": 50_000, "digits": 1_437, "sketches": 1_500}
CLASSES = {"cifar3": 3, "sketches": 3}  # of data sets with other than ten
GREY = ("mnist", "digits")  # one channel
ASSUMED_GPU = 1e14  # multiply-adds a second: about a fifth of what an H200 is specified to do in bf16


def work(wanted: Recipe) -> int:
    """Return the multiply-adds of a recipe's training: forward and backward, all epochs.

    >>> from deepernets.training.recipe import recipe
    >>> f"{work(recipe('report-a/vgg-16/as-reported')):.2e}"
    '2.63e+14'
    """
    images = round(TRAINING_IMAGES[wanted.data] * (1 - wanted.validation_fraction))
    if wanted.train_images:
        images = min(images, wanted.train_images)
    channels = 1 if wanted.data in GREY else 3
    shape = (channels, wanted.image_size, wanted.image_size)
    return training_cost(wanted.epochs, images, _forward(wanted.model, shape, CLASSES.get(wanted.data, 10)))


def pace(found: Iterable[Record], model: str = "") -> float | None:
    """Return the multiply-adds per second of recorded runs, their median; None without a record.

    A run counts with its fastest epoch, since others may have shared the machine with other work.

    Args:
        found: Recorded runs, on machines of one kind.
        model: A network whose own runs are taken where there are any; small ones reach less than large ones.
    """
    paces = [
        (
            record.recipe.model,
            work(record.recipe) / len(record.epochs) / min(epoch["seconds"] for epoch in record.epochs),
        )
        for record in found
    ]
    own = [speed for name, speed in paces if name == model]
    return median(own or [speed for _, speed in paces]) if paces else None


def estimate(name: str, found: Sequence[Record]) -> str:
    """Say what a recipe's run would take on the CPU of the recorded runs, and on a GPU.

    The latter is no measurement: it divides by `ASSUMED_GPU`, which small networks do not reach.
    """
    wanted = recipe(name)
    speed = pace(found, wanted.model)
    on_cpu = f"CPU {in_words(work(wanted) / speed)}, " if speed else ""
    return f"{on_cpu}GPU {in_words(work(wanted) / ASSUMED_GPU)} at best"


def in_words(seconds: float) -> str:
    """Return a time as one would say it.

    >>> in_words(40), in_words(400), in_words(40_000)
    ('40 s', '7 min', '11 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


@cache
def _forward(model: str, in_shape: tuple[int, int, int], classes: int) -> int:
    with torch.device("meta"):
        network = build(model, in_shape=in_shape, classes=classes)
    return multiply_adds(network, in_shape)
