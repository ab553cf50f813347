import re

import numpy as np
import pytest
import torch
from matplotlib.patches import Rectangle

from deepernets.analysis.statistics import binomial_interval
from deepernets.data.images import Images
from deepernets.plots import digits


def test_the_sheet_has_a_row_per_class_and_leaves_missing_images_black() -> None:
    pixels = torch.stack([torch.full((1, 4, 4), value, dtype=torch.uint8) for value in (10, 20, 30)])
    figure = digits.sheet(Images(pixels, torch.tensor([1, 0, 1])), ("zero", "one"), per_class=2)
    ax = figure.axes[0]
    drawn = np.asarray(ax.images[0].get_array())
    assert drawn.shape == (8, 8)
    assert drawn[::4, ::4].tolist() == [[20, 0], [10, 30]]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["zero", "one"]


def test_versions_keep_pixels_the_same_size() -> None:
    small, large = torch.rand(1, 28, 28), torch.rand(1, 32, 32)
    axes = digits.versions({"small": small, "large": large}).axes
    assert len({ax.get_xlim()[1] - ax.get_xlim()[0] for ax in axes}) == 1
    assert np.asarray(axes[0].images[0].get_array()).tolist() == small[0].tolist()
    assert [ax.get_title() for ax in axes] == ["small\n28×28", "large\n32×32"]


def test_templates_share_one_scale_around_zero() -> None:
    weights = torch.randn(10, 16)
    figure = digits.templates(weights, [str(digit) for digit in range(10)])
    shown = [ax.images[0] for ax in figure.axes if ax.images]
    limit = pytest.approx(weights.abs().max().item())
    assert all(image.get_clim() == (-limit.expected, limit) for image in shown)
    assert np.asarray(shown[3].get_array()).flatten().tolist() == weights[3].tolist()


def test_errors_are_drawn_with_their_intervals() -> None:
    ax = digits.errors({"one": (35, 10_000), "none": (0, 359)}).axes[0]
    low, high = (100 * (1 - share) for share in reversed(binomial_interval(9965, 10_000)))
    assert np.asarray(ax.lines[0].get_xdata()).tolist() == pytest.approx([low, high])
    assert np.asarray(ax.lines[1].get_xdata()).tolist() == pytest.approx([0.35])
    assert np.asarray(ax.lines[3].get_xdata()).tolist() == [0]
    assert [text.get_text().strip() for text in ax.texts] == ["35 of 10,000", "0 of 359"]
    assert ax.get_xlim()[0] == 0
    assert ax.get_xlim()[1] > high


def test_pairs_stack_both_directions() -> None:
    ax = digits.pairs([(4, 9, 3, 20), (3, 5, 0, 9)], "0123456789").axes[0]
    widths = [bar.get_width() for bar in ax.patches if isinstance(bar, Rectangle)]
    assert widths == [3, 20, 0, 9]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["4 and 9", "3 and 5"]
    assert [re.sub(r"\s+", " ", text.get_text()).strip() for text in ax.texts] == ["3 + 20", "0 + 9"]
    legend = ax.get_legend()
    assert legend is not None
    assert len(legend.get_texts()) == 2


def test_pairs_without_any_mistake_can_be_drawn() -> None:
    assert digits.pairs([(0, 1, 0, 0)], "01").axes[0].get_xlim()[1] > 1
