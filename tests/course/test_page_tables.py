"""The table of reported results that several of the book's pages show."""

from dataclasses import replace

import deepernets
from deepernets.course.book import show_reported
from deepernets.papers.reports import ALL_RESULTS
from deepernets.results.comparison import Row, compare_reported


def cells(rows: list[Row]) -> list[list[str]]:
    table = show_reported(rows).data
    assert isinstance(table, str)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_only_results_with_a_whole_run_are_in_the_table() -> None:
    run = deepernets.load_records("report-a/vgg-16/as-reported")[0]
    header, _, *shown = cells([row for row in compare_reported([run]) if row.report == "A"])
    assert header == ["reported", "%", "our run of it, %", "our recipe, %"]
    accuracy = f"{100 * run.test['accuracy']:.2f}"
    ours = f"{accuracy} (1 seed, 20 epochs, full, {run.data['variant']})"
    assert shown == [["VGG-16, rate 0.01, 20 epochs", "91.2", ours, "–"]]


def test_the_data_set_is_named_where_there_are_several() -> None:
    rows = [row for row in compare_reported(deepernets.load_records()) if row.report == "C"]
    assert cells(rows)[2][0] == "VGG-16, mnist, rate 0.01, momentum 0, 50 epochs"


def test_the_papers_have_no_recipe_of_ours() -> None:
    run = compare_reported(deepernets.load_records("report-a/vgg-16/as-reported"))[0]
    paper = {"paper/resnet-20": ALL_RESULTS["paper/resnet-20"]}
    row = replace(compare_reported([], paper)[0], theirs=run.theirs)
    assert cells([row])[0] == ["reported", "%", "our run of it, %"]
