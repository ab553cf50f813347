"""The figures of the chapter on recipes."""

from typing import TYPE_CHECKING

import pytest

import deepernets

if TYPE_CHECKING:
    from tests.book.conftest import Book

PAGE = "book/recipe"

FIGURES = {
    "ResNet's passes over 45,000 images": "182.04",
    "rounded": "so 182 epochs",
    "VGG's images in an epoch": "1,280,000",
    "a guess among three classes": "from 1.099 down to 0.551",
    "a guess among ten classes": "from 2.303 down to 1.461",
    "the floor of label smoothing": "at least 0.5003, at a lead of 4.51",
    "the drops as shares": "[0.5, 0.75]",
    "momentum's memory": "{0.9: 22, 0.99: 230}",
}


@pytest.mark.parametrize("what", FIGURES)
def test_it_shows_the_figures(book: "Book", what: str) -> None:
    assert FIGURES[what] in book.text(PAGE)


def test_it_sets_the_papers_recipes_side_by_side(book: "Book") -> None:
    rows = book.rows(PAGE)
    for row in (
        ["batch size", "256", "128"],
        ["momentum", "0.9", "0.9"],
        ["weight decay", "5·10⁻⁴", "10⁻⁴"],
        ["dropout", "0.5, on the first two fully-connected layers", "none"],
        [
            "learning rate",
            "10⁻², divided by 10 when validation accuracy stopped improving (3 times)",
            "0.1, divided by 10 at 32k and 48k of 64k iterations",
        ],
        ["iterations", "370K (74 epochs)", "64k (182 epochs)"],
        ["initial weights", "N(0, variance 10⁻²), biases 0", "He et al. 2015"],
        ["warm-up", "none", "110 layers: 0.01 until training error is under 80 % (about 400 iterations)"],
    ):
        assert row in rows


RACES = [
    record
    for record in deepernets.load_records()
    if record.recipe.name.startswith("race/") and (record.profile, record.seed) == ("full", 0)
]


@pytest.mark.parametrize("record", RACES, ids=lambda record: record.recipe.name)
def test_it_shows_every_recorded_race(book: "Book", record: deepernets.Record) -> None:
    name = record.recipe.name.removeprefix("race/")
    row = next(row for row in book.rows(PAGE) if row[0] == name)
    last = record.epochs[-1]
    assert row[1:4] == [
        f"{record.recipe.optimizer} {record.recipe.learning_rate:g}",
        f"{last['train_loss']:.3f}",
        f"{100 * last['validation_accuracy']:.1f}",
    ]


def test_its_words_name_the_best_and_the_worst_race(book: "Book") -> None:
    ranked = sorted(RACES, key=lambda record: record.epochs[-1]["validation_accuracy"])
    best, worst = ranked[-1].epochs[-1]["validation_accuracy"], ranked[0].epochs[-1]["validation_accuracy"]
    assert f"the highest validation accuracy, {100 * best:.1f} %" in book.text(PAGE)
    assert f"the lowest, {100 * worst:.1f} %" in book.text(PAGE)


def test_it_says_where_the_races_come_from(book: "Book") -> None:
    shown = book.text(PAGE)
    for words in ("seed 0, profile full", RACES[0].data["variant"], RACES[0].precision, RACES[0].device):
        assert words in shown


def test_it_prints_the_packages_own_loop(book: "Book") -> None:
    printed = book.text(PAGE).replace(" ", "")
    assert "optimizer.zero_grad()loss.backward()optimizer.step()" in printed
