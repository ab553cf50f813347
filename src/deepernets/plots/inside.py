"""Pictures of what a trained network does with an image."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from deepernets.analysis.interpretability import Calibration
from deepernets.data.images import Images
from deepernets.plots.style import MARKERS, PALETTE, draw, grid


def filters(weights: Tensor, columns: int = 8) -> Figure:
    """Draw the kernels of a first convolution (C, 3, k, k) as pictures, each stretched to its own range."""
    rows = -(-len(weights) // columns)
    figure, axes = grid(rows, columns, width=columns, height=rows)
    for ax in axes.flat:
        ax.axis("off")
    for ax, kernel in zip(axes.flat, weights.cpu(), strict=False):
        low, high = kernel.min(), kernel.max()
        draw(ax, ((kernel - low) / (high - low) * 255).to(torch.uint8))
    return figure


def maps(pixels: Tensor, by_layer: dict[str, Tensor], shown: int = 8) -> Figure:
    """Draw an image (C, H, W) and, one row per layer, the first maps (C, h, w) that it gives."""
    figure, axes = grid(len(by_layer), shown + 1, width=shown + 1.5, height=1.25 * len(by_layer))
    for row, (name, layer_maps) in zip(axes, by_layer.items(), strict=True):
        for ax in row:
            ax.axis("off")
        draw(row[0], pixels)
        row[0].set_title(name, loc="left", fontsize=9)
        for ax, one in zip(row[1:], layer_maps, strict=False):
            ax.imshow(one.cpu().numpy(), cmap="cividis")
    return figure


def heat(pixels: Tensor, heat_maps: Tensor | Sequence[Tensor], titles: Sequence[str]) -> Figure:
    """Draw images (N, C, H, W), and below each its heat map (h, w) laid over it."""
    figure, axes = grid(2, len(pixels), width=1.7 * len(pixels), height=3.8)
    for column, (image, warm, title) in enumerate(zip(pixels, heat_maps, titles, strict=True)):
        for ax in axes[:, column]:
            draw(ax, image)
            ax.axis("off")
        side = image.shape[-1] - 0.5
        axes[1, column].imshow(
            warm.cpu().numpy(),
            cmap="inferno",
            alpha=0.6,
            extent=(-0.5, side, side, -0.5),
            interpolation="bilinear",
        )
        axes[0, column].set_title(title, fontsize=9)
    return figure


def scatter(points: Tensor, labels: Tensor, classes: Sequence[str]) -> Figure:
    """Draw features projected on two directions (N, 2), with a colour and a marker for each class."""
    figure, axes = grid(1, 1, width=5.5, height=4)
    ax = axes[0, 0]
    for number, name in enumerate(classes):
        x, y = points[labels == number].T.cpu().numpy()
        marker = MARKERS[number % len(MARKERS)]
        ax.scatter(x, y, s=18, alpha=0.6, color=PALETTE[number % len(PALETTE)], marker=marker, label=name)
    ax.set(xlabel="first direction", ylabel="second direction")
    ax.legend(fontsize=8)
    return figure


def reliability(found: Calibration) -> Figure:
    """Draw accuracy against confidence, with the images of each bin below."""
    figure, axes = grid(2, 1, width=5, height=4.6)
    upper, lower = axes[:, 0]
    edges = torch.linspace(0, 1, len(found.count) + 1)
    middles = ((edges[1:] + edges[:-1]) / 2).numpy()
    upper.plot([0, 1], [0, 1], color="black", linestyle="--", label="as confident as right")
    upper.plot(found.confidence, found.accuracy, "o-", color=PALETTE[0], label="this network")
    upper.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.03), title=f"calibration error {found.error:.1%}")
    upper.legend(fontsize=8)
    lower.bar(middles, found.count, width=0.9 / len(middles), color=PALETTE[1])
    lower.set(xlabel="confidence", ylabel="images", xlim=(0, 1))
    return figure


def landscape(shares: Sequence[float], losses: dict[str, Sequence[float]]) -> Figure:
    """Draw losses along a line through weights, from untrained (0) to trained (1) and beyond."""
    figure, axes = grid(1, 1, width=6, height=3.6)
    ax = axes[0, 0]
    for number, (name, values) in enumerate(losses.items()):
        ax.plot(shares, values, color=PALETTE[number], marker=MARKERS[number], markersize=4, label=name)
    for place, name in ((0, "untrained"), (1, "trained")):
        ax.axvline(place, color="black", linewidth=1, linestyle=":")
        ax.annotate(name, (place, ax.get_ylim()[1]), ha="center", va="bottom", fontsize=9)
    ax.set(xlabel="share of the way", ylabel="cross-entropy (nats)")
    ax.legend(fontsize=8)
    return figure


def by_class(images: Images, per_class: int, classes: Sequence[str]) -> Tensor:
    """Return the positions of the first `per_class` images of each class."""
    first = [(images.labels == number).nonzero().flatten()[:per_class] for number in range(len(classes))]
    return torch.cat(first)
