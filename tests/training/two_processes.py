"""Run by `torchrun`: train a small network, and write down the loss of every step over all processes.

    torchrun ... two_processes.py OUT [DIE [NORM ...]]

With DIE, the second process ends at once after so many epochs, if it is not 0. For each NORM, local or
synchronised, a network with such batch normalisation is trained instead, each in a folder of that name.
"""

import json
import os
import sys
from pathlib import Path
from typing import ClassVar

import torch

import deepernets
from deepernets.training import processes, runs
from deepernets.training.loop import Meter, Training

RECIPE = deepernets.Recipe(
    "two-processes",
    data="sketches",
    model="vgg-mini-cifar",  # without batch normalisation, unless asked for
    epochs=3,
    batch_size=48,
    learning_rate=0.005,
    train_images=240,
    validation_fraction=0.2,
)


class Noting(runs.Progress):
    """A bar that notes the running sum of the loss, and dies when it is told to."""

    losses: ClassVar[list[float]] = []
    die_after: ClassVar[int] = 0

    def after_step(self, meter: Meter) -> None:
        super().after_step(meter)
        seen = torch.tensor([meter.loss * meter.images, float(meter.images)], dtype=torch.float64)
        loss, images = processes.total(seen).tolist()
        self.losses.append(loss / images)

    def after_epoch(self, training: Training) -> None:
        super().after_epoch(training)
        if len(training.history) == self.die_after and not processes.is_main():
            os._exit(1)


def trained(chosen: deepernets.Recipe, out: Path, synchronised: bool = False) -> None:
    Noting.losses.clear()
    try:
        run = deepernets.train(chosen, out=out, precision="fp32", sync_batch_norm=synchronised)
    except deepernets.UserError as error:
        print(f"deepernets: {error}", file=sys.stderr, flush=True)
        os._exit(2)
    if processes.is_main():
        record = run.record
        found = {"losses": Noting.losses, "accuracy": record.test["accuracy"], "epochs": record.epochs}
        how = {"processes": record.processes, "sync_batch_norm": record.sync_batch_norm}
        (out / "found.json").write_text(json.dumps({**found, **how}))


def main() -> None:
    out = Path(sys.argv[1])
    Noting.die_after = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    runs.Progress = Noting  # type: ignore[misc]
    for norm in sys.argv[3:]:
        trained(RECIPE.changed(model="vgg-mini-bn-cifar"), out / norm, norm == "synchronised")
    if not sys.argv[3:]:
        trained(RECIPE, out)


if __name__ == "__main__":
    main()
