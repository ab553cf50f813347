"""Pictures of what is done to pictures, and of what test sets do to results."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from deepernets.plots.style import DASHES, MARKERS, PALETTE, draw, grid

CHANNELS = {1: ("grey",), 3: ("red", "green", "blue")}
CHANNEL_COLOURS = {"grey": "0.3", "red": PALETTE[3], "green": PALETTE[2], "blue": PALETTE[0]}


def visible(normalised: Tensor, limit: float = 2.5) -> Tensor:
    """Make normalised numbers visible: 0 becomes mid grey, -limit black and +limit white; beyond is cut off.

    Args:
        normalised: (…), float.
        limit: In standard deviations.

    Returns:
        uint8 of the same shape.

    >>> visible(torch.tensor([-9.0, 0.0, 2.5]))
    tensor([  0, 128, 255], dtype=torch.uint8)
    """
    return ((normalised / limit + 1) * 127.5).clamp(0, 255).round().to(torch.uint8)


def row(pictures: Mapping[str, Tensor], columns: int = 4) -> Figure:
    """Draw pictures (C, H, W), uint8, with their titles, so many beside each other, on a common scale of pixels."""
    rows = -(-len(pictures) // columns)
    figure, axes = grid(rows, columns, width=1.9 * columns, height=2.25 * rows)
    largest = max(max(picture.shape[1:]) for picture in pictures.values())
    for ax in axes.flat:
        ax.axis("off")
    for ax, (title, picture) in zip(axes.flat, pictures.items(), strict=False):
        _draw_whole(ax, picture, largest)
        ax.set_title(title, fontsize=8 + columns)
    return figure


def normalisation(steps: Mapping[str, Tensor], shown: int) -> Figure:
    """Draw one image after each step above the values that all images have after it.

    Args:
        steps: By title, (N, C, H, W) float; the values of every step are drawn in its own unit.
        shown: Which of the N images to draw; each step's least value is black and its greatest is white.
    """
    figure, axes = grid(2, len(steps), width=2.6 * len(steps), height=4.6)
    for column, (title, images) in enumerate(steps.items()):
        least, greatest = images.min(), images.max()
        picture = (images[shown] - least) / (greatest - least) * 255
        draw(axes[0, column], picture.round().to(torch.uint8))
        axes[0, column].set_title(title, fontsize=11)
        axes[0, column].axis("off")
        ax = axes[1, column]
        for number, name in enumerate(CHANNELS[images.shape[1]]):
            counts, edges = torch.histogram(images[:, number].flatten(), bins=64)
            centres = (edges[:-1] + edges[1:]) / 2
            share = 100 * counts / counts.sum()
            ax.plot(centres, share, DASHES[number], color=CHANNEL_COLOURS[name], label=name)
        ax.axvline(0, color="0.2", linewidth=1)
        ax.set(xlabel="value", ylim=(0, None), yticklabels=[])
    axes[1, 0].set_ylabel("share of pixels")
    axes[1, 0].legend(fontsize=9)
    return figure


def crop(padded: Tensor, corner: tuple[int, int], results: Mapping[str, Tensor]) -> Figure:
    """Draw a padded image with the window that is cut out of it, and what comes of it, pixels of one size.

    Args:
        padded: (C, H, W), uint8.
        corner: Top and left of the window.
        results: By title, the cut-out and its further versions, all of the window's size.
    """
    figure, axes = grid(1, 1 + len(results), width=1.9 * (1 + len(results)), height=2.4)
    largest = max(padded.shape[1:])
    height, width = next(iter(results.values())).shape[1:]
    for ax, (title, picture) in zip(axes[0], {"padded": padded, **results}.items(), strict=True):
        ax.axis("off")
        _draw_whole(ax, picture, largest)
        ax.set_title(f"{title}\n{picture.shape[1]}×{picture.shape[2]}", fontsize=11)
    top, left = corner
    for colour, line in (("white", 3.5), ("black", 1.5)):  # seen on dark and on light ground
        window = Rectangle((left - 0.5, top - 0.5), width, height, fill=False, edgecolor=colour)
        window.set_linewidth(line)
        axes[0, 0].add_patch(window)
    return figure


def differences(original: Tensor, copies: Mapping[str, Tensor]) -> Figure:
    """Draw an image and copies of it, with how much lighter or darker each pixel of a copy is, below.

    Args:
        original: (C, H, W), uint8.
        copies: By title, images of the same shape.
    """
    figure, axes = grid(2, 1 + len(copies), width=1.9 * (1 + len(copies)) + 0.6, height=4.1)
    for ax in axes.flat:
        ax.axis("off")
    draw(axes[0, 0], original)
    axes[0, 0].set_title("original", fontsize=11)
    changes = [(copy.float() - original.float()).mean(dim=0) for copy in copies.values()]
    limit = float(torch.stack(changes).abs().max().clamp(min=1))
    for column, (title, change) in enumerate(zip(copies, changes, strict=True), start=1):
        draw(axes[0, column], copies[title])
        axes[0, column].set_title(title, fontsize=11)
        shown = axes[1, column].imshow(change.numpy(), cmap="PuOr_r", vmin=-limit, vmax=limit)
        for at in range(8, original.shape[1], 8):  # JPEG's blocks
            axes[1, column].axhline(at - 0.5, color="0.5", linewidth=0.5)
            axes[1, column].axvline(at - 0.5, color="0.5", linewidth=0.5)
    figure.colorbar(shown, ax=axes[1, 0], location="left", fraction=0.5, aspect=8, label="grey levels")
    return figure


def luck(lines: Mapping[str, Mapping[int, float]], dots: Mapping[str, Mapping[int, float]]) -> Figure:
    """Draw what the best of several equally good networks seems to gain, against their number.

    Args:
        lines: By name, computed gains in points for each number of tries.
        dots: By the same names, or some of them, simulated gains.
    """
    figure, axes = grid(1, 1, width=7, height=3.8)
    ax = axes[0, 0]
    for number, (name, gains) in enumerate(lines.items()):
        colour = PALETTE[number]
        ax.plot(list(gains), list(gains.values()), DASHES[number], color=colour, linewidth=2, label=name)
        if name in dots:
            found = dots[name]
            ax.plot(list(found), list(found.values()), MARKERS[number], color=colour)
    ticks = sorted(
        {tries for gains in lines.values() for tries in gains if tries in (1, 2, 5, 10, 20, 50, 100)}
    )
    ax.set_xscale("log")
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.xaxis.minorticks_off()
    ax.set(xlabel="networks tried on the test set", ylabel="luck of the best, points", ylim=(0, None))
    ax.legend(fontsize=10)
    return figure


def ceilings(accuracies: Sequence[float], measured: Mapping[str, Sequence[float]]) -> Figure:
    """Draw the accuracy that is measured against the one a network has, for test sets with wrong labels.

    Args:
        accuracies: From 0 to 1, in ascending order; the last one's measurement is the ceiling.
        measured: By name of the test set, from 0 to 1, one for each accuracy.
    """
    figure, axes = grid(1, 1, width=6.5, height=4)
    ax, true = axes[0, 0], [100 * accuracy for accuracy in accuracies]
    for number, (name, shares) in enumerate(measured.items()):
        values = [100 * share for share in shares]
        ax.plot(true, values, DASHES[number], color=PALETTE[number], linewidth=2, label=name)
        ax.plot(true[-1], values[-1], MARKERS[number], color=PALETTE[number], markersize=8, clip_on=False)
    ax.set(xlabel="accuracy on right labels, %", ylabel="accuracy measured, %", xlim=(true[0], true[-1]))
    ax.legend(fontsize=10)
    return figure


def _draw_whole(ax: Axes, picture: Tensor, largest: int) -> None:
    """Draw an image in the middle of a square of `largest` pixels."""
    draw(ax, picture)
    height, width = picture.shape[1:]
    spare = [(largest - size) / 2 for size in (width, height)]
    ax.set_xlim(-0.5 - spare[0], width - 0.5 + spare[0])
    ax.set_ylim(height - 0.5 + spare[1], -0.5 - spare[1])
