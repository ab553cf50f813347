import numpy as np
import pytest

import deepernets
from deepernets.plots import timing


def test_a_bar_is_as_long_as_its_phases_together() -> None:
    spent = {"plain": {"data": 0.003, "step": 0.001}, "fast": {"data": 0.001, "step": 0.001}}
    ax = timing.stacked(spent).axes[0]
    ends = [bar.get_x() + bar.get_width() for bar in ax.patches]  # type: ignore[attr-defined]
    assert ends == pytest.approx([3, 4, 1, 2])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["plain", "fast"]


def test_each_network_has_a_panel_and_an_axis_of_its_own() -> None:
    spent = {
        "wide": {"plain": {"data": 0.3, "step": 0.1}, "fast": {"data": 0.1, "step": 0.1}},
        "narrow": {"plain": {"data": 0.003, "step": 0.001}},
    }
    wide, narrow = timing.by_network(spent).axes
    assert (wide.get_title(loc="left"), narrow.get_title(loc="left")) == ("wide", "narrow")
    assert len(wide.patches) == 4
    assert narrow.get_xlim()[1] < 5 < 400 <= wide.get_xlim()[1]


def test_rates_come_from_the_records_own_seconds() -> None:
    (record,) = deepernets.load_records("report-a/vgg-16/as-reported")[:1]
    rate = timing.images_per_second(record)
    assert rate == record.data["train"] / min(row["seconds"] for row in record.epochs)
    assert np.asarray(timing.rates([record]).axes[0].lines[0].get_xdata()).tolist() == [rate]
