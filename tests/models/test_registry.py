import re
from typing import Any

import pytest
import torch
from torch import nn

from deepernets.errors import UserError
from deepernets.models.counting import count_parameters
from deepernets.models.registry import build_model, list_models, specification
from deepernets.models.resnet import ResNetSpec
from deepernets.models.vgg import CONFIGURATIONS, VGGSpec
from tests.models.on_meta import laid_out


def smallest_side(name: str) -> int:
    """Return the smallest power of two that the network takes as the side of an image."""
    for side in (1, 2, 4, 8, 16, 32):
        try:
            specification(name, in_shape=(3, side, side))
        except UserError:
            continue
        return side
    raise AssertionError(f"{name} takes no small image")


def test_no_name_is_listed_twice() -> None:
    assert len(set(list_models())) == len(list_models())


def backward(name: str, device: str) -> nn.Sequential:
    """Build a network for its smallest images, and take its gradients on a batch of eight."""
    side = smallest_side(name)
    torch.manual_seed(0)
    with torch.device(device):
        model = build_model(name, in_shape=(3, side, side), classes=2)
        loss = nn.functional.cross_entropy(model(torch.randn(8, 3, side, side)), torch.arange(8) // 6)
        loss.backward()
    return model


def test_every_network_learns_in_all_its_parameters_at_its_smallest_input() -> None:
    """Without numbers, which the next test looks at for one network of each kind.

    VGGs by depth are those by letter. B, D and E repeat the layers of A, and deeper ResNets the blocks of others.
    """
    repeated = re.compile(r"vgg-(1\d|[bde](?!-5x5))|(resnet|plain)-(34|44|56|101|110|152|1202)")
    for name in list_models():
        if not repeated.match(name):
            assert all(weight.grad is not None for weight in backward(name, "meta").parameters()), name


@pytest.mark.parametrize(
    "name",
    [
        *("vgg-11", "vgg-a-lrn-bn", "vgg-mini-bn-cifar", "report-c-vgg-16", "dash", "dash-narrow"),
        *("resnet-18", "resnet-20", "resnet-50-cifar", "plain-18-cifar", "plain-20", "report-c-resnet-50"),
    ],
)
def test_gradients_are_finite_at_the_smallest_input(name: str) -> None:
    weights = list(backward(name, "cpu").parameters())
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in weights)
    assert weights[-1].grad is not None
    assert weights[-1].grad.any()


@pytest.mark.parametrize(
    ("name", "side"),
    [("vgg-16", 32), ("vgg-mini", 8), ("report-c-vgg-16", 16), ("resnet-20", 1), ("resnet-50", 1)],
)
def test_smallest_inputs(name: str, side: int) -> None:
    assert smallest_side(name) == side


@pytest.mark.parametrize("depth_and_letter", [("11", "a"), ("13", "b"), ("16", "d"), ("19", "e")])
@pytest.mark.parametrize("suffix", ["", "-bn", "-cifar", "-bn-cifar"])
def test_depths_and_letters_name_the_same_networks(depth_and_letter: tuple[str, str], suffix: str) -> None:
    depth, letter = depth_and_letter
    assert specification(f"vgg-{depth}{suffix}") == specification(f"vgg-{letter}{suffix}")


def test_names_compose() -> None:
    assert specification("vgg-a-lrn-bn-cifar", (3, 32, 32), 10) == VGGSpec(
        configuration=CONFIGURATIONS["A-LRN"], batch_norm=True, head="cifar", in_shape=(3, 32, 32), classes=10
    )
    assert specification("resnet-50-cifar") == ResNetSpec(
        block="bottleneck", repeats=(3, 4, 6, 3), stem="cifar"
    )
    assert specification("ResNet-50") == specification("resnet-50")


@pytest.mark.parametrize("depth", [50, 152])
def test_depths_of_both_kinds_mean_the_imagenet_nets(depth: int) -> None:
    spec = specification(f"resnet-{depth}")
    assert isinstance(spec, ResNetSpec)
    assert spec.block == "bottleneck"


@pytest.mark.parametrize("name", [name for name in list_models() if name.startswith("resnet")])
def test_every_residual_net_has_a_plain_twin(name: str) -> None:
    assert specification(name, residual=False) == specification(name.replace("resnet", "plain"))


def test_any_depth_of_6n_plus_2_can_be_built() -> None:
    assert count_parameters(laid_out("resnet-26", (3, 32, 32), 10)) > count_parameters(
        laid_out("resnet-20", (3, 32, 32), 10)
    )


def test_the_reports_networks_have_the_reports_counts() -> None:
    assert (
        count_parameters(laid_out("vgg-16-bn-cifar", (3, 32, 32), 3, initialisation="pytorch")) == 14_724_675
    )
    assert count_parameters(laid_out("resnet-50-cifar", (3, 32, 32), 3)) == 23_506_499
    assert count_parameters(laid_out("report-c-vgg-16", (1, 28, 28), 10)) == 33_637_066
    assert count_parameters(laid_out("report-c-resnet-50", (1, 28, 28), 10)) == 26_267_778


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("resnet50", "did you mean .*resnet-50"),
        ("vgg16-bn", "did you mean .*vgg-16-bn"),
        ("vgg-f", "did you mean .*vgg-"),
        ("resnet-20-cifar", "did you mean .*resnet-"),
        ("transformer", "`deepernets models` lists them all"),
        ("resnet-21", "use 20 or 26"),
        ("plain-3", "use 8"),
    ],
)
def test_an_unknown_name_suggests_known_ones(name: str, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        build_model(name)


def test_an_unknown_change_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"resnet-20 has no 'shortcuts' to change; it has .*shortcut, stem"):
        build_model("resnet-20", shortcuts="A")
    with pytest.raises(UserError, match="report-c-resnet-50 has no 'stem'"):
        build_model("report-c-resnet-50", stem="cifar")


@pytest.mark.parametrize("in_shape", [(3, 32), (3, 0, 32), (3, 32.0, 32)])
def test_an_impossible_image_is_refused(in_shape: Any) -> None:
    with pytest.raises(UserError, match=r"in_shape is .*\(channels, height, width\)"):
        build_model("resnet-20", in_shape=in_shape)


def test_impossible_classes_are_refused() -> None:
    with pytest.raises(UserError, match="classes is 0; give a whole number of at least 1"):
        build_model("resnet-20", classes=0)


@pytest.mark.parametrize(
    ("name", "changes", "complaint"),
    [
        ("resnet-18", {"repeats": (2.5, 2, 2, 2)}, "give whole numbers"),
        ("resnet-18", {"widths": "wide"}, "give whole numbers"),
        ("resnet-18", {"residual": "no"}, "give True or False"),
        ("vgg-a", {"dropout": "half"}, "give a number"),
        ("vgg-a", {"configuration": 3}, "give text"),
        ("dash", {"widths": [64, None]}, "give whole numbers"),
    ],
)
def test_a_change_of_another_kind_is_refused(name: str, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        specification(name, **changes)


def test_changes_may_come_from_json() -> None:
    changed = specification("resnet-20", [3, 32, 32], 10, widths=[8, 16, 32])  # type: ignore[arg-type]
    assert changed == specification("resnet-20", (3, 32, 32), 10, widths=(8, 16, 32))


def test_a_seed_decides_the_weights_and_the_meta_device_costs_none() -> None:
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return torch.cat([weight.flatten() for weight in build_model("resnet-8", (3, 8, 8), 2).parameters()])

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))
    assert all(weight.is_meta for weight in laid_out("vgg-19").parameters())
