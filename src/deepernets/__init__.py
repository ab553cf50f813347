"""Deeper Networks, from paper to practice: VGG and ResNet, computed, trained and explained.

>>> import deepernets
>>> model = deepernets.build("resnet-20", in_shape=(3, 32, 32), classes=10)
>>> deepernets.count_parameters(model)
269722

Names are looked up when they are first used, so that ``import deepernets`` costs nothing and
``deepernets --help`` answers before PyTorch could be loaded.
"""

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what editors and type checkers see; at run time `_HOMES` says the same
    from deepernets.analysis.arithmetic import (
        conv_weights,
        count_parameters,
        multiply_adds,
        receptive_field,
        shape_walk,
    )
    from deepernets.course.checks import check
    from deepernets.data.sources import load
    from deepernets.exceptions import UserError
    from deepernets.models.zoo import build, models
    from deepernets.training.recipe import Recipe, recipe, recipes
    from deepernets.training.records import Record, records
    from deepernets.training.runs import Run, list_pretrained, load_pretrained, load_run, train

# A notebook without ipywidgets gets progress bars of text, which do as well. Accelerate asks for bars, too.
warnings.filterwarnings("ignore", message="IProgress not found")

_HOMES = {
    "analysis.arithmetic": (
        "conv_weights",
        "count_parameters",
        "multiply_adds",
        "receptive_field",
        "shape_walk",
    ),
    "course.checks": ("check",),
    "data.sources": ("load",),
    "exceptions": ("UserError",),
    "models.zoo": ("build",),
    "training.recipe": ("Recipe", "recipe", "recipes"),
    "training.records": ("Record", "records"),
    "training.runs": ("Run", "list_pretrained", "load_pretrained", "load_run", "train"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
# `deepernets.models` is a package that can be called, so that `deepernets.models()` lists the networks

__all__ = [
    "Recipe",
    "Record",
    "Run",
    "UserError",
    "build",
    "check",
    "conv_weights",
    "count_parameters",
    "list_pretrained",
    "load",
    "load_pretrained",
    "load_run",
    "models",
    "multiply_adds",
    "receptive_field",
    "recipe",
    "recipes",
    "records",
    "shape_walk",
    "train",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "models":
        return import_module("deepernets.models")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'deepernets' has no attribute {name!r}")
    value = getattr(import_module(f"deepernets.{_HOME_OF[name]}"), name)
    globals()[name] = value  # the next look-up does not come here
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
