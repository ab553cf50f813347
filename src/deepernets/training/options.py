"""The options of a run that are not part of its recipe, and the folder that belongs to them."""

import os
import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from operator import index
from pathlib import Path
from typing import Any, Literal

from deepernets.errors import UserError
from deepernets.recipes.recipe import Profile, Recipe
from deepernets.training.records import Precision, Record, changes_to

Log = Literal["csv", "tensorboard"]
# What a file's name may not have on Windows; the path of an image folder may be in the name of a run.
NO_FILE_NAME = r'[/\\:*?"<>|]'


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
        fresh: Delete the existing run, and start again.
        device: What to train on, such as cpu, cuda, cuda:1 or mps; auto takes a GPU if there is one.
        log: Also write the figures of each epoch next to the record: csv writes log.csv, and tensorboard, which
            needs the package of this name, event files.

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
    fresh: bool = False
    device: str = "auto"
    log: Log | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", index(self.seed))  # of NumPy, too, which JSON cannot hold
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
        return Path(self.out) / recipe.name / re.sub(NO_FILE_NAME, "+", name)


def list_differences(compared: dict[str, tuple[Any, Any]]) -> list[str]:
    """Return as text what differs between an existing run and the one that is asked for.

    >>> list_differences({"seed": (0, 1), "profile": ("full", "full")})
    ['seed=0 and not 1']
    """
    return [f"{name}={was} and not {now}" for name, (was, now) in compared.items() if was != now]


def require_same_run(record: Record, folder: Path, recipe: Recipe, options: RunOptions) -> None:
    """Raise an error unless the record in `folder` is that of a recipe, at its profile, with these options.

    Raises:
        UserError: the recipe, the profile, the seed or the requested precision differ.
    """
    differing = list_differences(
        {
            "profile": (record.profile, options.profile),
            "seed": (record.seed, options.seed),
            "precision": (record.requested_precision, options.precision),
        }
    )
    if record.recipe != recipe:
        differing.append(
            f"of the recipe {recipe.name} before it was changed"
            if record.recipe.name == recipe.name
            else f"of the recipe {record.recipe.name} and not {recipe.name}"
        )
    if differing:
        raise UserError(
            f"The run in {folder} is finished, and another one ({', '.join(differing)}); rename or delete the "
            "folder, train again with --fresh, or choose another --out."
        )


def require_folder_name(folder: Path) -> None:
    """Raise an error unless a run can have a folder of this name, which need not exist yet.

    Raises:
        UserError: a part of the name is too long, has control characters, is not UTF-8, or may not be looked up,
            or it is the name of a file or a link.
    """
    if any(unicodedata.category(letter) == "Cc" for letter in str(folder)):
        raise UserError(
            f"The folder {str(folder)!r} has control characters in its name; choose another --out."
        )
    try:
        str(folder).encode()
        place = folder.absolute()
        existing = next((parent for parent in place.parents if os.path.isdir(parent)), Path(place.anchor))
        for part in place.relative_to(existing).parts:
            with suppress(FileNotFoundError):
                os.stat(existing / part)  # and not `exists`, which hides errors in some versions of Python
    except UnicodeEncodeError:
        raise UserError(f"The folder {os.fsencode(folder)!r} is not UTF-8; choose another --out.") from None
    except OSError as error:
        raise UserError(
            f"The run's folder {folder} cannot be used ({error.strerror}); change fewer fields at once in a recipe "
            "of a shorter name, or choose another --out."
        ) from error
    if folder.is_symlink():
        raise UserError(
            f"The run's folder {folder} is a symbolic link, and may be another run's; delete the link, or choose "
            "another --out, which may be a link."
        )
    if folder.exists() and not folder.is_dir():
        raise UserError(f"The run's folder {folder} is a file; delete or rename it, or choose another --out.")
