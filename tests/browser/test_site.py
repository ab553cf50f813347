"""The first page, the map and the ways through the book, as a reader in a browser finds them."""

import mimetypes
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from deepernets.book.forks import book_address
from deepernets.book.landing_page import stages
from tests.browser.conftest import HTML, Reader

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

SCREENS = [("desk", "light"), ("small phone", "dark")]
FIRST = ["index", "book/welcome"]
SITE = f"{book_address(Path(__file__).parents[2])}/"


def field(page: "Page") -> float:
    return float(page.locator(".growth-field").get_attribute("width") or 0)


@pytest.mark.parametrize("first", FIRST)
def test_the_first_page_shows_how_a_field_grows(read: Reader, first: str) -> None:
    read.page.clock.install(time=0)  # time goes on when the test says so
    read.page.clock.pause_at(1000)
    page = read.open(first)
    seen = []
    for _ in range(3):
        page.clock.run_for(1000)
        seen.append(field(page))
    assert stages()[0].field < seen[0] < seen[1] < seen[2] < stages()[-1].field
    page.get_by_role("button", name="Stop").click()
    stopped = field(page)
    page.get_by_role("slider", name="Layer").focus()
    for stage in stages()[:3]:
        page.get_by_role("slider", name="Layer").fill(str(stages().index(stage) + 1))
        assert field(page) == stage.field
        assert (
            f"({stage.name}), one unit of VGG-16 sees {stage.field}×{stage.field}"
            in page.get_by_role("status").first.inner_text()
        )
    page.keyboard.press("End")
    assert field(page) == stages()[-1].field > stopped
    assert page.get_by_role("button", name="Play").is_visible()
    assert read.errors == []


def test_nothing_moves_for_those_who_want_less_motion(browser: Any) -> None:
    context = browser.new_context(offline=True, reduced_motion="reduce")
    page = Reader(context.new_page()).open("index")
    assert page.get_by_role("button", name="Play").is_visible()
    assert field(page) == stages()[-1].field
    context.close()


def test_the_figure_needs_no_javascript_and_is_printed(browser: Any) -> None:
    context = browser.new_context(offline=True, java_script_enabled=False)
    page = Reader(context.new_page()).open("index")
    assert page.locator(".growth svg").evaluate("drawing => drawing.clientHeight") > 100
    assert page.locator(".growth-pool").first.is_visible()
    assert f"sees {stages()[-1].field}×{stages()[-1].field}" in page.locator("figcaption").first.inner_text()
    page.emulate_media(media="print")
    assert page.locator(".growth svg").is_visible()
    context.close()


@pytest.mark.parametrize("read", SCREENS, indirect=True)
@pytest.mark.parametrize("name", ["index", "404", "book/map", "book/cheat-sheet", "book/how-to-work"])
def test_a_page_fits_the_screen_and_asks_no_other_host(read: Reader, name: str) -> None:
    page = read.open(name)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.get_by_role("heading", level=1).count() == 1
    assert read.foreign == []
    assert read.errors == []


def test_the_title_is_read_once_and_the_logo_is_loaded(read: Reader) -> None:
    page = read.open("index")
    width = page.locator(".logo__image").first.evaluate("image => image.naturalWidth * image.clientWidth")
    assert width > 0
    assert page.locator(".logo__title").evaluate("title => title.offsetWidth") <= 1
    assert page.get_by_role("link", name="Deeper Networks", exact=True).count() == 1


@pytest.mark.parametrize("first", FIRST)
def test_search_and_navigation_work_from_the_first_page(read: Reader, first: str) -> None:
    page = read.open(first)
    page.locator("summary", has_text="Reference").click()
    page.locator("nav").get_by_role("link", name="Notation").click()
    assert page.url.endswith("book/notation.html")
    assert page.locator("nav details[open] a.current").inner_text().strip() == "Notation"
    page = read.open(first)
    page.get_by_role("button", name="Search").first.click()
    page.keyboard.type("notation")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=notation*")
    page.locator("#search-results a", has_text="Notation").first.click()
    assert "/book/notation.html" in page.url


def test_the_parts_are_opened_by_keyboard(read: Reader) -> None:
    page = read.open("index")
    part = page.locator("nav.bd-links summary", has_text="Labs")
    part.focus()
    page.keyboard.press("Enter")
    assert page.locator("nav.bd-links").get_by_role("link", name="Lab 1:").is_visible()


def test_the_cheat_sheet_is_one_sheet_of_paper(read: Reader) -> None:
    page = read.open("book/cheat-sheet")
    page.wait_for_function("document.querySelectorAll('mjx-container').length >= 20")
    paper = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", paper)) == 1
    (box,) = set(re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", paper))
    assert [round(float(side)) for side in box] == [595, 842]  # A4 in points


def served(route: "Route") -> None:
    """Answer as GitHub Pages does: files below the site's folder, and 404.html for what is not there."""
    path = urlsplit(route.request.url).path.removeprefix(urlsplit(SITE).path)
    file, status = HTML / path, 200
    if not file.is_file():
        file, status = HTML / "404.html", 404
    kind = mimetypes.guess_type(file.name)[0] or "text/plain"
    route.fulfill(status=status, body=file.read_bytes(), content_type=kind)


def test_an_address_that_leads_nowhere_leads_back(read: Reader) -> None:
    read.page.route(f"{SITE}**", served)
    read.page.goto(f"{SITE}a/folder/that/is/not.html")
    page = read.page
    assert page.get_by_role("heading", level=1).inner_text().startswith("Page not found")
    assert page.evaluate("getComputedStyle(document.querySelector('.bd-sidebar-primary')).display") != "none"
    page.locator("article").get_by_role("link", name="first page").click()
    assert page.url == f"{SITE}index.html"
    assert [error for error in read.errors if "404" not in error] == []
