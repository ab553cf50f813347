import pytest
import torch
from torch import nn

import deepernets
from deepernets.analysis.gradient_noise import batch_noise, image_gradients, noise_scale
from deepernets.errors import UserError

pytestmark = pytest.mark.usefixtures("in_double_precision")


def small_network() -> nn.Module:
    return deepernets.build_model("vgg-mini-cifar", in_shape=(3, 32, 32), classes=3)


def test_the_mean_of_the_images_gradients_is_the_gradient_of_the_mean_loss() -> None:
    model, images, labels = small_network(), torch.randn(7, 3, 32, 32), torch.arange(7) % 3
    gradients = image_gradients(model, images, labels)
    nn.functional.cross_entropy(model(images), labels).backward()
    whole = torch.cat([value.grad.flatten() for value in model.parameters() if value.grad is not None])
    assert gradients.shape == (7, deepernets.count_parameters(model))
    assert torch.allclose(gradients.mean(dim=0), whole, atol=1e-6)


def test_it_leaves_the_network_as_it_was() -> None:
    model = small_network()
    before = [value.clone() for value in model.parameters()]
    image_gradients(model, torch.randn(3, 3, 32, 32), torch.tensor([0, 1, 2]))
    assert all(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))
    assert all(value.grad is None for value in model.parameters())


@pytest.mark.parametrize("batch_size", [1, 4, 32])
def test_noise_falls_as_one_over_the_batch_size(batch_size: int) -> None:
    gradients = torch.randn(50, 6)
    of_one = gradients.var(dim=0, correction=0).sum().item()
    found = batch_noise(gradients, batch_size, draws=4000)
    assert found == pytest.approx(of_one / batch_size, rel=0.1)


def test_noise_depends_on_its_seed_alone() -> None:
    gradients = torch.randn(10, 3)
    torch.manual_seed(5)
    assert batch_noise(gradients, 4, seed=1) == batch_noise(gradients, 4, seed=1)
    assert batch_noise(gradients, 4, seed=1) != batch_noise(gradients, 4, seed=2)


def test_equal_gradients_have_no_noise() -> None:
    gradients = torch.ones(5, 3)
    assert batch_noise(gradients, 2) == 0
    assert noise_scale(gradients) == 0


def test_the_noise_scale_is_where_noise_and_gradient_are_equal() -> None:
    gradients = torch.randn(40, 3) + 0.5
    of_one = gradients.var(dim=0, correction=0).sum().item()
    assert of_one / noise_scale(gradients) == pytest.approx(gradients.mean(dim=0).square().sum().item())


@pytest.mark.parametrize(("images", "batch_size", "draws"), [(0, 2, 3), (2, 0, 3), (2, 2, 0)])
def test_nothing_cannot_be_measured(images: int, batch_size: int, draws: int) -> None:
    with pytest.raises(UserError, match="at least one"):
        batch_noise(torch.ones(images, 2), batch_size, draws)
