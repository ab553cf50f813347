"""How fast this machine trains a network, plain and compiled, measured over a few steps."""

import os
import subprocess
import sys
from itertools import count

import torch

from deepernets.data.images import Dataset, Images
from deepernets.errors import UserError
from deepernets.papers.datasets import DATASETS
from deepernets.recipes import get_recipe
from deepernets.recipes.recipe import Recipe
from deepernets.training import hardware
from deepernets.training.cuda_graphs import CapturedStep, can_capture
from deepernets.training.preparation import prepare, split
from deepernets.training.timing import median_seconds

WARM_UP, TIMED = 2, 5  # steps; compiling happens in the first


def step_seconds(wanted: Recipe, compiled: bool = False) -> float:
    """Return the median time of a training step, at the recipe's batch size, image size and usual precision.

    The images are noise: what an image shows does not change what a step costs. Cropping and flipping are
    included.

    Raises:
        UserError: the network is to be compiled, and there is no compiler.
    """
    chosen = wanted.changed(validation_fraction=0.0, train_images=0, schedule="constant")
    accelerator = hardware.accelerator()
    splits = split(chosen, _noise(chosen), 0, hardware.channels_last(accelerator))
    training = prepare(chosen, splits, accelerator, 0)
    if compiled:
        hardware.compile_calls(training.model)
    train = splits.train.to(accelerator.device)
    batches = (batch for epoch in count(1) for batch in train.epoch(epoch))
    training.model.train()
    if can_capture(training) and not compiled:
        training.step = CapturedStep(training, *next(batches))

    def step() -> None:
        training.step(training.model, *next(batches), training.criterion, training.optimizer)

    return median_seconds(step, WARM_UP, TIMED)


def _noise(chosen: Recipe) -> Dataset:
    """Return a data set of one epoch of noise with as many steps as are taken."""
    images, info = chosen.batch_size * (WARM_UP + TIMED), DATASETS[chosen.data]
    shape = (images, info.in_shape[0], chosen.image_size, chosen.image_size)
    pixels = torch.randint(256, shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    noise = Images(pixels, torch.arange(images) % len(info.classes))
    return Dataset("noise", "drawn", info.classes, noise, noise)


def measure_step_seconds(name: str, profile: str, compiled: bool, timeout: float | None = None) -> float:
    """Return `step_seconds` of a recipe, measured in a process of its own, which returns its memory when it ends.

    Raises:
        UserError: no step could be taken.
        subprocess.TimeoutExpired: it took longer than `timeout` seconds.
    """
    code = "import sys; from deepernets.training import pace; pace.print_step_seconds(*sys.argv[1:])"
    command = [sys.executable, "-c", code, name, profile, "compiled" if compiled else "plain"]
    environment = {**os.environ, "TQDM_DISABLE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=timeout)
    if done.returncode != 0:
        last_line = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise UserError(f"No step of {name} could be timed ({last_line}); try `deepernets train {name}`.")
    return float(done.stdout.split()[-1])


def print_step_seconds(name: str, profile: str, way: str) -> None:
    """Print `step_seconds` of a recipe at a profile; what `measure_step_seconds` starts."""
    print(step_seconds(get_recipe(name).at(profile), way == "compiled"))
