"""Commands for instructors: grading, and making the labs' notebooks."""

import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from deepernets.cli.options import Flag
from deepernets.course.grading.gradebooks import Format, read_roster, unmatched, write_gradebook
from deepernets.course.grading.isolation import Limits, Sandbox, choose
from deepernets.errors import UserError
from deepernets.files import require_writable

app = App()
labs = App(name="labs", help="The labs and their solutions.")
app.command(labs)


@app.command
def grade(  # noqa: PLR0913
    folder: Path,
    /,
    *,
    out: Path = Path("grades.csv"),
    lab: str | None = None,
    seed: int | None = None,
    limits: Annotated[Limits | None, Parameter(name="*")] = None,
    workers: int | None = None,
    sandbox: Sandbox = "auto",
    resume: Flag = False,
    format: Format = "table",
    roster: Path | None = None,
) -> None:
    """Grade a folder of submitted notebooks, each in a sandbox of its own.

    Args:
        folder: Folder of the notebooks, which may have any names and be in subfolders.
        out: The table to write, with a row per exercise and one for the total; next to it are written a folder with
            a page of feedback per student, and a page with all answers to the questions marked Explain.
        lab: The lab to grade, such as 3; without it that of most notebooks.
        seed: Seed of the hidden inputs; without it a new one every time.
        limits: What each notebook may use.
        workers: Notebooks to run at a time; one per core without it.
        sandbox: What notebooks are isolated with; auto takes the first that works. With none they can read and
            change all that you can.
        resume: Go on with an interrupted grading: keep the students who are in the table already.
        format: Write a second table that Canvas or Moodle imports.
        roster: Table (CSV) of the students for it, such as an export of Canvas or Moodle.
    """
    if sys.platform == "win32":
        raise UserError(
            "Grading needs a system that limits what a program may use; on Windows, run it in WSL."
        )
    from deepernets.course.grading.grades import grade_folder  # needs modules that Windows lacks
    from deepernets.course.grading.pages import explanations_path

    if workers is not None and workers < 1:
        raise UserError(f"--workers is {workers}; expected at least 1.")
    require_writable(out)
    people = read_roster(roster) if roster else None
    rows = grade_folder(
        folder,
        out,
        lab=lab,
        seed=seed,
        limits=limits,
        workers=workers or os.cpu_count() or 1,
        sandbox=sandbox,
        resume=resume,
    )
    totals = [row for row in rows if row.exercise == "total"]
    for row in totals:
        if row.status == "not graded":
            print(f"not graded: {row.student}: {row.remark}")
    for student in unmatched(rows, people) if people else []:
        print(f"not on the roster: {student}")
    graded = sum(row.status == "graded" for row in totals)
    print(f"{graded} of {len(totals)} notebooks graded; sandbox: {choose(sandbox)}\n{out}")
    print(explanations_path(out))
    if format != "table":
        print(write_gradebook(rows, out, format, people))


@labs.command
def build(
    *names: str,
    check: Flag = False,
    execute: Flag = False,
    repository: str | None = None,
    ref: str | None = None,
    without_solutions: Path | None = None,
) -> None:
    """Make the solutions' and the students' notebooks from their masters.

    A notebook is executed if its code changed; after a change of text alone its outputs are kept. With
    `--repository` or `--ref` nothing is executed: links, set-up cells and _config.yml are changed to the fork.

    Args:
        names: Labs to make, by the start of their name, such as 03; without names all of them.
        check: Write nothing; fail if a notebook differs from what its master makes.
        execute: Execute notebooks whose code did not change, too, as after a change of the package.
        repository: Address of the fork, https://github.com/OWNER/NAME.
        ref: Its branch or tag; without it the tag of the newest version, or main.
        without_solutions: New folder for a hand-out without masters and solutions; `--repository` and `--ref` then
            change this copy alone.
    """
    from deepernets.book import forks
    from deepernets.course import labs as made

    pointing = repository is not None or ref is not None
    if check + (bool(names) or execute) + (pointing or without_solutions is not None) > 1:
        raise UserError(
            "Names, --check, and --repository, --ref or --without-solutions ask for different things; "
            "give one of them at a time."
        )
    if without_solutions:
        print(f"The hand-out is in {forks.hand_out(Path(), without_solutions, repository, ref)}")
    elif pointing:
        print(*forks.point_at(Path(), repository, ref), sep="\n")
        url, where = forks.repository(Path())
        print(
            f"Links and set-up cells lead to {url} at {where}, which has to be there; --ref chooses another."
        )
    elif check:
        made.check()
    else:
        made.build(wanted=names, execute_all=execute, report=print)


@labs.command
def new(name: str, /, *, title: str) -> None:
    """Write a new lab to start from: two exercises with their checks, and answers to test them with.

    Args:
        name: Number and name, such as 12_fine_tuning.
        title: Title of the lab.
    """
    from deepernets.course.new_lab import new_lab

    for path in new_lab(Path(), name, title):
        print(path)
    print(f"Edit these files, then run `deepernets labs build {name[:2]}`.")
