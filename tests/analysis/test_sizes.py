import pytest
import torch
from torch import nn
from torch.nn import functional as F

import deepernets
from deepernets.analysis.sizes import kept_for_backward, map_bytes, output_side


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
    assert map_bytes((64, 2, 2)) == 2 * map_bytes((64, 2, 2), bytes_per_number=2) == 1024


def test_vgg_keeps_each_layers_input_and_its_pools_indices() -> None:
    with torch.device("meta"):
        network = deepernets.build_model("vgg-a").eval()  # no dropout, so no masks
    walk = deepernets.summary(network, (3, 224, 224))
    made = walk[walk["layer"].isin(["Conv2d", "MaxPool2d", "Linear"])]
    kept = kept_for_backward(network, (3, 224, 224))
    inputs = [(3, 224, 224), *made["output_shape"].iloc[:-1]]
    assert kept[torch.float32] == sum(map(map_bytes, inputs))
    pooled = walk.loc[walk["layer"] == "MaxPool2d", "output_shape"]
    assert kept[torch.int64] == sum(map_bytes(shape, 8) for shape in pooled)


def test_a_relu_with_memory_of_its_own_is_no_further_map() -> None:
    """Its output is kept, which the next layer takes in; its input is not."""
    layers = [nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 3, padding=1)]
    assert kept_for_backward(nn.Sequential(*layers), (3, 4, 4)) == {torch.float32: 4 * (3 + 8) * 16}


def test_frozen_layers_need_no_input() -> None:
    layer = nn.Conv2d(3, 8, 3).requires_grad_(False)
    assert kept_for_backward(layer, (3, 4, 4)) == {}


def test_it_says_which_images_do_not_fit() -> None:
    with pytest.raises(deepernets.UserError, match="takes no images of shape"):
        kept_for_backward(nn.Conv2d(3, 8, 3), (1, 4, 4))
