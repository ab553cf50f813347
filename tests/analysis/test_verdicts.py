from dataclasses import replace

import pytest

import deepernets
from deepernets.analysis import verdicts
from deepernets.analysis.reproduction import rows
from deepernets.training.records import Record

RESNET, VGG = "report-a/resnet-50/as-reported", "report-a/vgg-16/as-reported"


def _run(name: str, test: float, train: float = 0.95, seed: int = 0) -> Record:
    """Return a record of a recipe run in full that ends at these accuracies; its loss halves every epoch."""
    real, chosen = deepernets.records(VGG)[0], deepernets.recipe(name)
    epochs = [
        {**real.epochs[0], "epoch": number, "train_accuracy": train, "train_loss": 0.5**number}
        for number in range(1, chosen.epochs + 1)
    ]
    data = {**real.data, "name": chosen.data}
    return replace(
        real, recipe=chosen, epochs=epochs, seed=seed, data=data, test={**real.test, "accuracy": test}
    )


def test_without_records_everything_is_said_to_be_missing() -> None:
    assert "not both been run" in verdicts.size_or_schedule([])
    assert "8 of 8 are **not run yet**" in verdicts.adam([])
    assert all("their recipe not run yet; our recipe not run yet" in verdicts.placed(row) for row in rows([]))


@pytest.mark.parametrize(
    ("train", "test", "words"),
    [
        (0.90, 0.88, "has not been trained to its end"),
        (0.95, 0.85, "its gap is the wider one"),
        (0.99, 0.85, "leaves the report's reading standing"),
    ],
)
def test_the_training_images_tell_size_from_schedule(train: float, test: float, words: str) -> None:
    said = verdicts.size_or_schedule([_run(VGG, 0.93, 0.96), _run(RESNET, test, train)])
    assert words in said
    assert "`report-a/resnet-50/ours`, **not run yet**" in said


@pytest.mark.parametrize(
    ("ours", "words"),
    [
        (0.92, "training alone is worth 2.0 points to it, no more than the 3.0 that it lay behind VGG-16"),
        (0.95, "training alone is worth 5.0 points to it, more than the 3.0 that it lay behind VGG-16"),
        (0.88, "the constant rate is not what holds it back"),
    ],
)
def test_our_run_of_the_same_network_settles_it(ours: float, words: str) -> None:
    found = [_run(VGG, 0.93, 0.96), _run(RESNET, 0.90, 0.92), _run("report-a/resnet-50/ours", ours)]
    assert words in verdicts.size_or_schedule(found)


def test_what_vgg_gains_by_our_recipe_is_told_beside_it() -> None:
    found = [_run(VGG, 0.93, 0.96), _run(RESNET, 0.90, 0.92), _run("report-a/resnet-50/ours", 0.94)]
    assert "What VGG-16 gains by our recipe is **not run yet**" in verdicts.size_or_schedule(found)
    said = verdicts.size_or_schedule([*found, _run("report-a/vgg-16/ours", 0.96)])
    assert (
        "VGG-16 reaches 96.00 % (1 seed, 20 epochs, full, cifar10-jpeg), 2.0 points above ResNet-50" in said
    )
    assert "in 20 epochs against 15" in said
    assert "not run yet" not in said


def test_a_short_run_of_ours_settles_nothing() -> None:
    ours = _run("report-a/resnet-50/ours", 0.95)
    short = replace(ours, recipe=ours.recipe.changed(epochs=3), epochs=ours.epochs[:3])
    assert "**not run yet**" in verdicts.size_or_schedule(
        [_run(VGG, 0.93, 0.96), _run(RESNET, 0.90, 0.92), short]
    )


def test_adam_is_judged_by_the_loss_of_a_guess() -> None:
    falling = _run("race/adam", 0.92)
    said = verdicts.adam([falling])
    assert "Of 1 recorded runs with Adam, at rates of 0.001, 1 end at under half of the training loss" in said
    flat = replace(falling, epochs=[{**epoch, "train_loss": 1.1} for epoch in falling.epochs], seed=1)
    said = verdicts.adam([falling, flat])
    assert "Of 2 recorded runs" in said
    assert "1 end at under half of the training loss of a guess; the exceptions: resnet-20 on cifar3" in said


def test_adam_at_other_rates_counts_and_other_optimizers_do_not() -> None:
    reported = _run("report-b/vgg-16-cifar10/as-reported-adam", 0.85)
    faster = replace(reported, recipe=reported.recipe.changed(learning_rate=0.01))
    found = [faster, reported, _run(VGG, 0.9), replace(reported, requested_precision="bf16")]
    assert verdicts.adam_runs(found) == [reported, faster]
    said = verdicts.adam(found)
    assert "at rates of 0.001, 0.01" in said
    assert "7 of 8 are **not run yet**" in said


def test_the_best_epoch_against_the_last() -> None:
    run = _run(VGG, 0.9)
    accuracies = [0.5, 0.8, 0.75] + [0.7] * (len(run.epochs) - 3)
    epochs = [
        {**epoch, "validation_accuracy": accuracy}
        for epoch, accuracy in zip(run.epochs, accuracies, strict=True)
    ]
    assert verdicts.best_epoch_gain(replace(run, epochs=epochs)) == pytest.approx(10)
    blind = [{**epoch, "validation_accuracy": None} for epoch in run.epochs]
    assert verdicts.best_epoch_gain(replace(run, epochs=blind)) != verdicts.best_epoch_gain(run)


def test_a_plateau_that_never_came_is_a_constant_rate() -> None:
    run = _run(VGG, 0.9)
    kept = [{**epoch, "learning_rate": 0.1} for epoch in run.epochs]
    assert not verdicts.fell(replace(run, epochs=kept))
    assert verdicts.fell(replace(run, epochs=[*kept[:-1], {**kept[-1], "learning_rate": 0.01}]))


def test_a_profile_with_seeds_counts_beside_one_without() -> None:
    full, chosen = _run(VGG, 0.93), deepernets.recipe(VGG).at("laptop")
    small = [
        replace(full, recipe=chosen, profile="laptop", seed=seed, epochs=full.epochs[:4]) for seed in (0, 1)
    ]
    assert [group.profile for group in verdicts.of_several_seeds([VGG], [full, *small])] == ["laptop"]


def test_only_recipes_of_several_seeds_have_a_spread() -> None:
    found = [_run(VGG, 0.92), _run(VGG, 0.94, seed=1), _run(RESNET, 0.9)]
    assert [group.recipe for group in verdicts.of_several_seeds([VGG, RESNET], found)] == [VGG]
