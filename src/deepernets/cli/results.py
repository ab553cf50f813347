"""Commands about recorded runs: make those that are missing, set them beside the reports', check them."""

import sys
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from deepernets.errors import UserError
from deepernets.recipes.recipe import Profile

if TYPE_CHECKING:
    from deepernets.training.queue import QueuedRun

app = App()


@Parameter(name="*")
@dataclass(frozen=True)
class Where:
    """Where and at which size to run.

    Attributes:
        profile: laptop (minutes on a CPU) or full (as written); quick tries everything on drawn pictures.
        data_root: Folder that holds the data.
        results: Folder of the records; without it the course's own.
        out: Folder of runs, with their checkpoints.
    """

    profile: Profile = "full"
    data_root: Path | None = None
    results: Path | None = None
    out: Path = Path("runs")


@Parameter(name="*")
@dataclass(frozen=True)
class Which:
    """Which runs to make.

    Attributes:
        order: File that lists runs in the order in which they are made: a recipe and a seed on each line, such as
            'paper/resnet-20 0'; # begins a comment. Without it the course's own, results/order.txt.
        only: Patterns of recipe names, such as 'report-a/*'; what matches none of them is left out.
    """

    order: Path | None = None
    only: Annotated[tuple[str, ...], Parameter(negative=())] = ()


@app.command
def reproduce(
    *,
    which: Which | None = None,
    where: Where | None = None,
    minutes: float | None = None,
    at_a_time: int = 1,
    dry_run: bool = False,
) -> None:
    """Run what the reports and papers did and has no record yet, in the order of a file.

    After an interruption or a kill, the same command goes on from the last whole epoch of the run that was cut
    off. Each record is written as soon as its run ends. A run that fails is reported, and the others go on.

    Before a run, a few training steps are timed on this machine, and before a long one also compiled steps, where
    there is a compiler. The faster way is taken. One line says what was chosen and why.

    Args:
        which: Which runs to make.
        where: Where and at which size to run.
        minutes: Stop after so many minutes. The first run of the order that can end in the time left, at the pace
            measured here, is started; when none can, the first that gets through an epoch trains until the time is
            up. It keeps its last whole epoch, and the next call goes on from there.
        at_a_time: Runs side by side, where one alone cannot fill a GPU.
        dry_run: Say what would be run, and what that costs, and stop.
    """
    from deepernets.training.queue import Place, Queue, default_order, plan, read_order
    from deepernets.training.records import load_records, results_folder

    if at_a_time < 1:
        raise UserError(f"--at-a-time is {at_a_time}; at least 1 run must go on at a time.")
    if minutes is not None and not minutes > 0:
        raise UserError(f"--minutes is {minutes:g}; expected more than 0.")
    which, where = which or Which(), where or Where()
    place = Place(where.results or results_folder(), where.out, where.data_root, where.profile)
    found = load_records(folder=place.results) if place.results.is_dir() else []
    wanted = plan(read_order(which.order or default_order()), found, which.only, place.profile)
    if dry_run:
        _print_costs(wanted, place.profile)
        return
    queue = Queue(wanted, place, at_a_time, inf if minutes is None else minutes)
    try:
        queue.work()
    except KeyboardInterrupt:
        print("\nInterrupted; the same command goes on from here.", file=sys.stderr)
        sys.exit(130)
    done = len(queue.recorded)
    print(f"{done} run{'s' * (done != 1)} recorded in {place.results}")
    for run in queue.unfinished:
        total = place.recipe(run).epochs
        print(
            f"{run}: {total - place.epochs_left(run)} of {total} epochs are trained; the same command goes on."
        )
    if queue.problems:
        failed = "; ".join(f"{run}: {problem}" for run, problem in queue.problems.items())
        raise UserError(f"These runs could not be made: {failed}")


def _print_costs(wanted: "list[QueuedRun]", profile: Profile) -> None:
    """Print each run with its cost on the CPU of the recorded runs, and the sum of them."""
    from deepernets.progress import format_duration
    from deepernets.recipes import get_recipe
    from deepernets.results.costs import pace, work
    from deepernets.training.records import load_records

    found, total = load_records(), 0.0
    for run in wanted:
        speed, cost = pace(found, get_recipe(run.recipe).model), work(get_recipe(run.recipe).at(profile))
        total += cost / speed if speed else 0
        about = f"about {format_duration(cost / speed)} on the recorded CPU" if speed else ""
        print(f"{run.recipe:45} seed {run.seed}  {cost:.1e} multiply-adds  {about}")
    about = f", about {format_duration(total)} on the recorded CPU, one after the other" if total else ""
    print(f"{len(wanted)} run{'s' * (len(wanted) != 1)}{about}")


@app.command
def table(*, format: Literal["text", "markdown", "csv"] = "text", results: Path | None = None) -> None:
    """Print the reports' and the papers' results next to our whole runs; what was not run has its estimated cost.

    Args:
        format: text, markdown or csv.
        results: Folder of the records; without it the course's own.
    """
    from deepernets.papers.reports import WANTED
    from deepernets.results.comparison import rows
    from deepernets.results.costs import estimate
    from deepernets.results.tables import table as as_table
    from deepernets.training.records import load_records

    found = load_records(folder=results)
    frame = as_table(rows(found, WANTED), lambda name: estimate(name, found))
    if format == "csv":
        print(frame.to_csv(index=False), end="")
    elif format == "markdown":
        print(frame.to_markdown(index=False, disable_numparse=True))
    else:
        print(frame.to_string(index=False))


@app.command
def verify(folder: Path | None = None, /) -> None:
    """Check recorded runs: layout, recipe, epochs, budget, data, and that the test set was opened once.

    Args:
        folder: Folder of the records; without it the course's own.
    """
    from deepernets.training.records import results_folder
    from deepernets.training.verification import verify as check

    found = check(folder or results_folder())
    wrong = [f"{path}: {problem}" for path, problems in found.items() for problem in problems]
    if wrong:
        raise UserError("\n".join(["these records cannot be shown as they are:", *wrong]))
    print(f"{len(found)} records are as their recipes say.")
