"""Figures on speed that others published."""

from typing import NamedTuple


class SpeedRun(NamedTuple):
    """How long a network took to train: what it reached, in per cent where that was given, on which devices."""

    data: str
    devices: str
    seconds: float
    accuracy: float | None = None


AIRBENCH = SpeedRun("CIFAR-10", "one A100", 3.29, 94.0)  # Jordan 2024, title and abstract
AIRBENCH_OPERATIONS = 3.6e14  # of one training; section 1
IMAGENET_IN_AN_HOUR = SpeedRun("ImageNet", "256 GPUs", 3600.0)  # Goyal et al. 2017, abstract: ResNet-50
IMAGENET_BATCH = 8192  # images of a step, in all processes; the same abstract
IMAGENET_EFFICIENCY = 90  # per cent, about, from 8 to 256 GPUs; the same abstract
IMAGENET_WARM_UP_EPOCHS = 5  # section 2.2
