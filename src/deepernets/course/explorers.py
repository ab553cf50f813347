"""The explorers of the book's pages: what `book/_static/explorers` needs of the package, as JSON inside the page.

An explorer computes in the reader's browser, with no network. The tests in ``tests/browser`` hold its numbers
against the package.
"""

import json
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from deepernets.analysis.statistics import seeds_half_width
from deepernets.models.registry import build_model
from deepernets.models.tracing import trace_layers
from deepernets.papers.datasets import DATASETS
from deepernets.papers.reports import REPORT_C_RUNNING_MEANS, REPORTED
from deepernets.papers.resnet import CIFAR_10, RESNET_110_MEAN, RESNET_110_SD

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

REAL_LIMITS: dict[str, dict[str, Any]] = {
    "first": {"text": "First accuracy, %", "min": 0, "max": 100, "step": 0.01},
    "second": {"text": "Second accuracy, %", "min": 0, "max": 100, "step": 0.01},
    "images": {"text": "Test images", "min": 1, "max": 1_000_000, "step": 1, "whole": True},
    "agreement": {"text": "Agreement, % (empty: not known)", "min": 0, "max": 100, "step": 0.1},
    "tries": {"text": "First is the best of … tries", "min": 1, "max": 1000, "step": 1, "whole": True},
    "seeds": {"text": "Seeds of each", "min": 1, "max": 50, "step": 1, "whole": True},
    "sd": {"text": "Standard deviation over seeds, points", "min": 0, "max": 50, "step": 0.01},
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


def is_it_real() -> "HTML":
    """Return the explorer that says whether one accuracy is really higher than another."""
    most_seeds = REAL_LIMITS["seeds"]["max"]
    return explorer(
        "is-it-real", "Is it real? The difference of two accuracies", presets=_comparisons(),
        first="Report B, MNIST: VGG-13 and VGG-16", limits=REAL_LIMITS,
        halfWidths={seeds: round(seeds_half_width(1, seeds), 6) for seeds in range(2, most_seeds + 1)},
    )  # fmt: skip


def _comparisons() -> dict[str, dict[str, Any]]:
    """Return pairs of accuracies from the reports and a paper, none of which states the agreement."""

    def pair(first: float, second: float, data: str, **more: float) -> dict[str, Any]:
        images = DATASETS[data].test_images
        unstated = {"agreement": None, "tries": 1, "seeds": 1, "sd": 0}
        return {"first": first, "second": second, "images": images, **unstated, **more}

    reported = {name: row.test_accuracy for name, row in REPORTED.items()}
    a, b, c = (f"report-{letter}" for letter in "abc")
    means = REPORT_C_RUNNING_MEANS
    last_epoch = round(50 * means[50] - 49 * means[49], 2)
    return {
        "Report B, MNIST: VGG-13 and VGG-16": pair(
            reported[f"{b}/vgg-13-mnist/as-reported-scheduler"], reported[f"{b}/vgg-16-mnist/as-reported"], "mnist",
            tries=12,
        ),
        "Report A: VGG-16 and ResNet-50": pair(
            reported[f"{a}/vgg-16/as-reported"], reported[f"{a}/resnet-50/as-reported"], "cifar3"
        ),
        "Report B, CIFAR-10: ResNet-20 and ResNet-44": pair(
            reported[f"{b}/resnet-20-cifar10/as-reported-scheduler"],
            reported[f"{b}/resnet-44-cifar10/as-reported-scheduler"], "cifar10", tries=3,
        ),
        "Report C, MNIST: VGG-16 and ResNet-50": pair(
            reported[f"{c}/vgg-16-mnist/as-reported"], reported[f"{c}/resnet-50-mnist/as-reported"], "mnist"
        ),
        "Report C, MNIST: the same, ResNet-50's last epoch alone": pair(
            reported[f"{c}/vgg-16-mnist/as-reported"], last_epoch, "mnist"
        ),
        "ResNet-110: best of five runs, and their mean": pair(
            round(100 - CIFAR_10[110].error, 2), round(100 - RESNET_110_MEAN, 2), "cifar10",
            tries=5, seeds=5, sd=RESNET_110_SD,
        ),
        "half a point at 90 %, agreement on 95 %": pair(90.25, 89.75, "cifar10", agreement=95),
    }  # fmt: skip


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
