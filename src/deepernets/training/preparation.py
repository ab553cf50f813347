"""From a recipe to what a run needs: split and normalised data, a seeded network, optimizer and schedule."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

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
from deepernets.models.dash import BothWays, whiten
from deepernets.models.registry import build_model
from deepernets.recipes.recipe import Recipe
from deepernets.training import hardware
from deepernets.training.lookahead import Lookahead
from deepernets.training.loop import Training
from deepernets.training.schedules import named

EVALUATION_BATCH = 500  # images; larger than in training, since no activations are kept
ENOUGH_TO_WHITEN = 5_000  # images, millions of patches


@dataclass(frozen=True)
class Splits:
    """A data set made ready for one run.

    Attributes:
        dataset: As loaded, untouched.
        train: Training batches, shuffled and augmented as the recipe says.
        validation: Held out of the training images; None where the recipe holds nothing out.
        test: The test images, in order.
    """

    dataset: Dataset
    train: Batches
    validation: Batches | None
    test: Batches

    def describe(self) -> dict[str, Any]:
        """Return what a record says of the data."""
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


def split(chosen: Recipe, dataset: Dataset, seed: int, channels_last: bool = False) -> Splits:
    """Split, resize and normalise `dataset` as the recipe says; statistics are the training split's alone.

    Raises:
        UserError: fewer training images than one batch are left.
    """
    if chosen.hold_out == "last":
        train, validation = last_split(dataset.train, chosen.validation_fraction)
    else:
        train, validation = stratified_split(dataset.train, chosen.validation_fraction, seed)
    if 0 < chosen.train_images < len(train):
        _, train = stratified_split(train, chosen.train_images / len(train), seed)
    if len(train) < chosen.batch_size:
        raise UserError(
            f"{dataset.name} leaves {len(train)} training images, under one batch of {chosen.batch_size}; "
            "lower --batch-size or --validation-fraction, or raise --train-images."
        )
    train = resize(train, chosen.image_size)
    mean, std = channel_statistics(train)
    plain = Transform(mean, std)
    augmenting = Transform(mean, std, pad=chosen.pad, flip=chosen.flip, alternate=chosen.alternate)

    def in_order(images: Images) -> Batches:
        resized = resize(images, chosen.image_size)
        return Batches(resized, EVALUATION_BATCH, plain, channels_last=channels_last)

    return Splits(
        dataset,
        Batches(train, chosen.batch_size, augmenting, shuffle_seed=seed, channels_last=channels_last),
        in_order(validation) if len(validation) else None,
        in_order(dataset.test),
    )


def prepare_data(
    chosen: Recipe, profile: str, seed: int, data_root: str | Path | None, accelerator: Accelerator
) -> Splits:
    """Load the recipe's data, split it, and put its batches on the accelerator's device."""
    with accelerator.main_process_first():  # the others find what it has downloaded
        dataset = load_dataset(chosen.data, data_root, profile)
    splits = split(chosen, dataset, seed, hardware.channels_last(accelerator))
    device = accelerator.device
    held_out = splits.validation.to(device) if splits.validation else None
    return Splits(dataset, splits.train.to(device), held_out, splits.test.to(device))


def optimizer_for(chosen: Recipe, model: nn.Module, device: torch.device | str = "cpu") -> Optimizer:
    """Return the recipe's optimizer over all of the model's parameters, which may be moved to `device` later.

    On a GPU its steps can be captured; see `CapturedStep`. (Lookahead's cannot: not all of them are alike.)
    """
    rate: float | Tensor = chosen.learning_rate
    options: dict[str, bool] = {}
    if torch.device(device).type == "cuda" and chosen.optimizer != "lookahead":
        rate, options = torch.tensor(rate, device=device), {"fused": True}
    if chosen.optimizer in ("sgd", "lookahead"):
        descent = Lookahead if chosen.optimizer == "lookahead" else SGD
        return descent(
            [parameter for parameter in model.parameters() if parameter.requires_grad],
            lr=rate,
            momentum=chosen.momentum,
            nesterov=chosen.nesterov,
            weight_decay=chosen.weight_decay,
            **options,
        )
    kind = {"adam": Adam, "adamw": AdamW}[chosen.optimizer]
    return kind(
        model.parameters(),
        lr=rate,
        weight_decay=chosen.weight_decay,
        capturable=bool(options),
        **options,
    )


def initial_model(chosen: Recipe, splits: Splits, seed: int) -> nn.Module:
    """Build the recipe's network with its initial weights, seeded, on the CPU."""
    torch.manual_seed(torch_seed(seed))
    model = build_model(
        chosen.model,
        in_shape=(splits.dataset.train.pixels.shape[1], chosen.image_size, chosen.image_size),
        classes=len(splits.dataset.classes),
        initialisation=chosen.initialisation,
    )
    if chosen.whiten:
        some = sample(splits.train.images, ENOUGH_TO_WHITEN, seed)
        whiten(model, splits.train.transform.normalise(some.pixels).cpu())
    return BothWays(model) if chosen.both_ways else model


def prepare(chosen: Recipe, splits: Splits, accelerator: Accelerator, seed: int) -> Training:
    """Build the recipe's network with its optimizer and schedule, on the accelerator's device."""
    model = initial_model(chosen, splits, seed)
    if splits.train.channels_last:
        model = model.to(memory_format=torch.channels_last)
    prepared, optimizer = accelerator.prepare(model, optimizer_for(chosen, model, accelerator.device))
    return Training(
        prepared,
        nn.CrossEntropyLoss(label_smoothing=chosen.label_smoothing),
        optimizer,
        chosen.learning_rate,
        named(chosen.schedule, chosen.warm_up_epochs / chosen.epochs),
        on_plateau=chosen.schedule == "on-plateau",
    )
