from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

import deepernets
from deepernets.plots.reproduction import ablation_path, against
from deepernets.results.comparison import Row, compare_reported, measured


@pytest.fixture(scope="module")
def shown() -> list[Row]:
    """Return report A's rows: both of its recipes were run whole, and ours never."""
    vgg = deepernets.load_records("report-a/vgg-16/as-reported")[0]
    resnet = replace(
        vgg, recipe=deepernets.get_recipe("report-a/resnet-50/as-reported"), epochs=vgg.epochs[:15]
    )
    return compare_reported([vgg, resnet])[:2]


def _texts(figure: Figure) -> list[str]:
    return [text.get_text() for ax in figure.axes for text in ax.texts]


def test_each_row_has_the_reported_dot_and_ours(shown: list[Row]) -> None:
    ax = against(shown).axes[0]
    dots = [line for line in ax.lines if line.get_marker() in ("D", "o", "s")]
    assert [line.get_marker() for line in dots] == ["D", "o"] * 2
    assert np.asarray(dots[0].get_xdata()).tolist() == [91.2]
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "VGG-16, rate 0.01",
        "ResNet-50, rate 0.01",
    ]


def test_a_run_has_its_accuracy_and_its_epochs_next_to_it(shown: list[Row]) -> None:
    texts = _texts(against(shown))
    for row in shown:
        assert f"{row.theirs} ({row.reported.epochs} epochs)" in texts


def test_what_was_not_run_is_said(shown: list[Row]) -> None:
    assert _texts(against(shown)).count("not run: our recipe") == 2
    assert _texts(against(compare_reported([])[:1])) == ["not run: their recipe, our recipe"]


def test_each_data_set_has_a_panel() -> None:
    of_b = [row for row in compare_reported([]) if row.report == "B"]
    assert [ax.get_title(loc="left") for ax in against(of_b).axes] == ["mnist", "cifar10"]


def test_no_rows_make_an_empty_picture() -> None:
    assert not _texts(against([]))


def test_an_ablation_path_shows_what_each_step_gained() -> None:
    run = deepernets.load_records("report-a/vgg-16/as-reported")[0]
    first = measured("report-a/vgg-16/as-reported", [run])
    assert first is not None
    reached = [replace(first, accuracies=(accuracy,)) for accuracy in (80.0, 84.5, 83.5)]
    figure = ablation_path(reached, ["theirs", "+ crops", "+ rate"], [(78, 81), (82, 85), (83, 84)])
    assert _texts(figure) == ["80.00", "84.50 (+4.5)", "83.50 (−1.0)"]
    bars = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    assert [bar.get_width() for bar in bars] == [3, 3, 1]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["theirs", "+ crops", "+ rate"]
    assert _texts(ablation_path([], [], [])) == ["Nothing has been recorded yet."]
