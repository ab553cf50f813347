"""Figures as SVG: colours of the page, real text, sizes for a phone, and the same file each time."""

import re
from pathlib import Path

import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from deepernets.plots import style, svg

CSS = (Path(__file__).parents[2] / "book" / "_static" / "figures.css").read_text(encoding="utf-8")
PAGES = {"light": "#ffffff", "dark": "#121212"}


def lines(names: list[str], width: float = 7) -> Figure:
    figure, ax = style.single(width, 3)
    style.draw_lines(ax, {name: ([1, 2, 3], [number, 2, 3]) for number, name in enumerate(names)})
    return figure


def sizes(text: str) -> list[float]:
    return [float(size) for size in re.findall(r"font-size: ([\d.]+)px", text)]


def test_it_is_the_same_each_time_and_has_text_in_the_pages_font() -> None:
    written = svg.to_svg(lines(["one name", "another"]))
    assert written == svg.to_svg(lines(["one name", "another"]))
    assert ">one name</text>" in written
    assert "font-family" not in written


def test_every_colour_is_a_variable_that_the_page_defines_for_both_themes() -> None:
    figure, ax = style.single(6, 3)
    for number in range(len(style.PALETTE)):
        ax.plot([0, number], **style.series(number))
        ax.barh(number, 1, **style.bar(number))
    for colour in (style.INK, style.PAPER, style.GUIDE, style.LINK, style.FILL):
        ax.axhline(1, color=colour)
    written = svg.to_svg(figure)
    used = set(re.findall(r"var\(--figure-([\w-]+), #[0-9a-f]{6}\)", written))
    assert used >= set(svg.COLOURS.values()) - {"hatch"}
    assert not re.search(r"(?<!, )#[0-9a-f]{6}\b", written)
    for theme in PAGES:
        assert used <= set(variables(theme))


def variables(theme: str) -> dict[str, str]:
    """Return the colours of a theme; the dark one changes some of the light one's."""
    light, dark = re.findall(r"\{([^{}]*--figure-series[^{}]*)\}", CSS)
    found = re.findall(r"--figure-([\w-]+): ([^;]+);", light + (dark if theme == "dark" else ""))
    return dict(found)


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG defines it."""
    low, high = sorted(
        sum(
            weight * (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4)
            for weight, part in zip((0.2126, 0.7152, 0.0722), to_rgb(colour), strict=True)
        )
        for colour in (one, other)
    )
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", PAGES)
def test_data_and_guides_stand_out_from_the_page(theme: str) -> None:
    colours = variables(theme)
    shown = [name for name in colours if name.startswith("series")] + ["link"]
    assert len(shown) == len(style.PALETTE) + 1
    low = [name for name in shown if contrast(colours[name], PAGES[theme]) < 3]
    assert low == []
    assert contrast(colours["guide"], PAGES[theme]) >= 4.5  # remarks are written in it


def test_a_figure_of_one_panel_fits_a_phone() -> None:
    figure = lines(["one", "another"])
    assert min(sizes(svg.to_svg(figure))) >= svg.LARGE
    assert figure.get_size_inches()[0] == svg.NARROW
    stacked, _ = style.subplots(2, 1, 7, 4)
    svg.to_svg(stacked)
    assert stacked.get_size_inches()[0] == svg.NARROW


def test_figures_with_several_columns_or_long_names_or_a_mark_stay_wide() -> None:
    several, _ = style.subplots(1, 2, 9, 3)
    named, ax = style.single(7, 3)
    style.name_rows(ax, ["a name of a row that takes more than half of a narrow figure"])
    marked = lines(["one"], width=9)
    marked.set_gid(style.STAY_WIDE)
    for figure, width in ((several, svg.WIDE), (named, 7), (marked, svg.WIDE)):
        assert min(sizes(svg.to_svg(figure))) >= style.SMALL
        assert figure.get_size_inches()[0] == width


def test_a_long_legend_is_above_a_narrow_figure() -> None:
    short, long = lines(list("abcd")), lines(list("abcde"))
    for figure in (short, long):
        svg.to_svg(figure)
    assert short.axes[0].get_legend() is not None
    assert long.axes[0].get_legend() is None
    assert [text.get_text() for text in long.legends[0].get_texts()] == list("abcde")


def test_what_is_drawn_over_an_image_keeps_its_colours() -> None:
    figure, ax = style.single(3, 3)
    ax.imshow([[0, 1]], cmap=style.SHADES)
    ax.text(0, 0, "over", color=style.PAPER)
    ax.set_title("title")
    written = svg.to_svg(figure)
    over, title = (re.search(rf"<text[^>]*>{text}</text>", written) for text in ("over", "title"))
    assert over
    assert "fill: #ffffff" in over[0]
    assert title
    assert "fill: var(--figure-ink" in title[0]
    assert "data:image/png;base64," in written


def test_powers_on_a_logarithmic_axis_have_no_small_exponents() -> None:
    figure, ax = style.single(4, 3)
    ax.plot([1, 2], [1e-5, 1])
    ax.set_yscale("log")
    written = svg.to_svg(figure)
    assert ">10⁻³</text>" in written
    assert len(set(sizes(written))) == 1


def test_a_hatch_stays_dark_on_colours_and_follows_the_theme_on_paper() -> None:
    figure, ax = style.single(4, 3)
    ax.bar([0], [1], **style.bar(1))
    ax.bar([1], [1], facecolor=style.PAPER, hatch="//", edgecolor=style.INK)
    coloured, plain = re.findall(r"<pattern.*?</pattern>", svg.to_svg(figure), re.DOTALL)
    assert "--figure-hatch" in coloured
    assert "--figure-hatch" not in plain
    assert "--figure-ink" in plain
