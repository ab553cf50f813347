"""The blocks after ResNet: shapes, counts by formula, what is an identity, and what fuses."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from deepernets.errors import UserError
from deepernets.models.counting import count_multiply_adds, count_parameters
from deepernets.models.layers import initialise
from deepernets.models.modern_blocks import (
    LATER_BLOCKS,
    ORIGINAL_BLOCKS,
    ConvNeXt,
    PreActivation,
    RepVGG,
    ResNeXt,
    SqueezeExcitation,
    Wide,
    basic,
    bottleneck,
    fold_norm,
)

pytestmark = pytest.mark.usefixtures("in_double_precision")

ALL = {**ORIGINAL_BLOCKS, **LATER_BLOCKS}

# Weights, normalisations (2 a channel) and biases, from the channels C.
PARAMETERS: dict[str, Callable[[int], int]] = {
    "basic": lambda c: 18 * c**2 + 4 * c,
    "bottleneck": lambda c: c**2 // 4 + 9 * c**2 // 16 + c**2 // 4 + 3 * c,
    "pre-activation": lambda c: 18 * c**2 + 4 * c,
    "wide": lambda c: 18 * c**2 + 4 * c,
    "ResNeXt": lambda c: c**2 + 9 * (c // 2) ** 2 // 32 + 4 * c,
    "squeeze-and-excitation": lambda c: 17 * c**2 // 16 + 3 * c + 2 * c**2 // 16 + c // 16 + c,
    "RepVGG": lambda c: 10 * c**2 + 6 * c,
    "ConvNeXt": lambda c: 8 * c**2 + 58 * c,
}


def stirred(block: nn.Module, seed: int = 0) -> nn.Module:
    """Give a block random weights, scales, shifts and running statistics, as after training."""
    torch.manual_seed(seed)
    initialise(block, "he")
    for module in block.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.2, 3.0)
    return block.eval()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("size", [(5, 5), (8, 4)])
def test_shapes_are_kept(name: str, size: tuple[int, int]) -> None:
    x = torch.randn(2, 64, *size)
    assert ALL[name](64)(x).shape == x.shape


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("channels", [64, 256])
def test_parameters_follow_the_formula(name: str, channels: int) -> None:
    assert count_parameters(ALL[name](channels)) == PARAMETERS[name](channels)


@pytest.mark.parametrize("name", ALL)
def test_each_block_learns_in_all_its_parameters(name: str) -> None:
    block = ALL[name](64)
    block(torch.randn(4, 64, 6, 6)).square().sum().backward()
    for parameter in block.parameters():
        assert parameter.grad is not None


def test_resnext_50_costs_about_what_resnet_50_does() -> None:
    weights = {}
    for name, block in {"ResNeXt": ResNeXt(256), "bottleneck": bottleneck(256)}.items():
        weights[name] = sum(m.weight.numel() for m in block.modules() if isinstance(m, nn.Conv2d))
    assert weights == {"ResNeXt": 70_144, "bottleneck": 69_632}
    middle = next(m for m in ResNeXt(256).modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3))
    assert (middle.groups, middle.in_channels) == (32, 128)  # 32×4d


def test_a_group_sees_its_own_channels_only() -> None:
    block = ResNeXt(256)
    grouped = block.get_submodule("block.branch.conv2")
    x = torch.randn(1, 128, 4, 4)
    other = x.clone()
    other[:, 4:] = 0  # all groups but the first
    assert torch.equal(grouped(x)[:, :4], grouped(other)[:, :4])
    assert not torch.equal(grouped(x)[:, 4:], grouped(other)[:, 4:])


def test_groups_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UserError, match="32 groups"):
        ResNeXt(96)
    with pytest.raises(UserError, match="leave none"):
        SqueezeExcitation(8)


def _without_branch(block: nn.Module) -> nn.Module:
    for module in block.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.zeros_(module.weight)
    return block.eval()


@pytest.mark.parametrize("kind", [PreActivation, Wide])
def test_a_pre_activation_block_without_branch_is_the_identity(kind: type[nn.Module]) -> None:
    x = torch.randn(2, 8, 4, 4)
    assert torch.equal(_without_branch(kind(8))(x), x)
    assert not torch.equal(_without_branch(basic(8))(x), x)  # the ReLU behind the addition
    assert torch.equal(_without_branch(basic(8))(x), x.relu())


def test_convnext_starts_next_to_the_identity() -> None:
    torch.manual_seed(0)
    block, x = ConvNeXt(16), torch.randn(2, 16, 9, 9)
    gap = (block(x) - x).abs().max()
    assert 0 < gap < 1e-5
    nn.init.zeros_(block.gamma)
    assert torch.equal(block(x), x)


def test_dropout_of_the_wide_block_rests_in_evaluation() -> None:
    torch.manual_seed(0)
    block, x = Wide(8), torch.randn(2, 8, 4, 4)
    assert not torch.equal(block(x), block(x))
    block.eval()
    assert torch.equal(block(x), block(x))


def test_the_gate_lies_between_0_and_1_and_depends_on_the_image() -> None:
    torch.manual_seed(0)
    gated, x = SqueezeExcitation(64), torch.randn(3, 64, 5, 5)
    gate = gated.gate(x)
    assert gate.shape == (3, 64, 1, 1)
    assert ((gate > 0) & (gate < 1)).all()
    assert not torch.equal(gate[0], gate[1])
    assert torch.equal(gated(x), x * gate)
    assert gated.reduce.weight.numel() + gated.expand.weight.numel() == 2 * 64**2 // 16


@pytest.mark.parametrize("seed", range(3))
def test_three_branches_fuse_into_one_convolution(seed: int) -> None:
    block = stirred(RepVGG(12), seed)
    assert isinstance(block, RepVGG)
    x = torch.randn(4, 12, 7, 5)
    fused = block.fused()
    assert [type(layer) for layer in fused] == [nn.Conv2d, nn.ReLU]
    torch.testing.assert_close(fused(x), block(x), rtol=1e-4, atol=1e-5)
    assert count_parameters(fused) == 9 * 12**2 + 12


def test_fused_and_trained_differ_in_training_mode() -> None:
    block = stirred(RepVGG(12))
    assert isinstance(block, RepVGG)
    x = torch.randn(4, 12, 7, 5)
    fused = block.fused()
    block.train()
    assert not torch.allclose(fused(x), block(x), rtol=1e-2)


def test_a_norm_folds_into_any_kernel() -> None:
    block = stirred(nn.Sequential(nn.Conv2d(3, 5, 3, bias=False), nn.BatchNorm2d(5)))
    x = torch.randn(2, 3, 6, 6)
    weight: Tensor = block.get_parameter("0.weight")
    norm = block.get_submodule("1")
    assert isinstance(norm, nn.BatchNorm2d)
    weights, bias = fold_norm(weight, norm)
    torch.testing.assert_close(nn.functional.conv2d(x, weights, bias), block(x), rtol=1e-4, atol=1e-5)


def test_multiply_adds_at_256_channels() -> None:
    pixels = 56 * 56
    costs = {name: count_multiply_adds(make(256), (256, 56, 56)) for name, make in ALL.items()}
    assert costs["basic"] == costs["pre-activation"] == costs["wide"] == 18 * 256**2 * pixels
    assert costs["bottleneck"] == 69_632 * pixels
    assert costs["ResNeXt"] == 70_144 * pixels
    assert costs["squeeze-and-excitation"] == 69_632 * pixels + 2 * 256**2 // 16
    assert costs["RepVGG"] == 10 * 256**2 * pixels
    assert costs["ConvNeXt"] == (49 * 256 + 8 * 256**2) * pixels
