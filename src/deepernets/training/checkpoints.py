"""Checkpoints: one folder per finished epoch, written atomically.

``epoch-007/`` holds the weights as safetensors, the optimizer's state, the recipe and the history. It is written
under a temporary name and renamed, and only then is the one before it deleted. A run that is killed at any moment
continues after its last finished epoch.
"""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_model, save_model
from torch import nn

from deepernets.errors import UserError
from deepernets.recipes.recipe import Recipe
from deepernets.training import distributed
from deepernets.training.loop import Training

WEIGHTS = "model.safetensors"
PROGRESS = "progress.json"
NUMBERS_PER_WEIGHT = {"sgd": 1, "lookahead": 2, "adam": 2, "adamw": 2}  # of the optimizer's state


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in a run's folder, that of the last epoch last."""
    return sorted(folder.glob("epoch-*"), key=epoch_of)


def epoch_of(checkpoint: Path) -> int:
    """Return the number of the epoch after which a checkpoint was written.

    >>> epoch_of(Path("epoch-007"))
    7
    """
    return int(checkpoint.name.removeprefix("epoch-"))


def save_checkpoint(folder: Path, training: Training, recipe: Recipe) -> None:
    """Write the state after the last epoch of the history into `folder`, then delete older checkpoints.

    Raises:
        UserError: the folder cannot be written to.
    """
    older = list_checkpoints(folder)
    final = folder / f"epoch-{len(training.history):03}"
    temporary = folder / f".{final.name}.part"
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        save_model(distributed.unwrap(training.model), str(temporary / WEIGHTS))
        torch.save(training.optimizer.state_dict(), temporary / "optimizer.pt")
        progress = {"recipe": asdict(recipe), "started": training.started, "history": training.history}
        (temporary / PROGRESS).write_text(json.dumps(progress), encoding="utf-8")
        temporary.rename(final)
    except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors wrap the system's error
        shutil.rmtree(temporary, ignore_errors=True)
        kept = f"{older[-1].name} is kept" if older else "no epoch is kept yet"
        raise UserError(
            f"The checkpoint {final} cannot be written ({_reason(error)}); {kept}. "
            "Make room or choose another --out."
        ) from error
    for checkpoint in older:
        shutil.rmtree(checkpoint)


def restore_checkpoint(folder: Path, training: Training, recipe: Recipe) -> None:
    """Load the newest checkpoint in `folder` into `training`, if there is one.

    Raises:
        UserError: the checkpoint is damaged, or is of another recipe of this name.
    """
    checkpoints = list_checkpoints(folder)
    if not checkpoints:
        return
    newest = checkpoints[-1]
    try:
        progress = json.loads((newest / PROGRESS).read_text(encoding="utf-8"))
        _require_same_recipe(progress, recipe, newest)
        load_weights(newest, training.model)
        state = torch.load(newest / "optimizer.pt", map_location="cpu", weights_only=True)
        # the checkpoint may be from another machine: where and how the optimizer computes is this one's
        before = [dict(group) for group in training.optimizer.param_groups]
        training.optimizer.load_state_dict(state)
        for group, own in zip(training.optimizer.param_groups, before, strict=True):
            group.update({name: own[name] for name in ("lr", "fused", "capturable") if name in own})
        training.started, training.history[:] = progress["started"], progress["history"]
    except UserError:
        raise
    except Exception as error:  # torch, safetensors and json each have exceptions of their own
        raise UserError(
            f"The checkpoint {newest} is damaged ({error}); delete it, and train again."
        ) from error


def _require_same_recipe(progress: dict[str, Any], recipe: Recipe, checkpoint: Path) -> None:
    """Raise an error if a checkpoint states another recipe; older checkpoints, which state none, are accepted.

    Raises:
        UserError: the recipe was changed since.
    """
    if progress.get("recipe", asdict(recipe)) != asdict(recipe):
        raise UserError(
            f"The checkpoint {checkpoint} is of the recipe {recipe.name} before it was changed; rename or delete "
            f"{checkpoint.parent}, or choose another --out."
        )


def load_weights(folder: Path, model: nn.Module) -> None:
    """Load the weights in `folder` into `model`: those of a finished run, or of its newest checkpoint.

    Raises:
        UserError: there are no weights, or they are those of another network.
    """
    places = [place for place in (folder, *reversed(list_checkpoints(folder))) if (place / WEIGHTS).is_file()]
    if not places:
        raise UserError(f"There are no weights in {folder}; train first, or give the folder of another run.")
    try:
        load_model(distributed.unwrap(model), str(places[0] / WEIGHTS))
    except Exception as error:
        raise UserError(
            f"The weights in {places[0]} are damaged or another network's; delete the folder and train again."
        ) from error


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


def save_weights(folder: Path, training: Training) -> None:
    """Write the weights of a finished run into its folder, atomically.

    Raises:
        UserError: the folder cannot be written to; the last checkpoint is kept.
    """
    temporary = folder / f".{WEIGHTS}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_model(distributed.unwrap(training.model), str(temporary))
        temporary.replace(folder / WEIGHTS)
    except (OSError, RuntimeError, SafetensorError) as error:
        temporary.unlink(missing_ok=True)
        raise UserError(
            f"The weights of {folder} cannot be written ({_reason(error)}); its last checkpoint is kept. "
            "Make room, and the same command goes on from there."
        ) from error


def delete_checkpoints(folder: Path) -> None:
    """Delete the checkpoints of a finished run."""
    for checkpoint in list_checkpoints(folder):
        shutil.rmtree(checkpoint)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error).splitlines()[0]
