"""Commands that list networks, recipes and data sets."""

from dataclasses import asdict
from pathlib import Path

from cyclopts import App

from deepernets.recipes import get_recipe, list_recipes

app = App()
data = App(name="data", help="The data sets.")
app.command(data)


@app.command
def models() -> None:
    """List the networks that `deepernets.build_model` knows."""
    from deepernets.models.registry import list_models

    print("\n".join(list_models()))


@app.command
def recipes(name: str | None = None, /) -> None:
    """List the recipes, or show one in full.

    Args:
        name: The recipe to show.
    """
    if name:
        for field, value in asdict(get_recipe(name)).items():
            print(f"{field:20} {value}")
        return
    for known in list_recipes():
        row = get_recipe(known)
        print(f"{known:45} {row.model:20} {row.data:9} {row.epochs:4} epochs")


@data.command
def check(*, data_root: Path | None = None) -> None:
    """Print which data sets are available, where and in which variant, and what to do about the others.

    Args:
        data_root: Folder that holds the data. Without it DEEPERNETS_DATA, or a folder in your cache.
    """
    from deepernets.data.datasets import check_datasets

    for availability in check_datasets(data_root):
        print(availability)
