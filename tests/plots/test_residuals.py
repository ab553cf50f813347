import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from deepernets.plots import residuals


def kinds(ax: Axes) -> list[str]:
    """Return what each channel behind the shortcut is, by its colour."""
    colours = {to_rgb(look["facecolor"]): kind for kind, look in residuals.LOOKS.items()}
    bars = [patch for patch in ax.patches if isinstance(patch, Rectangle) and patch.get_x() > 1]
    return [colours[to_rgb(bar.get_facecolor()[:3])] for bar in bars]


def test_each_option_hands_on_what_the_paper_says() -> None:
    copied, mixed, zeros = residuals.COPIED, residuals.MIXED, residuals.ZEROS
    changing, other = np.array(residuals.shortcut_options().axes).reshape(2, 3)
    assert [kinds(ax) for ax in changing] == [[copied] * 4 + [zeros] * 4, [mixed] * 8, [mixed] * 8]
    assert [kinds(ax) for ax in other] == [[copied] * 4, [copied] * 4, [mixed] * 4]
    assert [ax.get_title() for ax in changing] == ["option A", "option B", "option C"]


def test_kinds_of_channels_differ_by_more_than_colour() -> None:
    looks = [(look.get("hatch"), look.get("linestyle")) for look in residuals.LOOKS.values()]
    assert len(set(looks)) == len(looks)


def test_ratios_are_drawn_by_block_from_zero_on_one_scale() -> None:
    figure = residuals.ratios({"untrained": {"a": [1.4, 0.9], "b": [2.0]}, "trained": {"a": [0.5, 0.4]}})
    assert len({ax.get_ylim() for ax in figure.axes}) == 1
    assert figure.axes[0].get_ylim()[0] == 0
    assert [ax.get_title() for ax in figure.axes] == ["untrained", "trained"]
    first, second = figure.axes[0].lines
    assert np.asarray(first.get_xdata()).tolist() == [1, 2]
    assert np.asarray(first.get_ydata()).tolist() == [1.4, 0.9]
    assert first.get_marker() != second.get_marker()
    assert first.get_linestyle() != second.get_linestyle()
