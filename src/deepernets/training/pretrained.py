"""Trained weights that ship with the course, next to the records of the runs that made them."""

from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import nn

from deepernets.errors import UserError
from deepernets.files import write_atomically
from deepernets.models.pretrained import load_weights
from deepernets.recipes.recipe import Recipe
from deepernets.training.checkpoints import WEIGHTS
from deepernets.training.records import changes_to, load_record, results_folder
from deepernets.training.run import Run


class PretrainedRun(Run):
    """A run whose record and float16 weights ship with the course; see `load_pretrained`.

    Args:
        record: File of the record; the weights have its name, ending in ``.safetensors``.
        data_root: As for `Run`.
    """

    def __init__(self, record: Path, data_root: str | Path | None = None) -> None:
        self.folder, self.weights = record.parent, record.with_suffix(".safetensors")
        self.record = load_record(record)
        self._data_root = None if data_root is None else Path(data_root)

    def _load_weights(self, model: nn.Module) -> None:
        load_weights(model, self.weights)


def list_pretrained(results: Path | None = None) -> list[str]:
    """Return the names of the recipes whose trained weights are kept with their records.

    >>> "report-b/resnet-20-mnist/ours" in list_pretrained()
    True
    """
    results = results or results_folder()
    kept = results.rglob("full-seed0.safetensors")
    return sorted(weights.parent.relative_to(results).as_posix() for weights in kept)


def load_pretrained(
    name: str, data_root: str | Path | None = None, results: Path | None = None
) -> PretrainedRun:
    """Return a trained network that ships with the course, as the run that trained it.

    Its `model` is float32 and in evaluation mode; its weights were rounded to float16. `record` states how it was
    trained and its results; `data` has the images, split and normalised as in the training.

    Args:
        name: Name of its recipe; `list_pretrained` lists them.
        data_root: Folder of the data; without it `DEEPERNETS_DATA`, or a folder in the user's cache.
        results: Folder of the records; without it that of the course.

    Raises:
        UserError: there are no weights of that name.

    >>> run = load_pretrained("report-b/resnet-20-mnist/ours")
    >>> f"{run.record.test['accuracy']:.2%}"
    '99.65%'
    """
    results = results or results_folder()
    if name not in (kept := list_pretrained(results)):
        raise UserError(
            f"There are no trained weights of {name!r}; there are those of {', '.join(kept) or 'no recipe'}. "
            "`deepernets train RECIPE --keep-weights` makes others."
        )
    return PretrainedRun(results / name / "full-seed0.json", data_root)


def require_as_written(recipe: Recipe, profile: str, seed: int, precision: str) -> None:
    """Raise an error unless the weights of such a run can be kept for `load_pretrained`.

    Raises:
        UserError: the recipe was changed, or the profile is not full, the seed not 0 or the precision not auto.
    """
    if changes_to(recipe) or (profile, seed, precision) != ("full", 0, "auto"):
        raise UserError(
            f"The weights of this run of {recipe.name} cannot be kept: expected a recipe as it is written, the "
            "profile full, seed 0 and precision auto; leave the other options out, or leave out --keep-weights."
        )


def keep_weights(run: Run, results: Path | None = None) -> PretrainedRun:
    """Copy a finished run's record and its weights, in float16, to the records, where `load_pretrained` finds them.

    Args:
        run: A run of the full profile with seed 0 whose recipe was not changed.
        results: Folder of the records; without it that of the course.

    Raises:
        UserError: the run is another one, or the folder cannot be written to.
    """
    record = run.record
    require_as_written(record.recipe, record.profile, record.seed, record.requested_precision)
    path = (results or results_folder()) / record.recipe.name / "full-seed0.json"
    tensors = load_file(run.folder / WEIGHTS)
    halves = {
        name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()
    }
    write_atomically(path.with_suffix(".safetensors"), lambda part: save_file(halves, part))
    record.save(path)
    return PretrainedRun(path, run._data_root)
