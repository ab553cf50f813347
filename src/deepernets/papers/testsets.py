"""What others found out about the test sets that networks are compared on."""

from typing import NamedTuple


class Drop(NamedTuple):
    """By how many points accuracies fall on a new test set, over all networks that were tried."""

    least: float
    most: float


# Recht, Roelofs, Schmidt & Shankar (2019), abstract: new images, collected as the old ones had been
NEW_TEST_SET_DROPS = {"CIFAR-10": Drop(3, 15), "ImageNet": Drop(11, 14)}


class LabelErrors(NamedTuple):
    """Test images whose label people took for wrong, and how many test images there are."""

    wrong: int
    images: int


# Northcutt, Athalye & Mueller (2021), Table 1; only images that a program had pointed at were shown to people
LABEL_ERRORS = {"MNIST": LabelErrors(15, 10_000), "CIFAR-10": LabelErrors(54, 10_000)}
