"""What the book's pages share: the table of reported results, and the extensions that Sphinx builds them with."""

from dataclasses import replace
from importlib import import_module
from typing import Any
from unittest.mock import Mock

import pytest

import deepernets
from deepernets.book import pages
from deepernets.book.pages import show_reported, show_table
from deepernets.papers.reports import ALL_RESULTS
from deepernets.results.comparison import Row, compare_reported


def cells(rows: list[Row]) -> list[list[str]]:
    table = show_reported(rows).data
    assert isinstance(table, str)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_only_results_with_a_whole_run_are_in_the_table() -> None:
    run, again = (deepernets.load_records(f"report-a/vgg-16/{name}")[0] for name in ("as-reported", "ours"))
    header, _, *shown = cells([row for row in compare_reported([run, again]) if row.report == "A"])
    assert header == ["reported", "%", "our run of it, %", "our recipe, %"]
    how = f"(1 seed, 20 epochs, full, {run.data['variant']})"
    reached = [f"{100 * one.test['accuracy']:.2f} {how}" for one in (run, again)]
    assert shown == [["VGG-16, rate 0.01, 20 epochs", "91.2", *reached]]


def test_a_dash_is_in_the_place_of_a_recipe_that_was_not_run() -> None:
    found = [
        *deepernets.load_records("report-a/vgg-16/as-reported"),
        *deepernets.load_records("report-a/resnet-50/ours"),
    ]
    shown = cells([row for row in compare_reported(found) if row.report == "A"])[2:]
    assert [[cell == "–" for cell in row[2:]] for row in shown] == [[False, True], [True, False]]


def test_a_column_of_dashes_is_left_out() -> None:
    run = deepernets.load_records("report-a/vgg-16/as-reported")[0]
    paper = {"paper/resnet-20": ALL_RESULTS["paper/resnet-20"]}
    row = replace(compare_reported([], paper)[0], theirs=compare_reported([run])[0].theirs)
    assert cells([row])[0] == ["reported", "%", "our run of it, %"]


def test_the_data_set_is_named_where_there_are_several() -> None:
    rows = [row for row in compare_reported(deepernets.load_records()) if row.report == "C"]
    assert cells(rows)[2][0] == "VGG-16, mnist, rate 0.01, momentum 0, 50 epochs"


def test_the_extensions_that_the_book_is_built_with_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("DEEPERNETS_FIGURES", "TQDM_DISABLE"):  # set for the pages' kernels, not for other tests
        monkeypatch.setenv(variable, "")
    app = Mock()
    pages.setup(app)
    loaded = [import_module(call.args[0]) for call in app.setup_extension.call_args_list]
    assert loaded
    assert all(callable(module.setup) for module in loaded)


def test_numbers_of_a_table_have_the_same_decimals_and_thousands_apart() -> None:
    rows: list[dict[str, Any]] = [
        {"output_shape": (64, 8), "images": 13447, "share": -0.04, "work": 22121.84},
        {"images": 1, "share": None},
    ]
    header, _, *lines = str(show_table(rows).data).splitlines()
    shown = [[cell.strip() for cell in line.strip("|").split("|")] for line in (header, *lines)]
    assert shown == [
        ["output shape", "images", "share", "work"],
        ["(64, 8)", "13,447", "0.0", "22,121.8"],
        ["–", "1", "–", "–"],
    ]
