"""What is checked before the first step, so that no run fails at its end."""

import os
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from deepernets.data.batches import Batches
from deepernets.errors import UserError
from deepernets.models.registry import build_model
from deepernets.recipes.recipe import Recipe
from deepernets.training.checkpoints import list_checkpoints

# Numbers that an optimizer remembers for each weight
REMEMBERED = {"sgd": 1, "lookahead": 2, "adam": 2, "adamw": 2}


def require_seed(seed: int) -> None:
    """Raise unless a run can be seeded with a number.

    Raises:
        UserError: the seed is negative.
    """
    if seed < 0:
        raise UserError(f"--seed is {seed}; expected a whole number of at least 0.")


def require_folder_name(folder: Path) -> None:
    """Raise unless the file system takes the name of a run's folder, which need not exist yet.

    Raises:
        UserError: a part of the name is too long, is not UTF-8, or may not be looked up.
    """
    try:
        str(folder).encode()
        place = next(parent for parent in folder.absolute().parents if os.path.isdir(parent))
        for part in folder.absolute().relative_to(place).parts:
            with suppress(FileNotFoundError):
                os.stat(place / part)  # and not `exists`, which hides errors in some versions of Python
    except UnicodeEncodeError:
        raise UserError(f"The folder {os.fsencode(folder)!r} is not UTF-8; choose another --out.") from None
    except OSError as error:
        raise UserError(
            f"The run's folder {folder} cannot be used ({error.strerror}); change fewer fields at once in a recipe "
            "of a shorter name, or choose another --out."
        ) from error


def require_room(folder: Path, model: nn.Module, optimizer: str) -> None:
    """Create a run's folder, and raise unless two checkpoints fit: a new one is written before the last is deleted.

    Where a run goes on from a checkpoint, that is one of the two.

    Args:
        folder: The run's folder.
        model: The network that will be trained.
        optimizer: As a recipe names it.

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
    needed = missing * weights * (1 + REMEMBERED[optimizer])
    if free < needed:
        what = "another checkpoint takes" if missing == 1 else "two checkpoints take"
        raise UserError(
            f"{folder} has {free / 1e6:,.0f} MB free, and {what} {needed / 1e6:,.0f} MB; "
            "make room or choose another --out."
        )


def require_two_images(chosen: Recipe, batches: Batches, synchronised: bool = False) -> None:
    """Raise if the network cannot be trained on the smallest batch of an epoch.

    Batch normalisation needs two values per channel; at feature maps of 1×1 pixels these are two images.

    Args:
        chosen: The recipe.
        batches: The training batches, or this process's share of them.
        synchronised: Several processes normalise with the statistics of the whole batch.

    Raises:
        UserError: the smallest batch has one image, which the network cannot be trained on.
    """
    if batches.smallest > 1 or (synchronised and batches.world > 1) or _trains_on_one_image(chosen, batches):
        return
    images, size, world = len(batches.images), chosen.batch_size, batches.world
    larger = (
        other for other in range(size + 1, images + 1) if replace(batches, batch_size=other).smallest > 1
    )
    advice = [f"--batch-size {other}" for other in larger][:1]
    if size // world > 1:
        advice.append(f"--train-images {images - images % size}")
    where = f" for each of {world} processes" if world > 1 else ""
    raise UserError(
        f"{images} training images in batches of {size} leave a batch of one image{where}, and the batch "
        f"normalisation of {chosen.model} needs two; use {' or '.join(advice) or 'more --train-images'}."
    )


def _trains_on_one_image(chosen: Recipe, batches: Batches) -> bool:
    """Whether a step on one image works, tried without memory for weights or images."""
    pixels = batches.images.pixels
    shape = (pixels.shape[1], chosen.image_size, chosen.image_size)
    with torch.device("meta"):
        network = build_model(chosen.model, in_shape=shape, classes=2).train()
        try:
            network(torch.empty(1, *shape))
        except ValueError:  # PyTorch's "Expected more than 1 value per channel when training"
            return False
    return True
