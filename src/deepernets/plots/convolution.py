"""Pictures of what a convolution looks at and what its layers cost."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from deepernets.models.counting import output_side
from deepernets.plots.style import PALETTE, grid

HATCHES = ("", "//", "..")


def windows(cases: Mapping[str, tuple[int, int, int, int]]) -> Figure:
    """Draw one row of pixels per case, and over it every window that fits; what no window sees is crossed out.

    Args:
        cases: By title a map's side, and a layer's kernel, stride and padding.
    """
    figure, axes = grid(len(cases), 1, width=7, height=1.55 * len(cases))
    widest = max(side + 2 * padding for side, _, _, padding in cases.values())
    for ax, (title, (side, kernel, stride, padding)) in zip(axes[:, 0], cases.items(), strict=True):
        units = output_side(side, kernel, stride, padding)
        seen = {unit * stride - padding + place for unit in range(units) for place in range(kernel)}
        for pixel in range(-padding, side + padding):
            added = not 0 <= pixel < side
            ax.add_patch(
                Rectangle(
                    (pixel + padding, 0), 0.94, 0.94, facecolor="white" if added else "0.8", edgecolor="0.4",
                    linestyle=":" if added else "-",
                )
            )  # fmt: skip
            mark = "×" if pixel not in seen else "0" if added else ""
            ax.text(pixel + padding + 0.47, 0.43, mark, ha="center", va="center", fontsize=11)
        for unit in range(units):
            # neighbours on different lines, so that overlapping windows stay apart
            height = 1.3 + 0.4 * (unit % 3)
            left = unit * stride
            ax.plot(
                [left + 0.08, left + 0.08, left + kernel - 0.14, left + kernel - 0.14],
                [height - 0.18, height, height, height - 0.18],
                color=PALETTE[unit % 3], linewidth=2.5,
            )  # fmt: skip
        ax.set_title(f"{title}: {side} pixels become {units}", loc="left", fontsize=10)
        ax.set(xlim=(-0.2, widest + 0.2), ylim=(-0.15, 2.3), aspect="equal")
        ax.axis("off")
    return figure


def costs(layers: Sequence[str], columns: Mapping[str, Sequence[float]]) -> Figure:
    """Draw what each layer of a network costs, the first one at the top, one panel per kind of cost.

    Args:
        layers: Their names.
        columns: By the title of a panel one number per layer.
    """
    figure, axes = grid(1, len(columns), width=7.5, height=0.6 + 0.25 * len(layers))
    for number, (ax, (title, costs)) in enumerate(zip(axes[0], columns.items(), strict=True)):
        ax.barh(
            range(len(layers)), costs, color=PALETTE[number], hatch=HATCHES[number % len(HATCHES)],
            edgecolor="white",
        )  # fmt: skip
        ax.set_title(title, fontsize=10)
        ax.set_yticks(range(len(layers)), layers if number == 0 else [""] * len(layers))
        ax.invert_yaxis()
        ax.grid(False, axis="y")
    return figure


def cone(depth: int, kernel: int = 3) -> Figure:
    """Draw, along one side, which units of each map one unit of the last map sees, down to the pixels.

    Args:
        depth: How many layers of stride 1 lie between the pixels and the unit.
        kernel: Their kernels' side.
    """
    reach = kernel // 2
    middle = depth * reach + 1  # one more unit on either side than is seen
    figure, axes = grid(1, 1, width=7, height=0.85 * (depth + 1))
    ax = axes[0, 0]
    for layer in range(depth + 1):
        half = (depth - layer) * reach
        for place in range(-middle, middle + 1):
            inside = abs(place) <= half
            ax.add_patch(
                Rectangle(
                    (place - 0.4, layer - 0.2), 0.8, 0.4, facecolor=PALETTE[0] if inside else "white",
                    edgecolor="0.4" if inside else "0.75",
                )
            )  # fmt: skip
        if layer:
            for side in (-1, 1):
                ax.plot(
                    [side * (half + 0.4), side * (half + reach + 0.4)], [layer - 0.2, layer - 0.8],
                    color="0.3", linewidth=1,
                )  # fmt: skip
        name = "pixels" if layer == 0 else f"map {layer}"
        ax.text(-middle - 0.8, layer, name, ha="right", va="center", fontsize=10)
        kind = "pixels" if layer == 0 else "unit" if half == 0 else "units"
        ax.text(middle + 0.8, layer, f"{2 * half + 1} {kind}", ha="left", va="center", fontsize=10)
    ax.set(xlim=(-middle - 3.2, middle + 3.2), ylim=(-0.5, depth + 0.5))
    ax.axis("off")
    return figure


def centres(fields: Mapping[str, tuple[float, int, int]], image_side: int) -> Figure:
    """Draw, along the image's side, the pixels on which the fields of a map's units are centred.

    Args:
        fields: By the network's name the first unit's centre, the jump, and the number of units.
        image_side: In pixels.
    """
    figure, axes = grid(1, 1, width=7.5, height=0.9 + 0.55 * len(fields))
    ax = axes[0, 0]
    for row, (name, (start, jump, units)) in enumerate(fields.items()):
        places = [start + unit * jump for unit in range(units)]
        ax.add_patch(Rectangle((-0.5, row - 0.3), image_side, 0.6, facecolor="0.92", edgecolor="0.5"))
        ax.plot(places, [row] * units, "os^D"[row % 4], color=PALETTE[row], markersize=7, label=name)
    ax.axvline((image_side - 1) / 2, color="black", linewidth=1, linestyle="--")
    ax.set(xlabel="pixel; the dashed line is the middle of the image", ylim=(len(fields) - 0.5, -0.5))
    ax.set_yticks(range(len(fields)), list(fields))
    ax.grid(False)
    return figure
