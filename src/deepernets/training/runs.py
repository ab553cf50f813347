"""A run: a recipe, a seed and data in; a trained network and a record out, resumable at any time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Any, Unpack

from deepernets.analysis.arithmetic import count_parameters
from deepernets.analysis.errors import confident_mistakes, confusion_matrix
from deepernets.exceptions import UserError
from deepernets.models.vgg import start_from
from deepernets.models.zoo import build
from deepernets.training import hardware, processes
from deepernets.training.checkpoints import finish, load_weights, restore
from deepernets.training.loop import Evaluation, Training, evaluate, fit
from deepernets.training.preparation import Splits, prepare, prepare_data
from deepernets.training.recipe import Recipe, recipe
from deepernets.training.records import Record, load_record
from deepernets.training.watching import Progress

RECORD = "record.json"


def run_folder(wanted: Recipe, profile: str, seed: int, out: str | Path, precision: str = "auto") -> Path:
    """Return where a run lives: one folder per recipe, profile, seed and change made to the recipe.

    So has each precision that was asked for, so that two of them can be compared; auto is not named.

    >>> run_folder(recipe("quick/vgg").changed(epochs=2), "full", 0, "runs").as_posix()
    'runs/quick/vgg/full-seed0-epochs=2'
    >>> run_folder(recipe("quick/vgg"), "full", 0, "runs", "bf16").name
    'full-seed0-bf16'
    """
    from deepernets.training.recipes import RECIPES

    named_so = RECIPES.get(wanted.name, wanted)
    changes = [
        f"-{field.name}={getattr(wanted, field.name)}"
        for field in fields(Recipe)
        if getattr(wanted, field.name) != getattr(named_so, field.name)
    ]
    asked = "" if precision == "auto" else f"-{precision}"
    return Path(out) / wanted.name / f"{profile}-seed{seed}{''.join(changes)}{asked}".replace("/", "+")


def train(
    wanted: Recipe | str,
    *,
    profile: str = "full",
    seed: int = 0,
    data_root: str | Path | None = None,
    out: str | Path = "runs",
    **how: Unpack[hardware.How],
) -> Record:
    """Train a recipe, go on with a run that was cut off, or return the record of a finished one.

    Args:
        wanted: A recipe, or the name of one.
        profile: quick (embedded data, seconds), laptop (real data, minutes) or full (as written).
        seed: All randomness comes from it: first weights, split, order, augmentation, dropout.
        data_root: Folder of the data; without it `DEEPERNETS_DATA`, or a folder in the user's cache.
        out: The run gets a folder of its own in here.
        **how: What the machine is told beside the recipe, such as ``precision="fp32"``; see `hardware.How`.

    Returns:
        The record, also written to ``record.json`` in the run's folder, with the weights beside it.

    Raises:
        UserError: the recipe, the data or the folder cannot be used.
    """
    chosen = recipe(wanted) if isinstance(wanted, str) else wanted
    asked, compiled = how.get("precision", "auto"), how.get("compiled", False)
    if compiled:
        hardware.require_compiler()
    folder = run_folder(chosen, profile, seed, out, asked)
    chosen = chosen.at(profile)
    if (folder / RECORD).is_file():
        return load_record(folder / RECORD)
    if chosen.start_from:
        train(chosen.start_from, profile=profile, seed=seed, data_root=data_root, out=out, **how)
    accelerator = hardware.accelerator(asked)
    splits = prepare_data(chosen, profile, seed, data_root, accelerator)
    training = prepare(chosen, splits, accelerator, seed)
    synchronised = how.get("sync_batch_norm", False) and processes.synchronise(training.model)
    if compiled:
        hardware.compile_calls(training.model)
    if chosen.start_from:
        _pre_initialise(training, splits, run_folder(recipe(chosen.start_from), profile, seed, out, asked))
    restore(folder, training)
    progress = Progress(folder, chosen, len(splits.train.images), len(training.history))
    held_out = processes.share(splits.validation) if splits.validation else None
    with progress, _all_or_none(folder):
        fit(training, processes.share(splits.train), held_out, chosen.epochs, seed, progress)
        started = perf_counter()
        tested = evaluate(processes.agreed(training.model), processes.share(splits.test).epoch(0))
    seconds = sum(epoch["seconds"] for epoch in training.history) + perf_counter() - started
    record = Record(
        recipe=chosen,
        profile=profile,
        seed=seed,
        data=splits.describe(),
        model={"name": chosen.model, "parameters": count_parameters(training.model)},
        epochs=training.history,
        test=summarise(tested, len(splits.dataset.classes)),
        precision=hardware.precision_of(accelerator),
        channels_last=splits.train.channels_last,
        device=hardware.describe(accelerator.device),
        versions=hardware.versions(),
        started=date.today().isoformat(),
        wall_seconds=round(seconds, 1),
        processes=processes.count(),
        asked=asked,
        batch_norm="synchronised" if synchronised else "local",
        compiled=compiled,
    )
    if processes.is_main():
        record.save(folder / RECORD)
        finish(folder, training)
    processes.wait()
    return record


def _pre_initialise(training: Training, splits: Splits, trained: Path) -> None:
    """Give a network the first layers and the classifier of a trained, shallower one (VGG, section 3.1)."""
    shallow = build(
        load_record(trained / RECORD).recipe.model,
        in_shape=(splits.dataset.train.pixels.shape[1], *splits.train.images.pixels.shape[2:]),
        classes=len(splits.dataset.classes),
    )
    load_weights(trained, shallow)
    start_from(processes.bare(training.model), shallow.to(splits.train.images.pixels.device))


@contextmanager
def _all_or_none(folder: Path) -> Iterator[None]:
    """Say what to do when another process of a run has died, instead of what the network library says of it.

    Raises:
        UserError: the processes can no longer talk to each other.
    """
    try:
        yield
    except RuntimeError as error:
        if processes.count() == 1 or "peer" not in str(error):
            raise
        raise UserError(
            f"Another process of this run has ended, so this one stops, too. The same command, with any number of "
            f"processes, goes on from the last whole epoch in {folder}."
        ) from error


def evaluate_run(folder: Path, data_root: str | Path | None = None) -> tuple[Record, Evaluation]:
    """Load a finished run's weights and evaluate them on the test images again.

    Raises:
        UserError: the run has no record, no weights, or its data set is not there.
    """
    record = load_record(folder / RECORD)
    accelerator = hardware.accelerator("bf16" if record.precision == "bf16" else "fp32")
    splits = prepare_data(record.recipe, record.profile, record.seed, data_root, accelerator)
    training = prepare(record.recipe, splits, accelerator, record.seed)
    load_weights(folder, training.model)
    return record, evaluate(processes.agreed(training.model), processes.share(splits.test).epoch(0))


def summarise(tested: Evaluation, classes: int) -> dict[str, Any]:
    """Return what a record says of the test: loss, accuracy, confusion matrix and the surest mistakes."""
    predicted = tested.logits.argmax(dim=1)  # (N,)
    return {
        "loss": tested.loss,
        "accuracy": tested.accuracy,
        "confusion": confusion_matrix(predicted, tested.labels, classes).tolist(),
        "mistakes": confident_mistakes(tested.logits, tested.labels),
    }
