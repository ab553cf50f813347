"""Pictures of a reproduction: what a report states against what our runs of its recipe, and of ours, reached."""

from collections.abc import Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from deepernets.analysis.statistics import Interval
from deepernets.plots.comparison import say_if_empty
from deepernets.plots.style import PALETTE, PLAIN, grid
from deepernets.results.comparison import Measured, Row

KINDS = ("reported", "our run of their recipe", "our recipe")
MARKERS = ("D", "o", "s")
LANES = (-0.24, 0.0, 0.24)  # of the three dots in a row


def against(shown: Sequence[Row]) -> Figure:
    """Draw each reported accuracy above ours: a panel per data set, three lanes in each row.

    A bar is the 95 % interval that so many test images leave. Each of our runs has its accuracy and its epochs next
    to it; a recipe that was not run whole is named in words.

    Args:
        shown: Rows of one report, as `deepernets.results.comparison.compare_reported` gives them.
    """
    sets = list(dict.fromkeys(row.data for row in shown))
    heights = [sum(row.data == data for row in shown) for data in sets]
    figure, axes = grid(max(len(sets), 1), 1, width=7.5, height=1.3 + 0.62 * len(shown) + 0.6 * len(sets))
    if sets:
        axes[0, 0].get_gridspec().set_height_ratios([height + 0.6 for height in heights])
    for ax, data in zip(axes[:, 0], sets, strict=False):
        _panel(ax, [row for row in shown if row.data == data])
        ax.set_title(data, fontsize=10, loc="left")
    handles = [
        Line2D([], [], color=PALETTE[lane], marker=MARKERS[lane], label=kind)
        for lane, kind in enumerate(KINDS)
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(KINDS), frameon=False, fontsize=9)
    return figure


def ablation_path(
    reached: Sequence[Measured], words: Sequence[str], ranges: Sequence[tuple[float, float]]
) -> Figure:
    """Draw the accuracies of recipes that differ by one change each, the first on top, and what each change gained.

    Args:
        reached: What was measured of the recipes of `deepernets.results.ablation.path_runs`.
        words: What each recipe changes in the one before it.
        ranges: Lowest and highest accuracy of each run's last epochs on held-out images, drawn as a pale bar.
    """
    figure, axes = grid(1, 1, width=7.5, height=1.1 + 0.5 * max(len(reached), 1))
    ax = axes[0, 0]
    means = [group.mean for group in reached]
    for row, (before, after) in enumerate(pairwise(means), 1):
        ax.plot([before, before, after], [row - 1, row, row], color="0.6", linewidth=1, zorder=0)
    gains = ["", *(f" ({after - before:+.1f})".replace("-", "−") for before, after in pairwise(means))]
    for row, (group, (low, high), gain) in enumerate(
        zip(reached, ranges, gains, strict=True) if reached else ()
    ):
        ax.barh(row, high - low, height=0.36, left=low, color=PALETTE[0], alpha=0.25)
        ax.plot(list(group.interval), [row, row], color=PALETTE[0], linewidth=2)
        ax.plot([group.mean], [row], "o", color=PALETTE[0], markersize=6)
        ax.annotate(f"{group}{gain}", (1, row), xycoords=("axes fraction", "data"), xytext=(6, 0),
                    textcoords="offset points", va="center", fontsize=9)  # fmt: skip
    ax.set_yticks(range(len(reached)), words[: len(reached)])
    ax.set_ylim(max(len(reached), 1) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.set(xlabel="test accuracy in %, with its 95 % interval")
    say_if_empty(ax, not reached)
    return figure


def _panel(ax: Axes, shown: Sequence[Row]) -> None:
    for number, row in enumerate(shown):
        _dot(ax, number, 0, row.reported.test_accuracy, row.reported_interval)
        absent = []
        for lane, group in enumerate((row.theirs, row.ours), 1):
            if group is None:
                absent.append(KINDS[lane].removeprefix("our run of "))
            else:
                _dot(ax, number, lane, group.mean, group.interval)
                _note(ax, number, lane, group)
        if absent:
            words = f"not run: {', '.join(absent)}"
            ax.annotate(
                words, (1, number + LANES[0]), xycoords=("axes fraction", "data"), xytext=(-4, 0),
                textcoords="offset points", ha="right", va="center", fontsize=8.5, color="0.35",
                bbox=PLAIN,
            )  # fmt: skip
    ax.set_yticks(range(len(shown)), [f"{row.model}, {row.what}" for row in shown])
    ax.grid(axis="y", visible=False)
    for number in range(1, len(shown)):
        ax.axhline(number - 0.5, color="0.85", linewidth=0.8, zorder=0)
    ax.set_ylim(len(shown) - 0.5, -0.5)
    low, high = ax.get_xlim()
    ax.set_xticks([tick for tick in ax.get_xticks() if low <= tick <= 100])
    ax.set_xlim(low, high + 0.55 * (high - low))  # room for the words
    ax.set(xlabel="test accuracy in %, with its 95 % interval")


def _dot(ax: Axes, number: int, lane: int, accuracy: float, ends: Interval) -> None:
    row, colour = number + LANES[lane], PALETTE[lane]
    ax.plot(list(ends), [row, row], color=colour, linewidth=2)
    ax.plot([accuracy], [row], MARKERS[lane], color=colour, markersize=6)


def _note(ax: Axes, number: int, lane: int, group: Measured) -> None:
    epochs = f"{group.epochs} epoch{'s' * (group.epochs > 1)}"
    words = f"{group} ({epochs})"
    ax.annotate(
        words, (group.interval.high, number + LANES[lane]), xytext=(5, 0), textcoords="offset points",
        va="center", fontsize=8.5, bbox=PLAIN,
    )  # fmt: skip
