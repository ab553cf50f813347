import numpy as np
import pytest
import torch
from matplotlib.patches import Rectangle

from deepernets.data.images import Images
from deepernets.plots import data

GREY = torch.full((3, 8, 8), 128, dtype=torch.uint8)


def test_zero_is_shown_as_mid_grey_and_all_beyond_the_limit_is_cut_off() -> None:
    assert data.displayable(torch.tensor([-5.0, -2.0, 0.0, 2.0, 5.0]), limit=2.0).tolist() == [
        0,
        0,
        128,
        255,
        255,
    ]


def test_images_are_drawn_in_rows_on_one_scale() -> None:
    figure = data.image_grid({"small": GREY, "large": torch.zeros(1, 16, 16, dtype=torch.uint8)}, columns=3)
    assert [ax.get_title() for ax in figure.axes] == ["small", "large", ""]
    assert figure.axes[0].get_xlim() == (-4.5, 11.5)
    assert figure.axes[1].get_xlim() == (-0.5, 15.5)


@pytest.mark.parametrize(("channels", "names"), [(1, ["grey"]), (3, ["red", "green", "blue"])])
def test_every_step_has_an_image_and_a_line_per_channel(channels: int, names: list[str]) -> None:
    stored = torch.rand(5, channels, 8, 8, generator=torch.Generator().manual_seed(0))
    figure = data.normalisation_steps({"stored": stored, "centred": stored - 0.5}, shown=2)
    assert [ax.get_title() for ax in figure.axes] == ["stored", "centred", "", ""]
    lines = figure.axes[3].lines
    assert [str(line.get_label()) for line in figure.axes[2].lines[:channels]] == names
    assert len({line.get_linestyle() for line in lines[:channels]}) == channels
    assert np.asarray(lines[0].get_ydata()).sum() == pytest.approx(100)


def test_the_window_is_drawn_where_it_was_cut_out() -> None:
    figure = data.cropping(torch.zeros(3, 12, 12, dtype=torch.uint8), (1, 3), {"cut out": GREY})
    corners = {patch.get_xy() for patch in figure.axes[0].patches if isinstance(patch, Rectangle)}
    assert corners == {(2.5, 0.5)}
    assert [ax.get_title() for ax in figure.axes] == ["padded\n12×12", "cut out\n8×8"]


def test_differences_are_signed_and_share_one_scale() -> None:
    figure = data.image_differences(GREY, {"lighter": GREY + 10, "darker": GREY - 20})
    lighter, darker = (ax.images[0] for ax in figure.axes[4:6])
    assert np.unique(np.asarray(lighter.get_array())).tolist() == [10]
    assert np.unique(np.asarray(darker.get_array())).tolist() == [-20]
    assert lighter.get_clim() == darker.get_clim() == (-20, 20)


def test_every_ceiling_has_a_mark_at_the_end_of_its_line() -> None:
    ax = data.label_noise_ceilings([0.5, 1.0], {"clean": [0.5, 1.0], "noisy": [0.5, 0.9]}).axes[0]
    ends = [float(np.asarray(line.get_ydata())[0]) for line in ax.lines[2:]]
    assert ends == pytest.approx([100, 90])


def test_samples_have_a_row_per_class_and_missing_images_are_white() -> None:
    pixels = torch.stack([torch.full((1, 4, 4), value, dtype=torch.uint8) for value in (10, 20, 30)])
    figure = data.class_samples(Images(pixels, torch.tensor([1, 0, 1])), ("zero", "one"), per_class=2)
    ax = figure.axes[0]
    drawn = np.asarray(ax.images[0].get_array())
    assert drawn.shape == (9, 9)
    assert drawn[::5, ::5].tolist() == [[20, 255], [10, 30]]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["zero", "one"]


def test_versions_keep_pixels_the_same_size() -> None:
    small, large = torch.rand(1, 28, 28), torch.rand(1, 32, 32)
    axes = data.image_sizes({"small": small, "large": large}).axes
    assert len({ax.get_xlim()[1] - ax.get_xlim()[0] for ax in axes}) == 1
    assert np.asarray(axes[0].images[0].get_array()).tolist() == small[0].tolist()
    assert [ax.get_title() for ax in axes] == ["small\n28×28", "large\n32×32"]


def test_crops_cover_less_of_a_larger_image() -> None:
    figure = data.crop_windows(torch.zeros(3, 32, 32, dtype=torch.uint8), (256, 512), places=2)
    assert [ax.get_title() for ax in figure.axes] == [
        "S = 256\n77% of the image",
        "S = 512\n19% of the image",
    ]
    frames = [patch for patch in figure.axes[1].patches if isinstance(patch, Rectangle)]
    assert {round(frame.get_width(), 3) for frame in frames} == {14.0}
    corners = {round(frame.get_x(), 3) for frame in frames}
    assert corners == {-0.5, 17.5}
