"""What all pictures share: palette, axes, one image, writing to a file."""

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from torch import Tensor

from deepernets.files import write_atomically

# Seaborn's colour-blind-safe palette and its white grid, without importing seaborn, which takes as long as PyTorch.
PALETTE: list[Any] = [
    to_rgb(colour)
    for colour in (
        "#0173b2",
        "#de8f05",
        "#029e73",
        "#d55e00",
        "#cc78bc",
        "#ca9161",
        "#fbafe4",
        "#949494",
        "#ece133",
        "#56b4e9",
    )
]
STYLE = "seaborn-v0_8-whitegrid"
DASHES = ("-", "--", ":", "-.")
MARKERS = "os^Dv<>Pp*"
PLAIN = {
    "facecolor": "white",
    "edgecolor": "none",
    "pad": 1.0,
}  # behind a number, so that no grid line runs through


def grid(rows: int, columns: int, width: float, height: float) -> tuple[Figure, np.ndarray]:
    """Return a figure and its (rows, columns) axes, detached from pyplot so that nothing shows it twice."""
    with plt.style.context(STYLE), plt.ioff():
        figure, axes = plt.subplots(
            rows, columns, figsize=(width, height), squeeze=False, layout="constrained"
        )
    plt.close(figure)
    FigureCanvasAgg(figure)  # else matplotlib makes and keeps a canvas of the figure's size per tick label
    return figure, axes


def draw(ax: Axes, pixels: Tensor) -> None:
    """Draw one uint8 image (C, H, W); grey where it has one channel."""
    picture: Any = pixels.permute(1, 2, 0).squeeze(-1).numpy()
    ax.imshow(picture, cmap="gray" if picture.ndim == 2 else None, interpolation="nearest")


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG, whole or not at all, and return its path."""
    write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=130, format="png"))
    return path
