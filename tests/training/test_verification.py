"""Records are held against their recipes: each kind of disagreement is found, and said in a sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deepernets.errors import UserError
from deepernets.training.records import results_folder
from deepernets.training.verification import verify

NAME = "report-a/vgg-16/as-reported/full-seed0.json"


def test_all_shipped_records_are_as_their_recipes_say() -> None:
    found = verify(results_folder())
    assert len(found) >= 20
    assert {path: problems for path, problems in found.items() if problems} == {}


def _cut(values: dict[str, Any]) -> None:
    values["epochs"].pop()


def _fewer_test_images(values: dict[str, Any]) -> None:
    values["data"]["test"] = 2_999


def _prettier(values: dict[str, Any]) -> None:
    values["test"]["accuracy"] = 0.99


def _other_rate(values: dict[str, Any]) -> None:
    values["recipe"]["learning_rate"] = 0.5


def _trained_on_all(values: dict[str, Any]) -> None:
    values["data"].update(train=15_000, validation=0)


def _test_figures_in_epochs(values: dict[str, Any]) -> None:
    values["epochs"][0]["test_accuracy"] = 0.5


def _no_seed(values: dict[str, Any]) -> None:
    del values["seed"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_cut, "19 epochs where its recipe has 20"),
        (_fewer_test_images, "tested on 2,999 images, not on all 3,000"),
        (_prettier, "not that of its confusion matrix"),
        (_other_rate, "not that of the table"),
        (_trained_on_all, "held 0 images out where its recipe holds out 1,000"),
        (_test_figures_in_epochs, "record.epochs[0] must not contain {'test_accuracy'}"),
        (_no_seed, "record must contain"),
    ],
)
def test_what_does_not_fit_is_found(
    change: Callable[[dict[str, Any]], None], sentence: str, tmp_path: Path
) -> None:
    values = json.loads((results_folder() / NAME).read_text(encoding="utf-8"))
    change(values)
    path = tmp_path / NAME
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(values), encoding="utf-8")
    assert any(sentence in problem for problem in verify(tmp_path)[path])


def test_a_record_in_the_wrong_place_is_told_its_name(tmp_path: Path) -> None:
    path = tmp_path / "vgg.json"
    path.write_bytes((results_folder() / NAME).read_bytes())
    assert any("should be called" in problem for problem in verify(tmp_path)[path])


def test_a_precision_asked_for_by_hand_is_in_the_name_and_was_trained_in(tmp_path: Path) -> None:
    values = json.loads((results_folder() / NAME).read_text(encoding="utf-8"))
    other = {"bf16": "fp32", "fp32": "bf16"}[values["precision"]]
    paths = [
        tmp_path / NAME,
        *(tmp_path / NAME.replace(".json", f"-{kind}.json") for kind in ("fp32", "bf16")),
    ]
    paths[0].parent.mkdir(parents=True)
    for path in paths:
        path.write_text(json.dumps({**values, "requested_precision": values["precision"]}), encoding="utf-8")
    wrong = {
        path.stem.removeprefix("full-seed0").lstrip("-"): found for path, found in verify(tmp_path).items()
    }
    assert wrong[values["precision"]] == []
    assert "should be called" in wrong[""][0]
    assert "should be called" in wrong[other][0]
    paths[0].write_text(json.dumps({**values, "requested_precision": other}), encoding="utf-8")
    assert (
        f"{other} was requested and it was trained in {values['precision']}" in verify(tmp_path)[paths[0]][1]
    )


def test_files_that_are_no_records_are_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{", encoding="utf-8")
    (tmp_path / "b.json").write_text(" " * 60_001, encoding="utf-8")
    (tmp_path / "c.json").symlink_to(tmp_path / "absent")
    first, second, third = verify(tmp_path).values()
    assert "is not a run's record" in first[0]
    assert "60,001 bytes" in second[0]
    assert "cannot be read" in third[0]


def test_a_folder_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no records"):
        verify(tmp_path)
