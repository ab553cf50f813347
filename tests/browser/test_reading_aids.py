"""What helps in reading: excerpts in the search, and definitions next to the glossary's terms."""

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import HTML, Reader

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

PAGE = "book/recipe"
DEFINITION = "The factor between a gradient and the step that is taken."


def term(page: "Page") -> "Locator":
    return page.locator("article a[href*='#term-learning-rate']").first


def definition(page: "Page") -> "Locator":
    return page.get_by_role("tooltip")


@pytest.mark.parametrize(("word", "stem"), [("bottleneck", "bottleneck"), ("augmentation", "augment")])
def test_a_search_in_the_files_lists_pages_with_the_word_in_an_excerpt(
    read: Reader, word: str, stem: str
) -> None:
    page = read.open("search", f"?q={word}")
    page.get_by_text("Search finished").wait_for()
    results = page.locator("#search-results li").all()
    excerpts = [result.locator("p.context").inner_text() for result in results]
    assert len(results) >= 3
    assert sum(stem in excerpt.lower() for excerpt in excerpts) > 0.8 * len(results), excerpts
    assert read.foreign == []
    assert read.errors == []


def test_only_the_search_page_loads_the_texts(read: Reader) -> None:
    read.open(PAGE)
    assert not [url for url in read.requests if "search-texts" in url]
    assert (HTML / "_static" / "search-texts.js").stat().st_size < 1_500_000


def test_the_pointer_shows_a_definition_and_can_move_into_it(read: Reader) -> None:
    page = read.open(PAGE)
    term(page).hover()
    assert definition(page).inner_text() == DEFINITION
    definition(page).hover()
    page.wait_for_timeout(400)
    assert definition(page).is_visible()
    page.mouse.move(2, 2)
    definition(page).wait_for(state="hidden")


def test_the_focus_shows_a_definition_and_escape_hides_it(read: Reader) -> None:
    page = read.open(PAGE)
    term(page).focus()
    assert definition(page).is_visible()
    assert term(page).get_attribute("aria-describedby") == definition(page).get_attribute("id")
    page.keyboard.press("Escape")
    assert definition(page).is_hidden()
    assert term(page).evaluate("link => link === document.activeElement")
    assert term(page).get_attribute("aria-describedby") is None


@pytest.mark.parametrize("read", [("phone", "dark"), ("small phone", "light")], indirect=True)
def test_the_first_tap_shows_a_definition_inside_the_screen_and_the_second_follows_the_link(
    read: Reader,
) -> None:
    page = read.open(PAGE)
    for link in page.locator("article a[data-definition]").all():
        link.tap()
        box = definition(page).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= page.evaluate("document.documentElement.clientWidth")
        definition(page).tap()
        assert definition(page).is_hidden()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    term(page).tap()
    term(page).tap()
    page.wait_for_url(re.compile("glossary.html#term-learning-rate"))
