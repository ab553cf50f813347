from typing import Any

import pytest
import torch
from torch import nn

from deepernets.errors import UserError
from deepernets.models.counting import count_parameters
from deepernets.models.layers import Convolution
from deepernets.models.vgg import CONFIGURATIONS, OTHER_CONFIGURATIONS, VGGSpec, parse_configuration

D = CONFIGURATIONS["D"]

# Simonyan & Zisserman (2015), tables 1 and 2: weight layers, millions of parameters, and the exact count
PAPER = {
    "A": (11, 133, 132_863_336),
    "A-LRN": (11, 133, 132_863_336),
    "B": (13, 133, 133_047_848),
    "C": (16, 134, 133_638_952),
    "D": (16, 138, 138_357_544),
    "E": (19, 144, 143_667_240),
}


def laid_out(spec: VGGSpec) -> nn.Sequential:
    with torch.device("meta"):
        return spec.build()


def test_all_six_columns_are_there() -> None:
    assert list(CONFIGURATIONS) == list(PAPER)


@pytest.mark.parametrize("name", PAPER)
def test_parameters_and_weight_layers_are_the_papers(name: str) -> None:
    layers, millions, exact = PAPER[name]
    model = laid_out(VGGSpec(configuration=CONFIGURATIONS[name]))
    assert count_parameters(model) == exact
    assert round(exact / 1e6) == millions
    assert sum(isinstance(module, nn.Conv2d | nn.Linear) for module in model.modules()) == layers


def test_every_convolution_is_followed_by_a_relu_and_every_block_by_a_pool() -> None:
    model = laid_out(VGGSpec(configuration=CONFIGURATIONS["C"], batch_norm=True))
    names = [name for name, _ in model.get_submodule("block3").named_children()]
    assert names == [f"{kind}{number}" for number in (1, 2, 3) for kind in ("conv", "norm", "relu")] + [
        "pool"
    ]
    assert model.get_submodule("block3.conv3").kernel_size == (1, 1)  # what sets C apart from B


def test_local_response_normalisation_stands_behind_the_first_relu_of_a_lrn_alone() -> None:
    model = laid_out(VGGSpec(configuration=CONFIGURATIONS["A-LRN"]))
    assert [name for name, _ in model.get_submodule("block1").named_children()] == [
        "conv1",
        "relu1",
        "lrn1",
        "pool",
    ]
    assert sum(isinstance(module, nn.LocalResponseNorm) for module in model.modules()) == 1


def test_dropout_stands_behind_the_first_two_fully_connected_layers() -> None:
    head = laid_out(VGGSpec(configuration=D, dropout=0.3)).get_submodule("head")
    names = ["flatten", "fc1", "relu1", "dropout1", "fc2", "relu2", "dropout2", "fc3"]
    assert [name for name, _ in head.named_children()] == names
    assert [module.p for module in head.modules() if isinstance(module, nn.Dropout)] == [0.3, 0.3]


def test_blocks_halve_the_map() -> None:
    x = torch.empty(1, 3, 224, 224, device="meta")
    shapes = []
    for block in laid_out(VGGSpec(configuration=D))[:-1]:
        x = block(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(64, 112, 112), (128, 56, 56), (256, 28, 28), (512, 14, 14), (512, 7, 7)]


@pytest.mark.parametrize(
    ("side", "last_pool", "last"), [(32, 2, 1), (33, 2, 1), (64, 2, 2), (28, 1, 1), (32, 1, 1)]
)
def test_the_last_map_is_what_the_network_makes_of_the_image(side: int, last_pool: int, last: int) -> None:
    spec = VGGSpec(configuration=D, in_shape=(3, side, side + 32), last_pool=last_pool)
    model = laid_out(spec)
    maps = model[:-1](torch.empty(1, *spec.in_shape, device="meta"))
    assert spec.last_map[0] == last
    assert tuple(maps.shape[2:]) == spec.last_map


def test_28_pixels_do_not_fit_through_five_pools() -> None:
    with pytest.raises(UserError, match=r"28×28 pixels are too few for 5 max-pools.*32×32.*report-c-vgg-16"):
        VGGSpec(configuration=D, in_shape=(1, 28, 28))
    VGGSpec(configuration=OTHER_CONFIGURATIONS["mini"], in_shape=(1, 28, 28))


def test_the_notation_reads_as_the_paper_writes_it() -> None:
    first, second = parse_configuration("conv3-64 LRN | conv3-128 conv1-128")
    assert first == [Convolution(kernel=3, channels=64, lrn=True)]
    assert second == [Convolution(kernel=3, channels=128), Convolution(kernel=1, channels=128)]


@pytest.mark.parametrize(
    ("configuration", "complaint"),
    [
        ("conv3-64 | maxpool", "'maxpool' in block 'maxpool' is not a layer"),
        ("conv2-64", "'conv2-64' in block"),
        ("conv3-0", "'conv3-0' in block"),
        ("LRN conv3-64", "'LRN' in block"),
        ("conv3-64 LRN LRN", "'LRN' in block"),
        ("conv3-64 || conv3-64", "block of the configuration is empty"),
        ("", "block of the configuration is empty"),
    ],
)
def test_what_is_no_layer_is_refused(configuration: str, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        VGGSpec(configuration=configuration)


@pytest.mark.parametrize(
    ("field", "value"), [("head", "wide"), ("last_pool", 3), ("dropout", 1.0), ("initialisation", "zeros")]
)
def test_impossible_values_are_refused(field: str, value: object) -> None:
    with pytest.raises(UserError, match=f"^{field} is {value!r}"):
        VGGSpec(configuration=D, **{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "variance"),
    [({}, 2 / (576 + 576)), ({"initialisation": "paper"}, 1e-2), ({"initialisation": "he"}, 2 / 576)],
)
def test_networks_are_initialised_as_asked_and_with_glorots_by_default(
    changes: dict[str, Any], variance: float
) -> None:
    torch.manual_seed(0)
    mini = VGGSpec(configuration=OTHER_CONFIGURATIONS["mini"], head="cifar", in_shape=(3, 8, 8), **changes)
    weights = mini.build().get_parameter("block3.conv2.weight")
    assert weights.var().item() == pytest.approx(variance, rel=0.05)  # 64 to 64 channels, 3×3


def test_the_twin_of_b_has_one_5x5_for_each_pair_of_3x3_and_sees_as_far() -> None:
    """Section 4.1: the widths and pools are B's, 25C² weights stand for 18C², and two 3×3 see as far as one 5×5."""
    pairs, twins = (
        parse_configuration(text) for text in (CONFIGURATIONS["B"], OTHER_CONFIGURATIONS["b-5x5"])
    )
    assert [[layer.channels for layer in block[:1]] for block in pairs] == [
        [layer.channels for layer in block] for block in twins
    ]
    fields = [
        [1 + sum(layer.kernel - 1 for layer in block) for block in network] for network in (pairs, twins)
    ]
    assert fields == [[5] * 5] * 2
