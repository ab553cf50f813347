import pytest
import torch
from torch import nn

import deepernets
from deepernets.analysis.effective import effective_side, energy, gradient_map, predicted_side, stack_energy

pytestmark = pytest.mark.usefixtures("in_double_precision")


def test_energy_of_one_convolution_is_its_squared_kernel() -> None:
    layer = nn.Conv2d(3, 1, 3, padding=1)  # one channel, whose random sign a square forgets
    expected = torch.zeros(9, 9)
    expected[3:6, 3:6] = layer.weight.detach()[0].square().sum(dim=0)
    torch.testing.assert_close(energy(layer, torch.rand(5, 3, 9, 9)), expected)


def test_energy_of_many_images_comes_near_the_sum_over_channels() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 8, 3, padding=1)
    found = energy(layer, torch.rand(4000, 3, 5, 5))[1:4, 1:4]
    torch.testing.assert_close(found, layer.weight.detach().square().sum(dim=(0, 1)), rtol=0.1, atol=0)


def test_energy_leaves_images_and_weights_as_they_are() -> None:
    layer, images = nn.Conv2d(3, 2, 3), torch.rand(2, 3, 5, 5)
    with torch.no_grad():
        energy(layer, images)
    assert not images.requires_grad
    assert layer.weight.grad is None


def test_energy_wants_maps() -> None:
    network = deepernets.build_model("vgg-mini-cifar", (3, 32, 32), classes=3)
    with pytest.raises(deepernets.UserError, match="Leave out its head"):
        energy(network, torch.rand(1, 3, 32, 32))


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
    with pytest.raises(deepernets.UserError, match="No pixel moves this unit"):
        effective_side(torch.zeros(3, 3))


def test_predictions_add_variances() -> None:
    assert predicted_side([]) == 0
    assert predicted_side([(3, 1)] * 24) == 2 * predicted_side([(3, 1)] * 6) == 16
    # the second layer looks at units two pixels apart
    assert predicted_side([(3, 2), (3, 1)]) == pytest.approx(4 * (2 / 3 + 4 * 2 / 3) ** 0.5)


@pytest.mark.parametrize("depth", [3, 12])
def test_untrained_stacks_are_as_wide_as_predicted(depth: int) -> None:
    torch.manual_seed(1)
    found = stack_energy(depth)
    assert found.shape == (2 * depth + 1, 2 * depth + 1)
    assert found.sum().item() == pytest.approx(1)
    assert effective_side(found) == pytest.approx(predicted_side([(3, 1)] * depth), rel=0.08)


def test_gradient_map_of_one_convolution_is_its_kernel_summed_over_channels() -> None:
    network = nn.Conv2d(3, 4, 3, stride=2, padding=1)
    gradient = gradient_map(network, 11)  # maps of 6x6, their unit (3, 3) over pixel (6, 6)
    expected = torch.zeros(11, 11)
    expected[5:8, 5:8] = network.weight.detach().sum(dim=0).abs().sum(dim=0)
    torch.testing.assert_close(gradient, expected)
