"""Pictures of races: schedules, and runs that differ in one thing."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from deepernets.plots.style import DASHES, MARKERS, PALETTE, grid
from deepernets.training.records import Record


def schedules(factors: Mapping[str, Sequence[float]]) -> Figure:
    """Draw schedules, each as its factors at equal distances from the first step to the last."""
    figure, axes = grid(1, 1, width=7, height=3.6)
    ax = axes[0, 0]
    for number, (name, values) in enumerate(factors.items()):
        shares = [step / (len(values) - 1) for step in range(len(values))]
        ax.plot(shares, values, color=PALETTE[number], linestyle=DASHES[number % len(DASHES)], label=name)
    ax.set(xlabel="share of training done", ylabel="factor of the learning rate")
    ax.legend(fontsize=8)
    return figure


def validation(runs: Mapping[str, Record]) -> Figure:
    """Draw validation accuracy by epoch, and after the last epoch as a column of dots.

    Each run has a colour, a dash and a marker of its own, and stands by name at the right.
    """
    figure, axes = grid(1, 2, width=9.5, height=3.8)
    by_epoch, last = axes[0]
    order = sorted(runs, key=lambda name: runs[name].epochs[-1]["validation_accuracy"])
    for row, name in enumerate(order):
        number = list(runs).index(name)
        colour, marker = PALETTE[number % len(PALETTE)], MARKERS[number % len(MARKERS)]
        epochs = [epoch["epoch"] for epoch in runs[name].epochs]
        accuracy = [epoch["validation_accuracy"] for epoch in runs[name].epochs]
        dash = DASHES[number % len(DASHES)]
        by_epoch.plot(epochs, accuracy, color=colour, linestyle=dash, marker=marker, markersize=4, label=name)
        last.plot(accuracy[-1], row, marker, color=colour)
    last.set_yticks(range(len(order)), order)
    by_epoch.set(title="Validation accuracy", xlabel="epoch")
    last.set(title="after the last epoch")
    by_epoch.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    last.xaxis.set_major_formatter(lambda value, _: f"{value:.1%}")
    by_epoch.xaxis.get_major_locator().set_params(integer=True)
    return figure
