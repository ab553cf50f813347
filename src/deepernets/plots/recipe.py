"""Pictures of what a recipe is made of: schedules, the gradient of the loss, the noise of batches."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from deepernets.plots.style import DASHES, MARKERS, PALETTE, grid
from deepernets.training.records import Record

COLUMNS = 3


def schedule_panels(factors: Mapping[str, Sequence[float]]) -> Figure:
    """Draw schedules, each in a panel of its own, as factors at equal distances from first to last step."""
    rows = -(-len(factors) // COLUMNS)
    figure, axes = grid(rows, COLUMNS, width=7.5, height=0.4 + 1.7 * rows)
    for ax in axes.flat[len(factors) :]:
        ax.axis("off")
    for ax, (name, values) in zip(axes.flat, factors.items(), strict=False):
        shares = [step / (len(values) - 1) for step in range(len(values))]
        ax.plot(shares, values, color=PALETTE[0], linewidth=2)
        ax.fill_between(shares, values, color=PALETTE[0], alpha=0.15)
        ax.set(ylim=(0, 1.05), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
        ax.set_title(name, fontsize=10)
    for ax in axes[-1]:
        ax.set_xlabel("share of training done", fontsize=9)
    for ax in axes[:, 0]:
        ax.set_ylabel("factor of the rate", fontsize=9)
    return figure


def pull(leads: Sequence[float], pulls: Mapping[str, Sequence[float]]) -> Figure:
    """Draw how hard the loss pulls the true class's logit up, against its lead over the other logits.

    Args:
        leads: Logit of the true class minus that of all others.
        pulls: By name of the loss, minus its derivative by that logit, one for each lead.
    """
    figure, axes = grid(1, 1, width=7, height=3.4)
    ax = axes[0, 0]
    for number, (name, values) in enumerate(pulls.items()):
        ax.plot(leads, values, color=PALETTE[number], linestyle=DASHES[number], linewidth=2, label=name)
    ax.axvline(0, color="0.4", linewidth=0.8)
    ax.set(xlabel="lead of the true class's logit", ylabel="−∂L/∂z of the true class")
    ax.legend(fontsize=9)
    return figure


def losses(runs: Mapping[str, Sequence[float]], guessing: float) -> Figure:
    """Draw the training loss of runs by epoch, with the loss of guessing as a line to beat.

    Args:
        runs: By name, the loss of each epoch in nats.
        guessing: The loss of equal probabilities, ln K.
    """
    figure, axes = grid(1, 1, width=7, height=3.4)
    ax = axes[0, 0]
    for number, (name, values) in enumerate(runs.items()):
        ax.plot(
            range(1, len(values) + 1),
            values,
            color=PALETTE[number],
            linestyle=DASHES[number],
            marker=MARKERS[number],
            label=name,
        )
    ax.axhline(guessing, color="0.3", linewidth=1, linestyle=(0, (1, 3)), label="guessing, ln K")
    ax.set(xlabel="epoch", ylabel="training loss (nats)")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.legend(fontsize=9)
    return figure


def noise(measured: Mapping[int, float], of_one: float) -> Figure:
    """Draw the noise of the gradient against the batch size, with the line that 1/B predicts.

    Args:
        measured: By batch size, the variance of the batch's gradient, added up over the parameters.
        of_one: The same of a single image.
    """
    figure, axes = grid(1, 1, width=6.5, height=3.6)
    ax, sizes = axes[0, 0], list(measured)
    ax.plot(sizes, [of_one / size for size in sizes], "--", color="0.3", label="that of one image, over B")
    ax.plot(sizes, list(measured.values()), "o", color=PALETTE[0], markersize=8, label="measured")
    ax.set(xscale="log", yscale="log", xlabel="batch size B", ylabel="variance of the gradient")
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.xaxis.minorticks_off()
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.yaxis.set_minor_formatter(
        lambda value, _: f"{value:g}" if f"{value:g}".strip("0.")[:1] in "25" else ""
    )
    ax.legend(fontsize=9)
    return figure


def steadiness(runs: Mapping[str, Record], last: int = 5) -> Figure:
    """Draw the validation accuracies of the last epochs of runs: all of them small, the very last large.

    Args:
        runs: By name, drawn from the bottom up in order of the last epoch.
        last: How many epochs to draw.
    """
    figure, axes = grid(1, 1, width=7, height=1 + 0.42 * max(len(runs), 1))
    ax = axes[0, 0]
    order = sorted(runs, key=lambda name: runs[name].epochs[-1]["validation_accuracy"])
    for row, name in enumerate(order):
        accuracies = [100 * epoch["validation_accuracy"] for epoch in runs[name].epochs[-last:]]
        ax.plot([min(accuracies), max(accuracies)], [row, row], color="0.6", linewidth=1)
        ax.plot(accuracies, [row] * len(accuracies), "o", color=PALETTE[0], markersize=4, alpha=0.6)
        ax.plot(accuracies[-1], row, "D", color=PALETTE[1], markersize=8)
    ax.set_yticks(range(len(order)), order)
    ax.set(xlabel=f"validation accuracy, last {last} epochs, % (diamond: the very last)")
    ax.xaxis.get_major_locator().set_params(integer=True)
    return figure
