"""Is one result better than another, or luckier? Intervals, paired tests, spread over seeds, images needed."""

from collections.abc import Sequence
from math import ceil, sqrt
from statistics import fmean, stdev
from typing import NamedTuple

from torch import Tensor

from deepernets.errors import UserError

Z80 = 0.8416  # a normal variable exceeds its mean minus so many standard deviations 80 times in 100
Z95 = 1.96  # a normal variable stays within so many standard deviations of its mean 95 times in 100


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
    return _fair_coin(only_one, only_other)


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


class Bounds(NamedTuple):
    """What a p-value can be at least and at most."""

    lowest: float
    highest: float


def standard_error(share: float, images: int) -> float:
    """Return the standard deviation of a share that is counted on `images` independent images.

    >>> f"{standard_error(0.9, 1000):.4f}"
    '0.0095'
    """
    _require_shares(share)
    if images < 1:
        raise UserError("A share is counted on at least one image.")
    return sqrt(share * (1 - share) / images)


def images_needed(one: float, other: float) -> int:
    """Return how many test images tell two accuracies apart, each counted on images of its own.

    The two-sided test at 5 % finds the difference in 80 of 100 such experiments. Both counts are taken as normal:
    under the hypothesis that there is no difference with the mean accuracy, under the other with the two.

    Args:
        one: True accuracy of one network, as a share between 0 and 1.
        other: Of the other one; it must differ.

    Returns:
        Images for each network.

    >>> images_needed(0.90, 0.91)
    13496
    """
    _require_shares(one, other)
    if one == other:
        raise UserError("No number of images tells two networks apart that are equally good.")
    mean = (one + other) / 2
    equal = sqrt(2 * mean * (1 - mean))
    apart = sqrt(one * (1 - one) + other * (1 - other))
    return ceil(((Z95 * equal + Z80 * apart) / (one - other)) ** 2)


def images_needed_paired(apart: float, difference: float) -> int:
    """Return how many test images tell two networks apart that are tested on the same ones.

    As `images_needed`, for McNemar's test: of `apart`, the share of images that exactly one network gets right, the
    difference is the part that does not cancel. Its variance per image is `apart` if there is no difference.

    Args:
        apart: Share of the images that exactly one of the two gets right.
        difference: Of the two accuracies; not 0, and at most `apart` in size.

    >>> images_needed_paired(apart=0.05, difference=0.01)
    3923
    """
    _require_shares(apart, abs(difference))
    if difference == 0 or abs(difference) > apart:
        raise UserError(
            "Accuracies differ by more than 0, and by at most the share of images that tell them apart."
        )
    under_difference = sqrt(apart - difference**2)
    return ceil(((Z95 * sqrt(apart) + Z80 * under_difference) / difference) ** 2)


def mcnemar_bounds(one_wrong: int, other_wrong: int, images: int) -> Bounds:
    """Return what McNemar's exact p-value can be, where only the numbers of mistakes are known.

    The more mistakes two networks share, the fewer images are left to tell them apart, and the clearer these speak.
    So the p-value is lowest if every mistake of the better network is one of the other's too, and highest if as few
    are shared as can be.

    Args:
        one_wrong: Images that one network gets wrong.
        other_wrong: Of the same images, those that the other one does.
        images: All of them.

    >>> mcnemar_bounds(2, 5, images=100)  # 3 against 0 at best, 5 against 2 at worst
    Bounds(lowest=0.25, highest=0.453125)
    """
    if not (0 <= one_wrong <= images and 0 <= other_wrong <= images):
        raise UserError(f"{one_wrong} and {other_wrong} mistakes on {images} images cannot be.")
    fewer, more = sorted((one_wrong, other_wrong))
    least_shared = max(0, fewer + more - images)
    values = [_fair_coin(fewer - shared, more - shared) for shared in (fewer, least_shared)]
    return Bounds(min(values), max(values))


def expected_highest(draws: int) -> float:
    """Return how many standard deviations the highest of several normal variables lies above their mean.

    Args:
        draws: Independent variables with the same distribution, at least one.

    >>> f"{expected_highest(5):.2f}"
    '1.16'
    """
    if draws < 1:
        raise UserError("The highest of no draws is not defined.")
    from scipy.integrate import quad
    from scipy.stats import norm

    def integrand(z: float) -> float:
        return float(z * draws * norm.pdf(z) * norm.cdf(z) ** (draws - 1))

    return float(quad(integrand, -8, 8)[0])


def _fair_coin(heads: int, tails: int) -> float:
    """Return the two-sided p-value of a fair coin that came out so; 1 if it was not tossed."""
    from scipy.stats import binomtest

    return float(binomtest(heads, heads + tails).pvalue) if heads + tails else 1.0


def _require_shares(*shares: float) -> None:
    if not all(0 <= share <= 1 for share in shares):
        raise UserError("Give accuracies as shares between 0 and 1, not as per cent.")
