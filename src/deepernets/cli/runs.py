"""Commands that train networks and look at runs."""

import os
import sys
from dataclasses import asdict, dataclass, fields, make_dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from deepernets.errors import UserError
from deepernets.recipes import get_recipe
from deepernets.recipes.recipe import PROFILES, Profile, Recipe

if TYPE_CHECKING:
    from deepernets.training.records import Record

DEFAULT_RECIPE = "quick/vgg"

app = App()


def _default_profile() -> Profile:
    """Return `DEEPERNETS_PROFILE`, or full where it is not set."""
    profile = os.environ.get("DEEPERNETS_PROFILE", "full")
    if profile not in PROFILES:
        raise UserError(f"DEEPERNETS_PROFILE is {profile!r}; set it to one of {', '.join(PROFILES)}.")
    return profile  # type: ignore[return-value]


@Parameter(name="*")
@dataclass(frozen=True)
class Where:
    """How and where to run.

    Attributes:
        profile: quick (embedded data, seconds), laptop (real data, minutes) or full (as written). Without it
            DEEPERNETS_PROFILE, or full.
        data_root: Folder that holds the data. Without it DEEPERNETS_DATA, or a folder in your cache.
        seed: Where all randomness of the run comes from.
        precision: auto takes bf16 where the hardware has units for it.
    """

    profile: Profile | None = None
    data_root: Path | None = None
    seed: int = 0
    precision: Literal["auto", "bf16", "fp32"] = "auto"


@Parameter(name="*")
@dataclass(frozen=True)
class Machinery:
    """What several processes, and a compiler, are to do.

    Attributes:
        scaled: Let several processes multiply batch size and learning rate by their number.
        sync_batch_norm: Let several processes normalise with the statistics of the whole batch, as one would, and
            not each with those of its own share.
        compile: Let PyTorch compile the network: a slow start for faster steps. Needs a C++ compiler.
    """

    scaled: bool = False
    sync_batch_norm: bool = False
    compile: bool = False


@Parameter(name="*")
@dataclass(frozen=True)
class Files:
    """Where a run's files go, and which are kept.

    Attributes:
        out: Folder that gets one folder per run.
        fresh: Throw away what there is of this run and start again.
        keep_weights: Keep the weights with the course's records, in float16, where `deepernets.load_pretrained`
            finds them; for a recipe as it is written, with seed 0 and --profile full.
    """

    out: Path = Path("runs")
    fresh: bool = False
    keep_weights: bool = False


# One option per field of a recipe, so that the help shows a recipe in full and nothing is listed twice.
Changes = Parameter(name="*", group="Changes to the recipe")(
    make_dataclass(
        "Changes",
        [
            (field.name, field.type | None, None)  # type: ignore[operator]
            for field in fields(Recipe)
            if field.name != "name"
        ],
        frozen=True,
        namespace={"__doc__": Recipe.__doc__, "__module__": __name__},
    )
)


def _changed(name: str, changes: Any) -> Recipe:
    given = {} if changes is None else asdict(changes)
    return get_recipe(name).changed(**{field: value for field, value in given.items() if value is not None})


@app.command
def train(
    recipe_name: Annotated[str, Parameter(name="recipe")] = DEFAULT_RECIPE,
    /,
    *,
    changes: Changes | None = None,  # type: ignore[valid-type]
    where: Where | None = None,
    files: Files | None = None,
    machinery: Machinery | None = None,
) -> None:
    """Train a recipe, or go on with it; by default a small VGG on drawn pictures, in seconds.

    Several processes share each batch: torchrun --nproc-per-node 2 -m deepernets train ...

    Args:
        recipe_name: Name of the recipe; `deepernets recipes` lists them.
        changes: Fields of the recipe to change.
        where: How and where to run.
        files: Where the run's files go, and which are kept.
        machinery: What several processes, and a compiler, are to do.
    """
    import shutil

    from deepernets.training import distributed
    from deepernets.training.checkpoints import list_checkpoints
    from deepernets.training.preflight import require_folder_name
    from deepernets.training.pretrained import keep_weights, require_as_written
    from deepernets.training.runs import RECORD, run_folder
    from deepernets.training.runs import train as train_recipe

    where, files, machinery = where or Where(), files or Files(), machinery or Machinery()
    profile = where.profile or _default_profile()
    chosen = _changed(recipe_name, changes)
    if machinery.scaled:
        world = distributed.count()
        chosen = chosen.changed(
            batch_size=chosen.batch_size * world, learning_rate=chosen.learning_rate * world
        )
    if files.keep_weights:
        require_as_written(chosen, profile, where.seed, where.precision)
    folder = run_folder(chosen, profile, where.seed, files.out, where.precision)
    require_folder_name(folder)
    if files.fresh and distributed.is_main():
        shutil.rmtree(folder, ignore_errors=True)
    distributed.wait()
    if (folder / RECORD).is_file() and distributed.is_main():
        print(f"This run is finished; --fresh trains it again. Its record: {folder / RECORD}")
    try:
        run = train_recipe(
            chosen,
            profile=profile,
            seed=where.seed,
            data_root=where.data_root,
            out=files.out,
            precision=where.precision,
            sync_batch_norm=machinery.sync_batch_norm,
            compile=machinery.compile,
        )
    except KeyboardInterrupt:
        kept = list_checkpoints(folder)
        what = f"{kept[-1]} is kept, and the same command goes on from there" if kept else "no epoch was done"
        print(f"\nInterrupted: {what}.", file=sys.stderr)
        sys.exit(130)
    if not distributed.is_main():
        return
    _report(run.record)
    if files.keep_weights:
        pretrained = keep_weights(run)
        measured = pretrained.evaluate().accuracy
        print(
            f"Weights: {pretrained.weights}; rounded to float16 they reach {measured:.2%} of the test images"
        )
    print(f"Pictures: {', '.join(str(path) for path in _draw(run.record, folder, where.data_root))}")


@app.command
def evaluate(run: Path, /, *, data_root: Path | None = None) -> None:
    """Measure a run's weights on its test images again, and compare with its record.

    Args:
        run: Folder of a finished run, or the name of a recipe whose trained weights ship with the course.
        data_root: Folder that holds the data.
    """
    from deepernets.training.pretrained import list_pretrained, load_pretrained
    from deepernets.training.runs import load_run

    shipped = not run.exists() and run.as_posix() in list_pretrained()
    finished = load_pretrained(run.as_posix(), data_root) if shipped else load_run(run, data_root)
    measured = finished.evaluate().accuracy
    print(
        f"{finished.record.label}\nrecorded  {finished.record.test['accuracy']:.2%}\nmeasured  {measured:.2%}"
    )


@app.command
def show(run: Path, /, *, data_root: Path | None = None, out: Path | None = None) -> None:
    """Draw a run: curves, confusion matrix and most confident mistakes, as PNG.

    Args:
        run: Folder of a finished run, or a record.
        data_root: Folder that holds the data; the mistakes are drawn from it.
        out: Folder for the pictures; without it the run's own.
    """
    from deepernets.training.records import load_record
    from deepernets.training.runs import RECORD

    path = run / RECORD if run.is_dir() else run
    record = load_record(path)
    _report(record)
    for picture in _draw(record, out or path.parent, data_root):
        print(picture)


@app.command
def find_lr(
    recipe_name: Annotated[str, Parameter(name="recipe")] = DEFAULT_RECIPE,
    /,
    *,
    changes: Changes | None = None,  # type: ignore[valid-type]
    where: Where | None = None,
    steps: int = 100,
    out: Path = Path("runs"),
) -> None:
    """Raise the learning rate step by step and watch the loss; suggest a rate.

    Args:
        recipe_name: Name of the recipe; `deepernets recipes` lists them.
        changes: Fields of the recipe to change.
        where: How and where to run.
        steps: Batches to train for.
        out: Folder for the picture.
    """
    from deepernets import plots
    from deepernets.training import hardware, preflight
    from deepernets.training.lr_finder import range_test
    from deepernets.training.preparation import prepare, prepare_data

    where = where or Where()
    profile = where.profile or _default_profile()
    chosen = _changed(recipe_name, changes).at(profile)
    accelerator = hardware.accelerator(where.precision)
    splits = prepare_data(chosen, profile, where.seed, where.data_root, accelerator)
    preflight.require_two_images(chosen, splits.train)
    training = prepare(chosen, splits, accelerator, where.seed)
    test = range_test(training.model, splits.train, training.criterion, training.optimizer, steps=steps)
    path = plots.save(plots.learning_rate_range(test), out / chosen.name / "learning-rate-range.png")
    print(f"Suggested learning rate: {test.suggestion:.2g} (the recipe has {chosen.learning_rate:g})\n{path}")


def _report(record: "Record") -> None:
    """Print what a record says: where it comes from, its accuracy, its confusion matrix."""
    classes, confusion = record.data["classes"], record.test["confusion"]
    print(record.label)
    print(
        f"test accuracy {record.test['accuracy']:.2%}, loss {record.test['loss']:.4f}; "
        "rows: true, columns: predicted"
    )
    width = max(len(str(cell)) for cell in chain(classes, *confusion)) + 2
    print(" " * width + "".join(f"{name:>{width}}" for name in classes))
    for name, row in zip(classes, confusion, strict=True):
        print(f"{name:<{width}}" + "".join(f"{count:>{width}}" for count in row))


def _draw(record: "Record", folder: Path, data_root: Path | None) -> list[Path]:
    """Draw a record's pictures into `folder`; the mistakes only where the test images are at hand."""
    from deepernets import plots
    from deepernets.data.datasets import load_dataset

    paths = [
        plots.save(plots.curves(record), folder / "curves.png"),
        plots.save(plots.confusion(record), folder / "confusion.png"),
    ]
    try:
        test = load_dataset(record.recipe.data, data_root, record.profile).test
        paths.append(plots.save(plots.mistakes(record, test), folder / "mistakes.png"))
    except UserError as error:
        print(f"The mistakes are not drawn: {error}", file=sys.stderr)
    return paths
