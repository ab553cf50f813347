"""Pictures of digits, of what linear models see in them, and of results close to 100 %."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from deepernets.analysis.statistics import binomial_interval
from deepernets.data.images import Images
from deepernets.plots.style import PALETTE, draw, grid


def sheet(images: Images, classes: Sequence[str], per_class: int = 12) -> Figure:
    """Draw the first `per_class` images of every class in one picture, one row per class."""
    _, channels, height, width = images.pixels.shape
    tiles = torch.zeros(len(classes), per_class, channels, height, width, dtype=torch.uint8)
    for row in range(len(classes)):
        shown = images.pixels[images.labels == row][:per_class]
        tiles[row, : len(shown)] = shown
    mosaic = tiles.permute(2, 0, 3, 1, 4).reshape(channels, len(classes) * height, per_class * width)
    figure, axes = grid(1, 1, width=0.45 * per_class + 0.6, height=0.45 * len(classes) + 0.2)
    ax = axes[0, 0]
    draw(ax, mosaic)
    ax.set_yticks([(row + 0.5) * height for row in range(len(classes))], classes)
    ax.set_xticks([])
    ax.grid(visible=False)
    return figure


def versions(pictures: Mapping[str, Tensor]) -> Figure:
    """Draw versions of one image beside each other, pixels of the same size in all.

    Args:
        pictures: For each title an image (C, H, W) of one channel; its least value is drawn black, its greatest
            white.
    """
    largest = max(max(picture.shape[1:]) for picture in pictures.values())
    figure, axes = grid(1, len(pictures), width=2.6 * len(pictures), height=3.0)
    for ax, (title, picture) in zip(axes[0], pictures.items(), strict=True):
        ax.imshow(picture[0].numpy(), cmap="gray", interpolation="nearest")
        height, width = picture.shape[1:]
        ax.set_title(f"{title}\n{height}×{width}", fontsize=10)
        ax.set_xticks([0, width - 1])
        ax.set_yticks([0, height - 1])
        spare = [(largest - size) / 2 for size in (width, height)]
        ax.set_xlim(-0.5 - spare[0], width - 0.5 + spare[0])
        ax.set_ylim(height - 0.5 + spare[1], -0.5 - spare[1])
        ax.grid(visible=False)
    return figure


def templates(weights: Tensor, classes: Sequence[str], columns: int = 5) -> Figure:
    """Draw each class's weights as an image: what speaks for the class, and what against it.

    Args:
        weights: (K, P) of a linear model, where P pixels make a square image.
        classes: Names of the K classes.
        columns: Images in one row.
    """
    side = round(weights.shape[1] ** 0.5)
    rows = -(-len(classes) // columns)
    figure, axes = grid(rows, columns, width=1.6 * columns + 1, height=1.8 * rows)
    limit = float(weights.abs().max())
    for ax in axes.flat:
        ax.axis("off")
    for ax, name, row in zip(axes.flat, classes, weights, strict=False):
        # ends of the map differ in lightness from grey alone, and blue and orange are told apart by everybody
        shown = ax.imshow(row.view(side, side).numpy(), cmap="PuOr_r", vmin=-limit, vmax=limit)
        ax.set_title(name, fontsize=10)
    figure.colorbar(shown, ax=list(axes.flat), label="against    weight    for", shrink=0.8)
    return figure


def errors(results: Mapping[str, tuple[int, int]]) -> Figure:
    """Draw error rates as dots, with the 95 % interval that so many test images leave.

    Args:
        results: For each name, how many images were classified wrongly, and out of how many.
    """
    figure, axes = grid(1, 1, width=7.5, height=0.9 + 0.34 * len(results))
    ax = axes[0, 0]
    for row, (wrong, images) in enumerate(results.values()):
        low, high = (100 * (1 - share) for share in reversed(binomial_interval(images - wrong, images)))
        ax.plot([low, high], [row, row], color=PALETTE[0], linewidth=2)
        ax.plot([100 * wrong / images], [row], "o", color=PALETTE[0])
        ax.text(high, row, f"  {wrong} of {images:,}", va="center", fontsize=9)
    ax.set_yticks(range(len(results)), list(results))
    ax.set_ylim(len(results) - 0.5, -0.5)
    ax.set_xlim(0, ax.get_xlim()[1] * 1.2)  # room for the words
    ax.set(xlabel="test error in %, with its 95 % interval")
    return figure


def pairs(confused: Sequence[tuple[int, int, int, int]], classes: Sequence[str]) -> Figure:
    """Draw how often the two classes of each pair were taken for each other, either way.

    Args:
        confused: As `deepernets.analysis.baselines.confused_pairs` lists them: a, b, how many a were taken for
            b, how many b for a.
        classes: Names of all classes.
    """
    figure, axes = grid(1, 1, width=7.5, height=1.3 + 0.4 * len(confused))
    ax = axes[0, 0]
    for row, (_, _, forth, back) in enumerate(confused):
        ax.barh(row, forth, color=PALETTE[0], label="the first taken for the second")
        ax.barh(row, back, left=forth, color=PALETTE[1], hatch="//", label="the second taken for the first")
        ax.text(forth + back, row, f"  {forth} + {back}", va="center", fontsize=9)
    ax.set_yticks(range(len(confused)), [f"{classes[a]} and {classes[b]}" for a, b, _, _ in confused])
    ax.invert_yaxis()
    ax.set_xlim(0, 1.15 * max([1, *(forth + back for _, _, forth, back in confused)]))
    ax.set(xlabel="test images")
    ax.xaxis.get_major_locator().set_params(integer=True)
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles[:2], labels[:2], loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)
    return figure
