"""The built book as a site: its first page, descriptions, navigation, and what a reader can do with a page."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import yaml

from deepernets.book.course_map import MAP
from deepernets.book.site import CARD

if TYPE_CHECKING:
    from tests.book.conftest import Book

ROOT = Path(__file__).parents[2]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
SLUG = CONFIG["repository"]["url"].removeprefix("https://github.com/")
FIRST = "book/welcome"


def html(book: "Book", page: str) -> str:
    return (book.html / f"{page}.html").read_text(encoding="utf-8")


def pages(book: "Book") -> Iterator[str]:
    """Yield the pages that the built edition has."""
    for folder in ("book", "labs", "solutions"):
        yield from (f"{folder}/{path.stem}" for path in sorted((book.html / folder).glob("*.html")))


def test_the_first_page_is_in_the_root_and_no_redirect(book: "Book") -> None:
    root, first = html(book, "index"), html(book, FIRST)
    assert "http-equiv" not in root.lower()
    assert [re.sub(r"<[^>]*>", "", page) for page in (root,)] == [re.sub(r"<[^>]*>", "", first)]
    assert len(re.findall(r"<h1", first.split("<article")[1])) == 1


@pytest.mark.parametrize("page", ["index", "404"])
def test_links_of_a_page_in_the_root_resolve(book: "Book", page: str) -> None:
    found = re.findall(r'(?:href|src|action)="([^"#][^"]*)"', html(book, page))
    assert len(found) > 30
    for address in found:
        parts = urlsplit(address)
        assert parts.scheme or (book.html / parts.path).is_file(), address


def test_every_page_describes_itself(book: "Book") -> None:
    base = f"{CONFIG['html']['baseurl']}/"
    seen: dict[str, str] = {}
    for page in pages(book):
        head = html(book, page).split("</head>")[0]
        (description,) = re.findall(r'<meta name="description" content="([^"]+)"', head)
        assert 50 <= len(description) <= 320, f"{page}: {description}"
        assert seen.setdefault(description, page) == page
        assert re.findall(r'og:image" content="([^"]+)"', head) == [f"{base}{CARD}"]
        address = base if page == FIRST else f"{base}{page}.html"
        assert re.findall(r'rel="canonical" href="([^"]+)"', head) == [address]
    assert (book.html / CARD).is_file()


def test_only_labs_are_opened_in_colab_and_downloaded(book: "Book") -> None:
    for page in pages(book):
        text = html(book, page)
        launched = re.findall(r'href="([^"]+)"[^>]*\s+title="Launch on Colab"', text)
        expected = [
            f"https://colab.research.google.com/github/{SLUG}/blob/{CONFIG['repository']['branch']}/{page}.ipynb"
        ]
        assert launched == (expected if page.startswith(("labs/", "solutions/")) else []), page
        downloads = re.findall(r'href="([^"]+)" download', text)
        assert downloads == ([f"{Path(page).name}.ipynb"] if page.startswith("labs/") else []), page
    notebooks = {path.relative_to(book.html).as_posix() for path in book.html.rglob("*.ipynb")}
    assert notebooks == {f"labs/{name}.ipynb" for name in MAP if name[0].isdigit()}
    for notebook in notebooks:
        assert (book.html / notebook).read_bytes() == (ROOT / notebook).read_bytes()


def test_pages_are_edited_where_they_are_written(book: "Book") -> None:
    for page in pages(book):
        edited = re.findall(r'href="([^"]+)"[^>]*\s+class="[^"]*source-edit-button', html(book, page))
        branch = CONFIG["repository"]["branch"]
        expected = [f"https://github.com/{SLUG}/edit/{branch}/{page}.md"] if page.startswith("book/") else []
        assert edited == expected, page
        assert all((ROOT / f"{page}.md").is_file() for _ in expected)


def test_the_navigation_has_the_part_open_that_is_read(book: "Book") -> None:
    for page in pages(book):
        navigation = html(book, page).split('<ul class="list-caption">')[1].split("</nav>")[0]
        parts = re.findall(r"<details( open[^>]*)?>.*?</details>", navigation, re.DOTALL)
        assert len(parts) >= 9
        assert sum(bool(is_open) for is_open in parts) == (page != FIRST), page
