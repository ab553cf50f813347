"""Figures of images: samples, what augmentation and storage do to them, and what wrong labels do to results."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from deepernets.data.images import Images
from deepernets.plots import style

CROP = 224  # pixels, the side of VGG's and ResNet's crops


def class_samples(images: Images, classes: Sequence[str], per_class: int = 8) -> Figure:
    """Draw the first `per_class` images of every class, one row per class; missing images are white."""
    _, channels, height, width = images.pixels.shape
    gap = max(1, height // 16)  # between images, in pixels
    tile = (channels, height + gap, width + gap)
    tiles = torch.full((len(classes), per_class, *tile), 255, dtype=torch.uint8)
    for row in range(len(classes)):
        shown = images.pixels[images.labels == row][:per_class]
        tiles[row, : len(shown), :, :height, :width] = shown
    mosaic = tiles.permute(2, 0, 3, 1, 4).reshape(channels, len(classes) * tile[1], per_class * tile[2])
    side = min(0.9, 6 / per_class)  # of a tile, in inches
    figure, ax = style.single(side * per_class + 0.8, side * len(classes) + 0.2)
    style.show_image(ax, mosaic[:, :-gap, :-gap])
    ax.set_yticks([row * tile[1] + height / 2 for row in range(len(classes))], classes)
    ax.set_xticks([])
    ax.spines[:].set_visible(False)
    ax.grid(visible=False)
    return figure


def displayable(normalised: Tensor, limit: float = 2.5) -> Tensor:
    """Return normalised values as uint8: 0 is mid grey, -limit black and +limit white; values beyond are clipped.

    Args:
        normalised: (…), float.
        limit: In standard deviations.

    Returns:
        uint8 of the same shape.

    >>> displayable(torch.tensor([-9.0, 0.0, 2.5]))
    tensor([  0, 128, 255], dtype=torch.uint8)
    """
    return ((normalised / limit + 1) * 127.5).clamp(0, 255).round().to(torch.uint8)


def image_grid(images: Mapping[str, Tensor], columns: int = 4) -> Figure:
    """Draw images (C, H, W), uint8, with their titles, in rows of `columns`; pixels have one size in all."""
    rows = -(-len(images) // columns)
    figure, axes = style.subplots(rows, columns, width=1.9 * columns, height=2.25 * rows)
    largest = max(max(image.shape[1:]) for image in images.values())
    style.hide_axes(axes.flat)
    for ax, (title, image) in zip(axes.flat, images.items(), strict=False):
        style.show_image(ax, image, canvas=largest)
        ax.set_title(title, fontsize=8 + columns)
    return figure


def image_sizes(images: Mapping[str, Tensor]) -> Figure:
    """Draw versions of one image side by side with their sizes; pixels have one size in all.

    Args:
        images: By title, an image (1, H, W); its least value is drawn black, its greatest white.
    """
    largest = max(max(image.shape[1:]) for image in images.values())
    figure, axes = style.subplots(1, len(images), width=2.6 * len(images), height=3.0)
    for ax, (title, image) in zip(axes[0], images.items(), strict=True):
        style.show_image(ax, image, canvas=largest)
        height, width = image.shape[1:]
        ax.set_title(f"{title}\n{height}×{width}", fontsize=10)
        ax.set(xticks=[0, width - 1], yticks=[0, height - 1])
        ax.grid(visible=False)
    return figure


def normalisation_steps(steps: Mapping[str, Tensor], shown: int) -> Figure:
    """Draw one image after each step above the values that all images have after it.

    Args:
        steps: By title, (N, C, H, W) float; the values of every step are drawn in its own unit.
        shown: Which of the N images to draw; each step's least value is black and its greatest is white.
    """
    figure, axes = style.subplots(2, len(steps), width=2.6 * len(steps), height=4.6)
    style.hide_axes(axes[0])
    for (above, ax), (title, images) in zip(axes.T, steps.items(), strict=True):
        style.show_image(above, style.stretched(images)[shown])
        above.set_title(title, fontsize=11)
        for number, (name, colour) in enumerate(style.CHANNEL_COLOURS[images.shape[1]].items()):
            counts, edges = torch.histogram(images[:, number].flatten(), bins=64)
            centres = (edges[:-1] + edges[1:]) / 2
            ax.plot(centres, 100 * counts / counts.sum(), style.DASHES[number], color=colour, label=name)
        ax.axvline(0, color=style.GUIDE, linewidth=1)
        ax.set(xlabel="value", ylim=(0, None), yticklabels=[])
    axes[1, 0].set_ylabel("share of pixels")
    axes[1, 0].legend(fontsize=9)
    return figure


def cropping(padded: Tensor, corner: tuple[int, int], results: Mapping[str, Tensor]) -> Figure:
    """Draw a padded image with the window that is cut out of it, and the results, pixels of one size.

    Args:
        padded: (C, H, W), uint8.
        corner: Top and left of the window.
        results: By title, the crop and its further versions, all of the window's size, a square.
    """
    figure, axes = style.subplots(1, 1 + len(results), width=1.9 * (1 + len(results)), height=2.4)
    style.hide_axes(axes.flat)
    for ax, (title, image) in zip(axes[0], {"padded": padded, **results}.items(), strict=True):
        style.show_image(ax, image, canvas=max(padded.shape[1:]))
        ax.set_title(f"{title}\n{image.shape[1]}×{image.shape[2]}", fontsize=11)
    (top, left), side = corner, next(iter(results.values())).shape[-1]
    style.draw_square(axes[0, 0], (left + (side - 1) / 2, top + (side - 1) / 2), side)
    return figure


def crop_windows(pixels: Tensor, scales: Sequence[int], places: int = 3) -> Figure:
    """Draw which part of one image a training crop of 224×224 covers, by the size that the image is scaled to.

    Args:
        pixels: The image (C, H, W), uint8, square.
        scales: S: side in pixels that the image is scaled to, one panel each.
        places: Crops drawn in each panel, from the top left to the bottom right.
    """
    figure, axes = style.subplots(1, len(scales), width=2.6 * len(scales), height=3.0)
    side = pixels.shape[-1]
    style.hide_axes(axes.flat)
    for ax, scale in zip(axes[0], scales, strict=True):
        style.show_image(ax, pixels)
        share = CROP / scale
        covered = side * share  # side of the crop, in pixels of the image as drawn
        for number in range(places):
            middle = (side - covered) * (number / max(places - 1, 1)) + (covered - 1) / 2
            style.draw_square(ax, (middle, middle), covered, style.DASHES[number % len(style.DASHES)])
        ax.set_title(f"S = {scale}\n{share**2:.0%} of the image", fontsize=10)
    return figure


def image_differences(original: Tensor, copies: Mapping[str, Tensor]) -> Figure:
    """Draw an image and copies of it, and below each copy how much lighter or darker its pixels are.

    Args:
        original: (C, H, W), uint8.
        copies: By title, images of the same shape.
    """
    figure, axes = style.subplots(2, 1 + len(copies), width=1.9 * (1 + len(copies)) + 0.6, height=4.1)
    style.hide_axes(axes.flat)
    changes = [(copy.float() - original.float()).mean(dim=0) for copy in copies.values()]
    limit = float(torch.stack(changes).abs().max().clamp(min=1))
    for ax, (title, image) in zip(axes[0], {"original": original, **copies}.items(), strict=True):
        style.show_image(ax, image)
        ax.set_title(title, fontsize=11)
    for ax, change in zip(axes[1, 1:], changes, strict=True):
        shown = ax.imshow(change.numpy(), cmap=style.DIVERGING, vmin=-limit, vmax=limit)
        for at in range(8, original.shape[1], 8):  # JPEG's blocks
            ax.axhline(at - 0.5, color=style.LINK, linewidth=0.5)
            ax.axvline(at - 0.5, color=style.LINK, linewidth=0.5)
    figure.colorbar(shown, ax=axes[1, 0], location="left", fraction=0.5, aspect=8, label="grey levels")
    return figure


def label_noise_ceilings(accuracies: Sequence[float], measured: Mapping[str, Sequence[float]]) -> Figure:
    """Draw the accuracy that is measured against the one a network has, for test sets with wrong labels.

    Args:
        accuracies: From 0 to 1, in ascending order; the last one's measurement is the ceiling.
        measured: By name of the test set, from 0 to 1, one for each accuracy.
    """
    figure, ax = style.single(6.5, 4)
    true = [100 * accuracy for accuracy in accuracies]
    lines = {name: (true, [100 * share for share in shares]) for name, shares in measured.items()}
    style.draw_lines(ax, lines, marker=None, linewidth=2)
    for number, (x, y) in enumerate(lines.values()):
        ax.plot(x[-1], y[-1], style.MARKERS[number], color=style.PALETTE[number], markersize=8, clip_on=False)
    ax.set(xlabel="accuracy on right labels, %", ylabel="accuracy measured, %", xlim=(true[0], true[-1]))
    return figure
