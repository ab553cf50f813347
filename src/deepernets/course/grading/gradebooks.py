"""The table of grades, and the tables that Canvas and Moodle import, with names from a roster."""

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from deepernets.errors import UserError
from deepernets.files import write_atomically

Format = Literal["table", "canvas", "moodle"]
# The columns that each one knows a student by, and what other tables call them.
CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
MOODLE = ("Full name", "ID number", "Email address")
NAMES = {"student": "full name", "name": "full name", "email": "email address", "student id": "id number"}
FIRST, LAST = ("first name", "given name"), ("last name", "surname", "family name")
IDENTIFYING = {"id", "sis user id", "sis login id", "id number", "email address", "username", "login"}
KNOWN_BY = {"full name", *IDENTIFYING}

Person = dict[str, str]


class Row(NamedTuple):
    """A row of the table of grades, as text: an exercise of a student's, or ``total`` for all of them."""

    student: str
    lab: str
    exercise: str
    points: str
    of: str
    status: str
    remark: str
    flag: str


def write_table(rows: Iterable[Sequence[str]], out: Path, head: Sequence[str]) -> None:
    """Write a table atomically, as CSV that Excel reads as UTF-8.

    Raises:
        UserError: it cannot be written.
    """

    def write(path: Path) -> None:
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            csv.writer(file).writerows([head, *rows])

    write_atomically(out, write)


def read_roster(path: Path) -> list[Person]:
    """Return the rows of a roster (CSV), such as an export of Canvas or Moodle, with column names in lower case.

    Raises:
        UserError: it cannot be read, or has no column that identifies a student.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [_person(row) for row in csv.DictReader(file)]
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(
            f"The roster {path} cannot be read ({type(error).__name__}); expected CSV in UTF-8."
        ) from error
    if not rows or not KNOWN_BY & set(rows[0]):
        wanted = ", ".join(sorted(KNOWN_BY))
        raise UserError(
            f"The roster {path} has none of the columns {wanted}; add one of them in its first line."
        )
    # In an export of Canvas the first lines are about the assignments.
    return [row for row in rows if any(map(row.get, KNOWN_BY)) and row.get("full name") != "Points Possible"]


def _person(row: dict[str, str | None]) -> Person:
    """Return a row of a roster; a gradebook of Moodle has first and last names apart."""
    person = {_column(name): str(value or "").strip() for name, value in row.items() if name}
    parts = [person.get(name, "") for names in (FIRST, LAST) for name in names]
    if any(parts) and not person.get("full name"):
        person["full name"] = " ".join(filter(None, parts))
    return person


def _column(name: str) -> str:
    plain = name.strip().lower()
    return NAMES.get(plain, plain)


def find(person: Person, students: list[str]) -> list[str]:
    """Return the submissions whose path holds the number, login or address of a person, or else the name.

    >>> find({"full name": "Ada Lovelace", "id": "117"}, ["117_lab", "lovelace_ada", "1173"])
    ['117_lab']
    """
    keys = {person.get(name, "").casefold() for name in IDENTIFYING} - {""}
    by_key = [one for one in students if keys & set(re.split(r"[^\w@.]+|_", one.casefold()))]
    words = set(re.findall(r"[^\W_]+", person.get("full name", "").casefold()))
    by_name = [one for one in students if words and words <= set(re.findall(r"[^\W_]+", one.casefold()))]
    return by_key or by_name


def write_gradebook(rows: list[Row], out: Path, form: Format, roster: list[Person] | None) -> Path:
    """Write a table for import next to the table of grades.

    Args:
        rows: Rows of the table of grades.
        out: The table of grades.
        form: ``canvas`` or ``moodle``.
        roster: Who is in the course, as `read_roster` returns it; without it students go by their paths.

    Returns:
        The path of the table.
    """
    totals = {row.student: row for row in rows if row.exercise == "total"}
    people = roster if roster is not None else [{"full name": student} for student in totals]
    columns = CANVAS if form == "canvas" else MOODLE
    lab = next((row.lab for row in totals.values() if row.lab), "lab")
    lines: list[tuple[str, ...]] = []
    for person in people:
        found = find(person, list(totals)) if roster is not None else [person["full name"]]
        best = max((totals[student] for student in found), key=_graded_and_points, default=None)
        ids = tuple(person.get(_column(name), "") for name in columns)
        remark = best.remark if best else ""
        points = (
            best.points if best and best.status == "graded" else ""
        )  # a file that cannot be read is no zero
        lines.append((*ids, points) if form == "canvas" else (*ids, points, remark))
    if form == "canvas":
        of = next((row.of for row in totals.values()), "")
        lines.insert(0, ("Points Possible", *[""] * (len(CANVAS) - 1), of))
    head = (*columns, lab) if form == "canvas" else (*columns, "Grade", "Feedback comments")
    path = out.with_name(f"{out.stem}-{form}.csv")
    write_table(lines, path, head)
    return path


def _graded_and_points(row: Row) -> tuple[bool, int]:
    return row.status == "graded", int(row.points)


def unmatched(rows: list[Row], roster: list[Person]) -> list[str]:
    """Return the submissions that belong to nobody on the roster."""
    students = [row.student for row in rows if row.exercise == "total"]
    found = {student for person in roster for student in find(person, students)}
    return [student for student in students if student not in found]
