"""The estimated cost of training runs: multiply-adds, and time on machines of known speed."""

from collections.abc import Iterable, Sequence
from functools import cache
from statistics import median

import torch

from deepernets.models.counting import count_multiply_adds, training_cost
from deepernets.models.registry import build_model
from deepernets.papers.datasets import DATASETS
from deepernets.progress import format_duration
from deepernets.recipes import get_recipe
from deepernets.recipes.recipe import Recipe, training_images
from deepernets.training.records import Record

# Assumed for a GPU: multiply-adds per second, about a fifth of an H200's specification in bf16; and the minimal
# time per layer and step, in which about five kernels are launched.
ASSUMED_GPU = 1e14
ASSUMED_LAYER_SECONDS = 5e-5


def training_multiply_adds(recipe: Recipe) -> int:
    """Return the multiply-adds of a recipe's training: forward and backward passes of all epochs.

    >>> from deepernets.recipes import get_recipe
    >>> f"{training_multiply_adds(get_recipe('report-a/vgg-16/as-reported')):.2e}"
    '2.63e+14'
    """
    multiply_adds, _ = _network_size(recipe)
    return training_cost(recipe.epochs, training_images(recipe), multiply_adds)


def median_speed(records: Iterable[Record], model: str = "") -> float | None:
    """Return the median multiply-adds per second of recorded runs on CPUs; None without a record.

    Each run's fastest epoch is used, since the machine may have been busy in others.

    Args:
        records: Recorded runs; those on a GPU are left out.
        model: Use only this network's runs if there are any; small networks are slower per multiply-add.
    """
    threads = ("thread)", "threads)")  # only the description of a CPU ends in them
    on_cpu = [record for record in records if record.device.endswith(threads)]
    own = [record for record in on_cpu if record.recipe.model == model]
    return median(map(_speed, own or on_cpu)) if on_cpu else None


def _speed(record: Record) -> float:
    multiply_adds = training_multiply_adds(record.recipe) / len(record.epochs)
    return float(multiply_adds / min(record.by_epoch("seconds")))


def gpu_seconds(recipe: Recipe) -> float:
    """Return the seconds of a recipe on the assumed GPU, for its arithmetic or for its kernel launches.

    >>> from deepernets.recipes import get_recipe
    >>> small = get_recipe("report-b/resnet-20-cifar10/ours")  # the launches take far longer than the arithmetic
    >>> round(gpu_seconds(small) / (training_multiply_adds(small) / ASSUMED_GPU))
    22
    """
    _, layers = _network_size(recipe)
    steps = recipe.epochs * -(-training_images(recipe) // recipe.batch_size)
    return max(training_multiply_adds(recipe) / ASSUMED_GPU, steps * layers * ASSUMED_LAYER_SECONDS)


def estimated_time(name: str, records: Sequence[Record]) -> str:
    """Return the estimated time of a recipe on the CPU of the recorded runs and on the assumed GPU, as text."""
    recipe = get_recipe(name)
    speed = median_speed(records, recipe.model)
    on_cpu = f"CPU {format_duration(training_multiply_adds(recipe) / speed)}, " if speed else ""
    return f"{on_cpu}GPU about {format_duration(gpu_seconds(recipe))}"


def _network_size(recipe: Recipe) -> tuple[int, int]:
    """Return the multiply-adds of a recipe's network for one image, and its number of layers."""
    info = DATASETS[recipe.data]
    shape = (info.in_shape[0], recipe.image_size, recipe.image_size)
    return _built(recipe.model, shape, len(info.classes))


@cache
def _built(model: str, in_shape: tuple[int, int, int], classes: int) -> tuple[int, int]:
    with torch.device("meta"):
        network = build_model(model, in_shape=in_shape, classes=classes)
    layers = sum(not list(module.children()) for module in network.modules())
    return count_multiply_adds(network, in_shape), layers
