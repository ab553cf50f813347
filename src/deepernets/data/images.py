"""Images as one uint8 tensor with their labels: splitting them, resizing them, and their statistics."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from deepernets.errors import UserError


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
    """Training and test images, and where they come from.

    Attributes:
        name: Name by which it was loaded, such as ``cifar3``.
        variant: Where the images come from, such as ``cifar10-jpeg``; records and figures state it.
        classes: Names of the classes, in the order of the labels.
        train: Training images; a validation split is held out of these.
        test: Test images, to be used once, at the end.
    """

    name: str
    variant: str
    classes: tuple[str, ...]
    train: Images
    test: Images


def torch_seed(seed: int) -> int:
    """Return the last 64 bits of a seed, since PyTorch takes no larger one.

    >>> torch_seed(3), torch_seed(2**64 + 3)
    (3, 3)
    """
    return seed % 2**64


def stratified_split(images: Images, fraction: float, seed: int) -> tuple[Images, Images]:
    """Hold `fraction` of the images out, the same share of every class.

    Of N images exactly ``round(fraction * N)`` are held out. Where shares are not whole numbers, the classes
    with the largest remainders give one more. Both parts keep the order of `images`.

    Returns:
        The rest, and the images held out.

    Raises:
        UserError: the fraction is not in [0, 1).
    """
    if not 0 <= fraction < 1:
        raise UserError(
            f"A fraction of {fraction} cannot be held out; expected one from 0 up to, but under, 1."
        )
    generator = torch.Generator().manual_seed(torch_seed(seed))
    labels = images.labels.cpu()
    shares = torch.bincount(labels).double() * fraction
    counts = shares.long()
    still_missing = round(fraction * len(labels)) - int(counts.sum())
    counts[(shares - counts).argsort(descending=True, stable=True)[:still_missing]] += 1
    held_out = torch.zeros(len(labels), dtype=torch.bool)
    for label, count in enumerate(counts.tolist()):
        members = (labels == label).nonzero().flatten()
        held_out[members[torch.randperm(len(members), generator=generator)[:count]]] = True
    rest, chosen = ((held_out == side).nonzero().flatten() for side in (False, True))
    device = images.labels.device
    return images.select(rest.to(device)), images.select(chosen.to(device))


def sample(images: Images, count: int, seed: int) -> Images:
    """Return `count` of the images, or all if there are fewer, drawn at random without replacement.

    Data sets are often sorted by class, and their first images are then no sample of them.
    """
    generator = torch.Generator().manual_seed(torch_seed(seed))
    chosen = torch.randperm(len(images), generator=generator)[:count].sort().values
    return images.select(chosen.to(images.labels.device))


def last_split(images: Images, fraction: float) -> tuple[Images, Images]:
    """Hold out the last ``round(fraction * N)`` of the images, in the order in which they are stored.

    Returns:
        The rest, and the images held out.

    Raises:
        UserError: no image of some class would be left, because the images are sorted by class.

    >>> images = Images(torch.zeros(5, 1, 2, 2, dtype=torch.uint8), torch.tensor([1, 0, 1, 0, 1]))
    >>> last_split(images, 0.4)[1].labels
    tensor([0, 1])
    """
    left = len(images) - round(fraction * len(images))
    positions = torch.arange(len(images), device=images.labels.device)
    rest, held_out = images.select(positions[:left]), images.select(positions[left:])
    if len(rest.labels.unique()) < len(images.labels.unique()):
        raise UserError(
            f"The last {len(held_out):,} of {len(images):,} images are all images of some class, because they "
            "are sorted by class; train with --hold-out stratified."
        )
    return rest, held_out


def channel_statistics(images: Images) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of each channel, (C,) each, of pixels scaled to [0, 1].

    They are computed from the counts of the 256 values, which are exact for any number of images and need no
    copy of the images in floating point.

    Raises:
        UserError: a channel has the same value everywhere, or there are no images.

    >>> black_and_white = torch.tensor([[[[0, 255]]]], dtype=torch.uint8)
    >>> channel_statistics(Images(black_and_white, torch.tensor([0])))
    (tensor([0.5000]), tensor([0.5000]))
    """
    channels = images.pixels.transpose(0, 1)  # (C, N, H, W)
    counts = torch.stack([torch.bincount(values.flatten(), minlength=256) for values in channels]).double()
    if (counts.count_nonzero(dim=1) < 2).any():
        raise UserError(
            f"The {len(images)} images have a channel with the same value everywhere, which cannot be "
            "normalised; use other images."
        )
    values = torch.arange(256, device=counts.device).double() / 255
    shares = counts / counts.sum(dim=1, keepdim=True)  # (C, 256)
    mean = shares @ values
    variance = (shares * (values - mean[:, None]).square()).sum(dim=1)
    return mean.float(), variance.sqrt().float()


def resize(images: Images, size: int) -> Images:
    """Return all images resized to size × size pixels; see `resize_pixels`.

    >>> resize(Images(torch.zeros(5, 1, 28, 28, dtype=torch.uint8), torch.arange(5)), 32).pixels.shape
    torch.Size([5, 1, 32, 32])
    """
    return Images(resize_pixels(images.pixels, size), images.labels)


def resize_pixels(pixels: Tensor, size: int) -> Tensor:
    """Return images (N, C, H, W), uint8, resized to size × size pixels: bilinear, antialiased where they shrink."""
    if pixels.shape[2:] == (size, size) or len(pixels) == 0:
        return pixels
    return functional.interpolate(pixels, size=(size, size), mode="bilinear", antialias=True)
