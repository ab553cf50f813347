"""The figures of the chapter on the five reports."""

from functools import cache
from typing import TYPE_CHECKING

import pytest

import deepernets
from deepernets.papers.reports import ALL_RESULTS, REPORT_B_LOG, REPORTED
from deepernets.results.ablation import PATH, path_runs
from deepernets.results.comparison import Measured, Row, compare_reported, measured, tuning_runs
from deepernets.results.comparison import ours as our_recipe
from deepernets.results.costs import estimated_time

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
    "C: training accuracy on MNIST": "training accuracy of 1.0000, with a loss of 2.4e-05",
    "C: validation accuracy on MNIST": "98.94 % on the validation images and 98.98 % on the test images",
    "C: what its table calls training": "calls the 98.94 % “Training”",
    "C: its first epochs": "11.5 % training accuracy after the first epoch, which is 375 steps, and 75.7 %",
    "C: accuracies on CIFAR-10": "99.37 % of the training images, 73.99 % of the validation images and 72.69 %",
    "C: test loss on CIFAR-10": "The test loss of 1.83",
    "C: momentum": "momentum of 0.9. The code says optimizer='sgd'",
    "C: what is held out": "the same 12,000 images of MNIST",
    "C: figures of ResNet-50": "97.98 % on the training images and 98.42 % on the test images",
    "C: right after 49 epochs": "epoch 49: 98.41510 % of 490,000 = 482,234",
    "C: right after 50 epochs": "epoch 50: 98.42242 % of 500,000 = 492,112",
    "C: its last epoch": "epoch 50 alone: 9,878 of 10,000, 98.78 %",
    "C: training in its last epoch": "99.14 % for the last epoch",
    "B: batches and augmentation": "in batches of 128",
    "B: a lead that agrees": "vgg-16 before vgg-13 on cifar10: 6.05, text 6.05, agrees",
    "B: a lead that does not": "resnet-20 before resnet-44 on cifar10: 0.70, text 0.07, does not agree",
    "B: a lead on MNIST": "vgg-13 before vgg-16 on mnist: 0.03, text 0.03, agrees",
    "B: the other lead on MNIST": "resnet-44 before resnet-20 on mnist: 0.01, text 0.01, agrees",
    "the cell that does not fit": "because 93.82 − 87.77 = 6.05",
    "the paper's spread over seeds": "6.61 ± 0.16 %",
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
    ("recipe", "reported"),
    [("VGG-16, rate 0.01, 20 epochs", "91.2"), ("ResNet-50, rate 0.01, 15 epochs", "85.8333")],
)
def test_it_prints_report_as_figures(book: "Book", recipe: str, reported: str) -> None:
    assert any(row[:2] == [recipe, reported] for row in book.rows(PAGE))


@cache
def all_rows() -> dict[str, Row]:
    """Return what every reported result is compared with, by the name of its recipe."""
    return {row.reported.recipe: row for row in compare_reported(deepernets.load_records(), ALL_RESULTS)}


@pytest.mark.parametrize("name", REPORTED)
def test_each_reported_result_is_next_to_whole_runs_or_planned(book: "Book", name: str) -> None:
    row = all_rows()[name]
    data = f"{row.data}, " * (row.report == "C")  # its table is of two data sets
    if row.was_run:
        assert _cells(row, data) in book.rows(PAGE)
    else:
        assert _planned(row) in book.text(PAGE)


@pytest.mark.parametrize("name", [name for name in ALL_RESULTS if name not in REPORTED])
def test_what_is_reported_as_text_is_next_to_a_whole_run_or_planned(book: "Book", name: str) -> None:
    row = all_rows()[name]
    if "-batch-" in row.reported.recipe:
        short = measured(row.reported.recipe, deepernets.load_records())
        assert short is not None
        assert [row.what.removeprefix("batch "), str(short), short.particulars] in book.rows(PAGE)
    elif row.theirs is None:
        assert _planned(row) in book.text(PAGE)
    elif row.report == "paper":
        assert _cells(row, "") in book.rows(PAGE)


def _planned(row: Row) -> str:
    what = f"{row.model}, {row.data}, {row.what}, {row.reported.epochs} epochs (reported: {row.printed})"
    return f"{what}: {estimated_time(row.reported.recipe, deepernets.load_records())}"


def _cells(row: Row, data: str) -> list[str]:
    def cell(group: Measured | None, name: str) -> str:
        cost = estimated_time(name, deepernets.load_records())
        return f"{group} ({group.particulars})" if group else f"not run ({cost})"

    name = row.reported.recipe
    recipe = f"{row.model}, {data}{row.what}, {row.reported.epochs} epochs"
    cells = [cell(row.theirs, name)]
    if row.report != "paper":
        cells.append(cell(row.ours, our_recipe(name)))
    return [recipe, row.printed, *cells]


def test_no_table_of_results_shows_a_run_in_part() -> None:
    groups = [group for row in all_rows().values() for group in (row.theirs, row.ours) if group]
    assert groups
    assert all(group.whole for group in groups)


def test_the_records_it_uses_are_named(book: "Book") -> None:
    shown = book.text(PAGE)
    for run in deepernets.load_records("report-a/resnet-50/as-reported"):
        assert run.label in shown


@pytest.mark.parametrize("report", ["A", "B", "C", "paper"])
def test_it_counts_what_is_missing(book: "Book", report: str) -> None:
    groups = [row.theirs for row in all_rows().values() if row.report == report]
    missing = groups.count(None)
    assert [report, "theirs", str(len(groups) - missing), str(missing)] in book.rows(PAGE)


def test_our_recipes_are_counted_once(book: "Book") -> None:
    """Report B has eight networks and data sets, and several of its own recipes for each."""
    counted = next(row for row in book.rows(PAGE) if row[:2] == ["B", "ours"])
    assert sum(map(int, counted[2:])) == 8


def test_what_was_tried_for_ours_is_in_one_table(book: "Book") -> None:
    groups = tuning_runs(deepernets.load_records())
    assert {runs[0].recipe.name for runs in groups} >= {
        "report-a/resnet-50/ours",
        "report-b/vgg-16-cifar10/ours",
    }
    found = book.rows(PAGE)
    start = next(number for number, row in enumerate(found) if row[:2] == ["recipe", "changed"])
    shown = found[start + 1 : start + 1 + sum(map(len, groups))]
    for run, row in zip([run for runs in groups for run in runs], shown, strict=True):
        assert row[0] == run.recipe.name.removesuffix("/ours")
        assert (row[1] == "") == (run.changes == {})
        held_out, test = run.epochs[-1]["validation_accuracy"], run.test["accuracy"]
        assert (row[2], row[4]) == (f"{100 * held_out:.2f}", f"{100 * test:.2f}")


@pytest.mark.parametrize(
    "recipe",
    [
        "report-b/vgg-13-cifar10/as-reported",
        "report-b/vgg-16-cifar10/as-reported-rate-0.001",
        "report-c/vgg-16-cifar10/as-reported",
    ],
)
def test_whole_runs_as_reported_are_quoted_with_their_distance_to_the_report(
    book: "Book", recipe: str
) -> None:
    row = all_rows()[recipe]
    assert row.theirs is not None
    assert f"{row.theirs.mean:.2f} %" in book.text(PAGE)
    if row.report == "B":
        assert f"{row.reported.test_accuracy - row.theirs.mean:.1f} points" in book.text(PAGE)


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
