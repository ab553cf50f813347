"""Prepare a run: split and normalised data, a seeded network, its optimizer and its schedule."""

import hashlib
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from deepernets.data.batches import Batches, Transform
from deepernets.data.datasets import load_dataset
from deepernets.data.images import (
    Dataset,
    Images,
    channel_statistics,
    last_split,
    resize,
    sample,
    stratified_split,
    torch_seed,
)
from deepernets.errors import UserError
from deepernets.models.registry import build_model
from deepernets.models.speedrun import FlipAveraged, whiten
from deepernets.recipes.recipe import Recipe
from deepernets.training import hardware
from deepernets.training.loop import Training
from deepernets.training.optimizers import build_optimizer
from deepernets.training.options import RunOptions
from deepernets.training.records import Record
from deepernets.training.schedules import get_schedule

EVALUATION_BATCH = 500  # images; larger than in training, since no activations are kept
IMAGES_TO_WHITEN = 5_000  # which have millions of patches


@dataclass(frozen=True)
class Splits:
    """A data set, split and normalised for one run.

    Attributes:
        dataset: As loaded, untouched.
        train: Training batches, shuffled and augmented as in the recipe.
        validation: Held out of the training images; None if the recipe holds nothing out.
        test: The test images, in order.
    """

    dataset: Dataset
    train: Batches
    validation: Batches | None
    test: Batches

    def describe(self) -> dict[str, Any]:
        """Return what a record states about the data."""
        transform = self.train.transform
        return {
            "name": self.dataset.name,
            "variant": self.dataset.variant,
            "classes": list(self.dataset.classes),
            "train": len(self.train.images),
            "validation": len(self.validation.images) if self.validation else 0,
            "test": len(self.test.images),
            "mean": [round(value, 6) for value in transform.mean.flatten().tolist()],
            "std": [round(value, 6) for value in transform.std.flatten().tolist()],
        }

    def match(self, stated: dict[str, Any]) -> bool:
        """Return whether these are the data that a record states; statistics may be rounded differently."""
        ours = self.describe()
        names = ("name", "variant", "classes", "train", "validation", "test")
        if any(ours[name] != stated[name] for name in names) or len(ours["mean"]) != len(stated["mean"]):
            return False
        sides = ([*data["mean"], *data["std"]] for data in (ours, stated))
        return all(abs(one - other) < 1e-5 for one, other in zip(*sides, strict=True))


def split(recipe: Recipe, dataset: Dataset, seed: int, channels_last: bool = False) -> Splits:
    """Split, resize and normalise a data set as in the recipe, with the statistics of the training split.

    Args:
        recipe: States what is held out, the size of the images, and the augmentation.
        dataset: The data set.
        seed: Seed of the run.
        channels_last: Memory format of the batches.

    Raises:
        UserError: fewer training images than one batch are left.
    """
    if recipe.hold_out == "last":
        train, validation = last_split(dataset.train, recipe.validation_fraction)
    else:
        train, validation = stratified_split(dataset.train, recipe.validation_fraction, seed)
    if 0 < recipe.train_images < len(train):
        _, train = stratified_split(train, recipe.train_images / len(train), seed)
    if len(train) < recipe.batch_size:
        raise UserError(
            f"{dataset.name} leaves {len(train)} training images, under one batch of {recipe.batch_size}; "
            "lower --batch-size or --validation-fraction, or raise --train-images."
        )
    train = resize(train, recipe.image_size)
    mean, std = channel_statistics(train)
    plain = Transform(mean, std)
    augmenting = Transform(mean, std, pad=recipe.pad, flip=recipe.flip, alternate=recipe.alternate)

    def in_order(images: Images) -> Batches:
        resized = resize(images, recipe.image_size)
        return Batches(resized, EVALUATION_BATCH, plain, channels_last=channels_last)

    return Splits(
        dataset,
        Batches(train, recipe.batch_size, augmenting, shuffle_seed=seed, channels_last=channels_last),
        in_order(validation) if len(validation) else None,
        in_order(dataset.test),
    )


def prepare_data(recipe: Recipe, options: RunOptions, accelerator: Accelerator) -> Splits:
    """Load the recipe's data, split it, and move it to the accelerator's device."""
    with accelerator.main_process_first():  # the other processes find what it has downloaded
        dataset = load_dataset(recipe.data, options.data_root, options.profile, recipe.image_size)
    splits = split(recipe, dataset, options.seed, hardware.channels_last(accelerator, options.compile))
    device = accelerator.device
    held_out = splits.validation.to(device) if splits.validation else None
    return Splits(dataset, splits.train.to(device), held_out, splits.test.to(device))


def initial_model(recipe: Recipe, splits: Splits, seed: int) -> nn.Module:
    """Return the recipe's network with its initial weights, on the CPU."""
    torch.manual_seed(torch_seed(seed))
    model = build_model(
        recipe.model,
        in_shape=(splits.dataset.train.pixels.shape[1], recipe.image_size, recipe.image_size),
        classes=len(splits.dataset.classes),
        initialisation=recipe.initialisation,
    )
    if recipe.whiten:
        images = sample(splits.train.images, IMAGES_TO_WHITEN, seed)
        whiten(model, splits.train.transform.normalise(images.pixels).cpu())
    return FlipAveraged(model) if recipe.both_ways else model


def build_recorded(record: Record) -> nn.Module:
    """Return the network of a recorded run with arbitrary weights, in whose place its own are loaded."""
    recipe = record.recipe
    in_shape = len(record.data["mean"]), recipe.image_size, recipe.image_size
    network = build_model(recipe.model, in_shape, classes=len(record.data["classes"]))
    return FlipAveraged(network) if recipe.both_ways else network


def prepare(recipe: Recipe, splits: Splits, accelerator: Accelerator, seed: int) -> Training:
    """Return the recipe's network with its optimizer and schedule, on the accelerator's device."""
    model = initial_model(recipe, splits, seed)
    if splits.train.channels_last:
        model = model.to(memory_format=torch.channels_last)
    prepared, optimizer = accelerator.prepare(model, build_optimizer(recipe, model, accelerator.device))
    return Training(
        prepared,
        nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing),
        optimizer,
        recipe.learning_rate,
        get_schedule(recipe.schedule, recipe.warm_up_epochs / recipe.epochs),
        on_plateau=recipe.schedule == "on-plateau",
    )


def identify(recipe: Recipe, splits: Splits, accelerator: Accelerator, options: RunOptions) -> dict[str, Any]:
    """Return what a checkpoint states about its run, as JSON: another run does not continue from it."""
    return {
        "recipe": asdict(recipe),
        "seed": options.seed,
        "data": splits.dataset.name,
        "variant": splits.dataset.variant,
        "images": fingerprint(splits.dataset),
        "precision": hardware.precision_of(accelerator),
        "sync_batch_norm": options.sync_batch_norm,
        "versions": hardware.versions(),
    }


def fingerprint(dataset: Dataset) -> str:
    """Return the SHA-256 of the classes, labels and pixels of a data set, which differs for other images."""
    total = hashlib.sha256(repr(dataset.classes).encode())
    for images in (dataset.train, dataset.test):
        total.update(repr(tuple(images.pixels.shape)).encode())
        for tensor in (images.labels, images.pixels):
            total.update(tensor.cpu().contiguous().numpy().data)
    return total.hexdigest()


def require_two_images(recipe: Recipe, batches: Batches, synchronised: bool = False) -> None:
    """Raise an error if the network cannot be trained on the smallest batch of an epoch.

    Batch normalisation needs two values per channel, which for feature maps of 1×1 pixels are two images.

    Args:
        recipe: The recipe.
        batches: The training batches, or this process's share of them.
        synchronised: Several processes normalise with the statistics of the whole batch.

    Raises:
        UserError: the smallest batch has one image, which the network cannot be trained on.
    """
    if batches.smallest > 1 or (synchronised and batches.world > 1) or _trains_on_one_image(recipe, batches):
        return
    images, size, world = len(batches.images), recipe.batch_size, batches.world
    larger = (
        other for other in range(size + 1, images + 1) if replace(batches, batch_size=other).smallest > 1
    )
    advice = [f"--batch-size {other}" for other in larger][:1]
    if size // world > 1:
        advice.append(f"--train-images {images - images % size}")
    where = f" for each of {world} processes" if world > 1 else ""
    raise UserError(
        f"{images} training images in batches of {size} leave a batch of one image{where}, and the batch "
        f"normalisation of {recipe.model} needs two; use {' or '.join(advice) or 'more --train-images'}."
    )


def _trains_on_one_image(recipe: Recipe, batches: Batches) -> bool:
    """Return whether a step on one image works, without memory for weights or images."""
    pixels = batches.images.pixels
    shape = (pixels.shape[1], recipe.image_size, recipe.image_size)
    with torch.device("meta"):
        network = build_model(recipe.model, in_shape=shape, classes=2).train()
        try:
            network(torch.empty(1, *shape))
        except ValueError:  # PyTorch's "Expected more than 1 value per channel when training"
            return False
    return True
