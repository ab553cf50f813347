import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deepernets.analysis.signals import (
    activation_variances,
    convolutions,
    deepen,
    diagnosis,
    glorot_deviation,
    gradient_norms,
    he_deviation,
    identity_weights,
    plain_stack,
)
from deepernets.errors import UserError
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
        (he_deviation, 1.0),
        (glorot_deviation, 0.5),
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
