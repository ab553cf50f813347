"""Pictures that compare: runs by epoch and by cost, results over seeds, shares with their intervals."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deepernets.analysis.statistics import Interval, mean_and_sd
from deepernets.models.counting import training_cost
from deepernets.plots.style import DASHES, MARKERS, PALETTE, grid
from deepernets.training.records import Record

NOTHING = "Nothing has been recorded yet."


def race(records: Sequence[Record], multiply_adds: Mapping[str, int]) -> Figure:
    """Draw the validation accuracy of runs, left by epoch, right by the multiply-adds spent so far.

    Args:
        records: The runs, at most four; their validation split must not be empty.
        multiply_adds: Of one image's forward pass, by the name of the network.
    """
    figure, axes = grid(1, 2, width=9.5, height=3.6)
    by_epoch, by_cost = axes[0]
    for number, record in enumerate(records):
        accuracy = [epoch["validation_accuracy"] for epoch in record.epochs]
        epochs = [epoch["epoch"] for epoch in record.epochs]
        cost = multiply_adds[record.recipe.model]
        spent = [training_cost(epoch, record.data["train"], cost) / 1e12 for epoch in epochs]
        for ax, along in ((by_epoch, epochs), (by_cost, spent)):
            ax.plot(
                along,
                accuracy,
                color=PALETTE[number],
                linestyle=DASHES[number],
                marker=MARKERS[number],
                markersize=4,
                label=f"{record.recipe.model}, seed {record.seed}",
            )
    by_epoch.set(title="The same epochs", xlabel="epoch", ylabel="validation accuracy")
    by_cost.set(title="The same work", xlabel="10¹² multiply-adds spent")
    for ax in axes[0]:
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        say_if_empty(ax, not records)
    by_epoch.xaxis.get_major_locator().set_params(integer=True)
    if records:
        by_cost.legend(fontsize=8, loc="lower right")
    return figure


def seeds(accuracies: Mapping[str, Mapping[int, float]]) -> Figure:
    """Draw the accuracy of every run as a dot, and beside the dots their mean ± one standard deviation.

    Args:
        accuracies: By network, by seed. A thin line joins dots of the same seed.
    """
    figure, axes = grid(1, 1, width=6.5, height=3.6)
    ax = axes[0, 0]
    for column, runs in enumerate(accuracies.values()):
        colour, values = PALETTE[column], list(runs.values())
        ax.plot([column] * len(values), values, MARKERS[column], color=colour, zorder=3)
        if len(values) > 1:
            mean, sd = mean_and_sd(values)
            ax.errorbar(
                column + 0.12, mean, yerr=sd, fmt="_", color=colour, markersize=14, capsize=5, linewidth=2
            )
            ax.text(column + 0.18, mean, f"{mean:.1%} ± {sd:.1%}", va="center", fontsize=9)
    for seed in sorted({seed for runs in accuracies.values() for seed in runs}):
        path = [(column, runs[seed]) for column, runs in enumerate(accuracies.values()) if seed in runs]
        ax.plot(*zip(*path, strict=True), color="0.6", linewidth=0.8, zorder=1)
    ax.set(ylabel="test accuracy", xlim=(-0.4, max(len(accuracies), 1) - 0.2))
    ax.set_xticks(range(len(accuracies)), list(accuracies))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    say_if_empty(ax, not any(accuracies.values()))
    return figure


def intervals(shares: Mapping[str, tuple[float, Interval]]) -> Figure:
    """Draw shares with their intervals, one row each, the first on top.

    Args:
        shares: By name, the share that was counted, and the interval around it.
    """
    figure, axes = grid(1, 1, width=7.5, height=1 + 0.45 * max(len(shares), 1))
    ax = axes[0, 0]
    for row, (share, (low, high)) in enumerate(shares.values()):
        ax.errorbar(
            share, row, xerr=[[share - low], [high - share]], fmt="o", color=PALETTE[0], capsize=5, linewidth=2
        )  # fmt: skip
    ax.set(xlabel="accuracy, with its 95 % interval", ylim=(max(len(shares), 1) - 0.5, -0.5))
    ax.set_yticks(range(len(shares)), list(shares))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:.1%}")
    say_if_empty(ax, not shares)
    return figure


def say_if_empty(ax: Axes, empty: bool) -> None:
    """Write into a picture without anything in it that nothing has been recorded yet."""
    if empty:
        ax.text(0.5, 0.5, NOTHING, transform=ax.transAxes, ha="center", va="center", color="0.4")
