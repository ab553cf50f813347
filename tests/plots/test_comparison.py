from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import deepernets
from deepernets.analysis.statistics import Interval
from deepernets.plots import comparison
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
    by_epoch, by_cost = comparison.race(runs, COSTS).axes
    epochs, accuracy = _data(by_epoch.lines[0])
    assert epochs == [epoch["epoch"] for epoch in runs[0].epochs]
    assert accuracy == [epoch["validation_accuracy"] for epoch in runs[0].epochs]
    spent, same_accuracy = _data(by_cost.lines[0])
    assert same_accuracy == accuracy
    assert spent[0] == pytest.approx(3 * 14_000 * 313_198_080 / 1e12)
    assert _data(by_cost.lines[1])[0][0] / spent[0] == pytest.approx(1_222_318_080 / 313_198_080)


def test_a_race_tells_runs_apart_by_more_than_colour(runs: list[Record]) -> None:
    lines = comparison.race(runs, COSTS).axes[1].lines
    assert [line.get_label() for line in lines] == ["vgg-16-bn-cifar, seed 0", "resnet-50-cifar, seed 7"]
    assert lines[0].get_linestyle() != lines[1].get_linestyle()
    assert lines[0].get_marker() != lines[1].get_marker()


def test_seeds_are_joined_across_networks_and_summed_up() -> None:
    figure = comparison.seeds({"VGG": {0: 0.90, 1: 0.92, 2: 0.94}, "ResNet": {0: 0.80, 2: 0.86}})
    assert _texts(figure) == ["92.0% ± 2.0%", "83.0% ± 4.2%"]
    drawn = [_data(line) for line in figure.axes[0].lines]
    assert ([0, 0, 0], [0.90, 0.92, 0.94]) in drawn
    assert ([0, 1], [0.90, 0.80]) in drawn
    assert ([0, 1], [0.94, 0.86]) in drawn
    assert ([0], [0.92]) in drawn


def test_a_single_run_has_no_spread() -> None:
    assert not _texts(comparison.seeds({"VGG": {0: 0.9}}))


def test_intervals_reach_from_low_to_high() -> None:
    figure = comparison.intervals({"VGG": (0.9, Interval(0.8, 0.95)), "ResNet": (0.85, Interval(0.7, 0.9))})
    ax = figure.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["VGG", "ResNet"]
    ends = [bar.get_segments()[0][:, 0].tolist() for bar in ax.collections]  # type: ignore[attr-defined]
    assert ends == [pytest.approx([0.8, 0.95]), pytest.approx([0.7, 0.9])]
    assert ax.yaxis_inverted()


@pytest.mark.parametrize(
    "figure", [comparison.race([], {}), comparison.seeds({"VGG": {}}), comparison.intervals({})]
)
def test_where_nothing_is_recorded_the_figure_says_so(figure: Figure) -> None:
    assert set(_texts(figure)) == {comparison.NOTHING}
