"""Options that several commands have, made from the fields of `Recipe` and `RunOptions`."""

import os
from collections.abc import Collection
from dataclasses import Field, asdict, fields, make_dataclass
from typing import Any, get_args

from cyclopts import Parameter

from deepernets.errors import UserError
from deepernets.recipes import get_recipe
from deepernets.recipes.recipe import Profile, Recipe
from deepernets.training.options import RunOptions

PROFILES = get_args(Profile)


def _options(
    source: type, names: Collection[str], optional: Collection[str] = (), group: str | None = None
) -> Any:
    """Return a dataclass of some fields of another, each of which becomes an option with its documentation.

    Args:
        source: The dataclass.
        names: Its fields.
        optional: Those of them that are None by default.
        group: Heading of the options in the help.
    """

    def described(field: Field[Any]) -> tuple[str, Any, Any]:
        kind: Any = field.type
        if field.name in optional:
            return field.name, kind | None, None
        return field.name, kind, field.default

    chosen = [described(field) for field in fields(source) if field.name in names]
    namespace = {"__doc__": source.__doc__, "__module__": __name__}
    made = make_dataclass(source.__name__, chosen, frozen=True, namespace=namespace)
    return Parameter(name="*", group=group)(made)


_RECIPE = [field.name for field in fields(Recipe) if field.name != "name"]
Changes = _options(Recipe, _RECIPE, optional=_RECIPE, group="Changes to the recipe")
_SETTINGS = ("profile", "data_root", "seed", "precision")
AllOptions = _options(RunOptions, [field.name for field in fields(RunOptions)], optional=("profile",))
Settings = _options(RunOptions, _SETTINGS, optional=("profile",))
Folders = _options(RunOptions, ("profile", "data_root", "out"))


def run_options(given: Any) -> RunOptions:
    """Return the options of a run; without a profile, that of `DEEPERNETS_PROFILE`, or full.

    Args:
        given: One of the dataclasses above, or None for all defaults.

    Raises:
        UserError: `DEEPERNETS_PROFILE` is not a profile.
    """
    values = {} if given is None else asdict(given)
    if values.get("profile") is None:
        values["profile"] = os.environ.get("DEEPERNETS_PROFILE", "full")
        if values["profile"] not in PROFILES:
            raise UserError(
                f"DEEPERNETS_PROFILE is {values['profile']!r}; set it to one of {', '.join(PROFILES)}."
            )
    return RunOptions(**values)


def changed_recipe(name: str, changes: Any) -> Recipe:
    """Return the recipe called `name` with the changes that were given.

    Raises:
        UserError: there is no such recipe, or a value is invalid.
    """
    given = {} if changes is None else asdict(changes)
    return get_recipe(name).changed(**{field: value for field, value in given.items() if value is not None})
