"""Tables for Canvas and Moodle."""

import csv
from pathlib import Path

import pytest

from deepernets.course.grading.gradebooks import Row, read_roster, unmatched, write_gradebook
from deepernets.errors import UserError

ROWS = [
    Row("117_lab3", "lab03", "confusion", "1", "1", "right", "", ""),
    Row("117_lab3", "lab03", "total", "5", "7", "graded", "", ""),
    Row("lovelace_ada_late", "lab03", "total", "6", "7", "graded", "Cell 2 stopped", ""),
    Row("stranger", "", "total", "0", "7", "not graded", "empty", ""),
]
CANVAS = (
    "Student,ID,SIS User ID,SIS Login ID,Section\n"
    ",,,,Manual Posting\n    Points Possible,,,,\n"
    '"Hopper, Grace",117,,gh,A\n"Lovelace, Ada",1173,,al,A\n"Turing, Alan",9,,at,B\n'
)
# The two tables that Moodle exports: the worksheet of an assignment, and the gradebook.
MOODLE = "Full name,ID number,Email address\nGrace Hopper,117,g@x.org\nAda Lovelace,2,a@x.org\n"
GRADEBOOK = "First name,Last name,ID number,Email address\nGrace,Hopper,117,g@x.org\nAda,Lovelace,2,a@x.org\n"


def table(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def test_canvas_gets_its_own_columns_and_the_points_possible(tmp_path: Path) -> None:
    (tmp_path / "roster.csv").write_text(CANVAS)
    roster = read_roster(tmp_path / "roster.csv")
    path = write_gradebook(ROWS, tmp_path / "grades.csv", "canvas", roster)
    assert table(path) == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "lab03"],
        ["Points Possible", "", "", "", "", "7"],
        ["Hopper, Grace", "117", "", "gh", "A", "5"],
        ["Lovelace, Ada", "1173", "", "al", "A", "6"],
        ["Turing, Alan", "9", "", "at", "B", ""],
    ]
    assert unmatched(ROWS, roster) == ["stranger"]


@pytest.mark.parametrize("export", [MOODLE, GRADEBOOK])
def test_moodle_gets_grades_and_feedback(export: str, tmp_path: Path) -> None:
    (tmp_path / "roster.csv").write_text(export, encoding="utf-8-sig")
    path = write_gradebook(ROWS, tmp_path / "grades.csv", "moodle", read_roster(tmp_path / "roster.csv"))
    assert path.name == "grades-moodle.csv"
    assert table(path)[1:] == [
        ["Grace Hopper", "117", "g@x.org", "5", ""],
        ["Ada Lovelace", "2", "a@x.org", "6", "Cell 2 stopped"],
    ]


def test_a_file_that_could_not_be_graded_is_no_zero(tmp_path: Path) -> None:
    rows = [
        Row("2_report", "", "total", "0", "7", "not graded", "The file is not a notebook.", ""),
        Row("117_notes", "", "total", "0", "7", "not graded", "The file is empty.", ""),
        Row("117_lab3", "lab03", "total", "0", "7", "graded", "", ""),
    ]
    (tmp_path / "roster.csv").write_text(MOODLE)
    path = write_gradebook(rows, tmp_path / "grades.csv", "moodle", read_roster(tmp_path / "roster.csv"))
    assert [line[-2:] for line in table(path)[1:]] == [["0", ""], ["", "The file is not a notebook."]]


def test_without_a_roster_students_go_by_their_paths(tmp_path: Path) -> None:
    lines = table(write_gradebook(ROWS, tmp_path / "grades.csv", "canvas", None))
    assert [line[0] for line in lines[2:]] == ["117_lab3", "lovelace_ada_late", "stranger"]


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff\xfe\x00"])
def test_a_table_that_is_no_roster_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "roster.csv").write_bytes(content)
    with pytest.raises(UserError, match="The roster"):
        read_roster(tmp_path / "roster.csv")
