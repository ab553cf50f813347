"""Checkpoints: one folder per finished epoch, complete or not there at all.

``epoch-007/`` holds the weights as safetensors, the optimizer's state, the recipe and the history. It is
written under a temporary name and renamed, and only then is the one before it deleted; a run that is killed
at any moment finds the last whole epoch.
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


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in a run's folder, that of the last epoch last."""
    return sorted(folder.glob("epoch-*"), key=epoch_of)


def epoch_of(checkpoint: Path) -> int:
    """Return the number of the epoch after which a checkpoint was written.

    >>> epoch_of(Path("epoch-007"))
    7
    """
    return int(checkpoint.name.removeprefix("epoch-"))


def save_checkpoint(folder: Path, training: Training, chosen: Recipe) -> None:
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
        progress = {"recipe": asdict(chosen), "started": training.started, "history": training.history}
        (temporary / PROGRESS).write_text(json.dumps(progress), encoding="utf-8")
        temporary.rename(final)
    except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors hide the system's error
        shutil.rmtree(temporary, ignore_errors=True)
        kept = f"{older[-1].name} is kept" if older else "no epoch is kept yet"
        raise UserError(
            f"The checkpoint {final} cannot be written ({_reason(error)}); {kept}. "
            "Make room or choose another --out."
        ) from error
    for checkpoint in older:
        shutil.rmtree(checkpoint)


def restore(folder: Path, training: Training, chosen: Recipe) -> None:
    """Bring `training` to the state of the newest checkpoint in `folder`; leave it alone if there is none.

    Raises:
        UserError: the checkpoint is damaged, or its first epochs were trained by another recipe of this name.
    """
    checkpoints = list_checkpoints(folder)
    if not checkpoints:
        return
    newest = checkpoints[-1]
    try:
        progress = json.loads((newest / PROGRESS).read_text(encoding="utf-8"))
        _require_same_recipe(progress, chosen, newest)
        load_weights(newest, training.model)
        state = torch.load(newest / "optimizer.pt", map_location="cpu", weights_only=True)
        # where and how the optimizer computes is this machine's; the checkpoint may come from another one
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


def _require_same_recipe(progress: dict[str, Any], chosen: Recipe, checkpoint: Path) -> None:
    """Raise if a checkpoint states another recipe; checkpoints written before they did are taken as they are.

    Raises:
        UserError: the recipe was changed since.
    """
    if progress.get("recipe", asdict(chosen)) != asdict(chosen):
        raise UserError(
            f"The checkpoint {checkpoint} is of the recipe {chosen.name} before it was changed; rename or delete "
            f"{checkpoint.parent}, or choose another --out."
        )


def load_weights(folder: Path, model: nn.Module) -> None:
    """Load the weights in `folder` into `model`: a finished run's, or its newest checkpoint's.

    Raises:
        UserError: there are no weights, or they are another network's.
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
