"""The explorers of the book's pages: what `book/_static/explorers` needs of the package, as JSON inside the page.

An explorer computes in the reader's browser, with no network. The tests in ``tests/browser`` hold its numbers
against the package.
"""

import json
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from deepernets.models.registry import build_model
from deepernets.models.tracing import trace_layers

if TYPE_CHECKING:
    from IPython.display import HTML

FIELD_PRESETS = {
    **{f"VGG {name}": (f"vgg-{name.lower()}", 224, {}) for name in "ABCDE"},
    "ResNet-20": ("resnet-20", 32, {}),
    "ResNet-50, stride in the first 1×1": ("resnet-50", 224, {}),
    "ResNet-50, stride in the 3×3": ("resnet-50", 224, {"stride_in": "3x3"}),
}
KERNEL_PRESETS = {
    "VGG's comparison": {"kernel": 7, "input": 256, "between": 256, "output": 256, "groups": 1, "side": 56},
    "ResNet's first layer": {"kernel": 7, "input": 3, "between": 64, "output": 64, "groups": 1, "side": 112},
    "a group for every channel": {
        "kernel": 7, "input": 256, "between": 256, "output": 256, "groups": 256, "side": 56,
    },
}  # fmt: skip
KERNEL_LIMITS = {
    "kernel": {"min": 3, "max": 15},
    **{width: {"min": 1, "max": 4096} for width in ("input", "between", "output", "groups")},
    "side": {"min": 1, "max": 512},
}


def receptive_field_builder() -> "HTML":
    """Return the explorer in which networks are built layer by layer, and a unit's field is seen."""
    layer = {"kind": "conv", "kernel": 3, "stride": 1, "padding": 1, "dilation": 1}
    presets = {
        "three 3×3 layers": {"image": 32, "layers": [layer] * 3},
        "the worked example": {
            "image": 32,
            "layers": [layer, {**layer, "stride": 2}, {**layer, "padding": 2, "dilation": 2}],
        },
        **{
            title: {"image": side, "layers": windows(name, side, **changes)}
            for title, (name, side, changes) in FIELD_PRESETS.items()
        },
        "an image of 224 pixels and one layer": {"image": 224, "layers": [layer]},
    }
    task = {
        "text": (
            "Start from an image of 224 pixels and one layer. Reach a field of 224 pixels or more with at most "
            "100 C² weights: convolutions alone, no dilation, and a last map of at least 7×7."
        ),
        "field": 224,
        "map": 7,
        "weights": 100,
        "channels": 64,
    }
    return explorer(
        "receptive-field", "Receptive-field builder", presets=presets, first="three 3×3 layers", task=task
    )


def kernel_comparison() -> "HTML":
    """Return the explorer that compares one large kernel with a stack of 3×3 layers."""
    return explorer(
        "kernels", "One large kernel or several small ones", presets=KERNEL_PRESETS, first="VGG's comparison",
        limits=KERNEL_LIMITS,
    )  # fmt: skip


def windows(name: str, side: int, **changes: Any) -> list[dict[str, Any]]:
    """Return the convolutions and pools from the pixels to a network's last map, shortcuts left out.

    Args:
        name: Name of a network.
        side: Height and width of its images.
        **changes: Fields of its specification, as `build_model` takes them.

    >>> windows("vgg-a", 224)[1]
    {'name': 'block1.pool', 'kind': 'pool', 'kernel': 2, 'stride': 2, 'padding': 0, 'dilation': 1}
    """
    with torch.device("meta"):
        network = build_model(name, in_shape=(3, side, side), classes=10, **changes)
    return [
        {
            "name": call.name,
            "kind": "conv" if isinstance(call.layer, nn.Conv2d) else "pool",
            **{
                key: _side(getattr(call.layer, attribute))
                for key, attribute in (("kernel", "kernel_size"), ("stride", "stride"), ("padding", "padding"),
                                       ("dilation", "dilation"))
            },
        }
        for call in trace_layers(network, (3, side, side))
        if isinstance(call.layer, nn.Conv2d | nn.MaxPool2d) and "shortcut" not in call.name
    ]  # fmt: skip


def _side(size: int | tuple[int, ...]) -> int:
    return size if isinstance(size, int) else size[0]


def explorer(name: str, title: str, **data: Any) -> "HTML":
    """Return the place of an explorer in a page, with its data.

    Args:
        name: What its script calls itself.
        title: What it is, for those who cannot see it.
        **data: What its script needs, as JSON.
    """
    from IPython.display import HTML

    content = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")  # nothing ends the script early
    return HTML(
        f'<section class="explorer" id="explorer-{name}" data-explorer="{name}" aria-label="{title}">'
        f'<p class="explorer-off">{title}: this part of the page needs JavaScript.</p>'
        f'<script type="application/json">{content}</script></section>'
    )
