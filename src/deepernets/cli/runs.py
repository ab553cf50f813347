"""Commands that train networks and show runs."""

import sys
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from deepernets.cli.options import AllOptions, Changes, Settings, changed_recipe, run_options
from deepernets.errors import UserError
from deepernets.recipes.recipe import Recipe
from deepernets.training.options import RunOptions, require_folder_name
from deepernets.training.records import RECORD, Record, load_record

if TYPE_CHECKING:
    from deepernets.training.run import Run

RecipeName = Annotated[str, Parameter(name="recipe")]
DEFAULT_RECIPE = "quick/vgg"

app = App()


@app.command
def train(
    recipe_name: RecipeName = DEFAULT_RECIPE,
    /,
    *,
    changes: Changes | None = None,
    options: AllOptions | None = None,
    keep_weights: bool = False,
    scaled: bool = False,
) -> None:
    """Train a recipe, or continue its training; by default a small VGG on drawn images, in seconds.

    Several processes share each batch: torchrun --nproc-per-node 2 -m deepernets train ...

    Args:
        recipe_name: Name of the recipe; `deepernets recipes` lists them.
        changes: Fields of the recipe to change.
        options: Options of the run.
        keep_weights: Keep the weights with the course's records, in float16, where `deepernets.load_pretrained`
            finds them; for a recipe as it is written, with seed 0 and --profile full.
        scaled: Let several processes multiply batch size and learning rate by their number.
    """
    from deepernets.training import distributed
    from deepernets.training.pretrained import keep_weights as keep
    from deepernets.training.pretrained import require_as_written

    chosen, recipe = run_options(options), changed_recipe(recipe_name, changes)
    if scaled:
        world = distributed.num_processes()
        recipe = recipe.changed(
            batch_size=recipe.batch_size * world, learning_rate=recipe.learning_rate * world
        )
    if keep_weights:
        require_as_written(recipe, chosen.profile, chosen.seed, chosen.precision)
    run = _train(recipe, chosen)
    if not distributed.is_main():
        return
    _report(run.record)
    if keep_weights:
        pretrained = keep(run)
        accuracy = pretrained.evaluate().accuracy
        print(
            f"Weights: {pretrained.weights}; rounded to float16 they reach {accuracy:.2%} of the test images"
        )
    print(f"Figures: {', '.join(str(path) for path in _draw(run.record, run.folder, chosen.data_root))}")


def _train(recipe: Recipe, options: RunOptions) -> "Run":
    """Train, and after Ctrl-C say what is kept."""
    from deepernets.training import distributed
    from deepernets.training.checkpoints import is_finished, list_checkpoints
    from deepernets.training.run import train as train_recipe

    folder = options.folder(recipe)
    require_folder_name(folder)
    if is_finished(folder) and not options.fresh and distributed.is_main():
        print(f"This run is finished; --fresh trains it again. Its record: {folder / RECORD}")
    try:
        return train_recipe(recipe, options)
    except KeyboardInterrupt:
        kept = list_checkpoints(folder)
        what = f"{kept[-1]} is kept, and the same command goes on from there" if kept else "no epoch was done"
        print(f"\nInterrupted: {what}.", file=sys.stderr)
        sys.exit(130)


@app.command
def evaluate(run: Path, /, *, data_root: Path | None = None) -> None:
    """Measure a run's weights on its test images again, and compare with its record.

    Args:
        run: Folder of a finished run, or the name of a recipe whose trained weights ship with the course.
        data_root: Folder that holds the data.
    """
    from deepernets.training.pretrained import list_pretrained, load_pretrained
    from deepernets.training.run import load_run

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
        out: Folder for the figures; without it the run's own.
    """
    path = run / RECORD if run.is_dir() else run
    record = load_record(path)
    _report(record)
    for figure in _draw(record, out or path.parent, data_root):
        print(figure)


@app.command
def find_lr(
    recipe_name: RecipeName = DEFAULT_RECIPE,
    /,
    *,
    changes: Changes | None = None,
    options: Settings | None = None,
    steps: int = 100,
    out: Path = Path("runs"),
) -> None:
    """Raise the learning rate step by step and record the loss; suggest a learning rate.

    Args:
        recipe_name: Name of the recipe; `deepernets recipes` lists them.
        changes: Fields of the recipe to change.
        options: Options of the run.
        steps: Batches to train for.
        out: Folder for the figure.
    """
    from deepernets import plots
    from deepernets.training import hardware
    from deepernets.training.lr_finder import range_test
    from deepernets.training.preparation import prepare, prepare_data, require_two_images

    chosen = run_options(options)
    recipe = changed_recipe(recipe_name, changes).at(chosen.profile)
    accelerator = hardware.accelerator(chosen.precision)
    splits = prepare_data(recipe, chosen, accelerator)
    require_two_images(recipe, splits.train)
    training = prepare(recipe, splits, accelerator, chosen.seed)
    test = range_test(training.model, splits.train, training.criterion, training.optimizer, steps=steps)
    path = plots.save(plots.learning_rate_range(test), out / recipe.name / "learning-rate-range.png")
    print(f"Suggested learning rate: {test.suggestion:.2g} (the recipe has {recipe.learning_rate:g})\n{path}")


def _report(record: Record) -> None:
    """Print a record's label, its accuracy and its confusion matrix."""
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


def _draw(record: Record, folder: Path, data_root: Path | None) -> list[Path]:
    """Draw a record's figures into `folder`; the mistakes only if the test images are available."""
    from deepernets import plots
    from deepernets.data.datasets import load_dataset

    paths = [
        plots.save(plots.curves(record), folder / "curves.png"),
        plots.save(plots.confusion(record), folder / "confusion.png"),
    ]
    try:
        recipe = record.recipe
        test = load_dataset(recipe.data, data_root, record.profile, recipe.image_size).test
        paths.append(plots.save(plots.mistakes(record, test), folder / "mistakes.png"))
    except UserError as error:
        print(f"The mistakes are not drawn: {error}", file=sys.stderr)
    return paths
