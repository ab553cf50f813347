"""Pictures of what the VGG paper published and how it sees images: Tables 3, 4 and 7, and training crops."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from deepernets.papers.vgg import MULTI_SCALE, SINGLE_SCALE, STATE_OF_THE_ART, Competitor
from deepernets.plots.style import DASHES, PALETTE, PLAIN, draw, grid


def error_by_scale() -> Figure:
    """Draw top-1 errors at one test scale and at three: a row per network of Tables 3 and 4.

    A filled circle is Table 3's, a hollow diamond Table 4's; the line between them is what three scales gain.
    Networks that Table 4 leaves out have the circle alone.
    """
    figure, axes = grid(1, 1, width=7.5, height=5.2)
    ax = axes[0, 0]
    several = {(row.configuration, row.train): row.top1 for row in MULTI_SCALE}
    for place, row in enumerate(SINGLE_SCALE):
        ax.plot(row.top1, place, "o", color=PALETTE[0], markersize=8, label="one test scale", zorder=3)
        ax.text(row.top1 + 0.12, place, f"{row.top1}", va="center", fontsize=9, bbox=PLAIN)
        gained = several.get((row.configuration, row.train))
        if gained is not None:
            ax.plot([row.top1, gained], [place, place], color="0.6", linewidth=2)
            look = {"markerfacecolor": "white", "markeredgecolor": PALETTE[1], "markeredgewidth": 2}
            ax.plot(
                gained, place, "D", linestyle="", markersize=8, label="three test scales", zorder=3, **look
            )
            ax.text(gained - 0.12, place, f"{gained}", va="center", ha="right", fontsize=9, bbox=PLAIN)
    ax.set_yticks(range(len(SINGLE_SCALE)), [f"{row.configuration}, S = {row.train}" for row in SINGLE_SCALE])
    ax.set(xlabel="top-1 error, % of the validation images", xlim=(24, 30.4))
    ax.invert_yaxis()
    handles, labels = ax.get_legend_handles_labels()
    by_label = dict(zip(labels, handles, strict=True))
    figure.legend(
        by_label.values(), by_label.keys(), loc="outside upper center", ncols=2, frameon=False, numpoints=1
    )
    return figure


def state_of_the_art() -> Figure:
    """Draw the top-5 errors of Table 7 as bars, the lowest on top.

    A full bar is an error on the test images; where none was given, a hatched one is that on the validation
    images.
    """
    rows = sorted(STATE_OF_THE_ART, key=_top5)
    figure, axes = grid(1, 1, width=7.5, height=5.6)
    ax = axes[0, 0]
    for place, row in enumerate(rows):
        colour = PALETTE[0] if row.method.startswith("VGG") else PALETTE[7]
        tested = row.top5_test is not None
        ax.barh(
            place,
            _top5(row),
            color=colour if tested else "white",
            edgecolor=colour,
            hatch="" if tested else "///",
        )
        ax.text(
            _top5(row) + 0.2,
            place,
            f"{_top5(row)}" + ("" if tested else " (validation)"),
            va="center",
            fontsize=9,
        )
    ax.set_yticks(range(len(rows)), [_name(row) for row in rows], fontsize=9)
    for label, row in zip(ax.get_yticklabels(), rows, strict=True):
        label.set_fontweight("bold" if row.method.startswith("VGG") else "normal")
    ax.set(xlabel="top-5 error, %", xlim=(0, 23))
    ax.invert_yaxis()
    return figure


def crop_windows(pixels: Tensor, scales: Sequence[int], crop: int = 224, places: int = 3) -> Figure:
    """Draw which part of one image a training crop sees, by the size that the image is scaled to.

    Args:
        pixels: The image (C, H, W), uint8, square.
        scales: S: side in pixels that the image is scaled to, one panel each.
        crop: Side of the crop in pixels.
        places: Crops drawn in each panel, from the top left to the bottom right.
    """
    figure, axes = grid(1, len(scales), width=2.6 * len(scales), height=3.0)
    side = pixels.shape[-1]
    for ax, scale in zip(axes[0], scales, strict=True):
        draw(ax, pixels)
        seen = side * crop / scale  # side of the crop, in pixels of the picture as drawn
        for number in range(places):
            corner = (side - seen) * (number / max(places - 1, 1)) - 0.5
            window = (corner, corner), seen, seen
            ax.add_patch(Rectangle(*window, fill=False, edgecolor="white", linewidth=4.0))  # on any ground
            dashes = DASHES[number % len(DASHES)]
            ax.add_patch(Rectangle(*window, fill=False, edgecolor="black", linewidth=1.8, ls=dashes))
        ax.set_title(f"S = {scale}\n{(crop / scale) ** 2:.0%} of the image", fontsize=10)
        ax.axis("off")
    return figure


def _top5(row: Competitor) -> float:
    error = row.top5_test if row.top5_test is not None else row.top5_val
    assert error is not None, f"{row.method} has no top-5 error"
    return error


def _name(row: Competitor) -> str:
    return f"{row.method}, {row.nets} net{'' if row.nets == '1' else 's'}"
