from importlib import import_module
from math import comb, sqrt
from typing import Any

import pytest
import torch

from deepernets import get_recipe
from deepernets.analysis.significance import (
    binomial_interval,
    compare_accuracies,
    gap,
    mcnemar,
    mean_and_sd,
    training_cost,
    unequal_terms,
)
from deepernets.errors import UserError

binomtest: Any = import_module("scipy.stats").binomtest  # scipy has no types


@pytest.mark.parametrize(("right", "images"), [(0, 20), (13, 20), (20, 20), (2736, 3000)])
def test_the_interval_is_wilsons(right: int, images: int) -> None:
    theirs = binomtest(right, images).proportion_ci(0.95, method="wilson")
    assert binomial_interval(right, images) == pytest.approx((theirs.low, theirs.high), abs=1e-5)


def test_the_intervals_ends_lie_z_standard_deviations_from_the_counted_share() -> None:
    for end in binomial_interval(52, 60, z=1.3):
        assert abs(52 / 60 - end) == pytest.approx(1.3 * sqrt(end * (1 - end) / 60))


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


def _networks(both: int, only_one: int, only_other: int, none: int) -> tuple[torch.Tensor, torch.Tensor]:
    counts = torch.tensor([both, only_one, only_other, none])
    one = torch.tensor([True, True, False, False]).repeat_interleave(counts)
    other = torch.tensor([True, False, True, False]).repeat_interleave(counts)
    return one, other


@pytest.mark.parametrize(("fewer", "more"), [(3, 9), (0, 1), (4, 5), (310, 377)])
def test_mcnemar_tosses_a_fair_coin_for_each_image_that_tells_them_apart(fewer: int, more: int) -> None:
    one, other = _networks(both=70, only_one=fewer, only_other=more, none=5)
    expected = binomtest(fewer, fewer + more).pvalue
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
    found = gap(one, other)
    statistic = import_module("scipy.stats").ttest_ind(other, one, equal_var=True).statistic
    assert found.difference / (found.noise * sqrt(1 / 4 + 1 / 2)) == pytest.approx(statistic)
    assert not gap([0.90, 0.92], [0.95, 0.97]).within_noise
    assert gap(one, one) == (0.0, pytest.approx(found.noise, rel=0.2))
    with pytest.raises(UserError, match="no spread"):
        gap(one, [0.9])
