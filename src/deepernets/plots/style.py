"""What all pictures share: palette, axes, one image, writing to a file."""

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from deepernets.training.records import write_whole

PALETTE = sns.color_palette("colorblind")
DASHES = ("-", "--", ":", "-.")


def grid(rows: int, columns: int, width: float, height: float) -> tuple[Figure, np.ndarray]:
    """Return a figure and its (rows, columns) axes, detached from pyplot so that nothing shows it twice."""
    with sns.axes_style("whitegrid"), plt.ioff():
        figure, axes = plt.subplots(
            rows, columns, figsize=(width, height), squeeze=False, layout="constrained"
        )
    plt.close(figure)
    return figure, axes


def draw(ax: Axes, pixels: Tensor) -> None:
    """Draw one uint8 image (C, H, W); grey where it has one channel."""
    picture: Any = pixels.permute(1, 2, 0).squeeze(-1).numpy()
    ax.imshow(picture, cmap="gray" if picture.ndim == 2 else None, interpolation="nearest")


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG, whole or not at all, and return its path."""
    write_whole(path, lambda temporary: figure.savefig(temporary, dpi=130, format="png"))
    return path
