"""Train a recipe into a `Run`: a trained network and its record. An interrupted run continues where it stopped."""

from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from deepernets.data.batches import Batches
from deepernets.data.datasets import load_dataset
from deepernets.errors import UserError
from deepernets.files import lock_folder, require_writable
from deepernets.models.counting import count_parameters
from deepernets.models.registry import build_model
from deepernets.models.vgg import start_from
from deepernets.papers.datasets import DATASETS
from deepernets.recipes import get_recipe
from deepernets.recipes.recipe import Recipe
from deepernets.training import distributed, hardware
from deepernets.training.callbacks import Progress
from deepernets.training.checkpoints import (
    continue_run,
    delete_checkpoints,
    delete_leftovers,
    is_finished,
    load_run_weights,
    require_own_files,
    require_room,
    save_run_weights,
)
from deepernets.training.cuda_graphs import CapturedStep, can_capture
from deepernets.training.logs import EpochLog, require_log
from deepernets.training.loop import Evaluation, Training, evaluate, evaluation_weights, fit
from deepernets.training.metrics import summarise
from deepernets.training.options import RunOptions, list_differences, require_folder_name, require_same_run
from deepernets.training.preparation import (
    Splits,
    build_recorded,
    identify,
    initial_model,
    prepare,
    prepare_data,
    require_two_images,
    split,
)
from deepernets.training.records import RECORD, Record, changes_to, load_record, total_seconds


class Run:
    """A finished run: its record, and its trained network and its data, which are loaded on first use.

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
        self._data_root = None if data_root is None else Path(data_root)

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
        recipe = record.recipe
        dataset = load_dataset(recipe.data, self._data_root, record.profile, recipe.image_size)
        return split(recipe, dataset, record.seed)

    @cached_property
    def model(self) -> nn.Module:
        """The trained network in float32, on the CPU, in evaluation mode.

        Raises:
            UserError: the run has no weights.
        """
        with torch.random.fork_rng(devices=[]):  # the initial weights are replaced at once
            model = build_recorded(self.record)
        self._load_weights(model)
        return model.eval()

    def _load_weights(self, model: nn.Module) -> None:
        load_run_weights(self.folder, model)

    def initial_model(self) -> nn.Module:
        """Return the network with its initial weights, in evaluation mode.

        Raises:
            UserError: the data set is not available, or the run that this one started from has been deleted.
        """
        record = self.record
        model = initial_model(record.recipe, self.data, record.seed)
        levels = len(Path(record.recipe.name).parts) + 1  # folders between `out` and this run's files
        out = Path(*self.folder.absolute().parts[:-levels])
        options = RunOptions(record.profile, seed=record.seed, precision=record.requested_precision, out=out)
        if shallow := _shallow_folder(record.recipe, options):
            _load_shallow_layers(model, self.data, shallow)
        return model.eval()

    def evaluate(self) -> Evaluation:
        """Evaluate the trained network on the test images, in the run's precision and on this machine's device.

        Raises:
            UserError: the run has no weights, or its data set is not available.
        """
        record = self.record
        accelerator = hardware.accelerator("bf16" if record.precision == "bf16" else "fp32")
        options = RunOptions(record.profile, self._data_root, record.seed)
        splits = prepare_data(record.recipe, options, accelerator)
        training = prepare(record.recipe, splits, accelerator, record.seed)
        self._load_weights(distributed.unwrap(training.model))
        return _evaluate_test(training, distributed.share(splits.test))


def load_run(folder: str | Path, data_root: str | Path | None = None) -> Run:
    """Return a finished run, as `train` returned it.

    Args:
        folder: Folder of the run.
        data_root: Folder of the data; without it `DEEPERNETS_DATA`, or a folder in the user's cache.

    Raises:
        UserError: the folder has no record, or one that cannot be read.
    """
    return Run(folder, data_root)


def train(recipe: Recipe | str, options: RunOptions | None = None, **changes: Any) -> Run:
    """Train a recipe, continue a run that was interrupted, or return a finished one.

    ``train("quick/vgg", profile="laptop", seed=1)`` is short for
    ``train("quick/vgg", RunOptions(profile="laptop", seed=1))``.

    Args:
        recipe: A recipe, or the name of one.
        options: Profile, seed, folders and precision.
        **changes: Options to change: the fields of `RunOptions`.

    Returns:
        The run. Its folder holds ``record.json`` and the weights, ``model.safetensors``.

    Raises:
        UserError: the recipe, the data or the folder cannot be used, or the folder has a run of another recipe of
            this name, or with other options.
    """
    options = replace(options or RunOptions(), **changes)
    written = get_recipe(recipe) if isinstance(recipe, str) else recipe
    recipe = written.at(options.profile)
    folder = options.folder(written)
    distributed.use_device(options.device)
    require_log(options.log)
    if options.compile:
        hardware.require_compiler()
    require_folder_name(folder)
    require_own_files(folder)
    if is_finished(folder) and not options.fresh:
        return _finished_run(folder, recipe, options)
    require_writable(folder / RECORD)
    if recipe.start_from:
        _train_shallow(recipe.start_from, options)
    accelerator = hardware.accelerator(options.precision)
    splits = prepare_data(recipe, options, accelerator)
    training = _prepare_training(recipe, splits, accelerator, options)
    require_room(folder, distributed.unwrap(training.model), recipe.optimizer)
    with lock_folder(folder) if distributed.is_main() else nullcontext():
        continue_run(training, folder, recipe, options)
        if can_capture(training):
            training.step = CapturedStep(training, *next(splits.train.epoch(0)), options.compile)
        with distributed.explain_lost_processes(folder):
            tested, seconds = _fit_and_test(recipe, splits, training, options, folder)
            if distributed.is_main():
                record = _record(written, splits, training, options, tested, seconds)
                record.save(folder / RECORD)  # last, since a run with a record is finished
                delete_checkpoints(folder)
            distributed.wait()
    return Run(folder, options.data_root)


def _record(
    written: Recipe,
    splits: Splits,
    training: Training,
    options: RunOptions,
    tested: Evaluation,
    test_seconds: float,
) -> Record:
    """Return the record of a run that has just been finished."""
    recipe = written.at(options.profile)
    network = distributed.unwrap(training.model)
    return Record(
        recipe=recipe,
        changes=changes_to(written),
        profile=options.profile,
        seed=options.seed,
        data=splits.describe(),
        model={"name": recipe.model, "parameters": count_parameters(network)},
        epochs=training.history,
        test=summarise(tested.loss, tested.logits, tested.labels, len(splits.dataset.classes)),
        precision=training.identity["precision"],
        requested_precision=options.precision,
        compile=options.compile,
        sync_batch_norm=distributed.has_synchronised_batch_norm(network),
        processes=distributed.num_processes(),
        channels_last=splits.train.channels_last,
        device=hardware.describe(splits.train.images.pixels.device),
        versions=training.identity["versions"],
        started=training.started,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=total_seconds(training.history, test_seconds),
    )


def _train_shallow(name: str, options: RunOptions) -> None:
    """Train the recipe that another one starts from, unless it is finished, compiled or not.

    Raises:
        UserError: the folder of that run has a run of another recipe, or one that was trained on other images.
    """
    recipe = get_recipe(name)
    folder = options.folder(recipe)
    if not is_finished(folder):
        train(recipe, replace(options, fresh=False))
        return
    run = Run(folder, options.data_root)
    require_same_run(run.record, folder, recipe.at(options.profile), options)
    _require_same_images(run, options)


def _shallow_folder(recipe: Recipe, options: RunOptions) -> Path | None:
    """Return the folder of the run whose weights a recipe starts from; None for a recipe without one."""
    return options.folder(get_recipe(recipe.start_from)) if recipe.start_from else None


def _prepare_training(
    recipe: Recipe, splits: Splits, accelerator: Accelerator, options: RunOptions
) -> Training:
    """Return the training before its first step."""
    require_two_images(recipe, distributed.share(splits.train), options.sync_batch_norm)
    training = prepare(recipe, splits, accelerator, options.seed)
    training.identity = identify(recipe, splits, accelerator, options)
    if options.sync_batch_norm:
        distributed.synchronise_batch_norm(training.model)
    if options.compile and not can_capture(training):
        hardware.compile_calls(training.model)
    if shallow := _shallow_folder(recipe, options):
        _load_shallow_layers(distributed.unwrap(training.model), splits, shallow)
    return training


def _fit_and_test(
    recipe: Recipe, splits: Splits, training: Training, options: RunOptions, folder: Path
) -> tuple[Evaluation, float]:
    """Train to the last epoch, evaluate on the test images, and write the weights.

    Returns:
        The evaluation, and how long it took in seconds.
    """
    batches = distributed.share(splits.train)
    held_out = distributed.share(splits.validation) if splits.validation else None
    test = distributed.share(splits.test)
    with (
        EpochLog(folder, options.log, training.history) as log,
        Progress(folder, recipe, len(splits.train.images), len(training.history)) as progress,
    ):
        fit(training, batches, held_out, recipe.epochs, options.seed, (progress, log))
        start = perf_counter()
        with evaluation_weights(training.optimizer):
            tested = _evaluate_test(training, test)
            seconds = perf_counter() - start
            if distributed.is_main():
                save_run_weights(folder, training)
    return tested, seconds


def _evaluate_test(training: Training, test: Batches) -> Evaluation:
    return evaluate(distributed.unwrap_for_evaluation(training.model), test.epoch(0))


def _finished_run(folder: Path, recipe: Recipe, options: RunOptions) -> Run:
    """Return the finished run in `folder`, if it is the one that is asked for.

    Raises:
        UserError: recipe, images, profile, seed, precision, compiling or synchronised batch normalisation differ.
    """
    run = Run(folder, options.data_root)
    record = run.record
    require_same_run(record, folder, recipe, options)
    several = distributed.num_processes() > 1
    synchronised = options.sync_batch_norm and several and _has_batch_norm(record)
    if differing := list_differences(
        {
            "compile": (record.compile, options.compile),
            "sync_batch_norm": (record.sync_batch_norm, synchronised),
        }
    ):
        raise UserError(
            f"The run in {folder} is finished, with {' and '.join(differing)}; ask for the same, train it "
            "again with --fresh, or choose another --out."
        )
    _require_same_images(run, options)
    if distributed.is_main():
        delete_leftovers(folder)
    with EpochLog(folder, options.log, record.epochs):  # which it may have been trained without
        return run


def _require_same_images(run: Run, options: RunOptions) -> None:
    """Raise an error if the data of a finished run are available here, and others than those it was trained on.

    The course's data sets are not loaded for this unless a folder of data was given explicitly.

    Raises:
        UserError: the images differ.
    """
    if run.record.recipe.data in DATASETS and (options.data_root is None or options.profile == "quick"):
        return
    try:
        same = run.data.match(run.record.data)
    except UserError:  # a finished run does not need its data
        return
    if not same:
        raise UserError(
            f"The run in {run.folder} is finished, and was trained on other images; rename or delete the folder, "
            "train again with --fresh, or choose another --out."
        )


def _has_batch_norm(record: Record) -> bool:
    """Return whether a recorded network has batch normalisation, without memory for its weights."""
    with torch.device("meta"):
        network = build_recorded(record)
    return any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())


def _load_shallow_layers(model: nn.Module, splits: Splits, trained: Path) -> None:
    """Load the first layers and the classifier of a trained, shallower network (VGG, section 3.1)."""
    shallow = build_model(
        load_record(trained / RECORD).recipe.model,
        in_shape=(splits.dataset.train.pixels.shape[1], *splits.train.images.pixels.shape[2:]),
        classes=len(splits.dataset.classes),
    )
    load_run_weights(trained, shallow)
    start_from(model, shallow.to(splits.train.images.pixels.device))
