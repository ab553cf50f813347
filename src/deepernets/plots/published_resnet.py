"""Pictures of what the ResNet paper published: errors against work on ImageNet, against parameters on CIFAR-10."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from deepernets.plots.style import PALETTE, grid
from deepernets.published.resnet import CIFAR_10, RESNET_110_MEAN, RESNET_110_SD, TEN_CROP


def error_by_work(billions: Mapping[str, float]) -> Figure:
    """Draw 10-crop top-1 errors on ImageNet against multiply-adds, each network with its name.

    Args:
        billions: Multiply-adds per image in billions, by the network's name in the paper's Tables 2 and 3.
    """
    figure, axes = grid(1, 1, width=7.5, height=4.4)
    ax = axes[0, 0]
    kinds = {"VGG": ("D", PALETTE[1]), "plain": ("s", PALETTE[3]), "ResNet": ("o", PALETTE[0])}
    labelled = set()
    for row in TEN_CROP:
        kind = next(kind for kind in kinds if row.network.startswith(kind))
        marker, colour = kinds[kind]
        label = None if kind in labelled else kind
        labelled.add(kind)
        ax.plot(
            billions[row.network], row.top1, marker, linestyle="", color=colour, markersize=8, label=label
        )
        ax.annotate(
            row.network.removeprefix("ResNet-").removeprefix("plain-"),
            (billions[row.network], row.top1),
            xytext=(-8, -3) if kind == "plain" else (7, -3),
            ha="right" if kind == "plain" else "left",
            textcoords="offset points",
            fontsize=9,
        )
    ax.set(
        xlabel="multiply-adds per image, billions (logarithmic)",
        ylabel="top-1 error, %",
        xscale="log",
        xlim=(1.5, 30),
    )
    ticks = [2, 4, 8, 16]
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.minorticks_off()
    ax.legend(loc="lower left")
    return figure


def cifar_errors(parameters: Mapping[int, int]) -> Figure:
    """Draw test errors on CIFAR-10 against parameters, each network with its depth.

    ResNet-110 has a bar, mean and standard deviation of five runs, beside the best one that Table 6 shows.

    Args:
        parameters: Counts by depth.
    """
    figure, axes = grid(1, 1, width=7.5, height=3.8)
    ax = axes[0, 0]
    depths = list(CIFAR_10)
    counts = [parameters[depth] / 1e6 for depth in depths]
    errors = [CIFAR_10[depth].error for depth in depths]
    ax.plot(counts, errors, "o-", color=PALETTE[0], markersize=8, label="as printed in Table 6")
    for depth, count, error in zip(depths, counts, errors, strict=True):
        ax.annotate(str(depth), (count, error), xytext=(6, 6), textcoords="offset points", fontsize=9)
    look = {"color": PALETTE[1], "marker": "s", "capsize": 4, "linestyle": ""}
    ax.errorbar(
        parameters[110] / 1e6,
        RESNET_110_MEAN,
        yerr=RESNET_110_SD,
        label="110: mean ± sd of five runs",
        **look,
    )
    ax.set(xlabel="parameters, millions (logarithmic)", ylabel="test error, %", xscale="log", xlim=(0.2, 40))
    ticks = [0.3, 1, 3, 10, 30]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.legend()
    return figure
