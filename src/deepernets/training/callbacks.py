"""The progress bar of a run, its checkpoint after each epoch, and Ctrl-C between two steps."""

import signal
import sys
import threading
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from deepernets.progress import format_duration, is_silent, tqdm, writes_log
from deepernets.recipes.recipe import Recipe
from deepernets.training import distributed
from deepernets.training.checkpoints import save_checkpoint
from deepernets.training.loop import Callback, Training
from deepernets.training.metrics import Meter

REFRESH = 0.5  # seconds between two readings of loss and accuracy


class Reading:
    """Loss and accuracy of a meter at one moment, copied from a GPU without waiting for it."""

    def __init__(self, meter: Meter) -> None:
        self.images, on_gpu = max(meter.images, 1), meter.sums.is_cuda
        self.sums = meter.sums.to("cpu", non_blocking=on_gpu)
        self.copied = torch.cuda.Event() if on_gpu else None
        if self.copied is not None:
            self.copied.record()

    def is_ready(self) -> bool:
        """Return whether the figures have been copied and can be shown."""
        return self.copied is None or self.copied.query()

    def as_text(self) -> dict[str, str]:
        """Return loss and accuracy as text; call it only when `is_ready`."""
        loss, accuracy = (self.sums / self.images).tolist()
        return {"loss": f"{loss:.3f}", "accuracy": f"{accuracy:.1%}"}


class Progress(Callback):
    """A progress bar over all images of a run, with loss and accuracy, and a checkpoint after each epoch.

    Where messages go to a file or another program, there is a line for each epoch instead of the bar.

    In a ``with`` statement it lets Ctrl-C take effect between two steps or at the end, and a second one at once.

    Args:
        folder: Folder of the run, for its checkpoints.
        recipe: The recipe that is trained.
        images: Number of training images.
        done: Number of epochs that were trained before.
    """

    def __init__(self, folder: Path, recipe: Recipe, images: int, done: int) -> None:
        self.folder, self.recipe, self.images, self.done = folder, recipe, images, done
        self.bar = tqdm(
            total=recipe.epochs * images,
            initial=done * images,
            unit="img",
            desc=recipe.name,
            disable=not distributed.is_main(),
        )
        self.has_lines = distributed.is_main() and writes_log() and not is_silent()
        self.shown = perf_counter()
        self.reading: Reading | None = None
        self.interrupted = False

    def __enter__(self) -> "Progress":
        self.former: Any = None
        if threading.current_thread() is threading.main_thread():
            self.former = signal.signal(signal.SIGINT, self.interrupt)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.former is not None:
            signal.signal(signal.SIGINT, self.former)
        self.bar.close()
        if self.interrupted and kind is None:
            raise KeyboardInterrupt

    def interrupt(self, *_: object) -> None:
        """Note that Ctrl-C was pressed, and let Python handle the next one."""
        self.interrupted = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def after_step(self, meter: Meter) -> None:
        """Move the bar, and twice a second read loss and accuracy, or show them when they are ready.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed since the last step.
        """
        if self.interrupted:
            raise KeyboardInterrupt
        self._move_to(self.done * self.images + meter.images * distributed.num_processes())
        if perf_counter() - self.shown > REFRESH:
            self.reading = self.reading or Reading(meter)
            if self.reading.is_ready():
                self.bar.set_postfix(self.reading.as_text(), refresh=False)
                self.reading = None
            self.shown = perf_counter()

    def after_epoch(self, training: Training) -> None:
        """Write the checkpoint, then move the bar to the end of the epoch and state its number."""
        if distributed.is_main():
            save_checkpoint(self.folder, training)
        distributed.wait()
        self.done = len(training.history)
        self._move_to(self.done * self.images)  # past images that the processes could not share equally
        self.bar.set_description(f"epoch {self.done} of {self.recipe.epochs} done")
        if self.has_lines:
            print(
                f"{self.recipe.name}: {_as_line(training.history[-1], self.recipe.epochs)}", file=sys.stderr
            )

    def _move_to(self, images: int) -> None:
        self.bar.update(images - self.bar.n)


def _as_line(epoch: dict[str, Any], epochs: int) -> str:
    """Return the figures of an epoch, an entry of `Training.history`, as text."""
    figures = [f"training loss {epoch['train_loss']:.3f}, accuracy {epoch['train_accuracy']:.1%}"]
    if epoch["validation_accuracy"] is not None:
        figures.append(
            f"validation loss {epoch['validation_loss']:.3f}, accuracy {epoch['validation_accuracy']:.1%}"
        )
    seconds = format_duration(epoch["seconds"] + epoch["validation_seconds"])
    return f"epoch {epoch['epoch']} of {epochs}: {'; '.join(figures)}; {seconds}"
