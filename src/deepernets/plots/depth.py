"""Pictures of depth: training error against validation error, and signals from layer to layer."""

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deepernets.plots.style import DASHES, MARKERS, PALETTE, grid
from deepernets.training.records import Record

NOTHING = "No run has been recorded yet."


def errors(panels: Mapping[str, Sequence[Record]]) -> Figure:
    """Draw the errors of runs by epoch: training bold, validation thin and dashed.

    Degradation shows in the training error, so it gets the bold line. He et al. (2016, figures 4 and 6) draw the
    training error thin or dashed and the test error bold. All panels have the same scale. A training error is a
    mean over the epoch, on augmented images, while the weights change.

    Args:
        panels: Runs by the title of their panel; at most five each. A panel without runs says so.
    """
    figure, axes = grid(1, len(panels), width=1.2 + 4.2 * len(panels), height=3.8)
    for ax, (title, records) in zip(axes[0], panels.items(), strict=True):
        for number, record in enumerate(records):
            _draw_errors(ax, record, number)
        ax.set(title=title, xlabel="epoch")
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        ax.xaxis.get_major_locator().set_params(integer=True)
        if records:
            ax.legend(fontsize=8)
        else:
            ax.text(0.5, 0.5, NOTHING, ha="center", va="center", transform=ax.transAxes)
    drawn = [ax for ax, records in zip(axes[0], panels.values(), strict=True) if records]
    lowest = min((ax.get_ylim()[0] for ax in drawn), default=0.0)
    highest = max((ax.get_ylim()[1] for ax in drawn), default=1.0)
    for ax in axes[0]:
        ax.set_ylim(min(lowest, 0.0), highest)
    axes[0, 0].set_ylabel("error")
    return figure


def on_equal_terms(records: Iterable[Record]) -> list[Record]:
    """Return the runs that differ only in the network: the largest such group; of equal ones, the longest."""
    groups: dict[Hashable, list[Record]] = defaultdict(list)
    for record in records:
        groups[_terms(record)].append(record)
    return max(groups.values(), key=lambda group: (len(group), steps(group[0])), default=[])


def steps(record: Record) -> int:
    """Return how many steps a run took: epochs times batches, the last batch of an epoch included."""
    return len(record.epochs) * math.ceil(record.data["train"] / record.recipe.batch_size)


def describe(records: Sequence[Record]) -> str:
    """Return in words what `errors` shows of runs on equal terms: a line on the terms, then one for each run.

    Every number in it is read from the records.
    """
    if not records:
        return NOTHING
    one = records[0]
    lines = [
        f"{one.data['name']} ({one.data['variant']}), {one.data['train']:,} training images, "
        f"{len(one.epochs)} epochs,",
        f"{one.recipe.schedule} schedule from a rate of {one.recipe.learning_rate:g}, "
        f"profile {one.profile}, seed {one.seed}, {one.precision}",
    ]
    for record in records:
        last = record.epochs[-1]
        validation = ""
        if record.data["validation"]:
            validation = f", validation error {1 - last['validation_accuracy']:.1%}"
        lines.append(
            f"{record.recipe.model}: training error {1 - last['train_accuracy']:.1%}{validation}, "
            f"{record.seconds['training'] / 60:.0f} min"
        )
    return "\n".join(lines)


def by_layer(values: Mapping[str, Sequence[float]], quantity: str) -> Figure:
    """Draw what was measured at each convolution, the first one next to the image, on a logarithmic scale.

    Args:
        values: One sequence per network, by its name; at most five. A zero has no place on this scale and is
            left out.
        quantity: What was measured, for the axis.
    """
    figure, axes = grid(1, 1, width=7.5, height=4)
    ax = axes[0, 0]
    for number, (name, measured) in enumerate(values.items()):
        shown = {layer: value for layer, value in enumerate(measured, 1) if value > 0}
        ax.plot(
            list(shown),
            list(shown.values()),
            color=PALETTE[number],
            linestyle=DASHES[number % len(DASHES)],
            marker=MARKERS[number],
            markersize=4,
            label=name,
        )
    ax.set(xlabel="convolution, counted from the image", ylabel=quantity, yscale="log")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.legend(fontsize=9)
    return figure


def _terms(record: Record) -> Hashable:
    """Return all that decides a run but the network."""
    images = record.data["variant"], record.data["train"]
    return record.recipe.changed(name="", model=""), images, record.profile, record.seed


def _draw_errors(ax: Axes, record: Record, number: int) -> None:
    """Draw the two lines of one run; the marker tells it from others where colours do not."""
    epochs = [epoch["epoch"] for epoch in record.epochs]
    name = record.recipe.model
    look = {"color": PALETTE[number], "marker": MARKERS[number], "markevery": max(1, len(epochs) // 6)}
    training = [1 - epoch["train_accuracy"] for epoch in record.epochs]
    ax.plot(epochs, training, "-", linewidth=2.5, markersize=5, label=f"{name}, training", **look)
    if record.data["validation"]:
        validation = [1 - epoch["validation_accuracy"] for epoch in record.epochs]
        ax.plot(epochs, validation, "--", linewidth=1, markersize=3, label=f"{name}, validation", **look)
