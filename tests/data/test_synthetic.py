"""The embedded data sets: what they hold, and that shape is what tells the sketches apart."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from deepernets.data.batches import Batches, Transform
from deepernets.data.datasets import load_dataset
from deepernets.data.images import Dataset, channel_statistics
from deepernets.data.synthetic import draw_sketches, figure_masks
from deepernets.models.registry import build_model


@pytest.fixture(scope="module")
def sketches() -> Dataset:
    return load_dataset("sketches")


def test_sketches_are_balanced_and_labelled_as_what_they_are(sketches: Dataset) -> None:
    assert (sketches.name, sketches.variant) == ("sketches", "sketches")
    assert sketches.classes == ("airplane", "automobile", "bird")
    assert sketches.train.pixels.shape == (1500, 3, 32, 32)
    assert sketches.test.pixels.shape == (600, 3, 32, 32)
    assert sketches.train.pixels.dtype == torch.uint8
    assert sketches.train.per_class(3) == [500] * 3
    assert sketches.test.per_class(3) == [200] * 3


def test_drawing_is_seeded_and_no_picture_comes_twice(sketches: Dataset) -> None:
    assert torch.equal(draw_sketches(30, seed=4).pixels, draw_sketches(30, seed=4).pixels)
    assert not torch.equal(draw_sketches(30, seed=4).pixels, draw_sketches(30, seed=5).pixels)
    everything = torch.cat([sketches.train.pixels, sketches.test.pixels]).flatten(1).numpy()
    assert len({picture.tobytes() for picture in everything}) == len(everything)


def test_sketches_are_drawn_once_per_process(sketches: Dataset) -> None:
    assert load_dataset("cifar3", profile="quick") is sketches


def linear_accuracy(dataset: Dataset, train: torch.Tensor, test: torch.Tensor) -> float:
    """Best test accuracy of a linear model on flattened features, over three strengths of regularisation."""
    best = 0.0
    for strength in (1e-3, 1e-2, 1e-1):
        model = LogisticRegression(C=strength, max_iter=100)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it need not converge to its last digit
            model.fit(train.flatten(1).numpy(), dataset.train.labels.numpy())
        best = max(best, float(model.score(test.flatten(1).numpy(), dataset.test.labels.numpy())))
    return best


def test_a_linear_model_does_not_learn_the_sketches(sketches: Dataset) -> None:
    accuracy = linear_accuracy(sketches, sketches.train.pixels / 255, sketches.test.pixels / 255)
    assert accuracy < 0.7


def test_colour_alone_does_not_give_the_class(sketches: Dataset) -> None:
    """Mean, spread and extremes of each channel know hardly more than chance, one in three."""

    def summary(pixels: torch.Tensor) -> torch.Tensor:
        flat = pixels.flatten(2) / 255
        return torch.cat([flat.mean(2), flat.std(2), flat.amin(2), flat.amax(2)], dim=1)

    assert linear_accuracy(sketches, summary(sketches.train.pixels), summary(sketches.test.pixels)) < 0.6


def test_a_small_vgg_learns_the_sketches(sketches: Dataset) -> None:
    """At half their size, which is enough for this and takes a third of the time."""
    train, test = (
        replace(images, pixels=nn.functional.avg_pool2d(images.pixels.float(), 2).to(torch.uint8))
        for images in (sketches.train, sketches.test)
    )
    torch.manual_seed(0)
    model = build_model("vgg-mini-bn-cifar", (3, 16, 16), 3, initialisation="he")
    transform = Transform(*channel_statistics(train), pad=1, flip=True)
    batches = Batches(train, 64, transform, shuffle_seed=0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    epochs = 6
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=epochs * len(batches))
    for epoch in range(epochs):
        for images, labels in batches.epoch(epoch):
            loss = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        predicted = model(transform(test.pixels)).argmax(dim=1)
    assert (predicted == test.labels).double().mean() > 0.9


def test_digits_are_scikit_learns_in_the_shape_of_mnist() -> None:
    from sklearn.datasets import load_digits

    digits = load_dataset("mnist", profile="quick")
    assert (digits.name, digits.variant, digits.classes) == ("digits", "digits", tuple("0123456789"))
    assert digits.train.pixels.shape[1:] == digits.test.pixels.shape[1:] == (1, 28, 28)
    counts = [sum(pair) for pair in zip(digits.train.per_class(10), digits.test.per_class(10), strict=True)]
    assert counts == torch.bincount(torch.tensor(load_digits().target)).tolist()
    for part in (digits.train, digits.test):
        inside = part.pixels[:, :, 4:-4, 4:-4]
        assert part.pixels.sum() == inside.sum(), "as in MNIST, the margin of 4 pixels is black"
        assert inside.max() > 200
        assert all(count == pytest.approx(len(part) / 10, rel=0.05) for count in part.per_class(10))


def test_masks_lie_on_the_pictures_of_the_same_seed() -> None:
    masks, pixels = figure_masks(60, seed=1), draw_sketches(60, seed=1).pixels.float()
    assert masks.shape == pixels.shape[::2][:1] + pixels.shape[2:]
    assert masks.dtype == torch.bool
    brightness = pixels.mean(dim=1)  # figures are lighter or darker than what is behind them
    inside = torch.stack([b[m].mean() for b, m in zip(brightness, masks, strict=True)])
    outside = torch.stack([b[~m].mean() for b, m in zip(brightness, masks, strict=True)])
    contrast = (inside - outside).abs()
    wrong = torch.stack(
        [(b[m].mean() - b[~m].mean()).abs() for b, m in zip(brightness, masks.roll(1, 0), strict=True)]
    )
    assert contrast.mean() > 1.5 * wrong.mean()


def test_figures_fill_a_good_part_of_a_picture_and_never_all() -> None:
    shares = figure_masks(30, seed=0).float().mean(dim=(1, 2)).numpy()
    assert np.all((shares > 0.03) & (shares < 0.7))


def test_the_first_masks_do_not_depend_on_how_many_are_asked_for() -> None:
    assert torch.equal(figure_masks(5, seed=3), figure_masks(9, seed=3)[:5])
