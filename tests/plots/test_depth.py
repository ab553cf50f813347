from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

import deepernets
from deepernets.plots import depth
from deepernets.training.records import Record


@pytest.fixture(scope="module")
def record() -> Record:
    return deepernets.load_records("report-a/vgg-16/as-reported")[0]


def other(record: Record) -> Record:
    return replace(record, recipe=record.recipe.changed(model="resnet-8"))


def lines(ax: Axes) -> dict[str, Line2D]:
    return {str(line.get_label()): line for line in ax.lines}


def heights(line: Line2D) -> list[float]:
    return np.asarray(line.get_ydata()).tolist()


def test_errors_are_one_minus_the_records_accuracies(record: Record) -> None:
    drawn = lines(depth.errors({"VGG": [record]}).axes[0])
    for what, column in (("training", "train_accuracy"), ("validation", "validation_accuracy")):
        expected = [1 - epoch[column] for epoch in record.epochs]
        assert heights(drawn[f"{record.recipe.model}, {what}"]) == expected


def test_training_is_bold_and_validation_thin_and_dashed(record: Record) -> None:
    drawn = lines(depth.errors({"VGG": [record]}).axes[0])
    training, validation = (drawn[f"{record.recipe.model}, {what}"] for what in ("training", "validation"))
    assert training.get_linestyle() == "-"
    assert validation.get_linestyle() == "--"
    assert training.get_linewidth() > 2 * validation.get_linewidth()
    assert training.get_color() == validation.get_color()


def test_two_networks_differ_by_more_than_colour(record: Record) -> None:
    drawn = lines(depth.errors({"both": [record, other(record)]}).axes[0])
    assert len({line.get_marker() for line in drawn.values()}) == 2


def test_panels_share_their_scale_and_an_empty_one_says_so(record: Record) -> None:
    high = replace(record, epochs=[{**epoch, "train_accuracy": 0.0} for epoch in record.epochs])
    figure = depth.errors({"low": [record], "high": [high], "none": []})
    assert len({ax.get_ylim() for ax in figure.axes}) == 1
    assert figure.axes[0].get_ylim()[0] <= 0
    assert figure.axes[0].get_ylim()[1] >= 1
    assert [depth.NOTHING in [text.get_text() for text in ax.texts] for ax in figure.axes] == [
        False,
        False,
        True,
    ]


def test_a_figure_without_any_run_can_be_drawn() -> None:
    (ax,) = depth.errors({"none": []}).axes
    assert ax.get_ylim() == (0, 1)
    assert ax.get_legend() is None


def test_a_run_without_validation_has_one_line(record: Record) -> None:
    epochs = [{**epoch, "validation_accuracy": None} for epoch in record.epochs]
    blind = replace(record, data={**record.data, "validation": 0}, epochs=epochs)
    assert list(lines(depth.errors({"blind": [blind]}).axes[0])) == [f"{record.recipe.model}, training"]


def test_layers_are_counted_from_one_and_zeros_left_out() -> None:
    (ax,) = depth.by_layer({"a": [0.5, 0.0, 2.0], "b": [1.0]}, "norm of the gradient").axes
    drawn = lines(ax)
    assert np.asarray(drawn["a"].get_xdata()).tolist() == [1, 3]
    assert heights(drawn["a"]) == [0.5, 2.0]
    assert ax.get_yscale() == "log"
    assert ax.get_ylabel() == "norm of the gradient"
    assert drawn["a"].get_linestyle() != drawn["b"].get_linestyle()
    assert drawn["a"].get_marker() != drawn["b"].get_marker()


def test_terms_are_equal_only_where_all_but_the_network_is(record: Record) -> None:
    faster = replace(record, recipe=record.recipe.changed(learning_rate=1.0))
    other_seed = replace(record, seed=1)
    fewer = replace(other(record), data={**record.data, "train": 10})
    mixed = [faster, record, other_seed, other(record), fewer]
    assert depth.on_equal_terms(mixed) == [record, other(record)]
    assert depth.on_equal_terms([]) == []


def test_of_equally_large_groups_the_longer_training_is_taken(record: Record) -> None:
    longer = replace(record, seed=1, epochs=record.epochs * 2)
    assert depth.steps(longer) == 2 * depth.steps(record)
    assert depth.on_equal_terms([record, longer]) == depth.on_equal_terms([longer, record]) == [longer]
    assert depth.on_equal_terms([record, longer, other(record)]) == [record, other(record)]


def test_words_carry_the_errors_of_the_records(record: Record) -> None:
    words = depth.describe([record, other(record)])
    last = record.epochs[-1]
    assert f"{record.data['train']:,} training images, {len(record.epochs)} epochs" in words
    assert f"{record.recipe.model}: training error {1 - last['train_accuracy']:.1%}" in words
    assert f"validation error {1 - last['validation_accuracy']:.1%}" in words
    assert "resnet-8: training error" in words
    blind = replace(record, data={**record.data, "validation": 0})
    assert "validation error" not in depth.describe([blind])
    assert depth.describe([]) == depth.NOTHING
