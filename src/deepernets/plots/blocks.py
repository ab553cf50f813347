"""Pictures of residual blocks."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deepernets.plots.style import PALETTE, grid

# He et al. (2016), figure 5: what stands in each kind of block, from the input down.
KINDS = {
    "basic": ("3×3, C", "3×3, C"),
    "bottleneck": ("1×1, C", "3×3, C", "1×1, 4C"),
}
STEP = 1.3


def residual_blocks() -> Figure:
    """Draw a basic and a bottleneck block: the branch of convolutions, the shortcut, the addition."""
    figure, axes = grid(1, len(KINDS), width=7.5, height=4.4)
    for ax, (name, layers) in zip(axes[0], KINDS.items(), strict=True):
        _draw_block(ax, layers)
        ax.set(title=name, xlim=(-1.6, 2.6), ylim=(-STEP * (len(KINDS["bottleneck"]) + 2) + 0.4, 0.5))
        ax.axis("off")
    return figure


def _draw_block(ax: Axes, layers: tuple[str, ...]) -> None:
    below: dict[str, Any] = {"ha": "center", "va": "center"}
    ax.text(0, 0.1, "x", **below)
    for row, layer in enumerate(layers, 1):
        box = {"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": PALETTE[0], "linewidth": 2}
        ax.text(0, -STEP * row, layer, bbox=box, **below)
        ax.annotate(
            "",
            (0, -STEP * row + 0.35),
            (0, -STEP * (row - 1) - (0.35 if row > 1 else 0.1)),
            arrowprops={"arrowstyle": "->"},
        )
        if row < len(layers):
            ax.text(0.12, -STEP * (row + 0.5), "norm, ReLU", va="center", fontsize=9)
    end = -STEP * (len(layers) + 1)
    ax.annotate("", (0, end + 0.22), (0, end + STEP - 0.35), arrowprops={"arrowstyle": "->"})
    ax.text(0.12, end + STEP / 2, "norm", va="center", fontsize=9)
    circle = {"boxstyle": "circle,pad=0.25", "facecolor": "white", "edgecolor": "black"}
    ax.text(0, end, "+", bbox=circle, **below)
    ax.text(0.3, end - 0.3, "ReLU", va="center", fontsize=9)
    ax.annotate("", (0, end - 0.8), (0, end - 0.22), arrowprops={"arrowstyle": "->"})
    ax.plot([0, 1.6, 1.6, 0.14], [-0.25, -0.25, end, end], color=PALETTE[1], linewidth=2, linestyle="--")
    ax.text(1.7, end / 2, "shortcut", va="center", rotation=90, color="black", fontsize=9)
