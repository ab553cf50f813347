import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

import deepernets
from deepernets.book import pages
from deepernets.data.datasets import Images
from deepernets.errors import UserError
from deepernets.plots import runs, style
from deepernets.training.lr_finder import RangeTest
from deepernets.training.records import Record
from deepernets.training.schedules import SCHEDULES


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
    drawn = lines(runs.training_and_validation_error({"VGG": [record]}).axes[0])
    for what, column in (("training", "train_accuracy"), ("validation", "validation_accuracy")):
        expected = [1 - epoch[column] for epoch in record.epochs]
        assert heights(drawn[f"{record.recipe.model}, {what}"]) == expected


def test_training_is_bold_and_validation_thin_and_dashed(record: Record) -> None:
    drawn = lines(runs.training_and_validation_error({"VGG": [record]}).axes[0])
    training, validation = (drawn[f"{record.recipe.model}, {what}"] for what in ("training", "validation"))
    assert training.get_linestyle() == "-"
    assert validation.get_linestyle() == "--"
    assert training.get_linewidth() > 2 * validation.get_linewidth()
    assert training.get_color() == validation.get_color()


def test_two_networks_differ_by_more_than_colour(record: Record) -> None:
    drawn = lines(runs.training_and_validation_error({"both": [record, other(record)]}).axes[0])
    assert len({line.get_marker() for line in drawn.values()}) == 2


def test_panels_share_their_scale_and_an_empty_one_says_so(record: Record) -> None:
    high = replace(record, epochs=[{**epoch, "train_accuracy": 0.0} for epoch in record.epochs])
    figure = runs.training_and_validation_error({"low": [record], "high": [high], "none": []})
    assert len({ax.get_ylim() for ax in figure.axes}) == 1
    assert figure.axes[0].get_ylim()[0] <= 0
    assert figure.axes[0].get_ylim()[1] >= 1
    assert [style.NOTHING in [text.get_text() for text in ax.texts] for ax in figure.axes] == [
        False,
        False,
        True,
    ]


def test_a_figure_without_any_run_can_be_drawn() -> None:
    (ax,) = runs.training_and_validation_error({"none": []}).axes
    assert ax.get_ylim() == (0, 1)
    assert ax.get_legend() is None


def test_a_run_without_validation_has_one_line(record: Record) -> None:
    epochs = [{**epoch, "validation_accuracy": None} for epoch in record.epochs]
    blind = replace(record, data={**record.data, "validation": 0}, epochs=epochs)
    assert list(lines(runs.training_and_validation_error({"blind": [blind]}).axes[0])) == [
        f"{record.recipe.model}, training"
    ]


def test_words_carry_the_errors_of_the_records(record: Record) -> None:
    words = runs.describe_errors([record, other(record)])
    last = record.epochs[-1]
    assert f"{record.data['train']:,} training images, {len(record.epochs)} epochs" in words
    assert f"{record.recipe.model}: training error {1 - last['train_accuracy']:.1%}" in words
    assert f"validation error {1 - last['validation_accuracy']:.1%}" in words
    assert "resnet-8: training error" in words
    blind = replace(record, data={**record.data, "validation": 0})
    assert "validation error" not in runs.describe_errors([blind])
    assert runs.describe_errors([]) == style.NOTHING


def test_batches_are_drawn_with_the_mean_of_their_epoch() -> None:
    ax = runs.batch_losses([2.0, 0.0, 3.0, 1.0], [2.0, 1.0, 2.0, 1.5], per_epoch=2).axes[0]
    assert np.asarray(ax.lines[0].get_ydata()).tolist() == [2, 0, 3, 1]
    steps: Any = next(patch for patch in ax.patches if patch.get_label() == "mean of the epoch")
    assert steps.get_data().values.tolist() == [1, 2]


def test_the_gap_tells_training_from_validation_by_dash() -> None:
    epoch = {"train_loss": 0.5, "train_accuracy": 0.8, "validation_loss": 0.7, "validation_accuracy": 0.7}
    loss, accuracy = runs.generalisation_gap([epoch, epoch]).axes
    assert [str(line.get_label()) for line in loss.lines] == ["training", "validation"]
    assert len({line.get_linestyle() for line in accuracy.lines}) == 2


def test_the_mean_of_all_epochs_so_far_is_beside_each_epoch(record: Record) -> None:
    short = replace(record, epochs=record.epochs[:3])
    panels = runs.running_means(short).axes
    for ax, split in zip(panels, ("train", "validation"), strict=True):
        first, second, third = short.by_epoch(f"{split}_accuracy")
        drawn = lines(ax)
        assert heights(drawn["the epoch alone"]) == [first, second, third]
        means = [first, (first + second) / 2, (first + second + third) / 3]
        assert heights(drawn["mean of all epochs so far"]) == pytest.approx(means)


def test_each_schedule_has_a_panel_and_empty_ones_are_blank() -> None:
    figure = runs.schedule_panels({name: [1.0, 0.5, 0.0] for name in "abcd"})
    assert [ax.get_title() for ax in figure.axes if ax.axison] == list("abcd")
    assert np.asarray(figure.axes[0].lines[0].get_xdata()).tolist() == [0, 0.5, 1]


def test_losses_differ_by_more_than_colour() -> None:
    figure = runs.training_losses({"one": [1.0, 0.5], "other": [1.1, 1.1]}, guessing=1.1)
    one, other, line = figure.axes[0].lines
    assert (one.get_linestyle(), one.get_marker()) != (other.get_linestyle(), other.get_marker())
    assert set(np.asarray(line.get_ydata()).tolist()) == {1.1}


def test_the_gradient_of_each_loss_is_drawn_against_the_lead() -> None:
    ax = runs.logit_gradients([-1.0, 0.0, 1.0], {"once": [0.9, 0.5, 0.1], "twice": [0.2, 0.2, 0.1]}).axes[0]
    assert [str(line.get_label()) for line in ax.lines[:2]] == ["once", "twice"]
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()


def test_noise_is_drawn_with_the_line_of_one_over_b() -> None:
    predicted, measured = runs.gradient_noise({8: 1.1, 16: 0.4}, of_one=8.0).axes[0].lines
    assert np.asarray(predicted.get_ydata()).tolist() == [1.0, 0.5]
    assert np.asarray(measured.get_ydata()).tolist() == [1.1, 0.4]


def test_schedules_are_drawn_from_the_first_step_to_the_last() -> None:
    factors = {name: [schedule(step / 20) for step in range(21)] for name, schedule in SCHEDULES.items()}
    lines = {str(line.get_label()): line for line in runs.schedule_curves(factors).axes[0].lines}
    assert set(lines) == set(SCHEDULES)
    assert np.asarray(lines["cosine"].get_ydata()).tolist() == factors["cosine"]
    assert np.asarray(lines["cosine"].get_xdata())[[0, -1]].tolist() == [0, 1]


def test_pairs_stack_both_directions() -> None:
    figure = runs.confused_classes([(4, 9, 3, 20), (3, 5, 0, 9)], "0123456789")
    (ax,) = figure.axes
    widths = [bar.get_width() for bar in ax.patches if isinstance(bar, Rectangle)]
    assert widths == [3, 20, 0, 9]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["4 and 9", "3 and 5"]
    assert [re.sub(r"\s+", " ", text.get_text()).strip() for text in ax.texts] == ["3 + 20", "0 + 9"]
    assert len(figure.legends[0].get_texts()) == 2


def test_pairs_without_any_mistake_can_be_drawn() -> None:
    assert runs.confused_classes([(0, 1, 0, 0)], "01").axes[0].get_xlim()[1] > 1


def _y(line: Line2D) -> list[float]:
    return np.asarray(line.get_ydata()).tolist()


def _texts(figure: Figure) -> str:
    return " ".join(text.get_text() for ax in figure.axes for text in (ax.title, *ax.texts))


def test_curves_draw_the_records_own_figures(record: Record) -> None:
    loss, accuracy, rate = runs.curves(record).axes
    drawn = {str(line.get_label()): _y(line) for line in loss.lines}
    assert drawn["training"] == [row["train_loss"] for row in record.epochs]
    assert drawn["validation"] == [row["validation_loss"] for row in record.epochs]
    assert drawn["test"] == [record.test["loss"]]
    assert _y(accuracy.lines[-1])[0] == record.test["accuracy"]
    assert _y(rate.lines[0]) == [row["learning_rate"] for row in record.epochs]


def test_curves_tell_two_records_apart_by_name(record: Record) -> None:
    other = replace(record, recipe=record.recipe.changed(name="other"))
    labels = [line.get_label() for line in runs.curves([record, other]).axes[0].lines]
    assert "other training" in labels
    assert f"{record.recipe.name} training" in labels


def test_more_runs_than_colours_are_refused(record: Record) -> None:
    with pytest.raises(UserError, match="11 runs cannot be distinguished"):
        runs.curves([record] * 11)


def test_a_smoothed_training_loss_is_labelled_as_one(record: Record) -> None:
    """The validation and test losses on the same axis are measured without smoothing."""
    smoothed = replace(record, recipe=record.recipe.changed(label_smoothing=0.1))
    loss, accuracy, _ = runs.curves(smoothed).axes
    assert [line.get_label() for line in loss.lines] == [
        "training (label smoothing 0.1)",
        "validation",
        "test",
    ]
    assert [line.get_label() for line in accuracy.lines] == ["training", "validation", "test"]
    legend = loss.get_legend()
    assert legend is not None
    assert legend.get_texts()[0].get_text() == "training (label smoothing 0.1)"
    assert "the training loss (label smoothing 0.1) falls" in runs.describe_run(smoothed)
    assert "the training loss falls" in runs.describe_run(record)
    assert "last training loss (label smoothing 0.1)" in pages.record_summary(smoothed).data
    assert "smoothing" not in pages.record_summary(record).data


def test_confusion_writes_every_count(record: Record) -> None:
    ax = runs.confusion(record).axes[0]
    counts = [int(text.get_text()) for text in ax.texts]
    assert counts == list(np.array(record.test["confusion"]).flatten())
    assert [label.get_text() for label in ax.get_yticklabels()] == record.data["classes"]


def test_mistakes_show_the_predicted_and_the_true_class(record: Record) -> None:
    test = Images(torch.zeros(3000, 3, 32, 32, dtype=torch.uint8), torch.zeros(3000, dtype=torch.long))
    figure = runs.mistakes(record, test, most=4)
    first = record.test["mistakes"][0]
    classes = record.data["classes"]
    assert f"predicted {classes[first['predicted']]}, {first['confidence']:.0%}" in _texts(figure)
    assert sum(bool(ax.images) for ax in figure.axes) == 4
    faultless = replace(record, test={**record.test, "mistakes": []})
    assert "No mistakes" in _texts(runs.mistakes(faultless, test))


def test_the_range_test_marks_its_suggestion() -> None:
    test = RangeTest(np.geomspace(1e-4, 1, 20), np.concatenate([np.linspace(2, 1, 15), np.linspace(1, 9, 5)]))
    lines = runs.learning_rate_range(test).axes[0].lines
    assert _y(lines[0]) == list(test.losses)
    assert np.asarray(lines[2].get_xdata())[0] == test.suggestion


def test_words_carry_the_figures_of_the_record(record: Record) -> None:
    words = runs.describe_run(record)
    assert f"test accuracy {record.test['accuracy']:.2%}" in words
    assert f"{record.epochs[-1]['train_loss']:.3f}" in words
    counts = np.array(record.test["confusion"])
    assert f"{(counts - np.diag(counts.diagonal())).max()} images of" in words
