"""How long training steps and their phases take."""

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable
from itertools import count, pairwise
from time import perf_counter
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from deepernets.data.images import Dataset, Images
from deepernets.errors import UserError
from deepernets.papers.datasets import DATASETS
from deepernets.recipes import get_recipe
from deepernets.recipes.recipe import Recipe
from deepernets.training import hardware
from deepernets.training.cuda_graphs import CapturedStep, can_capture
from deepernets.training.loop import Batch
from deepernets.training.preparation import prepare, split

WARM_UP, TIMED_STEPS = 2, 5  # steps; compiling happens in the first
PHASES = ("data", "forward", "backward", "step")


def _now() -> float:
    """Return the time in seconds at which a GPU has finished: it works while Python continues."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return perf_counter()


def median_seconds(work: Callable[[], Any], warm_up: int = 2, repeats: int = 5) -> float:
    """Return the median time of a call in seconds.

    Args:
        work: The function to call; its result is ignored.
        warm_up: Calls before the first that is timed, in which caches fill and libraries choose their kernels.
        repeats: Calls that are timed.
    """
    for _ in range(warm_up):
        work()
    times = []
    for _ in range(repeats):
        started = _now()
        work()
        times.append(_now() - started)
    return statistics.median(times)


def measure_phases(
    model: nn.Module, batches: Iterable[Batch], criterion: nn.Module, optimizer: Optimizer
) -> dict[str, float]:
    """Train on `batches`, and return how long each phase of a step takes, in seconds per image.

    Args:
        model: The network, which is trained.
        batches: Pairs of images (N, C, H, W) and labels (N,); the first is a warm-up and not counted.
        criterion: From logits and labels to the loss.
        optimizer: Over the model's parameters.

    Returns:
        Seconds per image for data, forward (the loss included), backward and step.
    """
    spent = dict.fromkeys(PHASES, 0.0)
    counted = 0
    model.train()
    end = _now()
    for number, (images, labels) in enumerate(batches):
        times = [end, _now()]
        loss = criterion(model(images), labels)
        times.append(_now())
        optimizer.zero_grad()
        loss.backward()
        times.append(_now())
        optimizer.step()
        times.append(end := _now())
        if number > 0:
            counted += len(labels)
            for phase, (before, after) in zip(PHASES, pairwise(times), strict=True):
                spent[phase] += after - before
    return {phase: seconds / max(counted, 1) for phase, seconds in spent.items()}


def step_seconds(recipe: Recipe, compiled: bool = False) -> float:
    """Return the median time of a training step, at the recipe's batch size, image size and usual precision.

    The images are noise; cropping and flipping are included.

    Args:
        recipe: What is trained.
        compiled: Compile the network.

    Raises:
        UserError: the network should be compiled, and there is no compiler.
    """
    if compiled:
        hardware.require_compiler()
    recipe = recipe.changed(validation_fraction=0.0, train_images=0, schedule="constant")
    accelerator = hardware.accelerator()
    info, size = DATASETS[recipe.data], recipe.image_size
    noise = draw_noise(
        recipe.batch_size * (WARM_UP + TIMED_STEPS), (info.in_shape[0], size, size), info.classes
    )
    splits = split(recipe, noise, 0, hardware.channels_last(accelerator, compiled))
    training = prepare(recipe, splits, accelerator, 0)
    train = splits.train.to(accelerator.device)
    batches = (batch for epoch in count(1) for batch in train.epoch(epoch))
    training.model.train()
    if can_capture(training):
        training.step = CapturedStep(training, *next(batches), compiled)
    elif compiled:
        hardware.compile_calls(training.model)

    def step() -> None:
        training.step(training.model, *next(batches), training.criterion, training.optimizer)

    return median_seconds(step, WARM_UP, TIMED_STEPS)


def draw_noise(count: int, shape: tuple[int, int, int], classes: tuple[str, ...]) -> Dataset:
    """Return a data set of noise, to time steps with: the content of images does not affect their speed.

    Args:
        count: Number of images, which are both the training and the test images.
        shape: Of an image, (C, H, W).
        classes: Names of the classes, which take turns.
    """
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (count, *shape), generator=generator, dtype=torch.uint8)
    noise = Images(pixels, torch.arange(count) % len(classes))
    return Dataset("noise", "drawn", classes, noise, noise)


def measure_step_seconds(name: str, profile: str, compiled: bool, timeout: float | None = None) -> float:
    """Return `step_seconds` of a recipe, measured in another process, which frees its memory when it ends.

    Args:
        name: Name of the recipe.
        profile: Its profile.
        compiled: Compile the network.
        timeout: Seconds after which the process is killed; None for no limit.

    Raises:
        UserError: the process failed.
        subprocess.TimeoutExpired: it took longer than `timeout` seconds.
    """
    command = [sys.executable, "-m", __name__, name, profile, "compiled" if compiled else "plain"]
    environment = {**os.environ, "TQDM_DISABLE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=timeout)
    if done.returncode != 0:
        last_line = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise UserError(f"No step of {name} could be timed ({last_line}); try `deepernets train {name}`.")
    return float(done.stdout.split()[-1])


if __name__ == "__main__":  # started by `measure_step_seconds`
    recipe_name, at_profile, mode = sys.argv[1:]
    print(step_seconds(get_recipe(recipe_name).at(at_profile), mode == "compiled"))
