"""The commands about recorded runs, as they are typed."""

import csv
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deepernets import cli
from deepernets.errors import UserError
from deepernets.papers.reports import ALL_RESULTS
from deepernets.training import queue
from deepernets.training.options import RunOptions
from deepernets.training.records import load_records

if TYPE_CHECKING:
    from tests.conftest import Run


def test_the_table_as_csv_has_a_row_per_result_to_reproduce(run: "Run") -> None:
    status, printed, _ = run("table", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert status == 0
    assert len(rows) == len(ALL_RESULTS)
    assert rows[0]["reported"] == "91.2"
    missing = [row["how measured"] for row in rows if row["their recipe"] == "not run"]
    assert missing
    assert all(cost.startswith("CPU ") and "GPU " in cost for cost in missing)
    adam = next(row for row in rows if (row["model"], row["recipe"]) == ("VGG-13", "Adam"))
    assert adam["reported"] == "did not converge"
    batch = next(row for row in rows if row["recipe"] == "batch 32")  # it was run for a few epochs
    assert batch["their recipe"] == "not run"
    own = next(row for row in rows if (row["report"], row["model"]) == ("paper", "ResNet-110"))
    assert (own["reported"], own["our recipe"]) == ("93.39 ± 0.16 over 5 runs", "")


@pytest.mark.parametrize("format", ["text", "markdown"])
def test_the_table_is_printed_for_people_too(
    run: "Run", format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    status, printed, _ = run("table", "--format", format)
    assert status == 0
    assert "85.8333" in printed
    assert format == "markdown" or max(map(len, printed.splitlines())) <= 80


def test_shipped_records_pass_and_an_empty_folder_is_refused(run: "Run", tmp_path: Path) -> None:
    status, printed, _ = run("verify")
    assert status == 0
    assert "are as their recipes say" in printed
    status, _, errors = run("verify", str(tmp_path))
    assert status == 2
    assert "There are no records in" in errors
    assert "Traceback" not in errors


def test_a_dry_run_says_what_is_missing_and_what_it_costs(run: "Run") -> None:
    status, printed, _ = run("reproduce", "--only", "paper/resnet-110", "paper/plain-44", "--dry-run")
    assert status == 0
    head, *runs, total = printed.splitlines()
    assert head.endswith("on the recorded CPU")
    rows = [line.split()[:2] for line in runs]
    assert sorted(rows) == [[name, seed] for name in ("paper/plain-44", "paper/resnet-110") for seed in "012"]
    assert all(line.split()[3] == "about" for line in runs)
    assert total.startswith("6 runs, about ")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["reproduce", "--only", "report-z/*"], "The order has no recipe that matches report-z/*"),
        (["reproduce", "--minutes", "0"], "--minutes is 0; expected more than 0"),
        (["reproduce", "--minutes", "nan"], "--minutes is nan; expected more than 0"),
        (["reproduce", "--order", "none.txt"], "The order none.txt cannot be read"),
        (["reproduce", "--at-a-time", "0"], "--at-a-time is 0"),
    ],
)
def test_what_cannot_be_run_is_one_sentence(run: "Run", words: list[str], sentence: str) -> None:
    status, _, errors = run(*words)
    assert status == 2
    assert sentence in errors


def test_an_order_of_ones_own_is_done_and_said(
    run: "Run", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record of one run is in its folder already; of the other, no step can be timed."""
    order, results, out = tmp_path / "order.txt", tmp_path / "results", tmp_path / "runs"
    order.write_text("report-a/vgg-16/as-reported 0\npaper/resnet-20 0\n")
    recorded = load_records("report-a/vgg-16/as-reported")[0]
    recorded.save(RunOptions(out=out).folder(recorded.recipe) / "record.json")

    def fails(*_: object, **__: object) -> float:
        raise UserError("no step could be timed.")

    monkeypatch.setattr(queue.Queue, "_step_seconds", fails)
    words = ["reproduce", "--order", str(order), "--results", str(results), "--out", str(out)]
    status, printed, errors = run(*words)
    assert status == 2
    assert f"1 run recorded in {results}" in printed
    assert "These runs could not be made: paper/resnet-20, seed 0: no step could be timed." in errors
    assert "Traceback" not in errors
    assert load_records(folder=results) == [recorded]


@pytest.mark.parametrize(
    ("words", "package"), [(["table", "--format", "markdown"], "tabulate"), (["labs", "build"], "nbformat")]
)
def test_without_the_packages_of_the_course_one_sentence_says_what_to_install(
    run: "Run", words: list[str], package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "deepernets.course.labs", raising=False)
    monkeypatch.delattr("deepernets.course.labs", raising=False)
    monkeypatch.setattr(cli, "find_spec", lambda name: None if name == package else name)
    status, _, errors = run(*words)
    assert (status, len(errors.splitlines())) == (2, 1)
    assert f"({package}); install deepernets[course]." in errors


def test_on_windows_grading_is_refused_in_one_sentence(
    run: "Run", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deepernets.cli.course.sys.platform", "win32")
    monkeypatch.setitem(sys.modules, "deepernets.course.grading.grades", None)  # imports what Windows lacks
    status, _, error = run("grade", str(tmp_path))
    assert status == 2
    assert error.endswith("on Windows, run it in WSL.\n")
