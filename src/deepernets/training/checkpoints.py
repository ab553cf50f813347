"""Checkpoints: one folder per finished epoch, complete or not there at all.

``epoch-007/`` holds the weights as safetensors, the state of optimizer and scheduler, and the history. It is
written under a temporary name and renamed, and only then is the one before it deleted; a run that is killed
at any moment finds the last whole epoch.
"""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_model, save_model
from torch import nn

from deepernets.exceptions import UserError
from deepernets.training import processes
from deepernets.training.loop import Training

WEIGHTS = "model.safetensors"


def save_checkpoint(folder: Path, training: Training) -> None:
    """Write the state after the last epoch of the history into `folder`, then delete older checkpoints.

    Raises:
        UserError: the folder cannot be written to.
    """
    older = _checkpoints(folder)
    final = folder / f"epoch-{len(training.history):03}"
    temporary = folder / f".{final.name}.part"
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        save_model(processes.bare(training.model), str(temporary / WEIGHTS))
        states = {"optimizer": training.optimizer.state_dict(), "scheduler": training.scheduler.state_dict()}
        torch.save(states, temporary / "optimizer.pt")
        (temporary / "history.json").write_text(json.dumps(training.history), encoding="utf-8")
        temporary.rename(final)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise UserError(
            f"The checkpoint {final} cannot be written ({error.strerror}); make room or choose another --out."
        ) from error
    for checkpoint in older:
        shutil.rmtree(checkpoint)


def restore(folder: Path, training: Training) -> None:
    """Bring `training` to the state of the newest checkpoint in `folder`; leave it alone if there is none.

    Raises:
        UserError: the checkpoint is damaged.
    """
    checkpoints = _checkpoints(folder)
    if not checkpoints:
        return
    newest = checkpoints[-1]
    try:
        load_weights(newest, training.model)
        states = torch.load(newest / "optimizer.pt", map_location="cpu", weights_only=True)
        training.optimizer.load_state_dict(states["optimizer"])
        training.scheduler.load_state_dict(states["scheduler"])
        training.history[:] = json.loads((newest / "history.json").read_text(encoding="utf-8"))
    except UserError:
        raise
    except Exception as error:  # torch, safetensors and json each have exceptions of their own
        raise UserError(
            f"The checkpoint {newest} is damaged ({error}); delete it, and train again."
        ) from error


def load_weights(folder: Path, model: nn.Module) -> None:
    """Load the weights in `folder` into `model`: a finished run's, or its newest checkpoint's.

    Raises:
        UserError: there are no weights, or they are another network's.
    """
    places = [place for place in (folder, *reversed(_checkpoints(folder))) if (place / WEIGHTS).is_file()]
    if not places:
        raise UserError(f"There are no weights in {folder}; train first, or give the folder of another run.")
    try:
        load_model(processes.bare(model), str(places[0] / WEIGHTS))
    except Exception as error:
        raise UserError(
            f"The weights in {places[0]} are damaged or another network's; delete the folder and train again."
        ) from error


def finish(folder: Path, training: Training) -> None:
    """Keep the weights of a finished run beside its record, and drop its checkpoints."""
    temporary = folder / f".{WEIGHTS}.part"
    save_model(processes.bare(training.model), str(temporary))
    temporary.replace(folder / WEIGHTS)
    for checkpoint in _checkpoints(folder):
        shutil.rmtree(checkpoint)


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob("epoch-*"))
