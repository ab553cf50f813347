"""Figures of the VGG and the ResNet paper's tables, with costs that were counted here."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from deepernets.analysis.statistics import binomial_interval
from deepernets.papers import resnet
from deepernets.papers.datasets import DATASETS
from deepernets.papers.vgg import MULTI_SCALE, SINGLE_SCALE, STATE_OF_THE_ART, Competitor
from deepernets.plots import style

CIFAR_TEST_IMAGES = DATASETS["cifar10"].test_images
KINDS = {"ResNet": ("residual", "o"), "plain": ("plain twin", "s"), "VGG": ("VGG", "D")}
# Names to the left of their mark, because others would overlap them on the right.
LEFT = ("plain-18", "plain-34", "VGG-16", "ResNet-34 B")


def vgg_errors_by_scale() -> Figure:
    """Draw VGG's top-1 errors at one test scale and at three: a row per network of the paper's Tables 3 and 4.

    A filled circle is Table 3's, a hollow diamond Table 4's; the line between them is what three scales gain.
    Networks that Table 4 leaves out have the circle alone.
    """
    figure, ax = style.single(7.5, 5.2)
    several = {(row.configuration, row.train): row.top1 for row in MULTI_SCALE}
    mark: dict[str, Any] = {"markersize": 8, "linestyle": "", "zorder": 3}
    full = {**mark, "marker": "o", "color": style.PALETTE[0], "label": "one test scale"}
    hollow = {**mark, "marker": "D", "markerfacecolor": style.PAPER, "markeredgecolor": style.PALETTE[1]}
    hollow |= {"markeredgewidth": 2, "label": "three test scales"}
    for place, row in enumerate(SINGLE_SCALE):
        ax.plot(row.top1, place, **full)
        style.annotate(ax, f"{row.top1}", (row.top1, place), xytext=(8, 0), bbox=style.PLAIN)
        gained = several.get((row.configuration, row.train))
        if gained is not None:
            ax.plot([row.top1, gained], [place, place], color=style.LINK, linewidth=2)
            ax.plot(gained, place, **hollow)
            look = {"xytext": (-8, 0), "ha": "right", "bbox": style.PLAIN}
            style.annotate(ax, f"{gained}", (gained, place), **look)
    ax.set(xlabel="top-1 error, % of the validation images", xlim=(23, 30.8))
    style.name_rows(ax, [f"{row.configuration}, S = {row.train}" for row in SINGLE_SCALE])
    style.legend_outside(figure)
    return figure


def state_of_the_art_2014() -> Figure:
    """Draw the top-5 errors of the VGG paper's Table 7 as bars, the lowest on top.

    A full bar is an error on the test images; where none was given, a hatched one is that on the validation
    images.
    """
    rows = sorted(STATE_OF_THE_ART, key=_top5)
    figure, ax = style.single(7.5, 5.6)
    for place, row in enumerate(rows):
        colour = style.PALETTE[0 if row.method.startswith("VGG") else 7]
        tested = row.top5_test is not None
        look: dict[str, Any] = {"color": colour if tested else style.PAPER, "hatch": "" if tested else "///"}
        ax.barh(place, _top5(row), edgecolor=colour, **look)
        text = f"{_top5(row)}" + ("" if tested else " (validation)")
        style.annotate(ax, text, (_top5(row), place))
    style.name_rows(ax, [f"{row.method}, {row.nets} net{'' if row.nets == '1' else 's'}" for row in rows])
    for label, row in zip(ax.get_yticklabels(), rows, strict=True):
        label.set(fontsize=style.SMALL, fontweight="bold" if row.method.startswith("VGG") else "normal")
    ax.set(xlabel="top-5 error, %", xlim=(0, 23))
    return figure


def _top5(row: Competitor) -> float:
    error = row.top5_test if row.top5_test is not None else row.top5_val
    assert error is not None, f"{row.method} has no top-5 error"
    return error


def resnet_imagenet_errors(multiply_adds: Mapping[str, float]) -> Figure:
    """Draw the ResNet paper's 10-crop top-1 errors (Tables 2 and 3) against multiply-adds per image.

    Args:
        multiply_adds: In billions, by the name of the network in `deepernets.papers.resnet.TEN_CROP`; those without
            one are not drawn.
    """
    figure, ax = style.single(7.5, 4.4)
    drawn = [row for row in resnet.TEN_CROP if row.network in multiply_adds]
    for colour, (kind, (label, marker)) in zip(style.PALETTE, KINDS.items(), strict=False):
        rows = [row for row in drawn if row.network.startswith(kind)]
        if not rows:
            continue
        look = {"markersize": 7, "markerfacecolor": colour}
        if kind == "plain":
            look = {"markersize": 12, "markerfacecolor": "none"}
        x, y = [multiply_adds[row.network] for row in rows], [row.top1 for row in rows]
        ax.plot(x, y, marker, color=colour, markeredgewidth=2, label=label, **look)
    for row in drawn:
        shift, side = (-10, "right") if row.network in LEFT else (10, "left")
        style.annotate(ax, row.network, (multiply_adds[row.network], row.top1), xytext=(shift, 0), ha=side)
    most = max(multiply_adds.values(), default=1.0)
    named_right = [multiply_adds[row.network] for row in drawn if row.network not in LEFT]
    ax.set(xlabel="billions of multiply-adds per image", ylabel="top-1 error, %")
    ax.set_xlim(-0.25 * most, max(1.05 * most, 1.45 * max(named_right, default=0)))  # room for the names
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}" if value >= 0 else "")
    style.legend_outside(figure)
    return figure


def resnet_cifar_errors(parameters: Mapping[int, int]) -> Figure:
    """Draw the ResNet paper's CIFAR-10 errors (Table 6) against parameters, with 95 % intervals.

    The bars are Wilson's intervals of a single network's error on 10,000 test images. The hollow square is the mean
    of five runs of 110 layers, with their standard deviation.

    Args:
        parameters: By depth, for the depths in `deepernets.papers.resnet.CIFAR_10`.
    """
    figure, ax = style.single(7.5, 4.2)
    dot = {"fmt": "o", "markersize": 7, "capsize": 4, "color": style.PALETTE[0]}
    for depth, (_, error) in resnet.CIFAR_10.items():
        wrong = round(error / 100 * CIFAR_TEST_IMAGES)
        low, high = (100 * share for share in binomial_interval(wrong, CIFAR_TEST_IMAGES))
        label = "as printed, with the 95 % interval\nof 10,000 images" if depth == 20 else None
        ax.errorbar(parameters[depth], error, yerr=[[error - low], [high - error]], label=label, **dot)
        look = {"xytext": (0, 4), "ha": "center", "va": "bottom", "fontsize": 10}
        style.annotate(ax, f"{depth}", (parameters[depth], high), **look)
    square = {**dot, "fmt": "s", "markerfacecolor": style.PAPER, "color": style.PALETTE[1]}
    square["label"] = "mean of five runs of 110 layers,\n± one standard deviation"
    ax.errorbar(1.17 * parameters[110], resnet.RESNET_110_MEAN, yerr=resnet.RESNET_110_SD, **square)
    ax.set(xscale="log", xlabel="parameters", ylabel="test error, %", xlim=(1.5e5, 4e7), ylim=(5.5, 9.8))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value / 1e6:g} million")
    ax.xaxis.set_minor_formatter("")
    style.legend_outside(figure, columns=1)
    return figure
