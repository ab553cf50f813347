"""Figures of the book's pages as SVG: real text, the theme's colours in light and dark, legible on a phone.

The labs show PNG, which GitHub and Colab can show. A page gets SVG where the environment variable
``DEEPERNETS_FIGURES`` is ``svg``, as `make book` sets it. ``book/_static/figures.css`` gives each colour of `style`
its value in either theme.
"""

import re
import warnings
from collections.abc import Iterator
from io import StringIO
from typing import Any
from xml.etree import ElementTree

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import LogFormatterSciNotation

from deepernets.plots import style

COLOURS = {
    to_hex(style.INK): "ink",
    to_hex(style.TEXT): "ink",
    to_hex(style.PAPER): "paper",
    to_hex(style.GRID): "grid",
    to_hex(style.GUIDE): "guide",
    to_hex(style.LINK): "link",
    to_hex(style.FILL): "fill",
    **{to_hex(colour): f"series-{number}" for number, colour in enumerate(style.PALETTE)},
}
ON_IMAGE = "on-image"  # what is drawn over an image keeps its colours, as the image does
NARROW, LARGE = 4.5, 11  # inches and points: 12 pixels on a phone, where a column is 358 pixels wide
WIDE = 7.15  # inches: a column on a large screen
LEAST_SHARE = 0.5  # of the width of a narrow figure, for what is inside its axes
LONG_LEGEND = 4  # entries; a longer one would hide what a narrow figure shows
RAISED = str.maketrans("0123456789-−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁻")


class PlainPowers(LogFormatterSciNotation):
    """The labels of a logarithmic axis with exponents that are characters: set smaller, they would be illegible."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return the label of a tick."""
        label = re.sub(r"\^\{(.*?)\}", lambda found: found[1].translate(RAISED), super().__call__(x, pos))
        return re.sub(r"\$|\\mathdefault|[{}]", "", label).replace(r"\times", "×")


def to_svg(figure: Figure) -> str:
    """Return a figure as an SVG element whose colours are variables of the page's style.

    The figure's size and its texts change. Identifiers are kept only where the figure refers to them.
    """
    _fit(figure)
    for ax in figure.axes:
        _mark_on_image(ax)
    written = StringIO()
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": "deepernets"}):
        look: dict[str, Any] = {"facecolor": "none", "bbox_inches": "tight", "pad_inches": 0.03}
        figure.savefig(written, format="svg", metadata={"Date": None}, **look)
    root = ElementTree.fromstring(written.getvalue())
    used = set(re.findall(r"#([\w-]+)", " ".join(_references(root))))
    _rewrite(root, used)
    root.set("xmlns", "http://www.w3.org/2000/svg")
    return ElementTree.tostring(root, encoding="unicode")


def show_figures() -> None:
    """Show the figures of this process as SVG, if it executes a page."""
    from IPython import get_ipython
    from IPython.display import display

    def show(figure: Figure) -> None:
        display({"image/svg+xml": to_svg(figure), "text/plain": repr(figure)}, raw=True)

    if shell := get_ipython():
        shell.display_formatter.ipython_display_formatter.for_type(Figure, show)


def _fit(figure: Figure) -> None:
    """Make a figure narrow enough for a phone if its panels remain wide enough, and enlarge its small texts."""
    width, height = figure.get_size_inches()
    if _can_be_narrow(figure):
        sizes = [(text, text.get_fontsize()) for text in figure.findobj(Text)]
        figure.set_size_inches(min(width, NARROW), height)
        _enlarge(figure, LARGE)
        if _share_of_panels(figure) >= LEAST_SHARE:
            _long_legend_above(figure)
            return
        for text, size in sizes:
            text.set_fontsize(size)
    figure.set_size_inches(min(width, WIDE), height)
    _enlarge(figure, style.SMALL)


def _share_of_panels(figure: Figure) -> float:
    """Return the width of the panels as a share of the figure's; 0 if its names leave no room for them."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        try:
            figure.draw_without_rendering()
        except UserWarning:
            return 0.0
    return float(figure.axes[0].get_position().width)


def _can_be_narrow(figure: Figure) -> bool:
    """Return whether the figure has a single column of panels and is not to stay wide; a colour bar is no panel."""
    columns = {spec.colspan.start for ax in figure.axes if (spec := ax.get_subplotspec())}
    return columns == {0} and figure.get_gid() != style.STAY_WIDE


def _long_legend_above(figure: Figure) -> None:
    legend = figure.axes[0].get_legend()
    figure.set_layout_engine("none")  # it is laid out; to do so once more takes as long as to draw it
    if legend and len(legend.get_texts()) > LONG_LEGEND:
        legend.remove()
        figure.set_layout_engine("constrained")
        width, height = figure.get_size_inches()
        figure.set_size_inches(width, height + 0.13 * len(legend.get_texts()))
        style.legend_outside(figure, columns=2)
        _enlarge(figure, LARGE)


def _enlarge(figure: Figure, least: float) -> None:
    for text in figure.findobj(Text):
        text.set_fontsize(max(text.get_fontsize(), least))
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            _raise_exponents(axis)
            for which in ("major", "minor"):
                size = max([least, *(label.get_fontsize() for label in axis.get_ticklabels(which=which))])
                axis.set_tick_params(which=which, labelsize=size)


def _raise_exponents(axis: Axis) -> None:
    for formatter, place in (
        (axis.get_major_formatter(), axis.set_major_formatter),
        (axis.get_minor_formatter(), axis.set_minor_formatter),
    ):
        if type(formatter) is LogFormatterSciNotation:
            place(PlainPowers(getattr(axis.get_transform(), "base", 10), formatter.labelOnlyBase))


def _mark_on_image(ax: Axes) -> None:
    if ax.images or any(isinstance(drawn, QuadMesh) for drawn in ax.collections):
        for artist in (ax.patch, *ax.texts, *ax.patches, *ax.lines):
            artist.set_gid(ON_IMAGE)


def _references(root: ElementTree.Element) -> Iterator[str]:
    for element in root.iter():
        for name, value in element.items():
            if "url(" in value or name.endswith("href"):
                yield value[:200]


def _rewrite(element: ElementTree.Element, used: set[str], on_image: bool = False) -> None:
    """Rewrite an element and what is in it for a page: names without a namespace, colours, numbers, identifiers."""
    element.tag = element.tag.split("}")[1]
    attributes = {name.split("}")[-1]: value for name, value in element.items()}
    if attributes.get("id", "").startswith(ON_IMAGE):
        on_image, attributes["class"] = True, ON_IMAGE
    if attributes.get("id") not in used:
        attributes.pop("id", None)
    for name, value in attributes.items():
        if name in {"style", "fill", "stroke"}:
            attributes[name] = _page_style(value, on_image)
        elif name in {"d", "x", "y", "transform", "points"}:
            attributes[name] = re.sub(r"(\.\d\d)\d+", r"\1", value)
    element.attrib.clear()
    element.attrib.update(attributes)
    element.tail = None
    if element.tag not in {"text", "tspan", "style"}:
        element.text = None
    for child in list(element):
        if child.tag.endswith("}metadata"):
            element.remove(child)
        else:
            _rewrite(child, used, on_image)
    if element.tag == "g" and "style" not in element.attrib:
        _share_style(element)
    if element.tag == "pattern" and "--figure-series" in element[0].get("fill", ""):
        for child in element[1:]:  # a hatch is dark on a colour, in the dark theme, too
            child.set("style", child.get("style", "").replace("--figure-ink", "--figure-hatch"))


def _share_style(group: ElementTree.Element) -> None:
    """Give a group the style that all its elements have: a series of marks then names it once."""
    styles = {child.get("style") for child in group}
    if len(group) > 1 and len(styles) == 1 and (style_of_all := styles.pop()):
        group.set("style", style_of_all)
        for child in group:
            del child.attrib["style"]


def _page_style(declarations: str, on_image: bool) -> str:
    def variable(found: re.Match[str]) -> str:
        return f"var(--figure-{COLOURS[found[0]]}, {found[0]})" if found[0] in COLOURS else found[0]

    kept = [one for one in declarations.split("; ") if not one.startswith("font-family")]
    return "; ".join(kept if on_image else (re.sub(r"#[0-9a-f]{6}\b", variable, one) for one in kept))
