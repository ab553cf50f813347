"""Whether one result is better than another: intervals, paired tests, seeds, sample sizes, the best of several.

Numbers that cannot be, such as a share above 1, more answers than images or a single run, raise a `UserError`.
"""

from collections.abc import Sequence
from math import ceil, hypot, sqrt
from statistics import fmean, stdev
from typing import NamedTuple

from torch import Tensor

from deepernets.errors import UserError

Z80 = 0.8416  # a normal variable is above its mean minus so many standard deviations in 80 % of cases
Z95 = 1.96  # a normal variable is within so many standard deviations of its mean in 95 % of cases


class Interval(NamedTuple):
    """The lower and the upper end of an interval."""

    low: float
    high: float


def _require_counts(images: int, *counts: int) -> None:
    for count in counts:
        if not 0 <= count <= images or images < 1:
            raise UserError(f"{count} of {images} answers cannot be correct; expected right, then images.")


def standard_error(share: float, images: int) -> float:
    """Return the standard deviation of a share that is counted on `images` independent images.

    >>> f"{standard_error(0.9, 1000):.4f}"
    '0.0095'
    """
    require_shares(share)
    if images < 1:
        raise UserError(f"images is {images}; expected at least 1.")
    return sqrt(share * (1 - share) / images)


def binomial_interval(right: int, images: int, z: float = Z95) -> Interval:
    """Return Wilson's interval for the share of images that a network classifies correctly.

    It contains each share p from which the observed one is at most `z` standard deviations √(p(1-p)/n) away
    (Wilson 1927, doi:10.1080/01621459.1927.10502953). Unlike the normal interval it stays within [0, 1], and its
    width is not 0 where all images are classified correctly.

    Args:
        right: Images that were classified correctly.
        images: All images, at least one.
        z: Half width in standard deviations; 1.96 for 95 %.

    >>> low, high = binomial_interval(2736, 3000)  # a test accuracy of 91.2 %
    >>> f"{low:.1%} to {high:.1%}"
    '90.1% to 92.2%'
    """
    from scipy.stats import binomtest, norm

    _require_counts(images, right)
    found = binomtest(right, images).proportion_ci(1 - 2 * norm.sf(z), method="wilson")
    return Interval(float(found.low), float(found.high))


def compare_accuracies(one: float, other: float, images: int) -> tuple[float, float]:
    """Return how much higher the first of two accuracies is, and the same in standard deviations of sampling error.

    The two are treated as independent. For networks tested on the same images this usually overstates the error,
    and `mcnemar` is the more powerful test.

    Args:
        one: Accuracy as a share, below 1.
        other: Likewise.
        images: Images on which each of them was counted.

    >>> difference, in_sd = compare_accuracies(0.9465, 0.9437, 10_000)
    >>> f"{difference:.4f}, {in_sd:.2f} standard deviations"
    '0.0028, 0.87 standard deviations'
    """
    error = hypot(standard_error(one, images), standard_error(other, images))
    return one - other, (one - other) / error


def unpaired_interval(one_right: int, other_right: int, images: int) -> Interval:
    """Return the 95 % interval of the difference of two accuracies, each counted on test images of its own.

    It is the normal interval: the difference ± 1.96 standard errors.

    Args:
        one_right: Images that one network classifies correctly.
        other_right: Likewise of the other network.
        images: Images on which each of them was tested.

    >>> low, high = unpaired_interval(9100, 9000, 10_000)
    >>> f"{low:.2%} to {high:.2%}"
    '0.19% to 1.81%'
    """
    _require_counts(images, one_right, other_right)
    one, other = one_right / images, other_right / images
    error = hypot(standard_error(one, images), standard_error(other, images))
    return Interval(one - other - Z95 * error, one - other + Z95 * error)


def paired_interval(only_one: int, only_other: int, images: int) -> Interval:
    """Return the 95 % interval of the difference of two accuracies that are counted on the same test images.

    An image adds 1, 0 or -1 to the difference. The interval is the normal one, from the variance of these values.

    Args:
        only_one: Images that only the first network classifies correctly.
        only_other: Those that only the second one does.
        images: All test images.

    >>> low, high = paired_interval(300, 200, 10_000)  # 1 point, as above; agreement on 95 % of the images
    >>> f"{low:.2%} to {high:.2%}"
    '0.56% to 1.44%'
    """
    _require_counts(images, only_one, only_other, only_one + only_other)
    apart, difference = (only_one + only_other) / images, (only_one - only_other) / images
    error = sqrt((apart - difference**2) / images)
    return Interval(difference - Z95 * error, difference + Z95 * error)


def mcnemar(one_right: Tensor, other_right: Tensor) -> float:
    """Return the two-sided p-value of the exact McNemar test: are two networks equally good on the same images?

    It depends only on the images that exactly one network classifies correctly. If both were equally good, each
    such image would be either network's with probability 1/2 (McNemar 1947, doi:10.1007/BF02295996). Without
    such images the value is 1.

    Args:
        one_right: (N,), bool: which of the images one network classifies correctly.
        other_right: (N,), bool: the same of the other network, images in the same order.

    >>> import torch
    >>> one = torch.tensor([True] * 9 + [False] * 2 + [True] * 80)
    >>> other = torch.tensor([False] * 9 + [True] * 2 + [True] * 80)
    >>> f"{mcnemar(one, other):.3f}"  # 9 against 2
    '0.065'
    """
    if one_right.shape != other_right.shape:
        raise UserError(
            f"The answers have shapes {tuple(one_right.shape)} and {tuple(other_right.shape)}; expected answers of "
            "two networks to the same images."
        )
    only_one = int((one_right & ~other_right).sum())
    only_other = int((other_right & ~one_right).sum())
    return mcnemar_of_counts(only_one, only_other)


def mcnemar_of_counts(only_one: int, only_other: int) -> float:
    """Return the p-value of `mcnemar` from the number of images that exactly one network classifies correctly.

    Args:
        only_one: Images that only the first network classifies correctly.
        only_other: Those that only the second one does.

    >>> f"{mcnemar_of_counts(9, 2):.3f}"
    '0.065'
    """
    from scipy.stats import binomtest

    if min(only_one, only_other) < 0:
        raise UserError(f"The numbers of images are {only_one} and {only_other}; expected at least 0.")
    images = only_one + only_other
    return float(binomtest(only_one, images).pvalue) if images else 1.0


def mcnemar_bounds(one_wrong: int, other_wrong: int, images: int) -> Interval:
    """Return the lowest and highest p-value of McNemar's exact test that two numbers of mistakes allow.

    The p-value is lowest if all mistakes of the better network are shared with the other one, and highest if as few
    as possible are shared.

    Args:
        one_wrong: Images that one network misclassifies.
        other_wrong: Those of the same images that the other network misclassifies.
        images: All images.

    >>> mcnemar_bounds(2, 5, images=100)  # 3 against 0 at best, 5 against 2 at worst
    Interval(low=0.25, high=0.453125)
    """
    if not (0 <= one_wrong <= images and 0 <= other_wrong <= images):
        raise UserError(
            f"The mistakes are {one_wrong} and {other_wrong}; expected 0 to {images}, the number of images."
        )
    fewer, more = sorted((one_wrong, other_wrong))
    least_shared = max(0, fewer + more - images)
    values = [mcnemar_of_counts(fewer - shared, more - shared) for shared in (fewer, least_shared)]
    return Interval(min(values), max(values))


def images_needed(one: float, other: float) -> int:
    """Return how many test images per network are needed to tell two accuracies apart.

    Each accuracy is counted on images of its own. The two-sided test at 5 % detects the difference in 80 % of such
    experiments. Both counts are approximated as normal: under the null hypothesis with the mean accuracy, under the
    alternative with the two accuracies.

    Args:
        one: True accuracy of one network, as a share.
        other: Of the other network; it must differ.

    >>> images_needed(0.90, 0.91)
    13496
    """
    require_shares(one, other)
    if one == other:
        raise UserError("The two accuracies are equal; expected different ones.")
    mean = (one + other) / 2
    under_null = sqrt(2 * mean * (1 - mean))
    under_alternative = sqrt(one * (1 - one) + other * (1 - other))
    return ceil(((Z95 * under_null + Z80 * under_alternative) / (one - other)) ** 2)


def images_needed_paired(apart: float, difference: float) -> int:
    """Return how many test images are needed to tell two networks apart that are tested on the same images.

    The test is McNemar's, with the error rates of `images_needed`. Under the null hypothesis the variance per image
    is `apart`.

    Args:
        apart: Share of the images that exactly one of the two classifies correctly.
        difference: Of the two accuracies; not 0, and at most `apart` in size.

    >>> images_needed_paired(apart=0.05, difference=0.01)
    3923
    """
    require_shares(apart, abs(difference))
    if difference == 0 or abs(difference) > apart:
        raise UserError(f"difference is {difference}; expected other than 0 and at most {apart} in size.")
    under_alternative = sqrt(apart - difference**2)
    return ceil(((Z95 * sqrt(apart) + Z80 * under_alternative) / difference) ** 2)


def mean_and_sd(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and the sample standard deviation (divisor n - 1) of at least two runs' results.

    >>> mean, sd = mean_and_sd([0.90, 0.92, 0.94])
    >>> f"{mean:.1%} ± {sd:.1%}"
    '92.0% ± 2.0%'
    """
    if len(values) < 2:
        raise UserError("One run has no standard deviation; train with another seed as well.")
    return fmean(values), stdev(values)


def seeds_half_width(sd: float, seeds: int) -> float:
    """Return half the width of the 95 % interval of the difference of two means over seeds, by Student's t.

    Args:
        sd: Standard deviation of runs that differ only in the seed, pooled over both groups.
        seeds: Runs in each of the two groups, at least two.

    >>> f"{seeds_half_width(0.16, seeds=5):.2f}"
    '0.23'
    """
    from scipy.stats import t as student

    if seeds < 2:
        raise UserError("One run has no standard deviation; train with another seed as well.")
    return float(student.ppf(0.975, 2 * seeds - 2)) * sd * sqrt(2 / seeds)


class GroupDifference(NamedTuple):
    """The difference of two groups of runs.

    Attributes:
        difference: Mean of the second group less that of the first.
        sd: Standard deviation of runs that differ only in the seed, pooled over both groups.
    """

    difference: float
    sd: float

    @property
    def within_sd(self) -> bool:
        """Whether the means differ by at most one standard deviation of a single run."""
        return abs(self.difference) <= self.sd


def group_difference(one: Sequence[float], other: Sequence[float]) -> GroupDifference:
    """Return the difference of two groups' means and the pooled standard deviation of their runs.

    The variances are averaged with weights n - 1, as in a t test of two groups. A difference within one standard
    deviation does not prove that there is none: with few seeds only a large difference can be detected.

    Args:
        one: Results of one group, at least two runs.
        other: Results of the other, in the same unit; the numbers of runs may differ.

    Raises:
        UserError: a group has fewer than two runs.

    >>> found = group_difference([90.0, 92.0], [91.0, 93.0])
    >>> f"{found.difference:.1f} points, standard deviation {found.sd:.2f}", found.within_sd
    ('1.0 points, standard deviation 1.41', True)
    """
    (first, first_sd), (second, second_sd) = mean_and_sd(one), mean_and_sd(other)
    freedom = len(one) - 1, len(other) - 1
    variance = (freedom[0] * first_sd**2 + freedom[1] * second_sd**2) / sum(freedom)
    return GroupDifference(second - first, sqrt(variance))


def expected_maximum(draws: int) -> float:
    """Return the expected maximum of `draws` independent standard normal variables.

    >>> f"{expected_maximum(5):.2f}"
    '1.16'
    """
    from scipy.integrate import quad
    from scipy.stats import norm

    if draws < 1:
        raise UserError(f"draws is {draws}; expected at least 1.")
    return float(quad(lambda z: z * draws * norm.pdf(z) * norm.cdf(z) ** (draws - 1), -8, 8)[0])


def expected_best(accuracy: float, images: int, tries: int) -> float:
    """Return the expected accuracy of the best of several networks that are all equally good.

    Each classifies an image correctly with the same probability, independently of the others. The mean of a maximum
    of counts is the sum over x of P(maximum > x).

    Args:
        accuracy: True accuracy of each network, as a share.
        images: Test images.
        tries: Networks from which the best is chosen.

    >>> round(expected_best(0.5, images=2, tries=2), 4)  # two coins each, twice
    0.6875
    """
    from scipy.stats import binom

    require_shares(accuracy)
    if min(images, tries) < 1:
        raise UserError(f"images is {images} and tries {tries}; expected at least 1 of both.")
    at_most = binom.cdf(range(images), images, accuracy)  # P(count <= x) for x from 0 to images - 1
    return float((1 - at_most**tries).sum() / images)


def require_shares(*shares: float) -> None:
    """Raise a `UserError` if one of `shares` is not between 0 and 1."""
    if not all(0 <= share <= 1 for share in shares):
        raise UserError(f"The shares are {shares}; expected values from 0 to 1, not per cent.")
