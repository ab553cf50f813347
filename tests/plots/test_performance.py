import numpy as np
import pytest

import deepernets
from deepernets.analysis.performance import Machine
from deepernets.plots import performance


def test_a_bar_is_as_long_as_its_phases_together() -> None:
    spent = {"plain": {"data": 0.003, "step": 0.001}, "fast": {"data": 0.001, "step": 0.001}}
    ax = performance.phase_times(spent).axes[0]
    ends = [bar.get_x() + bar.get_width() for bar in ax.patches]  # type: ignore[attr-defined]
    assert ends == pytest.approx([3, 4, 1, 2])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["plain", "fast"]


def test_a_figure_has_one_size_whether_or_not_a_processor_can_do_everything() -> None:
    spent = {way: {"data": 0.003} for way in ("plain", "whole batches", "bf16")}
    without = {way: spent[way] for way in ("plain", "whole batches")}
    whole, less = (performance.phase_times(ways, rows=3).get_size_inches() for ways in (spent, without))
    assert np.array_equal(whole, less)


def test_each_network_has_a_panel_and_an_axis_of_its_own() -> None:
    spent = {
        "wide": {"plain": {"data": 0.3, "step": 0.1}, "fast": {"data": 0.1, "step": 0.1}},
        "narrow": {"plain": {"data": 0.003, "step": 0.001}},
    }
    wide, narrow = performance.phase_times_by_network(spent).axes
    assert (wide.get_title(loc="left"), narrow.get_title(loc="left")) == ("wide", "narrow")
    assert len(wide.patches) == 4
    assert narrow.get_xlim()[1] < 5 < 400 <= wide.get_xlim()[1]


def test_rates_come_from_the_records_own_seconds() -> None:
    (record,) = deepernets.load_records("report-a/vgg-16/as-reported")[:1]
    rate = record.data["train"] / min(row["seconds"] for row in record.epochs)
    assert np.asarray(performance.training_speeds([record]).axes[0].lines[0].get_xdata()).tolist() == [rate]


def test_layers_stand_on_the_roof() -> None:
    machine = Machine(operations_per_second=100e12, bytes_per_second=10e12)
    ax = performance.roofline(machine, {"slow": 1.0, "fast": 40.0}).axes[0]
    roof, slow, fast = ax.lines
    assert np.asarray(slow.get_ydata()).tolist() == [10]
    assert np.asarray(fast.get_ydata()).tolist() == [100]
    assert max(np.asarray(roof.get_ydata())) == pytest.approx(100)
    assert slow.get_marker() != fast.get_marker()


def test_every_network_has_a_line_of_its_own_kind() -> None:
    ax = performance.scaling_efficiencies([1, 8], {"one": [1.0, 0.5], "other": [1.0, 0.9]}).axes[0]
    assert [line.get_label() for line in ax.lines] == ["one", "other"]
    assert len({line.get_linestyle() for line in ax.lines}) == 2
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1", "8"]
