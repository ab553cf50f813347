"""Baselines for digits, and measures of results near 100 %."""

from itertools import repeat

import numpy as np
import torch
from torch import Tensor, nn

from deepernets.training.loop import train_epoch

BATCH_SIZE = 32
LEARNING_RATE = 1e-3  # of Adam


def pad_and_normalise(pixels: Tensor, mean: float, std: float, side: int = 32) -> Tensor:
    """Return images with a black frame, normalised afterwards, so that the frame is as black as the image's black.

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
    """Return both sets of features, standardised by the training set's means and standard deviations.

    A feature that is constant in the training set is divided by 1, such as the corners of MNIST's images.

    Args:
        train: (N, P), float.
        test: (M, P), float.

    >>> train, test = standardise(torch.tensor([[0.0, 7.0], [2.0, 7.0]]), torch.tensor([[3.0, 8.0]]))
    >>> test
    tensor([[2., 1.]])
    """
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(train.numpy())
    first, second = (torch.from_numpy(scaler.transform(features.numpy())) for features in (train, test))
    return first, second


def train_baseline(model: nn.Module, features: Tensor, labels: Tensor, epochs: int = 20) -> None:
    """Train a small model in place, with Adam at a constant learning rate and without augmentation.

    Args:
        model: Maps (N, P) to logits (N, K).
        features: (N, P), float.
        labels: (N,), class indices.
        epochs: Passes over all images.
    """
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    for _ in range(epochs):
        batches = torch.randperm(len(labels), generator=generator).split(BATCH_SIZE)
        shuffled = [(features[batch], labels[batch]) for batch in batches]
        train_epoch(model, shuffled, nn.CrossEntropyLoss(), optimizer, repeat(LEARNING_RATE))


def confused_pairs(counts: np.ndarray, most: int) -> list[tuple[int, int, int, int]]:
    """Return the pairs of classes that are confused most often, in either direction.

    Args:
        counts: (K, K) integers; the row is the true class, the column the predicted one.
        most: Maximal number of pairs.

    Returns:
        One tuple per pair, the most frequent first: a, b (a < b), how often a was classified as b, and b as a.

    >>> confused_pairs(np.array([[90, 1, 2], [4, 80, 5], [0, 3, 70]]), most=2)
    [(1, 2, 5, 3), (0, 1, 1, 4)]
    """
    pairs = [(int(a), int(b)) for a, b in zip(*np.triu_indices(len(counts), k=1), strict=True)]
    listed = [(a, b, int(counts[a][b]), int(counts[b][a])) for a, b in pairs]
    return sorted(listed, key=lambda pair: -pair[2] - pair[3])[:most]


def relative_error_reduction(before: float, after: float) -> float:
    """Return the share of the mistakes that is gone; negative if there are more than before.

    Args:
        before: Accuracy as a share.
        after: Likewise.

    >>> f"{relative_error_reduction(before=0.98, after=0.995):.0%}"
    '75%'
    """
    return (after - before) / (1 - before)


def right_in_last_epoch(before: float, after: float, epochs: int, images: int) -> int:
    """Return the correct answers in the last epoch alone, given accuracies averaged over all epochs so far.

    Args:
        before: Mean accuracy over the first `epochs` - 1 epochs, in per cent.
        after: Mean accuracy over all `epochs` epochs, in per cent.
        epochs: Number of the last epoch.
        images: Images evaluated after each epoch.

    >>> right_in_last_epoch(before=80.0, after=85.0, epochs=2, images=100)
    90
    """
    return round(after / 100 * epochs * images) - round(before / 100 * (epochs - 1) * images)
