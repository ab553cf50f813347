import pytest
import torch
from torch import Tensor, nn

from deepernets.analysis.arithmetic import count_parameters
from deepernets.analysis.residuals import lengthen, residual_blocks, residual_ratios, shortcut_parameters
from deepernets.errors import UserError
from deepernets.models.layers import Residual
from deepernets.models.registry import build_model

pytestmark = pytest.mark.usefixtures("in_double_precision")


@pytest.fixture
def images() -> Tensor:
    return torch.randn(16, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def network(name: str, seed: int = 0, **changes: bool | str) -> nn.Module:
    torch.manual_seed(seed)
    return build_model(name, in_shape=(3, 16, 16), classes=3, **changes)


def settled(model: nn.Module, images: Tensor) -> nn.Module:
    """Give running statistics, γ and β values of their own, as training would."""
    model.train()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, std=0.2)
        for _ in range(3):
            model(images)
    return model


@pytest.mark.parametrize(
    ("name", "blocks"), [("resnet-8", 3), ("resnet-20", 9), ("resnet-56", 27), ("plain-8", 0)]
)
def test_blocks_are_found_in_order(name: str, blocks: int) -> None:
    found = residual_blocks(network(name))
    assert len(found) == blocks
    assert list(found) == sorted(found, key=lambda place: tuple(int(part[-1]) for part in place.split(".")))


def test_a_ratio_is_that_of_the_norms_of_branch_and_shortcut(images: Tensor) -> None:
    model = settled(network("resnet-8-b"), images).eval()
    ratios = residual_ratios(model, images)
    with torch.no_grad():
        x = model.get_submodule("stem")(images)
        for name, block in residual_blocks(model).items():
            expected = block.branch(x).norm() / block.shortcut(x).norm()
            assert ratios[name] == pytest.approx(expected.item(), rel=1e-5)
            x = block(x)


def test_the_first_ratio_of_an_untrained_network_is_the_square_root_of_two(images: Tensor) -> None:
    # a normalised branch has variance 1, and a ReLU leaves E[x²] = 1/2 of a normalised stem
    assert residual_ratios(network("resnet-56"), images)["stage1.block1"] == pytest.approx(2**0.5, rel=0.05)


def test_it_is_zero_where_the_last_gamma_is(images: Tensor) -> None:
    assert set(residual_ratios(network("resnet-14", zero_last_gamma=True), images).values()) == {0.0}


def test_measuring_leaves_no_trace(images: Tensor) -> None:
    model = network("resnet-8").train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first = residual_ratios(model, images)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert residual_ratios(model, images) == first
    assert not any(module._forward_hooks for module in model.modules())
    assert model.training


def test_hooks_are_taken_off_where_the_network_fails() -> None:
    model = network("resnet-8")
    with pytest.raises(RuntimeError):
        residual_ratios(model, torch.zeros(2, 4, 16, 16))
    assert not any(module._forward_hooks for module in model.modules())


# by hand: a projection has c_in · c_out weights, and a γ and a β per channel
STAGE_CHANGES = {
    "resnet-20-b": (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64),
    "resnet-34": (64 * 128 + 2 * 128) + (128 * 256 + 2 * 256) + (256 * 512 + 2 * 512),
}


@pytest.mark.parametrize("name", STAGE_CHANGES)
def test_option_b_has_parameters_where_the_stages_change(name: str) -> None:
    assert shortcut_parameters(network(name)) == STAGE_CHANGES[name]


@pytest.mark.parametrize("layers", [20, 34, 56])
def test_option_a_has_none_and_all_options_differ_by_their_shortcuts_alone(layers: int) -> None:
    plain = count_parameters(network(f"plain-{layers}"))
    for option in "ABC":
        with torch.device("meta"):
            model = network(f"resnet-{layers}", shortcut=option)
        assert count_parameters(model) - shortcut_parameters(model) == plain
        assert (shortcut_parameters(model) == 0) == (option == "A")


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("option", ["", "-b"])
def test_a_longer_network_computes_exactly_what_the_shorter_one_does(
    images: Tensor, option: str, training: bool
) -> None:
    shallow = settled(network(f"resnet-8{option}"), images).train(training)
    deep = lengthen(shallow, network(f"resnet-20{option}", seed=1)).train(training)
    with torch.no_grad():
        assert torch.equal(shallow(images), deep(images))
    assert sum(isinstance(module, Residual) for module in deep.modules()) == 9


def test_added_blocks_can_still_learn(images: Tensor) -> None:
    deep = lengthen(network("resnet-8"), network("resnet-14"))
    deep(images).square().sum().backward()
    added = deep.get_submodule("stage2.block2.branch")
    gamma, weights = added.get_parameter("norm2.weight"), added.get_parameter("conv1.weight")
    assert gamma.grad is not None
    assert gamma.grad.norm() > 0
    assert weights.grad is not None
    assert weights.grad.norm() == 0


def test_a_network_cannot_be_lengthened_by_what_changes_x() -> None:
    with pytest.raises(UserError, match="block2 projects"):
        lengthen(network("resnet-8-c"), network("resnet-14-c"))
    with pytest.raises(UserError, match="no residual block"):
        lengthen(network("plain-8"), network("plain-14"))
    with pytest.raises(UserError, match="with the same stages"):
        lengthen(network("resnet-14"), network("resnet-8"))


def test_a_padding_shortcut_cannot_be_added() -> None:
    shallow = network("resnet-8")
    del shallow.stage3
    with pytest.raises(UserError, match="block1 pads"):
        lengthen(shallow, network("resnet-8"))
