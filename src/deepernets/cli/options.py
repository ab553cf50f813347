"""Options that several commands have, made from the fields of `Recipe` and `RunOptions`."""

from collections.abc import Collection
from dataclasses import asdict, fields, make_dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from deepernets.recipes import get_recipe, load_recipe
from deepernets.recipes.recipe import Recipe
from deepernets.training.options import RunOptions

# An option that is off unless it is given: without a --no-... next to it, and without a default in its help
Flag = Annotated[bool, Parameter(negative=(), show_default=False)]


def _recipe_options() -> Any:
    """Return a dataclass with the fields of a recipe, all of them None by default.

    Their types do not include None, which the command line would read from the word "none".
    """
    options: list[Any] = [(field.name, field.type, None) for field in fields(Recipe)]
    namespace = {"__doc__": Recipe.__doc__, "__module__": __name__}
    made = make_dataclass("Changes", options[1:], frozen=True, namespace=namespace)  # without the name
    return Parameter(name="*", group="Changes to the recipe")(made)


def _run_options(names: Collection[str], environment: bool = True) -> Any:
    """Return a dataclass with some of the fields of `RunOptions`.

    Args:
        names: The fields.
        environment: Let `DEEPERNETS_PROFILE` give the default of the profile.
    """
    options: list[Any] = []
    for field in fields(RunOptions):
        kind: Any = Flag if field.type is bool else field.type
        if field.name == "profile" and environment:
            kind = Annotated[kind, Parameter(env_var="DEEPERNETS_PROFILE")]
        if field.name in names:
            options.append((field.name, kind, field.default))
    namespace = {"__doc__": RunOptions.__doc__, "__module__": __name__}
    return Parameter(name="*")(make_dataclass("Options", options, frozen=True, namespace=namespace))


Changes = _recipe_options()
AllOptions = _run_options([field.name for field in fields(RunOptions)])
Settings = _run_options(("profile", "data_root", "seed", "precision", "device"))
Folders = _run_options(("profile", "data_root", "out"), environment=False)


def run_options(given: Any) -> RunOptions:
    """Return the options of a run from one of the dataclasses above, or from None, the defaults."""
    return RunOptions(**asdict(given)) if given else RunOptions()


def changed_recipe(name: str, changes: Any) -> Recipe:
    """Return the recipe called `name`, or that of a file, with the changes that were given.

    Raises:
        UserError: there is no such recipe or file, or a value is invalid.
    """
    recipe = load_recipe(Path(name)) if name.endswith(".toml") else get_recipe(name)
    given = asdict(changes) if changes else {}
    return recipe.changed(**{field: value for field, value in given.items() if value is not None})
