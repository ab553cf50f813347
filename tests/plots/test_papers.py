import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from deepernets.papers import resnet as published
from deepernets.papers.vgg import MULTI_SCALE, SINGLE_SCALE, STATE_OF_THE_ART
from deepernets.plots import papers


def test_both_tables_are_drawn_and_labelled() -> None:
    (ax,) = papers.vgg_errors_by_scale().axes
    drawn = [np.asarray(line.get_xdata()).item() for line in ax.lines if line.get_label() == "one test scale"]
    assert drawn == [row.top1 for row in SINGLE_SCALE]
    drawn = [
        np.asarray(line.get_xdata()).item() for line in ax.lines if line.get_label() == "three test scales"
    ]
    assert drawn == [row.top1 for row in MULTI_SCALE]
    written = [text.get_text() for text in ax.texts]
    assert len(written) == len(SINGLE_SCALE) + len(MULTI_SCALE)
    assert "24.8" in written
    assert len({line.get_marker() for line in ax.lines if not str(line.get_label()).startswith("_")}) == 2


def test_table_7_is_drawn_from_the_best_to_the_worst() -> None:
    (ax,) = papers.state_of_the_art_2014().axes
    bars = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    lengths = [bar.get_width() for bar in bars]
    assert len(lengths) == len(STATE_OF_THE_ART)
    assert lengths == sorted(lengths)
    assert ax.yaxis_inverted()
    hatched = [bar.get_width() for bar in bars if bar.get_hatch()]
    assert hatched == [7.9, 14.2, 18.2]  # given on the validation images alone
    assert sum("(validation)" in text.get_text() for text in ax.texts) == 3
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels[:3] == [
        "GoogLeNet, 7 nets",
        "VGG, multi-crop & dense, 2 nets",
        "VGG, multi-crop & dense, 1 net",
    ]


COSTS = {row.network: float(number) for number, row in enumerate(published.TEN_CROP, 1)}
PARAMETERS = {20: 269_722, 32: 464_154, 44: 658_586, 56: 853_018, 110: 1_727_962, 1202: 19_421_274}


def points(line: Line2D) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in np.asarray(line.get_xydata())]


def widths(ax: Axes) -> list[float]:
    return [bar.get_width() for bar in ax.patches if isinstance(bar, Rectangle)]


def test_every_network_is_drawn_at_its_cost_and_error() -> None:
    ax = papers.resnet_imagenet_errors(COSTS).axes[0]
    drawn = {point for line in ax.lines for point in points(line)}
    assert drawn == {(COSTS[row.network], row.top1) for row in published.TEN_CROP}
    assert {text.get_text() for text in ax.texts} == set(COSTS)


def test_kinds_differ_by_more_than_colour() -> None:
    ax = papers.resnet_imagenet_errors(COSTS).axes[0]
    assert len({line.get_marker() for line in ax.lines}) == 3


def test_networks_without_a_cost_are_left_out() -> None:
    ax = papers.resnet_imagenet_errors({"ResNet-50": 3.8}).axes[0]
    assert [text.get_text() for text in ax.texts] == ["ResNet-50"]


def test_cifar_errors_are_named_by_depth_and_keep_the_five_runs_apart() -> None:
    ax = papers.resnet_cifar_errors(PARAMETERS).axes[0]
    assert [text.get_text() for text in ax.texts] == [str(depth) for depth in PARAMETERS]
    heights = {round(y, 2) for line in ax.lines for _, y in points(line)}
    assert {8.75, 7.51, 7.17, 6.97, 6.43, 6.61, 7.93} <= heights
    low, high = ax.get_ylim()
    assert all(low < height < high for height in heights)
