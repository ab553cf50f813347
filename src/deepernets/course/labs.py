"""Build two notebooks from the master of each lab: the solution, and the students' notebook.

The master, ``solutions/NN_name.py``, is a text notebook (py:percent). ``solutions/NN_name.ipynb`` keeps all of it;
``labs/NN_name.ipynb`` has stubs in place of the solutions. Both are executed in the quick profile; nbval
compares their outputs.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from deepernets.book.forks import book_address, repository
from deepernets.course.masters import (
    cells_of,
    complaints_about,
    for_instructors,
    for_students,
    given,
    solutions,
)
from deepernets.course.notebooks import (
    CHAPTER,
    assemble,
    differences,
    execute,
    first_to_execute,
    keep_pictures,
    take_outputs,
    text_of,
    write,
)
from deepernets.errors import UserError

MINIMUM_LENGTH = 12  # characters of a solution line that must not be visible; shorter lines occur anywhere


@dataclass(frozen=True)
class Lab:
    """One lab: its master, and the paths of the two notebooks made from it."""

    root: Path
    master: Path

    @property
    def paths(self) -> tuple[Path, Path]:
        """Paths of the solution and of the students' notebook."""
        name = f"{self.master.stem}.ipynb"
        return self.root / "solutions" / name, self.root / "labs" / name

    @property
    def cells(self) -> list[NotebookNode]:
        """The master's cells, read anew each time: what is made of them changes them."""
        return cells_of(self.master.read_text(encoding="utf-8"))

    def notebooks(self) -> tuple[NotebookNode, NotebookNode]:
        """Return the solution and the students' notebook, not executed."""
        solution, lab = (f"{path.parent.name}/{path.name}" for path in self.paths)
        links = *repository(self.root), book_address(self.root)
        return (
            assemble(for_instructors(self.cells), solution, *links),
            assemble(for_students(self.cells), lab, *links),
        )


def labs_in(root: Path, wanted: tuple[str, ...] = ()) -> list[Lab]:
    """Return the labs of the repository at `root`, or those of them whose names start with one of `wanted`.

    Raises:
        UserError: there are none, or none of that name.
    """
    masters = sorted((root / "solutions").glob("[0-9][0-9]_*.py"))
    if not masters:
        raise UserError(
            f"There are no masters in {root / 'solutions'}; run this in the folder of the course."
        )
    for name in wanted:
        if not any(master.stem.startswith(name) for master in masters):
            stems = ", ".join(master.stem for master in masters)
            raise UserError(f"There is no lab {name!r}; name one of {stems}, or the start of it.")
    return [
        Lab(root, master)
        for master in masters
        if not wanted or any(master.stem.startswith(name) for name in wanted)
    ]


def build(
    root: Path = Path(),
    wanted: tuple[str, ...] = (),
    execute_all: bool = False,
    report: Callable[[str], Any] = lambda line: None,
) -> list[Path]:
    """Build the notebooks of every master in ``solutions/``, or those `wanted`; execute what changed.

    Args:
        root: The repository.
        wanted: Starts of masters' names, such as ``"03"``; all where there are none.
        execute_all: Execute notebooks whose code did not change, too: the package may have changed.
        report: Takes a line about each notebook, before it is executed.

    Returns:
        The paths of the notebooks.

    Raises:
        UserError: there are no masters; a master's exercises and checks do not match; a cell fails.
    """
    labs = labs_in(root, wanted)
    _refuse([what for lab in labs for what in _complaints(lab)])
    for lab in labs:
        for notebook, path in zip(lab.notebooks(), lab.paths, strict=True):
            write(_with_outputs(notebook, path, execute_all, report), path)
    return [path for lab in labs for path in lab.paths]


def _with_outputs(
    notebook: NotebookNode, path: Path, execute_all: bool, report: Callable[[str], Any]
) -> NotebookNode:
    """Return a notebook with the outputs that are stored at `path`, executed only if its code changed."""
    name = f"{path.parent.name}/{path.name}"
    before = nbformat.read(path, as_version=4) if path.is_file() else None
    first = 0 if before is None or execute_all else first_to_execute(notebook, before)
    if before is not None and first is None:
        changed = any(differences(notebook, path))
        report(f"{name}: {'text changed, outputs kept' if changed else 'unchanged'}")
        return take_outputs(notebook, before)
    report(f"{name}: executing{f', because In [{first + 1}] changed' if first else ''}")
    executed = execute(notebook, path.parent)
    return executed if before is None else take_outputs(keep_pictures(executed, before), before, first)


def check(root: Path = Path()) -> list[Path]:
    """Compare every notebook with what its master makes; write and execute nothing.

    Returns:
        The paths of the notebooks.

    Raises:
        UserError: a notebook is not what its master makes, shows a solution to students, or has no master; a
            master's exercises and checks do not match.
    """
    labs = labs_in(root)
    complaints = [what for lab in labs for what in _complaints(lab)]
    for lab in labs:
        for notebook, path in zip(lab.notebooks(), lab.paths, strict=True):
            complaints += [
                f"{path.name} in {path.parent.name}: {what}" for what in differences(notebook, path)
            ]
    paths = [path for lab in labs for path in lab.paths]
    strays = {*root.glob("labs/*.ipynb"), *root.glob("solutions/*.ipynb")} - set(paths)
    complaints += [f"{path.name} in {path.parent.name}: has no master" for path in sorted(strays)]
    _refuse([*complaints, *leaks(labs)])
    return paths


def leaks(labs: list[Lab]) -> Iterator[str]:
    """Yield every line of a solution that students can read in any lab."""
    shown = {
        path: _lines(text_of(nbformat.read(path, as_version=4)))
        for *_, path in (lab.paths for lab in labs)
        if path.is_file()
    }
    for lab in labs:
        cells = lab.cells
        hidden = _lines(solutions(cells)) - _lines(given(cells))
        for path, lines in shown.items():
            for line in sorted(hidden & lines):
                yield f"{path.name} shows the solution line {line!r} of {lab.master.name}"


def _complaints(lab: Lab) -> list[str]:
    cells = lab.cells
    chapters = {name for cell in cells for name in CHAPTER.findall(cell.source)}
    missing = [name for name in sorted(chapters) if not (lab.root / "book" / f"{name}.md").is_file()]
    complaints = [*complaints_about(cells), *(f"there is no chapter book/{name}.md" for name in missing)]
    return [f"{lab.master.name}: {complaint}" for complaint in complaints]


def _refuse(complaints: list[str]) -> None:
    if complaints:
        raise UserError(
            f"Problems in the labs: {'; '.join(complaints)}. Fix them, then run `deepernets labs build`."
        )


def _lines(text: str) -> set[str]:
    return {line.strip() for line in text.splitlines() if len(line.strip()) >= MINIMUM_LENGTH}
