"""From a folder of submissions to a table of grades and a page of feedback for each student."""

import csv
import html
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from deepernets.course.checks import MARKS, labs
from deepernets.course.grading import judge
from deepernets.course.grading.gradebooks import Row, write_table
from deepernets.course.grading.isolation import Limits, Sandbox, choose
from deepernets.course.grading.judge import Result
from deepernets.course.grading.pages import PAGE, write_explanations
from deepernets.course.grading.sandbox import interrupted
from deepernets.course.grading.submissions import Submission, choose_lab, printable, read_folder, truncate
from deepernets.errors import UserError
from deepernets.files import write_text
from deepernets.progress import tqdm

SEEDS = 3  # hidden inputs that every answer is judged on
LONGEST_REMARK = 1_000  # characters in a cell of the table
LONG_ENOUGH = 80  # characters of an answer; shorter ones may well be equal by chance
# The labs import helpers from there. A bracket ends at the next one, so that a cell is not read again for each.
IMPORTED = re.compile(r"course\.exercises\.lab\d\d import (\([^()]*\)|[^\n]*)")
READS_ANSWERS = re.compile(
    r"exercises\.(?:judging|values)|course\.grading|checks\.(?:labs|exercises|judge)|EXERCISES|\.reference\b|getsource"
)
NO_SANDBOX = "Graded without a sandbox."


@dataclass(frozen=True)
class Grade:
    """A submission and what came of it."""

    submission: Submission
    result: Result
    exercises: tuple[str, ...]
    flags: dict[str, str] = field(default_factory=dict)

    @property
    def points(self) -> int:
        """One for each exercise whose answer is right."""
        return sum(status == "right" for status, _ in self.result.verdicts.values())

    def rows(self) -> Iterator[Row]:
        """Yield one row per exercise and one in total."""
        student, lab, of = self.submission.student, self.submission.lab, str(len(self.exercises))
        if not self.submission.problem:
            for name in self.exercises:
                status, hint = self.result.verdicts[name]
                flags = [
                    self.result.flags.get(name, ""),
                    self.flags.get(name, "") if status == "right" else "",
                ]
                points = str(int(status == "right"))
                flag = "; ".join(filter(None, flags))
                yield Row(student, lab, name, points, "1", status, _short(hint), flag)
        status = "not graded" if self.submission.problem else "graded"
        remark = _short(self.submission.problem or " · ".join(self.result.remarks))
        flag = self.flags.get("total", "")
        yield Row(student, lab, "total", str(self.points), of, status, remark, flag)

    def page(self) -> str:
        """Return the student's feedback as a page of HTML."""
        rows = [
            f"<tr><td>{_text(name)}</td><td>{MARKS.get(status, '–')} {_text(status)}</td>"
            f"<td>{_text(hint)}</td></tr>"
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


def page_name(student: str) -> str:
    """Return the file name of a student's page: short, of plain letters, and unique.

    >>> page_name("group 1/Müller")
    'group-1-M-ller-d44962.html'
    """
    start = re.sub("[^A-Za-z0-9]+", "-", student)[:40].strip("-")
    return f"{start}-{sha256(student.encode()).hexdigest()[:6]}.html"


def grade_folder(  # noqa: PLR0913
    folder: Path,
    out: Path,
    *,
    lab: str | None = None,
    seed: int | None = None,
    limits: Limits | None = None,
    workers: int = 2,
    sandbox: Sandbox = "auto",
    resume: bool = False,
) -> list[Row]:
    """Grade all notebooks of a folder; write a table, a page per student, and one with the answers to questions.

    The rows of a submission are written as soon as it is graded.

    Args:
        folder: Submissions, also in folders of folders.
        out: The table (CSV); pages go to ``<its name>-feedback/`` and ``<its name>-explain.html``.
        lab: The lab to grade, such as ``3``; without it the one that most notebooks are of.
        seed: Where hidden inputs come from; drawn where it is None.
        limits: What each notebook may use; None for the default limits.
        workers: Notebooks to run at a time.
        sandbox: What they are isolated with.
        resume: Keep the rows of students who are in the table already.

    Returns:
        The rows of the table, without its head.

    Raises:
        UserError: there is nothing to grade, no sandbox works, or `out` cannot be written.
    """
    submissions = read_folder(folder)
    chosen = choose_lab(submissions, lab)
    way = choose(sandbox)
    exercises = tuple(labs()[chosen])
    rows = _complete_rows(out, chosen) if resume else []
    known = {row.student for row in rows}
    write_table(rows, out, Row._fields)  # so that a place that cannot be written to is found now
    write_explanations(submissions, chosen, out)
    flags = _flags(submissions, exercises)
    first = secrets.randbelow(2**31) + 1 if seed is None else seed
    seeds = [first + number for number in range(SEEDS)]
    waiting = [submission for submission in submissions if _harmless(submission.student) not in known]
    with ThreadPoolExecutor(workers) as pool:
        started = [
            pool.submit(_grade, one, chosen, exercises, seeds, limits or Limits(), way) for one in waiting
        ]
        try:
            for done in tqdm(as_completed(started), total=len(started), unit="notebook", desc=chosen):
                grade = replace(done.result(), flags=flags.get(done.result().submission.student, {}))
                new = [Row(*map(_harmless, row)) for row in grade.rows()]
                rows += new
                _append(new, out)
                _write_page(grade, out)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            interrupted.set()
            raise
        finally:
            pool.shutdown()
            interrupted.clear()
    place = {_harmless(submission.student): number for number, submission in enumerate(submissions)}
    rows.sort(key=lambda row: place.get(row.student, -1))  # rows of one student stay in order
    write_table(rows, out, Row._fields)
    return rows


def _grade(
    submission: Submission, lab: str, exercises: tuple[str, ...], seeds: list[int], limits: Limits, way: str
) -> Grade:
    if not submission.problem and submission.lab != lab:
        what = f"is {submission.lab}" if submission.lab else "is no lab of this course"
        submission = replace(submission, cells={}, problem=f"The notebook {what}, not {lab}.")
    if submission.problem:
        return Grade(submission, Result(), exercises)
    try:
        result = judge.run(submission, list(exercises), seeds, limits, way)
    except Exception as error:  # a fault of ours; the other submissions go on
        problem = f"The grader failed at this notebook ({type(error).__name__}); please report it."
        return Grade(replace(submission, problem=problem), Result(), exercises)
    if way == "none":
        result.remarks.insert(0, NO_SANDBOX)
    return Grade(submission, result, exercises)


def _flags(submissions: list[Submission], exercises: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return for each student what an instructor should look at; none of it takes points away."""
    flags: dict[str, dict[str, str]] = {}
    for submission in submissions:
        if any(_reads_answers(source, exercises) for source in submission.cells.values()):
            flags.setdefault(submission.student, {})["total"] = "a cell reads the course's own answers"
    for name in exercises:
        written = {one.student: answer for one in submissions if (answer := _written(one, name))}
        for student, answer in written.items():
            others = [other for other in written if other != student and written[other] == answer]
            if others:
                flags.setdefault(student, {})[name] = f"the same code as {', '.join(others[:3])}"
    return flags


def _reads_answers(source: str, exercises: Iterable[str]) -> bool:
    """Whether a cell imports answers, or what leads to them, from the modules of the exercises."""
    names = {name for imported in IMPORTED.findall(source) for name in re.findall(r"\w+", imported)}
    private = any(name.startswith("_") for name in names)
    return bool(private or names & set(exercises) or READS_ANSWERS.search(source))


def _written(submission: Submission, name: str) -> str:
    """Return the last definition of a function without comments and spaces; empty if it is none, or short."""
    start = f"def {name}("
    for source in reversed(submission.cells.values()):
        lines = source.split("\n")
        begins = [number for number, line in enumerate(lines) if line.startswith(start)]
        if begins:
            rest = lines[begins[-1] + 1 :]
            end = next((n for n, line in enumerate(rest) if line[:1].strip(" \t)#")), len(rest))
            code = re.sub(r'"""[^"]*"""|#[^\n]*|\s+', "", "\n".join(rest[:end]))
            return code if len(code) >= LONG_ENOUGH else ""
    return ""


def _append(rows: Iterable[Row], out: Path) -> None:
    with out.open("a", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def _write_page(grade: Grade, out: Path) -> None:
    folder = out.with_name(f"{out.stem}-feedback")
    write_text(folder / page_name(grade.submission.student), grade.page())


def _complete_rows(out: Path, lab: str) -> list[Row]:
    """Return the rows of the students whose grading was finished in an earlier table; none if there is no table.

    Raises:
        UserError: it is another table, or one of another lab.
    """
    if not out.is_file():
        return []
    try:
        with out.open(encoding="utf-8-sig", newline="") as file:
            head, *lines = [tuple(line) for line in csv.reader(file)] or [()]
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{out} cannot be read ({type(error).__name__}); grade without --resume.") from error
    if head != Row._fields:
        raise UserError(f"{out} is not a table of grades; choose another one with --out.")
    rows = [Row(*line) for line in lines if len(line) == len(head)]  # a killed grading leaves half a line
    totals = [row for row in rows if row.exercise == "total"]
    if others := {row.lab for row in totals if row.status == "graded"} - {lab}:
        raise UserError(f"{out} has grades of {others.pop()}, not of {lab}; choose another table with --out.")
    done = {row.student for row in totals}
    return [row for row in rows if row.student in done]


def _harmless(value: str) -> str:
    """Return a value that no spreadsheet takes for a formula: file names and errors are the students' words."""
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _short(text: str) -> str:
    return truncate(printable(text), LONGEST_REMARK)


def _text(words: str) -> str:
    return html.escape(_short(words))
