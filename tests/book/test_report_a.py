"""The figures of the chapter on report A."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.book.conftest import Book

PAGE = "book/report-a"

FIGURES = {
    "A: parameters of VGG-16": "A, VGG-16: 14,724,675 parameters",
    "A: parameters of ResNet-50": "A, ResNet-50: 23,506,499 parameters",
    "A: training loss of VGG-16": "0.0004",
    "A: training loss of ResNet-50": "0.0586",
    "the gap between its networks": "VGG-16 is better by 5.4 points",
    "how far our runs are above it": "by 2.6 and 4.2 points",
    "multiply-adds of an epoch of VGG-16": "vgg-16-bn-cifar: 1.32e+13 multiply-adds an epoch",
    "multiply-adds of an epoch of ResNet-50": "resnet-50-cifar: 5.13e+13 multiply-adds an epoch",
    "a bound on its mistakes": "at most 1,268 of 15,000 wrong, 8.5%",
    "epochs of equal work": "5.1 epochs",
}


@pytest.mark.parametrize("what", FIGURES)
def test_it_shows_the_figures(book: "Book", what: str) -> None:
    assert FIGURES[what] in book.text(PAGE)


@pytest.mark.parametrize(
    ("recipe", "reported"),
    [("VGG-16, rate 0.01, 20 epochs", "91.2"), ("ResNet-50, rate 0.01, 15 epochs", "85.8333")],
)
def test_it_prints_report_as_figures(book: "Book", recipe: str, reported: str) -> None:
    assert any(row[:2] == [recipe, reported] for row in book.rows(PAGE))
