import numpy as np
import pytest
import torch

from deepernets.analysis.interpretability import calibration
from deepernets.plots import interpretability


def test_filters_and_maps_are_drawn_each_in_its_place() -> None:
    drawn = interpretability.first_layer_filters(torch.randn(10, 3, 3, 3))
    assert sum(bool(ax.images) for ax in drawn.axes) == 10
    rows = {"early": torch.rand(4, 8, 8), "late": torch.rand(12, 4, 4)}
    figure = interpretability.feature_maps(torch.zeros(3, 8, 8, dtype=torch.uint8), rows, shown=5)
    assert [len(ax.images) for ax in figure.axes] == [1] * 5 + [0] + [1] * 6
    assert figure.axes[6].get_title(loc="left") == "late"


def test_landscape_draws_every_line() -> None:
    lines = interpretability.loss_along_line([0.0, 0.5, 1.0], {"training": [3.0, 2.0, 1.0]}).axes[0].lines
    assert np.asarray(lines[0].get_ydata()).tolist() == [3.0, 2.0, 1.0]


def test_a_row_of_images_and_a_row_for_each_kind_of_map() -> None:
    pixels = torch.zeros(3, 3, 8, 8, dtype=torch.uint8)
    maps = {"trained": torch.rand(3, 4, 4), "untrained": torch.rand(3, 2, 2)}
    figure = interpretability.heat_maps(pixels, maps, ["a", "b", "c"])
    assert [len(ax.images) for ax in figure.axes] == [1] * 3 + [2] * 6
    assert figure.axes[3].get_title(loc="left") == "trained"
    assert list(figure.axes[8].images[1].get_extent()) == [-0.5, 7.5, 7.5, -0.5]


def test_every_drawing_has_all_points_with_a_marker_per_class() -> None:
    points = {name: torch.randn(30, 2) for name in ("one", "two", "three")}
    figure = interpretability.projected_features(points, torch.arange(30) % 3, ["a", "b", "c"])
    assert [len(ax.collections) for ax in figure.axes] == [3, 3, 3, 0]
    assert {len(np.asarray(dots.get_offsets())) for ax in figure.axes for dots in ax.collections} == {10}
    assert [ax.get_title() for ax in figure.axes[:3]] == list(points)


def test_similarities_write_every_value() -> None:
    ax = interpretability.layer_similarities([[1.0, 0.25], [0.25, 1.0]], ["a", "b"]).axes[0]
    assert [text.get_text() for text in ax.texts] == ["1.00", "0.25", "0.25", "1.00"]


def test_reliability_leaves_empty_bins_out() -> None:
    found = calibration(torch.tensor([0.95, 0.91, 0.42]), torch.tensor([True, False, True]), bins=10)
    ax = interpretability.reliability_diagrams({"one": found, "other": found}).axes[0]
    assert np.asarray(ax.collections[1].get_offsets()).shape == (2, 2)
    assert "one" in ax.get_title()


def test_templates_share_one_scale_around_zero() -> None:
    weights = torch.randn(10, 16)
    figure = interpretability.class_templates(weights, [str(digit) for digit in range(10)])
    shown = [ax.images[0] for ax in figure.axes if ax.images]
    limit = pytest.approx(weights.abs().max().item())
    assert all(image.get_clim() == (-limit.expected, limit) for image in shown)
    assert np.asarray(shown[3].get_array()).flatten().tolist() == weights[3].tolist()
