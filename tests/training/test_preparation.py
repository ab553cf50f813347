"""A batch that cannot be trained on is refused before the first step."""

import pytest
import torch

from deepernets.data.batches import Batches, Transform
from deepernets.data.images import Images
from deepernets.errors import UserError
from deepernets.models.registry import build_model
from deepernets.recipes.recipe import Recipe
from deepernets.training.preparation import require_two_images

SMALL = Recipe("small", data="sketches", model="resnet-18", batch_size=32, image_size=32)


def batches(images: int, size: int, world: int = 1) -> Batches:
    pixels = torch.zeros(images, 3, 2, 2, dtype=torch.uint8)
    noise = Images(pixels, torch.zeros(images, dtype=torch.long))
    plain = Transform(torch.zeros(3), torch.ones(3))
    return Batches(noise, size, plain, shuffle_seed=0).share(0, world)


@pytest.mark.parametrize(("world", "images"), [(1, 65), (1, 64), (1, 70), (3, 68), (3, 66), (3, 71), (2, 70)])
def test_the_smallest_batch_is_the_smallest_that_is_handed_out(world: int, images: int) -> None:
    whole = batches(images, 32)
    shares = [whole.share(rank, world) for rank in range(world)]
    assert shares[0].smallest == min(len(labels) for share in shares for _, labels in share.epoch(1))


@pytest.mark.parametrize(("world", "images"), [(1, 65), (2, 66), (2, 67)])
def test_a_last_batch_of_one_image_is_refused_and_the_advice_works(world: int, images: int) -> None:
    drawn = batches(images, 32, world)
    with pytest.raises(UserError, match=r"--batch-size 3\d or --train-images 64\.") as refused:
        require_two_images(SMALL, drawn)
    size = int(str(refused.value).partition("--batch-size ")[2].split()[0])
    require_two_images(SMALL, batches(images, size, world))
    require_two_images(SMALL, batches(64, 32, world))


def test_shares_of_one_image_throughout_are_refused() -> None:
    with pytest.raises(UserError, match=r"for each of 32 processes.* use --batch-size 64\."):
        require_two_images(SMALL, batches(64, 32, 32))


def test_the_refused_batch_is_one_that_pytorch_refuses() -> None:
    network = build_model(SMALL.model, in_shape=(3, 32, 32), classes=3)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        network(torch.zeros(1, 3, 32, 32))


@pytest.mark.parametrize("model", ["vgg-mini-cifar", "resnet-20"])
def test_one_image_is_enough_without_batch_normalisation_or_for_larger_feature_maps(model: str) -> None:
    require_two_images(SMALL.changed(model=model), batches(65, 32))
    assert build_model(model, in_shape=(3, 32, 32), classes=3)(torch.zeros(1, 3, 32, 32)).shape == (1, 3)


def test_synchronised_processes_share_the_statistics_of_two_images() -> None:
    require_two_images(SMALL, batches(66, 32, 2), synchronised=True)
    with pytest.raises(UserError, match="leave a batch of one image"):
        require_two_images(SMALL, batches(65, 32), synchronised=True)
