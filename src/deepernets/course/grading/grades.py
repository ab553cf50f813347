"""From a folder of submissions to a table of grades and a page of feedback for each student."""

import csv
import html
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from string import Template

from deepernets.course.checks import labs
from deepernets.course.grading.limits import Limits
from deepernets.course.grading.sandbox import Result, run
from deepernets.course.grading.submissions import Submission, choose_lab, read_folder
from deepernets.files import write_atomically
from deepernets.progress import tqdm

SEEDS = 3  # hidden inputs that every answer is judged on
COLUMNS = ("student", "lab", "exercise", "points", "of", "status", "remark")
MARKS = {"right": "✓", "wrong": "✗"}
PAGE = Template("""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>$title</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid #999; }
</style></head>
<body>
<h1>$title</h1>
<p>$summary</p>
$table
$remarks
</body></html>
""")


@dataclass(frozen=True)
class Grade:
    """A submission and what came of it."""

    submission: Submission
    result: Result
    exercises: tuple[str, ...]

    @property
    def points(self) -> int:
        """One for each exercise whose answer is right."""
        return sum(status == "right" for status, _ in self.result.verdicts.values())

    def rows(self) -> Iterator[tuple[str | int, ...]]:
        """Yield one row per exercise and one in total, in the order of `COLUMNS`."""
        student, lab, of = self.submission.student, self.submission.lab, len(self.exercises)
        if not self.submission.problem:
            for name in self.exercises:
                status, hint = self.result.verdicts[name]
                yield student, lab, name, int(status == "right"), 1, status, hint
        status = "not graded" if self.submission.problem else "graded"
        remark = self.submission.problem or " ".join(self.result.remarks)
        yield student, lab, "total", self.points, of, status, remark

    def page(self) -> str:
        """Return the student's feedback as a page of HTML."""
        rows = [
            f"<tr><td>{_text(name)}</td><td>{MARKS.get(status, '–')} {status}</td><td>{_text(hint)}</td></tr>"
            for name, (status, hint) in self.result.verdicts.items()
        ]
        head = "<tr><th>exercise</th><th>verdict</th><th>hint</th></tr>"
        remarks = "".join(f"<li>{_text(remark)}</li>" for remark in self.result.remarks)
        summary = self.submission.problem or f"{self.points} of {len(self.exercises)} exercises are right."
        return PAGE.substitute(
            title=_text(f"{self.submission.student}: {self.submission.lab or 'no lab'}"),
            summary=_text(summary),
            table=f"<table>{head}{''.join(rows)}</table>" if rows else "",
            remarks=f"<h2>What happened in the cells</h2><ul>{remarks}</ul>" if remarks else "",
        )


def grade_folder(
    folder: Path,
    out: Path,
    *,
    lab: str | None = None,
    seed: int | None = None,
    limits: Limits = Limits(),  # noqa: B008
    workers: int = 2,
) -> list[Grade]:
    """Grade all notebooks of a folder; write a table, and a page per student into a folder beside it.

    Args:
        folder: Submissions, also in folders of folders.
        out: The table (CSV); pages go to ``<its name>-feedback/``.
        lab: The lab to grade, such as ``3``; without it the one that most notebooks are of.
        seed: Where hidden inputs come from; drawn where it is None.
        limits: What each notebook may use.
        workers: Notebooks to run at a time.

    Raises:
        UserError: there is nothing to grade, or `out` cannot be written.
    """
    submissions = read_folder(folder)
    chosen = choose_lab(submissions, lab)
    exercises = tuple(labs()[chosen])
    first = secrets.randbelow(2**31) + 1 if seed is None else seed
    seeds = [first + number for number in range(SEEDS)]
    grade = partial(_grade, lab=chosen, exercises=exercises, seeds=seeds, limits=limits)
    with ThreadPoolExecutor(workers) as pool:
        grades = list(
            tqdm(pool.map(grade, submissions), total=len(submissions), unit="notebook", desc=chosen)
        )
    _write(grades, out)
    return grades


def _grade(
    submission: Submission, lab: str, exercises: tuple[str, ...], seeds: list[int], limits: Limits
) -> Grade:
    if submission.problem:
        return Grade(submission, Result(), exercises)
    if submission.lab != lab:
        what = f"is {submission.lab}" if submission.lab else "is no lab of this course"
        other = Submission(submission.student, {}, submission.lab, f"The notebook {what}, not {lab}.")
        return Grade(other, Result(), exercises)
    return Grade(submission, run(submission, list(exercises), seeds, limits), exercises)


def _write(grades: list[Grade], out: Path) -> None:
    """Write table and pages; a page is called like the notebook, with hyphens for folders."""

    def write_table(path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for grade in grades:
                writer.writerows([_harmless(value) for value in row] for row in grade.rows())

    for grade in grades:
        name = grade.submission.student.replace("/", "--") + ".html"
        page = grade.page()
        write_atomically(
            out.with_name(f"{out.stem}-feedback") / name,
            lambda path, page=page: path.write_text(page, encoding="utf-8"),  # type: ignore[misc]
        )
    write_atomically(out, write_table)


def _harmless(value: str | int) -> str | int:
    """Return a value that no spreadsheet takes for a formula: file names and errors are the students' words."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else value


def _text(words: str) -> str:
    return html.escape(words)
