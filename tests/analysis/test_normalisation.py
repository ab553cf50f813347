import pytest
import torch
from torch import nn

from deepernets.analysis.normalisation import without_normalisation
from deepernets.analysis.signals import activation_variances, convolutions, gradient_norms
from deepernets.models.registry import build_model

pytestmark = pytest.mark.usefixtures("in_double_precision")

NAMES = ("plain-8", "resnet-8", "resnet-8-b", "vgg-mini-bn-cifar")


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    return build_model(name, in_shape=(3, 32, 32), classes=3)


@pytest.mark.parametrize("name", NAMES)
def test_no_normalisation_is_left_and_nothing_else_is_touched(name: str) -> None:
    before, bare = network(name), without_normalisation(network(name))
    assert any(isinstance(module, nn.BatchNorm2d) for module in before.modules())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in bare.modules())
    assert [place for place, _ in bare.named_modules()] == [place for place, _ in before.named_modules()]
    for place, layer in convolutions(before).items():
        assert torch.equal(layer.weight, convolutions(bare)[place].weight)


@pytest.mark.parametrize("name", NAMES)
def test_signals_can_be_measured_both_ways(name: str) -> None:
    images, labels = torch.randn(4, 3, 32, 32), torch.tensor([0, 1, 2, 0])
    bare = without_normalisation(network(name))
    assert all(variance > 0 for variance in activation_variances(bare, images).values())
    assert all(norm > 0 for norm in gradient_norms(bare, images, labels).values())


def test_without_it_the_signal_scales_with_the_images() -> None:
    images = torch.randn(4, 3, 32, 32)
    bare = without_normalisation(network("plain-8"))
    once, twice = (list(activation_variances(bare, scale * images).values()) for scale in (1, 2))
    assert twice == pytest.approx([4 * variance for variance in once], rel=1e-3)
