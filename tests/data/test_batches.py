"""Augmentation and the batch iterator, against slow and plain references."""

import pytest
import torch
from torchvision.transforms import functional as reference

from deepernets.data.batches import Batches, Transform
from deepernets.data.images import Images, stratified_split
from deepernets.errors import UserError
from tests.data.example_images import MEAN, STD, numbered, seeded, some_images


def test_crop_and_flip_are_those_of_torchvision_image_by_image() -> None:
    images, pad = some_images(count=64), 3
    transform = Transform(MEAN, STD, pad=pad, flip=True)
    moves = transform.draw_moves(64, seeded())
    colour = (MEAN * 255).round().to(torch.uint8)
    for image, moved, (top, left, mirrored) in zip(
        images.pixels, transform.move(images.pixels, moves), moves.tolist(), strict=True
    ):
        padded = torch.stack(
            [reference.pad(image[c : c + 1], [pad], fill=int(colour[c]))[0] for c in range(3)]
        )
        expected = reference.crop(padded, top, left, *image.shape[1:])
        expected = reference.hflip(expected) if mirrored else expected
        assert torch.equal(moved, expected)


def test_moves_cover_all_places_evenly_and_flip_half() -> None:
    moves = Transform(MEAN, STD, pad=2, flip=True).draw_moves(20_000, seeded())
    for axis in (0, 1):
        shares = torch.bincount(moves[:, axis], minlength=5) / len(moves)
        torch.testing.assert_close(shares, torch.full((5,), 0.2), atol=0.015, rtol=0)
    assert moves[:, 2].double().mean().item() == pytest.approx(0.5, abs=0.015)
    assert Transform(MEAN, STD, pad=2).draw_moves(100, seeded())[:, 2].sum() == 0


def test_alternating_flips_show_both_sides_in_any_two_epochs() -> None:
    images = numbered(40)
    transform = Transform(torch.zeros(3), torch.ones(3) / 255, flip=True, alternate=True)
    batches = Batches(images, 8, transform, shuffle_seed=0)

    def mirrored(epoch: int) -> list[bool]:
        seen = {}
        for pixels, labels in batches.epoch(epoch):
            for shown, label in zip(pixels, labels.tolist(), strict=True):
                stored = images.pixels[label].float()
                seen[label] = torch.allclose(shown, stored.flip(2))
                assert seen[label] or torch.allclose(shown, stored)
        return [seen[label] for label in range(40)]

    first, second, third = mirrored(1), mirrored(2), mirrored(3)
    assert [not side for side in first] == second
    assert first == third
    assert 8 < sum(first) < 32
    other = Batches(images, 8, transform, shuffle_seed=1)
    assert not torch.equal(next(iter(other.epoch(1)))[1], next(iter(batches.epoch(1)))[1])


def test_padding_is_zero_after_normalisation() -> None:
    transform = Transform(MEAN, STD, pad=8)
    pixels = some_images(count=1).pixels
    outside = transform.normalise(transform.move(pixels, torch.tensor([[0, 0, 0]])))  # only padding is left
    assert (outside.abs() <= 0.5 / 255 / STD[:, None, None] + 1e-6).all()


def test_transform_is_random_only_with_a_generator() -> None:
    pixels = some_images().pixels
    transform = Transform(MEAN, STD, pad=2, flip=True)
    assert torch.equal(transform(pixels), Transform(MEAN, STD)(pixels))
    assert torch.equal(transform(pixels, seeded(5)), transform(pixels, seeded(5)))
    assert not torch.equal(transform(pixels, seeded(5)), transform(pixels, seeded(6)))


def test_without_a_seed_batches_come_in_order_and_unmoved() -> None:
    images = numbered(50)
    batches = Batches(images, 16, Transform(MEAN, STD, pad=2, flip=True))
    pixels, labels = zip(*batches.epoch(7), strict=True)
    assert [len(part) for part in labels] == [16, 16, 16, 2]
    assert len(batches) == 4
    assert torch.cat(labels).tolist() == list(range(50))
    assert torch.equal(torch.cat(pixels), Transform(MEAN, STD)(images.pixels))


@pytest.mark.parametrize(("pad", "flip"), [(0, False), (2, False), (0, True), (2, True)])
def test_an_epoch_shows_every_image_once_and_depends_on_seed_and_number_alone(pad: int, flip: bool) -> None:
    images, transform = numbered(50), Transform(MEAN, STD, pad, flip)

    def epoch(seed: int, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        parts = list(Batches(images, 16, transform, shuffle_seed=seed).epoch(number))
        return torch.cat([pixels for pixels, _ in parts]), torch.cat([labels for _, labels in parts])

    pixels, order = epoch(1, 2)
    assert sorted(order.tolist()) == list(range(50))
    assert torch.equal(epoch(1, 2)[0], pixels)
    for seed, number in ((1, 3), (2, 2), (2, 1)):
        assert epoch(seed, number)[1].tolist() != order.tolist()
    if not (pad or flip):
        assert torch.equal(pixels, transform(images.pixels[order]))


def test_channels_last_changes_the_layout_and_nothing_else() -> None:
    images, transform = some_images(), Transform(MEAN, STD, pad=2, flip=True)
    plain, last = (
        next(iter(Batches(images, 16, transform, shuffle_seed=0, channels_last=wanted).epoch(0)))[0]
        for wanted in (False, True)
    )
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert plain.is_contiguous()
    assert torch.equal(plain, last)


def test_grey_images_and_images_that_are_not_square() -> None:
    pixels = torch.randint(0, 256, (10, 1, 6, 9), dtype=torch.uint8, generator=seeded())
    transform = Transform(MEAN[:1], STD[:1], pad=1, flip=True)
    batch, _ = next(Batches(Images(pixels, torch.arange(10)), 10, transform, shuffle_seed=0).epoch(0))
    assert batch.shape == (10, 1, 6, 9)
    assert torch.equal(transform.move(pixels, torch.tensor([[1, 1, 1]] * 10)), pixels.flip(3))


def test_batches_refuse_a_size_under_one() -> None:
    with pytest.raises(UserError, match="at least 1"):
        Batches(some_images(), 0, Transform(MEAN, STD))


def test_images_in_order_are_not_shared_by_more_processes_than_there_are_images() -> None:
    batches = Batches(some_images(count=2), 4, Transform(MEAN, STD))
    assert [len(batches.share(rank, 2).images) for rank in (0, 1)] == [1, 1]
    with pytest.raises(UserError, match="3 processes cannot share 2 validation or test images; start fewer"):
        batches.share(2, 3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_gpu_makes_the_same_batches_and_is_never_waited_for() -> None:
    batches = Batches(some_images(), 16, Transform(MEAN, STD, pad=2, flip=True), shuffle_seed=0)
    epoch = batches.to("cuda").epoch(0)
    made = [next(epoch)]  # the order and the moves go over with the first batch
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        made += list(epoch)
    finally:
        torch.cuda.set_sync_debug_mode(before)
    for (pixels, labels), (expected, expected_labels) in zip(made, batches.epoch(0), strict=True):
        torch.testing.assert_close(pixels.cpu(), expected)
        assert torch.equal(labels.cpu(), expected_labels)


@pytest.mark.parametrize("seed", [1_764_155_132_123_456_789 * 10_007, 2**64, 10**30])
def test_a_seed_may_have_more_than_64_bits(seed: int) -> None:
    images = Images(torch.zeros(20, 1, 2, 2, dtype=torch.uint8), torch.arange(20) % 2)
    first, again = (stratified_split(images, 0.5, seed)[1].labels for _ in range(2))
    assert torch.equal(first, again)
    whole = Batches(images, 7, Transform(torch.zeros(1), torch.ones(1), flip=True), shuffle_seed=seed)
    assert sum(len(labels) for _, labels in whole.epoch(1)) == 20
