"""Pictures of residual learning: what each kind of shortcut does to channels, and how large F(x) is beside x."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from deepernets.plots.style import DASHES, MARKERS, PALETTE, grid

CHANNELS = 4  # of the map that comes in; few, so that each can be seen
COPIED, MIXED, ZEROS = "handed on", "mixed by a 1×1 convolution", "zeros"
LOOKS = {
    COPIED: {"facecolor": PALETTE[0], "edgecolor": "black"},
    MIXED: {"facecolor": PALETTE[1], "edgecolor": "black", "hatch": "xxxx"},
    ZEROS: {"facecolor": "white", "edgecolor": "black", "linestyle": "--"},
}
OPTIONS = "ABC"
ROWS = ("where the width doubles\nand the map is halved", "everywhere else")


def shortcut_options() -> Figure:
    """Draw what shortcuts A, B and C of He et al. (2016, section 4.1) hand to the addition.

    A bar is a channel, its length the side of the map: on the left of each arrow x, on the right what the shortcut
    makes of it. The upper row is a block where shapes change, the lower row one where they do not.
    """
    figure, axes = grid(len(ROWS), len(OPTIONS), width=8.5, height=4.6)
    for row, title in enumerate(ROWS):
        for ax, option in zip(axes[row], OPTIONS, strict=True):
            changes = row == 0
            _draw_channels(ax, 0, 1.6, [COPIED] * CHANNELS)
            _draw_channels(ax, 2.8, 0.8 if changes else 1.6, _handed_on(option, changes))
            ax.annotate("", (2.6, 0), (1.8, 0), arrowprops={"arrowstyle": "->"})
            ax.set(xlim=(-0.3, 5.0), ylim=(-CHANNELS - 0.3, CHANNELS + 0.3), xticks=[], yticks=[])
            for side in ax.spines.values():
                side.set_visible(False)
            if changes:
                ax.set_title(f"option {option}")
        axes[row, 0].set_ylabel(title)
    handles = [Rectangle((0, 0), 1, 1, **look) for look in LOOKS.values()]
    figure.legend(handles, list(LOOKS), loc="outside lower center", ncols=3, fontsize=9)
    return figure


def _handed_on(option: str, changes: bool) -> list[str]:
    """Return what each channel behind a shortcut is."""
    if not changes:
        return [MIXED if option == "C" else COPIED] * CHANNELS
    return [COPIED] * CHANNELS + [ZEROS] * CHANNELS if option == "A" else [MIXED] * (2 * CHANNELS)


def _draw_channels(ax: Axes, left: float, length: float, kinds: Sequence[str]) -> None:
    """Draw one bar per channel, the first one on top, around a height of 0."""
    for number, kind in enumerate(kinds):
        ax.add_patch(Rectangle((left, len(kinds) / 2 - number - 0.85), length, 0.7, **LOOKS[kind]))


def ratios(panels: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Draw ‖F(x)‖ / ‖x‖ by block, the first block next to the image; all panels have the same height.

    Args:
        panels: By title, one sequence per network, by its name; at most five each.
    """
    figure, axes = grid(1, len(panels), width=1.2 + 4 * len(panels), height=3.6)
    for ax, (title, networks) in zip(axes[0], panels.items(), strict=True):
        for number, (name, measured) in enumerate(networks.items()):
            ax.plot(
                range(1, len(measured) + 1),
                measured,
                color=PALETTE[number],
                linestyle=DASHES[number % len(DASHES)],
                marker=MARKERS[number],
                markersize=5,
                label=name,
            )
        ax.set(title=title, xlabel="residual block, counted from the image")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.legend(fontsize=9)
    highest = max(ax.get_ylim()[1] for ax in axes[0])
    for ax in axes[0]:
        ax.set_ylim(0, highest)
    axes[0, 0].set_ylabel("‖F(x)‖ / ‖x‖")
    return figure
