import torch

from deepernets.plots import heatmaps


def test_a_row_of_images_and_a_row_for_each_kind_of_map() -> None:
    pixels = torch.zeros(3, 3, 8, 8, dtype=torch.uint8)
    maps = {"trained": torch.rand(3, 4, 4), "untrained": torch.rand(3, 2, 2)}
    figure = heatmaps.compared(pixels, maps, ["a", "b", "c"])
    assert [len(ax.images) for ax in figure.axes] == [1] * 3 + [2] * 6
    assert figure.axes[3].get_title(loc="left") == "trained"
    assert list(figure.axes[8].images[1].get_extent()) == [-0.5, 7.5, 7.5, -0.5]


def test_every_drawing_has_all_points_with_a_marker_per_class() -> None:
    points = {name: torch.randn(30, 2) for name in ("one", "two", "three")}
    figure = heatmaps.drawings(points, torch.arange(30) % 3, ["a", "b", "c"])
    assert [len(ax.collections) for ax in figure.axes] == [3, 3, 3, 0]
    assert [ax.get_title() for ax in figure.axes[:3]] == list(points)


def test_similarities_write_every_value() -> None:
    ax = heatmaps.similarities([[1.0, 0.25], [0.25, 1.0]], ["a", "b"]).axes[0]
    assert [text.get_text() for text in ax.texts] == ["1.00", "0.25", "0.25", "1.00"]
