"""How texts and tables of the pages are set: what stays on one line, and which columns are aligned to the right."""

import re
from pathlib import Path

import pytest
from docutils import nodes
from docutils.core import publish_doctree

from deepernets.book.typography import (
    align_numbers,
    free_first_space,
    keep_punctuation,
    set_text,
    spaced,
)

PAGES = sorted((Path(__file__).parents[2] / "book").glob("*.md"))
CELL = re.compile(r"^(`{3,})\{code-cell\}[^\n]*\n(.*?)^\1$\n?", re.DOTALL | re.MULTILINE)


def paragraph(text: str) -> nodes.paragraph:
    found = next(publish_doctree(text).findall(nodes.paragraph))
    assert isinstance(found, nodes.paragraph)
    return found


def together(node: nodes.Element) -> list[str]:
    return [part.astext() for part in node.findall(nodes.inline) if "together" in part["classes"]]


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("74 % and 93.8%", "74_% and 93.8_%"),
        ("0.3 ± 0.1", "0.3_±_0.1"),
        ("in Table 3 and section 4.1", "in Table_3 and section_4.1"),
        ("from -0.5 to +0.5", "from −0.5 to +0.5"),
        ("on 2026-11-27, ResNet-50, 1e-05", "on 2026-11-27, ResNet-50, 1e-05"),
    ],
)
def test_numbers_have_spaces_that_do_not_break_and_minus_signs(written: str, printed: str) -> None:
    assert spaced(written).replace("\N{NO-BREAK SPACE}", "_") == printed


def test_names_of_networks_and_data_and_dates_do_not_break() -> None:
    text = paragraph("ResNet-50 and vgg-16-bn-cifar, on cifar10-jpeg, since 2026-11-27; a well-known one.")
    set_text(next(iter(text.findall(nodes.Text))))
    assert together(text) == ["ResNet-50", "vgg-16-bn-cifar", "cifar10-jpeg", "2026-11-27"]
    assert (
        text.astext() == "ResNet-50 and vgg-16-bn-cifar, on cifar10-jpeg, since 2026-11-27; a well-known one."
    )


def test_a_formula_and_its_punctuation_do_not_break() -> None:
    text = paragraph("with a rate (:math:`x`), and :math:`y` too")
    for formula in list(text.findall(nodes.math)):
        keep_punctuation(formula)
    assert together(text) == ["(x),"]
    assert text.astext() == "with a rate (x), and y too"


def test_a_space_is_not_part_of_a_link() -> None:
    link = nodes.reference("", " Exercise 1")
    title = nodes.title("", "Solution to", link)
    free_first_space(link)
    assert [part.astext() for part in title] == ["Solution to", " ", "Exercise 1"]


def test_columns_of_numbers_are_aligned_to_the_right() -> None:
    table = """
========  =======  ===========  ======
name      images   accuracy     device
========  =======  ===========  ======
A         1,000    91.2 ± 0.4   2 GPUs
B         –        −3           1 GPU
========  =======  ===========  ======
"""
    group = next(iter(publish_doctree(table).findall(nodes.tgroup)))
    align_numbers(group)
    rows = [[cell["classes"] == ["text-right"] for cell in row] for row in group.findall(nodes.row)]
    assert rows == [[False, True, True, False]] * 3


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_line_of_text_is_taken_for_a_comment(page: Path) -> None:
    text = CELL.sub("", page.read_text(encoding="utf-8"))
    assert re.findall(r"^%.*", text, re.MULTILINE) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_cell_that_shows_a_table_ends_with_it_and_hidden_code_says_what_it_is(page: Path) -> None:
    for _, cell in CELL.findall(page.read_text(encoding="utf-8")):
        assert not re.search(r"^show_table\((?s:.*)^(?!\s|\)|$)", cell, re.MULTILINE), cell
        assert "hide-input" not in cell or "code_prompt_show" in cell, cell
