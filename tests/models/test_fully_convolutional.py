"""A fully-connected head as convolutions."""

from itertools import pairwise

import pytest
import torch
from torch import nn

import deepernets
from deepernets.errors import UserError
from deepernets.models.counting import count_multiply_adds, count_parameters
from deepernets.models.fully_convolutional import as_convolution, fully_convolutional, image_probabilities
from deepernets.models.vgg import CONFIGURATIONS, VGGSpec

pytestmark = pytest.mark.usefixtures("in_double_precision")


def narrow(in_shape: tuple[int, int, int], batch_norm: bool = False) -> nn.Sequential:
    """Return two small blocks, and a head of three small fully-connected layers with VGG's names."""
    torch.manual_seed(0)
    spec = VGGSpec(configuration="conv3-4 | conv3-6", in_shape=in_shape, classes=5, batch_norm=batch_norm)
    height, width = spec.last_map
    network = nn.Sequential()
    for name, module in spec.build().named_children():
        network.add_module(name, module)
    head = nn.Sequential()
    sizes = (6 * height * width, 7, 8, 5)
    head.add_module("flatten", nn.Flatten())
    for number, (units_in, units_out) in enumerate(pairwise(sizes), 1):
        head.add_module(f"fc{number}", nn.Linear(units_in, units_out))
        if number < 3:
            head.add_module(f"relu{number}", nn.ReLU(inplace=True))
            head.add_module(f"dropout{number}", nn.Dropout(0.5))
    network.head = head
    return network.eval()


@pytest.mark.parametrize("in_shape", [(3, 8, 8), (1, 12, 8), (3, 9, 11)])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_on_images_of_the_size_trained_on_nothing_changes(
    in_shape: tuple[int, int, int], batch_norm: bool
) -> None:
    network = narrow(in_shape, batch_norm)
    images = torch.randn(4, *in_shape)
    scores = fully_convolutional(network, in_shape)(images)
    assert scores.shape == (4, 5, 1, 1)
    torch.testing.assert_close(scores.flatten(1), network(images))


def test_each_place_of_the_map_is_the_head_slid_over_the_body() -> None:
    network = narrow((3, 8, 8))
    images = torch.randn(2, 3, 16, 24)
    scores = fully_convolutional(network, (3, 8, 8))(images)
    maps = network[:-1](images)  # (2, 6, 4, 6)
    assert scores.shape == (2, 5, 3, 5)
    for row in range(3):
        for column in range(5):
            window = maps[:, :, row : row + 2, column : column + 2]
            torch.testing.assert_close(scores[:, :, row, column], network[-1](window))


def test_without_padding_each_place_is_a_crop() -> None:
    torch.manual_seed(0)
    network = nn.Sequential()
    network.add_module("body", nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2)))
    network.add_module("head", nn.Sequential(nn.Flatten(), nn.Linear(3 * 3 * 3, 2)))
    images = torch.randn(1, 1, 12, 12)
    scores = fully_convolutional(network, (1, 8, 8))(images)
    assert scores.shape == (1, 2, 3, 3)
    for row in range(3):
        for column in range(3):
            crop = images[:, :, 2 * row : 2 * row + 8, 2 * column : 2 * column + 8]
            torch.testing.assert_close(scores[:, :, row, column], network(crop))


def test_vgg_d_keeps_its_parameters_and_its_multiply_adds() -> None:
    with torch.device("meta"):
        network = deepernets.build_model("vgg-d")
    dense = fully_convolutional(network, (3, 224, 224))
    assert count_parameters(dense) == 138_357_544
    assert count_multiply_adds(dense, (3, 224, 224)) == count_multiply_adds(network, (3, 224, 224))
    assert dense.get_submodule("head.fc1").weight.shape == (4096, 512, 7, 7)
    assert dense(torch.empty(1, 3, 384, 384, device="meta")).shape == (1, 1000, 6, 6)


def test_the_network_stays_as_it_was_and_the_mode_is_kept() -> None:
    network = narrow((3, 8, 8))
    fully_convolutional(network, (3, 8, 8))
    assert isinstance(network.get_submodule("head.fc1"), nn.Linear)
    assert not fully_convolutional(network, (3, 8, 8)).training
    assert fully_convolutional(network.train(), (3, 8, 8)).training


def test_weights_are_copied() -> None:
    layer = nn.Linear(8, 2)
    as_convolution(layer, 2, 2).weight.data.zero_()
    assert layer.weight.abs().sum() > 0
    assert as_convolution(nn.Linear(8, 2, bias=False)).bias is None


def test_mirror_images_have_the_same_probabilities() -> None:
    dense = fully_convolutional(narrow((3, 8, 8)), (3, 8, 8))
    images = torch.randn(3, 3, 16, 16)
    found = image_probabilities(dense, images)
    torch.testing.assert_close(found, image_probabilities(dense, images.flip(3)))
    torch.testing.assert_close(found.sum(dim=1), torch.ones(3))


def test_heads_that_cannot_be_converted_are_refused() -> None:
    with torch.device("meta"):
        residual = deepernets.build_model("resnet-20", in_shape=(3, 32, 32), classes=10)
        strange = deepernets.build_model("vgg-mini-cifar", in_shape=(3, 32, 32), classes=10)
    strange.get_submodule("head").add_module("norm", nn.LayerNorm(10, device="meta"))
    with pytest.raises(UserError, match="flattening"):
        fully_convolutional(residual, (3, 32, 32))
    with pytest.raises(UserError, match="LayerNorm"):
        fully_convolutional(strange, (3, 32, 32))
    with pytest.raises(UserError, match="3×3"):
        as_convolution(nn.Linear(10, 2), 3, 3)


def test_configurations_of_the_paper_convert() -> None:
    for configuration in CONFIGURATIONS.values():
        with torch.device("meta"):
            network = VGGSpec(configuration=configuration).build()
        assert count_parameters(fully_convolutional(network, (3, 224, 224))) == count_parameters(network)


def test_converting_a_layer_draws_no_random_numbers() -> None:
    layer = nn.Linear(8, 2)
    state = torch.get_rng_state()
    convolution = as_convolution(layer, 2, 2)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(parameter.requires_grad for parameter in convolution.parameters())
    assert convolution.weight.data_ptr() != layer.weight.data_ptr()
