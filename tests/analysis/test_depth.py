import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deepernets.analysis.depth import (
    activation_variances,
    convolutions,
    deepen,
    deepen_residual,
    diagnosis,
    gradient_norms,
    identity_weights,
    residual_blocks,
    residual_ratios,
    response_deviations,
    shortcut_parameters,
    without_normalisation,
)
from deepernets.errors import UserError
from deepernets.models.counting import count_parameters
from deepernets.models.layers import Residual, glorot_std, he_std, plain_stack
from deepernets.models.registry import build_model

pytestmark = pytest.mark.usefixtures("in_double_precision")


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(16, 3, 8, 8, generator=generator), torch.randint(3, (16,), generator=generator)


def network(name: str, **changes: bool) -> nn.Module:
    torch.manual_seed(0)
    return build_model(name, in_shape=(3, 8, 8), classes=3, **changes)


def test_norms_are_those_of_a_backward_pass_from_the_first_layer_on(batch: tuple[Tensor, Tensor]) -> None:
    images, labels = batch
    model = network("resnet-14")
    norms = gradient_norms(model, images, labels)
    F.cross_entropy(model(images), labels).backward()
    found = {name: layer.weight.grad for name, layer in convolutions(model).items()}
    assert list(norms) == list(found)
    assert next(iter(norms)) == "stem.conv"
    for name, gradient in found.items():
        assert gradient is not None
        assert norms[name] == pytest.approx(gradient.norm().item(), rel=1e-4)


def test_measuring_leaves_no_trace(batch: tuple[Tensor, Tensor]) -> None:
    images, labels = batch
    model = network("plain-8").train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first = gradient_norms(model, images, labels)
    activation_variances(model, images)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert gradient_norms(model, images, labels) == first
    assert not any(layer._forward_hooks for layer in model.modules())


def test_norms_can_be_had_where_no_graph_is_recorded(batch: tuple[Tensor, Tensor]) -> None:
    with torch.no_grad():
        assert all(norm > 0 for norm in gradient_norms(network("plain-8"), *batch).values())


def test_behind_a_zero_gamma_no_gradient_arrives(batch: tuple[Tensor, Tensor]) -> None:
    norms = gradient_norms(network("resnet-8", zero_last_gamma=True), *batch)
    assert norms.pop("stem.conv") > 0
    assert set(norms.values()) == {0.0}


def test_normalised_plain_networks_have_larger_gradients_near_the_image(batch: tuple[Tensor, Tensor]) -> None:
    """Lab 8 shows it at depths 20 and 56."""
    ratios = {}
    for name in ("plain-20", "plain-56", "resnet-56"):
        norms = list(gradient_norms(network(name), *batch).values())
        ratios[name] = norms[0] / norms[-1]
    assert ratios["plain-56"] > 20 * ratios["plain-20"]
    assert ratios["plain-56"] > 20 * ratios["resnet-56"]


@pytest.mark.parametrize(
    ("deviation", "factor"),
    [
        (he_std, 1.0),
        (glorot_std, 0.5),
        (lambda c_in, c_out, kernel: 0.01, 9 * 64 * 0.01**2 / 2),
    ],
)
def test_variance_grows_by_half_the_fan_in_times_that_of_the_weights(
    deviation: object, factor: float
) -> None:
    """He et al. (2015), equation 9; the ReLU takes half."""
    torch.manual_seed(0)
    stack = plain_stack(12, 64, deviation)  # type: ignore[arg-type]
    variances = list(activation_variances(stack, torch.randn(8, 3, 8, 8)).values())
    assert len(variances) == 12
    assert (variances[11] / variances[1]) ** 0.1 == pytest.approx(factor, rel=0.25)


def test_a_stack_takes_the_deviation_it_is_given() -> None:
    torch.manual_seed(0)
    asked: list[tuple[int, int, int]] = []

    def deviation(c_in: int, c_out: int, kernel: int) -> float:
        asked.append((c_in, c_out, kernel))
        return 0.3

    stack = plain_stack(3, 32, deviation, c_in=1)
    assert asked == [(1, 32, 3), (32, 32, 3), (32, 32, 3)]
    assert stack.get_parameter("conv2.weight").std().item() == pytest.approx(0.3, rel=0.05)
    assert stack(torch.zeros(2, 1, 5, 5)).shape == (2, 32, 5, 5)


def test_identity_weights_change_nothing() -> None:
    maps = torch.randn(2, 5, 6, 4)
    assert torch.allclose(F.conv2d(maps, identity_weights(5), padding=1), maps)


def test_a_deepened_network_computes_what_the_shallow_one_does(batch: tuple[Tensor, Tensor]) -> None:
    images, _ = batch
    shallow = network("plain-8")
    shallow(images)  # running statistics that are not 0 and 1
    deep = deepen(shallow, network("plain-20"))
    assert len(convolutions(deep)) == 19
    assert torch.allclose(deep(images), shallow.eval()(images), atol=1e-4)
    zeros = deepen(
        shallow, network("plain-20"), lambda channels: torch.zeros(channels, channels, 3, 3).tolist()
    )
    assert not torch.allclose(zeros(images), shallow(images), atol=0.1)
    assert not torch.allclose(network("plain-20").eval()(images), shallow(images), atol=0.1)


def test_what_cannot_be_deepened_is_said() -> None:
    with pytest.raises(UserError, match="plain networks"):
        deepen(network("resnet-8"), network("resnet-14"))
    with pytest.raises(UserError, match=r"has no 'stage1\.block2"):
        deepen(network("plain-14"), network("plain-8"))


@pytest.mark.parametrize(
    ("train", "validation", "expected"),
    [
        (0.85, 0.7, "degradation"),
        (0.85, 0.9, "degradation"),
        (0.95, 0.7, "overfitting"),
        (0.95, 0.9, "neither"),
        (0.895, 0.795, "neither"),
        (0.79, 0.7, "not converged"),
    ],
)
def test_training_error_decides_first(train: float, validation: float, expected: str) -> None:
    shallow = [{"train_accuracy": 0.9, "validation_accuracy": 0.8}]
    deep = [{"train_accuracy": train, "validation_accuracy": validation}]
    assert diagnosis(deep[::-1] + shallow, shallow + deep) == expected


def test_tolerance_and_what_is_far_can_be_set() -> None:
    shallow = [{"train_accuracy": 0.7, "validation_accuracy": 0.6}]
    deep = [{"train_accuracy": 0.66, "validation_accuracy": 0.5}]
    assert diagnosis(deep, shallow) == diagnosis(shallow, deep) == "not converged"
    assert diagnosis(shallow, deep, far=0.4) == "degradation"
    assert diagnosis(shallow, deep, far=0.4, tolerance=0.05) == "overfitting"


@pytest.fixture
def images() -> Tensor:
    return torch.randn(16, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def network_16(name: str, seed: int = 0, **changes: bool | str) -> nn.Module:
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
    found = residual_blocks(network_16(name))
    assert len(found) == blocks
    assert list(found) == sorted(found, key=lambda place: tuple(int(part[-1]) for part in place.split(".")))


def test_a_ratio_is_that_of_the_norms_of_branch_and_shortcut(images: Tensor) -> None:
    model = settled(network_16("resnet-8-b"), images).eval()
    ratios = residual_ratios(model, images)
    with torch.no_grad():
        x = model.get_submodule("stem")(images)
        for name, block in residual_blocks(model).items():
            expected = block.branch(x).norm() / block.shortcut(x).norm()
            assert ratios[name] == pytest.approx(expected.item(), rel=1e-5)
            x = block(x)


def test_the_first_ratio_of_an_untrained_network_is_the_square_root_of_two(images: Tensor) -> None:
    # a normalised branch has variance 1, and a ReLU leaves E[x²] = 1/2 of a normalised stem
    assert residual_ratios(network_16("resnet-56"), images)["stage1.block1"] == pytest.approx(
        2**0.5, rel=0.05
    )


def test_it_is_zero_where_the_last_gamma_is(images: Tensor) -> None:
    assert set(residual_ratios(network_16("resnet-14", zero_last_gamma=True), images).values()) == {0.0}


def test_measuring_ratios_leaves_no_trace(images: Tensor) -> None:
    model = network_16("resnet-8").train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first = residual_ratios(model, images)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert residual_ratios(model, images) == first
    assert not any(module._forward_hooks for module in model.modules())
    assert model.training


@pytest.mark.parametrize("name", ["plain-8", "resnet-8"])
def test_responses_are_the_deviations_of_what_the_normalisations_give(name: str, images: Tensor) -> None:
    network = build_model(name, classes=3).train()
    generator = torch.Generator().manual_seed(1)
    layers = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    measured: list[float] = []
    for layer in layers:
        nn.init.uniform_(layer.weight, -2, 2, generator=generator)
        nn.init.uniform_(layer.bias, -2, 2, generator=generator)
        layer.register_forward_hook(
            lambda layer, inputs, output: measured.append(float(output.detach().std()))
        )
    network(images)
    # ε = 1e-5 beside variances above 0.01 changes a deviation by less than 0.05 %
    assert len(measured) == len(layers)
    assert list(response_deviations(network).values()) == pytest.approx(measured, rel=1e-3)


def test_hooks_are_taken_off_where_the_network_fails() -> None:
    model = network_16("resnet-8")
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
    assert shortcut_parameters(network_16(name)) == STAGE_CHANGES[name]


@pytest.mark.parametrize("layers", [20, 34, 56])
def test_option_a_has_none_and_all_options_differ_by_their_shortcuts_alone(layers: int) -> None:
    plain = count_parameters(network_16(f"plain-{layers}"))
    for option in "ABC":
        with torch.device("meta"):
            model = network_16(f"resnet-{layers}", shortcut=option)
        assert count_parameters(model) - shortcut_parameters(model) == plain
        assert (shortcut_parameters(model) == 0) == (option == "A")


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("option", ["", "-b"])
def test_a_longer_network_computes_exactly_what_the_shorter_one_does(
    images: Tensor, option: str, training: bool
) -> None:
    shallow = settled(network_16(f"resnet-8{option}"), images).train(training)
    deep = deepen_residual(shallow, network_16(f"resnet-20{option}", seed=1)).train(training)
    with torch.no_grad():
        assert torch.equal(shallow(images), deep(images))
    assert sum(isinstance(module, Residual) for module in deep.modules()) == 9


def test_added_blocks_can_still_learn(images: Tensor) -> None:
    deep = deepen_residual(network_16("resnet-8"), network_16("resnet-14"))
    deep(images).square().sum().backward()
    added = deep.get_submodule("stage2.block2.branch")
    gamma, weights = added.get_parameter("norm2.weight"), added.get_parameter("conv1.weight")
    assert gamma.grad is not None
    assert gamma.grad.norm() > 0
    assert weights.grad is not None
    assert weights.grad.norm() == 0


def test_a_network_cannot_be_deepened_by_what_changes_x() -> None:
    with pytest.raises(UserError, match="block2 projects"):
        deepen_residual(network_16("resnet-8-c"), network_16("resnet-14-c"))
    with pytest.raises(UserError, match="no residual block"):
        deepen_residual(network_16("plain-8"), network_16("plain-14"))
    with pytest.raises(UserError, match="the same stages"):
        deepen_residual(network_16("resnet-14"), network_16("resnet-8"))


def test_a_padding_shortcut_cannot_be_added() -> None:
    shallow = network_16("resnet-8")
    del shallow.stage3
    with pytest.raises(UserError, match="block1 pads"):
        deepen_residual(shallow, network_16("resnet-8"))


NAMES = ("plain-8", "resnet-8", "resnet-8-b", "vgg-mini-bn-cifar")


def network_32(name: str) -> nn.Module:
    torch.manual_seed(0)
    return build_model(name, in_shape=(3, 32, 32), classes=3)


@pytest.mark.parametrize("name", NAMES)
def test_no_normalisation_is_left_and_nothing_else_is_touched(name: str) -> None:
    before, bare = network_32(name), without_normalisation(network_32(name))
    assert any(isinstance(module, nn.BatchNorm2d) for module in before.modules())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in bare.modules())
    assert [place for place, _ in bare.named_modules()] == [place for place, _ in before.named_modules()]
    for place, layer in convolutions(before).items():
        assert torch.equal(layer.weight, convolutions(bare)[place].weight)


@pytest.mark.parametrize("name", NAMES)
def test_signals_can_be_measured_both_ways(name: str) -> None:
    images, labels = torch.randn(4, 3, 32, 32), torch.tensor([0, 1, 2, 0])
    bare = without_normalisation(network_32(name))
    assert all(variance > 0 for variance in activation_variances(bare, images).values())
    assert all(norm > 0 for norm in gradient_norms(bare, images, labels).values())


def test_without_it_the_signal_scales_with_the_images() -> None:
    images = torch.randn(4, 3, 32, 32)
    bare = without_normalisation(network_32("plain-8"))
    once, twice = (list(activation_variances(bare, scale * images).values()) for scale in (1, 2))
    assert twice == pytest.approx([4 * variance for variance in once], rel=1e-3)
