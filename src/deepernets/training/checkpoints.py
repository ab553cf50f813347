"""Checkpoints: one folder per finished epoch, written atomically.

``epoch-007/`` holds the weights as safetensors, the optimizer's state, the history with what the run is, and the
checksums of these files. It is written under a temporary name and renamed, and only then is the one before it
deleted. A run that is killed at any moment continues after its last finished epoch.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_model, save_model
from torch import nn

from deepernets.errors import UserError
from deepernets.files import LOCK, WRITE_ERRORS, flush_to_disk, lock_folder, reason, write_atomically
from deepernets.recipes.recipe import Recipe
from deepernets.training import distributed
from deepernets.training.logs import delete_logs
from deepernets.training.loop import Training
from deepernets.training.options import RunOptions, list_differences, require_same_run
from deepernets.training.records import RECORD, load_record

WEIGHTS = "model.safetensors"
OPTIMIZER = "optimizer.pt"
PROGRESS = "progress.json"
CHECKSUMS = "checksums.json"
CHECKPOINT = re.compile("epoch-([0-9]{3,})")
NUMBERS_PER_WEIGHT = {"sgd": 1, "lookahead": 2, "adam": 2, "adamw": 2}  # of the optimizer's state


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in a run's folder, that of the last epoch last."""
    return sorted((path for path in _named_as_checkpoints(folder) if path.is_dir()), key=epoch_of)


def _named_as_checkpoints(folder: Path) -> Iterator[Path]:
    return (path for path in folder.glob("epoch-*") if CHECKPOINT.fullmatch(path.name))


def epoch_of(checkpoint: Path) -> int:
    """Return the number of the epoch after which a checkpoint was written.

    >>> epoch_of(Path("epoch-007"))
    7
    """
    return int(checkpoint.name.removeprefix("epoch-"))


def is_finished(folder: Path) -> bool:
    """Return whether a folder holds a finished run: its record, and its weights, which are written before it."""
    return (folder / RECORD).is_file() and (folder / WEIGHTS).is_file()


def save_checkpoint(folder: Path, training: Training) -> None:
    """Write the state after the last epoch of the history into `folder`, then delete older checkpoints.

    Raises:
        UserError: the folder cannot be written to; the checkpoint before it is kept.
    """
    older = list_checkpoints(folder)
    final = folder / f"epoch-{len(training.history):03}"
    temporary = _hidden(final)
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        _write_state(temporary, training)
        temporary.rename(final)
    except WRITE_ERRORS as error:
        shutil.rmtree(temporary, ignore_errors=True)
        kept = f"{older[-1].name} is kept" if older else "no epoch is kept yet"
        raise UserError(
            f"The checkpoint {final} cannot be written ({reason(error)}); {kept}. "
            "Make room or choose another --out."
        ) from error
    for checkpoint in older:
        _delete(checkpoint)


def _write_state(folder: Path, training: Training) -> None:
    """Write the files of a checkpoint, and their checksums."""
    save_model(distributed.unwrap(training.model), str(folder / WEIGHTS))
    torch.save(training.optimizer.state_dict(), folder / OPTIMIZER)
    progress = {"run": training.identity, "started": training.started, "history": training.history}
    (folder / PROGRESS).write_text(json.dumps(progress), encoding="utf-8")
    (folder / CHECKSUMS).write_text(json.dumps(_checksums(folder)), encoding="utf-8")
    for name in (WEIGHTS, OPTIMIZER, PROGRESS, CHECKSUMS):
        flush_to_disk(folder / name)


def _checksums(checkpoint: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a checkpoint."""
    sums = {}
    for name in (WEIGHTS, OPTIMIZER, PROGRESS):
        with (checkpoint / name).open("rb") as file:
            sums[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return sums


def continue_run(training: Training, folder: Path, recipe: Recipe, options: RunOptions) -> None:
    """Delete what should not be in the locked folder, and go on from its last checkpoint.

    Raises:
        UserError: the folder has the record of another run, or a record without weights and without a checkpoint.
    """
    if distributed.is_main():
        delete_temporary_files(folder)
        if options.fresh:
            delete_run(folder)
        elif (folder / RECORD).is_file():  # and perhaps no weights, which were deleted
            require_same_run(load_record(folder / RECORD), folder, recipe, options)
            if not list_checkpoints(folder):
                what = (
                    "was finished by another process"
                    if is_finished(folder)
                    else "has a record and no weights"
                )
                raise UserError(
                    f"The run in {folder} {what}; train it with --fresh, or choose another --out."
                )
    distributed.wait()
    _restore_checkpoint(folder, training)


def _restore_checkpoint(folder: Path, training: Training) -> None:
    """Load the newest checkpoint in `folder` into `training`, if there is one.

    Raises:
        UserError: the checkpoint is damaged, or is of another run.
    """
    checkpoints = list_checkpoints(folder)
    if not checkpoints:
        return
    newest = checkpoints[-1]
    try:
        progress = _read_progress(newest)
        _require_same_run(newest, progress["run"], training.identity)
        load_model(distributed.unwrap(training.model), str(newest / WEIGHTS))
        _restore_optimizer(newest, training)
    except UserError:
        raise
    except Exception as error:  # torch, safetensors and json each have exceptions of their own
        raise UserError(
            f"The checkpoint {newest} is damaged ({reason(error)}); delete it, and train again."
        ) from error
    training.started, training.history[:] = progress["started"], progress["history"]
    training.identity["versions"] = _all_versions(progress["run"]["versions"], training.identity["versions"])


def _read_progress(checkpoint: Path) -> dict[str, Any]:
    """Return what a checkpoint states about its run, after a comparison of all files with their checksums.

    Raises:
        ValueError: a file or the folder's name was changed.
    """
    stated = json.loads((checkpoint / CHECKSUMS).read_text(encoding="utf-8"))
    for name, found in _checksums(checkpoint).items():
        if stated[name] != found:
            raise ValueError(f"the checksum of {name} is not the one in {CHECKSUMS}")
    progress: dict[str, Any] = json.loads((checkpoint / PROGRESS).read_text(encoding="utf-8"))
    if len(progress["history"]) != epoch_of(checkpoint):
        raise ValueError(f"it was written after epoch {len(progress['history'])}")
    return progress


def _require_same_run(checkpoint: Path, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    """Raise an error unless a checkpoint was written by the run that is to continue.

    Raises:
        UserError: recipe, seed, images, precision or batch normalisation differ.
    """
    was, now = ({**run, **run["recipe"]} for run in (theirs, ours))
    apart = ("recipe", "images", "versions")
    differing = list_differences({name: (was.get(name), now[name]) for name in now if name not in apart})
    if was["images"] != now["images"]:
        differing.append("other images")
    if differing:
        raise UserError(
            f"The checkpoint {checkpoint} is of another run, with {', '.join(differing)}; rename or delete "
            f"{checkpoint.parent}, train again with --fresh, or choose another --out."
        )


def _restore_optimizer(checkpoint: Path, training: Training) -> None:
    state = torch.load(checkpoint / OPTIMIZER, map_location="cpu", weights_only=True)
    # the checkpoint may be from another machine: where and how the optimizer computes is this one's
    before = [dict(group) for group in training.optimizer.param_groups]
    training.optimizer.load_state_dict(state)
    for group, own in zip(training.optimizer.param_groups, before, strict=True):
        group.update({name: own[name] for name in ("lr", "fused", "capturable") if name in own})


def _all_versions(earlier: dict[str, str], now: dict[str, str]) -> dict[str, str]:
    """Return the versions of both parts of a run: where they differ, all of them, in order.

    >>> _all_versions({"torch": "2.10, 2.11", "numpy": "2.1"}, {"torch": "2.12", "numpy": "2.1"})
    {'torch': '2.10, 2.11, 2.12', 'numpy': '2.1'}
    """
    lists = {name: earlier.get(name, version).split(", ") for name, version in now.items()}
    return {name: ", ".join(dict.fromkeys([*lists[name], version])) for name, version in now.items()}


def load_run_weights(folder: Path, model: nn.Module) -> None:
    """Load the weights of a finished run into `model`.

    Raises:
        UserError: there are no weights, or they are damaged or those of another network.
    """
    path, network = folder / WEIGHTS, distributed.unwrap(model)
    if not path.is_file():
        raise UserError(f"There are no weights in {folder}; train first, or give the folder of another run.")
    try:
        load_model(network, str(path))
        with safe_open(str(path), "pt") as file:
            stated = (file.metadata() or {}).get("sha256")  # weights of older versions have none
    except Exception as error:
        raise UserError(
            f"The weights in {folder} are damaged or another network's; delete the folder and train again."
        ) from error
    if stated not in (None, _weights_checksum(network)):
        raise UserError(
            f"The weights in {folder} are damaged (their checksum differs); delete the folder and train again."
        )


def _weights_checksum(network: nn.Module) -> str:
    """Return the SHA-256 of a network's parameters and buffers, with their names."""
    total = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        total.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return total.hexdigest()


def require_own_files(folder: Path) -> None:
    """Raise an error if a run's folder has a link, a file or a folder where the run writes something else.

    Raises:
        UserError: a checkpoint is no folder, or the record or the weights are no file.
    """
    wrong = [path for path in _named_as_checkpoints(folder) if path.is_symlink() or not path.is_dir()]
    if wrong:
        raise UserError(
            f"{min(wrong)} has a checkpoint's name and is not one; delete or rename it, or choose another --out."
        )
    for path in (folder / RECORD, folder / WEIGHTS):
        if path.exists() and not path.is_file():
            raise UserError(f"{path} is not a file; delete or rename it, or choose another --out.")


def require_room(folder: Path, model: nn.Module, optimizer: str) -> None:
    """Create a run's folder, and raise an error unless it has room for two checkpoints.

    A new checkpoint is written before the last one is deleted. An existing checkpoint is one of the two.

    Args:
        folder: The run's folder.
        model: The network that will be trained.
        optimizer: Name of the optimizer, as in a recipe.

    Raises:
        UserError: the folder cannot be created, or there is not enough room.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise UserError(
            f"The run's folder {folder} cannot be created ({error.strerror}); make room or choose another --out."
        ) from error
    missing = 1 if list_checkpoints(folder) else 2
    weights = sum(tensor.nbytes for tensor in model.state_dict().values())
    needed = missing * weights * (1 + NUMBERS_PER_WEIGHT[optimizer])
    if free < needed:
        what = "another checkpoint takes" if missing == 1 else "two checkpoints take"
        raise UserError(
            f"{folder} has {free / 1e6:,.0f} MB free, and {what} {needed / 1e6:,.0f} MB; "
            "make room or choose another --out."
        )


def save_run_weights(folder: Path, training: Training) -> None:
    """Write the weights of a finished run into its folder, atomically.

    Raises:
        UserError: the folder cannot be written to; the last checkpoint is kept.
    """
    network = distributed.unwrap(training.model)
    stated = {"sha256": _weights_checksum(network)}
    write_atomically(
        folder / WEIGHTS,
        lambda temporary: save_model(network, str(temporary), metadata=stated),
        "its last checkpoint is kept: make room, and the same command goes on from there",
    )


def delete_run(folder: Path) -> None:
    """Delete what a run has written into its folder; its record first, so that what is left is not finished.

    Raises:
        UserError: a file cannot be deleted.
    """
    try:
        for path in (folder / RECORD, folder / WEIGHTS):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{path} cannot be deleted ({reason(error)}); choose another --out.") from error
    delete_logs(folder)
    delete_checkpoints(folder)
    if left := list_checkpoints(folder):
        raise UserError(f"{left[-1]} cannot be deleted; delete it, or choose another --out.")


def delete_checkpoints(folder: Path) -> None:
    """Delete the checkpoints of a run, as far as the system lets it."""
    for checkpoint in list_checkpoints(folder):
        _delete(checkpoint)


def delete_temporary_files(folder: Path) -> None:
    """Delete what a run that was killed left half-written in its folder."""
    for path in folder.glob(".*.part"):
        shutil.rmtree(path, ignore_errors=True)
        with suppress(OSError):
            path.unlink()


def delete_leftovers(folder: Path) -> None:
    """Delete what a run that was killed after it had written its record left in its folder."""
    if list_checkpoints(folder) or any(folder.glob(".*.part")) or (folder / LOCK).exists():
        with suppress(UserError), lock_folder(folder):
            delete_checkpoints(folder)
            delete_temporary_files(folder)


def _hidden(path: Path) -> Path:
    """Return the temporary name of a file or folder, under which it is not read."""
    return path.with_name(f".{path.name}.part")


def _delete(checkpoint: Path) -> None:
    """Delete a checkpoint; a kill meanwhile leaves either all of it or nothing that is read."""
    hidden = _hidden(checkpoint)
    shutil.rmtree(hidden, ignore_errors=True)
    with suppress(OSError):
        checkpoint.rename(hidden)
    shutil.rmtree(hidden, ignore_errors=True)
