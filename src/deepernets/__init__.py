"""Deeper Networks, from paper to practice: VGG and ResNet, computed, trained and explained.

>>> import deepernets
>>> model = deepernets.build_model("resnet-20", in_shape=(3, 32, 32), classes=10)
>>> deepernets.count_parameters(model)
269722

Names are imported when they are first used: ``import deepernets`` and ``deepernets --help`` do not wait for
PyTorch.
"""

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for editors and type checkers; at run time `_HOMES` has the same names
    from deepernets.course.checks import check
    from deepernets.data.datasets import load_dataset
    from deepernets.errors import UserError
    from deepernets.models.counting import conv_weights, count_multiply_adds, count_parameters, summary
    from deepernets.models.receptive_field import receptive_field
    from deepernets.models.registry import build_model, list_models
    from deepernets.recipes import get_recipe, list_recipes
    from deepernets.recipes.recipe import Recipe
    from deepernets.training.options import RunOptions
    from deepernets.training.pretrained import list_pretrained, load_pretrained
    from deepernets.training.records import Record, load_records
    from deepernets.training.run import Run, load_run, train

# Without ipywidgets, a notebook shows progress bars of text; Accelerate imports tqdm, too.
warnings.filterwarnings("ignore", message="IProgress not found")

_HOMES = {
    "course.checks": ("check",),
    "data.datasets": ("load_dataset",),
    "errors": ("UserError",),
    "models.counting": ("conv_weights", "count_parameters", "count_multiply_adds", "summary"),
    "models.receptive_field": ("receptive_field",),
    "models.registry": ("build_model", "list_models"),
    "recipes": ("get_recipe", "list_recipes"),
    "recipes.recipe": ("Recipe",),
    "training.records": ("Record", "load_records"),
    "training.pretrained": ("list_pretrained", "load_pretrained"),
    "training.options": ("RunOptions",),
    "training.run": ("Run", "load_run", "train"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Recipe",
    "Record",
    "Run",
    "RunOptions",
    "UserError",
    "build_model",
    "check",
    "conv_weights",
    "count_multiply_adds",
    "count_parameters",
    "get_recipe",
    "list_models",
    "list_pretrained",
    "list_recipes",
    "load_dataset",
    "load_pretrained",
    "load_records",
    "load_run",
    "receptive_field",
    "summary",
    "train",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'deepernets' has no attribute {name!r}")
    value = getattr(import_module(f"deepernets.{_HOME_OF[name]}"), name)
    globals()[name] = value  # so that this is called once for each name
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
