"""Is one result better than another, or luckier? Intervals, paired tests, spread over seeds, equal terms."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from math import comb, sqrt
from statistics import fmean, stdev
from typing import NamedTuple

from torch import Tensor

from deepernets.errors import UserError
from deepernets.recipes.recipe import Recipe

Z95 = 1.96  # a normal variable stays within so many standard deviations of its mean 95 times in 100
TRAINING_TO_FORWARD = 3  # a backward pass costs two forward ones: gradients of the inputs, and of the weights


class Interval(NamedTuple):
    """What a share may be, given the images it was counted on."""

    low: float
    high: float


def binomial_interval(right: int, images: int, z: float = Z95) -> Interval:
    """Return Wilson's interval for the share of images that a network classifies rightly.

    It holds every share p from which the counted one is at most `z` standard deviations √(p(1-p)/n) away
    (Wilson 1927, doi:10.1080/01621459.1927.10502953). Unlike the normal interval it never leaves [0, 1], and
    does not shrink to nothing where all images are right.

    Args:
        right: Images that were classified rightly.
        images: All images, at least one.
        z: Half width, in standard deviations; 1.96 for 95 %.

    >>> low, high = binomial_interval(2736, 3000)  # a test accuracy of 91.2 %
    >>> f"{low:.1%} to {high:.1%}"
    '90.1% to 92.2%'
    """
    if not 0 <= right <= images or images < 1:
        raise UserError(f"{right} right answers out of {images} images cannot be; give right, then images.")
    share = right / images
    centre = share + z**2 / (2 * images)
    half_width = z * sqrt(share * (1 - share) / images + z**2 / (4 * images**2))
    shrink = 1 + z**2 / images
    return Interval(max(0.0, (centre - half_width) / shrink), min(1.0, (centre + half_width) / shrink))


def compare_accuracies(one: float, other: float, images: int) -> tuple[float, float]:
    """Return how much higher the first of two accuracies is, and by how many standard deviations of sampling error.

    The two are taken as independent. For networks that were tested on the same images this mostly overstates the
    error, and `mcnemar` is the sharper test.

    Args:
        one: A share of right answers, below 1.
        other: Likewise.
        images: Images that each of them was counted on.

    >>> more, deviations = compare_accuracies(0.9465, 0.9437, 10_000)
    >>> f"{more:.4f}, {deviations:.2f} standard deviations"
    '0.0028, 0.87 standard deviations'
    """
    variances = (share * (1 - share) / images for share in (one, other))
    return one - other, (one - other) / sqrt(sum(variances))


def mcnemar(one_right: Tensor, other_right: Tensor) -> float:
    """Return the p-value of the exact McNemar test: do two networks do equally well on the same images?

    Only images that exactly one of them gets right tell the two apart. Were they equally good, each such image
    would fall to either with probability 1/2 (McNemar 1947, doi:10.1007/BF02295996). The value is two-sided;
    where no image tells them apart it is 1.

    Args:
        one_right: (N,), bool: which of the images one network classifies rightly.
        other_right: (N,), bool: which of the same images, in the same order, the other does.

    >>> import torch
    >>> one = torch.tensor([True] * 9 + [False] * 2 + [True] * 80)
    >>> other = torch.tensor([False] * 9 + [True] * 2 + [True] * 80)
    >>> f"{mcnemar(one, other):.3f}"  # 9 against 2
    '0.065'
    """
    if one_right.shape != other_right.shape:
        raise UserError("Two networks can be compared image by image only on the same images.")
    only_one = int((one_right & ~other_right).sum())
    only_other = int((other_right & ~one_right).sum())
    apart = only_one + only_other
    ways = sum(comb(apart, heads) for heads in range(min(only_one, only_other) + 1))
    return min(1.0, 2 * ways / 2**apart)  # where the two come out even, both tails hold the middle


def mean_and_sd(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and the sample standard deviation (divided by n - 1) of at least two runs' results.

    >>> mean, sd = mean_and_sd([0.90, 0.92, 0.94])
    >>> f"{mean:.1%} ± {sd:.1%}"
    '92.0% ± 2.0%'
    """
    if len(values) < 2:
        raise UserError("One run has no spread; train with another seed, too.")
    return fmean(values), stdev(values)


class Gap(NamedTuple):
    """Two groups of runs, such as of two precisions, compared by what seeds alone do to a result.

    Attributes:
        difference: Of the groups' means, the second less the first.
        noise: Standard deviation of runs that differ in the seed alone, pooled over both groups.
    """

    difference: float
    noise: float

    @property
    def within_noise(self) -> bool:
        """Whether the means differ by no more than a run typically does from the mean of its own group."""
        return abs(self.difference) <= self.noise


def gap(one: Sequence[float], other: Sequence[float]) -> Gap:
    """Hold the difference of two groups' means against the pooled standard deviation of their runs.

    The variances of the groups are averaged with weights n - 1, as for a t test of two groups. A difference
    within the noise is no proof that there is none: with few seeds only a large one could be seen.

    Args:
        one: A result of each run of one group, at least two runs.
        other: Likewise, in the same unit; the numbers of runs may differ.

    Raises:
        UserError: a group has fewer than two runs.

    >>> found = gap([90.0, 92.0], [91.0, 93.0])
    >>> f"{found.difference:.1f} points, noise {found.noise:.2f}", found.within_noise
    ('1.0 points, noise 1.41', True)
    """
    (first, first_sd), (second, second_sd) = mean_and_sd(one), mean_and_sd(other)
    freedom = len(one) - 1, len(other) - 1
    variance = (freedom[0] * first_sd**2 + freedom[1] * second_sd**2) / sum(freedom)
    return Gap(second - first, sqrt(variance))


def unequal_terms(one: Recipe, other: Recipe, compared: Collection[str] = ("name", "model")) -> list[str]:
    """Return, sorted, the fields in which two recipes differ beside what is to be `compared`.

    >>> from deepernets.recipes import get_recipe
    >>> unequal_terms(get_recipe("report-a/vgg-16/as-reported"), get_recipe("report-a/resnet-50/as-reported"))
    ['epochs']
    """
    ours, theirs = asdict(one), asdict(other)
    return sorted(field for field in ours if field not in compared and ours[field] != theirs[field])


def training_cost(epochs: int, images: int, multiply_adds: int) -> int:
    """Return the multiply-adds of a training: each image of each epoch goes forward once and backward once.

    Args:
        epochs: Passes over the training images.
        images: Training images.
        multiply_adds: Of one image's forward pass, as `deepernets.count_multiply_adds` counts them.

    >>> training_cost(20, 15_000, 313_198_080)  # report A's VGG-16
    281878272000000
    """
    return TRAINING_TO_FORWARD * epochs * images * multiply_adds
