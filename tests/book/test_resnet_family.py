"""The figures of the chapter on the ResNet family."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.book.conftest import Book

PAGE = "book/resnet-family"


@pytest.mark.parametrize(
    "row",
    [
        ["ResNet-18", "11,689,512", "1.81", "1.80"],
        ["ResNet-34", "21,797,672", "3.66", "3.60"],
        ["ResNet-50", "25,557,032", "3.86", "3.80"],
        ["ResNet-101", "44,549,160", "7.57", "7.60"],
        ["ResNet-152", "60,192,808", "11.28", "11.30"],
    ],
    ids=lambda row: row[0],
)
def test_it_shows_the_imagenet_networks(book: "Book", row: list[str]) -> None:
    assert row in book.rows(PAGE)


@pytest.mark.parametrize(
    ("n", "depth", "parameters", "millions", "error"),
    [
        ("3", "20", "269,722", "0.27", "8.75"),
        ("5", "32", "464,154", "0.46", "7.51"),
        ("7", "44", "658,586", "0.66", "7.17"),
        ("9", "56", "853,018", "0.85", "6.97"),
        ("18", "110", "1,727,962", "1.70", "6.43"),
        ("200", "1,202", "19,421,274", "19.40", "7.93"),
    ],
)
def test_it_shows_the_cifar_networks(
    book: "Book", n: str, depth: str, parameters: str, millions: str, error: str
) -> None:
    rows = [row[:4] + row[5:] for row in book.rows(PAGE) if len(row) == 6]
    assert [n, depth, parameters, millions, error] in rows


@pytest.mark.parametrize(
    ("network", "top1", "top5"),
    [
        ("VGG-16", "28.07", "9.33"),
        ("plain-18", "27.94", "–"),
        ("ResNet-18", "27.88", "–"),
        ("plain-34", "28.54", "–"),
        ("ResNet-34 A", "25.03", "7.76"),
        ("ResNet-34 B", "24.52", "7.46"),
        ("ResNet-34 C", "24.19", "7.40"),
        ("ResNet-50", "22.85", "6.71"),
        ("ResNet-101", "21.75", "6.05"),
        ("ResNet-152", "21.43", "5.71"),
    ],
)
def test_it_shows_the_errors_on_imagenet(book: "Book", network: str, top1: str, top5: str) -> None:
    found = [[row[0], *row[2:]] for row in book.rows(PAGE) if len(row) == 4]
    assert [network, top1, top5] in [
        [name, one, "–" if five in ("–", "nan", "") else five] for name, one, five in found
    ]


@pytest.mark.parametrize(
    "words",
    [
        "19.6 billion against 3.7 billion",
        "69,632",
        "1,179,648",
        "19.38 % (top-5: 4.49 %)",
        "3.57 % on the test images",
        "6.61 ± 0.16 %",
        "3.6 is the count with option A",
        "23,506,499 parameters",
    ],
)
def test_it_says(book: "Book", words: str) -> None:
    assert words in book.text(PAGE)


def test_parameters_cannot_tell_v1_from_v1_5_and_work_can(book: "Book") -> None:
    rows = {row[0]: row for row in book.rows(PAGE) if row and "x" in row[0]}
    one, other = rows["1x1, v1, the paper"], rows["3x3, v1.5"]
    assert one[1] == other[1] == "25,557,032"
    assert (one[3], other[3]) == ("3.86", "4.09")
    assert one[2] != other[2]
