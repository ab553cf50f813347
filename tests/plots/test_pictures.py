import numpy as np
import pytest
import torch
from matplotlib.patches import Rectangle

from deepernets.plots import pictures

GREY = torch.full((3, 8, 8), 128, dtype=torch.uint8)


def test_zero_is_shown_as_mid_grey_and_all_beyond_the_limit_is_cut_off() -> None:
    assert pictures.visible(torch.tensor([-5.0, -2.0, 0.0, 2.0, 5.0]), limit=2.0).tolist() == [
        0,
        0,
        128,
        255,
        255,
    ]


def test_pictures_stand_in_rows_on_one_scale() -> None:
    figure = pictures.row({"small": GREY, "large": torch.zeros(1, 16, 16, dtype=torch.uint8)}, columns=3)
    assert [ax.get_title() for ax in figure.axes] == ["small", "large", ""]
    assert figure.axes[0].get_xlim() == (-4.5, 11.5)
    assert figure.axes[1].get_xlim() == (-0.5, 15.5)


@pytest.mark.parametrize(("channels", "names"), [(1, ["grey"]), (3, ["red", "green", "blue"])])
def test_every_step_has_a_picture_and_a_line_per_channel(channels: int, names: list[str]) -> None:
    stored = torch.rand(5, channels, 8, 8, generator=torch.Generator().manual_seed(0))
    figure = pictures.normalisation({"stored": stored, "centred": stored - 0.5}, shown=2)
    assert [ax.get_title() for ax in figure.axes] == ["stored", "centred", "", ""]
    lines = figure.axes[3].lines
    assert [str(line.get_label()) for line in figure.axes[2].lines[:channels]] == names
    assert len({line.get_linestyle() for line in lines[:channels]}) == channels
    assert np.asarray(lines[0].get_ydata()).sum() == pytest.approx(100)


def test_the_window_is_drawn_where_it_was_cut_out() -> None:
    figure = pictures.crop(torch.zeros(3, 12, 12, dtype=torch.uint8), (1, 3), {"cut out": GREY})
    corners = {patch.get_xy() for patch in figure.axes[0].patches if isinstance(patch, Rectangle)}
    assert corners == {(2.5, 0.5)}
    assert [ax.get_title() for ax in figure.axes] == ["padded\n12×12", "cut out\n8×8"]


def test_differences_are_signed_and_share_one_scale() -> None:
    figure = pictures.differences(GREY, {"lighter": GREY + 10, "darker": GREY - 20})
    lighter, darker = (ax.images[0] for ax in figure.axes[4:6])
    assert np.unique(np.asarray(lighter.get_array())).tolist() == [10]
    assert np.unique(np.asarray(darker.get_array())).tolist() == [-20]
    assert lighter.get_clim() == darker.get_clim() == (-20, 20)


def test_luck_is_drawn_as_lines_with_the_simulations_dots() -> None:
    ax = pictures.luck({"few": {1: 0, 10: 1.0}, "many": {1: 0, 10: 0.5}}, {"many": {10: 0.52}}).axes[0]
    few, many, dots = ax.lines
    assert few.get_linestyle() != many.get_linestyle()
    assert np.asarray(dots.get_ydata()).tolist() == [0.52]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "10"]


def test_every_ceiling_has_a_mark_at_the_end_of_its_line() -> None:
    ax = pictures.ceilings([0.5, 1.0], {"clean": [0.5, 1.0], "noisy": [0.5, 0.9]}).axes[0]
    ends = [float(np.asarray(line.get_ydata())[0]) for line in ax.lines[1::2]]
    assert ends == pytest.approx([100, 90])
