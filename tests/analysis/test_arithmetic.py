import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from deepernets.analysis import walk
from deepernets.analysis.arithmetic import (
    conv_weights,
    count_multiply_adds,
    count_parameters,
    count_running_statistics,
    receptive_field,
    summary,
)
from deepernets.errors import UserError
from deepernets.models.registry import build_model
from deepernets.models.vgg import CONFIGURATIONS, VGGSpec, convolutions

# He et al. (2016), table 1 and section 3.3, in 10⁹ multiply-adds
PAPER = {
    "resnet-18": 1.8,
    "resnet-34": 3.6,
    "resnet-50": 3.8,
    "resnet-101": 7.6,
    "resnet-152": 11.3,
    "vgg-19": 19.6,
}


def laid_out(name: str, *shape_and_classes: Any, **changes: Any) -> nn.Sequential:
    with torch.device("meta"):
        return build_model(name, *shape_and_classes, **changes)


@pytest.mark.parametrize("name", PAPER)
def test_multiply_adds_are_the_papers(name: str) -> None:
    assert count_multiply_adds(laid_out(name), (3, 224, 224)) / 1e9 == pytest.approx(PAPER[name], rel=0.03)


def test_multiply_adds_see_where_a_bottleneck_strides() -> None:
    later = count_multiply_adds(laid_out("resnet-50", stride_in="3x3"), (3, 224, 224))
    assert later / 1e9 == pytest.approx(4.1, rel=0.01)


@pytest.mark.parametrize(
    "name",
    [
        *("vgg-a-lrn", "vgg-c-bn", "vgg-e-cifar", "vgg-mini-bn-cifar", "report-c-vgg-16", "dash"),
        *("resnet-34", "resnet-50", "resnet-101-cifar", "plain-18", "resnet-20", "resnet-8-b", "plain-32"),
        "report-c-resnet-50",
    ],
)
def test_multiply_adds_are_those_of_pytorchs_counter(name: str) -> None:
    model = laid_out(name, (3, 32, 32), 10)
    counter = FlopCounterMode(display=False)
    with counter:
        model.eval()(torch.empty(1, 3, 32, 32, device="meta"))
    assert 2 * count_multiply_adds(model, (3, 32, 32)) == counter.get_total_flops()


def test_multiply_adds_know_groups_and_rectangles() -> None:
    model = nn.Conv2d(8, 16, kernel_size=(3, 5), groups=4)
    assert count_multiply_adds(model, (8, 9, 9)) == (16 * 7 * 5) * (8 // 4 * 3 * 5)


def test_a_walk_lists_every_layer_with_its_shape_and_adds_up() -> None:
    layers = summary(laid_out("vgg-16"), (3, 224, 224))
    assert list(layers.columns) == ["name", "layer", "output_shape", "parameters", "multiply_adds"]
    rows = layers.set_index("name").to_dict("index")
    assert rows["block1.conv1"] == {
        "layer": "Conv2d",
        "output_shape": (64, 224, 224),
        "parameters": 3 * 64 * 9 + 64,
        "multiply_adds": 3 * 64 * 9 * 224 * 224,
    }
    assert rows["block5.pool"]["output_shape"] == (512, 7, 7)
    assert rows["head.fc1"]["multiply_adds"] == 512 * 7 * 7 * 4096
    assert rows["head.fc3"]["output_shape"] == (1000,)
    assert layers["parameters"].sum() == 138_357_544
    assert layers["multiply_adds"].sum() == count_multiply_adds(laid_out("vgg-16"), (3, 224, 224))


def test_a_walk_leaves_the_network_as_it_was() -> None:
    model = build_model("resnet-8", (3, 8, 8), 2)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    generator = torch.get_rng_state()
    for training in (True, False):
        model.train(training)
        summary(model, (3, 8, 8))
        assert all(module.training is training for module in model.modules())
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    assert all(not module._forward_hooks for module in model.modules())
    assert torch.equal(generator, torch.get_rng_state())


def test_training_and_evaluation_walk_the_same_way_in_any_precision() -> None:
    model = build_model("resnet-8", (3, 8, 8), 2)
    assert summary(model.train(), (3, 8, 8)).equals(summary(model.eval().double(), (3, 8, 8)))


def test_an_image_that_does_not_fit_is_refused_and_no_hook_stays() -> None:
    model = laid_out("vgg-16")
    with pytest.raises(UserError, match=r"takes no images of shape \(3, 28, 28\)"):
        summary(model, (3, 28, 28))
    assert all(not module._forward_hooks for module in model.modules())


def test_counts_of_a_normalisation() -> None:
    norm = nn.BatchNorm2d(64)
    assert (count_parameters(norm), count_running_statistics(norm)) == (128, 128)


def test_stacks_of_small_kernels_see_as_much_for_fewer_weights() -> None:
    assert receptive_field([]) == 1
    assert receptive_field([(3, 1)] * 2) == receptive_field([(5, 1)])
    assert receptive_field([(3, 1)] * 3) == receptive_field([(7, 1)])
    assert conv_weights(3, 64, layers=3) == 27 * 64**2
    assert conv_weights(7, 64) == 49 * 64**2
    assert conv_weights(7, 64) / conv_weights(3, 64, layers=3) - 1 == pytest.approx(0.815, abs=5e-4)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_list_of_layers_and_the_network_built_from_it_see_the_same(name: str) -> None:
    layers = [
        window
        for block in convolutions(CONFIGURATIONS[name])
        for window in [*((layer.kernel, 1) for layer in block), (2, 2)]
    ]
    fields = receptive_field(laid_out(f"vgg-{name.lower()}"), (3, 224, 224))
    assert list(fields.columns) == ["name", "receptive_field", "jump", "start"]
    assert fields["receptive_field"].iloc[-1] == receptive_field(layers)
    assert fields["jump"].iloc[-1] == 2**5


def test_c_sees_no_more_than_b() -> None:
    b, c = (receptive_field(laid_out(f"vgg-{name}"), (3, 224, 224))["receptive_field"].max() for name in "bc")
    assert b == c


def linearised(model: nn.Module) -> nn.Module:
    """Make every layer pass on a positive share of all that it sees, so that no gradient cancels or stops."""
    for name, layer in list(model.named_modules()):
        if isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.weight, 1 / layer.weight[0].numel())
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        if isinstance(layer, nn.MaxPool2d):
            mean = nn.AvgPool2d(layer.kernel_size, layer.stride, layer.padding)
            model.get_submodule(name.rpartition(".")[0]).add_module("pool", mean)
    return model.eval().double()


def seen(unit: Tensor, images: Tensor) -> tuple[int, int]:
    """Return the first and the last row of the image that a unit's value depends on."""
    (gradient,) = torch.autograd.grad(unit, images, retain_graph=True)
    rows = gradient.abs().sum(dim=(0, 1, 3)).nonzero()
    return int(rows.min()), int(rows.max())


THIN = "conv3-1 conv3-1 | conv3-1 conv3-1 conv1-1 | conv5-1 LRN | conv3-1"
NETWORKS = {
    "VGG": VGGSpec(configuration=THIN, in_shape=(1, 64, 64), head="cifar", classes=2).build(),
    "ResNet A": build_model("resnet-20", (1, 64, 64), 2, widths=(1, 2, 3)),
    "ResNet C": build_model("resnet-18", (1, 64, 64), 2, widths=(1, 1, 2, 2), shortcut="C"),
    "plain": build_model("plain-18", (1, 64, 64), 2, widths=(1, 1, 2, 2)),
    "bottleneck v1": build_model("resnet-50", (1, 64, 64), 2, widths=(1, 1, 1, 1), repeats=(1, 2, 1, 1)),
    "bottleneck v1.5": build_model(
        "resnet-50", (1, 64, 64), 2, widths=(1, 1, 1, 1), repeats=(1, 2, 1, 1), stride_in="3x3"
    ),
    "same and dilated": nn.Sequential(
        nn.Conv2d(1, 1, 5, padding="same", dilation=2), nn.Conv2d(1, 1, 3, stride=3, padding="valid")
    ),
}


@pytest.mark.parametrize("network", NETWORKS)
def test_receptive_fields_are_where_the_gradients_of_the_built_network_are(network: str) -> None:
    model = linearised(NETWORKS[network])
    fields = receptive_field(model, (1, 64, 64))
    maps: dict[str, Tensor] = {}
    for name, layer in model.named_modules():
        layer.register_forward_hook(
            lambda _, __, output, name=name: maps.update({name: output[0].sum(dim=0)})
        )
    images = torch.rand(1, 1, 64, 64, dtype=torch.double, requires_grad=True)
    model(images)
    for name, size, jump, start in fields.itertuples(index=False):
        for unit in {0, maps[name].shape[0] // 2}:
            centre, reach = start + unit * jump, (size - 1) / 2
            expected = max(0, centre - reach), min(63, centre + reach)
            assert seen(maps[name][unit, 0], images) == expected, f"{name}, unit {unit}"


def test_a_sum_made_outside_a_layer_sees_what_its_widest_term_sees() -> None:
    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wide, self.narrow, self.after = (
                nn.Conv2d(1, 1, 5, padding=2),
                nn.Conv2d(1, 1, 1),
                nn.Conv2d(1, 1, 3),
            )

        def forward(self, x: Tensor) -> Tensor:
            return self.after(self.wide(x) + self.narrow(x))

    assert receptive_field(Sum(), (1, 16, 16))["receptive_field"].tolist() == [5, 1, 7]


def test_a_network_needs_the_shape_of_its_images() -> None:
    with pytest.raises(UserError, match="give in_shape"):
        receptive_field(nn.Conv2d(1, 1, 3))  # type: ignore[call-overload]


def test_a_walk_and_a_network_without_memory_do_not_wait_for_pytorchs_compiler() -> None:
    code = """
import sys
import torch
import deepernets

with torch.device("meta"):
    network = deepernets.build_model("resnet-50")
    deepernets.count_multiply_adds(network, (3, 224, 224))
    deepernets.count_multiply_adds(deepernets.build_model("vgg-d"), (3, 224, 224))
print(*{"sympy", "torch._dynamo"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not done.stdout.strip(), "what each page, lab and command would pay for, a second of it"


@pytest.mark.parametrize("in_shape", [(3, 32, 32), (5, 32, 32), (3, 4, 4)])
def test_shapes_worked_out_by_a_walk_are_pytorchs(
    in_shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def shapes(model: nn.Module) -> list[tuple[str, torch.Size]] | str:
        try:
            return [(call.name, call.output.shape) for call in walk.walk(model, in_shape)]
        except UserError as error:
            return str(error)

    for name in ("vgg-16", "resnet-50", "resnet-20"):
        ours = shapes(laid_out(name))
        with monkeypatch.context() as without:
            without.setattr(walk, "_RULES", {})
            assert shapes(laid_out(name)) == ours
