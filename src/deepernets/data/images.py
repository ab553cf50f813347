"""What a data set is here: images as one uint8 tensor, with their labels."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Images:
    """Images of one size, with their labels.

    Attributes:
        pixels: (N, C, H, W), uint8.
        labels: (N,), int64: positions in `Dataset.classes`.
    """

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, index: Tensor) -> "Images":
        """Return the images at `index` (int64), in that order."""
        return Images(self.pixels[index], self.labels[index])

    def to(self, device: torch.device | str) -> "Images":
        """Return the same images on `device`."""
        return Images(self.pixels.to(device), self.labels.to(device))

    def per_class(self, classes: int) -> list[int]:
        """Return how many images each of the `classes` classes has.

        >>> Images(torch.zeros(3, 1, 2, 2, dtype=torch.uint8), torch.tensor([0, 2, 0])).per_class(3)
        [2, 0, 1]
        """
        return torch.bincount(self.labels, minlength=classes).tolist()


def first_per_class(images: Images, per_class: int, classes: int) -> Tensor:
    """Return the positions of the first `per_class` images of each of the `classes` classes, class by class.

    >>> first_per_class(Images(torch.zeros(4, 1, 2, 2, dtype=torch.uint8), torch.tensor([1, 0, 1, 0])), 1, 2)
    tensor([1, 0])
    """
    return torch.cat([(images.labels == number).nonzero().flatten()[:per_class] for number in range(classes)])


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test images, and where they really come from.

    Attributes:
        name: What was asked for, such as ``cifar3``.
        variant: What a figure measured on it is labelled with, such as ``cifar10-jpeg``.
        classes: Names of the classes, in the order of the labels.
        train: Training images; a validation split is held out of these.
        test: Test images, to be used once, at the end.
    """

    name: str
    variant: str
    classes: tuple[str, ...]
    train: Images
    test: Images
