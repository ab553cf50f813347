"""Pictures of networks and their parts, before any training, and of the data."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from torch import nn

from deepernets.data.images import Images
from deepernets.models.counting import count_parameters
from deepernets.models.registry import build_model
from deepernets.models.vgg import CONFIGURATIONS
from deepernets.plots.style import PALETTE, PLAIN, draw, grid


def samples(images: Images, classes: Sequence[str], per_class: int = 8) -> Figure:
    """Draw the first `per_class` images of every class, one row per class."""
    figure, axes = grid(len(classes), per_class, width=per_class, height=1.1 * len(classes))
    for row, name in enumerate(classes):
        shown = (images.labels == row).nonzero().flatten()[:per_class]
        for column, ax in enumerate(axes[row]):
            ax.axis("off")
            if column < len(shown):
                draw(ax, images.pixels[shown[column]])
        axes[row, 0].set_title(name, loc="left", fontsize=10)
    return figure


def configuration_chart(classes: int = 1000) -> Figure:
    """Draw the parameters of VGG's six configurations: convolutions against fully-connected layers."""
    figure, axes = grid(1, 1, width=7.5, height=3.8)
    ax = axes[0, 0]
    for row, name in enumerate(CONFIGURATIONS):
        with torch.device("meta"):  # counted, never computed with
            network = build_model(f"vgg-{name.lower()}", classes=classes)
        convolutional, connected = _parameters_by_kind(network)
        ax.barh(row, convolutional, color=PALETTE[0], label="convolutions")
        ax.barh(
            row, connected, left=convolutional, color=PALETTE[1], hatch="//", label="fully-connected layers"
        )
        total = convolutional + connected
        ax.text(total + 1.5, row, f"{total:.1f}", va="center", bbox=PLAIN)
    ax.set(xlabel="millions of parameters", ylabel="configuration", xlim=(0, 165))
    ax.set_yticks(range(len(CONFIGURATIONS)), list(CONFIGURATIONS))
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles[:2], labels[:2], loc="upper center", bbox_to_anchor=(0.5, 1.16), ncols=2, frameon=False)
    return figure


def _parameters_by_kind(model: nn.Module) -> tuple[float, float]:
    """Return the millions of parameters in convolutions (and their norms) and in linear layers."""
    linear = sum(count_parameters(layer) for layer in model.modules() if isinstance(layer, nn.Linear))
    return (count_parameters(model) - linear) / 1e6, linear / 1e6
