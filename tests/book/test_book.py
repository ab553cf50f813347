"""The built book: its pages, pictures and links. What a chapter shows is tested in a file of its own."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from deepernets.book.editions import edition_of, instructor_pages, pages_in, read_toc

if TYPE_CHECKING:
    from tests.book.conftest import Book

ROOT = Path(__file__).parents[2]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
BUILT = ROOT / "_build" / "toc.yml"  # the contents of the edition that is built
TOC = read_toc(BUILT if BUILT.is_file() else ROOT / "_toc.yml")
PAGES = pages_in(TOC)


@pytest.mark.parametrize("page", PAGES)
def test_page_has_text_pictures_in_words_named_columns_and_needs_no_network(book: "Book", page: str) -> None:
    assert book.article(page).h1 is not None
    assert len(book.text(page).split()) > 30
    for picture in book.article(page).select("img, .figure-box > svg"):
        words = str(picture.get("alt") or picture.get("aria-label") or "").split()
        assert len(words) > 3, f"{page}: {str(picture)[:200]} has the alternative text {words}"
    heads = book.article(page).select("th")
    assert all(head.get_text(strip=True) for head in heads), f"{page} has a table with an empty head"
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


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("book/")])
def test_the_figures_of_a_page_are_svg_without_a_name_twice(book: "Book", page: str) -> None:
    article = book.article(page)
    assert not article.select(".cell_output img")
    names = [str(tag["id"]) for tag in article.select(".figure-box [id]")]
    assert len(names) == len(set(names))


def test_the_book_has_the_pages_of_its_edition_and_says_which_it_is(book: "Book") -> None:
    edition, instructors = edition_of(TOC), instructor_pages(read_toc(ROOT / "_toc.yml"))
    there = [page for page in sorted(instructors) if (book.html / f"{page}.html").exists()]
    assert there == (sorted(instructors) if edition == "instructor" else [])
    for page in PAGES:
        text = (book.html / f"{page}.html").read_text(encoding="utf-8")
        assert f'<p class="edition">{edition.capitalize()} edition' in text, page


def test_a_line_that_begins_with_a_per_cent_sign_is_part_of_the_text(book: "Book") -> None:
    assert "and of 25.03 %, 24.52 % and 24.19 %" in book.text("labs/04_build_resnet")


def test_the_search_has_the_text_of_every_page(book: "Book") -> None:
    script = (book.html / "_static" / "search-texts.js").read_text(encoding="utf-8")
    texts = json.loads(script.removeprefix("window.searchTexts = ").removesuffix(";\n"))
    assert sorted(texts) == sorted(PAGES)
    assert all(len(text.split()) > 30 for text in texts.values())
    assert len(script.encode()) < 1_500_000


def test_links_to_the_glossary_bring_the_definition(book: "Book") -> None:
    links = [link for page in PAGES for link in book.article(page).select("a.internal[href*='#term-']")]
    assert len(links) > 100
    assert [str(link) for link in links if len(str(link.get("title") or "")) < 10] == []


def test_the_labs_lead_to_chapters_of_this_book_and_not_of_the_published_one(book: "Book") -> None:
    for page in [page for page in PAGES if page.startswith("labs/")]:
        linked = [address for address in book.addresses(page, tags="a") if "/book/" in address]
        assert any(address.startswith("../book/") for address in linked), page
        assert not any(address.startswith(CONFIG["html"]["baseurl"]) for address in linked), page


def test_the_book_holds_no_sources(book: "Book") -> None:
    assert not [path for path in book.html.rglob("*.ipynb") if path.parent.name != "labs"]
    assert not list(book.html.rglob("*.md"))


def test_readme_links_lead_to_the_repository_of_the_config() -> None:
    url = CONFIG["repository"]["url"]
    slug = url.removeprefix("https://github.com/")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    linked = re.findall(r"(?://github\.com|research\.google\.com/github)/([\w.-]+/[\w.-]+)", readme)
    assert set(linked) - {"codespaces/badge.svg"} == {slug}  # GitHub's own picture


def test_every_promise_names_tests_that_exist() -> None:
    page = (ROOT / "book" / "promises.md").read_text(encoding="utf-8")
    rows = [row for row in page.splitlines() if row.startswith("| ") and not row.startswith("| promise")]
    assert len(rows) >= 25
    for row in rows:
        tests = re.findall(r"`([\w/]+\.py)::(\w+)`", row)
        assert tests, row
        for path, name in tests:
            assert f"def {name}(" in (ROOT / "tests" / path).read_text(encoding="utf-8"), name
