"""The figures of the chapter on how VGG was trained and tested."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.book.conftest import Book

PAGE = "book/vgg-training"

FIGURES = {
    "Table 5": "dense evaluation has 24.8 % top-1 error, many crops 24.6 %, and their average 24.4 %",
    "a guess among ten": "would cost 2.30",
    "iterations": "370,000 steps of 256 images are 94,720,000 images",
    "epochs": "73.93 epochs; the paper says 74",
    "epochs of 1.3 million": "you get 72.9 epochs",
    "share of D that comes from A": "124,603,752 of 138,357,544 parameters, 90.1 %",
    "deviation 0.1": "0.1 (variance 0.01) s = 0.1000: ×4.80 per layer",
    "Glorot's deviation": "×0.71 per layer",
    "He's deviation": "×1.00 per layer",
    "from D to E with jitter": "and −0.1 with jitter",
    "head on a larger map": "scores of shape (2, 10, 6, 6)",
    "dense on its own size": "image 32×32, scores (1, 3, 1, 1)",
    "dense on a larger image": "image 48×64, scores (1, 3, 3, 5)",
    "challenge": "first in localisation and second in classification",
    "submission": "7.3 % top-5 error on the test images",
    "GoogLeNet": "seven networks and 6.7 %",
    "after the submission": "reached 6.8 %",
    "one network": "has 7.0 %, a single GoogLeNet 7.9 %",
    "steps of an epoch": "5005",
    "dense map of a landscape": "(1, 1000, 6, 10)",
    "the penalty at the start": "penalty 345.9, cross-entropy 6.91",
}

TABLE_3 = """
A 256 256 29.6 10.4
A-LRN 256 256 29.7 10.5
B 256 256 28.7 9.9
C 256 256 28.1 9.4
C 384 384 28.1 9.3
C [256;512] 384 27.3 8.8
D 256 256 27.0 8.8
D 384 384 26.8 8.7
D [256;512] 384 25.6 8.1
E 256 256 27.3 9.0
E 384 384 26.9 8.7
E [256;512] 384 25.5 8.0
"""
TABLE_4 = """
B 256 224,256,288 28.2 9.6
C 256 224,256,288 27.7 9.2
C 384 352,384,416 27.8 9.2
C [256;512] 256,384,512 26.3 8.2
D 256 224,256,288 26.6 8.6
D 384 352,384,416 26.5 8.6
D [256;512] 256,384,512 24.8 7.5
E 256 224,256,288 26.9 8.7
E 384 352,384,416 26.7 8.6
E [256;512] 256,384,512 24.8 7.5
"""
TABLE_7 = (
    ("VGG, multi-crop & dense", "2", "23.7", "6.8", "6.8"),
    ("VGG, multi-crop & dense", "1", "24.4", "7.1", "7.0"),
    ("VGG, ILSVRC submission", "7", "24.7", "7.5", "7.3"),
    ("GoogLeNet", "1", "–", "7.9", "–"),
    ("GoogLeNet", "7", "–", "6.7", "6.7"),
    ("MSRA", "11", "–", "–", "8.1"),
    ("MSRA", "1", "27.9", "9.1", "9.1"),
    ("Clarifai", "multiple", "–", "–", "11.7"),
    ("Clarifai", "1", "–", "–", "12.5"),
    ("Zeiler & Fergus", "6", "36.0", "14.7", "14.8"),
    ("Zeiler & Fergus", "1", "37.5", "16.0", "16.1"),
    ("OverFeat", "7", "34.0", "13.2", "13.6"),
    ("OverFeat", "1", "35.7", "14.2", "–"),
    ("Krizhevsky et al.", "5", "38.1", "16.4", "16.4"),
    ("Krizhevsky et al.", "1", "40.7", "18.2", "–"),
)


@pytest.mark.parametrize("what", FIGURES)
def test_it_shows_the_figures(book: "Book", what: str) -> None:
    assert FIGURES[what] in book.text(PAGE)


@pytest.mark.parametrize("row", [*TABLE_3.split("\n")[1:-1], *TABLE_4.split("\n")[1:-1]])
def test_it_quotes_tables_3_and_4(book: "Book", row: str) -> None:
    found = [[cell.replace(" ", "") for cell in cells] for cells in book.rows(PAGE)]
    assert found.count(row.split()) == 1


@pytest.mark.parametrize("row", TABLE_7)
def test_it_quotes_table_7(book: "Book", row: tuple[str, ...]) -> None:
    assert list(row) in book.rows(PAGE)


def test_it_gives_the_training_settings(book: "Book") -> None:
    settings = {row[0]: row[1] for row in book.rows(PAGE) if len(row) == 2}
    for setting, value in (
        ("batch size", "256"),
        ("momentum", "0.9"),
        ("weight decay", "5·10⁻⁴"),
        ("dropout", "0.5, on the first two fully-connected layers"),
        ("learning rate", "10⁻², divided by 10 when validation accuracy stopped improving (3 times)"),
        ("iterations", "370K (74 epochs)"),
        ("initial weights of A", "N(0, variance 10⁻²), biases 0"),
    ):
        assert settings[setting] == value


def test_seven_layers_of_d_start_from_a(book: "Book") -> None:
    starts = {row[0]: row[2] for row in book.rows(PAGE) if row[0].startswith(("block", "head."))}
    taken = {name: source for name, source in starts.items() if source != "(random)"}
    assert set(taken) == {
        *(f"block{number}" for number in ("1.conv1", "2.conv1", "3.conv1", "3.conv2")),
        *(f"head.fc{number}" for number in (1, 2, 3)),
    }
    assert all(name == source for name, source in taken.items())
    assert len(starts) == 16
