"""Batches of images, augmented as a whole batch at a time and normalised."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, replace
from random import Random

import torch
from torch import Tensor

from deepernets.data.images import Images
from deepernets.errors import UserError


@dataclass(frozen=True, eq=False)
class Transform:
    """Augment a batch with random crops and flips, and normalise it.

    A crop pads the images by `pad` pixels on each side and cuts the original size out at a random place. The
    padding is the mean colour, rounded to a whole value, which is within half a grey level of zero after
    normalisation. He et al. (2016, section 4.2) subtract the mean and do not state the padding's value. Black
    padding would be a visible frame that only training images have.

    Attributes:
        mean: (C,) of pixels scaled to [0, 1].
        std: (C,) likewise.
        pad: Pixels of padding on each side; 0 for no crop.
        flip: Mirror half of the images left to right.
        alternate: Mirror each image in every other epoch, half of them in the odd ones, instead of at random:
            two epochs then show both versions of each image (Jordan 2024, section 3.6).
    """

    mean: Tensor
    std: Tensor
    pad: int = 0
    flip: bool = False
    alternate: bool = False

    def __call__(self, pixels: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return uint8 pixels (N, C, H, W) as normalised float32, augmented only if a generator is given."""
        if generator is None:
            return self.normalise(pixels)
        return self.normalise(self.move(pixels, self.draw_moves(len(pixels), generator).to(pixels.device)))

    def draw_moves(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw (count, 3) int64 moves: the crop's top and left in the padded image, and 1 for mirrored."""
        crops = torch.randint(0, 2 * self.pad + 1, (count, 2), generator=generator)
        mirrored = torch.randint(0, 2, (count, 1), generator=generator) * self.flip
        return torch.cat([crops, mirrored], dim=1)

    def move(self, pixels: Tensor, moves: Tensor) -> Tensor:
        """Crop and mirror each image by its own row of `moves`, all by one gather; uint8 stays uint8."""
        count, channels, height, width = pixels.shape
        padded = self._pad(pixels)
        top, left, mirrored = moves[:, :, None].unbind(dim=1)  # (N, 1) each
        column = torch.arange(width, device=pixels.device)
        columns = left + torch.where(mirrored == 1, width - 1 - column, column)  # (N, W)
        rows = top + torch.arange(height, device=pixels.device)  # (N, H)
        source = rows[:, :, None] * padded.shape[3] + columns[:, None, :]  # (N, H, W)
        source = source.flatten(1)[:, None].expand(-1, channels, -1)  # (N, C, H · W)
        return padded.flatten(2).gather(2, source).view(count, channels, height, width)

    def normalise(self, pixels: Tensor) -> Tensor:
        """Return (pixels / 255 - mean) / std as float32, in the memory format of `pixels`."""
        scale = 1 / (255 * self.std)
        shift = -self.mean / self.std
        return (pixels * scale[:, None, None]).add_(shift[:, None, None])

    def to(self, device: torch.device | str) -> "Transform":
        """Return the same transform for images on `device`."""
        return replace(self, mean=self.mean.to(device), std=self.std.to(device))

    def _pad(self, pixels: Tensor) -> Tensor:
        """Return (N, C, H + 2 pad, W + 2 pad), padded with the mean colour."""
        if self.pad == 0:
            return pixels.contiguous()
        count, channels, height, width = pixels.shape
        colour = (self.mean * 255).round().to(torch.uint8)[:, None, None]
        padded = colour.expand(count, channels, height + 2 * self.pad, width + 2 * self.pad).contiguous()
        padded[:, :, self.pad : -self.pad, self.pad : -self.pad] = pixels
        return padded


@dataclass(frozen=True, eq=False)
class Batches:
    """Batches of normalised images; the last batch of an epoch holds what is left.

    Attributes:
        images: Images; batches are made on their device.
        batch_size: Images per batch.
        transform: Augmentation and normalisation.
        shuffle_seed: Seed of order and augmentation; None for batches in order, without augmentation.
        channels_last: Use the memory format in which convolutions on CPUs and tensor cores are fastest.
        rank: Which of `world` shares of each batch to make; see `share`.
        world: Number of shares into which each batch is divided.

    Raises:
        UserError: the batch size is under 1, or under `world`.
    """

    images: Images
    batch_size: int
    transform: Transform
    _: KW_ONLY
    shuffle_seed: int | None = None
    channels_last: bool = False
    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise UserError(f"The batch size is {self.batch_size}; expected at least 1.")
        if self.batch_size < self.world:
            raise UserError(
                f"{self.world} processes cannot share batches of {self.batch_size} images; "
                "start fewer, or give a larger --batch-size."
            )

    def __len__(self) -> int:
        return -(-self._used // self.batch_size)

    @property
    def _used(self) -> int:
        """Images of an epoch: all but those of the last batch that cannot be shared equally."""
        return len(self.images) - len(self.images) % self.batch_size % self.world

    @property
    def smallest(self) -> int:
        """Images in an epoch's smallest batch, or in the smallest share of it.

        >>> images = Images(torch.zeros(9, 1, 2, 2, dtype=torch.uint8), torch.arange(9))
        >>> Batches(images, 4, Transform(torch.zeros(1), torch.ones(1))).smallest
        1
        """
        return (self._used % self.batch_size or self.batch_size) // self.world

    def share(self, rank: int, world: int) -> "Batches":
        """Return the share of one of several processes, which together make the batches of one.

        Shuffled batches keep their size, order and augmentation. Each process makes every `world`-th image of each
        batch, and all shares of a batch have the same size. For batches in order, as in evaluation, each
        process gets a block of the images instead, so that the results of all processes only have to be
        concatenated.

        Raises:
            UserError: there are fewer images in order than processes.

        >>> images = Images(torch.zeros(10, 1, 2, 2, dtype=torch.uint8), torch.arange(10))
        >>> plain = Transform(torch.zeros(1), torch.ones(1))
        >>> [labels.tolist() for _, labels in Batches(images, 4, plain).share(1, 2).epoch(1)]
        [[5, 6, 7, 8], [9]]
        """
        if world == 1:
            return self
        if self.shuffle_seed is not None:
            return replace(self, rank=rank, world=world)
        if len(self.images) < world:
            raise UserError(
                f"{world} processes cannot share {len(self.images)} validation or test images; start fewer, or "
                "hold more images out."
            )
        block = torch.arange(len(self.images), device=self.images.labels.device).tensor_split(world)[rank]
        return replace(self, images=self.images.select(block))

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of an epoch: images (N, C, H, W), float32, and labels (N,).

        Order and augmentation depend on `shuffle_seed` and `number` alone, and not on the device: they are
        drawn on the CPU for the whole epoch and copied to the images' device once, without waiting for a GPU.
        """
        order, moves = self._draw(number)
        for start in range(0, self._used, self.batch_size):
            part = slice(start + self.rank, min(start + self.batch_size, self._used), self.world)
            chosen = self.images.select(order[part])
            pixels = self.transform.move(chosen.pixels, moves[part]) if moves is not None else chosen.pixels
            yield self.transform.normalise(self._as_memory_format(pixels)), chosen.labels

    def to(self, device: torch.device | str) -> "Batches":
        """Return the same batches, made on `device`, with all images there."""
        return replace(self, images=self.images.to(device), transform=self.transform.to(device))

    def _draw(self, number: int) -> tuple[Tensor, Tensor | None]:
        """Return an epoch's order (N,) and moves (N, 3; None if nothing moves), on the images' device."""
        count, device = len(self.images), self.images.pixels.device
        if self.shuffle_seed is None:
            return torch.arange(count, device=device), None
        # Random hashes text, so that neighbouring seeds and epochs are independent
        generator = torch.Generator().manual_seed(Random(f"{self.shuffle_seed}/{number}").getrandbits(63))
        order = torch.randperm(count, generator=generator)
        if self.transform.pad == 0 and not self.transform.flip:
            return order.to(device), None
        moves = self.transform.draw_moves(count, generator)
        if self.transform.flip and self.transform.alternate:
            sides = torch.Generator().manual_seed(Random(f"{self.shuffle_seed}/sides").getrandbits(63))
            first = torch.randint(0, 2, (count,), generator=sides)  # by image, the same in every epoch
            moves[:, 2] = (first[order] + number) % 2
        return order.to(device), moves.to(device)

    def _as_memory_format(self, pixels: Tensor) -> Tensor:
        return pixels.contiguous(memory_format=torch.channels_last) if self.channels_last else pixels
