"""The picture of an ablation: what each part of a recipe is worth."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from deepernets.plots.comparison import say_if_empty
from deepernets.plots.style import PALETTE, grid
from deepernets.results.ablation import PartEffect

TICKS = (-10, -5, -2, -1, -0.5, 0, 0.5, 1, 2, 5, 10, 20)  # points


def worths(parts: Sequence[PartEffect]) -> Figure:
    """Draw a row for each part, the first on top: a dot for each seed's gain, and their mean ± standard deviation.

    Within one point of zero the axis is linear, beyond it logarithmic: one large gain would hide the small ones.

    Args:
        parts: Those without a gain are left out.
    """
    shown = [worth for worth in parts if worth.gains]
    figure, axes = grid(1, 1, width=7.5, height=1.2 + 0.42 * max(len(shown), 1))
    ax = axes[0, 0]
    ax.axvline(0, color="0.4", linewidth=1)
    for row, worth in enumerate(shown):
        ax.plot(worth.gains, [row] * len(worth.gains), "o", color=PALETTE[0], markersize=4, alpha=0.7)
        ax.errorbar(
            worth.mean,
            row + 0.25,
            xerr=worth.sd,
            fmt="|",
            color="black",
            capsize=4,
            markersize=9,
            linewidth=1.5,
        )
    ax.set_xscale("symlog", linthresh=1)
    ax.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    ax.minorticks_off()
    ax.set(
        xlabel="points of test accuracy, with the part less without it", ylim=(max(len(shown), 1) - 0.4, -0.6)
    )
    ax.set_yticks(range(len(shown)), [worth.part.replace("-", " ") for worth in shown])
    gains = [gain for worth in shown for gain in worth.gains]
    ax.set_xlim(min([-1.2, *gains]) * 1.1, max([1.2, *gains]) * 1.1)
    say_if_empty(ax, not shown)
    return figure
