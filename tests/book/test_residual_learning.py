"""The figures of the chapter on residual learning."""

from typing import TYPE_CHECKING

import pytest

import deepernets
from deepernets.analysis.depth import response_deviations

if TYPE_CHECKING:
    from tests.book.conftest import Book

PAGE = "book/residual-learning"

# by hand: a projection has c_in · c_out weights, and a γ and a β per channel
RESNET_34_B = 8_448 + 33_280 + 132_096
RESNET_34_C = RESNET_34_B + 3 * (64**2 + 128) + 3 * (128**2 + 256) + 5 * (256**2 + 512) + 2 * (512**2 + 1024)
RESNET_34_A = 21_797_672 - RESNET_34_B

FIGURES = {
    "plain-34 in the question": "from 28.54 % to 25.03 %",
    "parameters of both": f"the same {RESNET_34_A:,} parameters",
    "from none to A": "falls by 3.51 points",
    "from A to C": "from A to C by 0.84",
    "by hand and as a module": "same as the module: True",
    "one layer folds": "the same: True",
    "the Jacobian": "∂y/∂x = D (J_F + I): True",
    "which needs the I": "without the I: False",
    "option A takes every second pixel": "every second pixel: True",
    "and zeros": "the rest is zero: True",
    "the slip where widths double": "16 to 32: 32 channels; the copied line: 32",
    "the slip where they do not": "16 to 48: 48 channels; the copied line: 40",
    "the slip in a bottleneck": "64 to 256: 256 channels; the copied line: 192",
    "14 layers as 20": "resnet-14 as resnet-20: identical logits: True",
    "14 layers as 56": "resnet-14 as resnet-56: identical logits: True",
    "a gate": "a gate of 64 channels: 36,928 parameters",
    "options by hand": "B: 2,752; C: 47,840",
    "zeros where 16 become 32": "16 to 32: 50% of the channels are zeros",
    "zeros where 64 become 256": "64 to 256: 75% of the channels are zeros",
    "a scaled shortcut": "0.9: 0.06 after 27 blocks",
    "what γ = 0 lets move": "moved by the first step: norm2.weight, norm2.bias",
}


@pytest.mark.parametrize("what", FIGURES)
def test_it_shows_the_figures(book: "Book", what: str) -> None:
    assert FIGURES[what] in book.text(PAGE)


def test_it_quotes_the_papers_errors_beside_the_counts(book: "Book") -> None:
    rows = book.rows(PAGE)
    for name, parameters, shortcuts, error in (
        ("plain-34", RESNET_34_A, 0, "28.54"),
        ("ResNet-34 A", RESNET_34_A, 0, "25.03"),
        ("ResNet-34 B", 21_797_672, RESNET_34_B, "24.52"),
        ("ResNet-34 C", RESNET_34_A + RESNET_34_C, RESNET_34_C, "24.19"),
    ):
        assert [name, f"{parameters:,}", f"{shortcuts:,}", error] in rows


def test_plain_twins_and_option_a_have_equal_counts(book: "Book") -> None:
    rows = book.rows(PAGE)
    for name, parameters, shortcuts in (
        ("plain-20", "269,722", "0"),
        ("resnet-20", "269,722", "0"),
        ("resnet-20-b", f"{269_722 + 576 + 2_176:,}", "2,752"),
        ("resnet-20-c", f"{269_722 + 14_240:,}", "14,240"),
        ("plain-56", "853,018", "0"),
        ("resnet-56", "853,018", "0"),
    ):
        assert [name, parameters, shortcuts] in rows


@pytest.mark.parametrize("name", ["resnet-20", "resnet-20-b"])
def test_it_shows_what_the_records_say(book: "Book", name: str) -> None:
    run = next(run for run in deepernets.load_records(f"paper/{name}") if run.profile == "laptop")
    last = run.epochs[-1]
    errors = (1 - last["train_accuracy"], 1 - last["validation_accuracy"], 1 - run.test["accuracy"])
    assert [name, *(f"{100 * error:.1f}" for error in errors)] in book.rows(PAGE)
    assert f"seed {run.seed}, {run.precision} on {run.device}" in book.text(PAGE)
    assert f"{len(run.epochs)} epochs from a learning rate of {run.recipe.learning_rate:g}" in book.text(PAGE)


def test_responses_are_smaller_in_residual_and_in_deeper_networks(book: "Book") -> None:
    """As in figure 7 of the paper."""
    means = {}
    for name in ("plain-20", "resnet-20", "plain-56", "resnet-56"):
        run = deepernets.load_pretrained(f"paper/{name}")
        responses = list(response_deviations(run.model).values())
        means[name] = sum(responses) / len(responses)
        small = sum(response < 1 for response in responses)
        error = 100 * (1 - run.record.test["accuracy"])
        row = [f"{means[name]:.2f}", f"{min(responses):.2f}", f"{small} of {len(responses)}", f"{error:.2f}"]
        assert [name, *row] in book.rows(PAGE)
        assert small > 0.8 * len(responses)
        if name != "plain-56":
            assert responses[-1] == max(responses)
    assert means["resnet-56"] < means["plain-56"] < means["resnet-20"] < means["plain-20"]
