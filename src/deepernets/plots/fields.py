"""Pictures of receptive fields: how they grow, and what a unit really sees."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor, nn

from deepernets.plots.style import DASHES, MARKERS, PALETTE, grid

if TYPE_CHECKING:
    from pandas import DataFrame


def growth(fields: "Mapping[str, DataFrame]", image_side: int) -> Figure:
    """Draw the widest receptive field up to each layer of some networks; shortcuts see less than branches.

    Args:
        fields: By name what `deepernets.receptive_field(network, in_shape)` returns.
        image_side: Height of the images in pixels, drawn as a line: fields beyond it reach over the edge.
    """
    figure, axes = grid(1, 1, width=7.5, height=3.8)
    ax = axes[0, 0]
    for number, (name, rows) in enumerate(fields.items()):
        ax.plot(
            range(1, len(rows) + 1), rows["receptive_field"].cummax(), color=PALETTE[number], label=name,
            linestyle=DASHES[number % len(DASHES)], marker=MARKERS[number % len(MARKERS)], markersize=3,
        )  # fmt: skip
    ax.axhline(image_side, color="black", linewidth=1)
    ax.annotate(f"the image: {image_side} pixels", (1, image_side), xytext=(0, 3), textcoords="offset points")
    ax.set(xlabel="layer, ReLUs and normalisations included", ylabel="receptive field (pixels)")
    ax.legend()
    return figure


def gradient_map(network: nn.Module, size: int) -> Tensor:
    """Return how strongly each pixel of a random image moves the middle unit of a network's maps, (size, size).

    Luo et al. (2016) see the effective receptive field in it. Channels of the unit are summed before the gradient
    is taken, those of the image after it, without signs.

    Args:
        network: From images (1, 3, size, size) to maps (1, C, H, W).
        size: Side of the image in pixels.

    >>> (gradient_map(nn.Conv2d(3, 2, kernel_size=5, padding=2), size=9) > 0).any(dim=0).sum().item()
    5
    """
    image = torch.rand(1, 3, size, size, requires_grad=True)
    maps = network(image)
    middle = maps[0, :, maps.shape[2] // 2, maps.shape[3] // 2]
    return torch.autograd.grad(middle.sum(), image)[0][0].abs().sum(dim=0)


def seen(gradients: Mapping[str, Tensor], sides: Mapping[str, int]) -> Figure:
    """Draw how strongly each pixel moves the middle unit of a map, with the computed field around it.

    Args:
        gradients: By name the absolute gradients (H, W), as `gradient_map` returns them.
        sides: By name the side of the receptive field in pixels.
    """
    figure, axes = grid(1, len(gradients), width=3.4 * len(gradients), height=3.5)
    for ax, (name, gradient) in zip(axes[0], gradients.items(), strict=True):
        ax.imshow((gradient / gradient.max()).numpy(), cmap="cividis", vmin=0, vmax=1)
        rows, columns = (gradient > 0).nonzero(as_tuple=True)
        corner = (float(columns.min()) - 0.5, float(rows.min()) - 0.5)
        side = sides[name]
        ax.add_patch(
            Rectangle(corner, side, side, fill=False, edgecolor="white", linewidth=2, linestyle="--")
        )
        ax.set_title(f"{name}: {side} pixels", fontsize=10)
        ax.grid(False)
    return figure
