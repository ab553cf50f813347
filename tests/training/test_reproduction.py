"""The runner: what is missing, in order of cost, and what a finished run leaves."""

from dataclasses import replace
from pathlib import Path

import pytest

import deepernets
from deepernets.analysis.reproduction import measured
from deepernets.exceptions import UserError
from deepernets.training.records import records
from deepernets.training.reproduction import ROWS, Place, Run, plan, reproduce


def test_the_plan_goes_from_cheap_to_dear_and_leaves_out_what_is_recorded() -> None:
    everything, left = plan([]), plan(deepernets.records())
    assert [run.cost for run in everything] == sorted(run.cost for run in everything)
    missing = {run.recipe for run in left}
    assert "report-a/vgg-16/as-reported" in {run.recipe for run in everything} - missing
    assert "paper/resnet-110" in missing
    assert all(run.recipe.startswith(("report-", "paper/")) for run in everything)


def test_more_seeds_are_more_runs() -> None:
    seeds = [run.seed for run in plan(deepernets.records(), ["report-a/vgg-16/as-reported"], seeds=3)]
    assert seeds == [1, 2]


def test_a_short_run_does_not_count_as_the_recipe() -> None:
    """Three epochs of ResNet-20 are recorded where the report has fifty."""
    name = "report-b/resnet-20-mnist/as-reported"
    assert records(name)
    assert [run.recipe for run in plan(deepernets.records(), [name])] == [name]


def test_a_precision_asked_for_does_not_stand_for_the_recipe() -> None:
    name = "report-a/vgg-16/as-reported"
    asked = [replace(record, requested_precision=record.precision) for record in records(name)]
    assert plan(records(name), [name]) == []
    assert [run.recipe for run in plan(asked, [name])] == [name]
    assert measured(name, asked) is None
    assert measured(name, [*asked, *records(name)]) == measured(name, records(name))


def test_names_that_match_nothing_and_no_seeds_are_refused() -> None:
    with pytest.raises(UserError, match="No recipe is called like report-z"):
        plan([], ["report-z/*"])
    with pytest.raises(UserError, match="--seeds is 0"):
        plan([], ROWS, seeds=0)


@pytest.mark.parametrize("at_a_time", [1, 2])
def test_runs_leave_records_and_are_not_repeated(at_a_time: int, tmp_path: Path) -> None:
    only = ["quick/digits", "quick/vgg"][:at_a_time]
    place = Place(tmp_path / "results", tmp_path / "runs", profile="quick")
    wanted = [Run(name, 0, 1) for name in only]
    over: list[tuple[Run, str | None]] = []
    for name in only:  # as if finished earlier: the runner only has to file them
        folder = deepernets.training.runs.run_folder(deepernets.recipe(name), "quick", 0, place.out)
        deepernets.train(deepernets.recipe(name).changed(epochs=1), profile="quick", out=tmp_path / "short")
        short = next((tmp_path / "short" / name).iterdir())
        folder.parent.mkdir(parents=True, exist_ok=True)
        short.rename(folder)
    reproduce(wanted, place, at_a_time, lambda run, problem: over.append((run, problem)))
    assert over == [(run, None) for run in wanted]
    assert [record.recipe.name for record in records(folder=place.results)] == sorted(only)


def test_a_run_that_fails_is_reported_and_the_others_go_on(tmp_path: Path) -> None:
    place = Place(
        tmp_path / "results", tmp_path / "runs", data_root=tmp_path / "nothing here", profile="quick"
    )
    over: list[str | None] = []
    broken = Run("quick/no-such-recipe", 0, 1)
    reproduce([broken], place, 1, lambda run, problem: over.append(problem))
    assert over[0] is not None
    assert "no recipe 'quick/no-such-recipe'" in over[0]
