from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

import deepernets
from deepernets import plots
from deepernets.course import pages
from deepernets.data.datasets import load_dataset
from deepernets.data.images import Images
from deepernets.models.vgg import CONFIGURATIONS
from deepernets.plots import style
from deepernets.training.lr_finder import RangeTest
from deepernets.training.records import Record


@pytest.fixture(scope="module")
def record() -> Record:
    return deepernets.load_records("report-a/vgg-16/as-reported")[0]


def _y(line: Line2D) -> list[float]:
    return np.asarray(line.get_ydata()).tolist()


def _texts(figure: Figure) -> str:
    return " ".join(text.get_text() for ax in figure.axes for text in (ax.title, *ax.texts))


def test_curves_draw_the_records_own_figures(record: Record) -> None:
    loss, accuracy, rate = plots.curves(record).axes
    drawn = {str(line.get_label()): _y(line) for line in loss.lines}
    assert drawn["training"] == [row["train_loss"] for row in record.epochs]
    assert drawn["validation"] == [row["validation_loss"] for row in record.epochs]
    assert drawn["test"] == [record.test["loss"]]
    assert _y(accuracy.lines[-1])[0] == record.test["accuracy"]
    assert _y(rate.lines[0]) == [row["learning_rate"] for row in record.epochs]


def test_curves_tell_two_records_apart_by_name(record: Record) -> None:
    other = replace(record, recipe=record.recipe.changed(name="other"))
    labels = [line.get_label() for line in plots.curves([record, other]).axes[0].lines]
    assert "other training" in labels
    assert f"{record.recipe.name} training" in labels


def test_a_smoothed_training_loss_is_labelled_as_one(record: Record) -> None:
    """The validation and test losses on the same axis are measured without smoothing."""
    smoothed = replace(record, recipe=record.recipe.changed(label_smoothing=0.1))
    loss, accuracy, _ = plots.curves(smoothed).axes
    assert [line.get_label() for line in loss.lines] == [
        "training (label smoothing 0.1)",
        "validation",
        "test",
    ]
    assert [line.get_label() for line in accuracy.lines] == ["training", "validation", "test"]
    legend = loss.get_legend()
    assert legend is not None
    assert legend.get_texts()[0].get_text() == "training (label smoothing 0.1)"
    assert "the training loss (label smoothing 0.1) falls" in plots.describe(smoothed)
    assert "the training loss falls" in plots.describe(record)
    assert "last training loss (label smoothing 0.1)" in pages.particulars(smoothed).data
    assert "smoothing" not in pages.particulars(record).data


def test_all_texts_of_a_figure_are_measured_on_one_canvas(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A canvas of the figure's size for each class made 22 GB of a confusion matrix of 100 classes."""
    made: list[tuple[float, float]] = []
    initialise = RendererAgg.__init__

    def count(renderer: RendererAgg, width: float, height: float, dpi: float) -> None:
        made.append((width, height))
        initialise(renderer, width, height, dpi)

    monkeypatch.setattr(RendererAgg, "__init__", count)
    classes = [str(number) for number in range(12)]
    wide = replace(
        record,
        data={**record.data, "classes": classes},
        test={**record.test, "confusion": np.eye(12, dtype=int).tolist()},
    )
    figure = plots.confusion(wide)
    assert len(made) <= 1
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == classes


def test_confusion_writes_every_count(record: Record) -> None:
    ax = plots.confusion(record).axes[0]
    counts = [int(text.get_text()) for text in ax.texts]
    assert counts == list(np.array(record.test["confusion"]).flatten())
    assert [label.get_text() for label in ax.get_yticklabels()] == record.data["classes"]


def test_mistakes_show_what_was_said_and_what_is_true(record: Record) -> None:
    test = Images(torch.zeros(3000, 3, 32, 32, dtype=torch.uint8), torch.zeros(3000, dtype=torch.long))
    figure = plots.mistakes(record, test, most=4)
    first = record.test["mistakes"][0]
    classes = record.data["classes"]
    assert f"said {classes[first['predicted']]}, {first['confidence']:.0%}" in _texts(figure)
    assert sum(bool(ax.images) for ax in figure.axes) == 4
    faultless = replace(record, test={**record.test, "mistakes": []})
    assert "No mistakes" in _texts(plots.mistakes(faultless, test))


@pytest.mark.parametrize("name", ["sketches", "digits"])
def test_samples_have_a_row_per_class(name: str) -> None:
    dataset = load_dataset(name)
    figure = plots.samples(dataset.train, dataset.classes, per_class=3)
    assert len(figure.axes) == 3 * len(dataset.classes)
    assert all(ax.images for ax in figure.axes)
    assert all(name in " ".join(ax.get_title(loc="left") for ax in figure.axes) for name in dataset.classes)


def test_the_configuration_chart_adds_up_to_the_counts_of_the_papers_table() -> None:
    """The chapter book/vgg-configurations.md shows it; facts, section 1."""
    ax = plots.configuration_chart().axes[0]
    bars = [bar for bar in ax.patches if isinstance(bar, Rectangle)]
    totals = [sum(bar.get_bbox().width for bar in bars[row : row + 2]) for row in range(0, 12, 2)]
    exact = [132_863_336, 132_863_336, 133_047_848, 133_638_952, 138_357_544, 143_667_240]
    assert totals == pytest.approx([count / 1e6 for count in exact])
    assert [label.get_text() for label in ax.get_yticklabels()] == list(CONFIGURATIONS)


def test_the_range_test_marks_its_suggestion() -> None:
    test = RangeTest(np.geomspace(1e-4, 1, 20), np.concatenate([np.linspace(2, 1, 15), np.linspace(1, 9, 5)]))
    lines = plots.learning_rate_range(test).axes[0].lines
    assert _y(lines[0]) == list(test.losses)
    assert np.asarray(lines[2].get_xdata())[0] == test.suggestion


def test_words_carry_the_figures_of_the_record(record: Record) -> None:
    words = plots.describe(record)
    assert f"test accuracy {record.test['accuracy']:.2%}" in words
    assert f"{record.epochs[-1]['train_loss']:.3f}" in words
    counts = np.array(record.test["confusion"])
    assert f"{(counts - np.diag(counts.diagonal())).max()} images of" in words


def test_save_writes_a_png(record: Record, tmp_path: Path) -> None:
    path = plots.save(plots.confusion(record), tmp_path / "new" / "confusion.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    assert [left.name for left in path.parent.iterdir()] == ["confusion.png"]


def test_the_palette_is_seaborns_colour_blind_one() -> None:
    import seaborn

    assert np.allclose(style.PALETTE, seaborn.color_palette("colorblind"), atol=1e-6)
