"""The figures of the chapter on critical reading, and that each of its tests has caught something."""

import re
from typing import TYPE_CHECKING

import pytest

import deepernets
from deepernets.analysis.depth import diagnosis
from deepernets.results.comparison import largest_comparable_group, measured

if TYPE_CHECKING:
    from tests.book.conftest import Book

PAGE = "book/read-critically"

FIGURES = {
    "the cell that passes 89 %": "VGG-16, rate 0.001: 93.82 %",
    "the paper's ResNet-20": "has 91.25 %",
    "the lead that its text states": "93.82 - 87.77 = 6.05",
    "report C's last epoch": "492,112 - 482,234 = 9,878 of 10,000",
    "how far report B is under it": "With 18.03 points at a rate of 0.01",
    "27 C² and 49 C² for 64 channels": "C = 64: 110,592 against 200,704; claimed 1,728",
    "and for 128": "C = 128: 442,368 against 802,816; claimed 3,456",
    "parameters of a shortcut": "a ResNet-20's 9 shortcuts: 0 parameters",
    "the shortcut never closes": "identity shortcut: 1.00, always",
    "block three": "block 3: conv3-256 conv3-256 conv3-256",
    "block four has 512 filters": "block 4: conv3-512 conv3-512 conv3-512",
    "sixteen layers": "13 convolutions + 3 fully-connected layers",
    "report A's gap": "5.4 points between the report’s two networks",
    "VGG's later result": "6.8 %",
    "a count that proves little": "all 25,557,032 .",
    "parameters of both ResNet-50s": "25,557,032 parameters, both",
    "multiply-adds of v1.5": "4.1 billion multiply-adds",
    "the refusal of 28×28": "28×28 pixels are too few",
    "the papers' steps, in epochs": "182 epochs, 64,064 steps",
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
        ["VGG, ILSVRC submission", "7.5", "7.3"],
        ["GoogLeNet", "6.7", "–"],
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


def test_gradients_of_the_deep_plain_network_do_not_vanish(book: "Book") -> None:
    found = re.search(r"plain-56 first convolution ([\d.]+), last ([\d.]+)", book.text(PAGE))
    assert found is not None
    assert float(found[1]) > 10 * float(found[2])


def test_short_plain_runs_are_not_called_degraded(book: "Book") -> None:
    runs = {
        run.recipe.model: run.epochs
        for run in largest_comparable_group(
            run for name in ("plain-20", "plain-56") for run in deepernets.load_records(f"paper/{name}")
        )
    }
    verdict = diagnosis(runs["plain-20"], runs["plain-56"])
    assert f"Together the two runs are: {verdict}" in book.text(PAGE)


def test_the_small_networks_results_are_the_records(book: "Book") -> None:
    shown = book.rows(PAGE)
    for run in deepernets.load_records("race/constant"):
        accuracy = f"{100 * run.test['accuracy']:.1f}"
        assert ["race/constant", f"{run.model['parameters']:,}", str(len(run.epochs)), accuracy] in shown


@pytest.mark.parametrize(
    "what",
    [
        "batch normalisation in VGG",
        "padding before the crop",
        "weight decay",
        "warm-up of ResNet-110",
        "CIFAR-10",
    ],
)
def test_the_ledger_names_our_departures(book: "Book", what: str) -> None:
    assert any(row[0] == what and len(row) == 3 for row in book.rows(PAGE))


def test_the_doubtful_cell_is_next_to_our_run_of_its_recipe(book: "Book") -> None:
    assert "one wrong digit" not in book.text(PAGE).lower()
    run = measured("report-b/vgg-16-cifar10/as-reported-rate-0.001", deepernets.load_records())
    assert run is not None
    cells = ["VGG-16, rate 0.001", "93.82", f"{run} ({run.particulars})"]
    assert any(row[:3] == cells for row in book.rows(PAGE))
    assert f"Our run ends {93.82 - run.mean:.1f} points under the report" in book.text(PAGE)
