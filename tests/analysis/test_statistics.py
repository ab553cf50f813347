from collections.abc import Callable
from importlib import import_module
from math import comb, sqrt

import numpy as np
import pytest
import torch

from deepernets import get_recipe
from deepernets.analysis.statistics import (
    binomial_interval,
    compare_accuracies,
    expected_best,
    expected_maximum,
    group_difference,
    images_needed,
    images_needed_paired,
    mcnemar,
    mcnemar_bounds,
    mcnemar_of_counts,
    mean_and_sd,
    paired_interval,
    seeds_half_width,
    standard_error,
    unpaired_interval,
)
from deepernets.errors import UserError
from deepernets.models.counting import training_cost
from deepernets.recipes.recipe import unequal_terms


@pytest.mark.parametrize("z", [1.3, 1.96])
@pytest.mark.parametrize(("right", "images"), [(0, 20), (52, 60), (20, 20), (2736, 3000)])
def test_the_intervals_ends_lie_z_standard_deviations_from_the_counted_share(
    right: int, images: int, z: float
) -> None:
    low, high = binomial_interval(right, images, z)
    assert low < high
    for end in (low, high):
        assert abs(right / images - end) == pytest.approx(z * sqrt(end * (1 - end) / images))


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Added up over all counts of 100 images, not drawn: a share of 0.9 lies in 94 % of the intervals."""
    share = 0.9
    covered = sum(
        comb(100, right) * share**right * (1 - share) ** (100 - right)
        for right in range(101)
        if binomial_interval(right, 100).low <= share <= binomial_interval(right, 100).high
    )
    assert covered == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(("right", "images"), [(3, 2), (-1, 2), (0, 0)])
def test_an_interval_around_what_cannot_be_is_refused(right: int, images: int) -> None:
    with pytest.raises(UserError, match="cannot be"):
        binomial_interval(right, images)


@pytest.mark.parametrize(
    "refused",
    [
        lambda: unpaired_interval(3, 1, 2),
        lambda: unpaired_interval(0, 0, 0),
        lambda: paired_interval(2, 2, 3),
        lambda: paired_interval(-1, 1, 3),
        lambda: mcnemar_of_counts(-1, 2),
        lambda: seeds_half_width(0.1, seeds=1),
    ],
)
def test_differences_of_what_cannot_be_are_refused(refused: Callable[[], object]) -> None:
    with pytest.raises(UserError):
        refused()


def test_the_paired_interval_is_that_of_the_images_differences() -> None:
    """Of n values with the variance v the mean has the standard error √(v/n); here in numpy, on single images."""
    each = np.array([1] * 30 + [-1] * 20 + [0] * 950)
    half = 1.96 * each.std() / sqrt(len(each))
    assert paired_interval(30, 20, 1000) == pytest.approx((each.mean() - half, each.mean() + half))


def test_the_unpaired_interval_is_the_paired_one_of_independent_mistakes() -> None:
    """Of 100 images 90 and 80 are right; independently, 18 for the first alone, 8 for the second."""
    assert unpaired_interval(90, 80, 100) == pytest.approx(paired_interval(18, 8, 100))


def _networks(both: int, only_one: int, only_other: int, none: int) -> tuple[torch.Tensor, torch.Tensor]:
    counts = torch.tensor([both, only_one, only_other, none])
    one = torch.tensor([True, True, False, False]).repeat_interleave(counts)
    other = torch.tensor([True, False, True, False]).repeat_interleave(counts)
    return one, other


@pytest.mark.parametrize(("fewer", "more"), [(3, 9), (0, 1), (4, 5), (310, 377)])
def test_mcnemar_tosses_a_fair_coin_for_each_image_that_tells_them_apart(fewer: int, more: int) -> None:
    one, other = _networks(both=70, only_one=fewer, only_other=more, none=5)
    images = fewer + more
    expected = min(1, 2 * sum(comb(images, heads) for heads in range(fewer + 1)) / 2**images)
    assert mcnemar(one, other) == pytest.approx(expected)
    assert mcnemar(other, one) == pytest.approx(expected)


def test_accuracies_are_compared_by_the_sampling_error_of_both() -> None:
    points, deviations = compare_accuracies(0.9, 0.8, 1_000)
    assert points == pytest.approx(0.1)
    assert deviations == pytest.approx(0.1 / sqrt((0.9 * 0.1 + 0.8 * 0.2) / 1_000))
    assert compare_accuracies(0.8, 0.9, 1_000) == pytest.approx((-points, -deviations))
    assert compare_accuracies(0.8, 0.8, 10) == (0, 0)


def test_mcnemar_looks_at_no_image_that_tells_nothing_apart() -> None:
    assert mcnemar(*_networks(1, 3, 9, 0)) == mcnemar(*_networks(1000, 3, 9, 500))


@pytest.mark.parametrize("apart", [0, 1, 5])
def test_mcnemar_finds_nothing_where_networks_come_out_even(apart: int) -> None:
    assert mcnemar(*_networks(10, apart, apart, 2)) == 1.0


def test_mcnemar_wants_the_same_images() -> None:
    with pytest.raises(UserError, match="same images"):
        mcnemar(torch.ones(3, dtype=torch.bool), torch.ones(4, dtype=torch.bool))


def test_the_spread_is_a_samples() -> None:
    mean, sd = mean_and_sd([1.0, 2.0, 6.0])
    assert mean == 3.0
    assert sd == pytest.approx(sqrt((4 + 1 + 9) / 2))
    with pytest.raises(UserError, match="another seed"):
        mean_and_sd([0.9])


def test_report_a_gave_its_networks_unequal_epochs() -> None:
    """Facts, section 3: 20 epochs for VGG-16, 15 for ResNet-50, and all else alike."""
    vgg, resnet = get_recipe("report-a/vgg-16/as-reported"), get_recipe("report-a/resnet-50/as-reported")
    assert unequal_terms(vgg, resnet) == ["epochs"]
    assert unequal_terms(vgg.changed(epochs=15), resnet) == []
    assert unequal_terms(vgg, resnet, compared=()) == ["epochs", "model", "name"]


def test_the_quick_recipes_differ_in_their_learning_rate() -> None:
    assert unequal_terms(get_recipe("quick/vgg"), get_recipe("quick/resnet")) == ["learning_rate"]


def test_a_training_costs_three_forward_passes_an_image() -> None:
    assert training_cost(epochs=2, images=10, multiply_adds=7) == 3 * 2 * 10 * 7


def test_a_gap_is_held_against_the_pooled_deviation_of_the_t_test() -> None:
    one, other = [0.90, 0.92, 0.91, 0.95], [0.88, 0.91]
    found = group_difference(one, other)
    statistic = import_module("scipy.stats").ttest_ind(other, one, equal_var=True).statistic
    assert found.difference / (found.sd * sqrt(1 / 4 + 1 / 2)) == pytest.approx(statistic)
    assert not group_difference([0.90, 0.92], [0.95, 0.97]).within_sd
    assert group_difference(one, one) == (0.0, pytest.approx(found.sd, rel=0.2))
    with pytest.raises(UserError, match="another seed"):
        group_difference(one, [0.9])


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
    assert expected_maximum(draws) == pytest.approx(expected, abs=2e-4)


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
        lambda: expected_maximum(0),
    ],
)
def test_questions_without_an_answer_are_refused(ask) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError):
        ask()


@pytest.mark.parametrize("tries", [1, 3, 12])
def test_the_expected_best_agrees_with_drawing_it(tries: int) -> None:
    drawn = np.random.default_rng(0).binomial(10_000, 0.996, size=(20_000, tries)).max(axis=1)
    error = 4 * drawn.std() / np.sqrt(len(drawn)) / 10_000
    assert expected_best(0.996, 10_000, tries) == pytest.approx(drawn.mean() / 10_000, abs=error)


@pytest.mark.parametrize("accuracy", [0.0, 1.0])
def test_the_best_is_no_better_where_nothing_varies(accuracy: float) -> None:
    assert expected_best(accuracy, 100, tries=5) == pytest.approx(accuracy)


@pytest.mark.parametrize(("accuracy", "images", "tries"), [(99.6, 10, 3), (0.9, 0, 3), (0.9, 10, 0)])
def test_impossible_tries_are_refused(accuracy: float, images: int, tries: int) -> None:
    with pytest.raises(UserError, match="expected"):
        expected_best(accuracy, images, tries)
