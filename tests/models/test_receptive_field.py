from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import deepernets
from deepernets.errors import UserError
from deepernets.models.counting import conv_weights
from deepernets.models.receptive_field import (
    effective_side,
    gradient_energy,
    gradient_map,
    plain_stack_energy,
    predicted_side,
    receptive_field,
)
from deepernets.models.registry import build_model
from deepernets.models.vgg import CONFIGURATIONS, VGGSpec, parse_configuration
from tests.models.on_meta import laid_out

pytestmark = pytest.mark.usefixtures("in_double_precision")


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
        for block in parse_configuration(CONFIGURATIONS[name])
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
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "VGG": lambda: VGGSpec(configuration=THIN, in_shape=(1, 64, 64), head="cifar", classes=2).build(),
    "ResNet A": lambda: build_model("resnet-20", (1, 64, 64), 2, widths=(1, 2, 3)),
    "ResNet C": lambda: build_model("resnet-18", (1, 64, 64), 2, widths=(1, 1, 2, 2), shortcut="C"),
    "plain": lambda: build_model("plain-18", (1, 64, 64), 2, widths=(1, 1, 2, 2)),
    "bottleneck v1": lambda: build_model(
        "resnet-50", (1, 64, 64), 2, widths=(1, 1, 1, 1), repeats=(1, 2, 1, 1)
    ),
    "bottleneck v1.5": lambda: build_model(
        "resnet-50", (1, 64, 64), 2, widths=(1, 1, 1, 1), repeats=(1, 2, 1, 1), stride_in="3x3"
    ),
    "same and dilated": lambda: nn.Sequential(
        nn.Conv2d(1, 1, 5, padding="same", dilation=2), nn.Conv2d(1, 1, 3, stride=3, padding="valid")
    ),
}


@pytest.mark.parametrize("network", NETWORKS)
def test_receptive_fields_are_where_the_gradients_of_the_built_network_are(network: str) -> None:
    model = linearised(NETWORKS[network]())
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


@pytest.mark.parametrize(
    "layer", [nn.ConvTranspose2d(1, 1, 2, stride=2), nn.Upsample(scale_factor=2), nn.AdaptiveAvgPool2d(20)]
)
def test_layers_that_enlarge_maps_are_refused(layer: nn.Module) -> None:
    with pytest.raises(UserError, match=f"The layer 1 .{type(layer).__name__}. enlarges feature maps"):
        receptive_field(nn.Sequential(nn.Conv2d(1, 1, 3), layer), (1, 16, 16))


def test_a_network_needs_the_shape_of_its_images() -> None:
    with pytest.raises(UserError, match="give in_shape"):
        receptive_field(nn.Conv2d(1, 1, 3))  # type: ignore[call-overload]


def test_energy_of_one_convolution_is_its_squared_kernel() -> None:
    layer = nn.Conv2d(3, 1, 3, padding=1)  # one channel, whose random sign a square forgets
    expected = torch.zeros(9, 9)
    expected[3:6, 3:6] = layer.weight.detach()[0].square().sum(dim=0)
    torch.testing.assert_close(gradient_energy(layer, torch.rand(5, 3, 9, 9)), expected)


def test_energy_of_many_images_comes_near_the_sum_over_channels() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 8, 3, padding=1)
    found = gradient_energy(layer, torch.rand(4000, 3, 5, 5))[1:4, 1:4]
    torch.testing.assert_close(found, layer.weight.detach().square().sum(dim=(0, 1)), rtol=0.1, atol=0)


def test_energy_leaves_images_and_weights_as_they_are() -> None:
    layer, images = nn.Conv2d(3, 2, 3), torch.rand(2, 3, 5, 5)
    with torch.no_grad():
        gradient_energy(layer, images)
    assert not images.requires_grad
    assert layer.weight.grad is None


def test_energy_wants_maps() -> None:
    network = deepernets.build_model("vgg-mini-cifar", (3, 32, 32), classes=3)
    with pytest.raises(deepernets.UserError, match="Leave out its head"):
        gradient_energy(network, torch.rand(1, 3, 32, 32))


def test_a_single_pixel_has_no_extent() -> None:
    one = torch.zeros(5, 5)
    one[1, 3] = 2.0
    assert effective_side(one) == 0


def test_the_side_is_that_of_rows_and_columns_together() -> None:
    line = torch.zeros(3, 3)
    line[1] = 1.0  # variances 2/3 and 0
    assert effective_side(line) == pytest.approx(4 * (1 / 3) ** 0.5)
    assert effective_side(5 * line.T) == pytest.approx(effective_side(line))


def test_nothing_has_no_side() -> None:
    with pytest.raises(deepernets.UserError, match="No pixel changes this unit"):
        effective_side(torch.zeros(3, 3))


def test_predictions_add_variances() -> None:
    assert predicted_side([]) == 0
    assert predicted_side([(3, 1)] * 24) == 2 * predicted_side([(3, 1)] * 6) == 16
    # the second layer looks at units two pixels apart
    assert predicted_side([(3, 2), (3, 1)]) == pytest.approx(4 * (2 / 3 + 4 * 2 / 3) ** 0.5)


@pytest.mark.parametrize("depth", [3, 12])
def test_untrained_stacks_are_as_wide_as_predicted(depth: int) -> None:
    torch.manual_seed(1)
    found = plain_stack_energy(depth)
    assert found.shape == (2 * depth + 1, 2 * depth + 1)
    assert found.sum().item() == pytest.approx(1)
    assert effective_side(found) == pytest.approx(predicted_side([(3, 1)] * depth), rel=0.08)


def test_gradient_map_of_one_convolution_is_its_kernel_summed_over_channels() -> None:
    network = nn.Conv2d(3, 4, 3, stride=2, padding=1)
    gradient = gradient_map(network, 11)  # maps of 6x6, their unit (3, 3) over pixel (6, 6)
    expected = torch.zeros(11, 11)
    expected[5:8, 5:8] = network.weight.detach().sum(dim=0).abs().sum(dim=0)
    torch.testing.assert_close(gradient, expected)
