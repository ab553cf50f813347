import pytest
import torch

import deepernets
from deepernets.analysis.stages import by_map_side, by_part


def test_the_parts_of_resnet_50_add_up_to_it() -> None:
    with torch.device("meta"):
        model = deepernets.build_model("resnet-50")
    parts = by_part(model, (3, 224, 224))
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
    with torch.device("meta"):
        shallow, deep = deepernets.build_model("resnet-50"), deepernets.build_model("resnet-101")
    costs = [by_part(model, (3, 224, 224)).set_index("part")["multiply_adds"] for model in (shallow, deep)]
    difference = costs[1] - costs[0]
    assert difference["stage3"] == 17 * 17 * 64**2 * 56**2  # 17 blocks of 17 C² multiply-adds a pixel
    assert difference.drop("stage3").eq(0).all()


@pytest.mark.parametrize(("name", "largest"), [("vgg-e", 224), ("resnet-34", 112)])
def test_map_sides_fall_from_the_first_convolution(name: str, largest: int) -> None:
    with torch.device("meta"):
        model = deepernets.build_model(name)
    sides = by_map_side(model, (3, 224, 224))
    assert list(sides["side"]) == [side for side in (224, 112, 56, 28, 14, 7) if side <= largest][:5]
    linear = sum(layer.weight.numel() for layer in model.modules() if isinstance(layer, torch.nn.Linear))
    assert sides["multiply_adds"].sum() + linear == deepernets.count_multiply_adds(model, (3, 224, 224))
