"""The figures of the page that summarises the VGG paper."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.book.conftest import Book

PAGE = "book/vgg-in-one-page"

FIGURES = {
    "three 3×3 against one 7×7": "27 C² against 49 C² weights: the 7×7 has 81.5% more (paper: 81 %)",
    "E against A": "8.1 % more parameters than A",
    "5×5 in place of pairs of 3×3": "has a 7 % higher top-1 error (section 4.1)",
    "local response normalisation": "+0.1 points from A to A-LRN",
    "depth": "falls by 2.3 points from A to E",
    "1×1 and 3×3": "by 0.6 points from B to C and by 1.1 from C to D",
    "scale jitter": "It gains 1.2 points for D over",
    "three scales": "from 25.6 to 24.8 % (Table 4)",
    "Table 5": "dense evaluation gives 24.8 %, many crops 24.6 %, and their average 24.4 %",
    "Table 6": "23.7 % top-1 and 6.8 % top-5 error (Table 6)",
    "one network": "reaches 7.0 % top-5 on the test images, and a single GoogLeNet 7.9 %",
    "the challenge": "first in localisation and second in classification",
    "submissions": "had 7.3 % top-5 error, and the seven of the winner, GoogLeNet, 6.7 %",
    "hardware": "took 2 to 3 weeks on 4 GPUs, which together were 3.75 times as fast as one",
}


@pytest.mark.parametrize("what", FIGURES)
def test_it_shows_the_figures(book: "Book", what: str) -> None:
    assert FIGURES[what] in book.text(PAGE)


def test_its_table_has_the_six_configurations(book: "Book") -> None:
    rows = book.rows(PAGE)
    for name, layers, blocks, exact, top1, top5 in (
        ("A", "11", "1-1-2-2-2", "132,863,336", "29.6", "10.4"),
        ("A-LRN", "11", "1-1-2-2-2", "132,863,336", "29.7", "10.5"),
        ("B", "13", "2-2-2-2-2", "133,047,848", "28.7", "9.9"),
        ("C", "16", "2-2-3-3-3", "133,638,952", "28.1", "9.4"),
        ("D", "16", "2-2-3-3-3", "138,357,544", "27.0", "8.8"),
        ("E", "19", "2-2-4-4-4", "143,667,240", "27.3", "9.0"),
    ):
        assert any(row[:4] == [name, layers, blocks, exact] and row[5:] == [top1, top5] for row in rows)
