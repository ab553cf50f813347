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


def test_rates_come_from_the_records_own_seconds() -> None:
    (record,) = deepernets.records("report-a/vgg-16/as-reported")[:1]
    rate = timing.images_per_second(record)
    assert rate == record.data["train"] / min(row["seconds"] for row in record.epochs)
    assert np.asarray(timing.rates([record]).axes[0].lines[0].get_xdata()).tolist() == [rate]
