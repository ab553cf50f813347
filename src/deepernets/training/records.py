"""Records: what a finished run leaves behind, one JSON file each; the book's figures are drawn from them."""

import json
import os
from collections.abc import Callable
from dataclasses import MISSING, asdict, dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from deepernets.exceptions import UserError
from deepernets.training.recipe import Recipe

FORMAT = 1


@dataclass(frozen=True)
class Record:
    """One finished run.

    Attributes:
        recipe: What was trained, with all changes applied.
        profile: quick, laptop or full.
        seed: The one number that all randomness of the run was drawn from.
        data: name, variant, classes; numbers of train, validation and test images; mean and std of the
            training pixels per channel, in [0, 1].
        model: name, parameters.
        epochs: One dictionary per epoch, as `deepernets.training.loop.Training.history` has them.
        test: loss, accuracy, confusion (row: true class, column: predicted), mistakes (index in the test set,
            label, predicted, confidence; the most confident first). Measured once, after the last epoch.
        precision: fp32 or bf16.
        channels_last: Whether images and weights lay in memory with the channels innermost.
        device: Processor or GPU, and how many of its cores.
        versions: Python's and the libraries' versions.
        started: Date of the first step, year-month-day.
        wall_seconds: Time spent in epochs and evaluation, interruptions left out.
        processes: How many trained together, each with its share of every batch.
        asked: The precision that was asked for by hand, fp32 or bf16, to compare the two; else auto.
        batch_norm: local, with the statistics of each process's own share of a batch, or synchronised.
        compiled: Whether the network was compiled by `torch.compile`.
        format: Version of this layout.
    """

    recipe: Recipe
    profile: str
    seed: int
    data: dict[str, Any]
    model: dict[str, Any]
    epochs: list[dict[str, Any]]
    test: dict[str, Any]
    precision: str
    channels_last: bool
    device: str
    versions: dict[str, str]
    started: str
    wall_seconds: float
    processes: int = 1
    asked: str = "auto"
    batch_norm: str = "local"
    compiled: bool = False
    format: int = FORMAT

    @property
    def label(self) -> str:
        """The sentence that belongs beside every figure drawn from this record."""
        return (
            f"{self.recipe.name}, {len(self.epochs)} epochs on {self.data['name']} ({self.data['variant']}), "
            f"seed {self.seed}, {self.precision} on {self.device}, {self.started}"
        )

    def save(self, path: Path) -> None:
        """Write the record as JSON, whole or not at all."""
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        write_whole(path, lambda temporary: temporary.write_text(text + "\n", encoding="utf-8"))


def load_record(path: Path) -> Record:
    """Read the record at `path`.

    Raises:
        UserError: it cannot be read, or is not a record of this version.
    """
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
        known = {field.name for field in fields(Record)}
        late = {
            field.name for field in fields(Record) if field.default is not MISSING
        }  # older ones lack them
        if values["format"] != FORMAT or set(values) | late != known:
            raise ValueError("its fields are not those of a record")
        return Record(**{**values, "recipe": Recipe(**values["recipe"])})
    except OSError as error:
        raise UserError(
            f"The record {path} cannot be read ({error.strerror}); give the path of a run."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is not a run's record of format {FORMAT} ({error}); train the recipe again to get one."
        ) from error


def results_folder() -> Path:
    """Return the folder of recorded runs: inside an installed package, or `results/` of the repository."""
    installed = Path(str(files("deepernets"))) / "results"
    return installed if installed.is_dir() else installed.parents[2] / "results"


def records(recipe: str | None = None, folder: Path | None = None, asked: str = "auto") -> list[Record]:
    """Return the recorded runs that ship with the course, by name and seed.

    Args:
        recipe: Those of this recipe alone.
        folder: Where they lie, if not with the course.
        asked: With fp32 or bf16, the runs that were asked for in this precision by hand; they stand beside the
            standard ones, and are never among them.
    """
    found = [load_record(path) for path in sorted((folder or results_folder()).rglob("*.json"))]
    wanted = [record for record in found if recipe in (None, record.recipe.name) and record.asked == asked]
    return sorted(wanted, key=lambda record: (record.recipe.name, record.profile, record.seed))


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a temporary path and give it its name only when it is complete.

    Raises:
        UserError: the folder cannot be written to.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        temporary.replace(path)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror}); choose another folder with --out."
        ) from error
    finally:
        if temporary.is_file():
            temporary.unlink()
