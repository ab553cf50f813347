"""Read a lab's master: which parts are solutions and model answers, and what replaces them for students.

The lines between ``### BEGIN SOLUTION`` and ``### END SOLUTION`` of a code cell, and Markdown cells with the tag
``answer``, appear in the solution only.
"""

import ast
import re
from collections.abc import Iterator

import jupytext
from nbformat import NotebookNode

from deepernets.course.checks import exercises
from deepernets.course.grading.submissions import PLACEHOLDER

MARKED = re.compile(
    r"^[ \t]*### BEGIN SOLUTION\n(.*?)^[ \t]*### END SOLUTION(?:\n|$)", re.MULTILINE | re.DOTALL
)
CHECK = re.compile(r"""\bcheck\(\s*["'](\w+)["'],\s*(\w+)\s*\)""")
MODEL_ANSWER = "**Model answer.**"
OVERWRITTEN = re.compile(r"""^(\w+) = check\(\s*["']\1["']""", re.MULTILINE)


def cells_of(text: str) -> list[NotebookNode]:
    """Return the cells of a text notebook (py:percent)."""
    cells: list[NotebookNode] = jupytext.reads(text, fmt="py:percent").cells
    for cell in cells:
        cell.source = cell.source.strip("\n")
    return cells


def for_students(cells: list[NotebookNode]) -> list[NotebookNode]:
    """Replace solutions and model answers in a master's cells, in place, and return the cells."""
    for cell in cells:
        if is_answer(cell):
            cell.source = PLACEHOLDER
        elif cell.cell_type == "code":
            cell.source = with_stubs(cell.source).rstrip("\n")
    return cells


def for_instructors(cells: list[NotebookNode]) -> list[NotebookNode]:
    """Say in the title and above model answers of a master's cells what they are, in place, and return the cells.

    The solution has the file name of the students' notebook, and nearly its text.
    """
    title, *text = cells[0].source.split("\n")
    cells[0].source = "\n".join([f"{title} (solution)", *text])
    for cell in filter(is_answer, cells):
        cell.source = f"{MODEL_ANSWER}\n\n{cell.source}"
    return cells


def is_answer(cell: NotebookNode) -> bool:
    """Return whether a cell is the model answer to a question in the text."""
    return cell.cell_type == "markdown" and "answer" in cell.metadata.get("tags", [])


def solutions(cells: list[NotebookNode]) -> str:
    """Return the solutions and model answers of a master's cells as one text."""
    hidden = [cell.source for cell in cells if is_answer(cell)]
    return "\n".join([*(part for cell in cells for part in MARKED.findall(cell.source)), *hidden])


def given(cells: list[NotebookNode]) -> str:
    """Return the part of a master's cells that students see, as one text."""
    return "\n".join(MARKED.sub("", cell.source) for cell in cells if not is_answer(cell))


def with_stubs(text: str) -> str:
    r"""Return code with every marked solution replaced by a placeholder that `check` knows.

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


def complaints_about(cells: list[NotebookNode]) -> Iterator[str]:
    """Yield the problems of a master, such as an exercise without a check, or a check without an exercise."""
    known = exercises()
    exercises_seen, checks_seen = 0, 0
    for cell in cells:
        if cell.cell_type != "code":
            continue
        marked = MARKED.findall(cell.source)
        exercises_seen += len(marked)
        if not all(map(_stub, marked)):
            yield "a marked solution defines no name, so there is no placeholder for it"
        for name in OVERWRITTEN.findall(cell.source):
            yield f"check({name!r}) overwrites the answer, and would judge the course's own when run again"
        for name, answer in CHECK.findall(cell.source):
            checks_seen += 1
            if name not in known:
                yield f"check({name!r}) has no exercise"
            elif not known[name].hints:
                yield f"the exercise {name!r} has no hints"
            elif name != answer:
                yield f"check({name!r}) judges {answer!r}; an answer has the name of its exercise"
        if exercises_seen - checks_seen > 1:
            yield "two exercises follow each other with no check between them"
    if exercises_seen != checks_seen:
        yield f"{exercises_seen} marked solutions, but {checks_seen} checks"
