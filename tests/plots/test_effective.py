import numpy as np
import torch
from matplotlib.patches import Rectangle

from deepernets.models.receptive_field import effective_side
from deepernets.plots import effective


def test_maps_draws_both_fields_around_their_centres() -> None:
    energy = torch.zeros(9, 9)
    energy[3:6, 4:7] = 4.0
    ax = effective.maps({"unit": energy}, {"unit": (4.5, 11)}).axes[0]
    dashed, solid = (patch for patch in ax.patches if isinstance(patch, Rectangle))
    assert (dashed.get_x(), dashed.get_y(), dashed.get_width()) == (-1, -1, 11)
    assert (dashed.get_linestyle(), solid.get_linestyle()) == ("--", "-")
    side = effective_side(energy)
    np.testing.assert_allclose([solid.get_x(), solid.get_y()], [5 - side / 2, 4 - side / 2], rtol=1e-5)
    assert ax.get_xlim()[0] < -1
    assert ax.get_xlim()[1] > 10
    assert np.asarray(ax.images[0].get_array()).max() == 1


def test_growth_draws_what_was_measured_beside_what_was_computed() -> None:
    ax = effective.growth([6, 24], [8.5, 15.0]).axes[0]
    drawn = {str(line.get_label()): np.asarray(line.get_ydata()).tolist() for line in ax.lines}
    assert drawn == {
        "computed, 2n + 1": [13, 49],
        "effective, predicted": [8.0, 16.0],
        "effective, measured": [8.5, 15.0],
    }
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_along_tells_lines_apart_without_colour() -> None:
    ax = effective.along(["one", "two"], {"computed": [3, 5], "before": [3, 4], "after": [2, 3]}).axes[0]
    assert [np.asarray(line.get_ydata()).tolist() for line in ax.lines] == [[3, 5], [3, 4], [2, 3]]
    assert len({line.get_marker() for line in ax.lines}) == 3
    assert len({line.get_linestyle() for line in ax.lines}) == 3
    assert [label.get_text() for label in ax.get_xticklabels()] == ["one", "two"]
