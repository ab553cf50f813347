"""The figures of the chapter on the family of residual networks."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.book.conftest import Book

PAGE = "book/resnet-family"

FIGURES = {
    "VGG-19's work, in the paper": "VGG-19 costs 19.6 billion multiply-adds",
    "and by our count": "and 19.6 by our count",
    "ResNet-34 without projections": "3.644",
    "ResNet-34 against VGG-19": "costs 18 % of that",
    "two 3×3 on 256 channels": "1,179,648",
    "a bottleneck on 256 channels": "69,632",
    "the paper's v1": "between the paper’s 3.8 billion and the 4.1 billion given elsewhere",
    "v1.5": "the 4.1 billion",
    "single ResNet-152": "19.38 % top-1 and 4.49 % top-5",
    "the ensemble": "3.57 % top-5 error on the test images",
    "its place": "first place in classification at ILSVRC 2015",
    "five runs of 110 layers": "6.61 ± 0.16 %",
    "the best of them": "The 6.43 % is the best of five",
    "1202 layers": "it has 7.93 % errors",
    "1001 layers": "goes from 7.61 to 4.92 %",
    "the exact count for every n": "P(n) = 97,216 n - 21,926",
    "the plain twins": "plain twins with the same count: 20 32 44 56 110",
    "report A's ResNet-50": "23,506,499 parameters for three classes",
}

IMAGENET = (  # depth, parameters, the paper's billions, blocks
    ("18", "11,689,512", "1.8", "2 2 2 2"),
    ("34", "21,797,672", "3.6", "3 4 6 3"),
    ("50", "25,557,032", "3.8", "3 4 6 3"),
    ("101", "44,549,160", "7.6", "3 4 23 3"),
    ("152", "60,192,808", "11.3", "3 8 36 3"),
)


@pytest.mark.parametrize("what", FIGURES)
def test_it_shows_the_figures(book: "Book", what: str) -> None:
    assert FIGURES[what] in book.text(PAGE)


@pytest.mark.parametrize(("depth", "parameters", "billions"), [row[:3] for row in IMAGENET])
def test_it_counts_the_imagenet_networks(book: "Book", depth: str, parameters: str, billions: str) -> None:
    (row,) = [row for row in book.rows(PAGE) if row[0] == f"ResNet-{depth}" and row[1] == parameters]
    assert row[3] == str(billions)
    assert abs(float(row[2]) - float(billions)) < 0.07


def test_it_shows_how_often_blocks_are_repeated(book: "Book") -> None:
    rows = book.rows(PAGE)
    assert [row for row in rows if row[:2] == ["", ""] and all(cell.startswith("×") for cell in row[2:])] == [
        ["", "", *(f"× {count}" for count in stage)]
        for stage in zip(*(row[3].split() for row in IMAGENET), strict=True)
    ]


@pytest.mark.parametrize(
    "row",
    [
        ["3", "20", "269,722", "0.27M", "8.75"],
        ["5", "32", "464,154", "0.46M", "7.51"],
        ["7", "44", "658,586", "0.66M", "7.17"],
        ["9", "56", "853,018", "0.85M", "6.97"],
        ["18", "110", "1,727,962", "1.7M", "6.43"],
        ["200", "1202", "19,421,274", "19.4M", "7.93"],
    ],
    ids=lambda row: str(row[1]),
)
def test_it_counts_the_cifar_networks(book: "Book", row: list[str]) -> None:
    assert row in book.rows(PAGE)


@pytest.mark.parametrize(
    "row",
    [
        ["VGG-16", "28.07", "9.33"],
        ["plain-18", "27.94", "–"],
        ["ResNet-18", "27.88", "–"],
        ["plain-34", "28.54", "–"],
        ["ResNet-34 A", "25.03", "7.76"],
        ["ResNet-34 B", "24.52", "7.46"],
        ["ResNet-34 C", "24.19", "7.40"],
        ["ResNet-50", "22.85", "6.71"],
        ["ResNet-101", "21.75", "6.05"],
        ["ResNet-152", "21.43", "5.71"],
    ],
    ids=lambda row: str(row[0]),
)
def test_it_quotes_the_errors_on_imagenet(book: "Book", row: list[str]) -> None:
    assert row in book.rows(PAGE)


def test_the_two_versions_differ_in_shape_and_work_and_not_in_parameters(book: "Book") -> None:
    rows = {row[0]: row[1:] for row in book.rows(PAGE)}
    assert rows["v1"] == ["(128, 28, 28)", "(128, 28, 28)", "25,557,032", "3.86"]
    assert rows["v1.5"] == ["(128, 56, 56)", "(128, 28, 28)", "25,557,032", "4.09"]
