"""What the chapter on many machines shows: bytes per step, predictions, and the rows of its tables."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.book.conftest import Book

PAGE = "book/many-machines"

WORDS = {
    "64 processes against 8": "About as many: 1.12 times",
    "the large batch": "in 60 minutes on 256 GPUs , 8,192 images per step",
    "a ring and a centre": "178,899,224 and 1,431,193,792 bytes",
    "repeated images": "rank 2: [2, 6, 0] by slices: [2, 6]",
}


@pytest.mark.parametrize("what", WORDS)
def test_it_shows_what_is_certain(book: "Book", what: str) -> None:
    assert WORDS[what] in book.text(PAGE)


@pytest.mark.parametrize(
    "row",
    [
        ["VGG-16", "138,357,544", "553.4", "968.5", "1,089.6"],
        ["ResNet-50", "25,557,032", "102.2", "178.9", "201.3"],
        ["ResNet-20", "269,722", "1.1", "1.9", "2.1"],
    ],
)
def test_a_ring_sends_so_many_megabytes(book: "Book", row: list[str]) -> None:
    assert row in book.rows(PAGE)


def test_scaling_is_predicted_for_three_networks_at_1_8_and_64(book: "Book") -> None:
    rows = [row for row in book.rows(PAGE) if len(row) == 5 and row[1] in ("1", "8", "64") and "-" in row[0]]
    assert [row[:2] for row in rows] == [
        [name, count] for name in ("VGG-16", "ResNet-50", "ResNet-20") for count in ("1", "8", "64")
    ]
    assert [row[4] for row in rows if row[1] == "1"] == ["100.00"] * 3


@pytest.mark.parametrize(("name", "parameters"), [("vgg-mini-bn-cifar", 82_778), ("resnet-20", 269_722)])
def test_two_processes_hand_over_four_bytes_for_each_parameter(
    book: "Book", name: str, parameters: int
) -> None:
    rows = {row[0]: row[1:] for row in book.rows(PAGE) if len(row) == 3}
    column = rows["parameters"], rows["bytes to add up, counted"], rows["4 bytes for each parameter"]
    at = ["vgg-mini-bn-cifar", "resnet-20"].index(name)
    assert [row[at] for row in column] == [f"{parameters:,}", f"{4 * parameters:,}", f"{4 * parameters:,}"]
    for what in ("measured, two processes, ms", "measured / predicted for two machines"):
        assert float(rows[what][at]) > 0  # how long it took is not the page's to promise


def test_the_figure_has_words_of_its_own(book: "Book") -> None:
    assert len(book.description(PAGE, "fast-efficiency").split()) > 15
