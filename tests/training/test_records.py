import re
from pathlib import Path

import numpy as np
import pytest

from deepernets.exceptions import UserError
from deepernets.training.recipe import Recipe, recipe
from deepernets.training.records import Record, load_record, records, results_folder, write_whole
from deepernets.training.runs import run_folder

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
    wanted = _as_its_file_says(path.stem, record.recipe.name)
    assert path.stem == run_folder(wanted, record.profile, record.seed, "", record.asked).name
    assert record.recipe == wanted.at(record.profile)
    assert all(mistake["label"] != mistake["predicted"] for mistake in record.test["mistakes"])
    confidences = [mistake["confidence"] for mistake in record.test["mistakes"]]
    assert confidences == sorted(confidences, reverse=True)


def _as_its_file_says(stem: str, name: str) -> Recipe:
    """Return the recipe of a record's file, with the changes that stand in the file's name."""
    known = recipe(name)
    changes = dict(re.findall(r"-([a-z_]+)=([^-]+)", stem))
    return known.changed(**{field: type(getattr(known, field))(value) for field, value in changes.items()})


def test_the_recorded_runs_reach_what_the_course_says_of_them() -> None:
    """Report A had 91.2 % on CIFAR-3; three epochs of ResNet-20 are enough for 98.8 % on MNIST."""
    vgg = records("report-a/vgg-16/as-reported")[0]
    assert (vgg.recipe.epochs, vgg.data["variant"]) == (20, "cifar10-jpeg")
    assert vgg.test["accuracy"] > 0.912
    digits = records("report-b/resnet-20-mnist/ours")[0]
    assert (digits.recipe.epochs, digits.data["variant"]) == (3, "mnist")
    assert digits.test["accuracy"] > 0.988


def _some_record() -> Record:
    return load_record(SHIPPED[0])


def test_a_record_survives_its_file(tmp_path: Path) -> None:
    record = _some_record()
    record.save(tmp_path / "copy.json")
    assert load_record(tmp_path / "copy.json") == record
    assert record.data["variant"] in record.label
    assert record.device in record.label


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 99}', "{"])
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
        write_whole(path, fail)
    assert [(left.name, left.read_text()) for left in tmp_path.iterdir()] == [("figure.png", "old")]


def test_records_are_found_by_recipe_in_order_of_seeds(tmp_path: Path) -> None:
    from dataclasses import replace

    for seed in (2, 0, 1):
        replace(_some_record(), seed=seed).save(tmp_path / f"{seed}.json")
    replace(_some_record(), seed=3, asked="fp32").save(tmp_path / "3-fp32.json")
    assert [record.seed for record in records(folder=tmp_path)] == [0, 1, 2]
    assert [record.seed for record in records(folder=tmp_path, asked="fp32")] == [3]
    assert records(folder=tmp_path, asked="bf16") == []
    assert records("no/such/recipe", tmp_path) == []
