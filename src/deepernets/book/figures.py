"""Figures in the book's pages: what `deepernets.plots.svg` wrote becomes part of the page, with its description.

A picture that a page loads from a file takes no colours of the page. `deepernets.book.pages` registers
`InlineFigures` with Sphinx.
"""

import html
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

LEAST_TEXT = 12  # pixels: a figure whose text would become smaller is scrolled instead
PIXELS = 1.1 * 96 / 72  # a point on a wide screen; 10-point texts are slightly smaller than the page's


class InlineFigures(SphinxPostTransform):
    """Replace pictures in SVG files by their content."""

    default_priority = 400
    formats = ("html",)

    def run(self, **_: Any) -> None:
        """Replace them in one document."""
        for number, image in enumerate(list(self.document.findall(nodes.image))):
            path = Path(self.env.srcdir) / image["uri"].lstrip("/")
            if path.suffix == ".svg" and "jupyter_execute" in path.parts:  # a cell's output
                svg = path.read_text(encoding="utf-8")
                figure = page_figure(svg, image.get("alt", ""), prefix=f"figure{number}-")
                image.replace_self(nodes.raw("", figure, format="html"))


def page_figure(svg: str, description: str, prefix: str) -> str:
    """Return a figure as HTML: in a box that scrolls where the screen is narrower.

    Args:
        svg: As `deepernets.plots.svg.to_svg` writes it.
        description: The alternative text.
        prefix: For its identifiers, to tell them from other figures'.

    >>> page = page_figure('<svg viewBox="0 0 90 50" width="90pt"></svg>', "A line.", "a-")
    >>> page.splitlines()[1]
    '<svg role="img" aria-label="A line." viewBox="0 0 90 50" style="width: 132px; min-width: 0px"></svg>'
    """
    before, inside = re.split(r"(?<=>)", svg, maxsplit=1)
    view = re.search(r'viewBox="[\d.]+ [\d.]+ ([\d.]+) [\d.]+"', before)
    assert view is not None, before
    sizes = [float(size) for size in re.findall(r"font(?:-size)?: (?:[\w-]+ )*([\d.]+)px", inside)]
    least = float(view[1]) * LEAST_TEXT / min(sizes) if sizes else 0
    size = f"width: {float(view[1]) * PIXELS:.0f}px; min-width: {least:.0f}px"
    for reference in (r'(\bid=")', r"(url\(#)", r'(href="#)'):
        inside = re.sub(reference, rf"\g<1>{prefix}", inside)
    label = html.escape(description)
    return (
        '<div class="figure-box">\n'
        f'<svg role="img" aria-label="{label}" {view[0]} style="{size}">{inside}\n'
        "</div>"
    )
