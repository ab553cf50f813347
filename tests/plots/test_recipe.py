from dataclasses import replace

import numpy as np

import deepernets
from deepernets.plots import recipe


def test_each_schedule_has_a_panel_and_empty_ones_are_blank() -> None:
    figure = recipe.schedule_panels({name: [1.0, 0.5, 0.0] for name in "abcd"})
    assert [ax.get_title() for ax in figure.axes if ax.axison] == list("abcd")
    assert np.asarray(figure.axes[0].lines[0].get_xdata()).tolist() == [0, 0.5, 1]


def test_losses_differ_by_more_than_colour() -> None:
    figure = recipe.losses({"one": [1.0, 0.5], "other": [1.1, 1.1]}, guessing=1.1)
    one, other, line = figure.axes[0].lines
    assert (one.get_linestyle(), one.get_marker()) != (other.get_linestyle(), other.get_marker())
    assert set(np.asarray(line.get_ydata()).tolist()) == {1.1}


def test_the_pull_of_each_loss_is_drawn_against_the_lead() -> None:
    ax = recipe.pull([-1.0, 0.0, 1.0], {"once": [0.9, 0.5, 0.1], "twice": [0.2, 0.2, 0.1]}).axes[0]
    assert [str(line.get_label()) for line in ax.lines[:2]] == ["once", "twice"]
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()


def test_noise_is_drawn_beside_one_over_b() -> None:
    predicted, measured = recipe.noise({8: 1.1, 16: 0.4}, of_one=8.0).axes[0].lines
    assert np.asarray(predicted.get_ydata()).tolist() == [1.0, 0.5]
    assert np.asarray(measured.get_ydata()).tolist() == [1.1, 0.4]


def test_the_last_epochs_are_drawn_in_order_of_the_very_last() -> None:
    record = deepernets.load_records("report-a/vgg-16/as-reported")[0]
    worse = replace(record, epochs=[{**row, "validation_accuracy": 0.5} for row in record.epochs])
    ax = recipe.steadiness({"good": record, "bad": worse}, last=3).axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["bad", "good"]
    assert len(np.asarray(ax.lines[1].get_xdata())) == 3
