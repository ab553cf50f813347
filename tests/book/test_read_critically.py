"""The figures of the chapter on critical reading, and that each of its tests has caught something."""

import re
from typing import TYPE_CHECKING

import pytest

import deepernets
from deepernets.results.comparison import measured, on_equal_terms

if TYPE_CHECKING:
    from tests.book.conftest import Book

PAGE = "book/read-critically"

FIGURES = {
    "the cell that passes 89 %": "VGG-16, rate 0.001: 93.82 %",
    "the paper's ResNet-20": "gives ResNet-20 91.25 %",
    "the lead that its text states": "93.82 - 87.77 = 6.05",
    "report C's last epoch": "492,112 - 482,234 = 9,878 of 10,000",
    "how far report B is under it": "With 18.03 points at a rate of 0.01",
    "27 C² and 49 C² for 64 channels": "C = 64: 110,592 against 200,704; claimed 1,728",
    "and for 128": "C = 128: 442,368 against 802,816; claimed 3,456",
    "parameters of the shortcuts": "9 shortcuts of ResNet-20: 0 parameters",
    "parameters of a gate": "3×3 gate of 64 channels: 36,928",
    "block three": "Block 3: conv3-256 conv3-256 conv3-256",
    "block four has 512 filters": "Block 4: conv3-512 conv3-512 conv3-512",
    "sixteen layers": "13 convolutions + 3 fully-connected layers",
    "report A's gap": "5.4 points between the report’s two networks",
    "VGG's submission": "top-5 error of 7 networks: 7.3 % on the test images",
    "GoogLeNet": "7: 6.7 %",
    "VGG's later result": "with 2 networks: 6.8 %",
    "a count that proves little": "to the last digit, 25,557,032 .",
    "parameters of both ResNet-50s": "25,557,032 parameters, both",
    "multiply-adds of v1.5": "4.1 billion multiply-adds",
    "the refusal of 28×28": "28×28 pixels are too few",
    "a running mean by hand": "95.0 %",
}


@pytest.mark.parametrize("what", FIGURES)
def test_it_shows_the_figures(book: "Book", what: str) -> None:
    assert FIGURES[what] in book.text(PAGE)


@pytest.mark.parametrize(
    "row",
    [
        ["ResNet-20", "rate 0.01", "73.22", "91.25", "18.03"],
        ["ResNet-20", "rate 0.001", "68.45", "91.25", "22.80"],
        ["ResNet-20", "scheduler", "76.35", "91.25", "14.90"],
        ["ResNet-44", "rate 0.01", "70.95", "92.83", "21.88"],
        ["ResNet-44", "rate 0.001", "69.02", "92.83", "23.81"],
        ["ResNet-44", "scheduler", "75.65", "92.83", "17.18"],
        ["VGG D", "138,357,544", "138,344,128"],
        ["ResNet-20", "269,722", "268,336"],
    ],
    ids=lambda row: ", ".join(row[:2]),
)
def test_its_tables_have_the_published_figures(book: "Book", row: list[str]) -> None:
    assert row in book.rows(PAGE)


CAUGHT = {
    "half of c_out on each side": "48 channels for 16 to 32",
    "a quarter of c_out on each side": "48 channels for 16 to 64",
    "the stride in the 3×3": "4.1 billion multiply-adds",
    "a ReLU before the addition": "no output is below its input",
    "softmax twice": "loss 1.46 where all is right and certain",
    "eval forgotten": "with their neighbours",
    "the test images' own statistics": "an image alone differs by",
    "the same augmentation": "epoch 2 shows what epoch 1 showed",
    "label smoothing in the evaluation": "of a perfect network",
    "averaged batches": "0.50 for 4 of 5",
}


@pytest.mark.parametrize("what", CAUGHT)
def test_each_wrong_version_is_caught(book: "Book", what: str) -> None:
    caught = [line for line in book.text(PAGE).split("caught: ")[1:] if CAUGHT[what] in line]
    assert caught
    assert all("ours passes" in line for line in caught)


def test_the_training_steps_are_worked_out_by_hand(book: "Book") -> None:
    shown = book.text(PAGE)
    assert shown.count("caught: ") == 13  # one wrong version each, two of shortcut A and of the step
    assert shown.count("ours passes") == 13


def test_the_spread_of_the_race_is_the_records(book: "Book") -> None:
    runs = on_equal_terms(
        [run for run in deepernets.load_records() if run.recipe.name.startswith("race/") and run.seed == 0]
    )
    reached = [100 * run.test["accuracy"] for run in runs]
    assert f"differ by up to {max(reached) - min(reached):.1f} points" in book.text(PAGE)
    assert f"have {runs[0].model['parameters']:,} parameters" in book.text(PAGE)


def test_training_with_a_mistake_looks_normal(book: "Book") -> None:
    found = re.search(
        r"gradients that accumulate is at ([\d.]+) and the right one at ([\d.]+) .*ahead , at ([\d.]+)",
        book.text(PAGE),
    )
    assert found is not None
    accumulated, right, twice = map(float, found.groups())
    assert abs(accumulated - right) < 0.15
    assert twice < right < 1.0


def test_the_doubtful_cell_is_next_to_our_run_of_its_recipe(book: "Book") -> None:
    assert "one wrong digit" not in book.text(PAGE).lower()
    run = measured("report-b/vgg-16-cifar10/as-reported-rate-0.001", deepernets.load_records())
    assert run is not None
    cells = ["VGG-16, rate 0.001", "93.82", f"{run} ({run.particulars})"]
    assert any(row[:3] == cells for row in book.rows(PAGE))
    assert f"Our run ends {93.82 - run.mean:.1f} points under the report" in book.text(PAGE)
