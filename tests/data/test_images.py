"""Splits, statistics and resizing, against slow and plain references."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from deepernets.data.batches import Transform
from deepernets.data.images import Images, channel_statistics, last_split, resize, stratified_split
from deepernets.errors import UserError
from tests.data.example_images import seeded, some_images


@pytest.mark.parametrize("fraction", [0.0, 0.1, 1 / 3, 0.75])
def test_split_is_exact_stratified_and_loses_nothing(fraction: float) -> None:
    labels = torch.tensor([0] * 10 + [1] * 23 + [2] * 67)[torch.randperm(100, generator=seeded())]
    images = Images(torch.arange(100, dtype=torch.uint8).view(100, 1, 1, 1), labels)
    rest, held_out = stratified_split(images, fraction, seed=3)
    assert len(held_out) == round(100 * fraction)
    assert sorted([*rest.pixels.flatten().tolist(), *held_out.pixels.flatten().tolist()]) == list(range(100))
    for count, held in zip(images.per_class(3), held_out.per_class(3), strict=True):
        assert abs(held - count * fraction) < 1
    assert rest.pixels.flatten().diff().min() > 0, "the order is kept"
    for part in (rest, held_out):
        assert part.labels.tolist() == labels[part.pixels.flatten().long()].tolist()


def test_the_last_fifth_is_held_out_in_the_order_of_the_data_set() -> None:
    labels = torch.arange(100) % 3
    rest, held_out = last_split(Images(torch.arange(100, dtype=torch.uint8).view(100, 1, 1, 1), labels), 0.2)
    assert rest.pixels.flatten().tolist() == list(range(80))
    assert held_out.pixels.flatten().tolist() == list(range(80, 100))
    assert torch.cat([rest.labels, held_out.labels]).tolist() == labels.tolist()


def test_the_last_fifth_of_sorted_images_is_refused() -> None:
    images = Images(some_images(100).pixels, torch.arange(100) // 10)
    with pytest.raises(UserError, match=r"last 20 of 100 images .* --hold-out stratified"):
        last_split(images, 0.2)


def test_split_depends_on_the_seed_alone() -> None:
    images = some_images(200)
    one, again, other = (stratified_split(images, 0.5, seed)[1].pixels for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 2.0])
def test_split_refuses_what_is_no_fraction(fraction: float) -> None:
    with pytest.raises(UserError, match="from 0 up to"):
        stratified_split(some_images(), fraction, 0)


def test_statistics_are_those_of_a_float_copy() -> None:
    images = some_images(count=500)
    as_float = images.pixels.numpy().astype(np.float64) / 255
    mean, std = channel_statistics(images)
    np.testing.assert_allclose(mean.numpy(), as_float.mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(std.numpy(), as_float.std(axis=(0, 2, 3)), rtol=1e-6)


def test_statistics_stay_exact_where_float32_sums_do_not() -> None:
    pixels = torch.full(
        (2000, 1, 100, 100), 250, dtype=torch.uint8
    )  # 20 million values: float32 stalls at 16
    pixels[::2] = 251
    mean, std = channel_statistics(Images(pixels, torch.zeros(2000, dtype=torch.int64)))
    assert mean.item() == pytest.approx(250.5 / 255, rel=1e-7)
    assert std.item() == pytest.approx(0.5 / 255, rel=1e-6)


@pytest.mark.parametrize("count", [0, 3])
def test_statistics_refuse_what_cannot_be_normalised(count: int) -> None:
    images = Images(torch.zeros(count, 3, 4, 4, dtype=torch.uint8), torch.zeros(count, dtype=torch.int64))
    with pytest.raises(UserError, match="same value everywhere"):
        channel_statistics(images)


def test_normalised_with_its_own_statistics_an_image_set_has_mean_0_and_std_1() -> None:
    images = some_images(count=400)
    normal = Transform(*channel_statistics(images))(images.pixels)
    assert normal.dtype == torch.float32
    torch.testing.assert_close(normal.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(normal.std(dim=(0, 2, 3), correction=0), torch.ones(3))


@pytest.mark.parametrize(("old", "new"), [(28, 32), (32, 32), (64, 16)])
def test_resize_is_bilinear_to_within_one_grey_level(old: int, new: int) -> None:
    images = some_images(count=6, side=old)
    resized = resize(images, new)
    expected = functional.interpolate(images.pixels.float(), size=(new, new), mode="bilinear", antialias=True)
    assert resized.pixels.dtype == torch.uint8
    assert resized.pixels.shape == expected.shape
    assert (resized.pixels.float() - expected).abs().max() <= 1
    assert resized.labels is images.labels
