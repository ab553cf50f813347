"""Which runs to make: an order of runs from a file, without those that have a record."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from deepernets.errors import UserError
from deepernets.recipes import get_recipe
from deepernets.recipes.recipe import Profile
from deepernets.training.records import Record, results_folder


class PlannedRun(NamedTuple):
    """A run to make: the name of a recipe, and a seed."""

    recipe: str
    seed: int

    def __str__(self) -> str:
        return f"{self.recipe}, seed {self.seed}"


def default_order() -> Path:
    """Return the file with the course's own order."""
    return results_folder() / "order.txt"


def read_order(path: Path) -> list[PlannedRun]:
    """Read an order of runs, with a recipe and a seed in each line.

    A ``#`` begins a comment, and empty lines are ignored.

    Raises:
        UserError: the file cannot be read, or one of its lines is not a run, or repeats one.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UserError(f"The order {path} cannot be read ({reason}); expected a text file.") from error
    runs: dict[PlannedRun, int] = {}
    for number, line in enumerate(lines, 1):
        if words := line.partition("#")[0].split():
            try:
                run = _parse(words)
                if run in runs:
                    raise UserError(f"{run} is listed already in line {runs[run]}; delete one of the two.")
            except UserError as error:
                raise UserError(f"{path}, line {number}: {error}") from error
            runs[run] = number
    return list(runs)


def _parse(words: list[str]) -> PlannedRun:
    seed = words[-1]
    if len(words) != 2 or not (seed.isascii() and seed.isdecimal() and len(seed) < 10):
        raise UserError(
            f"{' '.join(words)!r} is not a run; expected a recipe and a seed from 0, such as 'paper/resnet-20 0'."
        )
    return PlannedRun(get_recipe(words[0]).name, int(seed))


def missing_runs(
    order: Sequence[PlannedRun],
    records: Iterable[Record],
    only: Sequence[str] = (),
    profile: Profile = "full",
) -> list[PlannedRun]:
    """Return the runs of an order that have no record yet.

    Args:
        order: As `read_order` returns it.
        records: The existing records.
        only: Patterns such as ``report-a/*``, one of which the name of a recipe must match; empty for all recipes.
        profile: The profile of the runs.

    Raises:
        UserError: no recipe in the order matches.

    >>> missing_runs([PlannedRun("paper/resnet-20", 0), PlannedRun("race/step", 3)], [], ["race/*"])
    [PlannedRun(recipe='race/step', seed=3)]
    """
    matching = [run for run in order if not only or any(fnmatch(run.recipe, pattern) for pattern in only)]
    if not matching:
        raise UserError(
            f"The order has no recipe that matches {' or '.join(only) or '*'}; expected a name, "
            "or a pattern with * for any characters. `deepernets recipes` lists names; --order takes another order."
        )
    recorded = {
        (record.recipe, record.profile, record.seed)
        for record in records
        if record.requested_precision == "auto"
    }
    return [
        run for run in matching if (get_recipe(run.recipe).at(profile), profile, run.seed) not in recorded
    ]
