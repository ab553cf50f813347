"""Assemble notebooks with stable cell ids, execute them, compare them, and write them."""

import base64
import io
import os
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from PIL import Image, ImageChops, ImageStat

import deepernets
from deepernets.course.grading.submissions import fingerprint
from deepernets.course.set_up import CELL
from deepernets.errors import UserError
from deepernets.files import write_text

CAPTION = re.compile(r"\*([^*]+)\*(?:\n\n|$)")  # in italics below a figure: its alternative text
CHAPTER = re.compile(r"\]\(book:([\w-]+)")  # a master's link to a chapter
SAME_COLOUR = 1.0  # of 255, on average: what another processor or version of a library changes in a picture
QUICK = {"DEEPERNETS_PROFILE": "quick", "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}


def assemble(cells: list[NotebookNode], place: str, url: str, ref: str, book: str) -> NotebookNode:
    """Return the notebook of a master's cells, with Colab link, set-up cell and cell ids that stay the same.

    A paragraph in italics below a cell is its figure's caption, and becomes the figure's alternative text. Links to
    ``book:NAME`` become links to that chapter of the published book.

    Args:
        cells: Title first.
        place: The notebook's path in the repository.
        url: Address of the repository, ``https://github.com/owner/name``.
        ref: Branch or tag that links and set-up point to.
        book: Address of the published book.
    """
    slug = url.removeprefix("https://github.com/")
    badge = f"**[Open in Colab](https://colab.research.google.com/github/{slug}/blob/{ref}/{place})**"
    for cell in cells:
        if cell.cell_type == "markdown":
            cell.source = CHAPTER.sub(rf"]({book}/book/\1.html", cell.source)
    for cell, below in pairwise(cells):
        if cell.cell_type == "code" and (caption := CAPTION.match(below.source)):
            cell.metadata["mystnb"] = {"image": {"alt": " ".join(caption[1].split())}}
        if "nbval-ignore-output" in cell.metadata.get("tags", []):
            cell.metadata["unchanged"] = fingerprint(cell.source)  # graders need not run it again
    set_up = new_code_cell(CELL.substitute(url=url, ref=ref, version=deepernets.__version__))
    set_up.metadata["tags"] = ["nbval-ignore-output"]
    title, *rest = cells
    cells = [title, new_markdown_cell(badge), set_up, *rest]
    stem = re.sub(r"\W", "-", place.removesuffix(".ipynb"))
    for number, cell in enumerate(cells):
        cell["id"] = f"{stem}-{number:02}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made: NotebookNode = nbformat.v4.new_notebook(
        cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}}
    )
    return made


def execute(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Run a notebook in `folder` in the quick profile, and keep those of its outputs that are the same everywhere.

    Raises:
        UserError: a cell fails.
    """
    client = NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(folder)}})
    try:
        client.execute(env={**os.environ, **QUICK})
    except CellExecutionError as error:
        raise UserError(
            f"A cell fails in {folder} ({error.ename}: {error.evalue}); fix the master."
        ) from error
    notebook.metadata.language_info = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when the cell ran
        if cell.cell_type == "code":
            cell.outputs = joined(output for output in cell.outputs if output.get("name") != "stderr")
    code_of(notebook)[0].outputs = []  # the set-up cell speaks of this machine
    return notebook


def code_of(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the code cells of a notebook; the first is the set-up cell."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def first_to_execute(notebook: NotebookNode, before: NotebookNode) -> int | None:
    """Return the place of the first code cell that changed or has not been executed; None if there is none.

    The set-up cell does not count: no output depends on it.
    """
    cells, executed = code_of(notebook)[1:], code_of(before)[1:]
    for place, (cell, old) in enumerate(zip(cells, executed, strict=False), 1):
        if cell.source != old.source or old.execution_count is None:
            return place
    return None if len(cells) == len(executed) else min(len(cells), len(executed)) + 1


def take_outputs(notebook: NotebookNode, before: NotebookNode, end: int | None = None) -> NotebookNode:
    """Give the first code cells of a notebook, up to the one at `end`, the outputs that they have in `before`."""
    pairs = zip(code_of(notebook)[1:end], code_of(before)[1:end], strict=True)
    for cell, old in pairs:
        cell.outputs, cell.execution_count = old.outputs, old.execution_count
    code_of(notebook)[0].execution_count = 1
    return notebook


def keep_pictures(notebook: NotebookNode, before: NotebookNode) -> NotebookNode:
    """Replace pictures of unchanged cells by those in `before` where they look alike, and return the notebook."""
    stored = {cell.source: cell.outputs for cell in code_of(before)}
    for cell in code_of(notebook):
        for new, old in zip(cell.outputs, stored.get(cell.source, []), strict=False):
            drawn, kept = (output.get("data", {}).get("image/png") for output in (new, old))
            if drawn and kept and _look_alike(drawn, kept):
                new.data["image/png"] = kept
    return notebook


def _look_alike(one: str, other: str) -> bool:
    """Return whether two pictures, PNG in base64, have one size and nearly the same colours."""
    first, second = (Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB") for data in (one, other))
    if first.size != second.size:
        return False
    return max(ImageStat.Stat(ImageChops.difference(first, second)).mean) <= SAME_COLOUR


def joined(outputs: Iterable[NotebookNode]) -> list[NotebookNode]:
    """Return a cell's outputs with consecutive pieces of text joined: where they are split depends on timing."""
    whole: list[NotebookNode] = []
    for output in outputs:
        if whole and whole[-1].get("name") == output.get("name") == "stdout":
            whole[-1].text += output.text
        else:
            whole.append(output)
    return whole


def differences(made: NotebookNode, path: Path) -> Iterator[str]:
    """Yield how the notebook at `path` differs, except in outputs, from the one built from its master."""
    if not path.is_file():
        yield "missing"
        return
    there = nbformat.read(path, as_version=4)
    if [_essence(cell) for cell in there.cells] != [_essence(cell) for cell in made.cells]:
        yield "differs from its master"
    if any(cell.cell_type == "code" and cell.execution_count is None for cell in there.cells):
        yield "has cells that were not executed"


def text_of(notebook: NotebookNode) -> str:
    """Return the text of a notebook: its cells, and what they printed."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    printed = [
        text
        for output in outputs
        for text in (output.get("text", ""), output.get("data", {}).get("text/plain", ""))
    ]
    return "\n".join([*(cell.source for cell in notebook.cells), *printed])


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook atomically."""
    write_text(path, nbformat.writes(notebook) + "\n")


def _essence(cell: NotebookNode) -> tuple[str, str, str, NotebookNode]:
    return cell["id"], cell.cell_type, cell.source, cell.metadata
