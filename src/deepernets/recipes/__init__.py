"""The recipes of the course, of the two papers, of the students' reports and of the speedrun."""

from difflib import get_close_matches

from deepernets.errors import UserError
from deepernets.recipes import course, papers, reports, speedrun
from deepernets.recipes.recipe import Recipe

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
    """Return the recipe called `name`.

    Raises:
        UserError: there is no recipe of that name; the message suggests similar ones.
    """
    if name not in RECIPES:
        near = get_close_matches(name, RECIPES, n=3, cutoff=0.4) or list(RECIPES)[:3]
        raise UserError(
            f"There is no recipe {name!r}; did you mean {' or '.join(near)}? "
            "`deepernets recipes` lists them all."
        )
    return RECIPES[name]


def list_recipes() -> list[str]:
    """Return the names of all recipes."""
    return list(RECIPES)
