"""Pictures of He, Zhang, Ren & Sun's (2016) results, with costs that were counted here."""

from collections.abc import Mapping

from matplotlib.figure import Figure
from pandas import DataFrame

from deepernets.analysis.statistics import binomial_interval
from deepernets.papers import resnet as published
from deepernets.papers.datasets import DATASETS
from deepernets.plots.style import PALETTE, PLAIN, grid

CIFAR_TEST_IMAGES = DATASETS["cifar10"].test_images
KINDS = {"ResNet": ("o", PALETTE[0]), "plain": ("s", PALETTE[1]), "VGG": ("D", PALETTE[2])}
# Names that would lie on one another stand to the left of their mark.
LEFT = ("plain-18", "plain-34", "VGG-16", "ResNet-34 B")


def imagenet_errors(multiply_adds: Mapping[str, float]) -> Figure:
    """Draw the paper's 10-crop top-1 errors (Tables 2 and 3) against the work that an image takes.

    Args:
        multiply_adds: In billions, by the name of the network in `published.TEN_CROP`; those without one are
            not drawn.
    """
    figure, axes = grid(1, 1, width=7.5, height=4.4)
    ax = axes[0, 0]
    drawn = [row for row in published.TEN_CROP if row.network in multiply_adds]
    for kind, (marker, colour) in KINDS.items():
        rows = [row for row in drawn if row.network.startswith(kind)]
        ax.plot(
            [multiply_adds[row.network] for row in rows],
            [row.top1 for row in rows],
            linestyle="",
            marker=marker,
            markersize=12 if kind == "plain" else 7,
            markerfacecolor="none" if kind == "plain" else colour,
            markeredgewidth=2,
            color=colour,
            label={"ResNet": "residual", "plain": "plain twin"}.get(kind, kind),
        )
    for row in drawn:
        left = row.network in LEFT
        ax.annotate(
            row.network,
            (multiply_adds[row.network], row.top1),
            xytext=(-10 if left else 10, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
            fontsize=9,
        )
    most = max(multiply_adds.values(), default=1.0)
    ax.set(xlabel="billions of multiply-adds per image", ylabel="top-1 error, %", xlim=(0, 1.14 * most))
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.14), ncols=len(KINDS), frameon=False)
    return figure


def cifar_errors(parameters: Mapping[int, int]) -> Figure:
    """Draw the paper's CIFAR-10 errors (Table 6) against parameters, with what 10,000 test images leave open.

    The bars are Wilson's 95 % intervals of a single network's error. The hollow square is the mean of five runs
    of 110 layers, with their standard deviation.

    Args:
        parameters: By depth, for the depths in `published.CIFAR_10`.
    """
    figure, axes = grid(1, 1, width=7.5, height=4.2)
    ax = axes[0, 0]
    for depth, (_, error) in published.CIFAR_10.items():
        right = round((100 - error) / 100 * CIFAR_TEST_IMAGES)
        low, high = (100 * (1 - share) for share in reversed(binomial_interval(right, CIFAR_TEST_IMAGES)))
        ax.errorbar(
            parameters[depth],
            error,
            yerr=[[error - low], [high - error]],
            fmt="o",
            markersize=7,
            capsize=4,
            color=PALETTE[0],
            label="as printed, with the 95 % interval of 10,000 images" if depth == 20 else None,
        )
        ax.annotate(
            f"{depth}", (parameters[depth], high), xytext=(0, 4), textcoords="offset points", ha="center"
        )
    ax.errorbar(
        1.17 * parameters[110],
        published.RESNET_110_MEAN,
        yerr=published.RESNET_110_SD,
        fmt="s",
        markersize=8,
        markerfacecolor="white",
        capsize=4,
        color=PALETTE[1],
        label="mean of five runs of 110 layers, ± one standard deviation",
    )
    ax.set(xscale="log", xlabel="parameters", ylabel="test error, %", ylim=(5.5, 9.8))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value / 1e6:g} million")
    ax.xaxis.set_minor_formatter("")
    ax.set_xlim(1.5e5, 4e7)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.24), frameon=False)
    return figure


def part_costs(parts: DataFrame) -> Figure:
    """Draw where a network's parameters and its work sit, one row per part, two panels.

    Args:
        parts: As `deepernets.analysis.stages.by_part` gives them.
    """
    figure, axes = grid(1, 2, width=8.5, height=0.8 + 0.42 * len(parts))
    panels = (
        ("parameters", "millions of parameters", 1e6, {"color": PALETTE[0]}),
        ("multiply_adds", "millions of multiply-adds", 1e6, {"color": PALETTE[1], "hatch": "//"}),
    )
    for ax, (column, words, unit, style) in zip(axes[0], panels, strict=True):
        values = parts[column] / unit
        ax.barh(range(len(parts)), values, **style)
        for row, value in enumerate(values):
            place = value + 0.015 * values.max()
            ax.text(place, row, f"{value:,.1f}", va="center", fontsize=9, bbox=PLAIN)
        ax.set(xlabel=words, xlim=(0, 1.25 * values.max()))
        ax.grid(visible=False, axis="y")
        ax.set_yticks(range(len(parts)), list(parts["part"]) if column == "parameters" else [""] * len(parts))
        ax.invert_yaxis()
    return figure
