"""The explorers of the book's pages: what `book/_static/explorers` needs of the package, as JSON inside the page.

An explorer computes in the reader's browser, with no network. The tests in ``tests/browser`` hold its numbers
against the package.
"""

import json
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from deepernets.analysis.statistics import seeds_half_width
from deepernets.models.layers import glorot_std, he_std
from deepernets.models.registry import build_model
from deepernets.models.resnet import BLOCKS, CIFAR_WIDTHS, IMAGENET, IMAGENET_WIDTHS, STEMS
from deepernets.models.tracing import trace_layers
from deepernets.models.vgg import CONFIGURATIONS, HEADS
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
SIGNAL_NETWORK = {"units": 50, "images": 50, "classes": 10, "epsilon": nn.BatchNorm2d(1).eps}
SIGNAL_PRESETS: dict[str, dict[str, Any]] = {
    "30 layers, variance 0.01": {"depth": 30, "sigma": 0.1},
    "50 layers, batch normalisation": {"depth": 50, "sigma": 0.2, "batch": True},
    "50 layers, shortcuts": {"depth": 50, "sigma": 0.2, "shortcut": True},
    "50 layers, batch normalisation, shortcuts": {
        "depth": 50, "sigma": 0.2, "batch": True, "shortcut": True,
    },
}  # fmt: skip
SIGNAL_LIMITS = {
    "depth": {"min": 4, "max": 100, "step": 2},
    "sigma": {"min": 0.01, "max": 1, "step": 0.001},
    "gamma": {"min": 0, "max": 2, "step": 0.01},
    "seed": {"min": 1, "max": 9999},
}
ANATOMY_PRESETS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "VGG E (VGG-19) and ResNet-152": ({"network": "E"}, {"network": "152"}),
    "ResNet-50, v1 and v1.5": ({"network": "50"}, {"network": "50", "stride": "3x3"}),
    "ResNet-34, options A and C": (
        {"network": "34", "shortcut": "A"}, {"network": "34", "shortcut": "C"},
    ),
    "ResNet-20 and ResNet-110": (
        {"network": "cifar", "shortcut": "A"}, {"network": "cifar", "shortcut": "A", "n": 18},
    ),
    "a digit of 28×28": ({"network": "D"}, {"network": "18", "stem": "cifar"}),
}  # fmt: skip
ANATOMY_IMAGES = {  # where it is not 224×224 pixels of 1000 classes
    "ResNet-20 and ResNet-110": {"side": 32, "channels": 3, "classes": 10},
    "a digit of 28×28": {"side": 28, "channels": 1, "classes": 10},
}
ANATOMY_LIMITS = {
    "side": {"min": 1, "max": 1024},
    "channels": {"min": 1, "max": 512},
    "classes": {"min": 1, "max": 100_000},
    "n": {"min": 1, "max": 200},
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
        "receptive-field", "Receptive-field builder",
        "Choose a layer in the table to change it, to remove it or to add one after it.",
        presets=presets, first="three 3×3 layers", task=task,
    )  # fmt: skip


def kernel_comparison() -> "HTML":
    """Return the explorer that compares one large kernel with a stack of 3×3 layers."""
    return explorer(
        "kernels", "One large kernel or several small ones",
        "Change the kernel, the channels, the groups and the side of the feature map.",
        presets=KERNEL_PRESETS, first="VGG's comparison", limits=KERNEL_LIMITS,
    )  # fmt: skip


def is_it_real() -> "HTML":
    """Return the explorer that says whether one accuracy is really higher than another."""
    most_seeds = REAL_LIMITS["seeds"]["max"]
    return explorer(
        "is-it-real", "Is it real? The difference of two accuracies",
        "Start from the accuracies of a report, or enter two others. Leave the agreement empty if it is not known.",
        presets=_comparisons(), first="Report B, MNIST: VGG-13 and VGG-16", limits=REAL_LIMITS,
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


def signal_and_gradient() -> "HTML":
    """Return the explorer of a deep network's responses and gradients at its initial weights."""
    units = int(SIGNAL_NETWORK["units"])
    stds = {"He": he_std(units, units, 1), "Glorot": glorot_std(units, units, 1), "VGG, variance 0.01": 0.1}
    start = {"batch": False, "shortcut": False, "gamma": 1, "seed": 1}
    return explorer(
        "signal", "Signal and gradient", "Change the network, its initial weights or the seed.",
        presets={name: {**start, **one} for name, one in SIGNAL_PRESETS.items()},
        first=next(iter(SIGNAL_PRESETS)), limits=SIGNAL_LIMITS, network=SIGNAL_NETWORK,
        initialisations={f"{rule}: σ = {round(std, 3)}": round(std, 3) for rule, std in stds.items()},
    )  # fmt: skip


def network_anatomy() -> "HTML":
    """Return the explorer that takes two networks apart, layer by layer."""
    start = {"head": "paper", "stem": "imagenet", "shortcut": "B", "stride": "1x1", "n": 3}
    large = {"side": 224, "channels": 3, "classes": 1000}
    presets = {
        title: {
            "image": ANATOMY_IMAGES.get(title, large),
            "left": {**start, **left},
            "right": {**start, **right},
            "shown": "multiplyAdds",
        }
        for title, (left, right) in ANATOMY_PRESETS.items()
    }
    tables = {
        "vgg": {name: layers for name, layers in CONFIGURATIONS.items() if "LRN" not in layers},
        "heads": HEADS,
        "imagenet": IMAGENET,
        "imagenetWidths": IMAGENET_WIDTHS,
        "cifarWidths": CIFAR_WIDTHS,
        "blocks": BLOCKS,
        "stems": STEMS,
    }
    return explorer(
        "anatomy", "Anatomy of a network", "Choose two networks and an image.", presets=presets,
        first=next(iter(presets)), limits=ANATOMY_LIMITS, tables=tables,
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


def explorer(name: str, title: str, instructions: str, *, static: str = "", **data: Any) -> "HTML":
    """Return the place of an explorer in a page, with its data.

    Args:
        name: What its script calls itself.
        title: What it is, for those who cannot see it.
        instructions: How to use it. Without JavaScript and in print they are left out.
        static: HTML that is shown only without JavaScript and in print.
        **data: What its script needs, as JSON.
    """
    from IPython.display import HTML

    content = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")  # nothing ends the script early
    return HTML(
        f'<section class="explorer" id="explorer-{name}" data-explorer="{name}" aria-label="{title}">'
        f'<p class="explorer-off">{title}: this interactive part of the page needs JavaScript and a screen.</p>'
        f'{static}<p class="explorer-help">{instructions} Press Escape to start again.</p>'
        f'<script type="application/json">{content}</script></section>'
    )
