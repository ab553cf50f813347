from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from deepernets.errors import UserError
from deepernets.models.counting import count_parameters, count_running_statistics
from deepernets.models.layers import Residual, ZeroPad
from deepernets.models.report_c import ReportCResNetSpec
from deepernets.models.resnet import CIFAR_DEPTHS, CIFAR_WIDTHS, IMAGENET, ResNetSpec, cifar_repeats

pytestmark = pytest.mark.usefixtures("in_double_precision")

# He et al. (2016): table 1's nets with option B, table 6's nets with ten classes
IMAGENET_COUNTS = {18: 11_689_512, 34: 21_797_672, 50: 25_557_032, 101: 44_549_160, 152: 60_192_808}
CIFAR_COUNTS = {20: 269_722, 32: 464_154, 44: 658_586, 56: 853_018, 110: 1_727_962, 1202: 19_421_274}
CIFAR_MILLIONS = {20: 0.27, 32: 0.46, 44: 0.66, 56: 0.85, 110: 1.7, 1202: 19.4}


def imagenet(depth: int, **changes: Any) -> ResNetSpec:
    block, repeats = IMAGENET[depth]
    return ResNetSpec(block=block, repeats=repeats, **changes)


def cifar(depth: int, **changes: Any) -> ResNetSpec:
    defaults = {
        "widths": CIFAR_WIDTHS,
        "stem": "cifar",
        "shortcut": "A",
        "in_shape": (3, 32, 32),
        "classes": 10,
    }
    return ResNetSpec(block="basic", repeats=cifar_repeats(depth), **{**defaults, **changes})


def laid_out(spec: ResNetSpec) -> nn.Sequential:
    with torch.device("meta"):
        return spec.build()


def shapes(model: nn.Sequential, in_shape: tuple[int, int, int]) -> list[tuple[int, ...]]:
    """Return the shape behind each top-level module."""
    x = torch.empty(2, *in_shape, device="meta")
    found = []
    for module in model:
        x = module(x)
        found.append(tuple(x.shape[1:]))
    return found


@pytest.mark.parametrize("stride_in", ["1x1", "3x3"])
@pytest.mark.parametrize("depth", IMAGENET)
def test_imagenet_counts_and_depths_are_the_papers(depth: int, stride_in: str) -> None:
    model = laid_out(imagenet(depth, stride_in=stride_in))
    assert count_parameters(model) == IMAGENET_COUNTS[depth]  # the count cannot see where the stride sits
    on_the_way = [module for name, module in model.named_modules() if "shortcut" not in name]
    assert sum(isinstance(module, nn.Conv2d | nn.Linear) for module in on_the_way) == depth


@pytest.mark.parametrize("depth", CIFAR_DEPTHS)
def test_cifar_counts_are_the_papers_and_plain_twins_have_them_too(depth: int) -> None:
    assert count_parameters(laid_out(cifar(depth))) == CIFAR_COUNTS[depth]
    if depth < 1202:  # a plain network of that depth cannot be computed with, and is not offered
        assert count_parameters(laid_out(cifar(depth, residual=False))) == CIFAR_COUNTS[depth]
    decimals = 2 if depth < 110 else 1
    assert round(CIFAR_COUNTS[depth] / 1e6, decimals) == pytest.approx(CIFAR_MILLIONS[depth], abs=0.011)


@pytest.mark.parametrize("depth", [18, 50])  # a depth of each block
def test_plain_twins_for_imagenet_are_residual_nets_without_projections(depth: int) -> None:
    plain = laid_out(imagenet(depth, residual=False))
    assert count_parameters(plain) == count_parameters(laid_out(imagenet(depth, shortcut="A")))
    assert not any(isinstance(module, Residual | ZeroPad) for module in plain.modules())
    assert shapes(plain, (3, 224, 224)) == shapes(laid_out(imagenet(depth)), (3, 224, 224))


def test_a_plain_twin_is_its_residual_net_less_the_additions() -> None:
    spec = cifar(8)
    plain, residual = replace(spec, residual=False).build().eval(), spec.build().eval()
    for block in residual.modules():
        if isinstance(block, Residual):
            block.shortcut = Nothing()
    residual.load_state_dict(dict(zip(residual.state_dict(), plain.state_dict().values(), strict=True)))
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(plain(x), residual(x))


class Nothing(nn.Module):
    """A shortcut that carries nothing."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros(())


def test_report_c_counts_trainable_values_and_running_statistics() -> None:
    model = ReportCResNetSpec().build()
    trainable, statistics = count_parameters(model), count_running_statistics(model)
    assert (trainable, statistics) == (26_267_778, 45_440)
    assert trainable + statistics == 26_313_218
    sides = [shape[1:] for shape in shapes(report_c_resnet_on_meta(), (1, 28, 28))[:-1]]
    assert sides == [(7, 7), (7, 7), (4, 4), (2, 2), (1, 1)]


def report_c_resnet_on_meta() -> nn.Sequential:
    with torch.device("meta"):
        return ReportCResNetSpec().build()


def test_shapes_are_those_of_table_1() -> None:
    maps = [(64, 56, 56), (256, 56, 56), (512, 28, 28), (1024, 14, 14), (2048, 7, 7), (1000,)]
    assert shapes(laid_out(imagenet(50)), (3, 224, 224)) == maps
    maps = [(16, 32, 32), (16, 32, 32), (32, 16, 16), (64, 8, 8), (10,)]
    assert shapes(laid_out(cifar(20)), (3, 32, 32)) == maps


@pytest.mark.parametrize(("stride_in", "sides"), [("1x1", [28, 28, 28]), ("3x3", [56, 28, 28])])
def test_the_stride_of_a_bottleneck_sits_where_the_specification_says(
    stride_in: str, sides: list[int]
) -> None:
    branch = laid_out(imagenet(50, stride_in=stride_in)).get_submodule("stage2.block1.branch")
    x = torch.empty(1, 256, 56, 56, device="meta")
    found = []
    for name, layer in branch.named_children():
        x = layer(x)
        if name.startswith("conv"):
            found.append(x.shape[-1])
    assert found == sides


@pytest.mark.parametrize("depth", [18, 34, 50])
def test_shortcuts_differ_by_their_projections_alone(depth: int) -> None:
    def projections(option: str) -> int:
        return sum(
            isinstance(module, nn.Conv2d)
            for name, module in laid_out(imagenet(depth, shortcut=option)).named_modules()
            if "shortcut" in name
        )

    blocks = sum(IMAGENET[depth][1])
    changes = 4 if depth == 50 else 3  # a bottleneck widens in the first stage too
    assert [projections(option) for option in "ABC"] == [0, changes, blocks]


def test_he_initialisation_is_the_default_and_gammas_can_start_at_zero() -> None:
    torch.manual_seed(0)
    model = cifar(8, zero_last_gamma=True).build()
    weight = model.get_parameter("stage3.block1.branch.conv2.weight")
    assert weight.var().item() == pytest.approx(2 / (9 * 64), rel=0.05)
    blocks = [module for module in model.modules() if isinstance(module, Residual)]
    assert len(blocks) == 3
    assert not any(block.get_parameter("branch.norm2.weight").any() for block in blocks)
    assert all(block.get_parameter("branch.norm1.weight").all() for block in blocks)


@pytest.mark.parametrize(("depth", "nearest"), [(21, "20 or 26"), (2, "use 8"), (0, "use 8")])
def test_a_depth_that_is_not_6n_plus_2_names_the_nearest(depth: int, nearest: str) -> None:
    with pytest.raises(UserError, match=rf"depth {depth}.*6n \+ 2.*{nearest}"):
        cifar_repeats(depth)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"block": "wide"}, "block is 'wide'; choose one of 'basic', 'bottleneck'"),
        ({"stem": "mnist"}, "stem is 'mnist'"),
        ({"shortcut": "D"}, "shortcut is 'D'; choose one of 'A', 'B', 'C'"),
        ({"stride_in": "7x7"}, "stride_in is '7x7'"),
        ({"repeats": (3, 3)}, "equal numbers of both"),
        ({"repeats": (), "widths": ()}, "equal numbers of both"),
        ({"repeats": (3, 0, 3)}, "each at least 1"),
        ({"residual": False, "zero_last_gamma": True}, "same output for every image"),
    ],
)
def test_impossible_values_are_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        replace(cifar(20), **changes)


def test_option_a_cannot_lead_to_fewer_channels() -> None:
    with pytest.raises(UserError, match="from 64 channels to 32"):
        cifar(20, widths=(64, 32, 16)).build()
