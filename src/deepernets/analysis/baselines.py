"""What deep networks have to beat on digits, and how far results near 100 % are really apart."""

from collections.abc import Sequence
from itertools import repeat

import numpy as np
import torch
from torch import Tensor, nn

from deepernets.errors import UserError
from deepernets.training.loop import train_epoch
from deepernets.training.records import Record

BATCH = 32  # images
RATE = 1e-3  # Adam's learning rate


def pad_and_normalise(pixels: Tensor, mean: float, std: float, side: int = 32) -> Tensor:
    """Give images a black frame, then normalise them; the frame looks as black as the picture's own black.

    Args:
        pixels: (N, C, H, W), uint8; `side` - H and `side` - W are even.
        mean: Of the training pixels, scaled to [0, 1].
        std: Likewise.
        side: Height and width of the result.

    Returns:
        (N, C, side, side), float32.

    >>> pad_and_normalise(torch.full((1, 1, 2, 2), 255, dtype=torch.uint8), mean=0.5, std=0.5, side=4)[0, 0]
    tensor([[-1., -1., -1., -1.],
            [-1.,  1.,  1., -1.],
            [-1.,  1.,  1., -1.],
            [-1., -1., -1., -1.]])
    """
    rows, columns = ((side - size) // 2 for size in pixels.shape[2:])
    padded = nn.functional.pad(pixels, (columns, columns, rows, rows))
    return (padded / 255 - mean) / std


def standardise(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """Subtract from each feature its mean, and divide it by its standard deviation; both are the training set's.

    A feature that is the same in all training images, as a corner of MNIST's, has a deviation of 0; it is divided
    by 1.

    Args:
        train: (N, P), float.
        test: (M, P), float.

    Returns:
        Both, standardised.

    >>> train, test = standardise(torch.tensor([[0.0, 7.0], [2.0, 7.0]]), torch.tensor([[3.0, 8.0]]))
    >>> test
    tensor([[2., 1.]])
    """
    mean, std = train.mean(dim=0), train.std(dim=0, correction=0)  # (P,) each
    std = torch.where(std > 0, std, 1.0)
    return (train - mean) / std, (test - mean) / std


def train_baseline(
    model: nn.Module, features: Tensor, labels: Tensor, epochs: int = 20, seed: int = 0
) -> None:
    """Train a small model on features that are all in memory: Adam at a constant rate, no augmentation.

    Args:
        model: Maps (N, P) to logits (N, K). Its first weights are the caller's business.
        features: (N, P), float.
        labels: (N,), class indices.
        epochs: Passes over all images.
        seed: The order of the images comes from it.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    for _ in range(epochs):
        batches = torch.randperm(len(labels), generator=generator).split(BATCH)
        shuffled = [(features[batch], labels[batch]) for batch in batches]
        train_epoch(model, shuffled, nn.CrossEntropyLoss(), optimizer, repeat(RATE))


def confused_pairs(counts: np.ndarray, most: int) -> list[tuple[int, int, int, int]]:
    """List the pairs of classes that are mixed up most often, whichever of the two was the true one.

    Args:
        counts: (K, K) integers; the row is the true class, the column the predicted one.
        most: How many pairs to list at most.

    Returns:
        One tuple a pair, the most frequent first: a, b (a < b), how many a were taken for b, how many b for a.

    >>> confused_pairs(np.array([[90, 1, 2], [4, 80, 5], [0, 3, 70]]), most=2)
    [(1, 2, 5, 3), (0, 1, 1, 4)]
    """
    pairs = [(int(a), int(b)) for a, b in zip(*np.triu_indices(len(counts), k=1), strict=True)]
    listed = [(a, b, int(counts[a][b]), int(counts[b][a])) for a, b in pairs]
    return sorted(listed, key=lambda pair: -pair[2] - pair[3])[:most]


def relative_error_reduction(before: float, after: float) -> float:
    """Return which share of the mistakes is gone; negative if there are more than before.

    Args:
        before: Accuracy, as a share between 0 and 1.
        after: Likewise.

    >>> f"{relative_error_reduction(before=0.98, after=0.995):.0%}"
    '75%'
    """
    return (after - before) / (1 - before)


def expected_best(accuracy: float, images: int, tries: int) -> float:
    """Return the accuracy to expect of the best of several networks that are all equally good.

    Each classifies an image rightly with the same probability, `accuracy`, and independently of the others: what
    the best one has above it is luck. The mean of a maximum of counts is the sum over x of P(maximum > x).

    Args:
        accuracy: Of every network, as a share between 0 and 1.
        images: Test images.
        tries: Networks to choose from.

    >>> round(expected_best(0.5, images=2, tries=2), 4)  # two coins each, twice
    0.6875
    """
    if not 0 <= accuracy <= 1 or images < 1 or tries < 1:
        raise UserError("An accuracy from 0 to 1, at least one image and at least one try are wanted.")
    right = torch.arange(images + 1, dtype=torch.double)
    log_choices = (
        torch.lgamma(torch.tensor(images + 1.0, dtype=torch.double))
        - torch.lgamma(right + 1)
        - torch.lgamma(images - right + 1)
    )
    share = torch.tensor(accuracy, dtype=torch.double)
    log_chances = log_choices + torch.xlogy(right, share) + torch.xlogy(images - right, 1 - share)
    at_most = log_chances.exp().cumsum(0)[:-1].clamp(max=1)  # P(count <= x) for x from 0 to images - 1
    return float((1 - at_most**tries).sum()) / images


def right_in_last_epoch(before: float, after: float, epochs: int, images: int) -> int:
    """Return how many images were right in the last epoch alone, from accuracies averaged over all epochs so far.

    Args:
        before: Mean accuracy over the first `epochs` - 1 epochs, in per cent.
        after: Mean accuracy over all `epochs` epochs, in per cent.
        epochs: Number of the last epoch.
        images: Images evaluated after every epoch.

    >>> right_in_last_epoch(before=80.0, after=85.0, epochs=2, images=100)
    90
    """
    return round(after / 100 * epochs * images) - round(before / 100 * (epochs - 1) * images)


def wrong_images(record: Record) -> int:
    """Return how many test images a recorded run got wrong."""
    counts = np.array(record.test["confusion"])
    return int(counts.sum() - counts.trace())


def on_equal_terms(found: Sequence[Record]) -> list[Record]:
    """Return those of the records that may be compared: same data, profile, training images and epochs.

    Of several such groups it is the one with the most recipes in it; of equals, the one trained for longest.

    Args:
        found: Records of any runs.

    Returns:
        The group, in the order of `found`; empty if there are no records.
    """

    def terms(record: Record) -> tuple[str, str, int, int]:
        return record.data["variant"], record.profile, record.data["train"], len(record.epochs)

    groups = [[record for record in found if terms(record) == wanted] for wanted in {*map(terms, found)}]

    def weight(group: list[Record]) -> tuple[int, int, tuple[str, str, int, int]]:
        longest = group[0].data["train"] * len(group[0].epochs)
        return len({record.recipe.name for record in group}), longest, terms(group[0])

    return max(groups, key=weight, default=[])
