"""Run by two processes: train small networks, and write down the loss of every step over all processes.

    python two_processes.py OUT NORM [NORM ...]

For each NORM (none, local or synchronised) a network with such batch normalisation is trained, in a folder of that
name. For cut-off the second process ends at once after two epochs. Networks compute in double precision: in single
precision the order of a sum, which depends on the processor, changes the losses of later steps by a percent.
"""

import faulthandler
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import nn

import deepernets
from deepernets.data.datasets import load_dataset
from deepernets.data.images import Dataset, sample
from deepernets.training import distributed, preparation
from deepernets.training import run as run_module
from deepernets.training.loop import Training
from deepernets.training.metrics import Meter

HUNG = 900.0  # seconds; the work takes about one
MODELS = {
    "none": "vgg-mini-cifar",
    "local": "vgg-mini-bn-cifar",
    "synchronised": "vgg-mini-bn-cifar",
    "cut-off": "vgg-mini-cifar",
}
RECIPE = deepernets.Recipe(
    "two-processes",
    data="sketches",
    model="vgg-mini-cifar",
    epochs=3,
    batch_size=48,
    learning_rate=0.005,
    train_images=240,
    validation_fraction=0.2,
    image_size=8,
)


class Noting(run_module.Progress):
    """A bar that notes the running sum of the loss, and dies when it is told to."""

    losses: ClassVar[list[float]] = []
    die_after: ClassVar[int] = 0

    def after_step(self, meter: Meter) -> None:
        super().after_step(meter)
        seen = torch.tensor([meter.loss * meter.images, float(meter.images)], dtype=torch.float64)
        loss, images = distributed.sum_over_processes(seen).tolist()
        self.losses.append(loss / images)

    def after_epoch(self, training: Training) -> None:
        super().after_epoch(training)
        if len(training.history) == self.die_after and not distributed.is_main():
            os._exit(1)


def in_double_precision(*args: Any, **options: Any) -> nn.Module:
    network = deepernets.build_model(*args, **options).double()
    network.register_forward_pre_hook(lambda _, inputs: tuple(images.double() for images in inputs))
    return network


def few_sketches(*_: Any) -> Dataset:
    """Return the embedded images, a few of them."""
    sketches = load_dataset("sketches")
    return replace(sketches, train=sample(sketches.train, 300, 0), test=sample(sketches.test, 60, 0))


def replace_parts(patched: pytest.MonkeyPatch) -> None:
    """Let runs note their losses, compute in double precision, and use few images."""
    patched.setattr(run_module, "Progress", Noting)
    patched.setattr(preparation, "build_model", in_double_precision)
    patched.setattr(preparation, "load_dataset", few_sketches)


def trained(norm: str, out: Path) -> dict[str, Any]:
    """Train one network into `out`, and return what was found."""
    Noting.losses.clear()
    record = deepernets.train(
        RECIPE.changed(model=MODELS[norm]),
        out=out,
        precision="fp32",
        sync_batch_norm=norm == "synchronised",
    ).record
    found = {"losses": list(Noting.losses), "accuracy": record.test["accuracy"], "epochs": record.epochs}
    return {**found, "processes": record.processes, "sync_batch_norm": record.sync_batch_norm}


def main() -> None:
    faulthandler.dump_traceback_later(HUNG, exit=True)
    replace_parts(pytest.MonkeyPatch())
    out = Path(sys.argv[1])
    for norm in sys.argv[2:]:
        Noting.die_after = 2 if norm == "cut-off" else 0
        try:
            found = trained(norm, out / norm)
        except deepernets.UserError as error:
            print(f"deepernets: {error}", file=sys.stderr, flush=True)
            os._exit(2)
        if distributed.is_main():
            (out / f"{norm}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
