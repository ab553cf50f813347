"""What the chapter on one machine shows: counts, formats of numbers, and the rows of its tables."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import deepernets
from deepernets.analysis.statistics import mean_and_sd
from deepernets.benchmark.run import images_per_second
from deepernets.recipes.speedrun import PARTS
from deepernets.results.ablation import ablation_effects

if TYPE_CHECKING:
    from tests.book.conftest import Book

PAGE = "book/one-machine"

WORDS = {
    "CIFAR-10 in memory": "as bytes 184 MB, as fp32 737 MB",
    "work against ResNet-20": "takes 7.7 times as many multiply-adds",
    "share of the work": "does 13 % of VGG-16",
    "layouts": "strides (65536, 1024, 32, 1) and (65536, 1, 2048, 64)",
    "same numbers": "same result: True",
    "rounding in the two formats": "torch.float16 0.0e+00 1.0009765625",
    "rounding in bf16": "torch.bfloat16 1.0e-08 1.0",
    "tensors of ResNet-20": "ResNet-20’s 59 tensors",
    "multiply-adds of ResNet-20": "needs only 41 million multiply-adds",
    "the speed run": "reaches 94 % on the test images in 3.29 seconds on one A100 , with 360 trillion operations",
    "the dash": "cifar10/dash: 1,972,778 parameters 118.1 million multiply-adds, 10 epochs",
    "the narrow dash": "cifar10/dash-narrow: 127,082 parameters 10.1 million multiply-adds, 3 epochs",
    "intensity of 3×3": "3×3, 64 channels: 144.0",
    "intensity of 1×1": "1×1, 576 channels: 144.0",
    "bf16 additions": "after a thousand steps: 1.0",
}


@pytest.mark.parametrize("what", WORDS)
def test_it_shows_what_is_certain(book: "Book", what: str) -> None:
    assert WORDS[what] in book.text(PAGE)


@pytest.mark.parametrize(
    "row",
    [
        ["float32", "8", "24", "3.4e+38", "1.2e-38"],
        ["float16", "5", "11", "6.6e+04", "6.1e-05"],
        ["bfloat16", "8", "8", "3.4e+38", "1.2e-38"],
    ],
)
def test_the_formats_have_their_bits(book: "Book", row: list[str]) -> None:
    assert row in book.rows(PAGE)


@pytest.mark.parametrize(
    ("layer", "intensity"),
    [
        ("VGG-16: first, 3 to 64", "12.9"),
        ("VGG-16: second, 64 to 64", "144.0"),
        ("VGG-16: first fully-connected", "61.8"),
        ("ResNet-20: 16 to 16", "36.0"),
        ("ResNet-20: 64 to 64", "139.1"),
        ("ResNet-20: a ReLU", "0.0"),
    ],
)
def test_layers_have_their_intensity(book: "Book", layer: str, intensity: str) -> None:
    (row,) = [row for row in book.rows(PAGE) if row[0] == layer]
    assert row[-1] == intensity


def test_networks_have_their_multiply_adds(book: "Book") -> None:
    shown = {row[0]: row[1] for row in book.rows(PAGE) if len(row) == 6}
    expected = {"VGG-16": "15470.3", "ResNet-50": "3858.0", "VGG-16, 32×32": "313.2", "ResNet-20": "40.6"}
    assert {name: shown[name].replace(",", "") for name in expected} == expected


def test_timings_say_where_they_were_taken(book: "Book") -> None:
    text = book.text(PAGE)
    assert text.count("measured on the machine that built this page: ") >= 5
    for row in ("one image at a time", "whole batches", "fp32, channels last", "neither", "both", "fused"):
        assert row in [shown[0] for shown in book.rows(PAGE)]


def test_every_record_has_its_rate(book: "Book") -> None:
    rows = [row for row in book.rows(PAGE) if len(row) == 4]
    for run in deepernets.load_records():
        where = f"{run.data['variant']}, {run.precision}, {run.device}"
        shown = [row for row in rows if row[0] == run.recipe.model and row[1].startswith(f"{where};")]
        assert len(shown) == 1
        assert float(shown[0][2].replace(",", "")) >= round(images_per_second(run))


@pytest.mark.parametrize("name", ["phases", "roofline", "bench", "rates"])
def test_every_figure_has_words_of_its_own(book: "Book", name: str) -> None:
    assert len(book.description(PAGE, f"fast-{name}").split()) > 15


def test_the_recorded_benchmarks_stand_in_the_table(book: "Book") -> None:
    figures = sorted((Path(__file__).parents[2] / "benchmarks" / "figures").glob("*.json"))
    assert figures
    for path in figures:
        found = json.loads(path.read_text(encoding="utf-8"))
        assert found["machine"] in book.text(PAGE)
        for row in found["measurements"]:
            total = sum(row["milliseconds"].values())
            wanted = [row["network"], f"{row['way']}, {row['precision']}", f"{total:.2f}"]
            assert wanted in [cells[:3] for cells in book.rows(PAGE)]


@pytest.mark.parametrize("part", PARTS)
def test_every_part_of_the_speedrun_has_its_effect_or_is_said_not_to_be_run(book: "Book", part: str) -> None:
    worth = next(
        found
        for found in ablation_effects("cifar10/dash-narrow", deepernets.load_records())
        if found.part == part
    )
    (row,) = [row for row in book.rows(PAGE) if row[0] == part.replace("-", " ") and len(row) == 4]
    assert row[1] == str(worth.without or "not run")
    assert row[3] == str(len(worth.gains))
    if worth.mean is None:
        assert row[2] == "not run"
    else:
        assert row[2].replace("−", "-").startswith(f"{worth.mean:+.2f}")


def test_two_precisions_are_compared_over_seeds_or_said_to_be_missing(book: "Book") -> None:
    name = "race/one-cycle"
    runs = {
        kind: {
            run.seed: run
            for run in deepernets.load_records(name, requested_precision=kind)
            if run.profile == "laptop"
        }
        for kind in ("fp32", "bf16")
    }
    seeds = runs["fp32"].keys() & runs["bf16"].keys()
    shown = [row[0] for row in book.rows(PAGE)]
    if len(seeds) < 2:
        assert "which this table would show, are missing" in book.text(PAGE)
        return
    for accuracy in ("validation accuracy, %", "test accuracy, %"):
        assert shown.count(accuracy) == 1
    (row,) = [row for row in book.rows(PAGE) if row[0] == "test accuracy, %"]
    accuracies = [[100 * found[seed].test["accuracy"] for seed in seeds] for found in runs.values()]
    assert row[1:3] == ["{:.2f} ± {:.2f}".format(*mean_and_sd(found)) for found in accuracies]
