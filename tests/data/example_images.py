"""Small random images that the tests of splits and of batches share."""

import torch

from deepernets.data.images import Images

MEAN, STD = torch.tensor([0.2, 0.5, 0.7]), torch.tensor([0.1, 0.2, 0.3])


def some_images(count: int = 50, channels: int = 3, side: int = 8, classes: int = 4) -> Images:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(0, 256, (count, channels, side, side), dtype=torch.uint8, generator=generator)
    return Images(pixels, torch.arange(count) % classes)


def numbered(count: int) -> Images:
    """Images whose label is their index, so that a batch tells which images it holds."""
    return Images(some_images(count).pixels, torch.arange(count))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
