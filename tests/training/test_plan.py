"""Orders of runs, and which of them have no record yet."""

from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

import pytest

import deepernets
from deepernets.errors import UserError
from deepernets.results.comparison import measured
from deepernets.results.costs import training_multiply_adds
from deepernets.training.plan import PlannedRun, default_order, missing_runs, read_order
from deepernets.training.records import load_records

A, B = PlannedRun("paper/resnet-20", 0), PlannedRun("report-b/vgg-13-mnist/ours", 1)
ORDER = read_order(default_order())


def test_the_courses_order_names_every_recipe_of_reports_and_papers_once() -> None:
    wanted = {
        name for name in deepernets.list_recipes() if fnmatch(name, "report-*") or fnmatch(name, "paper/*")
    }
    assert {run.recipe for run in ORDER if run.seed == 0} == wanted
    assert len(set(ORDER)) == len(ORDER)
    assert [run.recipe for run in ORDER[:4]] == [
        f"paper/{name}" for name in ("resnet-20", "plain-20", "resnet-56", "plain-56")
    ]


def test_what_a_run_starts_from_comes_before_it() -> None:
    for place, run in enumerate(ORDER):
        if shallow := deepernets.get_recipe(run.recipe).start_from:
            assert ORDER.index(PlannedRun(shallow, run.seed)) < place


def test_further_seeds_come_last_and_the_cheapest_first() -> None:
    first = next(place for place, run in enumerate(ORDER) if run.seed)
    costs = [training_multiply_adds(deepernets.get_recipe(run.recipe)) for run in ORDER[first:]]
    assert costs == sorted(costs)
    assert all(run.seed for run in ORDER[first:])


def test_an_order_has_comments_and_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "order.txt"
    text = "# first\npaper/resnet-20 0  # the paper's\n\n  report-b/vgg-13-mnist/ours\t1\n"
    for encoding in ("utf-8", "utf-8-sig"):  # the latter is Notepad's
        path.write_text(text, encoding=encoding)
        assert read_order(path) == [A, B]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("paper/resnet-21 0", "There is no recipe 'paper/resnet-21'; did you mean"),
        ("paper/resnet-20", "'paper/resnet-20' is not a run; expected a recipe and a seed"),
        ("paper/resnet-20 0 1", "'paper/resnet-20 0 1' is not a run"),
        ("paper/resnet-20 -1", "'paper/resnet-20 -1' is not a run"),
        ("paper/resnet-20 9999999999", "is not a run"),
        ("paper/plain-20 0", "paper/plain-20, seed 0 is listed already in line 2"),
    ],
)
def test_a_wrong_line_is_one_sentence_with_file_and_line(line: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text(f"# mine\npaper/plain-20 0\n{line}\n")
    with pytest.raises(UserError, match=r"mine\.txt, line 3: ") as error:
        read_order(path)
    assert sentence in str(error.value)


def test_an_order_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.txt cannot be read \(No such file"):
        read_order(tmp_path / "none.txt")
    (tmp_path / "latin.txt").write_bytes(b"\xe9")
    with pytest.raises(UserError, match="not UTF-8"):
        read_order(tmp_path / "latin.txt")


def test_the_plan_keeps_the_order_and_leaves_out_what_is_recorded() -> None:
    left = missing_runs(ORDER, deepernets.load_records())
    assert left == [run for run in ORDER if run in set(left)]
    assert PlannedRun("report-a/vgg-16/as-reported", 0) in ORDER
    assert PlannedRun("report-a/vgg-16/as-reported", 0) not in left
    assert PlannedRun("paper/resnet-110", 0) in left


def test_only_filters_the_order() -> None:
    assert missing_runs([A, B], [], ["report-*", "race/*"]) == [B]
    with pytest.raises(UserError, match=r"no recipe that matches race/\*"):
        missing_runs([A, B], [], ["race/*"])


def test_a_short_run_does_not_count_as_the_recipe() -> None:
    """Three epochs of ResNet-20 are recorded where the report has fifty."""
    run = PlannedRun("report-b/resnet-20-mnist/as-reported", 0)
    assert load_records(run.recipe)
    assert missing_runs([run], deepernets.load_records()) == [run]


def test_a_precision_asked_for_does_not_stand_for_the_recipe() -> None:
    run = PlannedRun("report-a/vgg-16/as-reported", 0)
    asked = [replace(record, requested_precision="fp32") for record in load_records(run.recipe)]
    assert missing_runs([run], load_records(run.recipe)) == []
    assert missing_runs([run], asked) == [run]
    assert measured(run.recipe, asked) is None
    assert measured(run.recipe, [*asked, *load_records(run.recipe)]) == measured(
        run.recipe, load_records(run.recipe)
    )
