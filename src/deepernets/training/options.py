"""The options of a run that are not part of its recipe, and the folder that belongs to them."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deepernets.errors import UserError
from deepernets.recipes.recipe import Profile, Recipe
from deepernets.training.records import Precision, changes_to


@dataclass(frozen=True)
class RunOptions:
    """How, where and at which size a recipe is run.

    Attributes:
        profile: quick (embedded data, seconds), laptop (real data, minutes) or full (as written).
        data_root: Folder that holds the data. Without it DEEPERNETS_DATA, or a folder in your cache.
        seed: Where all randomness of the run comes from.
        precision: auto takes bf16 where the hardware has units for it.
        out: Folder that gets one folder per run.
        sync_batch_norm: Let several processes normalise with the statistics of the whole batch, as one would, and
            not each with those of its own share.
        compile: Let PyTorch compile the network: a slow start for faster steps. Needs a C++ compiler.

    Raises:
        UserError: the seed is negative.
    """

    profile: Profile = "full"
    data_root: Path | None = None
    seed: int = 0
    precision: Precision = "auto"
    out: Path = Path("runs")
    sync_batch_norm: bool = False
    compile: bool = False

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise UserError(f"--seed is {self.seed}; expected a whole number of at least 0.")

    def folder(self, recipe: Recipe) -> Path:
        """Return the folder of a run: one for each recipe, profile, seed, and change to the recipe.

        Each precision but auto has its own folder as well, so that two of them can be compared.

        >>> from deepernets.recipes import get_recipe
        >>> RunOptions().folder(get_recipe("quick/vgg").changed(epochs=2)).as_posix()
        'runs/quick/vgg/full-seed0-epochs=2'
        >>> RunOptions(precision="bf16", seed=1).folder(get_recipe("quick/vgg")).name
        'full-seed1-bf16'
        """
        changes = "".join(f"-{field}={value}" for field, value in changes_to(recipe).items())
        precision = "" if self.precision == "auto" else f"-{self.precision}"
        name = f"{self.profile}-seed{self.seed}{changes}{precision}"
        return Path(self.out) / recipe.name / name.replace("/", "+")


def require_folder_name(folder: Path) -> None:
    """Raise an error unless the file system accepts the name of a run's folder, which need not exist yet.

    Raises:
        UserError: a part of the name is too long, is not UTF-8, or may not be looked up.
    """
    try:
        str(folder).encode()
        existing = next(parent for parent in folder.absolute().parents if os.path.isdir(parent))
        for part in folder.absolute().relative_to(existing).parts:
            with suppress(FileNotFoundError):
                os.stat(existing / part)  # and not `exists`, which hides errors in some versions of Python
    except UnicodeEncodeError:
        raise UserError(f"The folder {os.fsencode(folder)!r} is not UTF-8; choose another --out.") from None
    except OSError as error:
        raise UserError(
            f"The run's folder {folder} cannot be used ({error.strerror}); change fewer fields at once in a recipe "
            "of a shorter name, or choose another --out."
        ) from error
