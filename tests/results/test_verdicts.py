from dataclasses import replace

import pytest

import deepernets
from deepernets.results import verdicts
from deepernets.training.records import Record

RESNET, VGG = "report-a/resnet-50/as-reported", "report-a/vgg-16/as-reported"


def _run(name: str, test: float, train: float = 0.95, seed: int = 0) -> Record:
    """Return a record of a recipe run in full that ends at these accuracies; its loss halves every epoch."""
    real, chosen = deepernets.load_records(VGG)[0], deepernets.get_recipe(name)
    epochs = [
        {**real.epochs[0], "epoch": number, "train_accuracy": train, "train_loss": 0.5**number}
        for number in range(1, chosen.epochs + 1)
    ]
    data = {**real.data, "name": chosen.data}
    return replace(
        real, recipe=chosen, epochs=epochs, seed=seed, data=data, test={**real.test, "accuracy": test}
    )


def test_a_run_has_learned_below_half_the_loss_of_a_guess() -> None:
    run = _run("race/adam", 0.92)
    assert verdicts.has_learned(run)
    flat = replace(run, epochs=[{**epoch, "train_loss": 1.0} for epoch in run.epochs])  # a guess: ln 3 = 1.1
    assert not verdicts.has_learned(flat)


def test_a_run_leaves_a_guess_in_the_first_epoch_with_a_smaller_loss() -> None:
    run = _run(VGG, 0.9)
    losses = [1.1, 1.095, 1.0] + [0.9] * (len(run.epochs) - 3)  # a guess: ln 3 = 1.0986
    learning = [{**epoch, "train_loss": loss} for epoch, loss in zip(run.epochs, losses, strict=True)]
    assert verdicts.left_guess(replace(run, epochs=learning)) == 3
    assert verdicts.left_guess(replace(run, epochs=learning[:2])) is None


def test_tried_runs_are_grouped_with_the_recipe_as_it_is_first() -> None:
    name = "report-a/resnet-50/ours"
    chosen = _run(name, 0.94)
    changed = replace(chosen, recipe=chosen.recipe.changed(batch_size=128), changes={"batch_size": 128})
    short = replace(chosen, recipe=chosen.recipe.changed(epochs=3), changes={"epochs": 3})
    others = [replace(chosen, seed=1), replace(chosen, profile="laptop"), short, _run(VGG, 0.9)]
    assert verdicts.tried([changed, *others, chosen]) == [[chosen, changed]]
    assert verdicts.tried([chosen, *others]) == []
    assert verdicts.tried([changed, *others]) == []


def test_adam_at_other_rates_counts_and_other_optimizers_do_not() -> None:
    reported = _run("report-b/vgg-16-cifar10/as-reported-adam", 0.85)
    faster = replace(reported, recipe=reported.recipe.changed(learning_rate=0.01))
    found = [faster, reported, _run(VGG, 0.9), replace(reported, requested_precision="bf16")]
    assert verdicts.adam_runs(found) == [reported, faster]


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
    assert not verdicts.rate_dropped(replace(run, epochs=kept))
    assert verdicts.rate_dropped(replace(run, epochs=[*kept[:-1], {**kept[-1], "learning_rate": 0.01}]))


def test_a_profile_with_seeds_counts_beside_one_without() -> None:
    full, chosen = _run(VGG, 0.93), deepernets.get_recipe(VGG).at("laptop")
    small = [
        replace(full, recipe=chosen, profile="laptop", seed=seed, epochs=full.epochs[:4]) for seed in (0, 1)
    ]
    assert [group.profile for group in verdicts.of_several_seeds([VGG], [full, *small])] == ["laptop"]


def test_only_recipes_of_several_seeds_have_a_spread() -> None:
    found = [_run(VGG, 0.92), _run(VGG, 0.94, seed=1), _run(RESNET, 0.9)]
    assert [group.recipe for group in verdicts.of_several_seeds([VGG, RESNET], found)] == [VGG]
