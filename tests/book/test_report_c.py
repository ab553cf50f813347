"""The figures of the chapter on report C."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from deepernets.results.comparison import Row
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


def test_our_whole_run_on_cifar10_is_quoted(book: "Book", all_rows: "dict[str, Row]") -> None:
    row = all_rows["report-c/vgg-16-cifar10/as-reported"]
    assert row.theirs is not None
    assert f"{row.theirs.mean:.2f} %" in book.text(PAGE)
