"""Figures of receptive fields: windows, how fields grow, and which pixels influence a unit most."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from deepernets.models.counting import output_side
from deepernets.models.receptive_field import effective_side, predicted_side
from deepernets.plots import style

if TYPE_CHECKING:
    from pandas import DataFrame


def windows(cases: Mapping[str, tuple[int, int, int, int]]) -> Figure:
    """Draw one row of pixels per case, and over it every window that fits; pixels in no window are crossed out.

    Args:
        cases: By title, the side of the input, and a layer's kernel, stride and padding.
    """
    figure, axes = style.subplots(len(cases), 1, width=7, height=1.55 * len(cases))
    widest = max(side + 2 * padding for side, _, _, padding in cases.values())
    for ax, (title, (side, kernel, stride, padding)) in zip(axes[:, 0], cases.items(), strict=True):
        units = output_side(side, kernel, stride, padding)
        used = {unit * stride - padding + place for unit in range(units) for place in range(kernel)}
        for pixel in range(-padding, side + padding):
            added = not 0 <= pixel < side
            box = Rectangle((pixel + padding, 0), 0.94, 0.94, edgecolor=style.GUIDE)
            box.set(facecolor=style.PAPER if added else style.FILL, linestyle=":" if added else "-")
            ax.add_patch(box)
            mark = "×" if pixel not in used else "0" if added else ""
            ax.text(pixel + padding + 0.47, 0.43, mark, fontsize=11, **style.CENTRED)
        for unit in range(units):
            # neighbours on different lines, so that overlapping windows stay apart
            height = 1.3 + 0.4 * (unit % 3)
            left, right = unit * stride + 0.08, unit * stride + kernel - 0.14
            bracket = [height - 0.18, height, height, height - 0.18]
            ax.plot([left, left, right, right], bracket, color=style.PALETTE[unit % 3], linewidth=2.5)
        ax.set_title(f"{title}: {side} pixels become {units}", loc="left", fontsize=10)
        ax.set(xlim=(-0.2, widest + 0.2), ylim=(-0.15, 2.3), aspect="equal")
        ax.axis("off")
    return figure


def field_pyramid(depth: int) -> Figure:
    """Draw, along one side, which units of each layer one unit of the last layer depends on, down to the pixels.

    Args:
        depth: How many 3×3 layers of stride 1 there are between the pixels and the unit.
    """
    middle = depth + 1  # one more unit on either side than the field has
    figure, ax = style.single(7, 0.85 * (depth + 1))
    for layer in range(depth + 1):
        half = depth - layer
        for place in range(-middle, middle + 1):
            face, edge = (style.PAPER, style.LINK) if abs(place) > half else (style.PALETTE[0], style.GUIDE)
            ax.add_patch(Rectangle((place - 0.4, layer - 0.2), 0.8, 0.4, facecolor=face, edgecolor=edge))
        for side in (-1, 1) if layer else ():
            x = [side * (half + 0.4), side * (half + 1.4)]
            ax.plot(x, [layer - 0.2, layer - 0.8], color=style.GUIDE, linewidth=1)
        name = f"map {layer}" if layer else "pixels"
        unit = "pixels" if layer == 0 else "unit" if half == 0 else "units"
        ax.text(-middle - 0.8, layer, name, ha="right", va="center", fontsize=10)
        ax.text(middle + 0.8, layer, f"{2 * half + 1} {unit}", ha="left", va="center", fontsize=10)
    ax.set(xlim=(-middle - 3.2, middle + 3.2), ylim=(-0.5, depth + 0.5))
    ax.axis("off")
    return figure


def field_centres(fields: Mapping[str, tuple[float, int, int]], image_side: int) -> Figure:
    """Draw, along the image's side, the pixels on which the fields of a layer's units are centred.

    Args:
        fields: By the network's name the first unit's centre, the jump, and the number of units.
        image_side: In pixels.
    """
    figure, ax = style.single(7.5, 0.9 + 0.55 * len(fields))
    for row, (start, jump, units) in enumerate(fields.values()):
        places = [start + unit * jump for unit in range(units)]
        image = Rectangle((-0.5, row - 0.3), image_side, 0.6, facecolor=style.FILL, edgecolor=style.GUIDE)
        ax.add_patch(image)
        ax.plot(places, [row] * units, style.MARKERS[row], color=style.PALETTE[row], markersize=7)
    ax.axvline((image_side - 1) / 2, color=style.INK, linewidth=1, linestyle="--")
    ax.set_xlabel("pixel; the dashed line is the middle of the image")
    style.name_rows(ax, list(fields))
    ax.grid(False)
    return figure


def field_growth(fields: "Mapping[str, DataFrame]", image_side: int) -> Figure:
    """Draw the largest receptive field up to each layer of some networks; shortcuts have smaller ones.

    Args:
        fields: By name what `deepernets.receptive_field(network, in_shape)` returns.
        image_side: Height of the images in pixels, drawn as a line: fields beyond it reach over the edge.
    """
    figure, ax = style.single(7.5, 3.8)
    lines = {
        name: (range(1, len(rows) + 1), rows["receptive_field"].cummax()) for name, rows in fields.items()
    }
    style.draw_lines(ax, lines, markersize=3)
    ax.axhline(image_side, color=style.INK, linewidth=1)
    style.annotate(ax, f"the image: {image_side} pixels", (1, image_side), xytext=(0, 3), va="bottom")
    ax.set(xlabel="layer, ReLUs and normalisations included", ylabel="receptive field (pixels)")
    return figure


def field_sides(layers: Sequence[str], sides: Mapping[str, Sequence[float]]) -> Figure:
    """Draw sides of receptive fields along a network's layers.

    Args:
        layers: Their names, the first one next to the image.
        sides: By what they are, one side in pixels per layer.
    """
    figure, ax = style.single(7, 3.8)
    style.draw_lines(ax, {name: (range(len(layers)), values) for name, values in sides.items()})
    ax.set_xticks(range(len(layers)), layers, rotation=30, ha="right")
    ax.set(ylabel="side of the field (pixels)", ylim=(0, None))
    return figure


def gradients_in_field(gradients: Mapping[str, Tensor], sides: Mapping[str, int]) -> Figure:
    """Draw how strongly each pixel influences the middle unit of a layer, with the computed field around it.

    Args:
        gradients: By name the absolute gradients (H, W), as `gradient_map` returns them.
        sides: By name the side of the receptive field in pixels.
    """
    figure, axes = style.subplots(1, len(gradients), width=3.4 * len(gradients), height=3.5)
    for ax, (name, gradient) in zip(axes[0], gradients.items(), strict=True):
        ax.imshow((gradient / gradient.max()).numpy(), cmap=style.SEQUENTIAL, vmin=0, vmax=1)
        down, across = (gradient > 0).nonzero().min(dim=0).values.tolist()
        middle = (sides[name] - 1) / 2
        style.draw_square(ax, (across + middle, down + middle), sides[name], "--", on_map=True)
        ax.set_title(f"{name}: {sides[name]} pixels", fontsize=10)
        ax.grid(False)
    return figure


def effective_fields(energies: Mapping[str, Tensor], fields: Mapping[str, tuple[float, int]]) -> Figure:
    """Draw the root of the energy of some units, with their computed (dashed) and effective (solid) fields.

    Args:
        energies: By title the energies (H, W), as `deepernets.models.receptive_field.gradient_energy` returns them.
        fields: By title the computed field: the pixel that it is centred on, the same in both directions, and
            its side in pixels. What reaches over the image's edge is drawn on grey.
    """
    figure, axes = style.subplots(1, len(energies), width=2.7 * len(energies), height=3.1)
    for ax, (title, energy) in zip(axes[0], energies.items(), strict=True):
        ax.imshow((energy / energy.max()).sqrt().numpy(), cmap=style.SEQUENTIAL, vmin=0, vmax=1)
        middle, side = fields[title]
        style.draw_square(ax, (middle, middle), side, "--", on_map=True)
        style.draw_square(ax, _centre(energy), effective_side(energy), on_map=True)
        margin = 0.06 * len(energy)
        end = max(len(energy) - 0.5, middle + side / 2) + margin
        start = min(-0.5, middle - side / 2) - margin
        ax.set(xlim=(start, end), ylim=(end, start), facecolor=style.GUIDE)
        style.whole_numbers(ax.xaxis)
        style.whole_numbers(ax.yaxis)
        ax.set_title(title, fontsize=10)
        ax.grid(False)
    return figure


def _centre(energy: Tensor) -> tuple[float, float]:
    """Return where the energy is on average: column and row."""
    shares = (energy.sum(dim=dimension) / energy.sum() for dimension in (0, 1))
    across, down = (float(sum(part * at for at, part in enumerate(share.tolist()))) for share in shares)
    return across, down


def effective_growth(depths: Sequence[int], measured: Sequence[float]) -> Figure:
    """Draw fields of stacks of n 3×3 convolutions against n, both axes logarithmic.

    Three lines: the computed field 2n + 1, the effective one as predicted, and as it was measured.

    Args:
        depths: Their n.
        measured: Their effective sides in pixels.
    """
    figure, ax = style.single(7, 3.9)
    ax.plot(
        depths, [2 * depth + 1 for depth in depths], "--o", color=style.PALETTE[0], label="computed, 2n + 1"
    )
    predicted = [predicted_side([(3, 1)] * depth) for depth in depths]
    ax.plot(depths, predicted, ":", color=style.INK, label="effective, predicted")
    ax.plot(depths, measured, "s", color=style.PALETTE[1], markersize=7, label="effective, measured")
    ax.set(xscale="log", yscale="log", xlabel="convolutions n", ylabel="side of the field (pixels)")
    style.log_ticks(ax.xaxis, depths)
    style.log_ticks(ax.yaxis, [5, 10, 20, 50, 100])
    ax.legend()
    return figure


def field_example(layers: Sequence[tuple[int, int, int, int]], pixels: int, unit: int) -> Figure:
    """Draw, along one side, which units and pixels one unit of the last layer depends on, each at its centre.

    Args:
        layers: Kernel, stride, padding and dilation of each layer.
        pixels: Side of the image.
        unit: Which unit of the last layer, from 0.
    """
    rows = [_Row(pixels)]
    for kernel, stride, padding, dilation in layers:
        below, span = rows[-1], dilation * (kernel - 1)
        units = output_side(below.units, span + 1, stride, padding)
        rows.append(_Row(units, below.pixel(span / 2 - padding), below.jump * stride))
    figure, ax = style.single(8, 0.95 * len(rows))
    used = {unit}
    for height in range(len(layers), 0, -1):
        row, below = rows[height], rows[height - 1]
        _draw_units(ax, height, row, used)
        kernel, stride, padding, dilation = layers[height - 1]
        windows_of = {
            place: [place * stride - padding + tap * dilation for tap in range(kernel)]
            for place in used
            if 0 <= place < row.units  # a padded zero depends on nothing
        }
        for place, taps in windows_of.items():
            for tap in taps:
                x = [row.pixel(place), below.pixel(tap)]
                ax.plot(x, [height - 0.2, height - 0.8], color=style.GUIDE, linewidth=0.8)
        used = {tap for taps in windows_of.values() for tap in taps}
    _draw_units(ax, 0, rows[0], used)
    ax.set_yticks(range(len(rows)), ["pixels", *(f"layer {height}" for height in range(1, len(rows)))])
    ax.set(xlabel="pixel", ylim=(-0.5, len(rows) - 0.5))
    ax.set_xticks(range(0, pixels, 2))
    ax.autoscale_view(scaley=False)
    ax.grid(False)
    return figure


class _Row(NamedTuple):
    """The units of a layer along one side: how many, the pixel of the first one's centre, and their distance."""

    units: int
    start: float = 0.0
    jump: int = 1

    def pixel(self, unit: float) -> float:
        """Return the pixel on which a unit's field is centred."""
        return self.start + unit * self.jump


def _draw_units(ax: Axes, height: int, row: _Row, used: set[int]) -> None:
    """Draw a box for each unit, full where it is used, and a dotted one for each padded zero that is used."""
    for unit in sorted(used | set(range(row.units))):
        padded = not 0 <= unit < row.units
        face = style.PALETTE[0] if unit in used and not padded else style.PAPER
        box = Rectangle((row.pixel(unit) - 0.4, height - 0.2), 0.8, 0.4, facecolor=face)
        box.set(edgecolor=style.GUIDE, linestyle=":" if padded else "-")
        ax.add_patch(box)
        if padded:
            ax.text(row.pixel(unit), height, "0", fontsize=9, **style.CENTRED)
