"""Pictures of what limits speed: memory or arithmetic in one machine, sending between many."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from deepernets.analysis.performance import Machine
from deepernets.plots.style import DASHES, MARKERS, PALETTE, grid


def roofline(machine: Machine, intensities: Mapping[str, float]) -> Figure:
    """Draw the roof of a machine, and under it what layers of some intensities (operations per byte) can reach."""
    figure, axes = grid(1, 1, width=7.5, height=4.2)
    ax = axes[0, 0]
    values = [*intensities.values(), machine.ridge]
    along = np.geomspace(min(values) / 2, max(values) * 2, 200)
    roof = [machine.reachable(intensity) / 1e12 for intensity in along]
    ax.plot(along, roof, color="black", label="the machine")
    for number, (name, intensity) in enumerate(intensities.items()):
        ax.plot(
            intensity,
            machine.reachable(intensity) / 1e12,
            marker=MARKERS[number % len(MARKERS)],
            color=PALETTE[number % len(PALETTE)],
            markersize=10,
            markerfacecolor="none",
            markeredgewidth=2,
            linestyle="none",
            label=name,
        )
    ax.set(xscale="log", yscale="log")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "235" else "")
    ax.set(xlabel="operations per byte", ylabel="10¹² operations per second, at most")
    ax.legend(fontsize=8, loc="lower right")
    return figure


def efficiencies(processes: Sequence[int], shares: Mapping[str, Sequence[float]]) -> Figure:
    """Draw which share of the speed of p processes is left, for some networks, against p."""
    figure, axes = grid(1, 1, width=7, height=3.8)
    ax = axes[0, 0]
    for number, (name, values) in enumerate(shares.items()):
        ax.plot(
            processes,
            values,
            color=PALETTE[number],
            linestyle=DASHES[number % len(DASHES)],
            marker=MARKERS[number],
            label=name,
        )
    ax.set_xscale("log", base=2)
    ax.set_xticks(list(processes), [str(count) for count in processes])
    ax.set(xlabel="processes", ylabel="share of the ideal speed", ylim=(0, 1.05))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    ax.legend(fontsize=9)
    return figure
