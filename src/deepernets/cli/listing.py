"""Commands that list networks, recipes and data sets."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from deepernets.cli.terminal import align, terminal_width, wrap
from deepernets.recipes import get_recipe, list_recipes

if TYPE_CHECKING:
    from deepernets.models.layers import NetworkSpec

app = App()
data = App(name="data", help="The data sets.")
app.command(data)


@app.command
def models(
    name: str | None = None,
    /,
    *,
    image_size: int | None = None,
    channels: int = 3,
    classes: int | None = None,
) -> None:
    """List the networks that `deepernets.build_model` knows, or show the layers of one.

    For each layer: output shape (channels × height × width), parameters, multiply-adds of one image, and the side
    of its receptive field in pixels.

    Args:
        name: The network to show.
        image_size: Height and width of an image; without it 224, and 32 for the networks for CIFAR.
        channels: Channels of an image.
        classes: Number of classes; without it 1000, and 10 for the networks for CIFAR.
    """
    from deepernets.models.registry import list_models

    if name is None:
        print("\n".join(list_models()))
        return
    from deepernets.models.registry import is_for_cifar, specification

    small = is_for_cifar(name)
    size = (32 if small else 224) if image_size is None else image_size
    classes = (10 if small else 1000) if classes is None else classes
    _print_layers(specification(name, (channels, size, size), classes))


def _print_layers(spec: "NetworkSpec") -> None:
    """Print a row for each layer of a network, and the sums."""
    import torch

    from deepernets.models.counting import summary
    from deepernets.models.receptive_field import receptive_field

    with torch.device("meta"):
        model = spec.build()
    layers = summary(model, spec.in_shape)
    fields = receptive_field(model, spec.in_shape).set_index("name")["receptive_field"].to_dict()
    rows = [["layer", "output", "parameters", "multiply-adds", "field"]]
    for layer in layers.to_dict("records"):
        numbers = [
            f"{layer[column]:,}" if layer[column] else "" for column in ("parameters", "multiply_adds")
        ]
        field = str(fields.get(layer["name"], ""))  # only feature maps have one
        rows.append([layer["name"], "×".join(map(str, layer["output_shape"])), *numbers, field])
    sums = [f"{layers[column].sum():,}" for column in ("parameters", "multiply_adds")]
    rows.append(["all layers", "", *sums, ""])
    print(f"images of {'×'.join(map(str, spec.in_shape))}, {spec.classes} classes\n")
    print(align(rows, width=terminal_width()))


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
    rows = [
        [recipe.name, recipe.model, recipe.data, f"{recipe.epochs} epochs"]
        for recipe in map(get_recipe, list_recipes())
    ]
    print(align(rows, left=3, width=terminal_width()))


@data.command
def check(*, data_root: Path | None = None) -> None:
    """Print which data sets are available, where and in which variant, and what to do about the others.

    Args:
        data_root: Folder that holds the data. Without it DEEPERNETS_DATA, or a folder in your cache.
    """
    from deepernets.data.datasets import check_datasets

    for availability in check_datasets(data_root):
        print(wrap(str(availability), indent=" " * 10))
