"""The built book: its pages, pictures and links. What a chapter shows is tested in a file of its own."""

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest
import yaml

if TYPE_CHECKING:
    from tests.book.conftest import Book

ROOT = Path(__file__).parents[2]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
PAGES = [TOC["root"], *(chapter["file"] for part in TOC["parts"] for chapter in part["chapters"])]


@pytest.mark.parametrize("page", PAGES)
def test_page_has_text_and_pictures_in_words_and_needs_no_network(book: "Book", page: str) -> None:
    assert book.article(page).h1 is not None
    assert len(book.text(page).split()) > 30
    for picture in book.article(page).select("img"):
        words = str(picture.get("alt") or "").split()
        assert len(words) > 3, f"{page}: {picture.get('src')} has the alternative text {words}"
    fetched = book.addresses(page, tags="img, script, iframe, link[rel=stylesheet]")
    assert [address for address in fetched if address.startswith(("http:", "https:", "//"))] == []


def test_links_inside_the_book_resolve(book: "Book") -> None:
    for page in PAGES:
        here = book.html / f"{page}.html"
        for address in set(book.addresses(page, tags="a, img, script, link")):
            parts = urlsplit(address)
            if parts.scheme:
                continue
            target = (here.parent / unquote(parts.path)).resolve() if parts.path else here
            assert target.is_file(), f"{page}: {address} leads nowhere"
            if parts.fragment and target.suffix == ".html":
                there = book.names(target)
                assert unquote(parts.fragment) in there, (
                    f"{page}: {address} names a place that does not exist"
                )


def test_the_labs_lead_to_chapters_of_this_book_and_not_of_the_published_one(book: "Book") -> None:
    for page in [page for page in PAGES if page.startswith("labs/")]:
        linked = [address for address in book.addresses(page, tags="a") if "/book/" in address]
        assert any(address.startswith("../book/") for address in linked), page
        assert not any(address.startswith(CONFIG["html"]["baseurl"]) for address in linked), page


def test_the_book_holds_no_sources(book: "Book") -> None:
    assert not list(book.html.rglob("*.ipynb"))
    assert not list(book.html.rglob("*.md"))


def test_readme_links_lead_to_the_repository_of_the_config() -> None:
    url = CONFIG["repository"]["url"]
    slug = url.removeprefix("https://github.com/")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    linked = re.findall(r"(?://github\.com|research\.google\.com/github)/([\w.-]+/[\w.-]+)", readme)
    assert set(linked) - {"codespaces/badge.svg"} == {slug}  # GitHub's own picture


def test_readme_names_files_that_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", readme) if "://" not in target]
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_every_promise_names_tests_that_exist() -> None:
    page = (ROOT / "book" / "promises.md").read_text(encoding="utf-8")
    rows = [row for row in page.splitlines() if row.startswith("| ") and not row.startswith("| promise")]
    assert len(rows) >= 25
    for row in rows:
        tests = re.findall(r"`([\w/]+\.py)::(\w+)`", row)
        assert tests, row
        for path, name in tests:
            assert f"def {name}(" in (ROOT / "tests" / path).read_text(encoding="utf-8"), name
