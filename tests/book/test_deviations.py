"""The ledger of deviations: what the code does differently, and how the papers' numbers were checked."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.book.conftest import Book

PAGE = "book/deviations"

OURS = [
    "batch normalisation in VGG",
    "VGG's initial weights",
    "projection shortcuts",
    "input",
    "padding before the crop",
    "CIFAR-10",
    "validation split",
    "length",
    "warm-up of ResNet-110",
    "weight decay",
    "momentum",
    "report C's networks",
]


@pytest.mark.parametrize("what", OURS)
def test_the_ledger_names_our_deviations_with_a_reason(book: "Book", what: str) -> None:
    rows = [row for row in book.rows(PAGE) if row[0].replace("’", "'") == what and len(row) == 4]
    assert rows
    assert all(all(row) for row in rows)


def test_the_papers_steps_are_given_in_epochs(book: "Book") -> None:
    assert "182 epochs, 64,064 steps" in book.text(PAGE)


CHECKED = {
    "VGG, section 3.3": ["4 GPUs, 3.75 times as fast as one, two to three weeks a network"],
    "VGG, section 4.1": ["7 % higher top-1 error"],
    "VGG, Table 5": ["D 24.8 / 24.6 / 24.4 %", "E 24.8 / 24.6 / 24.4 %"],
    "VGG, Table 6": ["two networks: 23.7 % top-1, 6.8 % top-5"],
    "ResNet, section 3.4": ["[256, 480]", "batch size 256", "weight decay 10⁻⁴", "up to 600K"],
    "ResNet, Tables 7 and 8": ["VOC 2007 73.2 → 76.4 %, COCO 21.2 → 27.2 % mAP"],
    "He et al. (2016b), Table 3": ["6.61 → 6.37 %", "7.61 → 4.92 %"],
    "Zagoruyko & Komodakis (2016), Table 5": ["4.00 %"],
    "Xie et al. (2017), Table 3": ["23.9 → 22.2 %", "22.0 → 21.2 %"],
    "Hu et al. (2018), Table 2": ["24.80 → 23.29 %"],
    "Ding et al. (2021), Table 4": ["27.59 %, 21.63 %"],
    "Liu et al. (2022), section 2.1": ["23.9 → 21.2 %"],
    "Liu et al. (2022), Table 1": ["17.9 %"],
}


@pytest.mark.parametrize("source", CHECKED)
def test_it_says_how_the_papers_numbers_were_checked(book: "Book", source: str) -> None:
    (row,) = [row for row in book.rows(PAGE) if row[0] == source]
    assert all(words in row[1] for words in CHECKED[source])
    assert row[2]


def test_it_says_what_was_not_checked(book: "Book") -> None:
    assert [row[0] for row in book.rows(PAGE) if row[-1] == "not checked"] == ["Ding et al. (2021), Table 4"]
