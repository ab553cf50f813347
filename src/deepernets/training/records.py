"""Records of finished runs, one JSON file each; the figures of the book are drawn from them."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import fastjsonschema

from deepernets.errors import UserError
from deepernets.files import read_file, write_text
from deepernets.recipes import get_recipe, list_recipes
from deepernets.recipes.recipe import Profile, Recipe

RECORD = "record.json"  # in the folder of a run
FORMAT = 2
LARGEST_RECORD = 2**26  # bytes
Precision = Literal["auto", "bf16", "fp32"]


@dataclass(frozen=True)
class Record:
    """One finished run.

    Attributes:
        recipe: What was trained, at this profile and with all changes applied.
        changes: Fields of the recipe of this name that were changed explicitly, before the profile was applied.
        profile: quick, laptop or full.
        seed: The number on which all randomness of the run depends.
        data: name, variant, classes; numbers of train, validation and test images; mean and std of the
            training pixels per channel, in [0, 1].
        model: name, parameters.
        epochs: One dictionary per epoch, as `deepernets.training.loop.Training.history` has them.
        test: loss, accuracy, confusion (row: true class, column: predicted), mistakes (index in the test set,
            label, predicted, confidence; the most confident first). Measured once, after the last epoch.
        precision: Precision of the forward pass, fp32 or bf16.
        requested_precision: auto, or fp32 or bf16 if one of them was requested.
        compile: Whether the network was compiled by `torch.compile`.
        sync_batch_norm: Whether several processes normalised with the statistics of the whole batch, and not each
            with those of its own share.
        processes: Number of processes, each with its share of every batch.
        channels_last: Whether images and weights were laid out with the channels innermost.
        device: Name of the GPU, or of the processor with the number of threads.
        versions: Python's and the libraries' versions.
        started: Time of the first step in UTC (ISO 8601); None in the course's earliest records, which lack it.
        finished: Time at which the record was written; in the earliest records the day alone.
        seconds: Spent in training, validation, test and in total; interruptions are left out. Validation and total
            are None in the earliest records.
        format: Version of this layout.
    """

    recipe: Recipe
    changes: dict[str, Any]
    profile: Profile
    seed: int
    data: dict[str, Any]
    model: dict[str, Any]
    epochs: list[dict[str, Any]]
    test: dict[str, Any]
    precision: str
    requested_precision: Precision
    compile: bool
    sync_batch_norm: bool
    processes: int
    channels_last: bool
    device: str
    versions: dict[str, str]
    started: str | None
    finished: str
    seconds: dict[str, Any]
    format: int = FORMAT

    def by_epoch(self, name: str) -> list[Any]:
        """Return one of the figures of `epochs`, such as ``train_loss``, for each epoch."""
        return [epoch[name] for epoch in self.epochs]

    @property
    def date(self) -> str:
        """The day on which the run ended, year-month-day."""
        return self.finished[:10]

    @property
    def label(self) -> str:
        """What every figure drawn from this record states about it."""
        return (
            f"{self.recipe.name}, {len(self.epochs)} epochs on {self.data['name']} ({self.data['variant']}), "
            f"seed {self.seed}, {self.precision} on {self.device}, {self.date}"
        )

    def save(self, path: Path) -> None:
        """Write the record as JSON, atomically."""
        write_text(path, json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")


def load_record(path: Path) -> Record:
    """Read the record at `path`.

    Raises:
        UserError: it cannot be read, or is not a record of this version; the first field that is wrong is named.
    """
    content = read_file(path := Path(path), LARGEST_RECORD)
    try:
        return _parse(content.decode())
    except Exception as error:  # a damaged file can hold anything, nested as deep as it likes
        what = f"it has no {error}" if isinstance(error, KeyError) else str(error)[:200]
        raise UserError(
            f"{path} is not a run's record of format {FORMAT} ({what}); train the recipe again to get one."
        ) from error


def _parse(text: str) -> Record:
    """Return the record that a JSON text holds.

    Raises:
        Exception: it holds none, or one that cannot be shown.
    """
    values = json.loads(text, parse_constant=_finite, parse_float=_finite)
    _validator()(values, name_prefix="record")
    json.dumps(values, ensure_ascii=False).encode()  # text with half a character cannot be printed
    classes = range(len(values["data"]["classes"]))
    if any(len(row) != len(classes) for row in (values["test"]["confusion"], *values["test"]["confusion"])):
        raise ValueError(
            f"record.test.confusion must have {len(classes)} rows and columns, one for each class"
        )
    if len(values["data"]["mean"]) != len(values["data"]["std"]):
        raise ValueError("record.data must have a mean and a std for each channel")
    for mistake in values["test"]["mistakes"]:
        if not {mistake["label"], mistake["predicted"]} <= set(classes):
            raise ValueError("record.test.mistakes must have labels of the classes")
    return Record(**{**values, "recipe": Recipe(**values["recipe"])})


def _finite(text: str) -> float:
    number = float(text)
    if not abs(number) < float("inf"):
        raise ValueError(f"{text} is not a finite number")
    return number


@cache
def _validator() -> Callable[..., object]:
    """Return what raises an error that names the field in which a JSON value is not a record."""
    schema = (files("deepernets.training") / "record.schema.json").read_text(encoding="utf-8")
    check: Callable[..., object] = fastjsonschema.compile(json.loads(schema))
    return check


def changes_to(recipe: Recipe) -> dict[str, Any]:
    """Return the fields, with their values, in which a recipe differs from the course's recipe of its name.

    A recipe with another name has no changes.
    """
    if recipe.name not in list_recipes():
        return {}
    listed = asdict(get_recipe(recipe.name))
    return {field: value for field, value in asdict(recipe).items() if value != listed[field]}


def total_seconds(history: list[dict[str, Any]], test: float) -> dict[str, float | None]:
    """Return the seconds that a run spent in training, validation and test, and their sum."""
    spent = {
        "training": sum(epoch["seconds"] for epoch in history),
        "validation": sum(epoch["validation_seconds"] for epoch in history),
        "test": test,
    }
    return {part: round(value, 2) for part, value in {**spent, "total": sum(spent.values())}.items()}


def results_folder() -> Path:
    """Return the folder of the recorded runs: in an installed package, or `results/` of the repository."""
    installed = Path(str(files("deepernets"))) / "results"
    return installed if (installed / "order.txt").is_file() else installed.parents[2] / "results"


def load_records(
    recipe: str | None = None, folder: Path | None = None, requested_precision: str = "auto"
) -> list[Record]:
    """Return the recorded runs that ship with the course, sorted by recipe, profile and seed.

    Those of the recipe as it is written come first for each profile.

    Args:
        recipe: Only runs of this recipe.
        folder: Their folder; without it that of the course.
        requested_precision: fp32 or bf16 for runs in which this precision was requested; auto for the others.

    Raises:
        UserError: there is no such folder, or a file in it is not a record.
    """
    folder = folder or results_folder()
    if not folder.is_dir():
        raise UserError(f"There is no folder of records {folder}; give one, such as results/.")
    records = [load_record(path) for path in sorted(folder.rglob("*.json"))]
    matching = [
        record
        for record in records
        if recipe in (None, record.recipe.name) and record.requested_precision == requested_precision
    ]

    def order(record: Record) -> tuple[str, str, bool, int]:
        return record.recipe.name, record.profile, bool(record.changes), record.seed

    return sorted(matching, key=order)
