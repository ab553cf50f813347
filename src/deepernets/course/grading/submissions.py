"""What was handed in: notebooks under any name, whose lab is told from the exercises they check."""

import io
import json
import os
import re
import stat
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from deepernets.course.checks import labs
from deepernets.errors import UserError
from deepernets.files import decode_name, zip_name

LARGEST = 50_000_000  # bytes; pictures make notebooks large, but not so large
MOST_MEMBERS = 1_000  # notebooks that are read of one zip file
LONGEST_NAME = 200  # characters
CHECKED = re.compile(r"""\bcheck\(\s*["'](\w+)["']""")
TITLE = re.compile(r"^#\s*Lab\s+(\d+)\b", re.MULTILINE)
NOTEBOOK = re.compile(r"\.ipynb(?=$|[ .(_-])", re.IGNORECASE)  # browsers rename: .ipynb.txt, .ipynb (1)
OTHER = (".py", ".pdf", ".docx", ".rar", ".7z", ".tar", ".gz")
QUESTION = "**Explain"
PLACEHOLDER = "*Your answer:*"  # of a question, in the students' notebook
MOST_QUESTIONS = 50  # of a notebook
IGNORED = {".ipynb_checkpoints", "__MACOSX"}


@dataclass(frozen=True)
class Submission:
    """One notebook that was handed in.

    Attributes:
        student: Path below the folder, without its ending.
        cells: The code cells, by their position in the notebook counted from 1; empty for a training cell that the
            student has not changed.
        lab: The lab it is of, as `deepernets.course.checks.labs` names it; empty where it is of none.
        problem: Why it cannot be graded; empty where it can.
        answers: The questions marked **Explain**, and what was written below each.
    """

    student: str
    cells: dict[int, str] = field(default_factory=dict)
    lab: str = ""
    problem: str = ""
    answers: tuple[tuple[str, str], ...] = ()


class UnreadableError(Exception):
    """A file is no notebook; the message is the reason, as a sentence."""


def fingerprint(source: str) -> str:
    """Return what the builder notes of a cell that only trains; where it still fits, nobody changed the cell.

    >>> fingerprint("1 + 1")
    '72fce59447a01f48'
    """
    return sha256(source.encode(errors="surrogatepass")).hexdigest()[:16]


def printable(text: str) -> str:
    r"""Return text without what a terminal, a table or a page would take for more than text.

    >>> printable("M\udcfcller\x1b[31m")
    'M\\xfcller\\x1b[31m'
    """
    plain = text.encode("utf-8", "surrogateescape" if _from_file_name(text) else "backslashreplace")
    shown = decode_name(plain) or plain.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() or c == " " else c.encode("unicode_escape").decode() for c in shown)


def truncate(text: str, most: int) -> str:
    """Return the first `most` characters of a text, with an ellipsis if there are more.

    >>> truncate("abcd", 4), truncate("abcde", 4)
    ('abcd', 'abcd…')
    """
    return text if len(text) <= most else f"{text[:most]}…"


def _from_file_name(text: str) -> bool:
    """Whether all surrogates of a text stand for bytes that are not UTF-8, as in names of files."""
    return all("\udc80" <= c <= "\udcff" for c in text if "\ud800" <= c <= "\udfff")


def read_folder(folder: Path) -> list[Submission]:
    """Read all notebooks in `folder` and below it; other files that may have been meant get a reason.

    Raises:
        UserError: there is no such folder, or nothing in it that could be a notebook.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder; name the one that holds the submitted notebooks.")
    found = [submission for path in _files(folder) for submission in _read(path, folder)]
    if not found:
        raise UserError(f"There is no notebook (*.ipynb) in {folder}; name the folder of submissions.")
    return _told_apart(sorted(found, key=lambda submission: submission.student))


def _files(folder: Path) -> Iterator[Path]:
    """Yield all files that somebody may have handed in; links to folders are not followed."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in IGNORED and not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and (
                NOTEBOOK.search(name) or name.lower().endswith((".zip", *OTHER))
            ):
                yield Path(parent) / name


def _read(path: Path, folder: Path) -> Iterator[Submission]:
    """Yield the notebook of a file, or those of a zip file, or the reason why there is none."""
    relative = path.relative_to(folder).as_posix()
    try:
        if not NOTEBOOK.search(path.name) and path.name.lower().endswith(OTHER):
            raise UnreadableError("The file is not a notebook (*.ipynb).")
        content = _bytes_of(path)
        if path.name.lower().endswith(".zip"):
            yield from _read_zip(content, relative[: -len(".zip")])
        else:
            yield _parsed(content, _student(relative))
    except UnreadableError as reason:
        yield Submission(_student(relative), problem=str(reason))


def _read_zip(content: bytes, student: str) -> Iterator[Submission]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [
                (member, path)
                for member, path in ((member, zip_name(member)) for member in archive.infolist())
                if NOTEBOOK.search(path) and not IGNORED & set(path.split("/"))
                and not path.split("/")[-1].startswith(".")
            ]  # fmt: skip
            if not members or len(members) > MOST_MEMBERS:
                raise UnreadableError(f"The zip file holds {len(members)} notebooks.")
            for member, path in members:
                name = _student(student if len(members) == 1 else f"{student}/{path}")
                try:
                    with archive.open(member) as file:
                        yield _parsed(_not_too_large(file.read(LARGEST + 1)), name)
                except UnreadableError as reason:
                    yield Submission(name, problem=str(reason))
    except UnreadableError:
        raise
    except Exception as error:  # broken, encrypted, or packed in a way that Python does not know
        raise UnreadableError(f"The zip file cannot be read ({type(error).__name__}).") from error


def _bytes_of(path: Path) -> bytes:
    """Return what is in a file, but never wait for a pipe, and never follow a link out of the folder."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if path.is_symlink():
            raise UnreadableError("The file is a symbolic link.") from error
        raise UnreadableError(f"The file cannot be read ({error.strerror}).") from error
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise UnreadableError("This is not a regular file.")
        try:
            return _not_too_large(file.read(LARGEST + 1))
        except OSError as error:
            raise UnreadableError(f"The file cannot be read ({error.strerror}).") from error


def _not_too_large(content: bytes) -> bytes:
    if not content.strip():
        raise UnreadableError("The file is empty.")
    if len(content) > LARGEST:
        raise UnreadableError(f"The file is larger than {LARGEST // 10**6} MB.")
    return content


def _parsed(content: bytes, student: str) -> Submission:
    """Return the submission that is in a file.

    Raises:
        UnreadableError: it holds no notebook.
    """
    try:
        notebook = json.loads(content)  # in UTF-8 or UTF-16, also with a mark at its beginning
    except (ValueError, RecursionError) as error:
        raise UnreadableError("The file is not a notebook: it is not JSON.") from error
    try:
        cells = _cells(notebook)
    except (TypeError, KeyError, AttributeError, IndexError) as error:
        raise UnreadableError(f"The file is not a notebook ({type(error).__name__}).") from error
    code = {number: source for number, (kind, source) in cells.items() if kind == "code"}
    if not any(source.strip() for source in code.values()):
        raise UnreadableError("The notebook holds no code.")
    lab = _lab_of("\n".join(source for _, source in cells.values()))
    return Submission(student, code, lab, answers=tuple(_answers(source for _, source in cells.values())))


def _answers(sources: Iterable[str]) -> list[tuple[str, str]]:
    """Return each question, on one line, and the cells below it up to the rubric or the next heading."""
    found: list[tuple[str, list[str]]] = []
    in_answer = False
    for source in sources:
        if QUESTION in source and len(found) < MOST_QUESTIONS:
            question = source[source.index(QUESTION) :].replace("**", "")
            found.append((" ".join(question.split()), []))
            in_answer = True
        elif source.lstrip().startswith(("<details", "#")):
            in_answer = False
        elif in_answer:
            found[-1][1].append(source)
    return [(question, "\n\n".join(cells).removeprefix(PLACEHOLDER).strip()) for question, cells in found]


def _cells(notebook: Any) -> dict[int, tuple[str, str]]:
    """Return kind and source of each cell, by its number; formats 3 and 4 keep them in different places."""
    listed = notebook["worksheets"][0]["cells"] if "worksheets" in notebook else notebook["cells"]
    cells = {}
    for number, cell in enumerate(listed, 1):
        lines = cell["input"] if "input" in cell else cell["source"]
        source = lines if isinstance(lines, str) else "".join(map(str, lines))
        kept = cell.get("metadata") or {}
        cells[number] = str(cell["cell_type"]), "" if kept.get("unchanged") == fingerprint(source) else source
    return cells


def _student(relative: str) -> str:
    """Return what a student is called: a path without the ending, short enough and printable."""
    found = list(NOTEBOOK.finditer(relative))
    stem = relative[: found[-1].start()] + relative[found[-1].end() :] if found else relative
    stem = stem.removesuffix(".txt").removesuffix(".json") if found else stem
    return truncate(printable(stem), LONGEST_NAME)


def _told_apart(submissions: list[Submission]) -> list[Submission]:
    """Return the submissions with a number after names that come more than once."""
    seen: Counter[str] = Counter()
    result = []
    for one in submissions:
        seen[one.student] += 1
        name = one.student if seen[one.student] == 1 else f"{one.student} ({seen[one.student]})"
        result.append(replace(one, student=name))
    return result


def _lab_of(text: str) -> str:
    """Return the lab whose exercises a notebook checks, or which its title names."""
    known = {name: lab for lab, exercises in labs().items() for name in exercises}
    found = Counter(known[name] for name in CHECKED.findall(text) if name in known)
    if found:
        return found.most_common(1)[0][0]
    title = TITLE.search(text)
    named = f"lab{int(title[1][:9]):02}" if title else ""
    return named if named in labs() else ""


def choose_lab(submissions: list[Submission], wanted: str | None) -> str:
    """Return the lab to grade: the one `wanted`, such as ``3``, or the one that most submissions are of.

    Raises:
        UserError: there is no such lab, or no submission is of any.
    """
    if wanted is not None:
        number = wanted.lower().removeprefix("lab").split("_")[0]
        lab = f"lab{int(number):02}" if number.isdecimal() else wanted
        if lab not in labs():
            raise UserError(f"There is no lab {wanted!r}; name one of {', '.join(labs())} with --lab.")
        return lab
    found = Counter(submission.lab for submission in submissions if submission.lab)
    if not found:
        raise UserError("None of the notebooks is of a lab of this course; name the lab with --lab.")
    return found.most_common(1)[0][0]
