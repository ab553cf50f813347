"""From one master per lab to two notebooks: the solution, and what students get.

The master, ``solutions/NN_name.py``, is a text notebook (py:percent). What stands between ``### BEGIN SOLUTION``
and ``### END SOLUTION`` is kept in ``solutions/NN_name.ipynb`` and replaced by a stub in ``labs/NN_name.ipynb``.
Both are executed in the quick profile, so that there are outputs to read and for nbval to compare.
"""

import ast
import os
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import jupytext
import nbformat
import yaml
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from deepernets.course.checks import exercises
from deepernets.exceptions import UserError
from deepernets.training.records import write_whole

MARKED = re.compile(
    r"^[ \t]*### BEGIN SOLUTION\n(.*?)^[ \t]*### END SOLUTION(?:\n|$)", re.MULTILINE | re.DOTALL
)
CAPTION = re.compile(
    r"\*([^*]+)\*(?:\n\n|$)"
)  # the sentence in italics below a figure is its alternative text
OVERWRITTEN = re.compile(r"""^(\w+) = check\(\s*["']\1["']""", re.MULTILINE)
CHECKED = re.compile(r"""\bcheck\(\s*["'](\w+)["']""")
QUIET = {"DEEPERNETS_PROFILE": "quick", "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}


def build(root: Path = Path(), check: bool = False) -> list[Path]:
    """Make the notebooks of every master in ``solutions/``, or with `check` compare them with those that lie there.

    Args:
        root: The repository.
        check: Write and execute nothing.

    Returns:
        The paths of the notebooks.

    Raises:
        UserError: there are no masters; a master's exercises and checks do not match; with `check`, a notebook
            is not what its master makes, or shows a solution to students.
    """
    masters = sorted((root / "solutions").glob("[0-9][0-9]_*.py"))
    if not masters:
        raise UserError(
            f"There are no masters in {root / 'solutions'}; run this in the folder of the course."
        )
    paths, complaints = [], []
    for master in masters:
        text = master.read_text(encoding="utf-8")
        complaints += [f"{master.name}: {complaint}" for complaint in complaints_about(text)]
        for folder, source in (("solutions", text), ("labs", with_stubs(text))):
            path = root / folder / f"{master.stem}.ipynb"
            notebook = assemble(source, f"{folder}/{path.name}", *repository(root))
            paths.append(path)
            if check:
                complaints += [f"{path.name} in {folder}: {what}" for what in differences(notebook, path)]
            elif not complaints:
                _write(execute(notebook, path.parent), path)
        if check:
            complaints += leaks(text, root / "labs" / f"{master.stem}.ipynb")
    if check:
        strays = {*root.glob("labs/*.ipynb"), *root.glob("solutions/*.ipynb")} - set(paths)
        complaints += [f"{path.name} in {path.parent.name}: has no master" for path in sorted(strays)]
    if complaints:
        raise UserError(
            f"The labs do not hold: {'; '.join(complaints)}. Mend it, then run `deepernets labs build`."
        )
    return paths


def with_stubs(text: str) -> str:
    r"""Return a master's text with every marked solution replaced by a placeholder that `check` knows.

    Inside a function the stub returns ``...``; at the top level every assigned name becomes ``...``.

    >>> print(with_stubs("### BEGIN SOLUTION\nlogarithm = 1.1\n### END SOLUTION\n"), end="")
    logarithm = ...  # your answer here
    """
    return MARKED.sub(lambda match: _stub(match[1]), text)


def _stub(solution: str) -> str:
    indent = solution[: len(solution) - len(solution.lstrip(" "))]
    if indent:
        return f"{indent}return ...  # your code here, instead of this line\n"
    return "".join(f"{name} = ...  # your answer here\n" for name in _bound(solution))


def _bound(code: str) -> Iterator[str]:
    """Yield the names that top-level code binds, those of functions and classes included."""
    for statement in ast.parse(code).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            yield statement.name
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            nodes = (node for target in targets for node in ast.walk(target))
            yield from (
                node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            )


def complaints_about(text: str) -> Iterator[str]:
    """Yield what is wrong with a master: an exercise without a check, a check without an exercise or hints."""
    known = exercises()
    exercises_seen, checks_seen = 0, 0
    for cell in jupytext.reads(text, fmt="py:percent").cells:
        if cell.cell_type != "code":
            continue
        solutions = MARKED.findall(cell.source)
        exercises_seen += len(solutions)
        if not all(map(_stub, solutions)):
            yield "a marked solution binds no name, so nothing can stand in its place"
        for name in OVERWRITTEN.findall(cell.source):
            yield f"check({name!r}) overwrites the answer, and would judge the course's own when run again"
        for name in CHECKED.findall(cell.source):
            checks_seen += 1
            if name not in known:
                yield f"check({name!r}) has no exercise behind it"
            elif not known[name].hints:
                yield f"the exercise {name!r} has no hints"
        if exercises_seen - checks_seen > 1:
            yield "two exercises follow each other with no check between them"
    if exercises_seen != checks_seen:
        yield f"{exercises_seen} marked solutions, but {checks_seen} checks"


def assemble(source: str, place: str, url: str, ref: str) -> NotebookNode:
    """Return the notebook of a master's text, with badge, set-up cell and cell ids that stay from build to build.

    A paragraph in italics below a cell is its figure's caption, and becomes the figure's alternative text.

    Args:
        source: The text notebook.
        place: The notebook's path in the repository.
        url: Address of the repository, ``https://github.com/owner/name``.
        ref: Branch or tag that links and set-up point to.
    """
    notebook = jupytext.reads(source, fmt="py:percent")
    slug = url.removeprefix("https://github.com/")
    badge = f"**[Open in Colab](https://colab.research.google.com/github/{slug}/blob/{ref}/{place})**"
    set_up = (
        "# In Colab this installs the course; anywhere else it does nothing.\n"
        "import sys\n\n"
        'if "google.colab" in sys.modules:\n'
        f"    %pip install --quiet git+{url}@{ref}"
    )
    for cell in notebook.cells:
        cell.source = cell.source.strip("\n")
    for cell, below in pairwise(notebook.cells):
        if cell.cell_type == "code" and (caption := CAPTION.match(below.source)):
            cell.metadata["mystnb"] = {"image": {"alt": " ".join(caption[1].split())}}
    title, *rest = notebook.cells
    cells = [title, new_markdown_cell(badge), new_code_cell(set_up), *rest]
    stem = re.sub(r"\W", "-", place.removesuffix(".ipynb"))
    for number, cell in enumerate(cells):
        cell["id"] = f"{stem}-{number:02}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made: NotebookNode = nbformat.v4.new_notebook(
        cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}}
    )
    return made


def execute(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Run the notebook in `folder` in the quick profile, and keep of its outputs what is the same everywhere.

    Raises:
        UserError: a cell fails.
    """
    with patch.dict(os.environ, QUIET):
        client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}})
        try:
            client.execute()
        except CellExecutionError as error:
            raise UserError(
                f"A cell fails in {folder} ({error.ename}: {error.evalue}); mend the master."
            ) from error
    notebook.metadata.language_info = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when the cell ran
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    return notebook


def differences(made: NotebookNode, path: Path) -> Iterator[str]:
    """Yield how the notebook at `path` differs, outputs aside, from the one that its master makes."""
    if not path.is_file():
        yield "missing"
        return
    there = nbformat.read(path, as_version=4)
    if [_essence(cell) for cell in there.cells] != [_essence(cell) for cell in made.cells]:
        yield "differs from its master"
    if any(cell.cell_type == "code" and cell.execution_count is None for cell in there.cells):
        yield "has cells that were not executed"


def leaks(text: str, lab: Path) -> Iterator[str]:
    """Yield every line that the master has only between marks, and that can be read in the students' notebook."""
    if not lab.is_file():
        return
    given = _lines(MARKED.sub("", text))
    shown = _lines("\n".join(cell.source for cell in nbformat.read(lab, as_version=4).cells))
    for line in sorted((_lines("\n".join(MARKED.findall(text))) - given) & shown):
        yield f"{lab.name} shows the solution line {line!r}"


def _lines(text: str) -> set[str]:
    return {line.strip() for line in text.splitlines()} - {""}


def repository(root: Path) -> tuple[str, str]:
    """Return the repository's address and branch from ``_config.yml``, the one place that names them."""
    settings = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["repository"]
    return settings["url"].rstrip("/"), settings.get("branch", "main")


def _essence(cell: NotebookNode) -> tuple[str, str, str, NotebookNode]:
    return cell["id"], cell.cell_type, cell.source, cell.metadata


def _write(notebook: NotebookNode, path: Path) -> None:
    text = nbformat.writes(notebook) + "\n"
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
