"""The data of the explorer of degradation: whole runs only, and diagnoses that are the package's."""

import json
import re
from dataclasses import replace
from inspect import signature
from typing import Any

import pytest

from deepernets.analysis.depth import diagnosis
from deepernets.book.degradation import NETWORKS, PAIRS, RULES, Pair, degradation, question
from deepernets.recipes import get_recipe
from deepernets.training.records import Record, load_record, results_folder

SHORT = [
    load_record(results_folder() / "paper" / name / "laptop-seed0-learning_rate=0.01.json")
    for name in NETWORKS
]
# Training and validation error at the end, as in figure 6 of He et al. (2016) about
ENDS = {"plain-20": (5, 10), "plain-56": (9, 13.5), "resnet-20": (2.5, 9), "resnet-56": (0.4, 7)}


def whole(recipe: str, training: float, validation: float, **data: Any) -> Record:
    """Return an invented whole run that ends with these errors, in per cent."""
    written = get_recipe(recipe)

    def accuracy(epoch: int, last: float) -> float:
        return round(1 - (last + (80 - last) * (1 - epoch / written.epochs) ** 3) / 100, 6)

    epochs = [
        {
            **SHORT[0].epochs[0],
            "epoch": epoch,
            "train_accuracy": accuracy(epoch, training),
            "validation_accuracy": accuracy(epoch, validation),
        }
        for epoch in range(1, written.epochs + 1)
    ]
    return replace(
        SHORT[0],
        recipe=written,
        changes={},
        profile="full",
        epochs=epochs,
        data={**SHORT[0].data, "train": 45_000, **data},
        test={**SHORT[0].test, "accuracy": round(1 - (validation + 0.5) / 100, 6)},
    )


def invented() -> list[Record]:
    """Return whole runs of the paper's four networks."""
    return [whole(f"paper/{name}", *errors) for name, errors in ENDS.items()]


def data_of(found: list[Record]) -> dict[str, Any]:
    inlined = re.search(r'<script type="application/json">(.*)</script>', degradation(found).data)
    assert inlined
    data: dict[str, Any] = json.loads(inlined[1])
    return data


def test_a_short_run_is_never_shown_as_a_whole_one() -> None:
    data = data_of(SHORT)
    assert data["networks"] == [None] * 4
    assert data["start"]["shown"] == [False] * 4
    assert data["missing"].startswith(
        "None of plain-20, plain-56, resnet-20 and resnet-56 has been run whole"
    )
    assert [pair["number"] for pair in data["pairs"]] == [0, 4]
    assert all(
        "Both runs are short: 36 of the recipe’s 182 epochs" in pair["reason"] for pair in data["pairs"]
    )


def test_networks_that_are_not_run_whole_are_named() -> None:
    data = data_of([*SHORT, invented()[2]])
    assert [network is not None for network in data["networks"]] == [False, False, True, False]
    assert data["missing"] == "Not run whole yet: plain-20, plain-56 and resnet-56."
    assert data_of(invented())["missing"] == ""


def test_the_curves_are_those_of_the_records() -> None:
    found = invented()
    for network, run in zip(data_of(found)["networks"], found, strict=True):
        assert network["training"] == pytest.approx(
            [100 - 100 * epoch["train_accuracy"] for epoch in run.epochs]
        )
        assert network["validation"][-1] == pytest.approx(100 - 100 * run.epochs[-1]["validation_accuracy"])
        assert network["test"] == pytest.approx(100 - 100 * run.test["accuracy"])
        assert network["label"] == run.label


@pytest.mark.parametrize(
    ("errors", "answer", "shown"),
    [
        ([(5, 10), (9, 13.5)], "degradation", "training error, 9.0 % against 5.0 %"),
        ([(5, 10), (1, 20)], "overfitting", "(1.0 % wrong against 5.0 %), but its validation error"),
        ([(25, 30), (9, 13.5)], "not converged", "end at 25.0 % and 9.0 %"),
        ([(5, 10), (5.5, 10.5)], "neither", "The training errors are 5.5 % and 5.0 %"),
    ],
)  # fmt: skip
def test_a_pair_is_diagnosed_as_by_the_package_with_its_numbers(
    errors: list[tuple[float, float]], answer: str, shown: str
) -> None:
    pair = PAIRS[3]
    assert pair == Pair("paper/plain-20", "paper/plain-56")
    runs = [whole(name, *ends) for name, ends in zip((pair.first, pair.second), errors, strict=True)]
    asked = question(3, pair, [*SHORT, *runs])
    assert asked is not None
    assert asked["answer"] == diagnosis(runs[0].epochs, runs[1].epochs) == answer
    assert shown in asked["reason"].replace("\u00a0", " ")
    assert "Both runs are whole: 182 epochs on 45,000 training images." in asked["reason"]
    assert answer in RULES


def test_runs_on_different_images_are_not_compared() -> None:
    runs = [whole("paper/plain-20", 5, 10), whole("paper/plain-56", 9, 13, variant="cifar10")]
    assert question(3, PAIRS[3], runs) is None


def test_pairs_without_records_wait_and_are_named() -> None:
    waiting = data_of(SHORT)["waiting"]
    assert waiting.startswith(f"Pairs that wait for whole runs: {len(PAIRS) - 2}. Not run yet: ")
    assert "paper/plain-56" in waiting


def test_the_rules_state_the_limits_of_the_diagnosis() -> None:
    defaults = {name: each.default for name, each in signature(diagnosis).parameters.items()}
    assert (defaults["far"], defaults["tolerance"]) == (0.2, 0.01)
    assert "above 20 %" in RULES["not converged"]
    assert "more than one percentage point" in RULES["degradation"]


def test_without_javascript_each_whole_run_and_each_pair_has_a_chart_and_its_diagnosis() -> None:
    html = degradation([*SHORT, *invented()]).data
    static = html.partition('<div class="explorer-static">')[2].partition('<p class="explorer-help">')[0]
    pairs = data_of([*SHORT, *invented()])["pairs"]
    assert static.count("<svg") == len(NETWORKS) + len(pairs) == 8
    assert all(pair["reason"] in static for pair in pairs)
