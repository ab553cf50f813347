"""What a test set does to what is measured on it: luck in choosing, and labels that are wrong."""

from collections.abc import Sequence

import torch
from torch import Tensor

from deepernets.errors import UserError

AT_ONCE = 5_000_000  # random numbers drawn in one go


def right_counts(chances: Tensor, networks: int, seed: int = 0) -> Tensor:
    """Let many equally good networks answer the same test images; count each one's right answers.

    Args:
        chances: (N,), for each image the probability that such a network gets it right. All networks share them,
            and answer independently of each other otherwise.
        networks: How many networks.
        seed: Their answers come from it.

    Returns:
        (networks,), int64.

    >>> right_counts(torch.tensor([1.0, 1.0, 0.0]), networks=2)
    tensor([2, 2])
    """
    generator = torch.Generator().manual_seed(seed)
    sizes = [len(part) for part in torch.arange(networks).split(max(1, AT_ONCE // len(chances)))]
    return torch.cat(
        [(torch.rand(size, len(chances), generator=generator) < chances).sum(dim=1) for size in sizes]
    )


def luck_of_best(chances: Tensor, tries: Sequence[int], draws: int = 100, seed: int = 0) -> dict[int, float]:
    """Simulate how far the best of several equally good networks lies above what each is worth.

    Args:
        chances: (N,), as for `right_counts`; what a network is worth is their mean.
        tries: Numbers of networks to choose from.
        draws: How many times each choice is made; the result is their mean.
        seed: All answers come from it.

    Returns:
        For each number of tries, the mean of (best accuracy measured) - (accuracy of all), in points.

    Raises:
        UserError: a number of tries is under 1.
    """
    if min(tries) < 1:
        raise UserError("The best of no networks is none; give numbers of tries from 1.")
    counts = right_counts(chances, draws * max(tries), seed).double().view(draws, -1)
    best = counts.cummax(dim=1).values.mean(dim=0) / len(chances)  # (max(tries),)
    worth = float(chances.double().mean())
    return {number: 100 * (float(best[number - 1]) - worth) for number in tries}


def measured_accuracy(accuracy: float, wrong: float, classes: int) -> float:
    """Return the accuracy that a test set with wrong labels shows.

    A right answer counts where the label is right, too. A wrong answer counts where the label is wrong and
    happens to name the same class, one of the K - 1 others. Labels and network err independently of each other.

    Args:
        accuracy: What the network really has, from 0 to 1.
        wrong: Share of wrong labels, from 0 to 1.
        classes: Number of classes K, at least 2.

    >>> round(measured_accuracy(1.0, wrong=0.05, classes=10), 4)  # perfect, and yet
    0.95
    """
    if not (0 <= accuracy <= 1 and 0 <= wrong <= 1 and classes >= 2):
        raise UserError("An accuracy and a share from 0 to 1 and at least two classes are wanted.")
    return accuracy * (1 - wrong) + (1 - accuracy) * wrong / (classes - 1)


def disturb(labels: Tensor, share: float, classes: int, generator: torch.Generator) -> Tensor:
    """Replace each label, with probability `share`, by another class, all others being equally likely.

    It makes wrong labels, and as well the answers of a network that is right on 1 - `share` of the images.

    Args:
        labels: int64 of any shape, from 0 to `classes` - 1.
        share: Probability of a replacement.
        classes: Number of classes.
        generator: Where chance comes from.

    Returns:
        New labels of the same shape.
    """
    others = (labels + torch.randint(1, classes, labels.shape, generator=generator)) % classes
    return torch.where(torch.rand(labels.shape, generator=generator) < share, others, labels)


def comes_out_ahead(
    better: float, worse: float, images: int, wrong: float, classes: int, draws: int = 1000
) -> float:
    """Simulate how often the better of two networks gets more test images right; a tie counts half.

    Both networks answer the same images, whose labels are wrong with probability `wrong`.

    Args:
        better: Accuracy on right labels, from 0 to 1.
        worse: The other network's.
        images: Test images.
        wrong: Share of wrong labels.
        classes: Number of classes.
        draws: Test sets to draw; all chance is seeded with 0.

    Returns:
        A share from 0 to 1.

    >>> comes_out_ahead(0.9, 0.1, images=300, wrong=0.0, classes=3, draws=20)
    1.0
    """
    generator = torch.Generator().manual_seed(0)
    ahead = 0.0
    for part in torch.arange(draws).split(max(1, AT_ONCE // images)):
        truth = torch.zeros(len(part), images, dtype=torch.long)
        labels = disturb(truth, wrong, classes, generator)
        first, second = (
            (disturb(truth, 1 - accuracy, classes, generator) == labels).sum(dim=1)
            for accuracy in (better, worse)
        )
        ahead += float((first > second).sum()) + float((first == second).sum()) / 2
    return ahead / draws
