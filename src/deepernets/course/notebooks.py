"""Assemble notebooks with stable cell ids, execute them, compare them, and write them."""

import os
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from deepernets.course.grading.submissions import fingerprint
from deepernets.errors import UserError
from deepernets.files import write_atomically

CAPTION = re.compile(
    r"\*([^*]+)\*(?:\n\n|$)"
)  # the sentence in italics below a figure is its alternative text
QUICK = {"DEEPERNETS_PROFILE": "quick", "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}


def assemble(cells: list[NotebookNode], place: str, url: str, ref: str) -> NotebookNode:
    """Return the notebook of a master's cells, with Colab link, set-up cell and cell ids that stay the same.

    A paragraph in italics below a cell is its figure's caption, and becomes the figure's alternative text.

    Args:
        cells: Title first.
        place: The notebook's path in the repository.
        url: Address of the repository, ``https://github.com/owner/name``.
        ref: Branch or tag that links and set-up point to.
    """
    slug = url.removeprefix("https://github.com/")
    badge = f"**[Open in Colab](https://colab.research.google.com/github/{slug}/blob/{ref}/{place})**"
    set_up = (
        "# In Colab this installs the course; anywhere else it does nothing.\n"
        "import sys\n\n"
        'if "google.colab" in sys.modules:\n'
        f"    %pip install --quiet git+{url}@{ref}"
    )
    for cell, below in pairwise(cells):
        if cell.cell_type == "code" and (caption := CAPTION.match(below.source)):
            cell.metadata["mystnb"] = {"image": {"alt": " ".join(caption[1].split())}}
        if "nbval-ignore-output" in cell.metadata.get("tags", []):
            cell.metadata["unchanged"] = fingerprint(cell.source)  # graders need not run it again
    title, *rest = cells
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
    """Run a notebook in `folder` in the quick profile, and keep those of its outputs that are the same everywhere.

    Raises:
        UserError: a cell fails.
    """
    with patch.dict(os.environ, QUICK):
        client = NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(folder)}})
        try:
            client.execute()
        except CellExecutionError as error:
            raise UserError(
                f"A cell fails in {folder} ({error.ename}: {error.evalue}); fix the master."
            ) from error
    notebook.metadata.language_info = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when the cell ran
        if cell.cell_type == "code":
            cell.outputs = joined(output for output in cell.outputs if output.get("name") != "stderr")
    return notebook


def with_outputs_of(path: Path, notebook: NotebookNode) -> NotebookNode | None:
    """Return a notebook with the outputs of the one at `path`; None unless that one was executed with this code."""
    if not path.is_file():
        return None
    executed = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if [cell.source for cell in executed] != [cell.source for cell in cells]:
        return None
    if any(cell.execution_count is None for cell in executed):
        return None
    for cell, before in zip(cells, executed, strict=True):
        cell.outputs, cell.execution_count = before.outputs, before.execution_count
    return notebook


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
    text = nbformat.writes(notebook) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def _essence(cell: NotebookNode) -> tuple[str, str, str, NotebookNode]:
    return cell["id"], cell.cell_type, cell.source, cell.metadata
