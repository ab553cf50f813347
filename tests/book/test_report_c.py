"""The figures of the chapter on report C."""

from math import log
from typing import TYPE_CHECKING

import pytest

from deepernets.results.comparison import whole_run

if TYPE_CHECKING:
    from deepernets.results.comparison import Row
    from deepernets.training.records import Record
    from tests.book.conftest import Book

PAGE = "book/report-c"

FIGURES = {
    "C: values of VGG-16": "C, VGG-16: 33,637,066 values",
    "C: values of ResNet-50": "C, ResNet-50: 26,313,218 values",
    "C: what trains": "26,267,778 train and 45,440 are running statistics",
    "C: training accuracy on MNIST": "training accuracy of 1.0000, with a loss of 2.4 ·10⁻⁵",
    "C: validation accuracy on MNIST": "98.94 % on the validation images and 98.98 % on the test images",
    "C: what its table calls training": "calls the 98.94 % “Training”",
    "C: its first epochs": "11.5 % training accuracy after the first epoch, which is 375 steps, and 75.7 %",
    "C: accuracies on CIFAR-10": "99.37 % of the training images, 73.99 % of the validation images and 72.69 %",
    "C: test loss on CIFAR-10": "The test loss of 1.83",
    "C: momentum": "momentum of 0.9. The code says optimizer='sgd'",
    "C: what is held out": "the same 12,000 images of MNIST",
    "C: figures of ResNet-50": "97.98 % on the training images and 98.42 % on the test images",
    "C: right after 49 epochs": "epoch 49: 98.41510 % of 490,000 = 482,234",
    "C: right after 50 epochs": "epoch 50: 98.42242 % of 500,000 = 492,112",
    "C: its last epoch": "epoch 50 alone: 9,878 of 10,000, 98.78 %",
    "C: training in its last epoch": "99.14 % for the last epoch",
    "C: test loss on MNIST": "The test loss is 0.0672",
    "normalised channels of ResNet-50": "22,720 channels, 45,440 statistics",
}


@pytest.mark.parametrize("what", FIGURES)
def test_it_shows_the_figures(book: "Book", what: str) -> None:
    assert FIGURES[what] in book.text(PAGE)


@pytest.mark.parametrize("name", ["vgg-16-cifar10", "vgg-16-mnist", "resnet-50-mnist"])
def test_our_whole_runs_of_its_recipes_are_quoted(
    book: "Book", all_rows: "dict[str, Row]", name: str
) -> None:
    row = all_rows[f"report-c/{name}/as-reported"]
    assert row.theirs is not None
    assert f"{row.theirs.mean:.2f} % of the test images" in book.text(PAGE)


def test_the_last_epoch_of_resnet_50_is_beside_the_mean_of_all(book: "Book", records: "list[Record]") -> None:
    run = whole_run("report-c/resnet-50-mnist/as-reported", records)
    assert run
    for split, images in (("train", "training"), ("validation", "held-out")):
        accuracies = [100 * share for share in run.by_epoch(f"{split}_accuracy")]
        mean = sum(accuracies) / len(accuracies)
        text = f"{accuracies[-1]:.2f} % of the {images} images, where the mean is {mean:.2f} %"
        assert text in book.text(PAGE)


def test_the_plateau_on_mnist_is_as_long_as_in_the_record(book: "Book", records: "list[Record]") -> None:
    run = whole_run("report-c/vgg-16-mnist/as-reported", records)
    assert run
    length = [epoch["train_loss"] < 0.99 * log(10) for epoch in run.epochs].index(True) + 1
    assert f"on MNIST only in epoch {length} of {len(run.epochs)}" in book.text(PAGE)
