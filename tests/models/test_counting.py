import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import deepernets
from deepernets.models.counting import (
    activation_bytes,
    count_multiply_adds,
    count_parameters,
    count_running_statistics,
    output_side,
    saved_for_backward,
    summary,
    summary_by_map_side,
    summary_by_part,
)
from tests.models.on_meta import laid_out

# He et al. (2016), table 1 and section 3.3, in 10⁹ multiply-adds
PAPER = {
    "resnet-18": 1.8,
    "resnet-34": 3.6,
    "resnet-50": 3.8,
    "resnet-101": 7.6,
    "resnet-152": 11.3,
    "vgg-19": 19.6,
}


@pytest.mark.parametrize("name", PAPER)
def test_multiply_adds_are_the_papers(name: str) -> None:
    assert count_multiply_adds(laid_out(name), (3, 224, 224)) / 1e9 == pytest.approx(PAPER[name], rel=0.03)


def test_multiply_adds_see_where_a_bottleneck_strides() -> None:
    later = count_multiply_adds(laid_out("resnet-50", stride_in="3x3"), (3, 224, 224))
    assert later / 1e9 == pytest.approx(4.1, rel=0.01)


@pytest.mark.parametrize(
    "name",
    [
        *("vgg-a-lrn", "vgg-c-bn", "vgg-e-cifar", "vgg-mini-bn-cifar", "report-c-vgg-16", "dash"),
        *("resnet-34", "resnet-50", "resnet-101-cifar", "plain-18", "resnet-20", "resnet-8-b", "plain-32"),
        "report-c-resnet-50",
    ],
)
def test_multiply_adds_are_those_of_pytorchs_counter(name: str) -> None:
    model = laid_out(name, (3, 32, 32), 10)
    counter = FlopCounterMode(display=False)
    with counter:
        model.eval()(torch.empty(1, 3, 32, 32, device="meta"))
    assert 2 * count_multiply_adds(model, (3, 32, 32)) == counter.get_total_flops()


def test_multiply_adds_know_groups_and_rectangles() -> None:
    model = nn.Conv2d(8, 16, kernel_size=(3, 5), groups=4)
    assert count_multiply_adds(model, (8, 9, 9)) == (16 * 7 * 5) * (8 // 4 * 3 * 5)


def test_a_summary_lists_every_layer_with_its_shape_and_adds_up() -> None:
    layers = summary(laid_out("vgg-16"), (3, 224, 224))
    assert list(layers.columns) == ["name", "layer", "output_shape", "parameters", "multiply_adds"]
    rows = layers.set_index("name").to_dict("index")
    assert rows["block1.conv1"] == {
        "layer": "Conv2d",
        "output_shape": (64, 224, 224),
        "parameters": 3 * 64 * 9 + 64,
        "multiply_adds": 3 * 64 * 9 * 224 * 224,
    }
    assert rows["block5.pool"]["output_shape"] == (512, 7, 7)
    assert rows["head.fc1"]["multiply_adds"] == 512 * 7 * 7 * 4096
    assert rows["head.fc3"]["output_shape"] == (1000,)
    assert layers["parameters"].sum() == 138_357_544
    assert layers["multiply_adds"].sum() == count_multiply_adds(laid_out("vgg-16"), (3, 224, 224))


def test_counts_of_a_normalisation() -> None:
    norm = nn.BatchNorm2d(64)
    assert (count_parameters(norm), count_running_statistics(norm)) == (128, 128)


@pytest.mark.parametrize("round_up", [False, True])
@pytest.mark.parametrize("kernel", [2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1])
def test_sides_are_those_of_pytorchs_pools(kernel: int, stride: int, padding: int, round_up: bool) -> None:
    for side in range(5, 13):
        pooled = F.max_pool2d(torch.zeros(1, 1, side, side), kernel, stride, padding, ceil_mode=round_up)
        assert output_side(side, kernel, stride, padding, round_up) == pooled.shape[-1]


def test_a_map_that_is_too_small_leaves_nothing() -> None:
    assert output_side(1, kernel=2, stride=2) == 0
    assert output_side(0, kernel=2, stride=2) == 0
    assert output_side(2, kernel=7) == 0


@pytest.mark.parametrize("wrong", [(5, 0, 1, 0), (5, 3, 0, 0), (5, 3, 1, -1), (-1, 3, 1, 0)])
def test_it_refuses_windows_that_do_not_exist(wrong: tuple[int, int, int, int]) -> None:
    with pytest.raises(deepernets.UserError, match="no window of side"):
        output_side(*wrong)


def test_bytes_follow_the_precision() -> None:
    assert activation_bytes((64, 2, 2)) == 2 * activation_bytes((64, 2, 2), bytes_per_number=2) == 1024


def test_vgg_keeps_each_layers_input_and_its_pools_indices() -> None:
    network = laid_out("vgg-a").eval()  # no dropout, so no masks
    walk = deepernets.summary(network, (3, 224, 224))
    made = walk[walk["layer"].isin(["Conv2d", "MaxPool2d", "Linear"])]
    kept = saved_for_backward(network, (3, 224, 224))
    inputs = [(3, 224, 224), *made["output_shape"].iloc[:-1]]
    assert kept[torch.float32] == sum(map(activation_bytes, inputs))
    pooled = walk.loc[walk["layer"] == "MaxPool2d", "output_shape"]
    assert kept[torch.int64] == sum(activation_bytes(shape, 8) for shape in pooled)


def test_a_relu_with_memory_of_its_own_is_no_further_map() -> None:
    """Its output is kept, which the next layer takes in; its input is not."""
    layers = [nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 3, padding=1)]
    assert saved_for_backward(nn.Sequential(*layers), (3, 4, 4)) == {torch.float32: 4 * (3 + 8) * 16}


def test_frozen_layers_need_no_input() -> None:
    layer = nn.Conv2d(3, 8, 3).requires_grad_(False)
    assert saved_for_backward(layer, (3, 4, 4)) == {}


def test_it_says_which_images_do_not_fit() -> None:
    with pytest.raises(deepernets.UserError, match="takes no images of shape"):
        saved_for_backward(nn.Conv2d(3, 8, 3), (1, 4, 4))


def test_the_parts_of_resnet_50_add_up_to_it() -> None:
    model = laid_out("resnet-50")
    parts = summary_by_part(model, (3, 224, 224))
    assert list(parts["part"]) == ["stem", "stage1", "stage2", "stage3", "stage4", "head"]
    assert list(parts["output_shape"]) == [
        (64, 56, 56),
        (256, 56, 56),
        (512, 28, 28),
        (1024, 14, 14),
        (2048, 7, 7),
        (1000,),
    ]
    assert parts["parameters"].sum() == 25_557_032
    assert parts["multiply_adds"].sum() == deepernets.count_multiply_adds(model, (3, 224, 224))


def test_stages_of_blocks_that_keep_the_shape_cost_the_same_per_block() -> None:
    shallow, deep = (
        summary_by_part(laid_out(name), (3, 224, 224)).set_index("part")["multiply_adds"]
        for name in ("resnet-50", "resnet-101")
    )
    difference = deep - shallow
    assert difference["stage3"] == 17 * 17 * 64**2 * 56**2  # 17 blocks of 17 C² multiply-adds a pixel
    assert difference.drop("stage3").eq(0).all()


@pytest.mark.parametrize(("name", "largest"), [("vgg-e", 224), ("resnet-34", 112)])
def test_map_sides_fall_from_the_first_convolution(name: str, largest: int) -> None:
    model = laid_out(name)
    sides = summary_by_map_side(model, (3, 224, 224))
    assert list(sides["side"]) == [side for side in (224, 112, 56, 28, 14, 7) if side <= largest][:5]
    linear = sum(layer.weight.numel() for layer in model.modules() if isinstance(layer, torch.nn.Linear))
    assert sides["multiply_adds"].sum() + linear == deepernets.count_multiply_adds(model, (3, 224, 224))
