"""The figures of the chapter on convolution by numbers."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.book.conftest import Book

PAGE = "book/convolution"

FIGURES = {
    "three 3×3 against one 7×7": "27 C² against 49 C² the 7×7 has 81.5% more; the paper: 81 %",
    "five 3×3 against one 11×11": "5 × 3×3: 45 C², one 11×11: 121 C², ratio 2.69",
    "a stem": "3 → 64 channels: one 7×7 9,408, three 3×3 75,456",
    "the bank of 7×7 kernels": "108 weights, 100 directions of 196 in the bank",
    "parameters of VGG-16": "VGG-16 has 138,357,544 parameters",
    "its multiply-adds": "does 15.47 billion multiply-adds",
    "VGG-19's multiply-adds, as published": "19.6 billion for VGG-19",
    "the first fully-connected layer, as a convolution": "Conv2d 102,764,544 parameters",
    "and as it is": "Linear 102,764,544 parameters",
    "five pools on 224 pixels": "224 → 112 → 56 → 28 → 14 → 7",
    "five pools on a digit": "28 → 14 → 7 → 3 → 1 → 0",
    "with rounding up": "28 → 14 → 7 → 4 → 2 → 1",
    "the batch of the paper": "times 256 images",
    "the output at the upper left": "[[ 1.",
    "the loops against PyTorch": "shape (3, 4, 4), largest difference under 1e-12: True",
    "the work of ResNet's first layer": "118{,}013{,}952",
    "how much less work on small images": "multiply_adds shrink by 49.0",
}

# name, channels in and out, side of the output
CONVOLUTIONS = [
    ("block1.conv1", 3, 64, 224),
    ("block1.conv2", 64, 64, 224),
    ("block2.conv1", 64, 128, 112),
    ("block2.conv2", 128, 128, 112),
    ("block3.conv1", 128, 256, 56),
    ("block3.conv2", 256, 256, 56),
    ("block3.conv3", 256, 256, 56),
    ("block4.conv1", 256, 512, 28),
    ("block4.conv2", 512, 512, 28),
    ("block4.conv3", 512, 512, 28),
    ("block5.conv1", 512, 512, 14),
    ("block5.conv2", 512, 512, 14),
    ("block5.conv3", 512, 512, 14),
]
POOLS = [
    ("block1", 64, 112),
    ("block2", 128, 56),
    ("block3", 256, 28),
    ("block4", 512, 14),
    ("block5", 512, 7),
]
CONNECTED = [("head.fc1", 25088, 4096), ("head.fc2", 4096, 4096), ("head.fc3", 4096, 1000)]


@pytest.mark.parametrize("what", FIGURES)
def test_it_shows_the_figures(book: "Book", what: str) -> None:
    assert FIGURES[what] in book.text(PAGE)


def test_its_table_has_all_layers_of_vgg_16(book: "Book") -> None:
    expected = [["the image", "3 × 224 × 224", "0", "0", "0.602"]]
    expected += [
        [
            name,
            f"{c_out} × {side} × {side}",
            f"{(9 * c_in + 1) * c_out:,}",
            f"{9 * c_in * c_out * side**2:,}",
            f"{4 * c_out * side**2 / 1e6:.3f}",
        ]
        for name, c_in, c_out, side in CONVOLUTIONS
    ]
    expected += [
        [f"{block}.pool", f"{channels} × {side} × {side}", "0", "0", f"{4 * channels * side**2 / 1e6:.3f}"]
        for block, channels, side in POOLS
    ]
    expected += [
        [name, f"{units}", f"{(before + 1) * units:,}", f"{before * units:,}", f"{4 * units / 1e6:.3f}"]
        for name, before, units in CONNECTED
    ]
    rows = book.rows(PAGE)
    assert [row for row in expected if row not in rows] == []


def test_its_table_adds_up(book: "Book") -> None:
    assert ["sum", "", "138,357,544", "15,470,264,320", "60.950"] in book.rows(PAGE)


def test_the_shares_of_the_parts_are_whole(book: "Book") -> None:
    parts = ("block1", "block2", "block3", "block4", "block5", "classifier")
    shares = [list(map(float, row[1:])) for row in book.rows(PAGE) if row and row[0] in parts]
    assert len(shares) == len(parts)
    assert [sum(column) for column in zip(*shares, strict=True)] == pytest.approx([100] * 3, abs=0.3)
