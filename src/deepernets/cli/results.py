"""Commands about recorded runs: make the missing ones, compare them with the reports, check them."""

import sys
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from deepernets.cli.options import Flag, Folders, run_options
from deepernets.cli.terminal import align, terminal_width, wrap
from deepernets.errors import UserError
from deepernets.progress import format_duration
from deepernets.recipes import get_recipe
from deepernets.recipes.recipe import Profile
from deepernets.training.plan import PlannedRun, default_order, missing_runs, read_order
from deepernets.training.records import load_records, results_folder

if TYPE_CHECKING:
    from pandas import DataFrame

app = App()


@Parameter(name="*")
@dataclass(frozen=True)
class Which:
    """Which runs to make.

    Attributes:
        order: File that lists runs in the order in which they are made: a recipe and a seed on each line, such as
            'paper/resnet-20 0'; # begins a comment. Without it the course's own, results/order.txt.
        only: Patterns of recipe names, such as 'report-a/*'; recipes that match none of them are left out.
    """

    order: Path | None = None
    only: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False, consume_multiple=True)] = ()


@app.command
def reproduce(
    *,
    which: Which | None = None,
    options: Folders | None = None,
    results: Path | None = None,
    minutes: float | None = None,
    at_a_time: int = 1,
    dry_run: Flag = False,
) -> None:
    """Make the runs of the reports and papers that have no record yet, in the order of a file.

    After an interruption or a kill, the same command continues after the last finished epoch of the interrupted
    run. Each record is written as soon as its run ends. A run that fails is reported, and the others continue.

    Before a run, a few training steps are timed on this machine, and before a long one also compiled steps, if
    there is a compiler. The faster of the two is used. One line states what was chosen and why.

    Args:
        which: Which runs to make.
        options: Options of the runs.
        results: Folder of the records; without it the course's own.
        minutes: Stop after this many minutes. The first run in the order that can end in the time left, at the
            speed measured here, is started. If none can, the first that can finish an epoch trains until the
            time is up. It keeps its last finished epoch, and the next call continues from there.
        at_a_time: Runs at the same time, for when one alone cannot use a GPU fully.
        dry_run: Print the runs and their costs, and stop.
    """
    if at_a_time < 1:
        raise UserError(f"--at-a-time is {at_a_time}; expected at least 1.")
    if minutes is not None and not minutes > 0:
        raise UserError(f"--minutes is {minutes:g}; expected more than 0.")
    which, results = which or Which(), results or results_folder()
    chosen = run_options(options)
    recorded = load_records(folder=results) if results.exists() else []
    runs = missing_runs(read_order(which.order or default_order()), recorded, which.only, chosen.profile)
    if dry_run:
        _print_costs(runs, chosen.profile)
        return

    from deepernets.training.queue import Queue  # needs PyTorch

    queue = Queue(runs, results, chosen, at_a_time, inf if minutes is None else minutes)
    try:
        queue.work()
    except KeyboardInterrupt:
        print("\nInterrupted; the same command goes on from here.", file=sys.stderr)
        sys.exit(130)
    done = len(queue.recorded)
    print(f"{done} run{'s' * (done != 1)} recorded in {results}")
    for run in queue.unfinished:
        total = queue.recipe(run).epochs
        print(
            f"{run}: {total - queue.epochs_left(run)} of {total} epochs are trained; the same command goes on."
        )
    if queue.problems:
        failed = "; ".join(f"{run}: {problem}" for run, problem in queue.problems.items())
        raise UserError(f"These runs could not be made: {failed}")


def _print_costs(runs: list[PlannedRun], profile: Profile) -> None:
    """Print each run with its cost on the CPU of the recorded runs, and the sum of the costs."""
    from deepernets.results.costs import median_speed, training_multiply_adds

    records, total = load_records(), 0.0
    rows = [["recipe", "seed", "multiply-adds", "on the recorded CPU"]]
    for run in runs:
        recipe = get_recipe(run.recipe)
        speed, cost = median_speed(records, recipe.model), training_multiply_adds(recipe.at(profile))
        total += cost / speed if speed else 0
        about = f"about {format_duration(cost / speed)}" if speed else ""
        rows.append([run.recipe, str(run.seed), f"{cost:.1e}", about])
    if runs:
        print(align(rows, width=terminal_width()))
    about = f", about {format_duration(total)} on the recorded CPU, one after the other" if total else ""
    print(f"{len(runs)} run{'s' * (len(runs) != 1)}{about}")


@app.command
def table(*, format: Literal["text", "markdown", "csv"] = "text", results: Path | None = None) -> None:
    """Print the reports' and the papers' results next to ours, or the estimated cost of what was not run.

    Args:
        format: text, which fits 80 columns; or markdown or csv, which also state how our results were measured.
        results: Folder of the records; without it the course's own.
    """
    from deepernets.papers.reports import ALL_RESULTS
    from deepernets.results.comparison import compare_reported, results_table
    from deepernets.results.costs import estimated_time

    records = load_records(folder=results)
    rows = compare_reported(records, ALL_RESULTS)
    frame = results_table(rows, cost=lambda name: estimated_time(name, records))
    if format == "csv":
        print(frame.to_csv(index=False), end="")
    elif format == "markdown":
        print(frame.to_markdown(index=False, disable_numparse=True))
    else:
        print(_as_text(frame))


def _as_text(frame: "DataFrame") -> str:
    """Return the table of results, a part for each report and data set; it fits a terminal of 80 columns."""
    from deepernets.results.comparison import NOT_RUN

    lines = []
    for (report, data), part in frame.groupby(["report", "data"], sort=False):
        rows = [["network, recipe", "reported", "epochs", "their recipe", "our recipe"]]
        for row in part.to_dict("records"):
            their_own = row["their recipe"]
            if their_own == NOT_RUN:
                their_own = row["how measured"].partition(",")[0]  # the time it takes on a CPU
            first = f"{row['model']}, {row['recipe']}"
            rows.append([first, row["reported"], str(row["epochs"]), their_own, row["our recipe"]])
        if not any(row[-1] for row in rows[1:]):  # the papers' rows have no recipe of ours
            rows = [row[:-1] for row in rows]
        name = f"report {report}" if report != "paper" else "the papers"
        lines += [f"{name}, {data}", align(rows, width=terminal_width()), ""]
    lines.append(
        wrap(
            "Test accuracies in per cent; under their recipe, how long it would take on a CPU if it was not run.\n"
            "--format csv adds how our results were measured, and the time on a GPU."
        )
    )
    return "\n".join(lines)


@app.command
def verify(folder: Path | None = None, /) -> None:
    """Check recorded runs: layout, recipe, epochs, data, and that the test set was used once.

    Args:
        folder: Folder of the records; without it the course's own.
    """
    from deepernets.training.verification import verify as check

    checked = check(folder or results_folder())
    wrong = [f"{path}: {problem}" for path, problems in checked.items() for problem in problems]
    if wrong:
        raise UserError("\n".join(["these records cannot be shown as they are:", *wrong]))
    print(f"{len(checked)} records are as their recipes say.")
