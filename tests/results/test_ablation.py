"""What a part is worth is counted seed by seed, over runs on equal terms."""

from collections.abc import Callable
from dataclasses import replace

import pytest

import deepernets
from deepernets.recipes.speedrun import PARTS
from deepernets.results.ablation import PATH, RESNET_20, ablation_effects, last_epochs, path_runs
from deepernets.training.records import Record

WHOLE = "cifar10/dash-narrow"
Make = Callable[..., Record]


@pytest.fixture(scope="module")
def make() -> Make:
    """Return a maker of records of the dash: a real record with another recipe, accuracy and seed."""
    real = deepernets.load_records("report-a/vgg-16/as-reported")[0]

    def made(name: str, accuracy: float, seed: int = 0) -> Record:
        chosen = deepernets.get_recipe(name)
        return replace(
            real,
            recipe=chosen,
            seed=seed,
            profile="full",
            epochs=[{**real.epochs[0], "epoch": epoch} for epoch in range(1, chosen.epochs + 1)],
            data={**real.data, "name": chosen.data},
            test={**real.test, "accuracy": accuracy},
        )

    return made


def test_without_records_every_part_is_named_and_nothing_is_said_of_its_worth() -> None:
    found = ablation_effects(WHOLE, [])
    assert [worth.part for worth in found] == list(PARTS)
    assert all(worth.gains == () and worth.mean is None and worth.without is None for worth in found)


def test_gains_are_taken_seed_by_seed_and_sorted_by_their_mean(make: Make) -> None:
    records = [
        *(make(WHOLE, accuracy, seed) for seed, accuracy in enumerate((0.80, 0.81, 0.82))),
        *(make(f"{WHOLE}/without-crops", accuracy, seed) for seed, accuracy in enumerate((0.79, 0.79))),
        make(f"{WHOLE}/without-whitening", 0.70, 2),
        make(f"{WHOLE}/without-whitening", 0.10, 3),  # a seed that the whole was not run with
    ]
    whitening, crops, *others = ablation_effects(WHOLE, records)
    assert (whitening.part, crops.part) == ("whitening", "crops")
    assert whitening.gains == pytest.approx((12.0,))
    assert whitening.sd is None
    assert crops.gains == pytest.approx((1.0, 2.0))
    assert crops.mean == pytest.approx(1.5)
    assert crops.sd == pytest.approx(0.5**0.5)
    assert not any(worth.gains for worth in others)


def test_a_path_is_of_runs_of_the_same_length() -> None:
    real = deepernets.load_records("report-a/vgg-16/as-reported")[0]

    def run(name: str, epochs: int) -> Record:
        chosen = deepernets.get_recipe(f"{RESNET_20}/{name}").changed(epochs=epochs)
        history = [{**real.epochs[0], "epoch": number} for number in range(1, epochs + 1)]
        return replace(real, recipe=chosen, epochs=history, data={**real.data, "name": "cifar10"})

    short = [run(name, 15) for name in PATH]
    whole = [run("as-reported", 50), run("ablation/nesterov-label-smoothing", 50)]
    assert path_runs([*whole, *short]) == [[one] for one in short]
    assert path_runs([*whole, *short[:-1]]) == []


def test_the_last_five_epochs_have_a_range() -> None:
    real = deepernets.load_records("report-a/vgg-16/as-reported")[0]
    shown = [0.1, 0.9, 0.5, 0.7, 0.6, 0.8, 0.65]
    run = replace(real, epochs=[{**real.epochs[0], "validation_accuracy": value} for value in shown])
    assert last_epochs(run) == pytest.approx((50, 80))
