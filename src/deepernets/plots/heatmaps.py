"""Pictures that hold one way of looking inside against another, or a trained network against an untrained one."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from deepernets.plots.style import MARKERS, PALETTE, draw, grid


def compared(
    pixels: Tensor, heat_maps: Mapping[str, Tensor | Sequence[Tensor]], titles: Sequence[str]
) -> Figure:
    """Draw images (N, C, H, W), and below them one row of heat maps (N, h, w) laid over them for each name.

    Each map is stretched to its own range.
    """
    figure, axes = grid(
        len(heat_maps) + 1, len(pixels), width=1.35 * len(pixels), height=1.55 * (len(heat_maps) + 1)
    )
    for ax, image, title in zip(axes[0], pixels, titles, strict=True):
        draw(ax, image)
        ax.set_title(title, fontsize=9)
    for row, (name, maps) in zip(axes[1:], heat_maps.items(), strict=True):
        row[0].set_title(name, loc="left", fontsize=9)
        for ax, image, warm in zip(row, pixels, maps, strict=True):
            draw(ax, image)
            side = image.shape[-1] - 0.5
            extent = (-0.5, side, side, -0.5)
            ax.imshow(warm.cpu().numpy(), cmap="inferno", alpha=0.65, extent=extent, interpolation="bilinear")
    for ax in axes.flat:
        ax.axis("off")
    return figure


def drawings(points: Mapping[str, Tensor], labels: Tensor, classes: Sequence[str]) -> Figure:
    """Draw the same images as points (N, 2) in several ways, with a colour and a marker for each class."""
    rows = -(-len(points) // 2)
    figure, axes = grid(rows, 2, width=7.5, height=3.4 * rows)
    for ax, (name, places) in zip(axes.flat, points.items(), strict=False):
        for number, label in enumerate(classes):
            x, y = places[labels == number].T.cpu().numpy()
            ax.scatter(x, y, s=14, alpha=0.6, color=PALETTE[number], marker=MARKERS[number], label=label)
        ax.set_title(name, fontsize=10)
        ax.tick_params(labelsize=7)
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=len(names), fontsize=9, frameon=False)
    return figure


def similarities(values: Sequence[Sequence[float]], names: Sequence[str]) -> Figure:
    """Draw how alike layers are, a square for each pair with its value from 0 to 1 written in."""
    figure, axes = grid(1, 1, width=5.5, height=4.6)
    ax = axes[0, 0]
    ax.imshow(np.array(values), cmap="cividis", vmin=0, vmax=1)
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            colour = "black" if value > 0.5 else "white"
            ax.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=9)
    ax.set_xticks(range(len(names)), names, rotation=40, ha="right", fontsize=9)
    ax.set_yticks(range(len(names)), names, fontsize=9)
    ax.grid(visible=False)
    return figure
