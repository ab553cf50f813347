"""What a number of test images, or of runs, can show at all: planned before, or bounded after a comparison."""

from itertools import pairwise
from math import ceil, comb, erf, sqrt
from typing import NamedTuple

from deepernets.analysis.significance import Z95
from deepernets.errors import UserError

Z80 = 0.8416  # a normal variable exceeds its mean minus so many standard deviations 80 times in 100


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
    values = [_coin(fewer - shared, more - shared) for shared in (fewer, least_shared)]
    return Bounds(min(values), max(values))


def expected_highest(draws: int) -> float:
    """Return how many standard deviations the highest of several normal variables lies above their mean.

    It is the integral of z · d(Φ(z)ⁿ), added up in steps of a thousandth.

    Args:
        draws: Independent variables with the same distribution, at least one.

    >>> f"{expected_highest(5):.2f}"
    '1.16'
    """
    if draws < 1:
        raise UserError("The highest of no draws is not defined.")
    step, reach = 1e-3, 8
    edges = [step * number for number in range(-int(reach / step), int(reach / step) + 1)]
    below = [((1 + erf(edge / sqrt(2))) / 2) ** draws for edge in edges]
    middles = [(low + high) / 2 for low, high in pairwise(edges)]
    chances = [high - low for low, high in pairwise(below)]
    return sum(middle * chance for middle, chance in zip(middles, chances, strict=True))


def _coin(heads: int, tails: int) -> float:
    """Return the two-sided p-value of a fair coin that came out so; 1 if it was not tossed."""
    tosses = heads + tails
    ways = sum(comb(tosses, fewer) for fewer in range(min(heads, tails) + 1))
    return min(1.0, 2 * ways / 2**tosses)


def _require_shares(*shares: float) -> None:
    if not all(0 <= share <= 1 for share in shares):
        raise UserError("Give accuracies as shares between 0 and 1, not as per cent.")
