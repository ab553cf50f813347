"""Picture of the identity argument: a deeper network that holds a shallower one, layer by layer."""

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import nn

from deepernets.plots.style import PALETTE, grid

COPIED, ADDED = "copied", "added: passes on what it gets"


def containment(shallow: nn.Module, deep: nn.Module, names: tuple[str, str]) -> Figure:
    """Draw two networks, a box per convolution or linear layer, namesakes one above the other.

    Boxes of the upper row, the shallower network, are full. In the lower row a layer that has a namesake above it
    is full, too, and any other one is hatched. This is the argument of He et al. (2016, section 1), as
    `deepernets.analysis.depth.deepen` carries it out.

    Args:
        shallow: Each of its layers has a namesake in `deep`.
        deep: The deeper network.
        names: What to write before the two rows, the shallower one's name first.
    """
    kept, all_layers = _layers(shallow), _layers(deep)
    figure, axes = grid(1, 1, width=8.5, height=2.1)
    ax = axes[0, 0]
    for place, layer in enumerate(all_layers):
        rows = (1, 0) if layer in kept else (0,)
        for row in rows:
            ax.add_patch(_box(place, row, copied=layer in kept))
    for row, name, count in ((1, names[0], len(kept)), (0, names[1], len(all_layers))):
        ax.text(-1, row + 0.35, f"{name}\n{count} layers", ha="right", va="center", fontsize=9)
    handles = [_box(0, 0, copied=True), _box(0, 0, copied=False)]
    ax.legend(handles, [COPIED, ADDED], loc="lower center", bbox_to_anchor=(0.5, -0.32), ncols=2, fontsize=9)
    ax.set(xlim=(-8, len(all_layers)), ylim=(-0.1, 1.8))
    ax.axis("off")
    return figure


def _layers(network: nn.Module) -> list[str]:
    return [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)]


def _box(place: int, row: int, copied: bool) -> Rectangle:
    """Return the box of the layer at this place of this row."""
    face, hatch = (PALETTE[0], "") if copied else ("white", "//////")
    return Rectangle((place, row), 0.8, 0.7, facecolor=face, edgecolor="black", hatch=hatch, linewidth=0.6)
