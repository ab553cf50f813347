"""The data sets of the course: names of their classes, numbers of their images, and shapes."""

from typing import NamedTuple

DIGITS = tuple("0123456789")
OBJECTS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


class DatasetInfo(NamedTuple):
    """What a data set consists of.

    Attributes:
        classes: Names of the classes, in the order of the labels.
        train_images: Number of training images, those held out for validation included.
        test_images: Number of test images.
        in_shape: Channels, height and width of an image.
    """

    classes: tuple[str, ...]
    train_images: int
    test_images: int
    in_shape: tuple[int, int, int]


DATASETS = {
    "mnist": DatasetInfo(DIGITS, 60_000, 10_000, (1, 28, 28)),  # LeCun et al. (1998)
    "cifar10": DatasetInfo(OBJECTS, 50_000, 10_000, (3, 32, 32)),  # Krizhevsky (2009)
    "cifar3": DatasetInfo(OBJECTS[:3], 15_000, 3_000, (3, 32, 32)),  # the first three classes of CIFAR-10
    "digits": DatasetInfo(DIGITS, 1_438, 359, (1, 28, 28)),  # scikit-learn's 1,797, enlarged
    "sketches": DatasetInfo(OBJECTS[:3], 1_500, 600, (3, 32, 32)),  # drawn by `deepernets.data.synthetic`
}
