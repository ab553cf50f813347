from dataclasses import replace

import numpy as np

import deepernets
from deepernets.plots import races
from deepernets.training.schedules import SCHEDULES


def test_schedules_are_drawn_from_the_first_step_to_the_last() -> None:
    factors = {name: [schedule(step / 20) for step in range(21)] for name, schedule in SCHEDULES.items()}
    lines = {str(line.get_label()): line for line in races.schedules(factors).axes[0].lines}
    assert set(lines) == set(SCHEDULES)
    assert np.asarray(lines["cosine"].get_ydata()).tolist() == factors["cosine"]
    assert np.asarray(lines["cosine"].get_xdata())[[0, -1]].tolist() == [0, 1]


def test_runs_are_drawn_by_epoch_and_ranked_by_the_last() -> None:
    record = deepernets.load_records("report-a/vgg-16/as-reported")[0]
    worse = replace(record, epochs=[{**row, "validation_accuracy": 0.5} for row in record.epochs])
    by_epoch, last = races.validation({"first": worse, "second": record}).axes
    drawn = {str(line.get_label()): np.asarray(line.get_ydata()).tolist() for line in by_epoch.lines}
    assert drawn["second"] == [row["validation_accuracy"] for row in record.epochs]
    assert drawn["first"] == [0.5] * len(record.epochs)
    assert [label.get_text() for label in last.get_yticklabels()] == ["first", "second"]
    assert len({(line.get_linestyle(), line.get_marker()) for line in by_epoch.lines}) == 2
