"""The style that all figures share: colours, line styles, axes, labels, and writing to a file.

Every colour and colour map of the course is named here and nowhere else: to change the theme, change this module.
People with colour-blindness can tell the colours apart; lines and bars also differ by dashes, markers or hatches.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from deepernets.files import write_atomically

STYLE = "seaborn-v0_8-whitegrid"
# Seaborn's colour-blind-safe palette, without importing seaborn, which takes as long as PyTorch.
PALETTE: list[Any] = [
    *map(to_rgb, ("#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc")),
    *map(to_rgb, ("#ca9161", "#fbafe4", "#949494", "#ece133", "#56b4e9")),
]
INK, PAPER = "black", "white"
GUIDE = "0.35"  # reference lines, outlines and remarks
TEXT, GRID = "0.15", "0.8"  # of matplotlib's style
LINK = "0.6"  # lines that join marks
FILL = "0.85"  # areas in the background
SEQUENTIAL = "cividis"  # from low to high, such as shares
DIVERGING = "PuOr_r"  # from negative to positive: the ends also differ in lightness
CARD_GROUND, CARD_IMAGE = "#14263d", "#2a6db3"  # of the picture for links; the logo has the second, too
HEAT = "inferno"  # heat maps that are laid over images
GREY_IMAGE = "gray"  # images of one channel
SHADES = "Greys"  # from absent to present
CHANNEL_COLOURS = {
    1: {"grey": GUIDE},
    3: {"red": PALETTE[3], "green": PALETTE[2], "blue": PALETTE[0]},
}

DASHES = ("-", "--", ":", "-.")
MARKERS = "os^Dv<>Pp*"
HATCHES = ("", "//", "..", "xx")
SMALL = 9  # font size of legends, numbers and remarks
CENTRED: dict[str, Any] = {"ha": "center", "va": "center"}
# A background for numbers, so that no grid line runs through them.
PLAIN: dict[str, Any] = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.0}
STAY_WIDE = "stay-wide"  # the `gid` of a figure that a phone shows in full size, to be scrolled
NOTHING = "No runs have been recorded yet."


def subplots(rows: int, columns: int, width: float, height: float) -> tuple[Figure, np.ndarray]:
    """Return a figure of a size in inches and its (rows, columns) axes.

    The figure is detached from pyplot, so that a notebook shows it once.
    """
    with plt.style.context(STYLE), plt.ioff():
        figure, axes = plt.subplots(
            rows, columns, figsize=(width, height), squeeze=False, layout="constrained"
        )
    plt.close(figure)
    FigureCanvasAgg(figure)  # else matplotlib makes and keeps a canvas of the figure's size per tick label
    return figure, axes


def single(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a figure of a size in inches and its only axes."""
    figure, axes = subplots(1, 1, width, height)
    return figure, axes[0, 0]


def series(number: int) -> dict[str, Any]:
    """Return colour, line style and marker of the `number`-th series of a chart, for `Axes.plot`."""
    return {
        "color": PALETTE[number % len(PALETTE)],
        "linestyle": DASHES[number % len(DASHES)],
        "marker": MARKERS[number % len(MARKERS)],
    }


def bar(number: int) -> dict[str, Any]:
    """Return colour and hatch of the `number`-th part of a stacked bar, for `Axes.barh`."""
    return {"color": PALETTE[number % len(PALETTE)], "hatch": HATCHES[number % len(HATCHES)]}


def draw_lines(
    ax: Axes, lines: Mapping[str, tuple[Iterable[float], Iterable[float]]], **options: Any
) -> None:
    """Draw a labelled line for each name, from its x and y, and a legend.

    Args:
        ax: Where to draw.
        lines: By name, x and y.
        options: For `Axes.plot`, over those of `series`.
    """
    for number, (name, (x, y)) in enumerate(lines.items()):
        ax.plot(list(x), list(y), label=name, **{"markersize": 5, **series(number), **options})
    if lines:
        ax.legend(fontsize=SMALL)


def whole_numbers(axis: Axis) -> None:
    """Put the ticks of an axis at whole numbers only."""
    locator: Any = axis.get_major_locator()
    locator.set_params(integer=True)


def log_ticks(axis: Axis, ticks: Sequence[float]) -> None:
    """Label these places of a logarithmic axis, and no others."""
    axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()


def label_decades(axis: Axis, digits: str) -> None:
    """Label a logarithmic axis at powers of ten, and between them at numbers that begin with one of `digits`."""
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in digits else "")


def label_percent(axis: Axis) -> None:
    """Label an axis of shares in per cent, with as many digits as its ticks need."""
    axis.set_major_formatter(lambda share, _: f"{100 * share:.4g}\N{NO-BREAK SPACE}%")


def share_y(axes: Collection[Axes]) -> None:
    """Give axes the same vertical range: from 0 or below to the highest upper end of those with data."""
    low, high = np.array([ax.get_ylim() for ax in axes if ax.has_data()] or [(0, 1)]).T
    for ax in axes:
        ax.set_ylim(min(0, low.min()), high.max())


def name_rows(ax: Axes, names: Sequence[str]) -> None:
    """Name the rows of a chart whose rows are at heights 0, 1, …; the first one is on top."""
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(max(len(names), 1) - 0.5, -0.5)


def annotate(ax: Axes, text: str, place: tuple[float, float], **options: Any) -> None:
    """Write `text` to the right of a place (x, y) of the data; `xytext` is how far away, in points."""
    options = {"xytext": (5, 0), "va": "center", "fontsize": SMALL, **options}
    ax.annotate(text, place, textcoords="offset points", **options)


def legend_outside(figure: Figure, side: str = "upper", columns: int | None = None) -> None:
    """Put one legend for all axes above (``upper``) or below (``lower``) them, each label once."""
    found = {
        label: handle
        for ax in figure.axes
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    look: dict[str, Any] = {"loc": f"outside {side} center", "ncols": columns or len(found), "numpoints": 1}
    figure.legend(list(found.values()), list(found), fontsize=SMALL, frameon=False, **look)


def say_if_empty(ax: Axes, empty: bool) -> None:
    """Write into empty axes that nothing has been recorded yet."""
    if empty:
        ax.text(0.5, 0.5, NOTHING, transform=ax.transAxes, color=GUIDE, **CENTRED)


def hide_axes(axes: Iterable[Axes]) -> None:
    """Hide the frame and the ticks of axes."""
    for ax in axes:
        ax.axis("off")


def show_image(ax: Axes, pixels: Tensor, canvas: int | None = None) -> None:
    """Draw an image, grey where it has one channel.

    Args:
        ax: Where to draw.
        pixels: (C, H, W): uint8; or of any type if C is 1, then the least value is black and the greatest white.
        canvas: Side in pixels of the square in whose middle the image is drawn, so that the pixels of several
            images have one size; the image fills the axes without it.
    """
    image: Any = pixels.permute(1, 2, 0).squeeze(-1).numpy()
    ax.imshow(image, cmap=GREY_IMAGE if image.ndim == 2 else None, interpolation="nearest")
    if canvas:
        height, width = pixels.shape[1:]
        ax.set_xlim((width - canvas) / 2 - 0.5, (width + canvas) / 2 - 0.5)
        ax.set_ylim((height + canvas) / 2 - 0.5, (height - canvas) / 2 - 0.5)


def stretched(values: Tensor) -> Tensor:
    """Return values as uint8, the least one 0 and the greatest 255.

    >>> stretched(torch.tensor([-1.0, 0.0, 1.0]))
    tensor([  0, 128, 255], dtype=torch.uint8)
    """
    low, high = values.min(), values.max()
    return ((values - low) / (high - low) * 255).round().to(torch.uint8)


def draw_square(
    ax: Axes, middle: tuple[float, float], side: float, linestyle: str = "-", on_map: bool = False
) -> None:
    """Draw the outline of a square around a pixel.

    Args:
        ax: Where to draw.
        middle: x and y of the square's centre, in pixels.
        side: In pixels.
        linestyle: Of the outline.
        on_map: Whether the ground is a dark map; else the line can be seen on light and on dark images.
    """
    corner = (middle[0] - side / 2, middle[1] - side / 2)
    lines = [(PAPER, 1.8, linestyle)] if on_map else [(PAPER, 3.5, "-"), (INK, 1.5, linestyle)]
    for colour, width, dashes in lines:
        outline = Rectangle(corner, side, side, fill=False, edgecolor=colour)
        outline.set(linewidth=width, linestyle=dashes)
        ax.add_patch(outline)


def save(figure: Figure, path: Path, dpi: int = 130) -> Path:
    """Write a figure as PNG with so many pixels per inch, atomically, and return its path."""
    write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=dpi, format="png"))
    return path
