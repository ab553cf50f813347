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
