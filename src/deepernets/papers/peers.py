"""Figures that others published: on fast training, and on the test sets that networks are compared on."""

from typing import NamedTuple


class SpeedRun(NamedTuple):
    """The training time of a network, on which devices, and its accuracy in per cent if it is given."""

    data: str
    devices: str
    seconds: float
    accuracy: float | None = None


AIRBENCH = SpeedRun("CIFAR-10", "one A100", 3.29, 94.0)  # Jordan 2024, title and abstract
AIRBENCH_OPERATIONS = 3.6e14  # per training run; section 1
IMAGENET_IN_AN_HOUR = SpeedRun("ImageNet", "256 GPUs", 3600.0)  # Goyal et al. 2017, abstract: ResNet-50
IMAGENET_BATCH = 8192  # images per step over all processes; the same abstract
IMAGENET_EFFICIENCY = 90  # per cent, approximately, from 8 to 256 GPUs; the same abstract
IMAGENET_WARM_UP_EPOCHS = 5  # section 2.2


class Drop(NamedTuple):
    """The smallest and the largest drop in accuracy on a new test set over many networks, in points."""

    least: float
    most: float


# Recht, Roelofs, Schmidt & Shankar (2019), abstract: new images, collected in the same way as the old ones
NEW_TEST_SET_DROPS = {"CIFAR-10": Drop(3, 15), "ImageNet": Drop(11, 14)}


class LabelErrors(NamedTuple):
    """The number of test images whose label people judged to be wrong, and of all test images."""

    wrong: int
    images: int


# Northcutt, Athalye & Mueller (2021), Table 1; people judged only images that a program had selected
LABEL_ERRORS = {"MNIST": LabelErrors(15, 10_000), "CIFAR-10": LabelErrors(54, 10_000)}
