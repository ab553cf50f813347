"""Every reported result is compared with whole runs in its chapter, or planned in the appendix of records."""

from typing import TYPE_CHECKING

import pytest

import deepernets
from deepernets.papers.reports import ALL_RESULTS, REPORTED
from deepernets.results.comparison import Measured, Row, tuning_runs
from deepernets.results.costs import estimated_time
from deepernets.training.records import Record

if TYPE_CHECKING:
    from tests.book.conftest import Book

PAGE = "book/records"


@pytest.mark.parametrize("name", REPORTED)
def test_each_reported_result_is_in_the_table_of_its_chapter(
    book: "Book", all_rows: dict[str, Row], name: str
) -> None:
    row = all_rows[name]
    assert row.was_run
    data = f"{row.data}, " * (row.report == "C")  # its table is of two data sets
    recipe = f"{row.model}, {data}{row.what}, {row.reported.epochs} epochs"
    in_its_table = [
        other
        for other in all_rows.values()
        if other.report == row.report and (row.report == "C" or other.data == row.data)
    ]
    theirs = [_cell(row.theirs)] * any(other.theirs for other in in_its_table)
    expected = [recipe, row.printed, *theirs, _cell(row.ours)]
    assert expected in book.rows(f"book/report-{row.report.lower()}")


def _cell(group: Measured | None) -> str:
    return f"{group} ({group.particulars})" if group else "–"


@pytest.mark.parametrize("name", ALL_RESULTS)
def test_what_has_no_whole_run_is_planned_with_its_cost(
    book: "Book", all_rows: dict[str, Row], records: list[Record], name: str
) -> None:
    row = all_rows[name]
    cost = estimated_time(name, records)
    planned = [row.model, row.data, row.what, str(row.reported.epochs), row.printed, cost]
    assert (planned in book.rows(PAGE)) == (row.theirs is None)


def test_no_table_of_results_shows_a_run_in_part(all_rows: dict[str, Row]) -> None:
    groups = [group for row in all_rows.values() for group in (row.theirs, row.ours) if group]
    assert groups
    assert all(group.whole for group in groups)


@pytest.mark.parametrize("recipe", ["report-a/resnet-50/as-reported", "report-b/vgg-16-cifar10/ours"])
def test_the_records_are_named(book: "Book", recipe: str) -> None:
    shown = book.text(PAGE)
    for run in deepernets.load_records(recipe):
        assert run.label in shown


@pytest.mark.parametrize("report", ["A", "B", "C", "paper"])
def test_it_counts_what_is_missing(book: "Book", all_rows: dict[str, Row], report: str) -> None:
    groups = [row.theirs for row in all_rows.values() if row.report == report]
    missing = groups.count(None)
    assert [report, "theirs", str(len(groups) - missing), str(missing)] in book.rows(PAGE)


def test_our_recipes_are_counted_once(book: "Book") -> None:
    """Report B has eight networks and data sets, and several of its own recipes for each."""
    counted = next(row for row in book.rows(PAGE) if row[:2] == ["B", "ours"])
    assert sum(map(int, counted[2:])) == 8


def test_what_was_tried_for_ours_is_in_one_table(book: "Book", records: list[Record]) -> None:
    groups = tuning_runs(records)
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
