"""Run by `torchrun`: train small networks, and write down the loss of every step over all processes.

    torchrun ... two_processes.py OUT DIE NORM [NORM ...]

For each NORM (none, local or synchronised) a network with such batch normalisation is trained, in a folder of that
name. The second process ends at once after DIE epochs, if that is not 0. Networks compute in double precision: in
single precision the order of a sum, which depends on the processor, changes the losses of later steps by a percent.
"""

import faulthandler
import json
import os
import sys
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn

import deepernets
from deepernets.training import distributed, preparation
from deepernets.training import run as run_module
from deepernets.training.loop import Training
from deepernets.training.metrics import Meter

HUNG = 900.0  # seconds; the work takes about one
MODELS = {"none": "vgg-mini-cifar", "local": "vgg-mini-bn-cifar", "synchronised": "vgg-mini-bn-cifar"}
RECIPE = deepernets.Recipe(
    "two-processes",
    data="sketches",
    model="vgg-mini-cifar",
    epochs=3,
    batch_size=48,
    learning_rate=0.005,
    train_images=240,
    validation_fraction=0.2,
    image_size=16,
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


def trained(norm: str, out: Path) -> None:
    Noting.losses.clear()
    try:
        record = deepernets.train(
            RECIPE.changed(model=MODELS[norm]),
            out=out,
            precision="fp32",
            sync_batch_norm=norm == "synchronised",
        ).record
    except deepernets.UserError as error:
        print(f"deepernets: {error}", file=sys.stderr, flush=True)
        os._exit(2)
    if distributed.is_main():
        found = {"losses": Noting.losses, "accuracy": record.test["accuracy"], "epochs": record.epochs}
        how = {"processes": record.processes, "sync_batch_norm": record.sync_batch_norm}
        (out / "found.json").write_text(json.dumps({**found, **how}))


def main() -> None:
    faulthandler.dump_traceback_later(HUNG, exit=True)
    out, Noting.die_after = Path(sys.argv[1]), int(sys.argv[2])
    run_module.Progress = Noting  # type: ignore[misc]
    preparation.build_model = in_double_precision  # type: ignore[assignment]
    for norm in sys.argv[3:]:
        trained(norm, out / norm)


if __name__ == "__main__":
    main()
