"""Check recorded runs: their layout, and that they agree with their recipes and with their data."""

from pathlib import Path

import numpy as np

from deepernets.errors import UserError
from deepernets.files import reading
from deepernets.papers.datasets import DATASETS
from deepernets.recipes import get_recipe
from deepernets.training.options import RunOptions
from deepernets.training.records import Record, load_record

LARGEST = 60_000  # bytes


def verify(folder: Path) -> dict[Path, list[str]]:
    """Return the problems of every record below a folder, as text; an empty list for a record without any.

    Raises:
        UserError: there are no records.
    """
    paths = sorted(folder.rglob("*.json"))
    if not paths:
        raise UserError(f"There are no records in {folder}; give a folder such as results/.")
    return {path: find_problems(path, folder) for path in paths}


def find_problems(path: Path, folder: Path) -> list[str]:
    """Return what is wrong with a record's layout, size, recipe, epochs, data or test, as text.

    Args:
        path: The record.
        folder: The folder of all records.
    """
    try:
        with reading(path, "delete it"):
            size = path.stat().st_size
        if size > LARGEST:
            return [f"it has {size:,} bytes, over the {LARGEST:,} that a record may have"]
        record = load_record(path)
        return _compare_with_recipe(record, path, folder) + _compare_with_data(record)
    except UserError as error:
        return [str(error).removeprefix(f"{path} ")]


def _compare_with_recipe(record: Record, path: Path, folder: Path) -> list[str]:
    """Check that recipe and epochs are those of the course's recipe with the record's changes, and its path."""
    recipe = get_recipe(record.recipe.name).changed(**record.changes)
    problems = []
    if record.recipe != recipe.at(record.profile):
        problems.append(
            f"its recipe is not that of the table at profile {record.profile} with the changes that it states"
        )
    options = RunOptions(record.profile, seed=record.seed, precision=record.requested_precision, out=folder)
    run = options.folder(recipe)
    expected = run.with_name(f"{run.name}.json")
    if path != expected:
        problems.append(f"it should be called {expected}")
    if record.requested_precision not in ("auto", record.precision):
        problems.append(
            f"{record.requested_precision} was requested and it was trained in {record.precision}"
        )
    if record.by_epoch("epoch") != list(range(1, record.recipe.epochs + 1)):
        problems.append(f"it has {len(record.epochs)} epochs where its recipe has {record.recipe.epochs}")
    return problems


def _compare_with_data(record: Record) -> list[str]:
    """Check that the images are those of the recipe, split as in it, and the test set complete and used once."""
    problems = []
    data, confusion = record.data, np.array(record.test["confusion"])
    if record.profile != "quick" and data["name"] in DATASETS:
        info = DATASETS[data["name"]]
        if data["test"] != info.test_images:
            problems.append(f"it was tested on {data['test']:,} images, not on all {info.test_images:,}")
        held_out = round(info.train_images * record.recipe.validation_fraction)
        if data["validation"] != held_out:
            problems.append(
                f"it held {data['validation']:,} images out where its recipe holds out {held_out:,}"
            )
        most = record.recipe.train_images or info.train_images - held_out
        if data["train"] > most:
            problems.append(
                f"it was trained on {data['train']:,} images where there are {most:,} to train on"
            )
    if data["name"] != record.recipe.data and record.profile != "quick":
        problems.append(f"its recipe trains on {record.recipe.data}, and it was trained on {data['name']}")
    if confusion.sum() != data["test"]:
        problems.append(
            f"its confusion matrix counts {confusion.sum():,} images; opened once, a test set has {data['test']:,}"
        )
    elif abs(confusion.trace() / confusion.sum() - record.test["accuracy"]) > 1e-6:
        problems.append("its accuracy is not that of its confusion matrix")
    return problems
