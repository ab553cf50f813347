"""What the chapter on looking inside shows: counts, tables and where its figures come from."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.book.conftest import Book

PAGE = "book/looking-inside"

WORDS = {
    "where everything comes from": "come from sketches , not from photographs",
    "the data": "240 test images of the variant sketches",
    "the network": "75,603 parameters",
    "features before the last layer": "1,024 numbers",
    "what a cell sees": "a cell covers 4×4 pixels of the picture and sees 32×32",
    "what occlusion costs": "49 and 484 forward passes",
    "scaled weights": "the same logits: True",
}


@pytest.mark.parametrize("what", WORDS)
def test_it_shows_what_is_certain(book: "Book", what: str) -> None:
    assert WORDS[what] in book.text(PAGE)


def test_it_counts_the_weights_of_every_layer(book: "Book") -> None:
    counted = [row[:2] for row in book.rows(PAGE) if row[0].endswith(".weight")]
    assert counted == [
        ["block1.conv1.weight", "432"],
        ["block1.conv2.weight", "2,304"],
        ["block2.conv1.weight", "4,608"],
        ["block2.conv2.weight", "9,216"],
        ["block3.conv1.weight", "18,432"],
        ["block3.conv2.weight", "36,864"],
    ]


def test_it_shows_channels_and_sides_of_every_layer(book: "Book") -> None:
    shown = [row[:2] for row in book.rows(PAGE) if len(row) == 5 and " of " in row[1]]
    assert shown == [
        [f"block{block}.relu{layer}", maps]
        for block, maps in ((1, "16 of 32×32"), (2, "32 of 16×16"), (3, "64 of 8×8"))
        for layer in (1, 2)
    ]


def test_heat_is_compared_with_an_untrained_network_and_an_even_map(book: "Book") -> None:
    rows = book.rows(PAGE)
    head = next(row for row in rows if "even map, %" in row)
    assert head == ["layer", "trained, %", "untrained, %", "even map, %", "rank correlation"]
    measured = [row for row in rows if len(row) == 5 and row[0].startswith("block") and " of " not in row[1]]
    assert len(measured) == 3
    for _, trained, untrained, even, correlation in measured:
        assert 0 < float(trained) < 100
        assert 0 < float(untrained) < 100
        assert 20 < float(even) < 27
        assert -1 <= float(correlation.replace("−", "-")) <= 1


def test_squares_are_counted_by_what_they_cover(book: "Book") -> None:
    names = ["only background", "up to a quarter", "a quarter to a half", "more than half"]
    rows = {row[0]: row for row in book.rows(PAGE) if row and row[0] in names}
    assert list(rows) == names
    assert sum(int(row[1].replace(",", "")) for row in rows.values()) == 24 * 49


@pytest.mark.parametrize("name", ["kernels", "maps", "gradcam", "occlusion", "features", "cka", "landscape"])
def test_every_figure_has_words_of_its_own(book: "Book", name: str) -> None:
    assert len(book.description(PAGE, f"inside-{name}").split()) > 15


def test_the_captions_say_sketches(book: "Book") -> None:
    captions = [caption.get_text() for caption in book.article(PAGE).select("figcaption")]
    assert len(captions) == 7
    assert sum("sketches" in caption for caption in captions) == 7
