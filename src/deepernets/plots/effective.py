"""Pictures of effective receptive fields: what a unit really uses of what it could see."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from deepernets.models.receptive_field import effective_side, predicted_side
from deepernets.plots.style import DASHES, MARKERS, PALETTE, grid


def maps(energies: Mapping[str, Tensor], fields: Mapping[str, tuple[float, int]]) -> Figure:
    """Draw the root of the energy of some units, with their computed (dashed) and effective (solid) fields.

    Args:
        energies: By title the energies (H, W), as `gradient_energy` returns them.
        fields: By title the computed field: the pixel that it is centred on, the same in both directions, and
            its side in pixels. What reaches over the image's edge is drawn on grey.
    """
    figure, axes = grid(1, len(energies), width=2.7 * len(energies), height=3.1)
    for ax, (title, energy) in zip(axes[0], energies.items(), strict=True):
        shown = (energy / energy.max()).sqrt()
        ax.imshow(shown.numpy(), cmap="cividis", vmin=0, vmax=1)
        middle, computed = fields[title]
        squares = ((middle, middle, computed, "--"), (*_centre(energy), effective_side(energy), "-"))
        for down, across, side, style in squares:
            ax.add_patch(
                Rectangle(
                    (across - side / 2, down - side / 2), side, side, fill=False, edgecolor="white",
                    linewidth=1.8, linestyle=style,
                )
            )  # fmt: skip
        margin = 0.06 * len(energy)
        reach = max(len(energy) - 0.5, middle + computed / 2) + margin
        start = min(-0.5, middle - computed / 2) - margin
        ax.set(xlim=(start, reach), ylim=(reach, start), facecolor="0.45")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.yaxis.get_major_locator().set_params(integer=True)
        ax.set_title(title, fontsize=10)
        ax.grid(False)
    return figure


def growth(depths: Sequence[int], measured: Sequence[float]) -> Figure:
    """Draw fields of stacks of n 3×3 convolutions against n, both axes logarithmic.

    Three lines: the computed field 2n + 1, the effective one as predicted, and as it was measured.

    Args:
        depths: Their n.
        measured: Their effective sides in pixels.
    """
    figure, axes = grid(1, 1, width=7, height=3.9)
    ax = axes[0, 0]
    ax.plot(depths, [2 * depth + 1 for depth in depths], "--o", color=PALETTE[0], label="computed, 2n + 1")
    predicted = [predicted_side([(3, 1)] * depth) for depth in depths]
    ax.plot(depths, predicted, ":", color="black", label="effective, predicted")
    ax.plot(depths, measured, "s", color=PALETTE[1], markersize=7, label="effective, measured")
    ax.set(xscale="log", yscale="log", xlabel="convolutions n", ylabel="side of the field (pixels)")
    ax.set_xticks(depths, [str(depth) for depth in depths])
    ticks = [5, 10, 20, 50, 100]
    ax.set_yticks(ticks, [str(tick) for tick in ticks])
    ax.minorticks_off()
    ax.legend()
    return figure


def along(layers: Sequence[str], sides: Mapping[str, Sequence[float]]) -> Figure:
    """Draw sides of fields along a network's layers.

    Args:
        layers: Their names, the first one next to the image.
        sides: By what they are, one side in pixels per layer.
    """
    figure, axes = grid(1, 1, width=7, height=3.8)
    ax = axes[0, 0]
    for number, (name, values) in enumerate(sides.items()):
        ax.plot(
            range(len(layers)), values, color=PALETTE[number], label=name, markersize=6,
            linestyle=DASHES[(number + 1) % len(DASHES)], marker=MARKERS[number],
        )  # fmt: skip
    ax.set_xticks(range(len(layers)), layers, rotation=30, ha="right")
    ax.set(ylabel="side of the field (pixels)", ylim=(0, None))
    ax.legend()
    return figure


def _centre(energy: Tensor) -> tuple[float, float]:
    """Return where the energy is on average: row and column."""
    rows, columns = (energy.sum(dim=across) / energy.sum() for across in (1, 0))
    down, across = (
        float(sum(share * place for place, share in enumerate(shares.tolist()))) for shares in (rows, columns)
    )
    return down, across
