"""What the tests of the book's pages share: the built book, read as its reader sees it."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag

ROOT = Path(__file__).parents[2]
HTML = ROOT / "_build" / "html"


@cache
def _read(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


class Book:
    """The built book."""

    html = HTML

    def read(self, path: Path) -> BeautifulSoup:
        """Parse a file of the book, once."""
        return _read(path)

    def article(self, page: str) -> Tag:
        """Return the part of a page, named as in the table of contents, that is its own."""
        found = _read(HTML / f"{page}.html").select_one("article")
        assert found is not None, f"{page} has no article"
        return found

    def text(self, page: str) -> str:
        """Return the words of a page as a reader sees them, with single spaces."""
        return re.sub(r"\s+", " ", self.article(page).get_text(" "))

    def rows(self, page: str) -> list[list[str]]:
        """Return the rows of all tables of a page."""
        found = self.article(page).select("tr")
        return [[cell.get_text(strip=True) for cell in row.select("th, td")] for row in found]

    def addresses(self, page: str, tags: str) -> list[str]:
        """Return what the chosen tags of a page point at."""
        found = _read(HTML / f"{page}.html").select(tags)
        return [str(tag.get("href") or tag.get("src")) for tag in found if tag.get("href") or tag.get("src")]


@pytest.fixture(scope="session")
def book() -> Book:
    """Return the book that `make book` wrote; build it only where there is none."""
    if not (HTML / "index.html").is_file():
        command = [sys.executable, "-m", "jupyter_book", "build", str(ROOT), "-W", "-n", "--keep-going", "-q"]
        subprocess.run(command, check=True, cwd=ROOT)
    return Book()
