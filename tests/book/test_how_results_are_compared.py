"""The figures of the chapter on how results are compared."""

from typing import TYPE_CHECKING

import pytest

import deepernets
from deepernets.results.comparison import best_epoch_gain, rate_dropped

if TYPE_CHECKING:
    from tests.book.conftest import Book

PAGE = "book/how-results-are-compared"

FIGURES = {
    "epochs of our recipes": "15 epochs on CIFAR-10 and 5 on MNIST, where the reports have 50",
    "steps of a budget": "19,550 and 5,475 steps",
    "fields that a report leaves open": "19 of 23 fields are open",
}


@pytest.mark.parametrize("what", FIGURES)
def test_it_shows_the_figures(book: "Book", what: str) -> None:
    assert FIGURES[what] in book.text(PAGE)


@pytest.mark.parametrize(
    "row",
    [
        ["learning_rate", "0.01", "0.1"],
        ["schedule", "constant", "one-cycle"],
        ["batch_size", "128", "64"],
        ["both_ways", "False", "True"],
    ],
    ids=lambda row: row[0],
)
def test_it_shows_the_fields_that_differ(book: "Book", row: list[str]) -> None:
    assert row in book.rows(PAGE)


@pytest.mark.parametrize("fell", [False, True])
def test_what_the_choice_of_an_epoch_is_worth_comes_from_the_records(book: "Book", fell: bool) -> None:
    gains = [
        best_epoch_gain(run)
        for run in deepernets.load_records()
        if run.profile == "full"
        and set(run.changes) <= {"epochs"}
        and run.recipe.name.startswith(("race/", "report-"))
        and run.recipe.data != "mnist"
        and rate_dropped(run) == fell
    ]
    first = "fell to a tenth or less" if fell else "did not fall"
    row = next(row for row in book.rows(PAGE) if row[0] == first)
    assert (row[1], row[3]) == (str(len(gains)), f"{max(gains):.1f}")
    assert f"{max(gains):.1f} points" in book.text(PAGE) or f"at most {max(gains):.1f}" in book.text(PAGE)
