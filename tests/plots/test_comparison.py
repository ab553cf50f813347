from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

import deepernets
from deepernets.analysis.statistics import Interval, binomial_interval
from deepernets.plots import comparison, style
from deepernets.results.ablation import PartEffect
from deepernets.results.comparison import Row, compare_reported, measured
from deepernets.training.records import Record

COSTS = {"vgg-16-bn-cifar": 313_198_080, "resnet-50-cifar": 1_222_318_080}


@pytest.fixture(scope="module")
def runs() -> list[Record]:
    vgg = deepernets.load_records("report-a/vgg-16/as-reported")[0]
    return [vgg, replace(vgg, recipe=deepernets.get_recipe("report-a/resnet-50/as-reported"), seed=7)]


def _data(line: Line2D) -> tuple[list[float], list[float]]:
    return np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist()


def _texts(figure: Figure) -> list[str]:
    return [text.get_text() for ax in figure.axes for text in ax.texts]


def test_a_race_draws_the_same_accuracies_by_epoch_and_by_cost(runs: list[Record]) -> None:
    by_epoch, by_cost = comparison.accuracy_by_epoch_and_cost(runs, COSTS).axes
    epochs, accuracy = _data(by_epoch.lines[0])
    assert epochs == [epoch["epoch"] for epoch in runs[0].epochs]
    assert accuracy == [epoch["validation_accuracy"] for epoch in runs[0].epochs]
    spent, same_accuracy = _data(by_cost.lines[0])
    assert same_accuracy == accuracy
    assert spent[0] == pytest.approx(3 * 14_000 * 313_198_080 / 1e12)
    assert _data(by_cost.lines[1])[0][0] / spent[0] == pytest.approx(1_222_318_080 / 313_198_080)


def test_a_race_tells_runs_apart_by_more_than_colour(runs: list[Record]) -> None:
    lines = comparison.accuracy_by_epoch_and_cost(runs, COSTS).axes[1].lines
    assert [line.get_label() for line in lines] == ["vgg-16-bn-cifar, seed 0", "resnet-50-cifar, seed 7"]
    assert lines[0].get_linestyle() != lines[1].get_linestyle()
    assert lines[0].get_marker() != lines[1].get_marker()


def test_seeds_are_joined_across_networks_and_summed_up() -> None:
    figure = comparison.accuracies_by_seed({"VGG": {0: 0.90, 1: 0.92, 2: 0.94}, "ResNet": {0: 0.80, 2: 0.86}})
    assert _texts(figure) == ["92.0% ± 2.0%", "83.0% ± 4.2%"]
    drawn = [_data(line) for line in figure.axes[0].lines]
    assert ([0, 0, 0], [0.90, 0.92, 0.94]) in drawn
    assert ([0, 1], [0.90, 0.80]) in drawn
    assert ([0, 1], [0.94, 0.86]) in drawn
    assert ([0], [0.92]) in drawn


def test_a_single_run_has_no_spread() -> None:
    assert not _texts(comparison.accuracies_by_seed({"VGG": {0: 0.9}}))


def test_intervals_reach_from_low_to_high() -> None:
    figure = comparison.accuracy_intervals(
        {"VGG": (0.9, Interval(0.8, 0.95)), "ResNet": (0.85, Interval(0.7, 0.9))}
    )
    ax = figure.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["VGG", "ResNet"]
    ends = [bar.get_segments()[0][:, 0].tolist() for bar in ax.collections]  # type: ignore[attr-defined]
    assert ends == [pytest.approx([0.8, 0.95]), pytest.approx([0.7, 0.9])]
    assert ax.yaxis_inverted()


@pytest.mark.parametrize(
    "draw",
    [
        lambda: comparison.accuracy_by_epoch_and_cost([], {}),
        lambda: comparison.accuracies_by_seed({"VGG": {}}),
        lambda: comparison.accuracy_intervals({}),
        lambda: comparison.ablation_path([], [], []),
        lambda: comparison.ablation_effects([]),
    ],
)
def test_where_nothing_is_recorded_the_figure_says_so(draw: Callable[[], Figure]) -> None:
    assert set(_texts(draw())) == {style.NOTHING}


@pytest.fixture(scope="module")
def shown() -> list[Row]:
    """Return report A's compare_reported: both of its recipes were run whole, and ours never."""
    vgg = deepernets.load_records("report-a/vgg-16/as-reported")[0]
    resnet = replace(
        vgg, recipe=deepernets.get_recipe("report-a/resnet-50/as-reported"), epochs=vgg.epochs[:15]
    )
    return compare_reported([vgg, resnet])[:2]


def test_each_row_has_the_reported_dot_and_ours(shown: list[Row]) -> None:
    ax = comparison.reported_against_ours(shown).axes[0]
    dots = [line for line in ax.lines if line.get_marker() in ("D", "o", "s")]
    assert [line.get_marker() for line in dots] == ["D", "o"] * 2
    assert np.asarray(dots[0].get_xdata()).tolist() == [91.2]
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "VGG-16, rate 0.01",
        "ResNet-50, rate 0.01",
    ]


def test_a_run_has_its_accuracy_and_its_epochs_next_to_it(shown: list[Row]) -> None:
    texts = _texts(comparison.reported_against_ours(shown))
    for row in shown:
        assert f"{row.theirs} ({row.reported.epochs} epochs)" in texts


def test_a_recipe_that_was_not_run_leaves_its_lane_empty(shown: list[Row]) -> None:
    assert len(_texts(comparison.reported_against_ours(shown))) == 2  # of theirs; ours was not run
    figure = comparison.reported_against_ours(compare_reported([])[:1])
    assert not _texts(figure)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["reported"]


def test_each_data_set_has_a_panel() -> None:
    of_b = [row for row in compare_reported([]) if row.report == "B"]
    assert [ax.get_title(loc="left") for ax in comparison.reported_against_ours(of_b).axes] == [
        "mnist",
        "cifar10",
    ]


def test_no_rows_make_an_empty_figure() -> None:
    assert not _texts(comparison.reported_against_ours([]))


def test_an_ablation_path_shows_what_each_step_gained() -> None:
    run = deepernets.load_records("report-a/vgg-16/as-reported")[0]
    first = measured("report-a/vgg-16/as-reported", [run])
    assert first is not None
    reached = [replace(first, accuracies=(accuracy,)) for accuracy in (80.0, 84.5, 83.5)]
    figure = comparison.ablation_path(
        reached, ["theirs", "+ crops", "+ rate"], [(78, 81), (82, 85), (83, 84)]
    )
    assert _texts(figure) == ["80.00", "84.50 (+4.5)", "83.50 (−1.0)"]
    bars = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    assert [bar.get_width() for bar in bars] == [3, 3, 1]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["theirs", "+ crops", "+ rate"]


def test_each_part_with_runs_has_a_row_of_dots_and_its_mean() -> None:
    figure = comparison.ablation_effects(
        [
            PartEffect("whitening", None, (1.0, 3.0)),
            PartEffect("both-ways", None, (0.5,)),
            PartEffect("crops", None, ()),
        ]
    )
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["whitening", "both ways"]
    dots = [line.get_xdata().tolist() for line in ax.lines if line.get_marker() == "o"]  # type: ignore[union-attr]
    assert dots == [[1.0, 3.0], [0.5]]
    bars = [container.lines[0].get_xdata().tolist() for container in ax.containers]  # type: ignore[attr-defined]
    assert bars == [[2.0], [0.5]]


def test_small_gains_can_be_told_apart_next_to_a_large_one() -> None:
    (ax,) = comparison.ablation_effects(
        [PartEffect("one-cycle", None, (13.0, 14.0)), PartEffect("crops", None, (-0.5, 0.5))]
    ).axes
    low, high = ax.get_xlim()
    assert low < -0.5
    assert high > 14.0
    left, right = (ax.transData.transform((gain, 0))[0] for gain in (-0.5, 0.5))
    assert (right - left) / ax.bbox.width > 0.15


def test_runs_are_drawn_by_epoch_and_ranked_by_the_last() -> None:
    record = deepernets.load_records("report-a/vgg-16/as-reported")[0]
    worse = replace(record, epochs=[{**row, "validation_accuracy": 0.5} for row in record.epochs])
    by_epoch, last = comparison.validation_accuracies({"first": worse, "second": record}).axes
    drawn = {str(line.get_label()): np.asarray(line.get_ydata()).tolist() for line in by_epoch.lines}
    assert drawn["second"] == [row["validation_accuracy"] for row in record.epochs]
    assert drawn["first"] == [0.5] * len(record.epochs)
    assert [label.get_text() for label in last.get_yticklabels()] == ["first", "second"]
    assert len({(line.get_linestyle(), line.get_marker()) for line in by_epoch.lines}) == 2


def test_the_last_epochs_are_drawn_in_order_of_the_very_last() -> None:
    record = deepernets.load_records("report-a/vgg-16/as-reported")[0]
    worse = replace(record, epochs=[{**row, "validation_accuracy": 0.5} for row in record.epochs])
    ax = comparison.last_epoch_accuracies({"good": record, "bad": worse}, last=3).axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["bad", "good"]
    assert len(np.asarray(ax.lines[1].get_xdata())) == 3


@pytest.mark.parametrize(
    "draw",
    [comparison.best_of_several, lambda lines: comparison.images_to_show_difference(lines, {"set": 300})],
)
def test_lines_differ_by_more_than_colour(draw) -> None:  # type: ignore[no-untyped-def]
    ax = draw({"one": {1: 3, 2: 4}, "other": {1: 5, 2: 6}}).axes[0]
    one, other = ax.lines[:2]
    assert (one.get_linestyle(), one.get_marker()) != (other.get_linestyle(), other.get_marker())


def test_the_best_of_several_is_drawn_as_lines() -> None:
    ax = comparison.best_of_several({"few": {1: 0, 10: 1.0}, "many": {1: 0, 10: 0.5}}).axes[0]
    few, many = ax.lines
    assert few.get_linestyle() != many.get_linestyle()
    assert np.asarray(many.get_ydata()).tolist() == [0, 0.5]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "10"]


def test_errors_are_drawn_with_their_intervals() -> None:
    ax = comparison.error_intervals({"one": (35, 10_000), "none": (0, 359)}).axes[0]
    low, high = (100 * (1 - share) for share in reversed(binomial_interval(9965, 10_000)))
    assert np.asarray(ax.lines[0].get_xdata()).tolist() == pytest.approx([low, high])
    assert np.asarray(ax.lines[1].get_xdata()).tolist() == pytest.approx([0.35])
    assert np.asarray(ax.lines[3].get_xdata()).tolist() == [0]
    assert [text.get_text().strip() for text in ax.texts] == ["35 of 10,000", "0 of 359"]
    assert ax.get_xlim()[0] == 0
    assert ax.get_xlim()[1] > high
