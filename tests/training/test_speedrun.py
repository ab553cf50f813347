"""A run of the dash: whitened from the training split, looked at both ways, resumed with the same numbers."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from deepernets.data.datasets import load_dataset
from deepernets.data.images import sample
from deepernets.errors import UserError
from deepernets.models.speedrun import FlipAveraged, whitening_filters
from deepernets.recipes import get_recipe
from deepernets.recipes.recipe import Recipe
from deepernets.training import hardware, preparation
from deepernets.training import run as run_module
from deepernets.training.distributed import unwrap
from deepernets.training.loop import Training
from deepernets.training.options import RunOptions
from deepernets.training.preparation import prepare, prepare_data
from deepernets.training.run import train

SMALL = get_recipe("cifar10/dash-narrow").changed(
    data="sketches", epochs=20, batch_size=64, train_images=256, validation_fraction=0.2
)


def prepared(chosen: Recipe) -> tuple[run_module.Splits, Training]:
    accelerator = hardware.accelerator("fp32")
    splits = prepare_data(chosen, RunOptions(profile="quick"), accelerator)
    return splits, prepare(chosen, splits, accelerator, 0)


def test_the_first_layer_comes_from_the_training_split_alone() -> None:
    splits, training = prepared(SMALL)
    first = next(unwrap(training.model).parameters())
    expected = whitening_filters(splits.train.transform.normalise(splits.train.images.pixels))
    torch.testing.assert_close(first.data, expected)
    trained = {id(weight) for group in training.optimizer.param_groups for weight in group["params"]}
    assert id(first) not in trained
    assert len(trained) == len(list(training.model.parameters())) - 1


def test_whitening_sees_all_classes_of_sorted_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """CIFAR-10's folders come sorted: its first 5,000 images are all airplanes."""
    monkeypatch.setattr(preparation, "IMAGES_TO_WHITEN", 60)
    splits, _ = prepared(SMALL)
    images = splits.train.images
    ordered = replace(
        splits, train=replace(splits.train, images=images.select(images.labels.argsort(stable=True)))
    )
    filters = next(preparation.initial_model(SMALL, ordered, 0).parameters())
    normalise = splits.train.transform.normalise
    first, seen = ordered.train.images.pixels[:60], preparation.sample(ordered.train.images, 60, 0)
    assert not torch.allclose(filters, whitening_filters(normalise(first)), atol=1e-3)
    torch.testing.assert_close(filters.data, whitening_filters(normalise(seen.pixels)))
    assert seen.labels.unique().tolist() == [0, 1, 2]


def test_parts_are_there_only_where_the_recipe_wants_them() -> None:
    splits, training = prepared(SMALL.changed(whiten=False, both_ways=False, alternate=False))
    assert not isinstance(unwrap(training.model), FlipAveraged)
    assert next(training.model.parameters()).requires_grad
    assert not splits.train.transform.alternate
    splits, training = prepared(SMALL)
    assert isinstance(unwrap(training.model), FlipAveraged)
    assert splits.train.transform.alternate


def test_a_network_that_cannot_be_whitened_is_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="train a speedrun network"):
        train(SMALL.changed(model="resnet-8"), profile="quick", out=tmp_path, precision="fp32")
    assert not list(tmp_path.rglob("*.*"))


def test_a_run_cut_off_between_two_epochs_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sketches = load_dataset("sketches")
    few = replace(sketches, test=sample(sketches.test, 60, 0))
    for module in (preparation, run_module):
        monkeypatch.setattr(module, "load_dataset", lambda *args: few)
    whole = train(SMALL, profile="quick", out=tmp_path / "whole", precision="fp32")

    def one_epoch_then_stop(self: run_module.Progress, training: Training) -> None:
        after_epoch(self, training)
        raise KeyboardInterrupt

    after_epoch = run_module.Progress.after_epoch
    with monkeypatch.context() as patched:
        patched.setattr(run_module.Progress, "after_epoch", one_epoch_then_stop)
        with pytest.raises(KeyboardInterrupt):
            train(SMALL, profile="quick", out=tmp_path / "cut", precision="fp32")
    resumed = train(SMALL, profile="quick", out=tmp_path / "cut", precision="fp32")
    weights = [load_file(run.folder / "model.safetensors") for run in (whole, resumed)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert resumed.record.test["accuracy"] == whole.record.test["accuracy"]
    assert resumed.evaluate().accuracy == whole.record.test["accuracy"]
