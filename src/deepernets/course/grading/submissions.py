"""What was handed in: notebooks under any name, whose lab is told from the exercises they check."""

import re
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.reader import NotJSONError

from deepernets.course.checks import labs
from deepernets.errors import UserError

LARGEST = 50_000_000  # bytes; pictures make notebooks large, but not so large
CHECKED = re.compile(r"""\bcheck\(\s*["'](\w+)["']""")
TITLE = re.compile(r"^#\s*Lab\s+(\d+)\b", re.MULTILINE)
MAGIC = re.compile(r"^(\s*)[%!].*$", re.MULTILINE)


@dataclass(frozen=True)
class Submission:
    """One notebook that was handed in.

    Attributes:
        student: Path below the folder, without its ending.
        cells: The code cells, by their position in the notebook counted from 1.
        lab: The lab it is of, as `deepernets.course.checks.labs` names it; empty where it is of none.
        problem: Why it cannot be graded; empty where it can.
    """

    student: str
    cells: dict[int, str]
    lab: str = ""
    problem: str = ""


def fingerprint(source: str) -> str:
    """Return what the builder notes of a cell that only trains; where it still fits, nobody changed the cell.

    >>> fingerprint("1 + 1")
    '72fce59447a01f48'
    """
    return sha256(source.encode()).hexdigest()[:16]


def read_folder(folder: Path) -> list[Submission]:
    """Read all notebooks in `folder` and below it.

    Raises:
        UserError: there is no such folder, or no notebook in it.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder; name the one that holds the submitted notebooks.")
    paths = sorted(path for path in folder.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
    if not paths:
        raise UserError(f"There is no notebook (*.ipynb) in {folder}; name the folder of submissions.")
    return [_read(path, path.relative_to(folder).with_suffix("").as_posix()) for path in paths]


def _read(path: Path, student: str) -> Submission:
    try:
        if path.stat().st_size == 0:
            return Submission(student, {}, problem="The file is empty.")
        if path.stat().st_size > LARGEST:
            return Submission(student, {}, problem=f"The file is larger than {LARGEST // 10**6} MB.")
        notebook = nbformat.read(path, as_version=4)
        cells = dict(enumerate(notebook.cells, 1))
        text = "\n".join(cell.source for cell in cells.values())
        code = {number: _plain(cell) for number, cell in cells.items() if cell.cell_type == "code"}
    except (NotJSONError, UnicodeDecodeError):
        return Submission(student, {}, problem="The file is not a notebook: it is not JSON.")
    except OSError as error:
        return Submission(student, {}, problem=f"The file cannot be read ({error.strerror}).")
    except Exception as error:  # nbformat raises many kinds, and one file must not stop the others
        return Submission(student, {}, problem=f"The file is not a notebook ({type(error).__name__}).")
    if not any(source.strip() for source in code.values()):
        return Submission(student, {}, problem="The notebook holds no code.")
    return Submission(student, code, lab=_lab_of(text))


def _plain(cell: NotebookNode) -> str:
    """Return a cell's code as plain Python: nothing for an unchanged training cell, no lines for IPython alone."""
    source: str = cell.source
    if cell.metadata.get("unchanged") == fingerprint(source):
        return ""
    return MAGIC.sub(r"\1pass", source)


def _lab_of(text: str) -> str:
    """Return the lab whose exercises a notebook checks, or which its title names."""
    known = {name: lab for lab, exercises in labs().items() for name in exercises}
    found = Counter(known[name] for name in CHECKED.findall(text) if name in known)
    if found:
        return found.most_common(1)[0][0]
    title = TITLE.search(text)
    named = f"lab{int(title[1]):02}" if title else ""
    return named if named in labs() else ""


def choose_lab(submissions: list[Submission], wanted: str | None) -> str:
    """Return the lab to grade: the one `wanted`, such as ``3``, or the one that most submissions are of.

    Raises:
        UserError: there is no such lab, or no submission is of any.
    """
    if wanted is not None:
        number = wanted.lower().removeprefix("lab").split("_")[0]
        lab = f"lab{int(number):02}" if number.isdigit() else wanted
        if lab not in labs():
            raise UserError(f"There is no lab {wanted!r}; name one of {', '.join(labs())} with --lab.")
        return lab
    found = Counter(submission.lab for submission in submissions if submission.lab)
    if not found:
        raise UserError("None of the notebooks is of a lab of this course; name the lab with --lab.")
    return found.most_common(1)[0][0]
