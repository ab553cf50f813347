"""Figures of training runs: curves, confusions, mistakes, learning rates; and what they show, as text."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deepernets.data.images import Images
from deepernets.errors import UserError
from deepernets.plots import style
from deepernets.training.metrics import recall_per_class
from deepernets.training.records import Record

if TYPE_CHECKING:
    from deepernets.training.lr_finder import RangeTest


def smoothing_note(record: Record) -> str:
    """Return what to add to the name of a training loss; the other losses are measured without smoothing."""
    smoothing = record.recipe.label_smoothing
    return f" (label smoothing {smoothing:g})" if smoothing else ""


def curves(records: Record | Sequence[Record], names: Sequence[str] = ()) -> Figure:
    """Draw loss, accuracy and learning rate by epoch: training solid, validation dashed, test as a star.

    A training loss with label smoothing is labelled as such.

    Args:
        records: One record or several.
        names: What several are called; without it by their recipes.

    Raises:
        UserError: there are more records than colours.
    """
    records = [records] if isinstance(records, Record) else records
    if len(records) > len(style.PALETTE):
        raise UserError(
            f"{len(records)} runs cannot be distinguished in one figure; give at most {len(style.PALETTE)}."
        )
    figure, axes = style.subplots(1, 3, width=9.5, height=3.2)
    loss, accuracy, rate = axes[0]
    names = names or [record.recipe.name if len(records) > 1 else "" for record in records]
    for colour, record, name in zip(style.PALETTE, records, names, strict=False):
        epochs = record.by_epoch("epoch")
        for ax, what, note in ((loss, "loss", smoothing_note(record)), (accuracy, "accuracy", "")):
            label = f"{name} training{note}".strip()
            ax.plot(epochs, record.by_epoch(f"train_{what}"), color=colour, label=label)
            if record.data["validation"]:
                label = f"{name} validation".strip()
                ax.plot(epochs, record.by_epoch(f"validation_{what}"), "--", color=colour, label=label)
            star = {"color": colour, "markersize": 11, "markeredgecolor": style.INK}
            ax.plot(epochs[-1:], [record.test[what]], "*", label=f"{name} test".strip(), **star)
        rate.plot(epochs, record.by_epoch("learning_rate"), color=colour, marker=".")
    loss.set(title="Cross-entropy (nats)", yscale="log")
    loss.legend(fontsize=8)
    accuracy.set_title("Accuracy")
    style.label_percent(accuracy.yaxis)
    rate.set(title="Learning rate", yscale="log")
    for ax in axes[0]:
        ax.set_xlabel("epoch")
        style.whole_numbers(ax.xaxis)
    return figure


def describe_run(record: Record) -> str:
    """Return what the curves and the confusion matrix of a record show, as text.

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


def confusion(record: Record) -> Figure:
    """Draw the test's confusion matrix: counts, shaded by the share of the true class."""
    import seaborn as sns  # slow to import, and needed for this figure alone

    counts = np.array(record.test["confusion"])
    classes = record.data["classes"]
    side = 1.6 + 0.62 * len(classes)
    figure, ax = style.single(side + 1, side)
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    sns.heatmap(
        shares, annot=counts, fmt="d", cmap=style.SEQUENTIAL, vmin=0, vmax=1, square=True,
        xticklabels=classes, yticklabels=classes, cbar_kws={"label": "share of the true class"}, ax=ax,
    )  # fmt: skip
    ax.set(xlabel="predicted", ylabel="true", title=f"Test accuracy {record.test['accuracy']:.2%}")
    ax.tick_params(axis="y", rotation=0)
    return figure


def mistakes(record: Record, test: Images, most: int = 12) -> Figure:
    """Draw the most confident mistakes on the test images, each with the predicted and the true class."""
    listed = record.test["mistakes"][:most]
    columns = 6
    rows = max(1, -(-len(listed) // columns))
    figure, axes = style.subplots(rows, columns, width=1.9 * columns, height=2.3 * rows)
    classes = record.data["classes"]
    style.hide_axes(axes.flat)
    for ax, mistake in zip(axes.flat, listed, strict=False):
        style.show_image(ax, test.pixels[mistake["index"]])
        predicted = f"predicted {classes[mistake['predicted']]}, {mistake['confidence']:.0%}"
        ax.set_title(f"{predicted}\ntrue {classes[mistake['label']]}", fontsize=style.SMALL)
    if not listed:
        axes.flat[0].text(0, 0.5, "No mistakes on the test images.", fontsize=11)
    return figure


def confused_classes(pairs: Sequence[tuple[int, int, int, int]], classes: Sequence[str]) -> Figure:
    """Draw how often the two classes of each pair were taken for each other, either way.

    Args:
        pairs: As `deepernets.analysis.baselines.confused_pairs` lists them: a, b, how many a were taken for b,
            how many b for a.
        classes: Names of all classes.
    """
    figure, ax = style.single(7.5, 1.3 + 0.4 * len(pairs))
    for row, (_, _, forth, back) in enumerate(pairs):
        ax.barh(row, forth, label="the first taken for the second", **style.bar(0))
        ax.barh(row, back, left=forth, label="the second taken for the first", **style.bar(1))
        style.annotate(ax, f"{forth} + {back}", (forth + back, row))
    style.name_rows(ax, [f"{classes[a]} and {classes[b]}" for a, b, _, _ in pairs])
    ax.set(xlabel="test images", xlim=(0, 1.15 * max([1, *(forth + back for _, _, forth, back in pairs)])))
    style.whole_numbers(ax.xaxis)
    style.legend_outside(figure)
    return figure


def batch_losses(losses: Sequence[float], smoothed: Sequence[float], per_epoch: int) -> Figure:
    """Draw the loss of every batch, its moving average, and the mean of each epoch as a step.

    Args:
        losses: Of each batch, in nats.
        smoothed: Their moving average.
        per_epoch: Batches in an epoch.
    """
    figure, ax = style.single(7.5, 3.4)
    means = [float(np.mean(losses[start : start + per_epoch])) for start in range(0, len(losses), per_epoch)]
    edges = [epoch * per_epoch for epoch in range(len(means) + 1)]
    ax.plot(losses, color=style.PALETTE[0], alpha=0.35, linewidth=0.8, label="each batch")
    ax.plot(smoothed, color=style.PALETTE[0], linewidth=2, label="moving average")
    look = {"color": style.PALETTE[1], "linewidth": 2, "linestyle": "--"}
    ax.stairs(means, edges, baseline=None, label="mean of the epoch", **look)
    ax.set(xlabel="step", ylabel="training loss (nats)", ylim=(0, None), xlim=(0, len(losses)))
    ax.legend(fontsize=style.SMALL)
    return figure


def training_losses(runs: Mapping[str, Sequence[float]], guessing: float) -> Figure:
    """Draw the training loss of runs by epoch, and the loss of guessing as a horizontal line.

    Args:
        runs: By name, the loss of each epoch in nats.
        guessing: The loss of equal probabilities, ln K.
    """
    figure, ax = style.single(7, 3.4)
    style.draw_lines(ax, {name: (range(1, len(losses) + 1), losses) for name, losses in runs.items()})
    ax.axhline(guessing, color=style.GUIDE, linewidth=1, linestyle=(0, (1, 3)), label="guessing, ln K")
    ax.set(xlabel="epoch", ylabel="training loss (nats)")
    ax.legend(fontsize=style.SMALL)
    style.whole_numbers(ax.xaxis)
    return figure


def generalisation_gap(epochs: Sequence[Mapping[str, float]]) -> Figure:
    """Draw loss and accuracy on the training and on the validation images, by epoch.

    Args:
        epochs: For each epoch train_loss, train_accuracy, validation_loss and validation_accuracy.
    """
    figure, axes = style.subplots(1, 2, width=7.5, height=3.2)
    for ax, what in zip(axes[0], ("loss", "accuracy"), strict=True):
        splits = {"training": "train", "validation": "validation"}
        values = {name: [epoch[f"{split}_{what}"] for epoch in epochs] for name, split in splits.items()}
        style.draw_lines(
            ax, {name: (range(1, len(epochs) + 1), y) for name, y in values.items()}, marker=None
        )
        ax.set_xlabel("epoch")
    axes[0, 0].set(title="Cross-entropy (nats)", yscale="log")
    axes[0, 1].set_title("Accuracy")
    style.label_percent(axes[0, 1].yaxis)
    return figure


def running_means(record: Record) -> Figure:
    """Draw a run's accuracy in each epoch, and the mean of all epochs so far, which a metric shows if never reset.

    Training images are left, held-out images right, each with a scale of its own. A training accuracy is itself a
    mean over its epoch, while the weights change. A held-out accuracy is measured at the end of its epoch.

    Args:
        record: A run with a validation split.
    """
    figure, axes = style.subplots(1, 2, width=9.5, height=3.6)
    epochs = record.by_epoch("epoch")
    titles = {"train": "Training images", "validation": "Held-out images"}
    for ax, (split, title) in zip(axes[0], titles.items(), strict=True):
        accuracies = record.by_epoch(f"{split}_accuracy")
        so_far = np.cumsum(accuracies) / epochs
        drawn = {"the epoch alone": (epochs, accuracies), "mean of all epochs so far": (epochs, so_far)}
        style.draw_lines(ax, drawn, marker=None)
        ax.set(title=title, xlabel="epoch")
        style.label_percent(ax.yaxis)
        style.whole_numbers(ax.xaxis)
    axes[0, 0].set_ylabel("accuracy")
    return figure


def training_and_validation_error(panels: Mapping[str, Sequence[Record]]) -> Figure:
    """Draw the errors of runs by epoch: training bold, validation thin and dashed.

    Degradation shows in the training error, so it gets the bold line. He et al. (2016, figures 4 and 6) draw the
    training error thin or dashed and the test error bold. All panels have the same scale. A training error is a
    mean over the epoch, on augmented images, while the weights change.

    Args:
        panels: Runs by the title of their panel. A panel without runs says so.
    """
    figure, axes = style.subplots(1, len(panels), width=1.2 + 4.2 * len(panels), height=3.8)
    for ax, (title, records) in zip(axes[0], panels.items(), strict=True):
        for number, record in enumerate(records):
            _draw_errors(ax, record, number)
        ax.set(title=title, xlabel="epoch")
        style.label_percent(ax.yaxis)
        style.whole_numbers(ax.xaxis)
        style.say_if_empty(ax, not records)
        if records:
            ax.legend(fontsize=8)
    style.share_y(axes[0])
    axes[0, 0].set_ylabel("error")
    return figure


def _draw_errors(ax: Axes, record: Record, number: int) -> None:
    epochs = record.by_epoch("epoch")
    look = {**style.series(number), "markevery": max(1, len(epochs) // 6)}
    training = {**look, "linestyle": "-", "linewidth": 2.5, "markersize": 5}
    validation = {**look, "linestyle": "--", "linewidth": 1, "markersize": 3}
    for split, name, line in (("train", "training", training), ("validation", "validation", validation)):
        if record.data[split]:
            errors = [1 - accuracy for accuracy in record.by_epoch(f"{split}_accuracy")]
            ax.plot(epochs, errors, label=f"{record.recipe.model}, {name}", **line)


def describe_errors(records: Sequence[Record]) -> str:
    """Return what `training_and_validation_error` shows of runs on equal terms, as text: the terms, then the runs.

    Every number in it is read from the records.
    """
    if not records:
        return style.NOTHING
    one = records[0]
    lines = [
        f"{one.data['name']} ({one.data['variant']}), {one.data['train']:,} training images, "
        f"{len(one.epochs)} epochs,",
        f"{one.recipe.schedule} schedule from a learning rate of {one.recipe.learning_rate:g}, "
        f"profile {one.profile}, seed {one.seed}, {one.precision}",
    ]
    for record in records:
        last = record.epochs[-1]
        validation = ""
        if record.data["validation"]:
            validation = f", validation error {1 - last['validation_accuracy']:.1%}"
        lines.append(
            f"{record.recipe.model}: training error {1 - last['train_accuracy']:.1%}{validation}, "
            f"{record.seconds['training'] / 60:.0f} min on {record.device}"
        )
    return "\n".join(lines)


def learning_rate_range(test: "RangeTest") -> Figure:
    """Draw the loss against the learning rate of a range test, with the suggested learning rate marked."""
    figure, ax = style.single(6.5, 4)
    ax.plot(test.rates, test.losses, color=style.PALETTE[0], alpha=0.4, label="loss of each batch")
    ax.plot(test.rates, test.smoothed, color=style.PALETTE[0], label="smoothed")
    label = f"suggestion {test.suggestion:.2g}"
    ax.axvline(test.suggestion, color=style.PALETTE[3], linestyle="--", label=label)
    ax.set(xscale="log", xlabel="learning rate", ylabel="training loss (nats)")
    ax.legend()
    return figure


def schedule_curves(factors: Mapping[str, Sequence[float]]) -> Figure:
    """Draw schedules in one panel, each as its factors at equal distances from the first step to the last."""
    figure, ax = style.single(7, 3.6)
    style.draw_lines(ax, {name: (_shares(values), values) for name, values in factors.items()}, marker=None)
    ax.set(xlabel="share of training done", ylabel="factor of the learning rate")
    return figure


def schedule_panels(factors: Mapping[str, Sequence[float]]) -> Figure:
    """Draw what `schedule_curves` draws, each schedule in a panel of its own."""
    columns = 3
    rows = -(-len(factors) // columns)
    figure, axes = style.subplots(rows, columns, width=2.5 * columns, height=0.4 + 1.7 * rows)
    style.hide_axes(axes.flat[len(factors) :])
    for ax, (name, values) in zip(axes.flat, factors.items(), strict=False):
        ax.plot(_shares(values), values, color=style.PALETTE[0], linewidth=2)
        ax.fill_between(_shares(values), values, color=style.PALETTE[0], alpha=0.15)
        ax.set(ylim=(0, 1.05), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
        ax.set_title(name, fontsize=10)
    for ax in axes[-1]:
        ax.set_xlabel("share of training done", fontsize=style.SMALL)
    for ax in axes[:, 0]:
        ax.set_ylabel("factor", fontsize=style.SMALL)
    return figure


def _shares(values: Sequence[float]) -> list[float]:
    return [step / (len(values) - 1) for step in range(len(values))]


def logit_gradients(leads: Sequence[float], gradients: Mapping[str, Sequence[float]]) -> Figure:
    """Draw how strongly a loss raises the true class's logit, against its lead over the other logits.

    Args:
        leads: Logit of the true class minus that of all others.
        gradients: By name of the loss, minus its derivative by that logit, one for each lead.
    """
    figure, ax = style.single(7, 3.4)
    lines = {name: (leads, values) for name, values in gradients.items()}
    style.draw_lines(ax, lines, marker=None, linewidth=2)
    ax.axvline(0, color=style.GUIDE, linewidth=0.8)
    ax.set(xlabel="lead of the true class's logit", ylabel="−∂L/∂z of the true class")
    return figure


def gradient_noise(measured: Mapping[int, float], of_one: float) -> Figure:
    """Draw the noise of the gradient against the batch size B, with the line that 1/B predicts.

    Args:
        measured: By batch size, the variance of the batch's gradient, added up over the parameters.
        of_one: The same of a single image.
    """
    figure, ax = style.single(6.5, 3.6)
    sizes = list(measured)
    predicted = [of_one / size for size in sizes]
    ax.plot(sizes, predicted, "--", color=style.GUIDE, label="that of one image, over B")
    ax.plot(sizes, list(measured.values()), "o", color=style.PALETTE[0], markersize=8, label="measured")
    ax.set(xscale="log", yscale="log", xlabel="batch size B", ylabel="variance of the gradient")
    style.log_ticks(ax.xaxis, sizes)
    style.label_decades(ax.yaxis, "25")
    ax.legend(fontsize=style.SMALL)
    return figure
