"""A run: a recipe, a seed and data in; a trained network and a record out, resumable at any time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any, Unpack

import torch
from accelerate import Accelerator
from torch import nn

from deepernets.analysis.errors import confident_mistakes, confusion_matrix
from deepernets.data.datasets import load_dataset
from deepernets.errors import UserError
from deepernets.models.counting import count_parameters
from deepernets.models.registry import build_model
from deepernets.models.speedrun import FlipAveraged
from deepernets.models.vgg import start_from
from deepernets.recipes import get_recipe
from deepernets.recipes.recipe import Recipe
from deepernets.training import distributed, hardware
from deepernets.training.checkpoints import (
    delete_checkpoints,
    load_weights,
    restore,
    save_weights,
)
from deepernets.training.cuda_graphs import CapturedStep, can_capture
from deepernets.training.loop import Evaluation, Training, evaluate, evaluation_weights, fit
from deepernets.training.preflight import (
    require_folder_name,
    require_room,
    require_seed,
    require_two_images,
)
from deepernets.training.preparation import Splits, initial_model, prepare, prepare_data, split
from deepernets.training.records import (
    Record,
    changes_to,
    load_record,
)
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
        return (
            f"<{type(self).__name__} {self.record.label}: test accuracy {self.record.test['accuracy']:.2%}>"
        )

    @cached_property
    def data(self) -> Splits:
        """The images as the run split and normalised them, in batches for training, validation and test.

        Raises:
            UserError: the data set is not available.
        """
        record = self.record
        return split(
            record.recipe, load_dataset(record.recipe.data, self._data_root, record.profile), record.seed
        )

    @cached_property
    def model(self) -> nn.Module:
        """The trained network: float32, on the CPU, in evaluation mode.

        Raises:
            UserError: the run has no weights.
        """
        with torch.random.fork_rng(devices=[]):  # the initial weights are replaced at once
            model = _network(self.record)
        self._load_weights(model)
        return model.eval()

    def _load_weights(self, model: nn.Module) -> None:
        load_weights(self.folder, model)

    def initial_model(self) -> nn.Module:
        """Return the network with the weights that it had before its first step, in evaluation mode.

        Raises:
            UserError: the data set is not available, or the run that this one started from has been deleted.
        """
        record = self.record
        model = initial_model(record.recipe, self.data, record.seed)
        below = len(Path(record.recipe.name).parts) + 1  # folders between `out` and this run's files
        out = Path(*self.folder.absolute().parts[:-below])
        shallow = _shallow_run(record.recipe, record.profile, record.seed, out, record.requested_precision)
        if shallow:
            _pre_initialise(model, self.data, shallow)
        return model.eval()

    def evaluate(self) -> Evaluation:
        """Evaluate the trained network on the test images again, in the precision and on the device of a training.

        Raises:
            UserError: the run has no weights, or its data set is not available.
        """
        record = self.record
        accelerator = hardware.accelerator("bf16" if record.precision == "bf16" else "fp32")
        splits = prepare_data(record.recipe, record.profile, record.seed, self._data_root, accelerator)
        training = prepare(record.recipe, splits, accelerator, record.seed)
        self._load_weights(distributed.unwrap(training.model))
        return evaluate(
            distributed.unwrap_for_evaluation(training.model), distributed.share(splits.test).epoch(0)
        )


def load_run(folder: str | Path, data_root: str | Path | None = None) -> Run:
    """Return the finished run in `folder`, as `train` returned it; see `Run`."""
    return Run(folder, data_root)


def run_folder(wanted: Recipe, profile: str, seed: int, out: str | Path, precision: str = "auto") -> Path:
    """Return where a run lives: one folder per recipe, profile, seed and change made to the recipe.

    So has each precision that was asked for, so that two of them can be compared; auto is not named.

    >>> run_folder(get_recipe("quick/vgg").changed(epochs=2), "full", 0, "runs").as_posix()
    'runs/quick/vgg/full-seed0-epochs=2'
    >>> run_folder(get_recipe("quick/vgg"), "full", 0, "runs", "bf16").name
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
        **how: Options that are not part of the recipe, such as ``precision="fp32"``; see `hardware.How`.

    Returns:
        The run. Its folder holds ``record.json`` and the weights, ``model.safetensors``.

    Raises:
        UserError: the recipe, the data or the folder cannot be used, or what there is of the run was made by
            another recipe of this name, or with other options.
    """
    written = get_recipe(wanted) if isinstance(wanted, str) else wanted
    requested = how.get("precision", "auto")
    if how.get("compile", False):
        hardware.require_compiler()
    folder = run_folder(written, profile, seed, out, requested)
    require_seed(seed)
    require_folder_name(folder)
    if (folder / RECORD).is_file():
        run = Run(folder, data_root)
        _require_same_run(run, written.at(profile), how)
        if distributed.is_main():
            delete_checkpoints(folder)  # left by a run that was killed after it had written its record
        return run
    chosen = written.at(profile)
    shallow = _shallow_run(chosen, profile, seed, out, requested)
    if shallow and not (shallow / RECORD).is_file():  # compiled or not, a finished one will do
        train(chosen.start_from, profile=profile, seed=seed, data_root=data_root, out=out, **how)
    accelerator = hardware.accelerator(requested)
    splits = prepare_data(chosen, profile, seed, data_root, accelerator)
    training, synchronised = _set_up(chosen, splits, accelerator, seed, shallow, how)
    require_room(folder, distributed.unwrap(training.model), chosen.optimizer)
    restore(folder, training, chosen)
    if can_capture(training) and not how.get("compile", False):
        training.step = CapturedStep(training, *next(splits.train.epoch(0)))
    with _together(folder):
        tested, seconds = _fit_and_test(chosen, splits, training, seed, folder)
        if distributed.is_main():
            record = Record(
                recipe=chosen,
                changes=changes_to(written),
                profile=profile,
                seed=seed,
                data=splits.describe(),
                model={"name": chosen.model, "parameters": count_parameters(training.model)},
                epochs=training.history,
                test=summarise(tested, len(splits.dataset.classes)),
                requested_precision=requested,
                compile=how.get("compile", False),
                sync_batch_norm=synchronised,
                channels_last=splits.train.channels_last,
                started=training.started,
                finished=datetime.now(UTC).isoformat(timespec="seconds"),
                seconds=_seconds(training.history, seconds),
                **_machine(accelerator),
            )
            record.save(folder / RECORD)  # last, since a run with a record is finished
            delete_checkpoints(folder)
        distributed.wait()
    return Run(folder, data_root)


def _shallow_run(chosen: Recipe, profile: str, seed: int, out: str | Path, requested: str) -> Path | None:
    """Return the folder of the run that a recipe starts from; None for a recipe that starts from no other."""
    if not chosen.start_from:
        return None
    return run_folder(get_recipe(chosen.start_from), profile, seed, out, requested)


def _set_up(
    chosen: Recipe,
    splits: Splits,
    accelerator: Accelerator,
    seed: int,
    shallow: Path | None,
    how: hardware.How,
) -> tuple[Training, bool]:
    """Return the training before its first step, and whether its batch normalisation is synchronised.

    Raises:
        UserError: the network cannot be trained on the smallest batch.
    """
    wants_synchronised = how.get("sync_batch_norm", False)
    require_two_images(chosen, distributed.share(splits.train), wants_synchronised)
    training = prepare(chosen, splits, accelerator, seed)
    synchronised = wants_synchronised and distributed.synchronise(training.model)
    if how.get("compile", False):
        hardware.compile_calls(training.model)
    if shallow:
        _pre_initialise(distributed.unwrap(training.model), splits, shallow)
    return training, synchronised


def _fit_and_test(
    chosen: Recipe, splits: Splits, training: Training, seed: int, folder: Path
) -> tuple[Evaluation, float]:
    """Train to the last epoch, evaluate the test images, and write the weights.

    Returns:
        The evaluation, and the seconds that it took.
    """
    batches = distributed.share(splits.train)
    held_out = distributed.share(splits.validation) if splits.validation else None
    with Progress(folder, chosen, len(splits.train.images), len(training.history)) as progress:
        fit(training, batches, held_out, chosen.epochs, seed, progress)
        start = perf_counter()
        with evaluation_weights(training.optimizer):
            tested = evaluate(
                distributed.unwrap_for_evaluation(training.model), distributed.share(splits.test).epoch(0)
            )
            seconds = perf_counter() - start
            if distributed.is_main():
                save_weights(folder, training)
    return tested, seconds


def _machine(accelerator: Accelerator) -> dict[str, Any]:
    """Return what a record states of the machine and of its software."""
    return {
        "precision": hardware.precision_of(accelerator),
        "processes": distributed.count(),
        "device": hardware.describe(accelerator.device),
        "versions": hardware.versions(),
    }


def _require_same_run(run: Run, chosen: Recipe, how: hardware.How) -> None:
    """Raise if a finished run is of another recipe, or was made with other options than those that are asked for.

    Raises:
        UserError: the recipe, compiling, synchronised batch normalisation or precision differ.
    """
    record = run.record
    if record.recipe != chosen:
        raise UserError(
            f"The run in {run.folder} is finished, and of the recipe {chosen.name} before it was changed; rename "
            "or delete the folder, train it again with --fresh, or choose another --out."
        )
    asked = {
        "compile": how.get("compile", False),
        "sync_batch_norm": how.get("sync_batch_norm", False)
        and distributed.count() > 1
        and _has_batch_norm(record),
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


def _has_batch_norm(record: Record) -> bool:
    """Whether a recorded network has batch normalisation, found without memory for its weights."""
    with torch.device("meta"):
        network = _network(record)
    return any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())


def _network(record: Record) -> nn.Module:
    """Return a recorded run's network with weights that are neither its initial nor its trained ones."""
    chosen = record.recipe
    in_shape = len(record.data["mean"]), chosen.image_size, chosen.image_size
    network = build_model(chosen.model, in_shape, classes=len(record.data["classes"]))
    return FlipAveraged(network) if chosen.both_ways else network


def _seconds(history: list[dict[str, Any]], test: float) -> dict[str, float | None]:
    """Return the seconds that a run spent in training, validation and test, and their sum."""
    spent = {
        "training": sum(epoch["seconds"] for epoch in history),
        "validation": sum(epoch["validation_seconds"] for epoch in history),
        "test": test,
    }
    return {part: round(value, 2) for part, value in {**spent, "total": sum(spent.values())}.items()}


def _pre_initialise(model: nn.Module, splits: Splits, trained: Path) -> None:
    """Give a network the first layers and the classifier of a trained, shallower one (VGG, section 3.1)."""
    shallow = build_model(
        load_record(trained / RECORD).recipe.model,
        in_shape=(splits.dataset.train.pixels.shape[1], *splits.train.images.pixels.shape[2:]),
        classes=len(splits.dataset.classes),
    )
    load_weights(trained, shallow)
    start_from(model, shallow.to(splits.train.images.pixels.device))


@contextmanager
def _together(folder: Path) -> Iterator[None]:
    """Say what to do when another process of a run has died, instead of what the network library says of it.

    Raises:
        UserError: the processes can no longer talk to each other.
    """
    try:
        yield
    except RuntimeError as error:
        if distributed.count() == 1 or "peer" not in str(error):
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
