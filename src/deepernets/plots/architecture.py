"""Figures of networks: their blocks and shortcuts, what their layers cost, and signals from layer to layer."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import nn

from deepernets.models.counting import count_parameters
from deepernets.models.registry import build_model
from deepernets.models.vgg import CONFIGURATIONS
from deepernets.plots import style


class Sketch(NamedTuple):
    """What a block's diagram shows, from the input down.

    Attributes:
        branches: One sequence of steps for each way from x to the sum. A step in brackets is drawn in a box, for it
            has weights; with a star it is drawn as what is new. An empty sequence is the shortcut.
        after: What follows the addition.
    """

    branches: tuple[tuple[str, ...], ...]
    after: str = ""


BASIC = Sketch((("[3×3, C]", "norm, ReLU", "[3×3, C]", "norm"), ()), "ReLU")
# He et al. (2016), figure 5; C is the width of the stage.
RESIDUAL_BLOCKS = {
    "basic": BASIC,
    "bottleneck": Sketch(
        (("[1×1, C]", "norm, ReLU", "[3×3, C]", "norm, ReLU", "[1×1, 4C]", "norm"), ()), "ReLU"
    ),
}
# Here C is the width of the block's input and output.
BLOCK_VARIANTS = {
    "basic": BASIC,
    "pre-activation": Sketch((("norm, ReLU*", "[3×3, C]", "norm, ReLU*", "[3×3, C]"), ())),
    "wide": Sketch((("norm, ReLU", "[3×3, kC]*", "norm, ReLU", "dropout*", "[3×3, kC]*"), ())),
    "RepVGG": Sketch((("[3×3, C]", "norm"), ("[1×1, C]*", "norm*"), ("norm*",)), "ReLU"),
    "bottleneck": Sketch(
        (("[1×1, C/4]", "norm, ReLU", "[3×3, C/4]", "norm, ReLU", "[1×1, C]", "norm"), ()), "ReLU"
    ),
    "ResNeXt": Sketch(
        (("[1×1, C/2]*", "norm, ReLU", "[3×3, C/2,\n32 groups]*", "norm, ReLU", "[1×1, C]", "norm"), ()),
        "ReLU",
    ),
    "squeeze-and-excitation": Sketch(
        (("[1×1, C/4]", "norm, ReLU", "[3×3, C/4]", "norm, ReLU", "[1×1, C]", "norm", "[gate, C/16]*"), ()),
        "ReLU",
    ),
    "ConvNeXt": Sketch(
        (("[7×7, C, each\nchannel alone]*", "layer norm*", "[1×1, 4C]*", "GELU*", "[1×1, C]", "× γ*"), ())
    ),
}
BLOCK_HEIGHT = 8.6  # of a panel, in steps
BRANCH_DISTANCE = 2.4

COPIED, MIXED, ZEROS = "passed on", "mixed by a 1×1 convolution", "zeros"
CHANNEL_LOOKS: dict[str, dict[str, Any]] = {
    COPIED: {"facecolor": style.PALETTE[0], "edgecolor": style.INK},
    MIXED: {"facecolor": style.PALETTE[1], "edgecolor": style.INK, "hatch": "xxxx"},
    ZEROS: {"facecolor": style.PAPER, "edgecolor": style.INK, "linestyle": "--"},
}


def configuration_chart() -> Figure:
    """Draw the parameters of VGG's six configurations: convolutions against fully-connected layers."""
    figure, ax = style.single(7.5, 3.8)
    for row, name in enumerate(CONFIGURATIONS):
        with torch.device("meta"):  # counted, never computed with
            network = build_model(f"vgg-{name.lower()}")
        linear = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
        total = count_parameters(network) / 1e6
        connected = sum(map(count_parameters, linear)) / 1e6
        convolutional = total - connected
        ax.barh(row, convolutional, label="convolutions", **style.bar(0))
        ax.barh(row, connected, left=convolutional, label="fully-connected layers", **style.bar(1))
        style.annotate(ax, f"{total:.1f}", (total, row), fontsize=10, bbox=style.PLAIN)
    ax.set(xlabel="millions of parameters", ylabel="configuration", xlim=(0, 165))
    style.name_rows(ax, list(CONFIGURATIONS))
    ax.grid(visible=False, axis="y")
    style.legend_outside(figure)
    return figure


def costs_by_layer(
    layers: Sequence[str], costs: Mapping[str, Sequence[float]], numbers: bool = False
) -> Figure:
    """Draw what each layer, or each part, of a network costs, the first one at the top, one panel per kind of cost.

    Args:
        layers: Their names.
        costs: By the title of a panel, one number per layer.
        numbers: Whether to write the numbers next to the bars.
    """
    height = 0.6 + (0.42 if numbers else 0.25) * len(layers)
    figure, axes = style.subplots(1, len(costs), width=8, height=height)
    for number, (ax, (title, values)) in enumerate(zip(axes[0], costs.items(), strict=True)):
        ax.barh(range(len(layers)), values, edgecolor=style.PAPER, **style.bar(number))
        ax.set_title(title, fontsize=10)
        style.name_rows(ax, layers if number == 0 else [""] * len(layers))
        ax.grid(False, axis="y")
        if numbers:
            for row, value in enumerate(values):
                style.annotate(ax, f"{value:,.1f}", (value, row), bbox=style.PLAIN)
            ax.set_xlim(0, 1.25 * max(values))
    return figure


def residual_blocks() -> Figure:
    """Draw a basic and a bottleneck block: the branch of convolutions, the shortcut, the addition."""
    return _block_diagrams(RESIDUAL_BLOCKS, rows=1, height=4.4)


def block_variants() -> Figure:
    """Draw ResNet's two blocks and those after it, side by side: branches, shortcut, addition.

    What is new in a block has a thick dashed frame, or is written in italics where it has no weights.
    """
    return _block_diagrams(BLOCK_VARIANTS, rows=2, height=8.4)


def _block_diagrams(sketches: Mapping[str, Sketch], rows: int, height: float) -> Figure:
    columns = len(sketches) // rows
    figure, axes = style.subplots(rows, columns, width=max(2.3 * columns, 6), height=height)
    for ax, (name, sketch) in zip(axes.flat, sketches.items(), strict=True):
        _draw_block(ax, sketch)
        ax.set(xlim=(-1.75, 2 * BRANCH_DISTANCE + 0.6), ylim=(-BLOCK_HEIGHT - 0.9, 0.5))
        ax.set_title(name, fontsize=11)
    style.hide_axes(axes.flat)
    return figure


def _draw_block(ax: Axes, sketch: Sketch) -> None:
    arrow: dict[str, Any] = {"arrowstyle": "->", "shrinkA": 0, "shrinkB": 0}
    sum_at = -BLOCK_HEIGHT + 0.9
    ax.text(0, 0.15, "x", fontsize=10, **style.CENTRED)
    for number, steps in enumerate(sketch.branches):
        x = BRANCH_DISTANCE * number + (0.6 if number and not steps else 0)
        gap = (-sum_at - 0.9) / max(len(steps), 1)
        colour, width = (style.GUIDE, 1.2) if steps else (style.PALETTE[2], 2.2)
        start, end = (-0.35, sum_at) if number else (-0.05, sum_at + 0.3)
        ax.plot([x, x], [start, end], color=colour, linewidth=width, zorder=1)
        if number:
            ax.plot([0, x], [start, start], color=colour, linewidth=width, zorder=1)
            ax.annotate("", (0.32, sum_at), (x, sum_at), arrowprops={**arrow, "edgecolor": colour}, zorder=1)
        if not steps:
            ax.text(x + 0.3, sum_at / 2, "shortcut", rotation=90, fontsize=style.SMALL, **style.CENTRED)
        lower = 0.25 * (number % 2)  # boxes of neighbouring branches would touch
        for row, step in enumerate(steps):
            _draw_step(ax, x, -0.75 - gap * (row + 0.35 + lower), step)
    circle = {"boxstyle": "circle,pad=0.2", "facecolor": style.PAPER, "edgecolor": style.INK}
    ax.text(0, sum_at, "+", fontsize=10, bbox=circle, zorder=3, **style.CENTRED)
    ax.annotate("", (0, -BLOCK_HEIGHT - 0.7), (0, sum_at - 0.3), arrowprops=arrow, zorder=1)
    if sketch.after:
        _draw_step(ax, 0, -BLOCK_HEIGHT - 0.05, sketch.after)


def _draw_step(ax: Axes, x: float, y: float, step: str) -> None:
    new, boxed = step.endswith("*"), step.startswith("[")
    frame: dict[str, Any] = {"boxstyle": "square,pad=0.1", "facecolor": style.PAPER, "edgecolor": "none"}
    if boxed:
        frame |= {"boxstyle": "round,pad=0.35", "edgecolor": style.PALETTE[1] if new else style.PALETTE[0]}
        frame |= {"linewidth": 2.6 if new else 1.4, "linestyle": "--" if new else "-"}
    text, slant = step.removesuffix("*").strip("[]"), "italic" if new else "normal"
    ax.text(x, y, text, fontsize=10, bbox=frame, zorder=2, style=slant, **style.CENTRED)


def channel_links(channels: int, groups: Sequence[int]) -> Figure:
    """Draw, dark, which channels in (columns) each channel out (rows) of a convolution is computed from.

    Args:
        channels: In and out.
        groups: One panel for each number of groups.
    """
    figure, axes = style.subplots(1, len(groups), width=2.7 * len(groups), height=3.1)
    for ax, number in zip(axes[0], groups, strict=True):
        size = channels // number
        linked = torch.block_diag(*[torch.ones(size, size)] * number)
        ax.imshow(linked.numpy(), cmap=style.SHADES, vmin=0, vmax=1.4, interpolation="nearest")
        names = {1: "one group: all", channels: f"{channels} groups: depthwise"}
        name = names.get(number, f"{number} groups")
        ax.set_title(f"{name}\n{int(linked.sum())} kernels", fontsize=10)
        ax.set(xlabel="channel in", ylabel="channel out" if ax is axes[0, 0] else "", xticks=[], yticks=[])
    return figure


def shortcut_options() -> Figure:
    """Draw what shortcuts A, B and C of He et al. (2016, section 4.1) pass on to the addition.

    A bar is a channel, its length the side of the feature map: on the left of each arrow x, on the right what the
    shortcut makes of it. The upper row is a block where shapes change, the lower row one where they do not.
    """
    channels = 4  # of the input; few, so that each can be seen
    options = {  # what each output channel is, where the width doubles, and elsewhere
        "A": ([COPIED] * channels + [ZEROS] * channels, [COPIED] * channels),
        "B": ([MIXED] * 2 * channels, [COPIED] * channels),
        "C": ([MIXED] * 2 * channels, [MIXED] * channels),
    }
    figure, axes = style.subplots(2, len(options), width=8.5, height=4.6)
    for column, (option, passed_on) in enumerate(options.items()):
        for ax, after, length in zip(axes[:, column], passed_on, (0.8, 1.6), strict=True):
            _draw_channels(ax, 0, 1.6, [COPIED] * channels)
            _draw_channels(ax, 2.8, length, after)
            ax.annotate("", (2.6, 0), (1.8, 0), arrowprops={"arrowstyle": "->"})
            ax.set(xlim=(-0.3, 5.0), ylim=(-channels - 0.3, channels + 0.3), xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        axes[0, column].set_title(f"option {option}")
    axes[0, 0].set_ylabel("where the width doubles\nand the map is halved")
    axes[1, 0].set_ylabel("everywhere else")
    for kind, look in CHANNEL_LOOKS.items():
        axes[0, 0].add_patch(Rectangle((0, 0), 0, 0, label=kind, **look))  # for the legend
    style.legend_outside(figure, "lower")
    return figure


def _draw_channels(ax: Axes, left: float, length: float, kinds: Sequence[str]) -> None:
    """Draw one bar per channel, the first one on top, around a height of 0."""
    for number, kind in enumerate(kinds):
        ax.add_patch(Rectangle((left, len(kinds) / 2 - number - 0.85), length, 0.7, **CHANNEL_LOOKS[kind]))


def copied_and_added_layers(shallow: nn.Module, deep: nn.Module, names: tuple[str, str]) -> Figure:
    """Draw two networks, a box per convolution or linear layer, layers of the same name one above the other.

    Boxes of the upper row, the shallower network, are full. In the lower row a layer that the shallower network has
    too is full, and any other one is hatched. This is the argument of He et al. (2016, section 1), as
    `deepernets.analysis.depth.deepen` carries it out.

    Args:
        shallow: Each of its layers has a layer of the same name in `deep`.
        deep: The deeper network.
        names: What to write before the two rows, the shallower one's name first.
    """
    copied, layers = (
        [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)]
        for network in (shallow, deep)
    )
    figure, ax = style.single(8.5, 2.1)
    figure.set_gid(style.STAY_WIDE)
    look: dict[str, Any] = {"edgecolor": style.INK, "linewidth": 0.6}
    full = {"facecolor": style.PALETTE[0], "label": "copied", **look}
    hatched = {"facecolor": style.PAPER, "hatch": "//////", "label": "added: passes on its input", **look}
    for place, layer in enumerate(layers):
        if layer in copied:
            ax.add_patch(Rectangle((place, 1), 0.8, 0.7, **full))
        ax.add_patch(Rectangle((place, 0), 0.8, 0.7, **(full if layer in copied else hatched)))
    for row, name, count in ((1, names[0], len(copied)), (0, names[1], len(layers))):
        ax.text(-1, row + 0.35, f"{name}\n{count} layers", ha="right", va="center", fontsize=style.SMALL)
    style.legend_outside(figure, "lower")
    ax.set(xlim=(-8, len(layers)), ylim=(-0.1, 1.8))
    ax.axis("off")
    return figure


def residual_block_ratios(panels: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Draw ‖F(x)‖ / ‖x‖ by block, the first block next to the image; all panels have the same height.

    Args:
        panels: By title, one sequence per network, by its name.
    """
    figure, axes = style.subplots(1, len(panels), width=1.2 + 4 * len(panels), height=3.6)
    for ax, (title, networks) in zip(axes[0], panels.items(), strict=True):
        style.draw_lines(ax, {name: (range(1, len(ratios) + 1), ratios) for name, ratios in networks.items()})
        ax.set(title=title, xlabel="residual block, counted from the image")
        style.whole_numbers(ax.xaxis)
    for ax in axes[0]:
        ax.set_ylim(bottom=0)
    style.share_y(axes[0])
    axes[0, 0].set_ylabel("‖F(x)‖ / ‖x‖")
    return figure


def values_by_layer(
    values: Mapping[str, Sequence[float]], quantity: str, scale: Literal["log", "linear"] = "log"
) -> Figure:
    """Draw what was measured at each convolution, the first one next to the image.

    Args:
        values: One sequence per network, by its name. A zero has no place on a logarithmic scale and is left out.
        quantity: What was measured, for the axis.
        scale: Of the axis; a linear one begins at 0.
    """
    figure, ax = style.single(7.5, 4)
    lines = {}
    for name, measured in values.items():
        shown = {layer: value for layer, value in enumerate(measured, 1) if value > 0 or scale == "linear"}
        lines[name] = (shown.keys(), shown.values())
    style.draw_lines(ax, lines, markersize=4)
    ax.set(xlabel="convolution, counted from the image", ylabel=quantity, yscale=scale)
    if scale == "linear":
        ax.set_ylim(bottom=0)
    style.whole_numbers(ax.xaxis)
    return figure


def field_card(title: str, lines: Sequence[str], fields: Sequence[tuple[float, float]]) -> Figure:
    """Draw a title and lines of text next to nested receptive fields, 12 by 6.3 inches in size.

    Args:
        title: Written largest, at the top.
        lines: A subtitle, a sentence of two lines, and a remark.
        fields: The first pixel and the side of each field, as shares of the image's side.
    """
    figure = Figure(figsize=(12, 6.3), facecolor=style.CARD_GROUND)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, 12), ylim=(6.3, 0))
    ax.axis("off")
    for y, text, size in zip((0.95, 2.05, 3.4, 5.0), (title, *lines), (42, 34, 20, 20), strict=True):
        ax.text(
            0.7, y, text, fontsize=size, color=style.PAPER, va="top", weight="bold" if y < 1 else "normal"
        )
    left, top, side = 7.2, 1.1, 4.1
    ax.add_patch(Rectangle((left, top), side, side, color=style.CARD_IMAGE))
    for low, share in fields:
        corner = (left + side * low, top + side * low)
        ax.add_patch(Rectangle(corner, side * share, side * share, fill=False, edgecolor=style.PAPER))
    return figure
