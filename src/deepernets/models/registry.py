"""Build networks by name.

How names are composed:

* ``vgg-{a,a-lrn,b,c,d,e}`` as in the paper's table; ``vgg-{11,13,16,19}`` for A, B, D, E by depth;
  ``vgg-b-5x5`` for the variant of B in section 4.1; ``vgg-mini``, our own. Then optionally ``-bn`` for batch
  normalisation and ``-cifar`` for a head of one linear layer.
* ``resnet-{18,34,50,101,152}`` for ImageNet, optionally with ``-cifar`` for a 3×3 stem of stride 1 without
  max-pool.
* ``resnet-{20,32,44,56,110,1202}`` for CIFAR, and any other depth 6n + 2 but 50 and 152, with shortcut A;
  optionally with ``-b`` or ``-c`` for the other options.
* ``plain-…`` for the plain network (without shortcuts) of any ``resnet-…``.
* ``dash`` for the speedrun's network, and ``dash-narrow``, a quarter as wide.
* ``report-c-vgg-16`` and ``report-c-resnet-50``.
"""

import re
from dataclasses import fields
from difflib import get_close_matches
from itertools import product
from typing import Any

from torch import nn

from deepernets.errors import UserError
from deepernets.models.layers import NetworkSpec
from deepernets.models.report_c import ReportCResNetSpec
from deepernets.models.resnet import CIFAR_DEPTHS, CIFAR_WIDTHS, IMAGENET, ResNetSpec, cifar_repeats
from deepernets.models.speedrun import SpeedrunSpec
from deepernets.models.vgg import CONFIGURATIONS, OTHER_CONFIGURATIONS, VGGSpec

_VGG = {
    **{name.lower(): configuration for name, configuration in CONFIGURATIONS.items()},
    **{depth: CONFIGURATIONS[name] for depth, name in {"11": "A", "13": "B", "16": "D", "19": "E"}.items()},
    **OTHER_CONFIGURATIONS,
}

# The specification's class and its fields, for each name of a finite family.
_NAMED: dict[str, tuple[type[NetworkSpec], dict[str, Any]]] = {
    **{
        f"vgg-{name}{'-bn' * batch_norm}{'-cifar' * (head == 'cifar')}": (
            VGGSpec,
            {"configuration": configuration, "batch_norm": batch_norm, "head": head},
        )
        for (name, configuration), batch_norm, head in product(
            _VGG.items(), (False, True), ("paper", "cifar")
        )
    },
    **{
        f"{kind}-{depth}{'-cifar' * (stem == 'cifar')}": (
            ResNetSpec,
            {"block": block, "repeats": repeats, "stem": stem, "residual": kind == "resnet"},
        )
        for kind, (depth, (block, repeats)), stem in product(
            ("resnet", "plain"), IMAGENET.items(), ("imagenet", "cifar")
        )
    },
    "dash": (SpeedrunSpec, {}),
    "dash-narrow": (SpeedrunSpec, {"widths": (16, 64, 64)}),
    "report-c-vgg-16": (VGGSpec, {"configuration": CONFIGURATIONS["D"], "last_pool": 1}),
    "report-c-resnet-50": (ReportCResNetSpec, {}),
}

_CIFAR = re.compile(r"(?P<kind>resnet|plain)-(?P<depth>\d+)(-(?P<shortcut>[bc]))?")


def list_models() -> list[str]:
    """Return the names that `build_model` knows, except CIFAR networks of depths that are not in the paper.

    >>> [name for name in list_models() if name.startswith("vgg-d")]
    ['vgg-d', 'vgg-d-cifar', 'vgg-d-bn', 'vgg-d-bn-cifar']
    """
    residual = [f"resnet-{depth}" for depth in CIFAR_DEPTHS]
    # no plain-1202: without shortcuts, gradients through so many normalised layers overflow
    plain = [f"plain-{depth}" for depth in CIFAR_DEPTHS if depth < 1202]
    return [*_NAMED, *residual, *plain]


def specification(
    name: str, in_shape: tuple[int, int, int] = (3, 224, 224), classes: int = 1000, **changes: Any
) -> NetworkSpec:
    """Return the specification that `build_model` builds from.

    Args:
        name: A name as described at the top of this module.
        in_shape: Channels, height and width of an image.
        classes: Number of logits.
        **changes: Other values for fields of the specification, such as ``shortcut="C"``.

    Raises:
        UserError: a name or field is unknown, or a value is out of range.

    >>> specification("resnet-20", in_shape=(3, 32, 32), classes=10).repeats
    (3, 3, 3)
    """
    kind, named = _look_up(name.lower())
    known = sorted(field.name for field in fields(kind))
    for field in changes:
        if field not in known:
            raise UserError(f"{name} has no {field!r} to change; it has {', '.join(known)}.")
    changes = {field: tuple(value) if isinstance(value, list) else value for field, value in changes.items()}
    return kind(**{**named, "in_shape": tuple(in_shape), "classes": classes, **changes})


def is_for_cifar(name: str) -> bool:
    """Return whether a network is for images of 32 × 32 and few classes, and not for ImageNet.

    >>> [name for name in ("vgg-16", "vgg-16-cifar", "resnet-50", "resnet-20", "dash") if is_for_cifar(name)]
    ['vgg-16-cifar', 'resnet-20', 'dash']
    """
    kind, named = _look_up(name.lower())
    small = "cifar" in (named.get("head"), named.get("stem"))
    return small or name.lower().startswith("report-") or kind is SpeedrunSpec


def build_model(
    name: str, in_shape: tuple[int, int, int] = (3, 224, 224), classes: int = 1000, **changes: Any
) -> nn.Sequential:
    """Return the network of this name, with its initial weights.

    Args:
        name: One of `list_models()`, or a CIFAR network of any depth 6n + 2; `deepernets.models.registry` explains
            the names.
        in_shape: Channels, height and width of an image.
        classes: Number of logits.
        **changes: Other values for fields of its specification (`VGGSpec`, `ResNetSpec`), such as
            ``initialisation="pytorch"``, ``shortcut="C"``, ``stride_in="3x3"`` or ``dropout=0.3``.

    Returns:
        It maps images (N, C, H, W) to logits (N, classes). The last module is called ``head``, so ``model[:-1]``
        returns the feature maps.

    Raises:
        UserError: a name or change is unknown, or a value is out of range.

    >>> list(dict(build_model("resnet-20", in_shape=(3, 32, 32), classes=10).named_children()))
    ['stem', 'stage1', 'stage2', 'stage3', 'head']
    """
    return specification(name, in_shape, classes, **changes).build()


def _look_up(name: str) -> tuple[type[NetworkSpec], dict[str, Any]]:
    if name in _NAMED:
        return _NAMED[name]
    if match := _CIFAR.fullmatch(name):
        return ResNetSpec, {
            "block": "basic",
            "widths": CIFAR_WIDTHS,
            "stem": "cifar",
            "repeats": cifar_repeats(int(match["depth"])),
            "residual": match["kind"] == "resnet",
            "shortcut": (match["shortcut"] or "a").upper(),
        }
    nearest = get_close_matches(name, list_models(), n=3, cutoff=0.5)
    suggestion = (
        f"did you mean {' or '.join(nearest)}?"
        if nearest
        else "expected a name such as vgg-16, resnet-20 or resnet-50; `deepernets models` lists them all."
    )
    raise UserError(f"There is no model {name!r}; {suggestion}")
