"""The pages' figures in a browser: legible on a phone, in the page's colours, and scrolled where they are wide."""

from typing import Any

import pytest

from tests.browser.conftest import HTML, Reader

PAGES = sorted(
    f"book/{path.stem}"
    for path in (HTML / "book").glob("*.html")
    if 'class="figure-box"' in path.read_text(encoding="utf-8")
)
# For each figure: the pixels of its smallest text, whether it is wider than its box, what the box says of itself,
# and the least contrast of its texts to the page, without those over images.
MEASURE = """() => [...document.querySelectorAll(".figure-box")].map((box) => {
  const luminance = (colour) => colour.match(/[\\d.]+/g).slice(0, 3)
    .map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
  const paper = luminance(getComputedStyle(document.body).backgroundColor);
  const contrast = (text) => {
    const ink = luminance(getComputedStyle(text).fill);
    return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
  };
  const svg = box.querySelector("svg");
  const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
  const texts = [...svg.querySelectorAll("text")].filter((text) => text.textContent.trim());
  return {
    name: box.closest("figure")?.id ?? svg.getAttribute("aria-label").slice(0, 40),
    smallest: Math.min(12, ...texts.map((text) => parseFloat(getComputedStyle(text).fontSize) * scale)),
    contrast: Math.min(21, ...texts.filter((text) => !text.closest(".on-image")).map(contrast)),
    wide: box.scrollWidth > box.clientWidth + 1,
    focusable: box.tabIndex === 0,
    hint: getComputedStyle(box, "::before").content.includes("scrolls sideways"),
  };
})"""


def measure(read: Reader, page: str) -> list[dict[str, Any]]:
    """Return what `MEASURE` finds once the page has its size."""
    shown = read.open(page)
    shown.wait_for_function("document.readyState === 'complete'")
    shown.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return list(shown.evaluate(MEASURE))


def test_there_are_pages_with_figures(read: Reader) -> None:
    assert len(PAGES) > 10


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("read", [("desk", "light"), ("phone", "dark")], indirect=True)
def test_figures_are_legible(read: Reader, page: str) -> None:
    for figure in measure(read, page):
        assert figure["smallest"] > 11.9, figure
        assert figure["contrast"] >= 4.5, figure
        assert figure["wide"] == figure["focusable"] == figure["hint"], figure
    assert read.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.parametrize("read", [("phone", "light")], indirect=True)
def test_a_figure_of_one_panel_is_not_scrolled_on_a_phone(read: Reader) -> None:
    (figure,) = measure(read, "book/many-machines")
    assert not figure["wide"]


@pytest.mark.parametrize("page", PAGES[:1])
def test_figures_follow_the_theme_that_the_reader_chooses(read: Reader, page: str) -> None:
    shown = read.open(page)
    colour = "getComputedStyle(document.querySelector('.figure-box text')).fill"
    assert shown.evaluate("document.documentElement.dataset.theme") == "light"
    light = shown.evaluate(colour)
    shown.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert shown.evaluate(colour) != light
