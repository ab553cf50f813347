"""Running what has no record yet, the cheapest first; started again, it goes on where it was."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from deepernets.analysis.costs import work
from deepernets.exceptions import UserError
from deepernets.training.recipe import Profile, recipe, recipes
from deepernets.training.records import Record, load_record
from deepernets.training.runs import RECORD, run_folder, train

ROWS = ("report-*", "paper/*")  # what the course sets out to repeat


@dataclass(frozen=True)
class Run:
    """A run that is wanted.

    Attributes:
        recipe: Name of the recipe.
        seed: Its seed.
        cost: Multiply-adds.
    """

    recipe: str
    seed: int
    cost: int


def plan(
    found: Iterable[Record], only: Sequence[str] = ROWS, seeds: int = 1, profile: Profile = "full"
) -> list[Run]:
    """Return the runs that have no record yet, in order of cost.

    Args:
        found: The records that there are.
        only: Patterns such as ``report-a/*``, one of which a recipe's name must match.
        seeds: How many runs of each recipe there should be, of seeds from 0.
        profile: At which size.

    Raises:
        UserError: no recipe has such a name, or there are no seeds.

    >>> [run.recipe for run in plan([], ["report-a/*"])][-1]
    'report-a/resnet-50/ours'
    """
    if seeds < 1:
        raise UserError(f"--seeds is {seeds}; give at least 1.")
    names = [name for name in recipes() if any(fnmatch(name, pattern) for pattern in only)]
    if not names:
        raise UserError(
            f"No recipe is called like {' or '.join(only)}; `deepernets recipes` lists them; * is anything."
        )
    there = {
        (record.recipe, record.profile, record.seed)
        for record in found
        if record.requested_precision == "auto"
    }
    wanted = [
        Run(name, seed, work(recipe(name).at(profile)))
        for name in names
        for seed in range(seeds)
        if (recipe(name).at(profile), profile, seed) not in there
    ]
    return sorted(wanted, key=lambda run: run.cost)


@dataclass(frozen=True)
class Place:
    """Where runs come from and go to.

    Attributes:
        results: Folder of records; each finished run adds one.
        out: Folder of runs, with their checkpoints and weights.
        data_root: Folder of the data; None for the usual places.
        profile: At which size everything is run.
    """

    results: Path
    out: Path = Path("runs")
    data_root: Path | None = None
    profile: Profile = "full"


def reproduce(
    wanted: Sequence[Run],
    place: Place,
    at_a_time: int = 1,
    after_run: Callable[[Run, str | None], object] = lambda run, problem: None,
) -> None:
    """Run what is wanted; a run that fails is reported, and the others go on.

    Args:
        wanted: As `plan` gives it.
        place: Where data are, and records go.
        at_a_time: Runs side by side; one shows its own bar, several do not.
        after_run: Called with each run that is over, and with what went wrong, or None.
    """
    for run, problem in _outcomes(wanted, place, at_a_time):
        after_run(run, problem)


def _outcomes(wanted: Sequence[Run], place: Place, at_a_time: int) -> Iterator[tuple[Run, str | None]]:
    if at_a_time == 1:
        yield from ((run, _here(run, place)) for run in wanted)
        return
    with ThreadPoolExecutor(at_a_time) as pool:
        try:
            yield from zip(wanted, pool.map(lambda run: _elsewhere(run, place), wanted), strict=True)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _here(run: Run, place: Place) -> str | None:
    """Train in this process, and put the record where it belongs."""
    try:
        train(run.recipe, profile=place.profile, seed=run.seed, data_root=place.data_root, out=place.out)
    except UserError as error:
        return str(error)
    _file(run, place)
    return None


def _elsewhere(run: Run, place: Place) -> str | None:
    """Train in a process of its own, without a bar."""
    command = [sys.executable, "-m", "deepernets", "train", run.recipe, "--profile", place.profile]
    command += ["--seed", str(run.seed), "--out", str(place.out)]
    if place.data_root:
        command += ["--data-root", str(place.data_root)]
    done = subprocess.run(command, env={**os.environ, "TQDM_DISABLE": "1"}, capture_output=True, text=True)
    if done.returncode != 0:
        return (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
    _file(run, place)
    return None


def _file(run: Run, place: Place) -> None:
    """Copy a finished run's record to the records."""
    folder = run_folder(recipe(run.recipe), place.profile, run.seed, place.out)
    target = place.results / run.recipe / f"{folder.name}.json"
    load_record(folder / RECORD).save(target)
