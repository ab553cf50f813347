"""Pictures of runs: their curves, confusions and mistakes, and in words what they show."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from deepernets.data.images import Images
from deepernets.plots.style import PALETTE, draw, grid
from deepernets.training.metrics import recall_per_class
from deepernets.training.records import Record

if TYPE_CHECKING:
    from deepernets.training.lr_finder import RangeTest


def smoothing_note(record: Record) -> str:
    """Return what to add to the name of a training loss; the other losses are measured without smoothing."""
    smoothing = record.recipe.label_smoothing
    return f" (label smoothing {smoothing:g})" if smoothing else ""


def curves(records: Record | Sequence[Record]) -> Figure:
    """Draw loss, accuracy and learning rate by epoch: training solid, validation dashed, test as a star.

    A training loss with label smoothing is labelled as such.
    """
    records = [records] if isinstance(records, Record) else records
    figure, axes = grid(1, 3, width=9.5, height=3.2)
    loss, accuracy, rate = axes[0]
    for colour, record in zip(PALETTE, records, strict=False):
        column = {name: [epoch[name] for epoch in record.epochs] for name in record.epochs[0]}
        epochs = column["epoch"]
        name = record.recipe.name if len(records) > 1 else ""
        for ax, what in ((loss, "loss"), (accuracy, "accuracy")):
            note = smoothing_note(record) if what == "loss" else ""
            ax.plot(epochs, column[f"train_{what}"], color=colour, label=f"{name} training{note}".strip())
            if record.data["validation"]:
                ax.plot(
                    epochs,
                    column[f"validation_{what}"],
                    color=colour,
                    linestyle="--",
                    label=f"{name} validation".strip(),
                )
        for ax, what in ((loss, "loss"), (accuracy, "accuracy")):
            ax.plot(
                epochs[-1:], [record.test[what]], "*", color=colour, markersize=11, markeredgecolor="black",
                label=f"{name} test".strip(),
            )  # fmt: skip
        rate.plot(epochs, column["learning_rate"], color=colour, marker=".")
    loss.set(title="Cross-entropy (nats)", xlabel="epoch", yscale="log")
    accuracy.set(title="Accuracy", xlabel="epoch")
    accuracy.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    rate.set(title="Learning rate", xlabel="epoch", yscale="log")
    loss.legend(fontsize=8)
    for ax in axes[0]:
        ax.xaxis.get_major_locator().set_params(integer=True)
    return figure


def confusion(record: Record) -> Figure:
    """Draw the test's confusion matrix: counts, shaded by the share of the true class."""
    import seaborn as sns  # slow to import, and needed for this picture alone

    counts = np.array(record.test["confusion"])
    classes = record.data["classes"]
    side = 1.6 + 0.62 * len(classes)
    figure, axes = grid(1, 1, width=side + 1, height=side)
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    sns.heatmap(
        shares, annot=counts, fmt="d", cmap="cividis", vmin=0, vmax=1, square=True,
        xticklabels=classes, yticklabels=classes, cbar_kws={"label": "share of the true class"},
        ax=axes[0, 0],
    )  # fmt: skip
    axes[0, 0].set(xlabel="predicted", ylabel="true", title=f"Test accuracy {record.test['accuracy']:.2%}")
    axes[0, 0].tick_params(axis="y", rotation=0)
    return figure


def mistakes(record: Record, test: Images, most: int = 12) -> Figure:
    """Draw the wrong answers that the network was surest of, with what it said and what is true."""
    listed = record.test["mistakes"][:most]
    columns = 6
    rows = max(1, -(-len(listed) // columns))
    figure, axes = grid(rows, columns, width=1.9 * columns, height=2.3 * rows)
    classes = record.data["classes"]
    for ax in axes.flat:
        ax.axis("off")
    for ax, mistake in zip(axes.flat, listed, strict=False):
        draw(ax, test.pixels[mistake["index"]])
        said = f"said {classes[mistake['predicted']]}, {mistake['confidence']:.0%}"
        ax.set_title(f"{said}\nis {classes[mistake['label']]}", fontsize=9)
    if not listed:
        axes.flat[0].text(0, 0.5, "No mistakes on the test images.", fontsize=11)
    return figure


def describe(record: Record) -> str:
    """Return the curves and the confusion matrix of a record in words, as alternative text.

    Every number in it is read from the record.
    """
    first, last = record.epochs[0], record.epochs[-1]
    classes = record.data["classes"]
    counts = np.array(record.test["confusion"])
    recall = recall_per_class(counts)
    off = counts - np.diag(counts.diagonal())
    true, taken = np.unravel_index(off.argmax(), off.shape)
    return (
        f"Over {len(record.epochs)} epochs the training loss{smoothing_note(record)} falls from "
        f"{first['train_loss']:.3f} to {last['train_loss']:.3f}; "
        f"test accuracy {record.test['accuracy']:.2%}. Best recognised: "
        f"{classes[int(recall.argmax())]} ({recall.max():.1%}); worst: {classes[int(recall.argmin())]} "
        f"({recall.min():.1%}); most frequent confusion: {off.max()} images of {classes[true]} taken for "
        f"{classes[taken]}."
    )


def learning_rate_range(test: "RangeTest") -> Figure:
    """Draw the loss against the learning rate of a range test, with the suggested rate marked."""
    figure, axes = grid(1, 1, width=6.5, height=4)
    ax = axes[0, 0]
    ax.plot(test.rates, test.losses, color=PALETTE[0], alpha=0.4, label="loss of each batch")
    ax.plot(test.rates, test.smoothed, color=PALETTE[0], label="smoothed")
    ax.axvline(test.suggestion, color=PALETTE[3], linestyle="--", label=f"suggestion {test.suggestion:.2g}")
    ax.set(xscale="log", xlabel="learning rate", ylabel="training loss (nats)")
    ax.legend()
    return figure
