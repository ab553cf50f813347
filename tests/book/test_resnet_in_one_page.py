"""The figures of the page that summarises the ResNet paper."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.book.conftest import Book

PAGE = "book/resnet-in-one-page"

FIGURES = {
    "the work of VGG-19": "needs 19.6 billion multiply-adds",
    "a bottleneck": "bottleneck, 256 channels 69,632",
    "a basic block as wide inside": "basic block, 64 channels 73,728",
    "a basic block as wide outside": "basic block, 256 channels 1,179,648",
    "plain networks": "from 18 to 34 layers, 27.94 to 28.54 % top-1",
    "residual networks": "27.88 to 25.03 % (option A, Table 2)",
    "three options": "have 25.03 , 24.52 and 24.19 % (Table 3)",
    "deeper networks": "falls to 22.85 % with 50 layers and 21.43 % with 152",
    "VGG-16": "VGG-16 has 28.07 %",
    "one network": "has 4.49 % top-5 error (Table 4)",
    "the ensemble": "has 3.57 % on the test images and won ILSVRC 2015 classification",
    "CIFAR-10": "falls from 8.75 % with 20 layers to 6.43 % with 110 (five runs: 6.61 ± 0.16 )",
    "1202 layers": "1202 layers and 19,421,274 parameters it is 7.93 %",
    "PASCAL VOC": "rises from 73.2 to 76.4 % on PASCAL VOC 2007",
    "COCO": "from 21.2 to 27.2 %, which is 28 % more",
    "pre-activation": "1001 layers falls from 7.61 to 4.92 % error",
    "ImageNet's iterations": "up to 60·10⁴",
    "ImageNet's scales": "[256, 480]",
}


def squeezed(text: str) -> str:
    return text.replace(" ,", ",").replace(" )", ")")


@pytest.mark.parametrize("what", FIGURES)
def test_it_shows_the_figures(book: "Book", what: str) -> None:
    assert squeezed(FIGURES[what]) in squeezed(book.text(PAGE))


def test_its_table_has_the_five_networks(book: "Book") -> None:
    rows = book.rows(PAGE)
    for depth, parameters, published, top1, top5 in (
        ("18", "11,689,512", "1.8", "27.88", "–"),
        ("34", "21,797,672", "3.6", "24.52", "7.46"),
        ("50", "25,557,032", "3.8", "22.85", "6.71"),
        ("101", "44,549,160", "7.6", "21.75", "6.05"),
        ("152", "60,192,808", "11.3", "21.43", "5.71"),
    ):
        found = next(row for row in rows if row and row[0] == f"ResNet-{depth}")
        assert [found[1], *found[3:]] == [parameters, f"{published}·10⁹", top1, top5]
