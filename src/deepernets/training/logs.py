"""The figures of each epoch in files for other programs: a CSV file, or TensorBoard's event files."""

import csv
import shutil
import warnings
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from deepernets.errors import UserError
from deepernets.files import reason, write_atomically
from deepernets.training import distributed
from deepernets.training.loop import Callback, Training
from deepernets.training.options import Log

CSV = "log.csv"  # next to the record
EVENTS = "tensorboard"  # a folder next to the record
SCALARS = {
    "loss/training": "train_loss",
    "loss/validation": "validation_loss",
    "accuracy/training": "train_accuracy",
    "accuracy/validation": "validation_accuracy",
    "learning rate": "learning_rate",
}  # names in TensorBoard, and fields of `Training.history`


def require_log(log: Log | None) -> None:
    """Raise an error unless a log of this kind can be written.

    Raises:
        UserError: there is no such kind, or the package that it needs is missing.
    """
    if log not in (None, "csv", "tensorboard"):
        raise UserError(f"--log is {log!r}; expected csv or tensorboard.")
    if log == "tensorboard" and find_spec("tensorboard") is None:
        raise UserError(
            "Writing TensorBoard's event files needs a package that is not installed; "
            "run pip install tensorboard, or choose --log csv."
        )


def log_path(folder: Path, log: Log) -> Path:
    """Return the file or folder of a run's log."""
    return folder / (CSV if log == "csv" else EVENTS)


def delete_logs(folder: Path) -> None:
    """Delete the logs of a run, as far as the system lets it."""
    with suppress(OSError):
        (folder / CSV).unlink()
    shutil.rmtree(folder / EVENTS, ignore_errors=True)


class EpochLog(Callback):
    """Write the figures of all finished epochs, at the start and after each epoch.

    Both files are written anew at the start, from the history in the checkpoint. A run that was killed and goes on
    thus has each epoch once in its log, also those that were trained without one.

    Args:
        folder: Folder of the run.
        log: Kind of the log; None writes nothing.
        history: Epochs that were trained before, as in `Training.history`.

    Raises:
        UserError: the log cannot be written.
    """

    def __init__(self, folder: Path, log: Log | None, history: list[dict[str, Any]]) -> None:
        self.folder, self.log = folder, log if distributed.is_main() else None
        self.writer = _event_writer(folder / EVENTS) if self.log == "tensorboard" else None
        self.written = 0
        self.write(history)

    def __enter__(self) -> "EpochLog":
        return self

    def __exit__(self, *_: object) -> None:
        if self.writer is not None:
            self.writer.close()

    def after_epoch(self, training: Training) -> None:
        """Write the figures of the epoch."""
        self.write(training.history)

    def write(self, history: list[dict[str, Any]]) -> None:
        """Write the epochs of a history that are not in the log yet."""
        if self.log == "csv" and history:
            write_atomically(self.folder / CSV, lambda file: _write_csv(file, history))
        if self.writer is not None:
            for epoch in history[self.written :]:
                for name, field in SCALARS.items():
                    if epoch[field] is not None:
                        self.writer.add_scalar(name, epoch[field], epoch["epoch"])
            self.writer.flush()
        self.written = len(history)


def _write_csv(file: Path, history: list[dict[str, Any]]) -> None:
    """Write a line for each epoch; validation is empty where there was none."""
    with file.open("w", encoding="utf-8", newline="") as opened:
        rows = csv.DictWriter(opened, history[0], lineterminator="\n")
        rows.writeheader()
        rows.writerows(history)


def _event_writer(folder: Path) -> Any:
    """Return a writer of event files into a folder of its own, from which those of an earlier start are deleted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorBoard's, of its own dependencies
        from torch.utils.tensorboard import SummaryWriter

    shutil.rmtree(folder, ignore_errors=True)
    try:
        return SummaryWriter(str(folder))
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({reason(error)}); choose another --out.") from error
