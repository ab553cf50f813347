import numpy as np
import torch
from matplotlib.patches import Rectangle

import deepernets
from deepernets.models.receptive_field import effective_side
from deepernets.plots import receptive_fields
from deepernets.plots.style import PALETTE


def test_windows_draws_every_window_and_crosses_out_what_none_sees() -> None:
    figure = receptive_fields.windows({"pool": (7, 2, 2, 0), "same": (5, 3, 1, 1)})
    pool, same = figure.axes
    assert [len(ax.lines) for ax in (pool, same)] == [3, 5]
    assert [len(ax.patches) for ax in (pool, same)] == [7, 7]
    assert [text.get_text() for text in pool.texts] == [""] * 6 + ["×"]
    assert [text.get_text() for text in same.texts] == ["0", *[""] * 5, "0"]
    assert pool.get_title(loc="left") == "pool: 7 pixels become 3"


def test_cone_names_what_each_map_shows() -> None:
    words = [text.get_text() for text in receptive_fields.field_pyramid(3).axes[0].texts]
    assert words == ["pixels", "7 pixels", "map 1", "5 units", "map 2", "3 units", "map 3", "1 unit"]


def test_an_example_shows_what_a_unit_depends_on_and_the_padded_zeros() -> None:
    ax = receptive_fields.field_example([(3, 1, 1, 1), (3, 2, 0, 1)], pixels=5, unit=0).axes[0]
    assert len(ax.lines) == 3 + 9  # one window, and one for each of its three units
    assert [text.get_text() for text in ax.texts] == ["0"]
    full = [box for box in ax.patches if isinstance(box, Rectangle) and box.get_facecolor()[:3] == PALETTE[0]]
    assert len(full) == 1 + 3 + 4  # pixel -1 is a zero


def test_centres_lie_a_jump_apart() -> None:
    ax = receptive_fields.field_centres({"net": (15.5, 32, 7)}, image_side=224).axes[0]
    places = np.asarray(ax.lines[0].get_xdata(), dtype=float)
    assert places.tolist() == [15.5 + 32 * unit for unit in range(7)]
    assert np.asarray(ax.lines[-1].get_xdata(), dtype=float).tolist() == [111.5, 111.5]


def test_growth_draws_every_layer_of_every_network() -> None:
    rows = {
        name: deepernets.receptive_field(deepernets.build_model(name, (3, 32, 32), 10), (3, 32, 32))
        for name in ("resnet-20", "vgg-mini-cifar")
    }
    ax = receptive_fields.field_growth(rows, image_side=32).axes[0]
    drawn = {str(line.get_label()): np.asarray(line.get_ydata()).tolist() for line in ax.lines}
    for name, frame in rows.items():
        assert drawn[name] == frame["receptive_field"].cummax().tolist()
    assert 32 in np.asarray(ax.lines[-1].get_ydata())
    assert len({(line.get_linestyle(), line.get_color()) for line in ax.lines}) == 3


def test_seen_draws_the_field_where_the_gradient_is() -> None:
    gradient = torch.zeros(9, 9)
    gradient[2:7, 3:8] = 2.0
    ax = receptive_fields.gradients_in_field({"five": gradient}, {"five": 5}).axes[0]
    (square,) = (patch for patch in ax.patches if isinstance(patch, Rectangle))
    assert (square.get_x(), square.get_y(), square.get_width()) == (2.5, 1.5, 5)
    assert np.asarray(ax.images[0].get_array()).max() == 1
    assert ax.get_title() == "five: 5 pixels"


def test_maps_draws_both_fields_around_their_centres() -> None:
    energy = torch.zeros(9, 9)
    energy[3:6, 4:7] = 4.0
    ax = receptive_fields.effective_fields({"unit": energy}, {"unit": (4.5, 11)}).axes[0]
    dashed, solid = (patch for patch in ax.patches if isinstance(patch, Rectangle))
    assert (dashed.get_x(), dashed.get_y(), dashed.get_width()) == (-1, -1, 11)
    assert (dashed.get_linestyle(), solid.get_linestyle()) == ("--", "-")
    side = effective_side(energy)
    np.testing.assert_allclose([solid.get_x(), solid.get_y()], [5 - side / 2, 4 - side / 2], rtol=1e-5)
    assert ax.get_xlim()[0] < -1
    assert ax.get_xlim()[1] > 10
    assert np.asarray(ax.images[0].get_array()).max() == 1


def test_growth_draws_measured_and_computed_sides() -> None:
    ax = receptive_fields.effective_growth([6, 24], [8.5, 15.0]).axes[0]
    drawn = {str(line.get_label()): np.asarray(line.get_ydata()).tolist() for line in ax.lines}
    assert drawn == {
        "computed, 2n + 1": [13, 49],
        "effective, predicted": [8.0, 16.0],
        "effective, measured": [8.5, 15.0],
    }
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_along_tells_lines_apart_without_colour() -> None:
    ax = receptive_fields.field_sides(
        ["one", "two"], {"computed": [3, 5], "before": [3, 4], "after": [2, 3]}
    ).axes[0]
    assert [np.asarray(line.get_ydata()).tolist() for line in ax.lines] == [[3, 5], [3, 4], [2, 3]]
    assert len({line.get_marker() for line in ax.lines}) == 3
    assert len({line.get_linestyle() for line in ax.lines}) == 3
    assert [label.get_text() for label in ax.get_xticklabels()] == ["one", "two"]
