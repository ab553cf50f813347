"""Every page in a browser: axe-core finds nothing that is ours, no page is wider than the screen.

axe-core takes seconds a page, most of them for the contrast of single words in code. So code is looked at on one
page, whose colours are those of all, and formulas, which MathJax sets in the colour of the text, on none.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.browser.conftest import HTML, Reader

if TYPE_CHECKING:
    from playwright.sync_api import Page

TOC = yaml.safe_load((Path(__file__).parents[2] / "_toc.yml").read_text(encoding="utf-8"))
LISTED = [TOC["root"], *(chapter["file"] for part in TOC["parts"] for chapter in part["chapters"])]
PAGES = [page for page in [*LISTED, "search", "genindex"] if (HTML / f"{page}.html").is_file()]
WITH_CODE = "book/convolution"
OPTIONS = {
    "preload": False,
    "resultTypes": ["violations"],
}  # preloading would fetch style sheets, which a file may not

# What axe-core reports of the theme and its extensions, where no small script or style of ours can change it, with
# the reason: rule, and how the element's code starts. Today there is nothing.
ACCEPTED: list[tuple[str, str]] = []


def violations(page: "Page", *, code: bool) -> list[str]:
    """Return what axe-core finds, as rule, element and reason, without what is accepted."""
    from axe_playwright_python.sync_playwright import Axe

    left_out = [["mjx-container"]] + ([] if code else [["pre"]])
    context: dict[str, Any] = {"exclude": left_out}
    found = Axe().run(page, context=context, options=OPTIONS).response["violations"]
    return [
        f"{rule['id']}: {node['html'][:200]} {[check['message'] for check in node['any']][:1]}"
        for rule in found
        for node in rule["nodes"]
        if not any(rule["id"] == name and node["html"].startswith(start) for name, start in ACCEPTED)
    ]


def settled(page: "Page") -> None:
    """Wait until formulas are set, which changes what scrolls."""
    page.evaluate("window.MathJax?.startup?.promise?.then(() => document.fonts.ready).then(() => null)")
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(null))))")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_accessible_on_a_desk_and_on_a_phone(read: Reader, page: str) -> None:
    """In the light theme at 1440 pixels, then in the dark one at 390, where most of what is wide scrolls."""
    shown = read.open(page)
    settled(shown)
    assert violations(shown, code=page == WITH_CODE) == []
    assert shown.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    shown.set_viewport_size({"width": 390, "height": 844})
    shown.evaluate("document.documentElement.dataset.theme = 'dark'")
    settled(shown)
    assert violations(shown, code=page == WITH_CODE) == []
    assert shown.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert read.foreign == []
    assert read.errors == []


SCROLLING = """[...document.querySelectorAll('#main-content :is(pre, mjx-container, [class*="scrollable-table"])')]
  .filter(box => box.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).overflowX === 'auto')
  .map(box => ({
    name: box.getAttribute('aria-label'), role: box.getAttribute('role'), tab: box.tabIndex,
    hint: getComputedStyle(box.matches('mjx-container') ? box.parentElement : box, '::before').content,
  }))"""


@pytest.mark.parametrize("read", [("phone", "light")], indirect=True)
@pytest.mark.parametrize("page", ["book/recipe", "book/vgg-configurations"])
def test_what_scrolls_sideways_says_so_and_can_be_reached_by_keyboard(read: Reader, page: str) -> None:
    shown = read.open(page)
    settled(shown)
    boxes = shown.evaluate(SCROLLING)
    assert len(boxes) > 5
    for box in boxes:
        assert (box["role"], box["tab"]) == ("region", 0)
        assert "scrolls sideways" in box["hint"]
    names = [box["name"] for box in boxes]
    assert all("scrolls sideways" in name for name in names)
    assert len(set(names)) == len(names)
    shown.set_viewport_size({"width": 1440, "height": 900})
    settled(shown)
    assert shown.locator(".scrolls").count() < len(boxes)
