import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from deepernets.errors import UserError
from deepernets.models.counting import count_multiply_adds, count_parameters
from deepernets.models.registry import build_model
from deepernets.models.speedrun import PATCH, FlipAveraged, SpeedrunSpec, whiten, whitening_filters


@pytest.fixture
def images() -> torch.Tensor:
    """Images whose neighbouring pixels and channels resemble each other, as photographs' do."""
    torch.manual_seed(0)
    noise = torch.randn(64, 3, 17, 17)
    grey = noise.mean(dim=1, keepdim=True)
    return functional.avg_pool2d(noise + 2 * grey, 2, stride=1)


def answers(filters: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Return what each filter says to each patch: (filters, patches)."""
    return functional.conv2d(images, filters).transpose(0, 1).flatten(1)


def test_whitened_patches_are_uncorrelated_and_of_variance_one(images: torch.Tensor) -> None:
    filters = whitening_filters(images, smallest=0.0)
    half = len(filters) // 2
    assert half == 3 * PATCH**2
    torch.testing.assert_close(torch.cov(answers(filters[:half], images)), torch.eye(half), atol=1e-3, rtol=0)
    before = torch.cov(answers(torch.eye(half).reshape(half, 3, PATCH, PATCH), images))
    assert (before - before.diag().diag()).abs().max() > 0.1  # there was something to undo


def test_each_filter_comes_with_its_negative_and_the_most_frequent_pattern_first(
    images: torch.Tensor,
) -> None:
    filters = whitening_filters(images)
    torch.testing.assert_close(filters[:12], -filters[12:])
    unit = filters / filters.flatten(1).norm(dim=1)[:, None, None, None]
    spread = answers(unit[:12], images).var(dim=1)
    assert (spread.diff() <= 1e-6).all()


def test_a_whitened_layer_is_not_trained(images: torch.Tensor) -> None:
    model = SpeedrunSpec(widths=(8, 8)).build()
    whiten(model, images)
    first = model.get_parameter("stem.conv.weight")
    torch.testing.assert_close(first.data, whitening_filters(images))
    assert not first.requires_grad
    assert count_parameters(model) == count_parameters(SpeedrunSpec(widths=(8, 8)).build())


def test_a_network_with_another_first_layer_is_not_whitened(images: torch.Tensor) -> None:
    with pytest.raises(UserError, match="24 filters of 2×2 pixels"):
        whiten(build_model("resnet-8", in_shape=(3, 32, 32), classes=3), images)


def test_the_dash_has_the_widths_and_the_work_of_its_table() -> None:
    with torch.device("meta"):
        model = build_model("dash", in_shape=(3, 32, 32), classes=10)
    by_hand = (
        31**2 * 24 * 12
        + 31**2 * 64 * 9 * 24
        + 15**2 * (64 * 9 * 64 + 256 * 9 * 64)
        + 7**2 * 2 * 256 * 9 * 256
        + 3**2 * 256 * 9 * 256
        + 2560
    )
    assert count_multiply_adds(model, (3, 32, 32)) == by_hand
    assert count_multiply_adds(build_model("dash-narrow"), (3, 32, 32)) < by_hand / 8


def test_convolutions_start_by_handing_their_input_on() -> None:
    model = build_model("dash", in_shape=(3, 32, 32), classes=10)
    x = torch.randn(2, 24, 5, 5)
    y = model.get_submodule("block1.conv1")(x)
    torch.testing.assert_close(y[:, :24], x)
    assert not torch.equal(y[:, 24:48], x)


def test_the_first_guess_is_a_uniform_one() -> None:
    logits = build_model("dash-narrow", in_shape=(3, 32, 32), classes=10)(torch.randn(4, 3, 32, 32))
    assert functional.cross_entropy(logits, torch.arange(4)).item() == pytest.approx(math.log(10))


def test_too_small_images_are_refused_with_the_size_that_would_do() -> None:
    with pytest.raises(UserError, match="at least 9×9"):
        SpeedrunSpec(in_shape=(3, 8, 8))
    assert SpeedrunSpec(in_shape=(3, 9, 9)).last_map == (1, 1)
    with pytest.raises(UserError, match="at least one block"):
        SpeedrunSpec(widths=())


def test_both_ways_sees_an_image_and_its_mirror_image_alike_once_trained() -> None:
    torch.manual_seed(0)
    network = SpeedrunSpec(widths=(8, 8)).build()
    nn.init.normal_(network.get_parameter("head.fc.weight"))
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    both = FlipAveraged(network)
    assert both.state_dict().keys() == before.keys()
    x = torch.randn(4, 3, 32, 32)
    both.eval()
    torch.testing.assert_close(both(x), both(x.flip(3)))
    alone = nn.Sequential(*both.children())
    torch.testing.assert_close(both(x), (alone(x) + alone(x.flip(3))) / 2)
    assert not torch.allclose(alone(x), alone(x.flip(3)))
    both.train()
    alone.train()
    torch.testing.assert_close(both(x), alone(x))
