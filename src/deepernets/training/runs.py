"""A run: a recipe, a seed and data in; a trained network and a record out, resumable at any time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any, Unpack

from torch import nn

from deepernets.analysis.arithmetic import count_parameters
from deepernets.analysis.errors import confident_mistakes, confusion_matrix
from deepernets.data.sources import load
from deepernets.exceptions import UserError
from deepernets.models.vgg import start_from
from deepernets.models.zoo import build
from deepernets.training import hardware, processes
from deepernets.training.checkpoints import delete_checkpoints, load_weights, restore, save_weights
from deepernets.training.loop import Evaluation, Training, evaluate, evaluation_weights, fit
from deepernets.training.preflight import (
    require_folder_name,
    require_room,
    require_seed,
    require_two_images,
)
from deepernets.training.preparation import Splits, initial_model, prepare, prepare_data, split
from deepernets.training.recipe import Recipe, recipe
from deepernets.training.records import Record, changes_to, load_record
from deepernets.training.watching import Progress

RECORD = "record.json"


class Run:
    """A finished run: its record, and the trained network and its data, which are loaded when they are first used.

    Args:
        folder: Folder of the run.
        data_root: Folder of the data; without it `DEEPERNETS_DATA`, or a folder in the user's cache.

    Attributes:
        folder: Folder of the run.
        record: What the run recorded.

    Raises:
        UserError: the folder has no record.
    """

    def __init__(self, folder: str | Path, data_root: str | Path | None = None) -> None:
        self.folder = Path(folder)
        self.record = load_record(self.folder / RECORD)
        self._data_root = data_root

    def __repr__(self) -> str:
        return f"<Run {self.record.label}: test accuracy {self.record.test['accuracy']:.2%}>"

    @cached_property
    def data(self) -> Splits:
        """The images as the run split and normalised them, in batches for training, validation and test.

        Raises:
            UserError: the data set is not available.
        """
        record = self.record
        return split(record.recipe, load(record.recipe.data, self._data_root, record.profile), record.seed)

    @cached_property
    def model(self) -> nn.Module:
        """The trained network: float32, on the CPU, in evaluation mode.

        Raises:
            UserError: the run has no weights, or its data set is not available.
        """
        model = self.initial_model()
        load_weights(self.folder, model)
        return model

    def initial_model(self) -> nn.Module:
        """Return the network with the weights that it had before training, in evaluation mode."""
        return initial_model(self.record.recipe, self.data, self.record.seed).eval()

    def evaluate(self) -> Evaluation:
        """Evaluate the trained network on the test images again, in the precision and on the device of a training.

        Raises:
            UserError: the run has no weights, or its data set is not available.
        """
        record = self.record
        accelerator = hardware.accelerator("bf16" if record.precision == "bf16" else "fp32")
        splits = prepare_data(record.recipe, record.profile, record.seed, self._data_root, accelerator)
        training = prepare(record.recipe, splits, accelerator, record.seed)
        load_weights(self.folder, training.model)
        return evaluate(processes.agreed(training.model), processes.share(splits.test).epoch(0))


def load_run(folder: str | Path, data_root: str | Path | None = None) -> Run:
    """Return the finished run in `folder`, as `train` returned it; see `Run`."""
    return Run(folder, data_root)


def run_folder(wanted: Recipe, profile: str, seed: int, out: str | Path, precision: str = "auto") -> Path:
    """Return where a run lives: one folder per recipe, profile, seed and change made to the recipe.

    So has each precision that was asked for, so that two of them can be compared; auto is not named.

    >>> run_folder(recipe("quick/vgg").changed(epochs=2), "full", 0, "runs").as_posix()
    'runs/quick/vgg/full-seed0-epochs=2'
    >>> run_folder(recipe("quick/vgg"), "full", 0, "runs", "bf16").name
    'full-seed0-bf16'
    """
    changes = [f"-{field}={value}" for field, value in changes_to(wanted).items()]
    requested = "" if precision == "auto" else f"-{precision}"
    return Path(out) / wanted.name / f"{profile}-seed{seed}{''.join(changes)}{requested}".replace("/", "+")


def train(
    wanted: Recipe | str,
    *,
    profile: str = "full",
    seed: int = 0,
    data_root: str | Path | None = None,
    out: str | Path = "runs",
    **how: Unpack[hardware.How],
) -> Run:
    """Train a recipe, go on with a run that was cut off, or return a finished one.

    Args:
        wanted: A recipe, or the name of one.
        profile: quick (embedded data, seconds), laptop (real data, minutes) or full (as written).
        seed: All randomness comes from it: initial weights, split, order, augmentation, dropout.
        data_root: Folder of the data; without it `DEEPERNETS_DATA`, or a folder in the user's cache.
        out: The run gets a folder of its own in here.
        **how: What the machine is told beside the recipe, such as ``precision="fp32"``; see `hardware.How`.

    Returns:
        The run. Its folder holds ``record.json`` and the weights, ``model.safetensors``.

    Raises:
        UserError: the recipe, the data or the folder cannot be used, or the run is finished and was made in another
            way than is asked for.
    """
    written = recipe(wanted) if isinstance(wanted, str) else wanted
    requested, compiles = how.get("precision", "auto"), how.get("compile", False)
    if compiles:
        hardware.require_compiler()
    folder = run_folder(written, profile, seed, out, requested)
    require_seed(seed)
    require_folder_name(folder)
    if (folder / RECORD).is_file():
        run = Run(folder, data_root)
        _require_same_way(run, how)
        return run
    chosen = written.at(profile)
    if chosen.start_from:
        train(chosen.start_from, profile=profile, seed=seed, data_root=data_root, out=out, **how)
    accelerator = hardware.accelerator(requested)
    splits = prepare_data(chosen, profile, seed, data_root, accelerator)
    batches = processes.share(splits.train)
    require_two_images(chosen, batches, how.get("sync_batch_norm", False))
    training = prepare(chosen, splits, accelerator, seed)
    synchronised = how.get("sync_batch_norm", False) and processes.synchronise(training.model)
    if compiles:
        hardware.compile_calls(training.model)
    if chosen.start_from:
        _pre_initialise(
            training, splits, run_folder(recipe(chosen.start_from), profile, seed, out, requested)
        )
    require_room(folder, processes.bare(training.model), chosen.optimizer)
    restore(folder, training)
    progress = Progress(folder, chosen, len(splits.train.images), len(training.history))
    held_out = processes.share(splits.validation) if splits.validation else None
    with progress, _together(folder):
        fit(training, batches, held_out, chosen.epochs, seed, progress)
        start = perf_counter()
        with evaluation_weights(training.optimizer):
            tested = evaluate(processes.agreed(training.model), processes.share(splits.test).epoch(0))
            seconds = _seconds(training.history, perf_counter() - start)
            if processes.is_main():
                save_weights(folder, training)
    if processes.is_main():
        Record(
            recipe=chosen,
            changes=changes_to(written),
            profile=profile,
            seed=seed,
            data=splits.describe(),
            model={"name": chosen.model, "parameters": count_parameters(training.model)},
            epochs=training.history,
            test=summarise(tested, len(splits.dataset.classes)),
            precision=hardware.precision_of(accelerator),
            requested_precision=requested,
            compile=compiles,
            sync_batch_norm=synchronised,
            processes=processes.count(),
            channels_last=splits.train.channels_last,
            device=hardware.describe(accelerator.device),
            versions=hardware.versions(),
            started=training.started,
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=seconds,
        ).save(folder / RECORD)  # last, since a run with a record is finished
        delete_checkpoints(folder)
    processes.wait()
    return Run(folder, data_root)


def _require_same_way(run: Run, how: hardware.How) -> None:
    """Raise if a finished run was made with other options than those that are asked for.

    Raises:
        UserError: compiling, synchronised batch normalisation or precision differ.
    """
    record = run.record
    asked = {
        "compile": how.get("compile", False),
        "sync_batch_norm": how.get("sync_batch_norm", False) and processes.count() > 1,
        "requested_precision": how.get("precision", "auto"),
    }
    differing = [
        f"{option.removeprefix('requested_')}={getattr(record, option)} and not {wanted}"
        for option, wanted in asked.items()
        if getattr(record, option) != wanted
    ]
    if differing:
        raise UserError(
            f"The run in {run.folder} is finished, with {' and '.join(differing)}; ask for the same, train it "
            "again with --fresh, or choose another --out."
        )


def _seconds(history: list[dict[str, Any]], test: float) -> dict[str, float | None]:
    """Return the seconds that a run spent in training, validation and test, and their sum."""
    spent = {
        "training": sum(epoch["seconds"] for epoch in history),
        "validation": sum(epoch["validation_seconds"] for epoch in history),
        "test": test,
    }
    return {part: round(value, 2) for part, value in {**spent, "total": sum(spent.values())}.items()}


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
def _together(folder: Path) -> Iterator[None]:
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


def summarise(tested: Evaluation, classes: int) -> dict[str, Any]:
    """Return what a record says of the test: loss, accuracy, confusion matrix and the most confident mistakes."""
    predicted = tested.logits.argmax(dim=1)  # (N,)
    return {
        "loss": tested.loss,
        "accuracy": tested.accuracy,
        "confusion": confusion_matrix(predicted, tested.labels, classes).tolist(),
        "mistakes": confident_mistakes(tested.logits, tested.labels),
    }
