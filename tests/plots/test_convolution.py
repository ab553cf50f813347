import numpy as np
from matplotlib.patches import Rectangle

from deepernets.plots import convolution


def test_windows_draws_every_window_and_crosses_out_what_none_sees() -> None:
    figure = convolution.windows({"pool": (7, 2, 2, 0), "same": (5, 3, 1, 1)})
    pool, same = figure.axes
    assert [len(ax.lines) for ax in (pool, same)] == [3, 5]
    assert [len(ax.patches) for ax in (pool, same)] == [7, 7]
    assert [text.get_text() for text in pool.texts] == [""] * 6 + ["×"]
    assert [text.get_text() for text in same.texts] == ["0", *[""] * 5, "0"]
    assert pool.get_title(loc="left") == "pool: 7 pixels become 3"


def test_costs_draws_one_bar_per_layer_and_cost() -> None:
    figure = convolution.costs(["one", "two"], {"work": [1.0, 3.0], "memory": [2.0, 0.5]})
    for ax, expected in zip(figure.axes, ([1.0, 3.0], [2.0, 0.5]), strict=True):
        assert [bar.get_width() for bar in ax.patches if isinstance(bar, Rectangle)] == expected
        assert ax.yaxis_inverted()
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["one", "two"]
    assert len({bar.get_hatch() for ax in figure.axes for bar in ax.patches}) == 2


def test_cone_names_what_each_map_shows() -> None:
    words = [text.get_text() for text in convolution.cone(3).axes[0].texts]
    assert words == ["pixels", "7 pixels", "map 1", "5 units", "map 2", "3 units", "map 3", "1 unit"]


def test_centres_lie_a_jump_apart() -> None:
    ax = convolution.centres({"net": (15.5, 32, 7)}, image_side=224).axes[0]
    places = np.asarray(ax.lines[0].get_xdata(), dtype=float)
    assert places.tolist() == [15.5 + 32 * unit for unit in range(7)]
    assert np.asarray(ax.lines[-1].get_xdata(), dtype=float).tolist() == [111.5, 111.5]
