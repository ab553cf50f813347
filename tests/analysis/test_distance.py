"""Why report B's ResNet-20 lies under its paper, as far as there are runs."""

from dataclasses import replace

import pytest

import deepernets
from deepernets.analysis import distance
from deepernets.analysis.reproduction import rows
from deepernets.training.records import Record

REAL = deepernets.records("report-a/vgg-16/as-reported")[0]


def _run(name: str, test: float, train: float = 0.95, epochs: int = 50, swing: float = 0.02) -> Record:
    """Return a record of a recipe for ResNet-20 on CIFAR-10, after so many epochs.

    Its validation accuracy goes up and down by `swing` from epoch to epoch.
    """
    chosen = deepernets.recipe(f"{distance.RESNET_20}/{name}").changed(epochs=epochs)
    history = [
        {
            **REAL.epochs[0],
            "epoch": number,
            "train_accuracy": train,
            "validation_accuracy": test - swing * (number % 2),
        }
        for number in range(1, epochs + 1)
    ]
    data = {**REAL.data, "name": "cifar10"}
    return replace(REAL, recipe=chosen, epochs=history, data=data, test={**REAL.test, "accuracy": test})


def test_the_distance_to_the_paper() -> None:
    said = distance.behind_its_paper(rows([]), 20)
    assert (
        "reaches 91.25 %; the report has 73.22 % at 0.01, 18.0 points less, and 76.35 % at best, 14.9" in said
    )
    assert "19,550 steps, 31 % of the paper's 64,000" in said
    assert said.endswith("are **not run yet**.")
    ran = distance.behind_its_paper(rows([_run("as-reported", 0.80)]), 20)
    assert ran.endswith("Of its recipes for this network, 1 of 3 were run here.")
    short = distance.behind_its_paper(rows([_run("as-reported", 0.80, epochs=15)]), 20)
    assert short.endswith("1 of 3 were run here, 1 of them in part.")


def test_two_full_runs_cut_the_distance_in_three() -> None:
    found = [_run("as-reported", 0.80, train=0.99), _run("ours", 0.90)]
    said = distance.parts_of_the_distance(found)
    assert "cut the 18.0 points in three. From the report's 73.22 % to our run of its recipe, 80.00 %" in said
    assert "it is +6.8 points. Over the last 5 epochs" in said
    assert "moved between 78.0 and 80.0 %, so that no choice of an epoch explains them" in said
    assert "our recipe, 90.00 % (1 seed, 50 epochs, full, cifar10-jpeg), it is +10.0" in said
    assert (
        "And +1.2 are left between ours and the paper's 91.25 %, which took 182 epochs and the original images"
        in said
    )
    assert "99.0 % on its training images and 80.0 % on the test images, 19.0 points apart" in said


def test_a_run_that_swings_as_far_as_the_report_is_apart_repeats_it() -> None:
    found = [_run("as-reported", 0.70, train=0.99, swing=0.05), _run("ours", 0.90)]
    said = distance.parts_of_the_distance(found)
    assert "it is −3.2 points" in said
    assert "an epoch more or less is worth as much: the report's figure can be repeated" in said


@pytest.mark.parametrize(
    "found", [[], [_run("ours", 0.9)], [_run("as-reported", 0.8), _run("ours", 0.9, epochs=5)]]
)
def test_short_or_missing_runs_cut_nothing(found: list[Record]) -> None:
    assert "stays in one piece" in distance.parts_of_the_distance(found)


def test_a_walk_is_of_runs_of_the_same_length() -> None:
    short = [_run(name, 0.5 + 0.05 * step, epochs=15) for step, name in enumerate(distance.WALK)]
    whole = [_run("as-reported", 0.8), _run("ours", 0.9)]
    reached = distance.walk([*whole, *short])
    assert reached == [[run] for run in short]
    assert distance.walk([*whole, *short[:-1]]) == []
