"""Grading: right answers get points, and nothing that a notebook does gets more or disturbs another."""

import csv
import json
import re
from collections.abc import Iterable
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from deepernets import cli
from deepernets.course import checks
from deepernets.course.grading import grades, submissions
from deepernets.course.grading.limits import Limits
from deepernets.course.grading.sandbox import isolation
from deepernets.errors import UserError

IMPORTS = "import math, os, sys, time, torch\nfrom deepernets import check"
ERROR = "top_k_error = lambda z, y, k: (z.topk(k).indices != y[:, None]).all(1).double().mean()"
CONFUSION = """
def confusion(predicted, labels, classes):
    table = torch.zeros(classes, classes, dtype=torch.long)
    for label, guess in zip(labels.tolist(), predicted.tolist()):
        table[label, guess] += 1
    return table
"""
STUB = "def confusion(predicted, labels, classes):\n    return ...\n"
WRONG = "def confusion(predicted, labels, classes):\n    return torch.zeros(classes, classes)\n"
CHECKS = "check('top_k_error', top_k_error)\ncheck('confusion', confusion)"
JUDGES = Path(checks.__file__)

# Each notebook's cells, and the points that it deserves: one for top_k_error, one for confusion.
NOTEBOOKS: dict[str, tuple[list[str], int]] = {
    "both right": ([IMPORTS, ERROR, CONFUSION, CHECKS], 2),
    "group 1/with magics": (["%pip install nothing\n!ls", IMPORTS, f"%time 1\n{ERROR}", CHECKS], 1),
    "stub copied below the answer": ([IMPORTS, CONFUSION, CHECKS, STUB], 1),
    "no checks left": (["# Lab 3: Train VGG-16", IMPORTS, ERROR], 1),
    "prints right": ([IMPORTS, "print('top_k_error: right.\\nconfusion: right.')", CHECKS], 0),
    "patches the checks": (
        [
            IMPORTS,
            "import deepernets, deepernets.course.checks as c\n"
            "from deepernets.course.exercises import judging, values\n"
            "right = lambda *a, **k: c.Verdict('x', 'right', '', None)\n"
            "c.check = c.judge = c._judge = deepernets.check = right\n"
            "judging.difference = values.difference = lambda *a, **k: None\n"
            "judging.NUMBER_TOLERANCE = math.inf\n"
            "torch.equal = torch.allclose = math.isclose = lambda *a, **k: True\n"
            "torch.Tensor.__eq__ = lambda *a: True",
            "top_k_error = 2.0",
            WRONG,
            CHECKS,
        ],
        0,
    ),
    "equals everything": (
        [
            IMPORTS,
            "class Yes(float):\n    __eq__ = lambda *a: True\n    __hash__ = None\n"
            "    __lt__ = __le__ = __sub__ = __rsub__ = lambda *a: 0.0\n    __float__ = lambda self: 2.0",
            "top_k_error = lambda *a: Yes(2.0)",
            "def confusion(*a):\n    return Yes(1.0)",
            CHECKS,
        ],
        0,
    ),
    "forges a report": (
        [
            IMPORTS,
            "import json\n"
            "verdict = json.dumps(dict(name='top_k_error', status='right', hint='')).encode()\n"
            "for fd in range(3, 30):\n"
            "    try: os.write(fd, verdict + b'\\n')\n"
            "    except OSError: pass",
            CHECKS,
        ],
        0,
    ),
    "changes the judges": (
        [IMPORTS, f"open({str(JUDGES)!r}, 'a').write('#')", f"os.remove({str(JUDGES)!r})", ERROR, CHECKS],
        1,
    ),
    "leaves politely": ([IMPORTS, ERROR, "sys.exit()", "exit()", CONFUSION, CHECKS], 2),
    "leaves at once": ([IMPORTS, ERROR, "os._exit(0)", CONFUSION, CHECKS], 2),
    "leaves when asked": ([IMPORTS, ERROR, "def confusion(*a):\n    os._exit(0)", CHECKS], 1),
    "never ends": (
        [
            IMPORTS,
            ERROR,
            "while True:\n    try: time.sleep(60)\n    except BaseException: break",
            "while True:\n    pass",
            CONFUSION,
            CHECKS,
        ],
        2,
    ),
    "forks": (
        [
            IMPORTS,
            ERROR,
            "while True:\n    os.fork()",
            "import subprocess; subprocess.run(['sleep', '60'])",
            CHECKS,
        ],
        1,
    ),
    "eats memory": (
        [
            IMPORTS,
            ERROR,
            "hoard = []\nwhile True:\n    hoard.append(bytearray(10**8))",
            "del hoard",
            CONFUSION,
            CHECKS,
        ],
        2,
    ),
    "prints without end": ([IMPORTS, ERROR, "while True:\n    print('x' * 10**6, flush=True)", CHECKS], 1),
    "calls home": (
        [
            IMPORTS,
            f"import socket\nsocket.create_connection(('127.0.0.1', 9))\n{ERROR}",
            CHECKS,
        ],
        0,
    ),
}
UNREADABLE = {
    "broken": ("{", "not JSON"),
    "empty": ("", "empty"),
    "list": ("[]", "not a notebook"),
    "no code": (nbformat.writes(new_notebook()), "no code"),
    "another lab": (
        nbformat.writes(new_notebook(cells=[new_code_cell("1"), new_markdown_cell("# Lab 99")])),
        "is no lab of this course, not lab03",
    ),
}


def _notebook(cells: Iterable[str]) -> str:
    made = [(new_markdown_cell if cell.startswith("# ") else new_code_cell)(cell) for cell in cells]
    return nbformat.writes(new_notebook(cells=made))


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grade a folder of everything that was ever handed in."""
    folder = tmp_path_factory.mktemp("handed-in")
    for name, (cells, _) in NOTEBOOKS.items():
        path = folder / f"{name}.ipynb"
        path.parent.mkdir(exist_ok=True)
        path.write_text(_notebook(cells))
    for name, (text, _) in UNREADABLE.items():
        (folder / f"{name}.ipynb").write_text(text)
    out = tmp_path_factory.mktemp("grades") / "grades.csv"
    limits = Limits(seconds=90, cell_seconds=3, memory=3 * 2**30, output=2**20)
    with pytest.MonkeyPatch.context() as patch:
        exercises = {name: checks.labs()["lab03"][name] for name in ("top_k_error", "confusion")}
        patch.setitem(checks.labs(), "lab03", exercises)
        grades.grade_folder(folder, out, seed=7, limits=limits)
    return out


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_notebook_gets_the_points_it_deserves(name: str, graded: Path) -> None:
    rows = {row["exercise"]: row for row in _rows(graded) if row["student"] == name}
    assert set(rows) == {"top_k_error", "confusion", "total"}, rows
    assert int(rows["total"]["points"]) == NOTEBOOKS[name][1], rows
    assert rows["total"]["of"] == "2"
    assert rows["total"]["status"] == "graded"


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_graded_is_named_with_the_reason(name: str, graded: Path) -> None:
    (row,) = (row for row in _rows(graded) if row["student"] == name)
    assert (row["exercise"], row["points"], row["status"]) == ("total", "0", "not graded")
    assert UNREADABLE[name][1] in row["remark"]


def test_nothing_but_the_grades_is_changed(graded: Path) -> None:
    assert JUDGES.read_text().startswith('"""`check(')
    assert not JUDGES.read_text().endswith("#")


@pytest.mark.parametrize("name", [*NOTEBOOKS, *UNREADABLE])
def test_every_student_gets_a_page(name: str, graded: Path) -> None:
    page = (graded.with_name("grades-feedback") / f"{name.replace('/', '--')}.html").read_text()
    assert '<html lang="en">' in page
    if name in NOTEBOOKS:
        assert f"{NOTEBOOKS[name][1]} of 2 exercises are right." in page
        assert len(re.findall("<tr>", page)) == 3


def test_a_page_says_what_happened_and_runs_no_markup(graded: Path) -> None:
    folder = graded.with_name("grades-feedback")
    assert "Cell 3 ended the process" in (folder / "leaves at once.html").read_text()
    endless = (folder / "never ends.html").read_text()
    assert "Cell 4 stopped with CellTimeoutError: it was not done after 3 s of computing" in endless
    assert "Cell 2 stopped with FileNotFoundError" not in (folder / "both right.html").read_text()
    bold = grades.Grade(
        submissions.Submission("<b>", {}, "lab03"),
        grades.Result({"top_k_error": ("wrong", "<script>")}),
        ("top_k_error",),
    )
    assert "<script>" not in bold.page()
    assert "&lt;b&gt;" in bold.page()


def test_a_formula_stays_text_in_a_spreadsheet() -> None:
    assert grades._harmless("=HYPERLINK()") == "'=HYPERLINK()"
    assert grades._harmless(3) == 3


def test_the_unchanged_training_cells_of_a_lab_are_not_run_again() -> None:
    cell = new_code_cell("train()")
    cell.metadata["unchanged"] = submissions.fingerprint("train()")
    assert submissions._plain(cell) == ""
    cell.source = "train(); answer = 1"
    assert submissions._plain(cell) == cell.source


@pytest.mark.parametrize(
    ("text", "lab"),
    [
        ("check('confusion', confusion)", "lab03"),
        ("# Lab 3: Train", "lab03"),
        ("check('top_k_error', 1) # Lab 1: other", "lab03"),
        ("1 + 1", ""),
        ("# Lab 77: none", ""),
    ],
)
def test_a_lab_is_told_by_its_exercises_and_then_by_its_title(text: str, lab: str) -> None:
    assert submissions._lab_of(text) == lab


@pytest.mark.parametrize("wanted", ["3", "03", "lab03", "03_train_vgg"])
def test_a_lab_can_be_named_in_many_ways(wanted: str) -> None:
    assert submissions.choose_lab([], wanted) == "lab03"


def test_bad_folders_are_refused_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="is not a folder"):
        submissions.read_folder(tmp_path / "absent")
    with pytest.raises(UserError, match="There is no notebook"):
        submissions.read_folder(tmp_path)
    with pytest.raises(UserError, match="There is no lab '99'"):
        submissions.choose_lab([], "99")
    with pytest.raises(UserError, match="None of the notebooks is of a lab"):
        submissions.choose_lab([submissions.Submission("a", {1: "2"})], None)
    with pytest.raises(SystemExit) as end:
        cli.main(["grade", str(tmp_path / "absent"), "--workers", "0"])
    assert end.value.code == 2
    assert "--workers is 0" in capsys.readouterr().err


def test_isolation_is_a_command_or_nothing() -> None:
    assert isolation() == () or isolation()[0].endswith("unshare")


def test_verdicts_without_the_token_are_left_aside() -> None:
    from deepernets.course.grading.sandbox import _Heard

    heard = _Heard(token="secret")
    said = {"name": "x", "status": "right", "hint": ""}
    for line in (
        json.dumps(said),
        json.dumps({**said, "token": "guess"}),
        "nonsense",
        "[1]",
        '{"cell": "x"}',
    ):
        heard.note(line.encode())
    assert heard.verdicts == {}
    heard.note(json.dumps({**said, "token": "secret"}).encode())
    assert heard.verdicts == {"x": ("right", "")}
