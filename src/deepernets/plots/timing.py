"""Pictures of where time goes."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deepernets.plots.style import PALETTE, grid
from deepernets.training.records import Record

HATCHES = ("", "//", "..", "xx")


def stacked(spent: Mapping[str, Mapping[str, float]]) -> Figure:
    """Draw the milliseconds per image of some ways to train, each as a bar of its phases.

    Args:
        spent: By name the seconds per image of each phase, as `deepernets.training.timing.measure_phases`
            returns them.
    """
    figure, axes = grid(1, 1, width=7.5, height=1.3 + 0.5 * len(spent))
    _bars(axes[0, 0], spent)
    axes[0, 0].set(xlabel="milliseconds per image")
    _legend(axes[0, 0])
    return figure


def by_network(spent: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Figure:
    """Draw the same for several networks, each in a panel with an axis of its own.

    Args:
        spent: By network, what `stacked` takes.
    """
    most = max(map(len, spent.values()))
    figure, axes = grid(len(spent), 1, width=7.5, height=(0.9 + 0.34 * most) * len(spent))
    for ax, (network, ways) in zip(axes[:, 0], spent.items(), strict=True):
        _bars(ax, ways)
        ax.set_title(network, loc="left", fontsize=10)
    _legend(axes[0, 0])
    axes[-1, 0].set(xlabel="milliseconds per image")
    return figure


def _bars(ax: Axes, spent: Mapping[str, Mapping[str, float]]) -> None:
    for row, parts in enumerate(spent.values()):
        left = 0.0
        for number, (phase, seconds) in enumerate(parts.items()):
            width = 1000 * seconds
            label = phase if row == 0 else None
            ax.barh(row, width, left=left, color=PALETTE[number], hatch=HATCHES[number], label=label)
            left += width
    ax.set_yticks(range(len(spent)), list(spent))
    ax.invert_yaxis()


def _legend(ax: Axes) -> None:
    ax.legend(fontsize=8, ncols=4, loc="lower right", bbox_to_anchor=(1.0, 1.0), frameon=False)


def rates(records: Sequence[Record]) -> Figure:
    """Draw the images per second of recorded runs, training epochs alone: a row per network, the fastest on top."""
    named = [
        (f"{record.recipe.model}, {record.precision}, {record.data['name']}", images_per_second(record))
        for record in records
    ]
    fastest = {name: max(rate for other, rate in named if other == name) for name, _ in named}
    order = sorted(fastest, key=lambda name: fastest[name])
    figure, axes = grid(1, 1, width=7.5, height=1.2 + 0.32 * len(order))
    ax = axes[0, 0]
    ax.plot([rate for _, rate in named], [order.index(name) for name, _ in named], "o", color=PALETTE[0])
    ax.set_yticks(range(len(order)), order)
    ax.set(xlabel="images per second")
    ax.set_xlim(left=0)
    return figure


def images_per_second(record: Record) -> float:
    """Return the images per second of a run's fastest epoch: the slower ones shared the machine."""
    return float(record.data["train"] / min(epoch["seconds"] for epoch in record.epochs))
