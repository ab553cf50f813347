"""One PDF of the book: the built pages, joined in the order of the contents and printed by Chromium.

The pages are those of ``_build/html`` as a reader without JavaScript sees them, so that an explorer is its static
figure. Sphinx's own single page gives sections and figures of different pages the same names. Here each name starts
with that of its page, and every link leads to the right place.
"""

import posixpath
import re
import shutil
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import deepernets
from deepernets.book.editions import EDITIONS, edition_of, pages_in, read_toc
from deepernets.errors import UserError

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SCREEN_ONLY = "script, button, noscript, .headerlink, .d-print-none, details.above-input, .prev-next-area"
# Attributes with names of places.
REFERRING = ("id", "for", "aria-labelledby", "aria-describedby", "aria-controls")
REFERENCE = re.compile(r"url\(#([^)]+)\)")
INVITATION = re.compile(r"^Open this .*|: open it .*")  # of what is open on paper
FORMULAS = "window.MathJax ? MathJax.startup.promise.then(() => true) : true"
PATIENCE = 600_000  # milliseconds, far above what anything takes


def find_chromium() -> str:
    """Return the path of Chromium.

    Raises:
        UserError: there is none.
    """
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        raise UserError(
            "There is no Chromium on this computer. Install it, as with `apt install chromium` or "
            "`brew install --cask chromium`, and run this again."
        )
    return found


def join_pages(html: Path, toc: dict[str, Any]) -> str:
    """Return the pages of a built book as one HTML page with a title page and a table of contents.

    Args:
        html: Folder of the built book. The page is written for a folder next to it.
        toc: Table of contents that the book was built with.
    """
    from bs4 import BeautifulSoup

    pages = pages_in(toc)
    articles = {
        page: _article(
            BeautifulSoup((html / f"{page}.html").read_text(encoding="utf-8"), "html.parser"), page, pages
        )
        for page in pages
    }
    first = (html / f"{pages[0]}.html").read_text(encoding="utf-8")
    head = "".join(_styles_and_formulas(BeautifulSoup(first, "html.parser"), pages[0]))
    title, body = _title(articles[pages[0]]), "".join(map(str, articles.values()))
    return (
        f'<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8"><title>{title}</title>'
        f"{head}"
        f'<link rel="stylesheet" href="../html/_static/print.css"></head><body><header class="title-page">'
        f"<h1>{title}</h1><p>{escape(EDITIONS[edition_of(toc)])}</p>"
        f"<p>Version {deepernets.__version__}</p></header>"
        f'<nav class="book-contents"><h1>Contents</h1>{"".join(_contents(toc, articles))}</nav>{body}</body></html>'
    )


def _place(page: str, name: str = "") -> str:
    return f"{page.replace('/', '-')}--{name}" if name else page.replace("/", "-")


def _title(article: "Tag") -> str:
    heading = article.find("h1")
    return escape(heading.get_text().strip()) if heading else ""


def _contents(toc: dict[str, Any], articles: dict[str, "Tag"]) -> Iterator[str]:
    for part in [{"chapters": [{"file": toc["root"]}]}, *toc.get("parts", [])]:
        yield f"<h2>{escape(part['caption'])}</h2><ol>" if "caption" in part else "<ol>"
        for page in (chapter["file"] for chapter in part["chapters"]):
            link = f'<a href="#{_place(page)}">{_title(articles[page])}</a>'
            yield f'<li>{link}<span class="page-number"></span></li>'
        yield "</ol>"


def _styles_and_formulas(page: "BeautifulSoup", name: str) -> Iterator[str]:
    for tag in page.select("head link[rel=stylesheet], head script"):
        if tag.name == "link" or "mathjax" in f"{tag.get('src')}{tag.string}".lower():
            _lead_from_joined(tag, name)
            yield str(tag)


def _lead_from_joined(tag: "Tag", page: str) -> None:
    """Make the file that a tag of a page names one that the joined page finds."""
    for key in ("src", "href"):
        address = str(tag.get(key) or "")
        if address and not urlsplit(address).scheme and not address.startswith("#"):
            tag[key] = f"../html/{_inside(address, page)}"


def _inside(address: str, page: str) -> str:
    """Return the path in the book that a relative address of a page names."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), address))


def _article(soup: "BeautifulSoup", page: str, pages: list[str]) -> "Tag":
    """Return what is printed of a page, with names and links that hold in the joined page."""
    article = soup.find("article")
    assert article is not None, page
    for tag in article.select(SCREEN_ONLY):
        tag.decompose()
    for tag in article.select("details"):
        tag["open"] = ""
    for tag in article.select("summary .sd-summary-text, summary:not(:has(*))"):
        tag.string = INVITATION.sub("", tag.get_text()) or "Answer"
    for tag in article.select("p"):
        alone = tag.strong and tag.strong.get_text() == tag.get_text()  # such as **Explain.** above a list
        if alone or tag.get_text().endswith(":"):
            tag["data-leads"] = ""  # it stays on the page of what it announces
    for tag in article.select(".dropdown"):
        tag["class"] = " ".join(name for name in tag["class"] if name not in ("dropdown", "toggle"))
    _rename(article, page)
    article["id"] = _place(page)
    for tag in article.select("img, source"):
        _lead_from_joined(tag, page)
    for tag in article.select("a[href]"):
        _link(tag, page, pages)
    return article


def _rename(article: "Tag", page: str) -> None:
    """Put the page's name before the names in it, and where they are referred to, as in the parts of a drawing."""
    for tag in article.find_all(True):
        for key, value in tag.attrs.items():
            if key in REFERRING:
                tag[key] = " ".join(_place(page, name) for name in str(value).split())
            elif key in ("href", "xlink:href") and tag.name == "use":
                tag[key] = f"#{_place(page, str(value).removeprefix('#'))}"
            elif isinstance(value, str):
                tag[key] = REFERENCE.sub(lambda name: f"url(#{_place(page, name[1])})", value)


def _link(tag: "Tag", page: str, pages: list[str]) -> None:
    parts = urlsplit(str(tag["href"]))
    if parts.scheme:
        return
    target = _inside(parts.path, page).removesuffix(".html") if parts.path else page
    if target in pages:
        tag["href"] = f"#{_place(target, unquote(parts.fragment))}"
    else:
        tag.unwrap()


def print_pdf(source: Path, target: Path) -> int:
    """Print a joined page, fill in the page numbers of its contents, and return the number of pages.

    Raises:
        UserError: there is no Chromium.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        page = browser.new_context(offline=True).new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(source.absolute().as_uri())
        page.evaluate(FORMULAS)
        options: dict[str, Any] = {
            "path": target,
            "prefer_css_page_size": True,
            "outline": True,
            "tagged": True,
        }
        page.pdf(**options)
        numbers, _ = page_numbers(target)
        page.evaluate(
            """numbers => document.querySelectorAll(".book-contents a").forEach((link) => {
              link.nextElementSibling.textContent = numbers[link.hash.slice(1)];
            })""",
            numbers,
        )
        page.pdf(**options)
        browser.close()
    return page_numbers(target)[1]


def page_numbers(pdf: Path) -> tuple[dict[str, int], int]:
    """Return the pages of a PDF's named places, counted from 1, and its number of pages."""
    from pypdf import PdfReader

    reader = PdfReader(pdf)
    places = reader.named_destinations
    return {
        name.removeprefix("/"): (reader.get_destination_page_number(place) or 0) + 1
        for name, place in places.items()
    }, len(reader.pages)


def make_pdf(build: Path) -> str:
    """Print the book that was built in a folder; return a line about the PDF.

    Raises:
        UserError: there is no Chromium.
    """
    find_chromium()
    toc = read_toc(build / "toc.yml")
    folder = build / "pdf"
    folder.mkdir(exist_ok=True)
    source, target = folder / "joined.html", folder / f"deepernets-{edition_of(toc)}.pdf"
    source.write_text(join_pages(build / "html", toc), encoding="utf-8")
    pages = print_pdf(source, target)
    return f"{target}: {pages} pages, {target.stat().st_size / 1e6:.1f} MB"


if __name__ == "__main__":
    try:
        print(make_pdf(Path(sys.argv[1])))
    except UserError as problem:
        sys.exit(str(problem))
