"""The figures of the chapter on what came after ResNet."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.book.conftest import Book

PAGE = "book/after-resnet"

FIGURES = {
    "depthwise against ordinary": "12,544 against 589,824 , a factor of 47",
    "sum of the branches": "last map = first map + sum of the branches",
    "pre-activation without branch": "pre-activation, branch off: 0% of the values change",
    "weights of the two bottlenecks": "'ResNet': 69632, 'ResNeXt, 32×4d': 70144",
    "difference of the two": "ResNeXt’s block has +0.7% weights",
    "weights of the gate": "2C²/r = 8,192 weights, 11.6% of the block's parameters",
    "work of the gate": "8,192 multiply-adds, 0.0038% of the block's",
    "the 7×7 at 256 channels": "C = 256: the 7×7 has 2.3% of the weights",
    "two seventeenths": "11.8%, and 2/17 is 11.8%",
    "from 7 channels on": "C = 7: 392 against 441",
}

# 256 channels on a map of 56×56: parameters, and millions of multiply-adds
BLOCKS = (
    ("basic", "1,180,672", "3,699.4"),
    ("bottleneck", "70,400", "218.4"),
    ("pre-activation", "1,180,672", "3,699.4"),
    ("wide", "1,180,672", "3,699.4"),
    ("ResNeXt", "71,168", "220.0"),
    ("squeeze-and-excitation", "78,864", "218.4"),
    ("RepVGG", "656,896", "2,055.2"),
    ("ConvNeXt", "539,136", "1,683.5"),
)


@pytest.mark.parametrize("what", FIGURES)
def test_it_shows_the_figures(book: "Book", what: str) -> None:
    assert FIGURES[what].replace("’", "'") in book.text(PAGE).replace("’", "'")


@pytest.mark.parametrize("row", BLOCKS)
def test_it_shows_what_each_block_costs(book: "Book", row: tuple[str, ...]) -> None:
    cells = [[cell.replace(",", "") for cell in found] for found in book.rows(PAGE)]
    assert [cell.replace(",", "") for cell in row] in cells


@pytest.mark.parametrize(
    ("depth", "factor", "parameters"),
    [("110", "1", "1,727,962"), ("20", "1", "269,722"), ("20", "2", "1,073,962")],
)
def test_it_shows_deep_and_wide_networks(book: "Book", depth: str, factor: str, parameters: str) -> None:
    assert [f"ResNet-{depth}", factor, parameters] in [row[:3] for row in book.rows(PAGE)]


def test_it_shows_49_c_against_27_and_49_c_squared(book: "Book") -> None:
    rows = {row[0]: row[1] for row in book.rows(PAGE) if len(row) == 3}
    assert rows["three 3×3"] == "1,769,472"
    assert rows["one 7×7"] == "3,211,264"
    assert rows["depthwise 7×7"] == "12,544"


def test_fusing_shows_eight_convolutions_and_no_normalisation(book: "Book") -> None:
    rows = {row[0]: row[1:] for row in book.rows(PAGE) if len(row) == 4}
    assert rows["in training"][:2] == ["40", f"{8 * (10 * 32**2 + 6 * 32):,}"]
    assert rows["fused"][:2] == ["8", f"{8 * (9 * 32**2 + 32):,}"]


@pytest.mark.parametrize(
    "row",
    [
        ["CIFAR-10", "ResNet-110, pre-activation", "6.37", "ResNet-110", "6.61", "Table 3"],
        ["CIFAR-10", "ResNet-164, pre-activation", "5.46", "–", "–", "Table 3"],
        ["CIFAR-10", "ResNet-1001, pre-activation", "4.92", "ResNet-1001", "7.61", "Table 3"],
        ["CIFAR-10", "WRN-28-10", "4.00", "ResNet-1001, pre-activation", "4.92", "Table 5"],
        ["ImageNet", "ResNeXt-50, 32×4d", "22.20", "ResNet-50", "23.90", "Table 3"],
        ["ImageNet", "ResNeXt-101, 32×4d", "21.20", "ResNet-101", "22.00", "Table 3"],
        ["ImageNet", "SE-ResNet-50", "23.29", "ResNet-50", "24.80", "Table 2"],
        ["ImageNet", "RepVGG-A0", "27.59", "–", "–", "Table 4"],
        ["ImageNet", "RepVGG-B1", "21.63", "–", "–", "Table 4"],
        ["ImageNet", "ConvNeXt-T", "17.90", "ResNet-50", "21.20", "Table 1, section 2.1"],
    ],
    ids=lambda row: str(row[1]),
)
def test_it_shows_what_the_papers_report(book: "Book", row: list[str]) -> None:
    assert row in book.rows(PAGE)


def test_it_compares_recipes_with_blocks(book: "Book") -> None:
    shown = book.text(PAGE)
    assert "from 21.2 to 24.8 %" in shown
    assert "3.6 points" in shown
    assert "at most 1.7 points" in shown
