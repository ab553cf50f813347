"""The figures of the chapter on VGG's configurations."""

from typing import TYPE_CHECKING

import pytest

import deepernets

if TYPE_CHECKING:
    from tests.book.conftest import Book

PAGE = "book/vgg-configurations"

FIGURES = {
    "parameters of A and A-LRN": "132,863,336",
    "parameters of B": "133,047,848",
    "parameters of C": "133,638,952",
    "parameters of D": "138,357,544",
    "parameters of E": "143,667,240",
    "E against A": "8.1 %",
    "first fully-connected layer": "102,764,544",
    "its share of D": "74.3 %",
    "5×5 in place of pairs of 3×3": "that shallower network was 7 % higher",
    "report A's VGG-16": "14,724,675 parameters",
    "report C's VGG-16": "33,637,066 parameters",
    "from B to D": "5,309,696",
    "from D to E": "+0.3 points at 256, +0.1 at 384 and −0.1 with scales drawn",
}


@pytest.mark.parametrize("what", FIGURES)
def test_it_shows_the_figures(book: "Book", what: str) -> None:
    assert FIGURES[what] in book.text(PAGE)


def test_it_shows_the_papers_millions_beside_the_exact_counts(book: "Book") -> None:
    rows = book.rows(PAGE)
    for name, layers, millions, exact in (
        ("A", "11", "133", "132,863,336"),
        ("A-LRN", "11", "133", "132,863,336"),
        ("B", "13", "133", "133,047,848"),
        ("C", "16", "134", "133,638,952"),
        ("D", "16", "138", "138,357,544"),
        ("E", "19", "144", "143,667,240"),
    ):
        assert [name, layers, millions, exact, exact] in rows


def test_it_quotes_the_papers_errors(book: "Book") -> None:
    rows = book.rows(PAGE)
    for name, layers, top1, top5 in (
        ("A", "11", "29.6", "10.4"),
        ("A-LRN", "11", "29.7", "10.5"),
        ("B", "13", "28.7", "9.9"),
        ("C", "16", "28.1", "9.4"),
        ("D", "16", "27.0", "8.8"),
        ("E", "19", "27.3", "9.0"),
    ):
        assert [name, layers, top1, top5] in rows


@pytest.mark.parametrize("name", ["report-a/vgg-16/as-reported"])
def test_it_shows_what_the_record_says(book: "Book", name: str) -> None:
    run = deepernets.load_records(name)[0]
    shown = book.text(PAGE)
    for words in (
        run.recipe.name,
        run.data["variant"],
        f"{100 * run.test['accuracy']:.2f} %",
        run.precision,
        run.device,
        run.date,
        f"{run.model['parameters']:,} parameters",
    ):
        assert words in shown
