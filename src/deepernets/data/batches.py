"""From images to batches: splits, statistics, resizing, whole-batch augmentation, the batch iterator."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, replace
from random import Random

import torch
from torch import Tensor
from torch.nn import functional

from deepernets.data.images import Images
from deepernets.errors import UserError


def torch_seed(seed: int) -> int:
    """Return a seed that PyTorch takes for one of any size: its last 64 bits.

    >>> torch_seed(3), torch_seed(2**64 + 3)
    (3, 3)
    """
    return seed % 2**64


def stratified_split(images: Images, fraction: float, seed: int) -> tuple[Images, Images]:
    """Hold `fraction` of the images out, the same share of every class.

    Of N images exactly ``round(fraction * N)`` are held out; where shares are no whole numbers, the classes
    with the largest remainders give one more. Both parts keep the order of `images`.

    Returns:
        The rest, and the images held out.

    Raises:
        UserError: the fraction is not in [0, 1).
    """
    if not 0 <= fraction < 1:
        raise UserError(f"A fraction of {fraction} cannot be held out; give one from 0 up to, but under, 1.")
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

    Data sets are often sorted by class: the first images are no sample.
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
            f"The last {len(held_out):,} of {len(images):,} images are all there are of some class, because the "
            "images are sorted by class; train with --hold-out stratified."
        )
    return rest, held_out


def channel_statistics(images: Images) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of each channel, (C,) each, of pixels scaled to [0, 1].

    They come from the counts of the 256 values, which are exact however many images there are, and need no
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
            "normalised; give other images."
        )
    values = torch.arange(256, device=counts.device).double() / 255
    shares = counts / counts.sum(dim=1, keepdim=True)  # (C, 256)
    mean = shares @ values
    variance = (shares * (values - mean[:, None]).square()).sum(dim=1)
    return mean.float(), variance.sqrt().float()


def resize(images: Images, size: int) -> Images:
    """Resize all images at once to size × size pixels: bilinear, antialiased where they shrink, still uint8.

    >>> resize(Images(torch.zeros(5, 1, 28, 28, dtype=torch.uint8), torch.arange(5)), 32).pixels.shape
    torch.Size([5, 1, 32, 32])
    """
    if images.pixels.shape[2:] == (size, size) or len(images) == 0:
        return images
    pixels = functional.interpolate(images.pixels, size=(size, size), mode="bilinear", antialias=True)
    return Images(pixels, images.labels)


@dataclass(frozen=True, eq=False)
class Transform:
    """From a batch of pixels to what a network sees: random crop and flip if wanted, then normalisation.

    A crop pads the images by `pad` pixels on each side and cuts the original size out at a random place. The
    padding is the mean colour, rounded to a whole value, and so within half a grey level of zero after
    normalisation: He et al. (2016, section 4.2) subtract the mean before they pad with zeros. Black would be
    a colour of its own, and draw a frame that only training images have.

    Attributes:
        mean: (C,) of pixels scaled to [0, 1].
        std: (C,) likewise.
        pad: Pixels of padding on each side; 0 for no crop.
        flip: Mirror half of the images left to right.
        alternate: Mirror each image in every other epoch, half of them in the odd ones, instead of drawing anew:
            two epochs then show both sides of each image (Jordan 2024, section 3.6).
    """

    mean: Tensor
    std: Tensor
    pad: int = 0
    flip: bool = False
    alternate: bool = False

    def __call__(self, pixels: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return uint8 pixels (N, C, H, W) as normalised float32; random only where a generator is given."""
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
        padded = self._padded(pixels)
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

    def _padded(self, pixels: Tensor) -> Tensor:
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
        images: Where the images live, batches are made.
        batch_size: Images per batch.
        transform: What is done to each batch.
        shuffle_seed: Where order and augmentation come from; None for batches in order, not augmented.
        channels_last: Give batches the memory format that convolutions on CPUs and tensor cores prefer.
        rank: Which of `world` shares of each batch to make; see `share`.
        world: Into how many shares each batch is cut.

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
            raise UserError(f"A batch cannot have {self.batch_size} images; give a batch size of at least 1.")
        if self.batch_size < self.world:
            raise UserError(
                f"{self.world} processes cannot share batches of {self.batch_size} images; "
                "start fewer, or give a larger --batch-size."
            )

    def __len__(self) -> int:
        return -(-self._used // self.batch_size)

    @property
    def _used(self) -> int:
        """Images of an epoch: all of them, but for a rest of the last batch that cannot be shared equally."""
        return len(self.images) - len(self.images) % self.batch_size % self.world

    @property
    def smallest(self) -> int:
        """Images of an epoch's smallest batch, or of the smallest share of it.

        >>> images = Images(torch.zeros(9, 1, 2, 2, dtype=torch.uint8), torch.arange(9))
        >>> Batches(images, 4, Transform(torch.zeros(1), torch.ones(1))).smallest
        1
        """
        return (self._used % self.batch_size or self.batch_size) // self.world

    def share(self, rank: int, world: int) -> "Batches":
        """Return the share of one of several processes, which together make the batches of one.

        Shuffled batches keep their size, order and augmentation; each process makes every `world`-th image of
        each batch, and the shares of a batch are equally large. Where batches come in order, for evaluation, each
        process gets a block of the images instead, so that results only need to be laid end to end.

        >>> images = Images(torch.zeros(10, 1, 2, 2, dtype=torch.uint8), torch.arange(10))
        >>> plain = Transform(torch.zeros(1), torch.ones(1))
        >>> [labels.tolist() for _, labels in Batches(images, 4, plain).share(1, 2).epoch(1)]
        [[5, 6, 7, 8], [9]]
        """
        if world == 1:
            return self
        if self.shuffle_seed is not None:
            return replace(self, rank=rank, world=world)
        block = torch.arange(len(self.images), device=self.images.labels.device).tensor_split(world)[rank]
        return replace(self, images=self.images.select(block))

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of an epoch: images (N, C, H, W), float32, and labels (N,).

        Order and augmentation depend on `shuffle_seed` and `number` alone, and not on the device: they are
        drawn on the CPU and sent to the images' device once, so that a GPU is never waited for.
        """
        order, moves = self._draw(number)
        for start in range(0, self._used, self.batch_size):
            part = slice(start + self.rank, min(start + self.batch_size, self._used), self.world)
            chosen = self.images.select(order[part])
            pixels = self.transform.move(chosen.pixels, moves[part]) if moves is not None else chosen.pixels
            yield self.transform.normalise(self._laid_out(pixels)), chosen.labels

    def to(self, device: torch.device | str) -> "Batches":
        """Return the same batches, made on `device`, with all images there."""
        return replace(self, images=self.images.to(device), transform=self.transform.to(device))

    def _draw(self, number: int) -> tuple[Tensor, Tensor | None]:
        """Return an epoch's order (N,) and moves (N, 3; None if nothing moves), on the images' device."""
        count, device = len(self.images), self.images.pixels.device
        if self.shuffle_seed is None:
            return torch.arange(count, device=device), None
        # Random hashes text, so that neighbouring seeds and epochs have nothing in common
        generator = torch.Generator().manual_seed(Random(f"{self.shuffle_seed}/{number}").getrandbits(63))
        order = torch.randperm(count, generator=generator)
        if self.transform.pad == 0 and not self.transform.flip:
            return order.to(device), None
        moves = self.transform.draw_moves(count, generator)
        if self.transform.flip and self.transform.alternate:
            sides = torch.Generator().manual_seed(Random(f"{self.shuffle_seed}/sides").getrandbits(63))
            at_first = torch.randint(0, 2, (count,), generator=sides)  # by image, the same in every epoch
            moves[:, 2] = (at_first[order] + number) % 2
        return order.to(device), moves.to(device)

    def _laid_out(self, pixels: Tensor) -> Tensor:
        return pixels.contiguous(memory_format=torch.channels_last) if self.channels_last else pixels
