"""Figures that compare results: runs by epoch and cost, seeds, intervals, reported against ours, ablations."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import fmean
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from deepernets.analysis.statistics import Interval, binomial_interval, mean_and_sd
from deepernets.models.counting import training_cost
from deepernets.plots import style
from deepernets.results.ablation import PartEffect
from deepernets.results.comparison import Measured, Row
from deepernets.training.records import Record

KINDS = ("reported", "our run of their recipe", "our recipe")
KIND_MARKERS = ("D", "o", "s")
LANES = (-0.24, 0.0, 0.24)  # of the three dots in a row
GAIN_TICKS = (-10, -5, -2, -1, -0.5, 0, 0.5, 1, 2, 5, 10, 20)  # points


def accuracy_by_epoch_and_cost(records: Sequence[Record], multiply_adds: Mapping[str, int]) -> Figure:
    """Draw the validation accuracy of runs, left by epoch, right by the multiply-adds spent so far.

    Args:
        records: The runs; their validation split must not be empty.
        multiply_adds: Of one image's forward pass, by the name of the network.
    """
    figure, axes = style.subplots(1, 2, width=9.5, height=3.6)
    by_epoch, by_cost = axes[0]
    for number, record in enumerate(records):
        accuracy, epochs = record.by_epoch("validation_accuracy"), record.by_epoch("epoch")
        cost = multiply_adds[record.recipe.model]
        spent = [training_cost(epoch, record.data["train"], cost) / 1e12 for epoch in epochs]
        name, look = f"{record.recipe.model}, seed {record.seed}", style.series(number)
        by_epoch.plot(epochs, accuracy, markersize=4, **look)
        by_cost.plot(spent, accuracy, markersize=4, label=name, **look)
    by_epoch.set(title="The same epochs", xlabel="epoch", ylabel="validation accuracy")
    by_cost.set(title="The same work", xlabel="10¹² multiply-adds spent")
    for ax in axes[0]:
        style.label_percent(ax.yaxis)
        style.say_if_empty(ax, not records)
    style.whole_numbers(by_epoch.xaxis)
    if records:
        by_cost.legend(fontsize=8, loc="lower right")
    return figure


def validation_accuracies(runs: Mapping[str, Record]) -> Figure:
    """Draw the validation accuracy of runs by epoch, and after the last epoch as a column of dots in rank order."""
    figure, axes = style.subplots(1, 2, width=9.5, height=3.8)
    by_epoch, last = axes[0]
    order = sorted(runs, key=lambda name: runs[name].epochs[-1]["validation_accuracy"])
    for number, (name, run) in enumerate(runs.items()):
        accuracies = run.by_epoch("validation_accuracy")
        look = style.series(number)
        by_epoch.plot(run.by_epoch("epoch"), accuracies, markersize=4, label=name, **look)
        last.plot(accuracies[-1], order.index(name), **look)
    last.set_yticks(range(len(order)), order)
    by_epoch.set(title="Validation accuracy", xlabel="epoch")
    last.set_title("After the last epoch")
    style.label_percent(by_epoch.yaxis)
    style.label_percent(last.xaxis)
    style.whole_numbers(by_epoch.xaxis)
    return figure


def last_epoch_accuracies(runs: Mapping[str, Record], last: int = 5) -> Figure:
    """Draw the validation accuracies of the last epochs of runs: small dots, and a large diamond for the very last.

    Args:
        runs: By name, drawn from the bottom up in order of the last epoch.
        last: How many epochs to draw.
    """
    figure, ax = style.single(7, 1 + 0.42 * max(len(runs), 1))
    order = sorted(runs, key=lambda name: runs[name].epochs[-1]["validation_accuracy"])
    for row, name in enumerate(order):
        accuracies = [100 * share for share in runs[name].by_epoch("validation_accuracy")[-last:]]
        ax.plot([min(accuracies), max(accuracies)], [row, row], color=style.LINK, linewidth=1)
        ax.plot(accuracies, [row] * len(accuracies), "o", color=style.PALETTE[0], markersize=4, alpha=0.6)
        ax.plot(accuracies[-1], row, "D", color=style.PALETTE[1], markersize=8)
    ax.set_yticks(range(len(order)), order)
    ax.set_xlabel(f"validation accuracy in %, last {last} epochs\n(diamond: the very last)")
    style.whole_numbers(ax.xaxis)
    return figure


def accuracies_by_seed(accuracies: Mapping[str, Mapping[int, float]]) -> Figure:
    """Draw the accuracy of every run as a dot, a column for each network, and next to it mean ± standard deviation.

    Args:
        accuracies: By network, by seed, from 0 to 1. A thin line joins dots of the same seed.
    """
    figure, ax = style.single(6.5, 3.6)
    for column, runs in enumerate(accuracies.values()):
        colour, values = style.PALETTE[column], list(runs.values())
        ax.plot([column] * len(values), values, style.MARKERS[column], color=colour, zorder=3)
        if len(values) > 1:
            mean, sd = mean_and_sd(values)
            look = {"color": colour, "markersize": 14, "capsize": 5, "linewidth": 2}
            ax.errorbar(column + 0.12, mean, yerr=sd, fmt="_", **look)
            text = f"{mean:.1%} ± {sd:.1%}"
            style.annotate(ax, text, (column + 0.12, mean), xytext=(8, 0), bbox=style.PLAIN)
    for seed in sorted({seed for runs in accuracies.values() for seed in runs}):
        path = [(column, runs[seed]) for column, runs in enumerate(accuracies.values()) if seed in runs]
        ax.plot(*zip(*path, strict=True), color=style.LINK, linewidth=0.8, zorder=1)
    ax.set(ylabel="test accuracy", xlim=(-0.4, max(len(accuracies), 1) - 0.2))
    ax.set_xticks(range(len(accuracies)), list(accuracies))
    style.label_percent(ax.yaxis)
    style.say_if_empty(ax, not any(accuracies.values()))
    return figure


def accuracy_intervals(shares: Mapping[str, tuple[float, Interval]]) -> Figure:
    """Draw accuracies with their 95 % intervals, one row each, the first on top.

    Args:
        shares: By name, the accuracy, and the interval around it, from 0 to 1.
    """
    figure, ax = style.single(7.5, 1 + 0.45 * max(len(shares), 1))
    look = {"color": style.PALETTE[0], "capsize": 5, "linewidth": 2}
    for row, (share, (low, high)) in enumerate(shares.values()):
        ax.errorbar(share, row, xerr=[[share - low], [high - share]], fmt="o", **look)
    ax.set_xlabel("accuracy, with its 95 % interval")
    style.name_rows(ax, list(shares))
    style.label_percent(ax.xaxis)
    style.say_if_empty(ax, not shares)
    return figure


def error_intervals(results: Mapping[str, tuple[int, int]]) -> Figure:
    """Draw error rates as dots, each with the 95 % interval that its number of test images leaves.

    Args:
        results: For each name, how many images were classified wrongly, and out of how many.
    """
    figure, ax = style.single(7.5, 0.9 + 0.34 * len(results))
    for row, (wrong, images) in enumerate(results.values()):
        low, high = (100 * share for share in binomial_interval(wrong, images))
        ax.plot([low, high], [row, row], color=style.PALETTE[0], linewidth=2)
        ax.plot([100 * wrong / images], [row], "o", color=style.PALETTE[0])
        style.annotate(ax, f"{wrong} of {images:,}", (high, row))
    style.name_rows(ax, list(results))
    ax.set_xlim(0, ax.get_xlim()[1] * 1.2)  # room for the numbers
    ax.set_xlabel("test error in %, with its 95 % interval")
    return figure


def images_to_show_difference(needed: Mapping[str, Mapping[float, int]], marked: Mapping[str, int]) -> Figure:
    """Draw how many test images it takes to show a difference, against the difference.

    Args:
        needed: By name of the comparison, by difference in points, the number of images.
        marked: Test sets to mark by a line, by name, with their number of images.
    """
    figure, ax = style.single(7, 3.8)
    style.draw_lines(ax, {name: (images, images.values()) for name, images in needed.items()})
    differences = sorted({points for images in needed.values() for points in images})
    for name, size in marked.items():
        ax.axhline(size, color=style.GUIDE, linewidth=1)
        ax.annotate(name, (differences[-1], size), ha="right", va="bottom", fontsize=8)
    ax.set(xscale="log", yscale="log", xlabel="difference, points", ylabel="test images")
    style.log_ticks(ax.xaxis, differences)
    ax.yaxis.set_major_formatter("{x:,.0f}")
    return figure


def best_of_several(gains: Mapping[str, Mapping[int, float]]) -> Figure:
    """Draw by how much the best of several equally good networks overstates its accuracy, against their number.

    Args:
        gains: By name of the test set, the gain in points for each number of networks.
    """
    figure, ax = style.single(7, 3.8)
    lines = {name: (by_tries, by_tries.values()) for name, by_tries in gains.items()}
    style.draw_lines(ax, lines, marker=None, linewidth=2)
    tries = {count for by_tries in gains.values() for count in by_tries}
    ax.set(xscale="log", ylim=(0, None))
    style.log_ticks(ax.xaxis, sorted(tries if len(tries) < 10 else tries & {1, 2, 5, 10, 20, 50, 100}))
    ax.set(xlabel="networks tried on the test set", ylabel="selection bias of the best, points")
    return figure


def reported_against_ours(shown: Sequence[Row]) -> Figure:
    """Draw each reported accuracy above ours: a panel per data set, three lanes in each row.

    A bar is the 95 % interval that so many test images leave. Each of our runs has its accuracy and its epochs next
    to it. The lane of a recipe without a complete run is empty.

    Args:
        shown: Rows of one report, as `deepernets.results.comparison.compare_reported` gives them.
    """
    sets = list(dict.fromkeys(row.data for row in shown))
    heights = [sum(row.data == data for row in shown) for data in sets]
    height = 1.3 + 0.62 * len(shown) + 0.6 * len(sets)
    figure, axes = style.subplots(max(len(sets), 1), 1, width=7.5, height=height)
    figure.set_gid(style.STAY_WIDE)
    if sets:
        axes[0, 0].get_gridspec().set_height_ratios([height + 0.6 for height in heights])
    for ax, data in zip(axes[:, 0], sets, strict=False):
        _draw_reported(ax, [row for row in shown if row.data == data])
        ax.set_title(data, fontsize=10, loc="left")
    drawn = (True, any(row.theirs for row in shown), any(row.ours for row in shown))
    handles = [
        Line2D([], [], color=colour, marker=marker, label=kind)
        for colour, marker, kind, is_drawn in zip(style.PALETTE, KIND_MARKERS, KINDS, drawn, strict=False)
        if is_drawn
    ]
    look = {"ncols": len(KINDS), "frameon": False, "fontsize": style.SMALL}
    figure.legend(handles=handles, loc="outside upper center", **look)
    return figure


def _draw_reported(ax: Axes, shown: Sequence[Row]) -> None:
    for number, row in enumerate(shown):
        _draw_lane(ax, number, 0, row.reported.test_accuracy, row.reported_interval)
        for lane, group in enumerate((row.theirs, row.ours), 1):
            if group is not None:
                _draw_lane(ax, number, lane, group.mean, group.interval)
                text = f"{group} ({group.epochs} epoch{'s' * (group.epochs > 1)})"
                place = (group.interval.high, number + LANES[lane])
                style.annotate(ax, text, place, fontsize=8.5, bbox=style.PLAIN)
    style.name_rows(ax, [f"{row.model}, {row.what}" for row in shown])
    ax.grid(axis="y", visible=False)
    for number in range(1, len(shown)):
        ax.axhline(number - 0.5, color=style.FILL, linewidth=0.8, zorder=0)
    low, high = ax.get_xlim()
    ax.set_xticks([tick for tick in ax.get_xticks() if low <= tick <= 100])
    ax.set_xlim(low, high + 0.55 * (high - low))  # room for the remarks
    ax.set_xlabel("test accuracy in %, with its 95 % interval")


def _draw_lane(ax: Axes, number: int, lane: int, accuracy: float, ends: Interval) -> None:
    row, colour = number + LANES[lane], style.PALETTE[lane]
    ax.plot(list(ends), [row, row], color=colour, linewidth=2)
    ax.plot([accuracy], [row], KIND_MARKERS[lane], color=colour, markersize=6)


def ablation_path(
    reached: Sequence[Measured], changes: Sequence[str], ranges: Sequence[tuple[float, float]]
) -> Figure:
    """Draw the accuracies of recipes that differ by one change each, the first on top, and what each change gained.

    Args:
        reached: What was measured of the recipes of `deepernets.results.ablation.path_runs`.
        changes: What each recipe changes in the one before it.
        ranges: Lowest and highest accuracy of each run's last epochs on held-out images, drawn as a pale bar.
    """
    figure, ax = style.single(7.5, 1.1 + 0.5 * max(len(reached), 1))
    means = [group.mean for group in reached]
    for row, (before, after) in enumerate(pairwise(means), 1):
        ax.plot([before, before, after], [row - 1, row, row], color=style.LINK, linewidth=1, zorder=0)
    gains = ["", *(f" ({after - before:+.1f})".replace("-", "−") for before, after in pairwise(means))]
    for row, (group, (low, high), gain) in enumerate(zip(reached, ranges, gains, strict=False)):
        ax.barh(row, high - low, height=0.36, left=low, color=style.PALETTE[0], alpha=0.25)
        ax.plot(list(group.interval), [row, row], color=style.PALETTE[0], linewidth=2)
        ax.plot([group.mean], [row], "o", color=style.PALETTE[0], markersize=6)
        style.annotate(ax, f"{group}{gain}", (1, row), xycoords=("axes fraction", "data"))
    style.name_rows(ax, changes[: len(reached)])
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("test accuracy in %, with its 95 % interval")
    style.say_if_empty(ax, not reached)
    return figure


def ablation_effects(parts: Sequence[PartEffect]) -> Figure:
    """Draw what each part of a recipe gains: a dot for each seed, and their mean ± standard deviation.

    Within one point of zero the axis is linear, beyond it logarithmic: one large gain would hide the small ones.

    Args:
        parts: A row each, the first on top; those without a gain are left out.
    """
    shown = [part for part in parts if part.gains]
    figure, ax = style.single(7.5, 1.2 + 0.42 * max(len(shown), 1))
    ax.axvline(0, color=style.GUIDE, linewidth=1)
    mark: dict[str, Any] = {"fmt": "|", "color": style.INK, "capsize": 4, "markersize": 9, "linewidth": 1.5}
    for row, part in enumerate(shown):
        ax.plot(part.gains, [row] * len(part.gains), "o", color=style.PALETTE[0], markersize=4, alpha=0.7)
        ax.errorbar(fmean(part.gains), row + 0.25, xerr=part.sd, **mark)
    ax.set_xscale("symlog", linthresh=1)
    style.log_ticks(ax.xaxis, GAIN_TICKS)
    ax.set_xlabel("points of test accuracy, with the part less without it")
    style.name_rows(ax, [part.part.replace("-", " ") for part in shown])
    gains = [gain for part in shown for gain in part.gains]
    ax.set_xlim(min([-1.2, *gains]) * 1.1, max([1.2, *gains]) * 1.1)
    style.say_if_empty(ax, not shown)
    return figure
