import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepernets.errors import UserError
from deepernets.files import write_atomically
from deepernets.recipes import get_recipe
from deepernets.training.options import RunOptions
from deepernets.training.records import Record, changes_to, load_record, load_records, results_folder

SHIPPED = sorted(results_folder().rglob("*.json"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.relative_to(results_folder()).as_posix())
def test_every_shipped_record_is_whole_and_consistent(path: Path) -> None:
    record = load_record(path)
    assert path.stat().st_size < 60_000
    confusion = np.array(record.test["confusion"])
    assert confusion.sum() == record.data["test"]
    assert confusion.trace() / confusion.sum() == pytest.approx(record.test["accuracy"], abs=1e-6)
    assert [row["epoch"] for row in record.epochs] == list(range(1, record.recipe.epochs + 1))
    assert path.parent.relative_to(results_folder()).as_posix() == record.recipe.name
    wanted = get_recipe(record.recipe.name).changed(**record.changes)
    options = RunOptions(record.profile, None, record.seed, record.requested_precision)
    assert path.stem == options.folder(wanted).name
    assert record.recipe == wanted.at(record.profile)
    assert all(mistake["label"] != mistake["predicted"] for mistake in record.test["mistakes"])
    confidences = [mistake["confidence"] for mistake in record.test["mistakes"]]
    assert confidences == sorted(confidences, reverse=True)


def test_the_recorded_runs_reach_what_the_course_says_of_them() -> None:
    """Report A had 91.2 % on CIFAR-3; five epochs of ResNet-20 are enough for 98.8 % on MNIST."""
    vgg = load_records("report-a/vgg-16/as-reported")[0]
    assert (vgg.recipe.epochs, vgg.data["variant"]) == (20, "cifar10-jpeg")
    assert vgg.test["accuracy"] > 0.912
    digits = load_records("report-b/resnet-20-mnist/ours")[0]
    assert (digits.recipe.epochs, digits.data["variant"]) == (5, "mnist")
    assert digits.test["accuracy"] > 0.988


def _some_record() -> Record:
    return load_record(SHIPPED[0])


def test_a_record_survives_its_file(tmp_path: Path) -> None:
    record = _some_record()
    record.save(tmp_path / "copy.json")
    assert load_record(tmp_path / "copy.json") == record
    assert record.data["variant"] in record.label
    assert record.device in record.label


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 99}', "{", "[" * 100_000])
def test_what_is_no_record_is_refused_in_a_sentence(text: str, tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text(text)
    with pytest.raises(UserError, match="is not a run's record"):
        load_record(path)


def test_a_missing_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent\.json cannot be read \(No such file"):
        load_record(tmp_path / "absent.json")


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    path = tmp_path / "figure.png"
    path.write_text("old")

    def fail(temporary: Path) -> None:
        temporary.write_text("ne")
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match="cannot be written"):
        write_atomically(path, fail)
    assert [(left.name, left.read_text()) for left in tmp_path.iterdir()] == [("figure.png", "old")]


def test_records_are_found_by_recipe_in_order_of_seeds(tmp_path: Path) -> None:
    from dataclasses import replace

    for seed in (2, 0, 1):
        replace(_some_record(), seed=seed).save(tmp_path / f"{seed}.json")
    replace(_some_record(), seed=3, requested_precision="fp32").save(tmp_path / "3-fp32.json")
    assert [record.seed for record in load_records(folder=tmp_path)] == [0, 1, 2]
    assert [record.seed for record in load_records(folder=tmp_path, requested_precision="fp32")] == [3]
    assert load_records(folder=tmp_path, requested_precision="bf16") == []
    assert load_records("no/such/recipe", tmp_path) == []


def test_a_record_holds_its_changes_of_every_kind() -> None:
    """None of these can be read back out of a file's name: a boolean, a hyphen, an exponent."""
    changes = {"nesterov": True, "model": "vgg-13-bn-cifar", "learning_rate": 1e-05}
    changed = get_recipe("report-a/vgg-16/as-reported").changed(**changes)
    assert changes_to(changed) == changes
    assert changes_to(changed.at("laptop"), "laptop") == changes
    assert changes_to(changed.changed(name="of-my-own")) == {}


def _in_format_1(**recipe_changes: object) -> dict[str, Any]:
    """Return a record as it was written before format 2: four epochs, of which none improves on the first."""
    values = json.loads(SHIPPED[0].read_text(encoding="utf-8"))
    new = ("changes", "compile", "sync_batch_norm", "processes", "requested_precision", "finished", "seconds")
    values = {name: value for name, value in values.items() if name not in new}
    values["recipe"] = asdict(get_recipe("race/on-plateau").changed(epochs=7, **recipe_changes))
    values["epochs"] = [
        {
            "epoch": epoch,
            "learning_rate": 0.1,
            "train_loss": 1.0,
            "train_accuracy": 0.5,
            "validation_loss": 1.0,
            "validation_accuracy": 0.5,
            "seconds": 10.0,
        }
        for epoch in range(1, 8)
    ]
    return {
        **values,
        "profile": "full",
        "started": "2026-11-01",
        "wall_seconds": 72.0,
        "asked": "fp32",
        "batch_norm": "synchronised",
        "format": 1,
    }


def test_a_record_of_format_1_is_read_with_the_learning_rates_that_were_used(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text(json.dumps(_in_format_1(learning_rate=1e-5)), encoding="utf-8")
    record = load_record(path)
    rates = [epoch["learning_rate"] for epoch in record.epochs]
    assert rates == pytest.approx([1e-5] * 6 + [1e-6], rel=1e-6, abs=0)
    assert record.changes == {"epochs": 7, "learning_rate": 1e-5}
    assert (record.started, record.finished, record.date) == (None, "2026-11-01", "2026-11-01")
    assert record.seconds == {"training": 70.0, "validation": None, "test": 2.0, "total": None}
    assert (record.requested_precision, record.sync_batch_norm, record.compile) == ("fp32", True, False)
    assert record.processes == 1
    record.save(path)
    assert load_record(path) == record
