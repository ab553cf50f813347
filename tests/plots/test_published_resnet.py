import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from deepernets.papers import resnet as published
from deepernets.plots import published_resnet

COSTS = {row.network: float(number) for number, row in enumerate(published.TEN_CROP, 1)}
PARAMETERS = {20: 269_722, 32: 464_154, 44: 658_586, 56: 853_018, 110: 1_727_962, 1202: 19_421_274}


def points(line: Line2D) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in np.asarray(line.get_xydata())]


def widths(ax: Axes) -> list[float]:
    return [bar.get_width() for bar in ax.patches if isinstance(bar, Rectangle)]


def test_every_network_is_drawn_at_its_cost_and_error() -> None:
    ax = published_resnet.imagenet_errors(COSTS).axes[0]
    drawn = {point for line in ax.lines for point in points(line)}
    assert drawn == {(COSTS[row.network], row.top1) for row in published.TEN_CROP}
    assert {text.get_text() for text in ax.texts} == set(COSTS)


def test_kinds_differ_by_more_than_colour() -> None:
    ax = published_resnet.imagenet_errors(COSTS).axes[0]
    assert len({line.get_marker() for line in ax.lines}) == 3


def test_networks_without_a_cost_are_left_out() -> None:
    ax = published_resnet.imagenet_errors({"ResNet-50": 3.8}).axes[0]
    assert [text.get_text() for text in ax.texts] == ["ResNet-50"]


def test_cifar_errors_are_named_by_depth_and_keep_the_five_runs_apart() -> None:
    ax = published_resnet.cifar_errors(PARAMETERS).axes[0]
    assert [text.get_text() for text in ax.texts] == [str(depth) for depth in PARAMETERS]
    heights = {round(y, 2) for line in ax.lines for _, y in points(line)}
    assert {8.75, 7.51, 7.17, 6.97, 6.43, 6.61, 7.93} <= heights
    low, high = ax.get_ylim()
    assert all(low < height < high for height in heights)


def test_parts_are_drawn_from_the_top() -> None:
    parts = pd.DataFrame({"part": ["stem", "head"], "parameters": [2e6, 1e6], "multiply_adds": [5e6, 4e6]})
    left, right = published_resnet.part_costs(parts).axes
    assert widths(left) == pytest.approx([2, 1])
    assert widths(right) == pytest.approx([5, 4])
    assert [label.get_text() for label in left.get_yticklabels()] == ["stem", "head"]
    assert left.yaxis_inverted()
