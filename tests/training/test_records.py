import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepernets.errors import UserError
from deepernets.recipes import get_recipe
from deepernets.training.options import RunOptions
from deepernets.training.records import Record, changes_to, load_record, load_records, results_folder
from deepernets.training.run import load_run
from deepernets.training.verification import verify

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


def _set(*path: Any) -> Any:
    """Return what sets the value at a path of keys, which ends in the value."""

    def change(values: Any) -> None:
        *keys, last, value = path
        for key in keys:
            values = values[key]
        values[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_set("test", None), "record.test must be object"),
        (_set("epochs", []), "record.epochs must contain at least 1 items"),
        (_set("epochs", 0, "train_loss", None), "record.epochs[0].train_loss must be number"),
        (_set("epochs", 0, "train_loss", float("nan")), "NaN is not a finite number"),
        (_set("test", "confusion", 0, 0, "many"), "record.test.confusion[0][0] must be integer"),
        (_set("test", "confusion", 0, 1, 2.5), "record.test.confusion[0][1] must be integer"),
        (_set("test", "confusion", [[1]]), "record.test.confusion must have 3 rows and columns"),
        (_set("test", "confusion", 1, [1]), "record.test.confusion must have 3 rows and columns"),
        (_set("test", "mistakes", 0, "label", 3), "record.test.mistakes must have labels of the classes"),
        (_set("data", "classes", None), "record.data.classes must be array"),
        (_set("data", "classes", 0, "\ud800"), "surrogates not allowed"),
        (_set("recipe", "epochs", "20"), "record.recipe.epochs must be integer"),
        (_set("recipe", "epochs", -1), "epochs is -1; it must be at least 1"),
        (_set("recipe", "name", "../elsewhere"), "it must be a name without .."),
        (_set("recipe", [1]), "record.recipe must be object"),
        (_set("changes", "epochs", "3"), "record.changes.epochs must be integer"),
        (_set("data", "mean", [0.5]), "record.data must have a mean and a std for each channel"),
        (_set("more", 1), "record must not contain {'more'}"),
        (_set("versions", "torch", None), "record.versions.torch must be string"),
    ],
)
def test_a_record_with_a_wrong_value_is_refused_with_file_and_field(
    change: Any, sentence: str, tmp_path: Path
) -> None:
    values = json.loads(SHIPPED[0].read_text(encoding="utf-8"))
    values["data"]["classes"], values["test"]["confusion"] = ["a", "b", "c"], [[1, 2, 3]] * 3
    values["test"]["mistakes"] = [{"index": 1, "label": 0, "predicted": 2, "confidence": 0.9}]
    path = tmp_path / "record.json"
    path.write_text(json.dumps(values))
    load_record(path)
    change(values)
    path.write_text(json.dumps(values))
    for read in (
        load_record,
        lambda path: load_records(folder=path.parent),
        lambda path: load_run(path.parent),
    ):
        with pytest.raises(UserError, match=re.escape(sentence)) as refused:
            read(path)
        assert str(refused.value).startswith(f"{path} is not a run's record of format 2 (")
    assert sentence in verify(tmp_path)[path][0]


def test_a_folder_of_records_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"There is no folder of records .*typo; give one"):
        load_records(folder=tmp_path / "typo")


def test_a_missing_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent\.json cannot be read \(No such file"):
        load_record(tmp_path / "absent.json")


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
    assert changes_to(changed.changed(name="of-my-own")) == {}
