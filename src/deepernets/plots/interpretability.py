"""Figures of what a trained network does with images: filters, feature maps, heat maps, features, confidence."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from deepernets.analysis.interpretability import Calibration
from deepernets.plots import style


def first_layer_filters(weights: Tensor) -> Figure:
    """Draw the kernels of a first convolution (C, 3, k, k) as images, each stretched to its own range."""
    columns = 8
    rows = -(-len(weights) // columns)
    figure, axes = style.subplots(rows, columns, width=columns, height=rows)
    style.hide_axes(axes.flat)
    for ax, kernel in zip(axes.flat, weights.cpu(), strict=False):
        style.show_image(ax, style.stretched(kernel))
    return figure


def feature_maps(pixels: Tensor, by_layer: Mapping[str, Tensor], shown: int = 8) -> Figure:
    """Draw an image (C, H, W) and, one row per layer, the first feature maps (C, h, w) of that layer."""
    figure, axes = style.subplots(len(by_layer), shown + 1, width=shown + 1.5, height=1.25 * len(by_layer))
    style.hide_axes(axes.flat)
    for row, (name, maps) in zip(axes, by_layer.items(), strict=True):
        style.show_image(row[0], pixels)
        row[0].set_title(name, loc="left", fontsize=style.SMALL)
        for ax, one in zip(row[1:], maps, strict=False):
            ax.imshow(one.cpu().numpy(), cmap=style.SEQUENTIAL)
    return figure


def heat_maps(
    pixels: Tensor, by_method: Mapping[str, Tensor | Sequence[Tensor]], titles: Sequence[str]
) -> Figure:
    """Draw images, and below them one row of heat maps laid over them for each method or network.

    Args:
        pixels: (N, C, H, W), uint8.
        by_method: By name, N heat maps (h, w); each is stretched to its own range.
        titles: One for each image.
    """
    figure, axes = style.subplots(
        len(by_method) + 1, len(pixels), width=1.45 * len(pixels), height=1.65 * (len(by_method) + 1)
    )
    style.hide_axes(axes.flat)
    for ax, image, title in zip(axes[0], pixels, titles, strict=True):
        style.show_image(ax, image)
        ax.set_title(title, fontsize=style.SMALL)
    for row, (name, maps) in zip(axes[1:], by_method.items(), strict=True):
        row[0].set_title(name, loc="left", fontsize=style.SMALL)
        for ax, image, heat in zip(row, pixels, maps, strict=True):
            style.show_image(ax, image)
            side = image.shape[-1] - 0.5
            extent = (-0.5, side, side, -0.5)
            ax.imshow(
                heat.cpu().numpy(), cmap=style.HEAT, alpha=0.65, extent=extent, interpolation="bilinear"
            )
    return figure


def projected_features(points: Mapping[str, Tensor], labels: Tensor, classes: Sequence[str]) -> Figure:
    """Draw images as points in one or several projections, with a colour and a marker for each class.

    Args:
        points: By the projection's name, (N, 2).
        labels: (N,) class indices.
        classes: Names of the classes.
    """
    columns = min(2, len(points))
    rows = -(-len(points) // columns)
    figure, axes = style.subplots(rows, columns, width=2 + 2.75 * columns, height=0.6 + 3.3 * rows)
    for ax, (name, places) in zip(axes.flat, points.items(), strict=False):
        for number, label in enumerate(classes):
            x, y = places[labels == number].T.cpu().numpy()
            look = {
                "color": style.PALETTE[number % len(style.PALETTE)],
                "marker": style.MARKERS[number % len(style.MARKERS)],
            }
            ax.scatter(x, y, s=14, alpha=0.6, label=label, **look)
        ax.set_title(name, fontsize=10)
        ax.tick_params(labelsize=7)
    style.legend_outside(figure, columns=min(len(classes), 5))
    return figure


def layer_similarities(values: Sequence[Sequence[float]], names: Sequence[str]) -> Figure:
    """Draw how similar layers are, a square for each pair with its value from 0 to 1 written in."""
    figure, ax = style.single(5.5, 4.6)
    ax.imshow(np.array(values), cmap=style.SEQUENTIAL, vmin=0, vmax=1)
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            colour = style.INK if value > 0.5 else style.PAPER
            ax.text(column, row, f"{value:.2f}", color=colour, fontsize=style.SMALL, **style.CENTRED)
    ax.set_xticks(range(len(names)), names, rotation=40, ha="right", fontsize=style.SMALL)
    ax.set_yticks(range(len(names)), names, fontsize=style.SMALL)
    ax.grid(visible=False)
    return figure


def reliability_diagrams(calibrations: Mapping[str, Calibration]) -> Figure:
    """Draw accuracy against confidence, a panel for each name, the area of a dot for the images of its bin."""
    figure, axes = style.subplots(1, len(calibrations), width=3.7 * len(calibrations), height=3.6)
    for ax, (name, calibration) in zip(axes[0], calibrations.items(), strict=True):
        filled = calibration.count > 0
        confidence, accuracy = calibration.confidence[filled], calibration.accuracy[filled]
        ax.plot([0, 1], [0, 1], color=style.GUIDE, linestyle="--", linewidth=1)
        ax.vlines(confidence, accuracy, confidence, color=style.PALETTE[1], linewidth=2)
        sizes = 12 + 500 * calibration.count[filled] / calibration.count.sum()
        ax.scatter(confidence, accuracy, s=sizes, color=style.PALETTE[0], zorder=3)
        ax.set(xlabel="confidence", xlim=(min(0.25, *(confidence - 0.05)), 1.03), ylim=(0, 1.05))
        ax.set_title(f"{name}\ncalibration error {calibration.error:.1%}", fontsize=10)
    axes[0, 0].set_ylabel("accuracy")
    return figure


def loss_along_line(shares: Sequence[float], losses: Mapping[str, Sequence[float]]) -> Figure:
    """Draw losses along a straight line through the weights, from untrained (0) to trained (1) and beyond."""
    figure, ax = style.single(6, 3.6)
    style.draw_lines(ax, {name: (shares, values) for name, values in losses.items()})
    for place, name in ((0, "untrained"), (1, "trained")):
        ax.axvline(place, color=style.INK, linewidth=1, linestyle=":")
        ax.annotate(name, (place, ax.get_ylim()[1]), ha="center", va="bottom", fontsize=style.SMALL)
    ax.set(xlabel="share of the way", ylabel="cross-entropy (nats)")
    return figure


def class_templates(weights: Tensor, classes: Sequence[str]) -> Figure:
    """Draw each class's weights in a linear model as an image: pixels for the class, and pixels against it.

    Args:
        weights: (K, P) of a linear model, where P pixels make a square image.
        classes: Names of the K classes.
    """
    side, columns = round(weights.shape[1] ** 0.5), 5
    rows = -(-len(classes) // columns)
    figure, axes = style.subplots(rows, columns, width=1.6 * columns + 1, height=1.8 * rows)
    limit = float(weights.abs().max())
    style.hide_axes(axes.flat)
    for ax, name, row in zip(axes.flat, classes, weights, strict=False):
        shown = ax.imshow(row.view(side, side).numpy(), cmap=style.DIVERGING, vmin=-limit, vmax=limit)
        ax.set_title(name, fontsize=10)
    figure.colorbar(shown, ax=list(axes.flat), label="against    weight    for", shrink=0.8)
    return figure
