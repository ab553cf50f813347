"""Figures of speed: where the time of a step goes, and what limits it on one machine and on many."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deepernets.analysis.performance import Machine
from deepernets.benchmark.run import images_per_second
from deepernets.plots import style
from deepernets.training.records import Record


def phase_times(spent: Mapping[str, Mapping[str, float]], rows: int | None = None) -> Figure:
    """Draw the milliseconds per image of some ways to train, each as a bar of its phases.

    Args:
        spent: By name the seconds per image of each phase, as `deepernets.training.timing.measure_phases` returns
            them.
        rows: Number of bars that the figure is made for, if fewer ways may be possible on some machines.
    """
    figure, ax = style.single(7.5, 1.3 + 0.5 * (rows or len(spent)))
    _draw_phases(ax, spent)
    ax.set_xlabel("milliseconds per image")
    style.legend_outside(figure)
    return figure


def phase_times_by_network(spent: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Figure:
    """Draw the same for several networks, each in a panel with an axis of its own.

    Args:
        spent: By network, what `phase_times` takes.
    """
    most = max(map(len, spent.values()))
    figure, axes = style.subplots(len(spent), 1, width=7.5, height=(0.9 + 0.34 * most) * len(spent))
    for ax, (network, ways) in zip(axes[:, 0], spent.items(), strict=True):
        _draw_phases(ax, ways)
        ax.set_title(network, loc="left", fontsize=10)
    axes[-1, 0].set_xlabel("milliseconds per image")
    style.legend_outside(figure)
    return figure


def _draw_phases(ax: Axes, spent: Mapping[str, Mapping[str, float]]) -> None:
    for row, parts in enumerate(spent.values()):
        left = 0.0
        for number, (phase, seconds) in enumerate(parts.items()):
            ax.barh(row, 1000 * seconds, left=left, label=phase, **style.bar(number))
            left += 1000 * seconds
    style.name_rows(ax, list(spent))


def training_speeds(records: Sequence[Record]) -> Figure:
    """Draw the images per second of recorded runs, training epochs alone: a row per network, the fastest on top."""
    speeds: dict[str, list[float]] = {}
    for record in records:
        name = f"{record.recipe.model}, {record.precision}, {record.data['name']}"
        speeds.setdefault(name, []).append(images_per_second(record))
    order = sorted(speeds, key=lambda name: -max(speeds[name]))
    figure, ax = style.single(7.5, 1.2 + 0.32 * len(order))
    for row, name in enumerate(order):
        ax.plot(speeds[name], [row] * len(speeds[name]), "o", color=style.PALETTE[0])
    style.name_rows(ax, order)
    ax.set_xlabel("images per second")
    ax.set_xlim(left=0)
    return figure


def roofline(machine: Machine, intensities: Mapping[str, float]) -> Figure:
    """Draw the roofline of a machine, and on it what layers of some intensities (operations per byte) can reach."""
    figure, ax = style.single(7.5, 4.2)
    values = [*intensities.values(), machine.ridge]
    x = np.geomspace(min(values) / 2, max(values) * 2, 200)
    ax.plot(x, [machine.reachable(intensity) / 1e12 for intensity in x], color=style.INK, label="the machine")
    hollow = {"markersize": 10, "markerfacecolor": "none", "markeredgewidth": 2, "linestyle": "none"}
    for number, (name, intensity) in enumerate(intensities.items()):
        ax.plot(
            intensity, machine.reachable(intensity) / 1e12, label=name, **{**style.series(number), **hollow}
        )
    ax.set(xscale="log", yscale="log")
    ax.xaxis.set_major_formatter("{x:g}")
    style.label_decades(ax.yaxis, "235")
    ax.set(xlabel="operations per byte", ylabel="10¹² operations per second, at most")
    ax.legend(fontsize=8, loc="lower right")
    return figure


def scaling_efficiencies(processes: Sequence[int], shares: Mapping[str, Sequence[float]]) -> Figure:
    """Draw which share of the ideal speed of p processes is left, for some networks, against p."""
    figure, ax = style.single(7, 3.8)
    style.draw_lines(ax, {name: (processes, values) for name, values in shares.items()})
    ax.set_xscale("log", base=2)
    style.log_ticks(ax.xaxis, list(processes))
    ax.set(xlabel="processes", ylabel="share of the ideal speed", ylim=(0, 1.05))
    style.label_percent(ax.yaxis)
    return figure
