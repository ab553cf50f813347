"""The figures of the chapter on receptive fields, held against a recursion written here once more."""

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.book.conftest import Book

PAGE = "book/receptive-fields"

FIGURES = {
    "the worked example": "field, jump, start: (13, 2, 0.0)",
    "a pool as a shortcut": "2×2 average pool, stride 2: start 0.5",
    "two 3×3": "2 × conv3 sees 5×5",
    "three 3×3": "3 × conv3 sees 7×7",
    "VGG-16's last convolution": "the last convolution sees 196 × 196 pixels",
    "VGG-16's last map": "after the pool, sees 212 × 212",
    "ResNet-50's last map": "sees 483 pixels in the paper's network and 427 in v1.5, 56 fewer",
    "its parameters": "with 25,557,032 parameters in both",
    "the ways to the middle": "n = 3: 1 3 6 7 6 3 1",
    "how deep for 224 pixels": "stride 2 at none: 112, 4704 layers",
    "ResNet-20 by hand": "81 pixels",
    "v1 against v1.5 by hand": "56 pixels",
}


def behind(layers: list[tuple[int, int]]) -> tuple[int, int]:
    """Return field and jump behind layers of (kernel, stride)."""
    field, jump = 1, 1
    for kernel, stride in layers:
        field, jump = field + (kernel - 1) * jump, jump * stride
    return field, jump


@pytest.mark.parametrize("what", FIGURES)
def test_it_shows_the_figures(book: "Book", what: str) -> None:
    text = re.sub(r"\s*×\s*", " × ", book.text(PAGE))
    assert re.sub(r"\s*×\s*", " × ", FIGURES[what]).replace("'", "’") in text.replace("'", "’")


def test_its_table_has_every_unit_of_vgg_16(book: "Book") -> None:
    layers: list[tuple[int, int]] = []
    expected = []
    for block, convolutions in enumerate((2, 2, 3, 3, 3), start=1):
        for number in range(1, convolutions + 1):
            layers.append((3, 1))
            expected.append([f"block{block}.conv{number}", *map(str, behind(layers))])
        layers.append((2, 2))
        expected.append([f"block{block}.pool", *map(str, behind(layers))])
    assert behind(layers) == (212, 32)
    assert behind(layers[:-1]) == (196, 16)
    shown = [row[:3] for row in book.rows(PAGE)]
    assert len(expected) == 18
    assert [row for row in expected if row not in shown] == []


def test_its_table_has_every_block_of_both_resnet_50s(book: "Book") -> None:
    layers = {"v1": [(7, 2), (3, 2)], "v1.5": [(7, 2), (3, 2)]}
    expected = [["stem.conv", "2", "–", "7", "–", "7"], ["stem.pool", "4", "–", "11", "–", "11"]]
    for stage, blocks in enumerate((3, 4, 6, 3), start=1):
        for block in range(1, blocks + 1):
            stride = 2 if stage > 1 and block == 1 else 1
            row = []
            for version, (first, second) in {"v1": (stride, 1), "v1.5": (1, stride)}.items():
                before = behind(layers[version])[0]
                layers[version] += [(1, first), (3, second), (1, 1)]
                row += [str(before), str(behind(layers[version])[0])]
            expected.append([f"stage{stage}.block{block}", str(behind(layers["v1"])[1]), *row])
    assert [behind(layers[version]) for version in ("v1", "v1.5")] == [(483, 32), (427, 32)]
    rows = book.rows(PAGE)
    assert len(expected) == 18
    assert [row for row in expected if row not in rows] == []


def test_gradients_confirm_the_recursion(book: "Book") -> None:
    computed, measured = re.findall(r"(?:computed|measured): pixels (\d+) to (\d+)", book.text(PAGE))
    assert computed == measured


def test_the_effective_field_grows_like_a_root(book: "Book") -> None:
    found = re.search(r"The measured slope is ([\d.]+)", book.text(PAGE))
    assert found is not None
    assert float(found[1]) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("depth", [3, 5, 10, 20, 32])
def test_the_effective_field_is_near_its_prediction(book: "Book", depth: int) -> None:
    row = next(row for row in book.rows(PAGE) if row[:2] == [str(depth), str(2 * depth + 1)])
    predicted, measured = map(float, row[2:4])
    assert predicted == pytest.approx(4 * (2 * depth / 3) ** 0.5, abs=0.06)
    assert measured == pytest.approx(predicted, rel=0.1)


def test_it_measures_the_small_network_before_and_after_training(book: "Book") -> None:
    rows = [
        row for row in book.rows(PAGE) if re.fullmatch(r"block\d\.(relu\d|pool)", row[0]) and len(row) == 4
    ]
    trained = [row for row in rows if "." in row[2]]
    fields = {row[0]: int(row[1]) for row in trained}
    assert fields["block3.relu2"] == behind([(3, 1), (3, 1), (2, 2)] * 2 + [(3, 1)] * 2)[0] == 32
    assert "training has made it" in book.text(PAGE)
