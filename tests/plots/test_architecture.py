import re

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle
from torch import nn

from deepernets.models.modern_blocks import LATER_BLOCKS, ORIGINAL_BLOCKS
from deepernets.models.registry import build_model
from deepernets.models.resnet import BLOCKS
from deepernets.models.vgg import CONFIGURATIONS
from deepernets.plots import architecture


def test_the_diagram_shows_the_convolutions_of_the_table() -> None:
    figure = architecture.residual_blocks()
    assert [ax.get_title() for ax in figure.axes] == list(BLOCKS)
    for ax in figure.axes:
        kernels = [text.get_text()[0] for text in ax.texts if "×" in text.get_text()]
        assert kernels == [str(kernel) for kernel, _ in BLOCKS[ax.get_title()]]
        assert "shortcut" in [text.get_text() for text in ax.texts]


ALL = {**ORIGINAL_BLOCKS, **LATER_BLOCKS}


def test_every_block_has_a_sketch() -> None:
    assert set(architecture.BLOCK_VARIANTS) == set(ALL)
    titles = [ax.get_title() for ax in architecture.block_variants().axes]
    assert titles == list(architecture.BLOCK_VARIANTS)


@pytest.mark.parametrize("name", architecture.BLOCK_VARIANTS)
def test_its_boxes_are_the_blocks_layers_with_weights(name: str) -> None:
    drawn = [
        step
        for branch in architecture.BLOCK_VARIANTS[name].branches
        for step in branch
        if step.startswith("[")
    ]
    kernels = sorted(int(match[1]) for step in drawn if (match := re.search(r"(\d)×", step)))
    built = [module for module in ALL[name](64).modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    sides = [layer.kernel_size[0] if isinstance(layer, nn.Conv2d) else 1 for layer in built]
    if name == "squeeze-and-excitation":  # the gate's two layers are one box
        sides = [*sides[:3]]
        assert len(drawn) == len(sides) + 1
    assert kernels == sorted(sides)


@pytest.mark.parametrize("name", architecture.BLOCK_VARIANTS)
def test_what_is_new_is_marked_in_later_blocks_only(name: str) -> None:
    steps = [step for branch in architecture.BLOCK_VARIANTS[name].branches for step in branch]
    assert any(step.endswith("*") for step in steps) == (name in LATER_BLOCKS)


def test_groups_share_out_the_kernels() -> None:
    axes = architecture.channel_links(8, (1, 4, 8)).axes
    titles = [ax.get_title() for ax in axes]
    assert titles == ["one group: all\n64 kernels", "4 groups\n16 kernels", "8 groups: depthwise\n8 kernels"]
    drawn = np.asarray(axes[1].images[0].get_array())
    assert drawn[0].tolist() == [1, 1, 0, 0, 0, 0, 0, 0]


def kinds(ax: Axes) -> list[str]:
    """Return what each channel after the shortcut is, by its colour."""
    colours = {to_rgb(look["facecolor"]): kind for kind, look in architecture.CHANNEL_LOOKS.items()}
    bars = [patch for patch in ax.patches if isinstance(patch, Rectangle) and patch.get_x() > 1]
    return [colours[to_rgb(bar.get_facecolor()[:3])] for bar in bars]


def test_each_option_hands_on_what_the_paper_says() -> None:
    copied, mixed, zeros = architecture.COPIED, architecture.MIXED, architecture.ZEROS
    changing, other = np.array(architecture.shortcut_options().axes).reshape(2, 3)
    assert [kinds(ax) for ax in changing] == [[copied] * 4 + [zeros] * 4, [mixed] * 8, [mixed] * 8]
    assert [kinds(ax) for ax in other] == [[copied] * 4, [copied] * 4, [mixed] * 4]
    assert [ax.get_title() for ax in changing] == ["option A", "option B", "option C"]


def test_kinds_of_channels_differ_by_more_than_colour() -> None:
    looks = [(look.get("hatch"), look.get("linestyle")) for look in architecture.CHANNEL_LOOKS.values()]
    assert len(set(looks)) == len(looks)


def test_ratios_are_drawn_by_block_from_zero_on_one_scale() -> None:
    figure = architecture.residual_block_ratios(
        {"untrained": {"a": [1.4, 0.9], "b": [2.0]}, "trained": {"a": [0.5, 0.4]}}
    )
    assert len({ax.get_ylim() for ax in figure.axes}) == 1
    assert figure.axes[0].get_ylim()[0] == 0
    assert [ax.get_title() for ax in figure.axes] == ["untrained", "trained"]
    first, second = figure.axes[0].lines
    assert np.asarray(first.get_xdata()).tolist() == [1, 2]
    assert np.asarray(first.get_ydata()).tolist() == [1.4, 0.9]
    assert first.get_marker() != second.get_marker()
    assert first.get_linestyle() != second.get_linestyle()


def boxes(shallow: str, deep: str) -> list[Rectangle]:
    networks = [build_model(name, in_shape=(3, 32, 32), classes=3) for name in (shallow, deep)]
    (ax,) = architecture.copied_and_added_layers(networks[0], networks[1], (shallow, deep)).axes
    return [patch for patch in ax.patches if isinstance(patch, Rectangle)]


@pytest.mark.parametrize(
    ("shallow", "deep", "layers"), [("plain-8", "plain-20", (8, 20)), ("plain-20",) * 2 + ((20, 20),)]
)
def test_there_is_a_box_per_layer_and_the_added_ones_are_hatched(
    shallow: str, deep: str, layers: tuple[int, int]
) -> None:
    drawn = boxes(shallow, deep)
    rows = [[box for box in drawn if box.get_y() == row] for row in (1, 0)]
    assert tuple(map(len, rows)) == layers
    assert sum(bool(box.get_hatch()) for box in rows[0]) == 0
    assert sum(bool(box.get_hatch()) for box in rows[1]) == layers[1] - layers[0]


def test_a_copied_layer_is_above_the_layer_of_its_name() -> None:
    drawn = boxes("plain-8", "plain-20")
    above = {box.get_x() for box in drawn if box.get_y() == 1}
    assert above == {box.get_x() for box in drawn if box.get_y() == 0 and not box.get_hatch()}


def test_the_figure_names_both_networks() -> None:
    networks = [build_model(name, in_shape=(3, 32, 32), classes=3) for name in ("plain-8", "plain-14")]
    (ax,) = architecture.copied_and_added_layers(networks[0], networks[1], ("plain-8", "plain-14")).axes
    written = " ".join(text.get_text() for text in ax.texts)
    assert "plain-8\n8 layers" in written
    assert "plain-14\n14 layers" in written


def test_layers_are_counted_from_one_and_zeros_left_out() -> None:
    (ax,) = architecture.values_by_layer({"a": [0.5, 0.0, 2.0], "b": [1.0]}, "norm of the gradient").axes
    drawn = {str(line.get_label()): line for line in ax.lines}
    assert np.asarray(drawn["a"].get_xdata()).tolist() == [1, 3]
    assert np.asarray(drawn["a"].get_ydata()).tolist() == [0.5, 2.0]
    assert ax.get_yscale() == "log"
    assert ax.get_ylabel() == "norm of the gradient"
    assert drawn["a"].get_linestyle() != drawn["b"].get_linestyle()
    assert drawn["a"].get_marker() != drawn["b"].get_marker()


def test_values_by_layer_on_a_linear_axis_keep_their_zeros_and_begin_there() -> None:
    (ax,) = architecture.values_by_layer({"a": [0.5, 0.0, 2.0]}, "response", "linear").axes
    (line,) = ax.lines
    assert np.asarray(line.get_ydata()).tolist() == [0.5, 0.0, 2.0]
    assert ax.get_yscale() == "linear"
    assert ax.get_ylim()[0] == 0


def test_costs_can_be_written_next_to_their_bars() -> None:
    left, right = architecture.costs_by_layer(["stem", "head"], {"a": [2, 1], "b": [5, 4]}, numbers=True).axes
    assert [text.get_text() for text in left.texts] == ["2.0", "1.0"]
    assert right.get_xlim()[1] > 5


def test_costs_draws_one_bar_per_layer_and_cost() -> None:
    figure = architecture.costs_by_layer(["one", "two"], {"work": [1.0, 3.0], "memory": [2.0, 0.5]})
    for ax, expected in zip(figure.axes, ([1.0, 3.0], [2.0, 0.5]), strict=True):
        assert [bar.get_width() for bar in ax.patches if isinstance(bar, Rectangle)] == expected
        assert ax.yaxis_inverted()
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["one", "two"]
    assert len({bar.get_hatch() for ax in figure.axes for bar in ax.patches}) == 2


def test_the_configuration_chart_adds_up_to_the_counts_of_the_papers_table() -> None:
    """The chapter book/vgg-configurations.md shows it; facts, section 1."""
    ax = architecture.configuration_chart().axes[0]
    bars = [bar for bar in ax.patches if isinstance(bar, Rectangle)]
    totals = [sum(bar.get_bbox().width for bar in bars[row : row + 2]) for row in range(0, 12, 2)]
    exact = [132_863_336, 132_863_336, 133_047_848, 133_638_952, 138_357_544, 143_667_240]
    assert totals == pytest.approx([count / 1e6 for count in exact])
    assert [label.get_text() for label in ax.get_yticklabels()] == list(CONFIGURATIONS)
