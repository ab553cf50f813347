from math import sqrt

import pytest
import torch

from deepernets.analysis.power import (
    expected_highest,
    images_needed,
    images_needed_paired,
    mcnemar_bounds,
    standard_error,
)
from deepernets.analysis.significance import mcnemar
from deepernets.errors import UserError


def test_the_standard_error_is_the_spread_of_counted_shares() -> None:
    counted = (torch.rand(4000, 500) < 0.8).float().mean(dim=1)
    assert counted.std().item() == pytest.approx(standard_error(0.8, 500), rel=0.05)


def test_so_many_images_find_the_difference_four_times_in_five() -> None:
    images = images_needed(0.80, 0.84)
    one, other = (torch.rand(3000, images) < 0.80, torch.rand(3000, images) < 0.84)
    difference = other.float().mean(dim=1) - one.float().mean(dim=1)
    mean = (one.float().mean(dim=1) + other.float().mean(dim=1)) / 2
    found = difference.abs() > 1.96 * (2 * mean * (1 - mean) / images).sqrt()
    assert found.float().mean().item() == pytest.approx(0.8, abs=0.03)


def test_so_many_pairs_find_the_difference_four_times_in_five() -> None:
    images = images_needed_paired(apart=0.10, difference=0.04)
    draw = torch.rand(3000, images)
    only_one, only_other = (draw < 0.07).sum(dim=1), ((draw > 0.07) & (draw < 0.10)).sum(dim=1)
    found = (only_one - only_other).abs() > 1.96 * (only_one + only_other).sqrt()
    assert found.float().mean().item() == pytest.approx(0.8, abs=0.03)


def test_pairs_that_share_no_mistakes_are_worth_no_more_than_images_of_their_own() -> None:
    """Independent networks differ on p(1-q) + q(1-p) of the images."""
    paired = images_needed_paired(apart=0.90 * 0.09 + 0.91 * 0.10, difference=0.01)
    assert paired == pytest.approx(images_needed(0.90, 0.91), rel=0.01)


@pytest.mark.parametrize(("one", "other", "images"), [(3, 7, 30), (5, 5, 20), (9, 8, 10), (0, 0, 4)])
def test_the_bounds_hold_all_overlaps_and_are_reached(one: int, other: int, images: int) -> None:
    wrong = torch.arange(images) < one
    values = []
    for shift in range(images - other + 1):
        theirs = (torch.arange(images) >= shift) & (torch.arange(images) < shift + other)
        values.append(mcnemar(~wrong, ~theirs))
    assert mcnemar_bounds(one, other, images) == pytest.approx((min(values), max(values)))


@pytest.mark.parametrize(("draws", "expected"), [(1, 0.0), (2, 0.5642), (5, 1.1630), (10, 1.5388)])
def test_the_highest_of_normal_draws_is_as_tabulated(draws: int, expected: float) -> None:
    assert expected_highest(draws) == pytest.approx(expected, abs=2e-4)


def test_it_takes_four_times_the_images_to_halve_the_standard_error() -> None:
    assert standard_error(0.9, 400) == pytest.approx(standard_error(0.9, 100) / 2)
    assert standard_error(0.5, 1) == sqrt(0.25)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: standard_error(91.2, 3000),
        lambda: standard_error(0.9, 0),
        lambda: images_needed(0.9, 0.9),
        lambda: images_needed_paired(0.01, 0.02),
        lambda: images_needed_paired(0.01, 0.0),
        lambda: mcnemar_bounds(11, 2, 10),
        lambda: expected_highest(0),
    ],
)
def test_questions_without_an_answer_are_refused(ask) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError):
        ask()
