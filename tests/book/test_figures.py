"""Figures inside the book's pages."""

from deepernets.book.figures import page_figure

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="90pt" height="50pt" viewBox="0 0 90 50">'
    '<defs><path id="m1" /></defs><use href="#m1" style="fill: url(#h)" />'
    '<text style="font-size: 9px">A</text></svg>'
)


def test_figures_of_one_page_have_different_identifiers() -> None:
    first, second = (page_figure(SVG, "A.", prefix) for prefix in ("one-", "two-"))
    for part in ('id="{}m1"', 'href="#{}m1"', "url(#{}h)"):
        assert part.format("one-") in first
        assert part.format("two-") in second


def test_the_description_is_escaped() -> None:
    assert 'aria-label="&quot;x&quot; &lt; y"' in page_figure(SVG, '"x" < y', "")


def test_a_figure_is_never_so_narrow_that_its_text_has_less_than_twelve_pixels() -> None:
    assert "min-width: 120px" in page_figure(SVG, "A.", "")
    assert "min-width: 0px" in page_figure(SVG.replace("font-size: 9px", ""), "No text.", "")
