"""The figures of the chapter on reading results."""

from typing import TYPE_CHECKING

import pytest

import deepernets

if TYPE_CHECKING:
    from tests.book.conftest import Book

PAGE = "book/reading-results"

FIGURES = {
    "report A's VGG-16, training loss": "epochs, training loss 0.0004",
    "its test accuracy": "test accuracy 91.2 %",
    "its epochs": "VGG-16 after 20 epochs",
    "what the loss leaves room for": "at most 8.7 of 15,000 wrong",
    "the last batch": "24",
    "ResNet-110, best run": "an error on CIFAR-10 of 6.43 %",
    "ResNet-110, five runs": "adds in brackets 6.61 ± 0.16",
    "the best of five by luck": "6.61 − 1.16 · 0.16 = 6.42",
    "McNemar for report A": "264 and 425 wrong of 3,000: 6.8e-49 ≤ p ≤ 9.2e-10",
    "McNemar for report B": "38 and 35 wrong of 10,000: 0.25 ≤ p ≤ 0.82",
    "images for half a point at 90 %": "takes 56,512 images",
    "the same, paired": "or 15,696 if",
    "cells of report B's MNIST table": "its MNIST table has 12 cells",
    "Wilson's interval": "Wilson: 90.1% to 92.2%",
    "three seeds": "1.3 standard deviations",
    "two seeds": "2 seeds: ± 8.98 s",
    "new test sets": "by 3 to 15 points on CIFAR-10 and 11 to 14 points on ImageNet",
}


@pytest.mark.parametrize("what", FIGURES)
def test_it_shows_the_figures(book: "Book", what: str) -> None:
    assert FIGURES[what] in book.text(PAGE)


def test_it_gives_the_reports_results_their_intervals(book: "Book") -> None:
    rows = book.rows(PAGE)
    for row in (
        ["A: VGG-16", "91.20", "264 of 3,000", "90.13 to 92.16"],
        ["A: ResNet-50", "85.83", "425 of 3,000", "84.54 to 87.04"],
        ["B: VGG-16, 0.01", "99.62", "38 of 10,000", "99.48 to 99.72"],
        ["B: VGG-13, scheduler", "99.65", "35 of 10,000", "99.51 to 99.75"],
        ["A: ResNet-50", "A: VGG-16", "85.83 → 91.20", "38"],
    ):
        assert row in rows


def test_it_reads_recall_and_precision_off_the_record(book: "Book") -> None:
    record = deepernets.load_records("report-a/vgg-16/as-reported")[0]
    counts, rows = record.test["confusion"], book.rows(PAGE)
    for number, name in enumerate(record.data["classes"]):
        images, said = sum(counts[number]), sum(row[number] for row in counts)
        right = counts[number][number]
        shares = [f"{100 * right / images:.1f}", f"{100 * right / said:.1f}"]
        assert [name, f"{images:,}", f"{said:,}", *shares] in rows


def test_it_says_where_the_recorded_run_comes_from(book: "Book") -> None:
    record = deepernets.load_records("report-a/vgg-16/as-reported")[0]
    shown = book.text(PAGE)
    for words in (
        record.label,
        f"mean training loss is {record.epochs[-1]['train_loss']:.3f}",
        f"{100 * record.test['accuracy']:.1f} % of 3,000 test images",
    ):
        assert words in shown
