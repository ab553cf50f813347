"""The figures of the chapter on data."""

import re
from typing import TYPE_CHECKING

import pytest

import deepernets

if TYPE_CHECKING:
    from tests.book.conftest import Book

PAGE = "book/data"
PLACES = r"(\d+\.\d+)"

FIGURES = {
    "scikit-learn's digits": "the 1,797 real digits",
    "the classes of CIFAR-3": "('airplane', 'automobile', 'bird')",
    "ResNet's split": "50,000 training images into 45,000 and 5,000",
    "wrong labels": "15 of 10,000 on MNIST and 54 of 10,000 on CIFAR-10",
    "crops with padding": "crops with a strip of padding: 98.8%",
    "pixels of padding": "on average: 13.4%",
    "28 pixels through five pools": "28 pixels: 28 → 14 → 7 → 3 → 1 → 0",
    "32 pixels through five pools": "32 pixels: 32 → 16 → 8 → 4 → 2 → 1",
    "bytes of an image": "3,072 bytes",
    "report B's VGG-13": "99.65 % on MNIST",
    "its mistakes": "35 mistakes, 20 of them its own: 99.80% on corrected labels",
}


@pytest.mark.parametrize("what", FIGURES)
def test_it_shows_the_figures(book: "Book", what: str) -> None:
    assert FIGURES[what] in book.text(PAGE)


@pytest.mark.parametrize(
    "row",
    [
        ["mnist", "10", "60,000", "10,000"],
        ["cifar10", "10", "50,000", "10,000"],
        ["cifar3", "3", "15,000", "3,000"],
        ["digits", "10", "1,438", "359"],
        ["sketches", "3", "1,500", "600"],
        ["cifar10", "1,000", "1,000", "10.0"],
        ["cifar3", "1,000", "1,000", "33.3"],
        ["mnist", "892", "1,135"],
        ["sketches", "200", "200", "33.3"],
        ["0", "100", "1.000"],
        ["5", "95", "0.925"],
        ["10", "90", "0.850"],
        ["20", "80", "0.700"],
    ],
)
def test_it_sets_the_tables(book: "Book", row: list[str]) -> None:
    if row[0] in ("mnist", "cifar10", "cifar3") and not _recorded(row[0]):
        pytest.skip("no run on it is recorded")
    assert row in [found[: len(row)] for found in book.rows(PAGE)]


def test_the_digits_are_all_there() -> None:
    digits = deepernets.load_dataset("digits")
    assert len(digits.train) + len(digits.test) == 1797


@pytest.mark.parametrize("name", ["mnist", "cifar10", "cifar3"])
def test_the_statistics_are_a_records(book: "Book", name: str) -> None:
    found = _recorded(name)
    if not found:
        pytest.skip("no run on it is recorded")
    shown = [row[1:3] for row in book.rows(PAGE) if row[0] == name]
    written = [[_four_places(run.data["mean"]), _four_places(run.data["std"])] for run in found]
    assert any(row in shown for row in written)


def test_wrong_labels_make_the_better_network_win_less_often(book: "Book") -> None:
    wins = {
        row[0]: [int(cell) for cell in row[3:]]
        for row in book.rows(PAGE)
        if len(row) == 5 and row[0].isdigit() and row[2].startswith(("0.", "1."))
    }
    assert wins["0"] == pytest.approx([89, 99], abs=6)
    assert wins["20"] == pytest.approx([79, 97], abs=8)
    assert wins["20"][0] < wins["0"][0]


def test_mirrored_digits_are_misread_and_mirrored_sketches_are_not(book: "Book") -> None:
    fell = re.search(f"the rule falls from {PLACES} to {PLACES} %", book.text(PAGE))
    kept = re.search(f"mirror changes little, {PLACES} to {PLACES} %", book.text(PAGE))
    assert fell is not None
    assert kept is not None
    assert float(fell[2]) < float(fell[1]) - 50
    assert float(kept[2]) > float(kept[1]) - 5


def test_jpeg_costs_more_the_lower_its_quality(book: "Book") -> None:
    decibels = {row[0]: float(row[1]) for row in book.rows(PAGE) if row[0] in ("95", "75", "25")}
    assert 20 < decibels["25"] < decibels["75"] < decibels["95"] < 40


def test_copies_are_labelled_as_such(book: "Book") -> None:
    outputs = [tag.get_text().strip() for tag in book.article(PAGE).select(".output pre")]
    assert "cifar10-jpeg" in outputs
    assert any("did you mean 'cifar3'" in output for output in outputs)


def _recorded(name: str) -> list[deepernets.Record]:
    return [record for record in deepernets.load_records() if record.data["name"] == name]


def _four_places(values: list[float]) -> str:
    return ", ".join(f"{value:.4f}" for value in values)
