"""Submissions: any name and any content is read, or gets a reason, and none stops another."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from deepernets.course.grading import submissions
from deepernets.course.grading.submissions import Submission, choose_lab, fingerprint, read_folder
from deepernets.errors import UserError

CODE = "check('confusion', 1)"


def notebook(source: Any = CODE, **more: Any) -> dict[str, Any]:
    return {"cells": [{"cell_type": "code", "metadata": {}, "source": source, **more}], "nbformat": 4}


GOOD = json.dumps(notebook()).encode()
OLD = {
    "worksheets": [{"cells": [{"cell_type": "code", "input": [CODE], "language": "python"}]}],
    "nbformat": 3,
}


def read(folder: Path) -> dict[str, Submission]:
    return {one.student: one for one in read_folder(folder)}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.ipynb", GOOD),
        ("a.ipynb.txt", GOOD),
        ("a.IPYNB", GOOD),
        ("a.ipynb", b"\xef\xbb\xbf" + GOOD),
        ("a.ipynb", GOOD.decode().encode("utf-16")),
        ("a.ipynb", json.dumps(OLD).encode()),
        ("a.ipynb", json.dumps(notebook([CODE]) | {"nbformat_minor": 0}).encode()),
        ("a.ipynb", json.dumps(notebook("check('confusion', '\ud800')")).encode()),
        ("a.ipynb", json.dumps(notebook(outputs=[float("inf")])).encode()),
        ("a.ipynb", json.dumps(notebook(CODE + "\n" * 100_000)).encode()),
        ("a.ipynb", json.dumps(notebook() | {"cells": notebook()["cells"] * 100_000}).encode()),
    ],
    ids=[
        "plain",
        "txt",
        "capitals",
        "mark",
        "utf16",
        "v3",
        "v4.0",
        "surrogate",
        "infinity",
        "lines",
        "cells",
    ],
)
def test_notebooks_are_read_however_they_were_saved(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    found = read(tmp_path)["a"]
    assert (found.lab, found.problem) == ("lab03", "")
    assert "confusion" in found.cells[1]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"{", "not JSON"),
        (b"\xff\xfe{", "not JSON"),
        (b"[" * 10**6, "not JSON"),
        (b"[]", "not a notebook"),
        (b'{"cells": {"a": 1}}', "not a notebook"),
        (b'{"cells": [1]}', "not a notebook"),
        (b'{"cells": []}', "no code"),
        (b'{"worksheets": []}', "not a notebook"),
    ],
)
def test_a_file_that_is_no_notebook_gets_a_reason(content: bytes, problem: str, tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_bytes(content)
    assert problem in read(tmp_path)["a"].problem


def test_any_name_is_read_and_shown_safely(tmp_path: Path) -> None:
    names = [
        *(
            b"M\xfcller.ipynb",
            "김.ipynb".encode("cp949"),
            b"n" * 240 + b".ipynb",
            b"=1+1.ipynb",
            b"a b (1).ipynb",
        ),
        *(
            b"a.ipynb (1)",
            b"\x1b[31mred.ipynb",
            b"new\nline.ipynb",
            b"-rf.ipynb",
            b"..ipynb.ipynb",
            b"<b>.ipynb",
        ),
    ]
    for name in names:
        (tmp_path / os.fsdecode(name)).write_bytes(GOOD)
    found = read(tmp_path)
    hidden = 1  # ..ipynb.ipynb
    assert len(found) == len(names) - hidden
    assert all(
        student.isprintable() and len(student) <= 201 and not one.problem for student, one in found.items()
    )
    assert {r"M\xfcller", "김", "=1+1", r"\x1b[31mred", r"new\nline", "a (1)"} <= set(found)


def test_links_pipes_and_folders_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(GOOD)
    folder = tmp_path / "submissions"
    (folder / "folder.ipynb").mkdir(parents=True)
    (folder / "folder.ipynb" / "inside.ipynb").write_bytes(GOOD)
    (folder / "link.ipynb").symlink_to(tmp_path / "secret")
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.ipynb")
    found = read(folder)
    assert {student: one.problem for student, one in found.items()} == {
        "folder.ipynb/inside": "",
        "link": "The file is a symbolic link.",
        "pipe": "This is not a regular file.",
    }


def test_what_systems_and_browsers_add_is_no_submission(tmp_path: Path) -> None:
    for name in ("__MACOSX/._a.ipynb", ".ipynb_checkpoints/a.ipynb", "._a.ipynb", "notes.html", "a.ipynb"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(GOOD)
    (tmp_path / "answers.pdf").write_bytes(b"%PDF")
    found = read(tmp_path)
    assert set(found) == {"a", "answers.pdf"}
    assert "not a notebook" in found["answers.pdf"].problem


def test_notebooks_in_zip_files_are_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as archive:
        archive.writestr("x/03.ipynb", GOOD)
        archive.writestr("__MACOSX/x/._03.ipynb", b"")
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("../../a.ipynb", GOOD)
        archive.writestr("b.ipynb", b"{")
        archive.writestr("Windows.ipynb", GOOD)
    korean = (tmp_path / "two.zip").read_bytes().replace(b"Windows", b"3_" + "과제".encode("cp949") + b"b")
    (tmp_path / "two.zip").write_bytes(korean)
    with zipfile.ZipFile(tmp_path / "none.zip", "w") as archive:
        archive.writestr("a.txt", b"")
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.ipynb", b" " * (submissions.LARGEST + 1) + b"1")
    (tmp_path / "broken.zip").write_bytes(b"PK")
    found = read(tmp_path)
    assert {student for student, one in found.items() if not one.problem} == {
        "one",
        "two/../../a",
        "two/3_과제b",
    }
    problems = {student: one.problem for student, one in found.items()}
    assert "not JSON" in problems["two/b"]
    assert "holds 0 notebooks" in problems["none.zip"]
    assert "BadZipFile" in problems["broken.zip"]
    assert problems["bomb"]


def test_two_submissions_never_go_by_the_same_name(tmp_path: Path) -> None:
    for name in ("a.ipynb", "a.ipynb.txt", "a.IPYNB"):
        (tmp_path / name).write_bytes(GOOD)
    assert set(read(tmp_path)) == {"a", "a (2)", "a (3)"}


def test_the_unchanged_training_cells_of_a_lab_are_not_run_again(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "code", "source": source, "metadata": {"unchanged": fingerprint("train()")}}
        for source in ("train()", "train(); check('confusion', 1)")
    ]
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells}))
    assert read(tmp_path)["a"].cells == {1: "", 2: "train(); check('confusion', 1)"}


@pytest.mark.parametrize(
    ("text", "lab"),
    [
        ("check('confusion', confusion)", "lab03"),
        ("# Lab 3: Train", "lab03"),
        ("check('top_k_error', 1) # Lab 1: other", "lab03"),
        ("1 + 1", ""),
        ("# Lab 77: none", ""),
        (f"# Lab {'9' * 10_000}", ""),
    ],
)
def test_a_lab_is_told_by_its_exercises_and_then_by_its_title(text: str, lab: str) -> None:
    assert submissions._lab_of(text) == lab


@pytest.mark.parametrize("wanted", ["3", "03", "lab03", "03_train_vgg"])
def test_a_lab_can_be_named_in_many_ways(wanted: str) -> None:
    assert choose_lab([], wanted) == "lab03"


def test_bad_folders_are_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a folder"):
        read_folder(tmp_path / "absent")
    with pytest.raises(UserError, match="There is no notebook"):
        read_folder(tmp_path)
    for wanted in ("99", "²", "x"):
        with pytest.raises(UserError, match="There is no lab"):
            choose_lab([], wanted)
    with pytest.raises(UserError, match="None of the notebooks is of a lab"):
        choose_lab([Submission("a", {1: "2"})], None)


def _asked(*cells: str) -> dict[str, str]:
    """Return the answers of a notebook with these Markdown cells, by question."""
    notebook = {
        "cells": [
            {"cell_type": "code", "metadata": {}, "source": CODE},
            *({"cell_type": "markdown", "metadata": {}, "source": cell} for cell in cells),
        ]
    }
    return dict(submissions._parsed(json.dumps(notebook).encode(), "ada").answers)


def test_the_answers_to_questions_are_the_cells_up_to_the_rubric_or_the_next_heading() -> None:
    rubric = "<details><summary>Rubric</summary>\n\n* Names it.\n</details>"
    assert _asked(
        "*A figure.*\n\n**Explain.** Why\nthree?",
        "*Your answer:* Because\nof two.",
        "And of one.",
        rubric,
        "More.",
        "**Explain**, in two sentences: why four?",
        "*Your answer:*",
        "## The next part",
        "Text.",
    ) == {
        "Explain. Why three?": "Because\nof two.\n\nAnd of one.",
        "Explain, in two sentences: why four?": "",
    }
    assert len(_asked(*(f"**Explain.** {number}?" for number in range(1000)))) == submissions.MOST_QUESTIONS
