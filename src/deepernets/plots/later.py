"""Pictures of the blocks after ResNet, and of what grouping leaves of a convolution."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deepernets.plots.style import PALETTE, grid


class Sketch(NamedTuple):
    """What a block's picture shows, from the input down.

    Attributes:
        branches: One sequence of steps for each way from x to the sum. A step in brackets is drawn in a box, for it
            has weights; with a star it is drawn as what is new. An empty sequence is the shortcut.
        behind: What follows the addition.
    """

    branches: tuple[tuple[str, ...], ...]
    behind: str = ""


SKETCHES = {
    "basic": Sketch((("[3×3, C]", "norm, ReLU", "[3×3, C]", "norm"), ()), "ReLU"),
    "pre-activation": Sketch((("norm, ReLU*", "[3×3, C]", "norm, ReLU*", "[3×3, C]"), ())),
    "wide": Sketch((("norm, ReLU", "[3×3, kC]*", "norm, ReLU", "dropout*", "[3×3, kC]*"), ())),
    "RepVGG": Sketch((("[3×3, C]", "norm"), ("[1×1, C]*", "norm*"), ("norm*",)), "ReLU"),
    "bottleneck": Sketch(
        (("[1×1, C/4]", "norm, ReLU", "[3×3, C/4]", "norm, ReLU", "[1×1, C]", "norm"), ()), "ReLU"
    ),
    "ResNeXt": Sketch(
        (("[1×1, C/2]*", "norm, ReLU", "[3×3, C/2,\n32 groups]*", "norm, ReLU", "[1×1, C]", "norm"), ()),
        "ReLU",
    ),
    "squeeze-and-excitation": Sketch(
        (("[1×1, C/4]", "norm, ReLU", "[3×3, C/4]", "norm, ReLU", "[1×1, C]", "norm", "[gate, C/16]*"), ()),
        "ReLU",
    ),
    "ConvNeXt": Sketch(
        (("[7×7, C, each\nchannel alone]*", "layer norm*", "[1×1, 4C]*", "GELU*", "[1×1, C]", "× γ*"), ())
    ),
}
HEIGHT = 8.6  # of a panel, in steps
WIDTH = 2.0  # between branches


def later_blocks() -> Figure:
    """Draw ResNet's two blocks and those after it, side by side: branches, shortcut, addition.

    What is new in a block has a thick dashed frame, or is written in italics where it has no weights.
    """
    figure, axes = grid(2, 4, width=9.2, height=8.4)
    for ax, (name, sketch) in zip(axes.flat, SKETCHES.items(), strict=True):
        _draw(ax, sketch)
        ax.set(xlim=(-1.75, 3.75 + WIDTH / 3), ylim=(-HEIGHT - 0.9, 0.5))
        ax.set_title(name, fontsize=11)
        ax.axis("off")
    return figure


def _draw(ax: Axes, sketch: Sketch) -> None:
    arrow: dict[str, Any] = {"arrowstyle": "->", "shrinkA": 0, "shrinkB": 0}
    sum_at = -HEIGHT + 0.9
    ax.text(0, 0.15, "x", ha="center", va="center", fontsize=10)
    for number, steps in enumerate(sketch.branches):
        x = WIDTH * number + (0.6 if number and not steps else 0)
        gap = (-sum_at - 0.9) / max(len(steps), 1)
        places = [-0.75 - gap * (row + 0.35) for row in range(len(steps))]
        colour, width = ("0.3", 1.2) if steps else (PALETTE[2], 2.2)
        start, end = (-0.35, sum_at) if number else (-0.05, sum_at + 0.3)
        ax.plot([x, x], [start, end], color=colour, linewidth=width, zorder=1)
        if number:
            ax.plot([0, x], [start, start], color=colour, linewidth=width, zorder=1)
            ax.annotate("", (0.32, sum_at), (x, sum_at), arrowprops={**arrow, "edgecolor": colour}, zorder=1)
        for step, y in zip(steps, places, strict=True):
            _draw_step(ax, x, y, step)
    circle = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": "black"}
    ax.text(0, sum_at, "+", ha="center", va="center", fontsize=10, bbox=circle, zorder=3)
    ax.annotate("", (0, -HEIGHT - 0.7), (0, sum_at - 0.3), arrowprops=arrow, zorder=1)
    if sketch.behind:
        _draw_step(ax, 0, -HEIGHT - 0.05, sketch.behind)


def _draw_step(ax: Axes, x: float, y: float, step: str) -> None:
    new, boxed = step.endswith("*"), step.startswith("[")
    words = step.removesuffix("*").strip("[]")
    frame: dict[str, Any] = {
        "boxstyle": "round,pad=0.35" if boxed else "square,pad=0.1",
        "facecolor": "white",
    }
    if boxed:
        frame |= {"edgecolor": PALETTE[1] if new else PALETTE[0], "linewidth": 2.6 if new else 1.4}
        frame |= {"linestyle": "--" if new else "-"}
    else:
        frame |= {"edgecolor": "none"}
    ax.text(
        x,
        y,
        words,
        ha="center",
        va="center",
        fontsize=10,
        bbox=frame,
        zorder=2,
        style="italic" if new else "normal",
    )


def channel_links(channels: int, groups: Sequence[int]) -> Figure:
    """Draw which channels in (columns) each channel out (rows) of a convolution is computed from, dark where it is.

    Args:
        channels: In and out.
        groups: One panel for each number of groups.
    """
    figure, axes = grid(1, len(groups), width=2.7 * len(groups), height=3.1)
    for ax, number in zip(axes[0], groups, strict=True):
        size = channels // number
        linked = torch.block_diag(*[torch.ones(size, size)] * number)
        ax.imshow(linked.numpy(), cmap="Greys", vmin=0, vmax=1.4, interpolation="nearest")
        name = {1: "one group: all", channels: f"{channels} groups: depthwise"}.get(
            number, f"{number} groups"
        )
        ax.set_title(f"{name}\n{int(linked.sum())} kernels", fontsize=10)
        ax.set(xlabel="channel in", ylabel="channel out" if ax is axes[0, 0] else "")
        ax.set_xticks([])
        ax.set_yticks([])
    return figure
