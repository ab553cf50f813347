"""What the tests of the book's pages share: the built book, read as its reader sees it."""

import os
import re
from functools import cache
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag

from deepernets.papers.reports import ALL_RESULTS
from deepernets.results.comparison import Row, compare_reported
from deepernets.training.records import Record, load_records

ROOT = Path(__file__).parents[2]
HTML = ROOT / "_build" / "html"


@cache
def _read(path: Path) -> BeautifulSoup:
    text = path.read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")
    page = BeautifulSoup(text, "html.parser")
    for name in page.select("span.together"):  # on one line, and otherwise like the text around it
        name.unwrap()
    page.smooth()
    return page


@cache
def _names(path: Path) -> frozenset[str]:
    return frozenset(str(tag["id"]) for tag in _read(path).select("[id]"))


@cache
def _words(page: str) -> str:
    return re.sub(r"\s+", " ", Book().article(page).get_text(" "))


@cache
def _rows(page: str) -> list[list[str]]:
    found = Book().article(page).select("tr")
    return [[cell.get_text(strip=True) for cell in row.select("th, td")] for row in found]


class Book:
    """The built book."""

    html = HTML

    def names(self, path: Path) -> frozenset[str]:
        """Return the places in a file that a link can lead to."""
        return _names(path)

    def article(self, page: str) -> Tag:
        """Return the part of a page, named as in the table of contents, that is its own."""
        found = _read(HTML / f"{page}.html").select_one("article")
        assert found is not None, f"{page} has no article"
        return found

    def text(self, page: str) -> str:
        """Return the words of a page as a reader sees them, with single spaces."""
        return _words(page)

    def rows(self, page: str) -> list[list[str]]:
        """Return the rows of all tables of a page."""
        return _rows(page)

    def description(self, page: str, figure: str) -> str:
        """Return the alternative text of the figure that the page names so."""
        found = self.article(page).select_one(f"figure#{figure} svg[role=img]")
        assert found is not None, f"{page} has no figure {figure}"
        return str(found["aria-label"])

    def addresses(self, page: str, tags: str) -> list[str]:
        """Return what the chosen tags of a page point at."""
        found = _read(HTML / f"{page}.html").select(tags)
        return [str(tag.get("href") or tag.get("src")) for tag in found if tag.get("href") or tag.get("src")]


@pytest.fixture(scope="session")
def book() -> Book:
    """Return the book that `make book` wrote; where there must be one, as in `make test`, fail without it."""
    if not (HTML / "index.html").is_file():
        if os.environ.get("DEEPERNETS_BOOK") == "required":
            pytest.fail("There is no book in _build/html, which `make book` should have built.")
        pytest.skip("The book is not built; `make book` builds it.")
    return Book()


@pytest.fixture(scope="session")
def records() -> list[Record]:
    """Return all recorded runs."""
    return load_records()


@pytest.fixture(scope="session")
def all_rows(records: list[Record]) -> dict[str, Row]:
    """Return what every reported result is compared with, by the name of its recipe."""
    return {row.reported.recipe: row for row in compare_reported(records, ALL_RESULTS)}
