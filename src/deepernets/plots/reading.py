"""Pictures for reading results: losses of batches, the gap, reliability, what images and tries can show."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from deepernets.analysis.interpretability import Calibration
from deepernets.plots.style import DASHES, MARKERS, PALETTE, grid


def batch_losses(losses: Sequence[float], smoothed: Sequence[float], per_epoch: int) -> Figure:
    """Draw the loss of every batch, its moving average, and the mean of each epoch as a step.

    Args:
        losses: Of each batch, in nats.
        smoothed: Their moving average.
        per_epoch: Batches in an epoch.
    """
    figure, axes = grid(1, 1, width=7.5, height=3.4)
    ax = axes[0, 0]
    means = [float(np.mean(losses[start : start + per_epoch])) for start in range(0, len(losses), per_epoch)]
    edges = [epoch * per_epoch for epoch in range(len(means) + 1)]
    ax.plot(losses, color=PALETTE[0], alpha=0.35, linewidth=0.8, label="each batch")
    ax.plot(smoothed, color=PALETTE[0], linewidth=2, label="moving average")
    ax.stairs(
        means, edges, baseline=None, color=PALETTE[1], linewidth=2, linestyle="--", label="mean of the epoch"
    )
    ax.set(xlabel="step", ylabel="training loss (nats)", ylim=(0, None), xlim=(0, len(losses)))
    ax.legend(fontsize=9)
    return figure


def gap(epochs: Sequence[Mapping[str, float]]) -> Figure:
    """Draw loss and accuracy on the training and on held-out images, by epoch.

    Args:
        epochs: For each epoch train_loss, train_accuracy, validation_loss and validation_accuracy.
    """
    figure, axes = grid(1, 2, width=7.5, height=3.2)
    for ax, what in zip(axes[0], ("loss", "accuracy"), strict=True):
        for number, split in enumerate(("train", "validation")):
            values = [epoch[f"{split}_{what}"] for epoch in epochs]
            name = "training" if split == "train" else split
            ax.plot(
                range(1, len(epochs) + 1), values, color=PALETTE[number], linestyle=DASHES[number], label=name
            )
        ax.set(xlabel="epoch")
    axes[0, 0].set(title="Cross-entropy (nats)", yscale="log")
    axes[0, 1].set(title="Accuracy")
    axes[0, 1].yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes[0, 1].legend(fontsize=9)
    return figure


def reliability(found: Mapping[str, Calibration]) -> Figure:
    """Draw accuracy against confidence, a panel each, the area of a dot for the images of its bin."""
    figure, axes = grid(1, len(found), width=3.7 * len(found), height=3.6)
    for ax, (name, calibration) in zip(axes[0], found.items(), strict=True):
        filled = calibration.count > 0
        confidence, accuracy = calibration.confidence[filled], calibration.accuracy[filled]
        ax.plot([0, 1], [0, 1], color="0.3", linestyle="--", linewidth=1)
        ax.vlines(confidence, accuracy, confidence, color=PALETTE[1], linewidth=2)
        sizes = 12 + 500 * calibration.count[filled] / calibration.count.sum()
        ax.scatter(confidence, accuracy, s=sizes, color=PALETTE[0], zorder=3)
        ax.set(xlabel="confidence", xlim=(0.25, 1.03), ylim=(0, 1.05))
        ax.set_title(f"{name}\ncalibration error {calibration.error:.1%}", fontsize=10)
    axes[0, 0].set_ylabel("accuracy")
    return figure


def seeds(results: Mapping[str, Sequence[float]]) -> Figure:
    """Draw the results of several seeds, a row for each network, joined from row to row by seed.

    Args:
        results: By network, one accuracy in per cent for each seed, the seeds in the same order.
    """
    figure, axes = grid(1, 1, width=7, height=1.2 + 0.6 * len(results))
    ax = axes[0, 0]
    for column in zip(*results.values(), strict=True):
        ax.plot(column, range(len(column)), color="0.7", linewidth=1, zorder=1)
    for row, values in enumerate(results.values()):
        ax.plot(values, [row] * len(values), MARKERS[row], color=PALETTE[row], zorder=3)
        mean, sd = float(np.mean(values)), float(np.std(values, ddof=1))
        ax.errorbar(mean, row + 0.22, xerr=sd, fmt="|", color="black", capsize=4, markersize=10)
    ax.set_yticks(range(len(results)), list(results))
    ax.set(xlabel="test accuracy, % (bar: mean ± standard deviation)", ylim=(-0.4, len(results) - 0.4))
    return figure


def images_wanted(needed: Mapping[str, Mapping[float, int]], marked: Mapping[str, int]) -> Figure:
    """Draw how many test images show a difference, against the difference.

    Args:
        needed: By name of the comparison, by difference in points, the number of images.
        marked: Test sets to mark by a line, by name, with their number of images.
    """
    figure, axes = grid(1, 1, width=7, height=3.8)
    ax = axes[0, 0]
    for number, (name, images) in enumerate(needed.items()):
        ax.plot(
            list(images), list(images.values()), color=PALETTE[number], linestyle=DASHES[number],
            marker=MARKERS[number], markersize=5, label=name,
        )  # fmt: skip
    differences = sorted({points for images in needed.values() for points in images})
    for name, size in marked.items():
        ax.axhline(size, color="0.3", linewidth=1)
        ax.annotate(name, (differences[-1], size), ha="right", va="bottom", fontsize=8)
    ax.set(xscale="log", yscale="log", xlabel="difference, points", ylabel="test images")
    ax.set_xticks(differences, [f"{points:g}" for points in differences])
    ax.xaxis.minorticks_off()
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.legend(fontsize=8)
    return figure


def luck(best: Mapping[str, Mapping[int, float]]) -> Figure:
    """Draw what the best of several tries has above the truth, in points, against the number of tries."""
    figure, axes = grid(1, 1, width=7, height=3.4)
    ax = axes[0, 0]
    for number, (name, gains) in enumerate(best.items()):
        ax.plot(
            list(gains), list(gains.values()), color=PALETTE[number], linestyle=DASHES[number],
            marker=MARKERS[number], markersize=5, label=name,
        )  # fmt: skip
    tries = sorted({count for gains in best.values() for count in gains})
    ax.set(xscale="log", xlabel="networks to choose from", ylabel="points of luck", ylim=(0, None))
    ax.set_xticks(tries, [str(count) for count in tries])
    ax.xaxis.minorticks_off()
    ax.legend(fontsize=9)
    return figure
