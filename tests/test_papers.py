"""The published figures fit together, and fit the recipes that repeat them."""

from math import isnan

import pytest

from deepernets.analysis.baselines import right_in_last_epoch
from deepernets.models.resnet import CIFAR_DEPTHS, IMAGENET
from deepernets.models.vgg import CONFIGURATIONS
from deepernets.papers import later, reports, resnet, vgg
from deepernets.recipes import get_recipe, list_recipes


def test_vgg_tables_have_the_columns_of_table_1() -> None:
    assert set(vgg.MILLION_PARAMETERS) == set(CONFIGURATIONS)
    assert {row.configuration for row in (*vgg.SINGLE_SCALE, *vgg.MULTI_SCALE)} == set(CONFIGURATIONS)


def test_multi_scale_testing_never_costs_accuracy() -> None:
    single = {(row.configuration, row.train): row for row in vgg.SINGLE_SCALE}
    for row in vgg.MULTI_SCALE:
        assert row.top1 <= single[row.configuration, row.train].top1


def test_top5_errors_are_below_top1_errors() -> None:
    assert all(row.top5 < row.top1 for row in (*vgg.SINGLE_SCALE, *vgg.MULTI_SCALE))
    assert all(row.top5 is None or row.top5 < row.top1 for row in resnet.TEN_CROP)


def test_later_blocks_are_better_than_the_networks_that_they_are_compared_with() -> None:
    rows = (*later.ON_CIFAR_10, *later.ON_IMAGENET)
    pairs = [(row.error, row.baseline_error) for row in rows if row.baseline_error is not None]
    assert len(pairs) == 7
    assert all(error < baseline for error, baseline in pairs)


def test_resnet_tables_have_the_depths_of_the_builders() -> None:
    assert set(resnet.BILLION_MULTIPLY_ADDS) == set(IMAGENET)
    assert set(resnet.CIFAR_10) == set(CIFAR_DEPTHS)


def test_every_reported_result_has_a_recipe_of_as_many_epochs() -> None:
    assert len(reports.REPORTED) == 2 + 24 + 3 + 2
    for name, row in reports.ALL_RESULTS.items():
        assert get_recipe(name).epochs == row.epochs


def test_where_there_is_no_figure_there_are_words() -> None:
    without = {name: row for name, row in reports.ALL_RESULTS.items() if name not in reports.REPORTED}
    assert len(without) == 8 + 2 + 21
    assert all(row.words for row in without.values() if isnan(row.test_accuracy))
    assert without["paper/resnet-56"].test_accuracy == pytest.approx(93.03)
    assert without["paper/resnet-110"].test_accuracy == pytest.approx(93.39)


def test_everything_that_the_reports_and_papers_ran_is_in_the_table() -> None:
    theirs = {name for name in list_recipes() if name.startswith("paper/") or "/as-" in name}
    assert theirs == set(reports.ALL_RESULTS)


def test_a_lead_is_the_difference_of_two_networks_best_columns_but_for_one_slip() -> None:
    """Facts, section 3, report B: 6.05, 0.03 and 0.01 agree with its table; 0.07 should be 0.70."""
    leads = {}
    for data, first, second in reports.REPORT_B_LEADS:
        best = [
            max(row.test_accuracy for row in reports.REPORT_B if f"/{model}-{data}/" in row.recipe)
            for model in (first, second)
        ]
        leads[data, first, second] = round(best[0] - best[1], 2)
    assert leads == reports.REPORT_B_LEADS | {("cifar10", "resnet-20", "resnet-44"): 0.70}


def test_report_cs_last_epoch_follows_from_its_running_means() -> None:
    """Facts, section 3, report C: 492,112 of 500,000 and 482,234 of 490,000, so 9,878 of 10,000."""
    means = reports.REPORT_C_RUNNING_MEANS
    assert [round(mean * epoch * 100) for epoch, mean in means.items()] == [482_234, 492_112]
    assert right_in_last_epoch(means[49], means[50], epochs=50, images=10_000) == 9_878
    assert round(means[50], 2) == reports.REPORTED["report-c/resnet-50-mnist/as-reported"].test_accuracy
