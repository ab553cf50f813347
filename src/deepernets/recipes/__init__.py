"""The recipes of the course, of the two papers, of the students' reports and of the speedrun."""

import tomllib
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path

from deepernets.errors import UserError
from deepernets.files import read_file, reading
from deepernets.recipes import course, papers, reports, speedrun
from deepernets.recipes.recipe import Recipe

BASED_ON = "based-on"  # in a file: the recipe of which it states the changes
LARGEST_FILE = 2**20  # bytes

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        *course.QUICK,
        *course.RACES,
        *speedrun.SPEEDRUNS,
        *papers.RESNET,
        *papers.VGG,
        *reports.REPORT_ROWS,
    )
}


def get_recipe(name: str) -> Recipe:
    """Return the recipe of this name.

    Args:
        name: One of `list_recipes`, such as ``report-b/resnet-20-cifar10/ours``.

    Raises:
        UserError: there is no recipe of that name; the message suggests similar ones.

    >>> recipe = get_recipe("paper/resnet-20")
    >>> recipe.data, recipe.epochs, recipe.learning_rate, recipe.schedule
    ('cifar10', 182, 0.1, 'step')
    """
    if name not in RECIPES:
        near = get_close_matches(name, RECIPES, n=3, cutoff=0.4) or list(RECIPES)[:3]
        raise UserError(
            f"There is no recipe {name!r}; did you mean {' or '.join(near)}? "
            "`deepernets recipes` lists them all."
        )
    return RECIPES[name]


def load_recipe(file: Path) -> Recipe:
    """Return the recipe that a TOML file states.

    Its keys are fields of `Recipe`, such as ``batch-size = 64``. With ``based-on = "quick/vgg"`` it states changes
    of that recipe; without it, ``data`` and ``model`` are needed, and the recipe has the name of the file.

    Raises:
        UserError: the file cannot be read, a key is unknown or missing, or a value cannot be used.
    """
    content = read_file(file, LARGEST_FILE)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{file} is not UTF-8; save it in this encoding.") from None
    with reading(file, "correct it"):
        values = tomllib.loads(text)
    base = values.pop(BASED_ON, None)
    given = {key.replace("-", "_"): value for key, value in values.items()}
    known = [field.name for field in fields(Recipe)]
    for key in given:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            advice = f"did you mean {near[0]}?" if near else f"the keys are {', '.join([BASED_ON, *known])}."
            raise UserError(f"{file} has an unknown key {key!r}; {advice}")
    if base is None and (missing := [key for key in ("data", "model") if key not in given]):
        raise UserError(
            f'{file} does not state {" and ".join(missing)}; add what is missing, or {BASED_ON} = "RECIPE".'
        )
    try:
        return (
            Recipe(**{"name": file.stem, **given}) if base is None else get_recipe(str(base)).changed(**given)
        )
    except UserError as error:
        raise UserError(f"{file}: {error}") from error


def list_recipes() -> list[str]:
    """Return the names of all recipes.

    >>> [name for name in list_recipes() if name.startswith("quick/")]
    ['quick/vgg', 'quick/resnet', 'quick/digits']
    """
    return list(RECIPES)
