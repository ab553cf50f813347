"""Test sets with wrong labels: what is expected of them, and what happens in simulated ones."""

import torch
from torch import Tensor

from deepernets.analysis.statistics import require_shares
from deepernets.errors import UserError

CHUNK = 5_000_000  # random numbers drawn at a time


def accuracy_with_wrong_labels(accuracy: float, wrong: float, classes: int) -> float:
    """Return the expected accuracy on a test set with wrong labels.

    A correct answer counts where the label is correct. A wrong answer counts where the label is wrong and happens
    to be the same of the K - 1 other classes. Labels and network err independently.

    Args:
        accuracy: True accuracy, as a share.
        wrong: Share of wrong labels.
        classes: Number of classes K, at least 2.

    Raises:
        UserError: a share is not between 0 and 1, or there are fewer than two classes.

    >>> round(accuracy_with_wrong_labels(1.0, wrong=0.05, classes=10), 4)  # of a perfect network
    0.95
    """
    require_shares(accuracy, wrong)
    if classes < 2:
        raise UserError(f"classes is {classes}; expected at least 2.")
    return accuracy * (1 - wrong) + (1 - accuracy) * wrong / (classes - 1)


def replace_labels(labels: Tensor, share: float, classes: int, generator: torch.Generator) -> Tensor:
    """Return labels of which each is, with probability `share`, replaced by another class.

    The result serves as wrong labels, or as the answers of a network with accuracy 1 - `share`.

    Args:
        labels: int64 of any shape, from 0 to `classes` - 1.
        share: Probability of a replacement; all other classes are equally likely.
        classes: Number of classes.
        generator: Source of random numbers.
    """
    others = (labels + torch.randint(1, classes, labels.shape, generator=generator)) % classes
    return torch.where(torch.rand(labels.shape, generator=generator) < share, others, labels)


def better_wins(
    better: float, worse: float, images: int, wrong: float, classes: int, draws: int = 1000
) -> float:
    """Return how often the better of two networks gets more test images right, by simulation; a tie counts half.

    Both networks answer the same images, whose labels are wrong with probability `wrong`.

    Args:
        better: Accuracy of one network on correct labels, as a share.
        worse: Accuracy of the other network.
        images: Test images.
        wrong: Share of wrong labels.
        classes: Number of classes.
        draws: Simulated test sets; the seed is 0.

    Returns:
        A share from 0 to 1.

    >>> better_wins(0.9, 0.1, images=300, wrong=0.0, classes=3, draws=20)
    1.0
    """
    generator = torch.Generator().manual_seed(0)
    wins = 0.0
    all_truths = torch.zeros(1, dtype=torch.long).expand(draws, images)  # without memory for each
    for truth in all_truths.split(max(1, CHUNK // images)):
        labels = replace_labels(truth, wrong, classes, generator)
        first, second = (
            (replace_labels(truth, 1 - accuracy, classes, generator) == labels).sum(dim=1)
            for accuracy in (better, worse)
        )
        wins += float((first > second).sum()) + float((first == second).sum()) / 2
    return wins / draws
