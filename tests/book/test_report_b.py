"""The figures of the chapter on report B."""

from typing import TYPE_CHECKING

import pytest

import deepernets
from deepernets.papers.reports import REPORT_B_LOG
from deepernets.results.ablation import PATH, path_runs
from deepernets.results.comparison import measured

if TYPE_CHECKING:
    from deepernets.results.comparison import Row
    from tests.book.conftest import Book

PAGE = "book/report-b"

FIGURES = {
    "B: batches and augmentation": "in batches of 128",
    "B: a lead that agrees": "vgg-16 before vgg-13 on cifar10: 6.05, text 6.05, agrees",
    "B: a lead that does not": "resnet-20 before resnet-44 on cifar10: 0.70, text 0.07, does not agree",
    "B: a lead on MNIST": "vgg-13 before vgg-16 on mnist: 0.03, text 0.03, agrees",
    "B: the other lead on MNIST": "resnet-44 before resnet-20 on mnist: 0.01, text 0.01, agrees",
    "the cell that does not fit": "because 93.82 − 87.77 = 6.05",
    "how far its ResNets are below their paper": "15 to 24 points below their paper",
    "the paper's steps": "64,000 steps, about three times the report’s 19,550 ( 31 %)",
    "epochs for the paper's steps": "batches of 128: 163.7 epochs",
    "its confusions": "On both data sets the report’s first pair is also the first in our runs",
}


@pytest.mark.parametrize("what", FIGURES)
def test_it_shows_the_figures(book: "Book", what: str) -> None:
    assert FIGURES[what] in book.text(PAGE)


@pytest.mark.parametrize(
    "row",
    [
        ["ResNet-20", "91.25", "73.22", "18.0", "76.35", "14.9"],
        ["ResNet-44", "92.83", "70.95", "21.9", "75.65", "17.2"],
    ],
    ids=lambda row: row[0],
)
def test_the_distance_to_the_paper_is_computed(book: "Book", row: list[str]) -> None:
    assert row in book.rows(PAGE)


def test_it_prints_report_bs_log_with_our_runs(book: "Book") -> None:
    found = book.rows(PAGE)
    header = next(number for number, row in enumerate(found) if row[:2] == ["epoch", "the report’s log, %"])
    shown = [row[1] for row in found[header + 1 : header + 9]]
    assert shown == [f"{train:.1f}" for train, _ in REPORT_B_LOG]


@pytest.mark.parametrize(
    "row",
    [
        ["VGG-13", "99.64", "99.57", "99.65", "87.77", "84.03", "87.12"],
        ["VGG-16", "99.62", "99.53", "99.60", "88.04", "93.82", "87.82"],
        ["ResNet-20", "99.37", "98.81", "99.22", "73.22", "68.45", "76.35"],
        ["ResNet-44", "99.31", "99.00", "99.38", "70.95", "69.02", "75.65"],
    ],
    ids=lambda row: row[0],
)
def test_it_prints_report_bs_table(book: "Book", row: list[str]) -> None:
    found = book.rows(PAGE)
    assert row in found
    header = next(cells for cells in found if cells[0] == "model" and cells[1].startswith("mnist"))
    assert header[1:] == [
        f"{data}, {what}"
        for data in ("mnist", "cifar10")
        for what in ("rate 0.01", "rate 0.001", "scheduler")
    ]


@pytest.mark.parametrize(
    "recipe", ["report-b/vgg-13-cifar10/as-reported", "report-b/vgg-16-cifar10/as-reported-rate-0.001"]
)
def test_whole_runs_as_reported_are_quoted_with_their_distance_to_the_report(
    book: "Book", all_rows: "dict[str, Row]", recipe: str
) -> None:
    row = all_rows[recipe]
    assert row.theirs is not None
    assert f"{row.theirs.mean:.2f} %" in book.text(PAGE)
    assert f"{row.reported.test_accuracy - row.theirs.mean:.1f} points" in book.text(PAGE)


def test_the_repeated_resnets_are_next_to_the_report(book: "Book", all_rows: "dict[str, Row]") -> None:
    shown: dict[str, list[float]] = {"ResNet-20": [], "ResNet-44": []}
    for model, numbers in shown.items():
        for column in ("", "-scheduler"):
            row = all_rows[f"report-b/{model.lower()}-cifar10/as-reported{column}"]
            assert row.theirs is not None
            numbers += [row.reported.test_accuracy, row.theirs.mean]
        assert row.ours is not None
        numbers.append(row.ours.mean)  # the same for both columns
        assert [model, *(f"{number:.2f}" for number in numbers)] in book.rows(PAGE)
    differences = [deep - shallow for shallow, deep in zip(*shown.values(), strict=True)]
    cells = [f"{difference:+.2f}".replace("-", "−") for difference in differences]
    assert ["ResNet-44 − ResNet-20", *cells] in book.rows(PAGE)


def test_the_level_of_the_repeated_resnets_is_quoted(book: "Book", all_rows: "dict[str, Row]") -> None:
    rows = [row for row in all_rows.values() if (row.report, row.data) == ("B", "cifar10")]
    above = [
        row.theirs.mean - row.reported.test_accuracy
        for row in rows
        if "ResNet" in row.model and row.theirs and row.what != "Adam"
    ]
    assert f"They end {min(above):.1f} to {max(above):.1f} points above the report" in book.text(PAGE)


@pytest.mark.parametrize("what", ["rate 0.01", "rate 0.001", "scheduler"])
def test_resnet_20_is_shown_with_and_without_augmentation(
    book: "Book", all_rows: "dict[str, Row]", what: str
) -> None:
    row = next(
        row
        for row in all_rows.values()
        if (row.report, row.model, row.data, row.what) == ("B", "ResNet-20", "cifar10", what)
    )
    name = row.reported.recipe.replace("as-reported", "without-augmentation")
    without = measured(name, deepernets.load_records())
    assert without is not None
    assert without.whole
    assert any(cells[:4] == [what, row.printed, str(row.theirs), str(without)] for cells in book.rows(PAGE))


@pytest.mark.parametrize("size", [32, 64])
def test_smaller_batches_are_shown_with_their_length(book: "Book", size: int) -> None:
    short = measured(f"report-b/resnet-20-mnist/as-reported-batch-{size}", deepernets.load_records())
    assert short is not None
    assert [str(size), str(short), short.particulars] in book.rows(PAGE)


def test_the_ablation_path_is_in_its_table(book: "Book") -> None:
    steps = path_runs(deepernets.load_records())
    assert len(steps) == len(PATH)
    for words, runs in zip(PATH.values(), steps, strict=True):
        step = measured(runs[0].recipe.name, runs)
        assert step is not None
        shown = next(row for row in book.rows(PAGE) if row[0] == words.replace("'", "’"))
        assert shown[3:] == [str(step), step.particulars]


def test_runs_without_augmentation_are_never_shown_as_the_reports_recipe(book: "Book") -> None:
    for run in deepernets.load_records():
        if run.recipe.name.startswith("report-b/") and run.recipe.data == "cifar10" and not run.recipe.pad:
            assert "/without-augmentation" in run.recipe.name
    assert "mentions no augmentation" not in book.text(PAGE)
