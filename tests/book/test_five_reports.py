"""The figures of the chapter on the five reports."""

from typing import TYPE_CHECKING

import pytest

import deepernets
from deepernets.analysis.costs import estimate
from deepernets.analysis.distance import WALK, walk
from deepernets.analysis.reproduction import Measured, Row, measured, rows
from deepernets.analysis.reproduction import ours as our_recipe
from deepernets.published.reports import REPORTED, WANTED

if TYPE_CHECKING:
    from tests.book.conftest import Book

PAGE = "book/five-reports"

FIGURES = {
    "A: parameters of VGG-16": "A, VGG-16: 14,724,675 parameters",
    "A: parameters of ResNet-50": "A, ResNet-50: 23,506,499 parameters",
    "A: training loss of VGG-16": "0.0004",
    "A: training loss of ResNet-50": "0.0586",
    "C: values of VGG-16": "C, VGG-16: 33,637,066 values",
    "C: values of ResNet-50": "C, ResNet-50: 26,313,218 values",
    "C: what trains": "26,267,778 train and 45,440 are running statistics",
    "C: training accuracy on CIFAR-10": "99.4 %",
    "C: test accuracy on CIFAR-10": "72.69 %",
    "C: training accuracy of ResNet-50": "97.98 %",
    "C: test accuracy of ResNet-50": "98.42 %",
    "C: test accuracy on MNIST": "98.98 %",
    "C: validation accuracy on MNIST": "98.94 %",
    "the paper's ResNet-20 against the report's": "The paper’s ResNet-20 reaches 91.25 %; the report has 73.22 %",
    "how far apart they are": "18.0 points less",
    "the paper's ResNet-44": "The paper’s ResNet-44 reaches 92.83 %",
    "the paper's spread over seeds": "6.61 ± 0.16 %",
    "the cell that does not fit": "93.82 %",
}


@pytest.mark.parametrize("what", FIGURES)
def test_it_shows_the_figures(book: "Book", what: str) -> None:
    assert FIGURES[what] in book.text(PAGE)


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
    ("recipe", "reported"),
    [("VGG-16, rate 0.01, 20 epochs", "91.2"), ("ResNet-50, rate 0.01, 15 epochs", "85.8333")],
)
def test_it_prints_report_as_figures(book: "Book", recipe: str, reported: str) -> None:
    assert any(row[:2] == [recipe, reported] for row in book.rows(PAGE))


ROWS = rows(deepernets.records())
TOLD = rows(deepernets.records(), {name: row for name, row in WANTED.items() if name not in REPORTED})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.reported.recipe)
def test_each_reported_result_stands_beside_what_was_run(book: "Book", row: Row) -> None:
    data = f"{row.data}, " * (row.report == "C")  # its table is of two data sets
    assert _cells(row, data) in book.rows(PAGE)


@pytest.mark.parametrize("row", TOLD, ids=lambda row: row.reported.recipe)
def test_what_is_told_in_words_stands_beside_what_was_run(book: "Book", row: Row) -> None:
    data = f"{row.data}, " * (row.what == "Adam")
    assert _cells(row, data) in book.rows(PAGE)


def _cells(row: Row, data: str) -> list[str]:
    def cell(group: Measured | None, name: str) -> str:
        cost = estimate(name, deepernets.records())
        return f"{group} ({group.particulars})" if group else f"not run ({cost})"

    name = row.reported.recipe
    recipe = f"{row.model}, {data}{row.what}, {row.reported.epochs} epochs"
    cells = [cell(row.theirs, name)]
    if row.report != "paper":
        cells.append(cell(row.ours, our_recipe(name)))
    return [recipe, row.printed, *cells]


def test_the_records_it_uses_are_named(book: "Book") -> None:
    shown = book.text(PAGE)
    for run in deepernets.records("report-a/resnet-50/as-reported"):
        assert run.label in shown


@pytest.mark.parametrize("report", ["A", "B", "C", "paper"])
def test_it_counts_what_is_missing(book: "Book", report: str) -> None:
    groups = [row.theirs for row in [*ROWS, *TOLD] if row.report == report]
    whole = sum(group is not None and group.whole for group in groups)
    missing = groups.count(None)
    expected = [report, "theirs", str(whole), str(len(groups) - whole - missing), str(missing)]
    assert expected in book.rows(PAGE)


def test_our_recipes_are_counted_once(book: "Book") -> None:
    """Report B has eight networks and data sets, and several of its own recipes for each."""
    counted = next(row for row in book.rows(PAGE) if row[:2] == ["B", "ours"])
    assert sum(map(int, counted[2:])) == 8


def test_the_walk_is_in_its_table(book: "Book") -> None:
    steps = walk(deepernets.records())
    assert len(steps) == len(WALK)
    for words, runs in zip(WALK.values(), steps, strict=True):
        step = measured(runs[0].recipe.name, runs)
        assert step is not None
        shown = next(row for row in book.rows(PAGE) if row[0] == words.replace("'", "’"))
        assert shown[3:] == [str(step), step.particulars]
