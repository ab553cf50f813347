"""Commands that train networks."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from deepernets.cli.options import AllOptions, Changes, Flag, Settings, changed_recipe, run_options
from deepernets.cli.terminal import wrap
from deepernets.cli.trained import draw, report
from deepernets.files import require_writable
from deepernets.recipes.recipe import Recipe
from deepernets.training.options import RunOptions, require_folder_name
from deepernets.training.records import RECORD

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
    keep_weights: Flag = False,
    scaled: Flag = False,
) -> None:
    """Train a recipe, or continue its training; by default a small VGG on drawn images, in seconds.

    Several processes share each batch: `torchrun --nproc-per-node 2 -m deepernets train ...`

    Args:
        recipe_name: Name of the recipe, which `deepernets recipes` lists; or a TOML file with fields of one.
        changes: Fields of the recipe to change.
        options: Options of the run.
        keep_weights: Keep the weights with the course's records, in float16, where `deepernets.load_pretrained`
            finds them; for a recipe as it is written, with seed 0 and `--profile full`.
        scaled: Let several processes multiply batch size and learning rate by their number.
    """
    from deepernets.training import distributed
    from deepernets.training.logs import log_path
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
    report(run.record)
    if chosen.log:
        print(wrap(f"Log: {log_path(run.folder, chosen.log)}"))
    if keep_weights:
        pretrained = keep(run)
        accuracy = pretrained.evaluate().accuracy
        print(
            wrap(
                f"Weights: {pretrained.weights}; "
                f"rounded to float16 they classify {accuracy:.2%} of the test images correctly."
            )
        )
    print(wrap(f"Figures: {', '.join(map(str, draw(run.record, run.folder, chosen.data_root)))}"))


def _train(recipe: Recipe, options: RunOptions) -> "Run":
    """Train, and after Ctrl-C say what is kept."""
    from deepernets.training import distributed
    from deepernets.training.checkpoints import is_finished, list_checkpoints
    from deepernets.training.run import train as train_recipe

    folder = options.folder(recipe)
    require_folder_name(folder)
    if is_finished(folder) and not options.fresh and distributed.is_main():
        print(wrap(f"This run is finished; --fresh trains it again. Its record: {folder / RECORD}"))
    try:
        return train_recipe(recipe, options)
    except KeyboardInterrupt:
        kept = list_checkpoints(folder)
        what = f"{kept[-1]} is kept, and the same command goes on from there" if kept else "no epoch was done"
        print(wrap(f"\nInterrupted: {what}.", sys.stderr), file=sys.stderr)
        sys.exit(130)


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
        recipe_name: Name of the recipe, which `deepernets recipes` lists; or a TOML file with fields of one.
        changes: Fields of the recipe to change.
        options: Options of the run.
        steps: Batches to train for.
        out: Folder for the figure.
    """
    from deepernets import plots
    from deepernets.training import distributed, hardware
    from deepernets.training.lr_finder import range_test
    from deepernets.training.preparation import prepare, prepare_data, require_two_images

    chosen = run_options(options)
    recipe = changed_recipe(recipe_name, changes).at(chosen.profile)
    chart = out / recipe.name / "learning-rate-range.png"
    require_writable(chart)
    distributed.use_device(chosen.device)
    accelerator = hardware.accelerator(chosen.precision)
    splits = prepare_data(recipe, chosen, accelerator)
    require_two_images(recipe, splits.train)
    training = prepare(recipe, splits, accelerator, chosen.seed)
    test = range_test(training.model, splits.train, training.criterion, training.optimizer, steps=steps)
    path = plots.save(plots.learning_rate_range(test), chart)
    print(f"Suggested learning rate: {test.suggestion:.2g} (the recipe has {recipe.learning_rate:g})\n{path}")
