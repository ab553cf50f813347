"""Run by `torchrun`: train a small network, and write down the loss of every step over all processes.

    torchrun ... two_processes.py OUT [DIE]

With DIE, the second process ends at once after so many epochs.
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
    model="vgg-mini-cifar",  # without batch normalisation, which each process does on its own
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


def main() -> None:
    out = Path(sys.argv[1])
    Noting.die_after = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    runs.Progress = Noting  # type: ignore[misc]
    try:
        record = deepernets.train(RECIPE, out=out, precision="fp32")
    except deepernets.UserError as error:
        print(f"deepernets: {error}", file=sys.stderr, flush=True)
        os._exit(2)
    if processes.is_main():
        found = {"losses": Noting.losses, "processes": record.processes, "accuracy": record.test["accuracy"]}
        (out / "found.json").write_text(json.dumps({**found, "epochs": record.epochs}))


if __name__ == "__main__":
    main()
