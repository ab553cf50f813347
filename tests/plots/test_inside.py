import numpy as np
import torch

from deepernets.analysis.interpretability import calibration
from deepernets.data.images import Images
from deepernets.plots import inside


def test_filters_and_maps_are_drawn_each_in_its_place() -> None:
    drawn = inside.filters(torch.randn(10, 3, 3, 3))
    assert sum(bool(ax.images) for ax in drawn.axes) == 10
    rows = {"early": torch.rand(4, 8, 8), "late": torch.rand(12, 4, 4)}
    figure = inside.maps(torch.zeros(3, 8, 8, dtype=torch.uint8), rows, shown=5)
    assert [len(ax.images) for ax in figure.axes] == [1] * 5 + [0] + [1] * 6
    assert figure.axes[6].get_title(loc="left") == "late"


def test_heat_lies_over_its_image() -> None:
    figure = inside.heat(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), torch.rand(2, 4, 4), ["a", "b"])
    assert [len(ax.images) for ax in figure.axes] == [1, 1, 2, 2]
    assert list(figure.axes[2].images[1].get_extent()) == [-0.5, 7.5, 7.5, -0.5]


def test_scatter_has_a_marker_per_class() -> None:
    figure = inside.scatter(torch.randn(30, 2), torch.arange(30) % 3, ["a", "b", "c"])
    assert len(figure.axes[0].collections) == 3
    assert {len(np.asarray(dots.get_offsets())) for dots in figure.axes[0].collections} == {10}


def test_reliability_draws_the_bins_and_says_the_error() -> None:
    found = calibration(torch.tensor([0.9, 0.9, 0.6]), torch.tensor([True, False, True]), bins=5)
    upper, lower = inside.reliability(found).axes
    assert f"{found.error:.1%}" in upper.get_title()
    assert [bar.get_height() for bar in lower.patches] == found.count.tolist()  # type: ignore[attr-defined]


def test_landscape_draws_every_line() -> None:
    lines = inside.landscape([0.0, 0.5, 1.0], {"training": [3.0, 2.0, 1.0]}).axes[0].lines
    assert np.asarray(lines[0].get_ydata()).tolist() == [3.0, 2.0, 1.0]


def test_images_are_picked_class_by_class() -> None:
    images = Images(torch.zeros(6, 1, 2, 2, dtype=torch.uint8), torch.tensor([1, 0, 1, 0, 1, 0]))
    assert inside.by_class(images, 2, ["a", "b"]).tolist() == [1, 3, 0, 2]
