"""Recorded runs held against the table of recipes: what a record must be to be shown."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jsonschema import Draft202012Validator

from deepernets.errors import UserError
from deepernets.papers.datasets import DATASETS
from deepernets.recipes import get_recipe
from deepernets.training.records import Record, load_record
from deepernets.training.runs import run_folder

LARGEST = 60_000  # bytes


def schema() -> dict[str, Any]:
    """Return the JSON schema of records."""
    text = (files("deepernets.training") / "record.schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def verify(folder: Path) -> dict[Path, list[str]]:
    """Return every record below a folder with what is wrong with it, in sentences; an empty list where nothing is.

    Raises:
        UserError: there are no records.
    """
    paths = sorted(folder.rglob("*.json"))
    if not paths:
        raise UserError(f"There are no records in {folder}; give a folder such as results/.")
    return {path: problems(path, folder) for path in paths}


def problems(path: Path, folder: Path) -> list[str]:
    """Return what is wrong with a record: its layout, its size, its recipe and budget, its data, its test.

    Args:
        path: The record.
        folder: The folder of records, from which its place is counted.
    """
    if path.stat().st_size > LARGEST:
        return [f"it has {path.stat().st_size:,} bytes, over the {LARGEST:,} that a record may have"]
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        return [f"it is not JSON ({error})"]
    wrong = [
        f"{'/'.join(map(str, error.absolute_path)) or 'the record'}: {error.message[:200]}"
        for error in Draft202012Validator(schema()).iter_errors(values)
    ]
    if wrong:
        return wrong
    try:
        record = load_record(path)
        return _against_its_recipe(record, path, folder) + _against_its_data(record)
    except UserError as error:
        return [str(error)]


def _against_its_recipe(record: Record, path: Path, folder: Path) -> list[str]:
    """Recipe and epochs must be those of the table with the record's changes; its place follows from them."""
    wanted = get_recipe(record.recipe.name).changed(**record.changes)
    wrong = []
    if record.recipe != wanted.at(record.profile):
        wrong.append(
            f"its recipe is not that of the table at profile {record.profile} with the changes that it states"
        )
    run = run_folder(wanted, record.profile, record.seed, folder, record.requested_precision)
    place = run.with_name(f"{run.name}.json")
    if path != place:
        wrong.append(f"it should be called {place}")
    if record.requested_precision not in ("auto", record.precision):
        wrong.append(f"{record.requested_precision} was requested and it was trained in {record.precision}")
    if [row["epoch"] for row in record.epochs] != list(range(1, record.recipe.epochs + 1)):
        wrong.append(f"it has {len(record.epochs)} epochs where its recipe has {record.recipe.epochs}")
    return wrong


def _against_its_data(record: Record) -> list[str]:
    """The images must be those of the recipe, split as it says, and the test set whole and opened once."""
    wrong = []
    data, confusion = record.data, np.array(record.test["confusion"])
    if record.profile != "quick" and data["name"] in DATASETS:
        info = DATASETS[data["name"]]
        if data["test"] != info.test_images:
            wrong.append(f"it was tested on {data['test']:,} images, not on all {info.test_images:,}")
        held_out = round(info.train_images * record.recipe.validation_fraction)
        if data["validation"] != held_out:
            wrong.append(f"it held {data['validation']:,} images out where its recipe holds out {held_out:,}")
        most = record.recipe.train_images or info.train_images - held_out
        if data["train"] > most:
            wrong.append(f"it was trained on {data['train']:,} images where there are {most:,} to train on")
    if data["name"] != record.recipe.data and record.profile != "quick":
        wrong.append(f"its recipe trains on {record.recipe.data}, and it was trained on {data['name']}")
    if confusion.sum() != data["test"]:
        wrong.append(
            f"its confusion matrix counts {confusion.sum():,} images; opened once, a test set has {data['test']:,}"
        )
    elif abs(confusion.trace() / confusion.sum() - record.test["accuracy"]) > 1e-6:
        wrong.append("its accuracy is not that of its confusion matrix")
    return wrong
