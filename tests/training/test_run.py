import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from deepernets.data.datasets import load_dataset
from deepernets.errors import UserError
from deepernets.recipes import get_recipe
from deepernets.recipes.recipe import Recipe
from deepernets.training import loop
from deepernets.training import run as run_module
from deepernets.training.callbacks import Progress
from deepernets.training.loop import Evaluation
from deepernets.training.options import RunOptions
from deepernets.training.preparation import split
from deepernets.training.records import Record, load_record
from deepernets.training.run import load_run, train

TINY = get_recipe("quick/vgg").changed(epochs=3, train_images=128, batch_size=32, image_size=8)


def _train(out: Path, chosen: Recipe = TINY, **options: Any) -> Record:
    return train(chosen, out=out, precision=options.pop("precision", "fp32"), **options).record


def _figures(record: Record) -> list[dict[str, Any]]:
    return [{name: row[name] for name in row if "seconds" not in name} for row in record.epochs]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Record, Path]:
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("unbroken")
    return _train(out), RunOptions(out=out, precision="fp32").folder(TINY)


def test_a_run_leaves_a_record_and_weights_and_no_checkpoint(unbroken: tuple[Record, Path]) -> None:
    record, folder = unbroken
    assert sorted(path.name for path in folder.iterdir()) == ["model.safetensors", "record.json"]
    assert load_record(folder / "record.json") == record
    assert (record.seed, record.precision, record.profile, len(record.epochs)) == (0, "fp32", "full", 3)
    assert record.data["train"] == 128
    assert record.data["test"] == sum(map(sum, record.test["confusion"])) == 600
    assert record.model["parameters"] == 72_723
    assert {"python", "torch", "torchvision", "accelerate"} <= set(record.versions)
    assert record.recipe == TINY


@pytest.mark.parametrize("step", [3, 5, 9])  # in the first epoch, just after it, in the third
def test_an_interrupted_run_goes_on_to_the_same_numbers(
    step: int, unbroken: tuple[Record, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, whole_folder = unbroken
    taken = 0
    after_step = Progress.after_step

    def interrupt(self: Progress, meter: Any) -> None:
        nonlocal taken
        taken += 1
        if taken == step:
            raise KeyboardInterrupt
        after_step(self, meter)

    with monkeypatch.context() as patched:
        patched.setattr(Progress, "after_step", interrupt)
        with pytest.raises(KeyboardInterrupt):
            _train(tmp_path)
    folder = RunOptions(out=tmp_path, precision="fp32").folder(TINY)
    kept = [path.name for path in folder.glob("epoch-*")]
    assert kept == ([] if step <= 4 else ["epoch-001"] if step <= 8 else ["epoch-002"])
    resumed = _train(tmp_path)
    assert _figures(resumed) == _figures(whole)
    assert resumed.test == whole.test
    weights, expected = (load_file(path / "model.safetensors") for path in (folder, whole_folder))
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


def test_a_finished_run_is_returned_and_not_trained_again(
    unbroken: tuple[Record, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    record, folder = unbroken
    (folder / "epoch-003").mkdir()  # as after a kill between the record and the last checkpoint's deletion
    monkeypatch.setattr(run_module, "fit", None)
    assert _train(folder.parents[2]) == record
    assert not (folder / "epoch-003").exists()


def test_a_finished_run_made_in_another_way_is_not_handed_back(
    unbroken: tuple[Record, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = unbroken[1].parents[2]
    monkeypatch.setattr(run_module.hardware, "require_compiler", lambda: None)
    with pytest.raises(UserError, match="finished, with compile=False and not True; ask for the same"):
        _train(out, compile=True)
    monkeypatch.setattr(run_module.distributed, "num_processes", lambda: 2)
    with pytest.raises(UserError, match="sync_batch_norm=False and not True"):
        _train(out, sync_batch_norm=True)
    moved = RunOptions(out=out).folder(TINY)
    moved.mkdir()
    for name in ("record.json", "model.safetensors"):
        (moved / name).write_bytes((unbroken[1] / name).read_bytes())
    monkeypatch.undo()
    with pytest.raises(UserError, match="precision=fp32 and not auto"):
        _train(out, precision="auto")


def test_a_finished_run_without_batch_normalisation_has_none_to_synchronise(
    unbroken: tuple[Record, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, folder = unbroken
    monkeypatch.setattr(run_module.distributed, "num_processes", lambda: 2)
    with pytest.raises(UserError, match="sync_batch_norm=False and not True"):
        _train(folder.parents[2], sync_batch_norm=True)
    plain = TINY.changed(model="vgg-mini-cifar")
    finished = replace(record, recipe=plain)
    _save(finished, RunOptions(out=tmp_path, precision="fp32").folder(plain))
    assert _train(tmp_path, plain, sync_batch_norm=True) == finished


def test_a_finished_run_of_another_recipe_of_this_name_is_not_handed_back(
    unbroken: tuple[Record, Path], tmp_path: Path
) -> None:
    own = TINY.changed(name="of-my-own")
    folder = RunOptions(out=tmp_path, precision="fp32").folder(own)
    _save(replace(unbroken[0], recipe=own), folder)
    assert _train(tmp_path, own).recipe == own
    with pytest.raises(
        UserError, match=r"\(of the recipe of-my-own before it was changed\); rename or delete"
    ):
        _train(tmp_path, own.changed(epochs=4))
    for foreign, sentence in (
        (replace(unbroken[0], recipe=own, seed=5), "seed=5 and not 0"),
        (replace(unbroken[0], recipe=own, profile="laptop"), "profile=laptop and not full"),
        (unbroken[0], "of the recipe quick/vgg and not of-my-own"),
    ):
        foreign.save(folder / "record.json")
        with pytest.raises(UserError, match=f"finished, and another one .{sentence}"):
            _train(tmp_path, own)
        assert load_record(folder / "record.json") == foreign


def _save(record: Record, folder: Path) -> None:
    """Write what makes a finished run of a folder: a record, and weights, which are not read."""
    record.save(folder / "record.json")
    (folder / "model.safetensors").touch()


def test_a_run_gives_back_the_network_the_data_and_the_initial_weights(unbroken: tuple[Record, Path]) -> None:
    run = load_run(unbroken[1])
    assert not run.model.training
    again = loop.evaluate(run.model, run.data.test.epoch(0))
    assert again.accuracy == pytest.approx(run.record.test["accuracy"], abs=1 / len(again.labels))
    initial, trained = run.initial_model().state_dict(), run.model.state_dict()
    stored = load_file(run.folder / "model.safetensors")
    first = "block1.conv1.weight"
    assert torch.equal(trained[first], stored[first])
    assert not torch.equal(trained[first], initial[first])


@pytest.mark.parametrize(
    ("changes", "options", "sentence"),
    [
        ({}, {"seed": -1}, "--seed is -1; expected a whole number of at least 0"),
        (
            {"model": "resnet-18", "train_images": 65},
            {},
            "65 training images in batches of 32 leave a batch of one",
        ),
        ({"name": "n" * 300}, {}, "cannot be used .File name too long"),
    ],
)
def test_what_would_end_a_run_late_is_refused_before_its_first_step(
    changes: dict[str, Any], options: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=sentence):
        _train(tmp_path, TINY.changed(**changes), **options)
    assert not list(tmp_path.iterdir())


def test_a_seed_may_be_as_long_as_one_likes(tmp_path: Path) -> None:
    record = _train(tmp_path, TINY.changed(epochs=1), seed=2**70 + 1)
    assert record.seed == 2**70 + 1
    assert _figures(record) != _figures(_train(tmp_path, TINY.changed(epochs=1), seed=1))


def test_times_are_recorded(unbroken: tuple[Record, Path]) -> None:
    record, _ = unbroken
    assert record.started is not None
    assert record.started <= record.finished
    assert record.date == record.finished[:10]
    parts = [record.seconds[part] for part in ("training", "validation", "test")]
    assert all(part > 0 for part in parts)
    assert record.seconds["total"] == pytest.approx(sum(parts), abs=0.02)


def test_the_test_set_is_opened_once_after_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    fit, evaluate = run_module.fit, run_module.evaluate

    def spied_fit(*args: Any) -> None:
        fit(*args)
        calls.append("fit")

    def spied_evaluate(*args: Any) -> Evaluation:
        calls.append("test")
        return evaluate(*args)

    monkeypatch.setattr(run_module, "fit", spied_fit)
    monkeypatch.setattr(run_module, "evaluate", spied_evaluate)
    _train(tmp_path, TINY.changed(epochs=1))
    assert calls == ["fit", "test"]


def test_another_seed_is_another_run(unbroken: tuple[Record, Path], tmp_path: Path) -> None:
    record, _ = unbroken
    assert _figures(_train(tmp_path, seed=1)) != _figures(record)


def test_weights_loaded_again_give_the_recorded_figures(unbroken: tuple[Record, Path]) -> None:
    record, folder = unbroken
    run = load_run(folder)
    tested = run.evaluate()
    assert run.record == record
    assert tested.accuracy == record.test["accuracy"]
    assert tested.loss == pytest.approx(record.test["loss"])


def test_weights_that_are_not_there_or_damaged_are_named(
    unbroken: tuple[Record, Path], tmp_path: Path
) -> None:
    record, _ = unbroken
    record.save(tmp_path / "record.json")
    with pytest.raises(UserError, match="no weights"):
        load_run(tmp_path).evaluate()
    (tmp_path / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(UserError, match="damaged or another network's"):
        load_run(tmp_path).evaluate()


def test_bf16_is_recorded_and_computes_the_same_to_its_eight_bits(tmp_path: Path) -> None:
    """Compared at the first step: after some more, rounding decides how a network of this rate has gone on."""
    one_step = TINY.changed(epochs=1, train_images=32)
    single, half = (_train(tmp_path, one_step, precision=precision) for precision in ("fp32", "bf16"))
    assert (half.precision, half.channels_last) == ("bf16", True)
    assert single.precision == "fp32"
    assert single.channels_last == (torch.cuda.is_available() or torch.backends.mkldnn.is_available())
    losses = [record.epochs[0]["train_loss"] for record in (single, half)]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(
        losses[1], rel=7 * 2**-8
    )  # six convolutions and a classifier, each rounded
    weights = load_file(RunOptions(out=tmp_path, precision="bf16").folder(one_step) / "model.safetensors")
    assert {value.dtype for value in weights.values() if value.is_floating_point()} == {torch.float32}


def test_splits_are_disjoint_and_statistics_are_the_training_splits() -> None:
    dataset = load_dataset("sketches")
    splits = split(get_recipe("quick/vgg"), dataset, seed=0)
    assert splits.validation is not None
    seen = {image.numpy().tobytes() for image in splits.train.images.pixels}
    held_out = {image.numpy().tobytes() for image in splits.validation.images.pixels}
    assert not seen & held_out
    assert len(splits.train.images) + len(splits.validation.images) == len(dataset.train)
    pixels = splits.train.images.pixels.double() / 255
    torch.testing.assert_close(
        splits.train.transform.mean.flatten().double(), pixels.mean(dim=(0, 2, 3)), atol=1e-5, rtol=0
    )
    assert splits.test.transform.mean.equal(splits.train.transform.mean)
    assert (splits.test.transform.pad, splits.test.transform.flip) == (0, False)


def test_too_few_images_for_a_batch_are_refused() -> None:
    with pytest.raises(UserError, match="under one batch of 64"):
        split(get_recipe("quick/vgg").changed(train_images=30), load_dataset("sketches"), seed=0)


def test_the_last_training_images_are_held_out_where_the_recipe_says_so() -> None:
    dataset = load_dataset("digits")
    chosen = get_recipe("report-c/vgg-16-mnist/as-reported")
    splits = split(chosen, dataset, seed=0)
    held_out = round(0.2 * len(dataset.train))
    assert splits.validation is not None
    assert torch.equal(splits.validation.images.labels, dataset.train.labels[-held_out:])
    assert torch.equal(splits.train.images.labels, dataset.train.labels[:-held_out])


def test_a_quick_profile_swaps_the_data_under_its_own_name(tmp_path: Path) -> None:
    chosen = get_recipe("report-b/resnet-20-mnist/as-reported").changed(model="resnet-8", epochs=1)
    record = _train(tmp_path, chosen, profile="quick")
    assert (record.data["name"], record.data["variant"], record.profile) == ("digits", "digits", "quick")
    written = json.loads(
        (
            RunOptions(profile="quick", out=tmp_path, precision="fp32").folder(chosen) / "record.json"
        ).read_text()
    )
    assert written["recipe"]["train_images"] == 512
