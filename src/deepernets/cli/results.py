"""Commands about recorded runs: make those that are missing, set them beside the reports', check them."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from deepernets.exceptions import UserError
from deepernets.training.recipe import Profile

if TYPE_CHECKING:
    from deepernets.training.reproduction import Run

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


@app.command
def reproduce(
    *,
    only: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    seeds: int = 1,
    where: Where | None = None,
    at_a_time: int = 1,
    dry_run: bool = False,
) -> None:
    """Run what the reports and papers did and has no record yet, the cheapest first.

    Interrupt it whenever you like: the same command goes on, from the last whole epoch of the run that was cut off.

    Args:
        only: Patterns of recipe names, such as 'report-a/*'.
        seeds: Runs of each recipe, of seeds from 0.
        where: Where and at which size to run.
        at_a_time: Runs side by side, where one alone cannot fill a GPU.
        dry_run: Say what would be run, and what that costs, and stop.
    """
    from deepernets.progress import tqdm
    from deepernets.training.records import records, results_folder
    from deepernets.training.reproduction import ROWS, Place, plan
    from deepernets.training.reproduction import reproduce as run_all

    if at_a_time < 1:
        raise UserError(f"--at-a-time is {at_a_time}; at least 1 run must go on at a time.")
    where = where or Where()
    place = Place(where.results or results_folder(), where.out, where.data_root, where.profile)
    found = records(folder=place.results) if place.results.is_dir() else []
    wanted = plan(found, only or ROWS, seeds, place.profile)
    if dry_run:
        _say_what_it_costs(wanted)
        return
    problems: list[str] = []
    scale = 1e9
    with tqdm(
        total=sum(run.cost for run in wanted) / scale, unit="G", unit_scale=True, desc="all runs"
    ) as bar:

        def over(run: "Run", problem: str | None) -> None:
            bar.update(run.cost / scale)
            if problem:
                problems.append(f"{run.recipe}, seed {run.seed}: {problem}")

        try:
            run_all(wanted, place, at_a_time, over)
        except KeyboardInterrupt:
            print("\nInterrupted; the same command goes on from here.", file=sys.stderr)
            sys.exit(130)
    done = len(wanted) - len(problems)
    print(f"{done} run{'s' * (done != 1)} recorded in {place.results}")
    if problems:
        raise UserError("These runs could not be made: " + "; ".join(problems))


def _say_what_it_costs(wanted: "list[Run]") -> None:
    """Print each run with its cost on the CPU of the recorded runs, and the sum of them."""
    from deepernets.analysis.costs import in_words, pace
    from deepernets.training.recipe import recipe
    from deepernets.training.records import records

    found, total = records(), 0.0
    for run in wanted:
        speed = pace(found, recipe(run.recipe).model)
        total += run.cost / speed if speed else 0
        about = f"about {in_words(run.cost / speed)} on the recorded CPU" if speed else ""
        print(f"{run.recipe:45} seed {run.seed}  {run.cost:.1e} multiply-adds  {about}")
    about = f", about {in_words(total)} on the recorded CPU, one after the other" if total else ""
    print(f"{len(wanted)} run{'s' * (len(wanted) != 1)}{about}")


@app.command
def table(*, format: Literal["text", "markdown", "csv"] = "text", results: Path | None = None) -> None:
    """Print the reports' and the papers' results beside ours; what was not run has its estimated cost.

    Args:
        format: text, markdown or csv.
        results: Folder of the records; without it the course's own.
    """
    from deepernets.analysis.costs import estimate
    from deepernets.analysis.reproduction import rows
    from deepernets.analysis.tables import table as as_table
    from deepernets.published.reports import WANTED
    from deepernets.training.records import records

    found = records(folder=results)
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
