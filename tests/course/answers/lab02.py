"""The answers that students of lab 2 really give."""

import math
import re
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from deepernets.models.layers import local_response_norm


def parse(
    text: Any, pair: Any = lambda kernel, channels: (kernel, channels), lrn: bool = True
) -> list[list[Any]]:
    """Read a configuration, with what is made of each convolution left open."""
    blocks: list[list[Any]] = []
    for block in text.split("|"):
        blocks.append([])
        for word in block.split():
            if word == "LRN":
                blocks[-1] += ["LRN"] if lrn else []
            else:
                kernel, channels = word.removeprefix("conv").split("-")
                blocks[-1].append(pair(int(kernel), int(channels)))
    return blocks


def parse_with_patterns(text: Any) -> list[list[Any]]:
    words = [part.split() for part in re.split(r"\|", text)]
    return [[tuple(map(int, re.findall(r"\d+", word))) or word for word in block] for block in words]


def features(
    blocks: Any, lose: str = "", padding: Any = lambda kernel: kernel // 2, pool: Any = nn.MaxPool2d
) -> nn.Sequential:
    """Make the layers, but for what is to be lost."""
    layers: list[nn.Module] = []
    before = 3
    for number, block in enumerate(blocks):
        for word in block:
            if word == "LRN":
                if lose == "order":
                    layers.insert(-1, local_response_norm())
                elif lose != "LRN":
                    layers.append(local_response_norm())
                continue
            kernel, channels = word
            layers.append(nn.Conv2d(before, channels, kernel, padding=padding(kernel), bias=lose != "bias"))
            if lose != "ReLU":
                layers.append(nn.ReLU(inplace=True))
            before = 3 if lose == "channels" else channels
        if not (lose == "last pool" and number == len(blocks) - 1):
            layers.append(pool(2, 2))
    return nn.Sequential(*layers)


def with_own_lrn(network: Any) -> nn.Module:
    return nn.Sequential(
        *(nn.LocalResponseNorm(5) if isinstance(layer, nn.LocalResponseNorm) else layer for layer in network)
    )


class Written(nn.Module):
    """The same maps by another road: a module list and a loop."""

    def __init__(self, blocks: Any) -> None:
        super().__init__()
        self.plan = blocks
        widths = [3] + [word[1] for block in blocks for word in block if word != "LRN"]
        kernels = [word[0] for block in blocks for word in block if word != "LRN"]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, k, padding="same") for a, b, k in zip(widths, widths[1:], kernels, strict=False)
        )

    def forward(self, x: Any) -> Any:
        convolutions = iter(self.convolutions)
        for block in self.plan:
            for word in block:
                x = local_response_norm()(x) if word == "LRN" else next(convolutions)(x).clamp(min=0)
            x = nn.functional.max_pool2d(x, 2)
        return x


def features_of_easier_blocks(blocks: Any) -> nn.Module:
    """Change the question, then answer that."""
    blocks[:] = [[(1, 1)]]
    return features(blocks)


class Flatterer(str):
    """A word that equals everything, and stays what it is."""

    def __str__(self) -> str:
        return self

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = str.__hash__


class FlatteringTensor(torch.Tensor):
    """A tensor that is close to everything."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func is torch.allclose or super().__torch_function__(func, types, args, kwargs or {})


class Flattering(nn.Sequential):
    """A network whose maps say that they are right."""

    def forward(self, x: Any) -> Any:
        return super().forward(x).as_subclass(FlatteringTensor)


def count(module: Any) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def linear(network: Any) -> list[Any]:
    return [layer for layer in network.modules() if isinstance(layer, nn.Linear)]


def outermost(network: Any) -> list[Any]:
    return [layer for layer in network.children() if isinstance(layer, nn.Linear)]


def weights(network: Any) -> int:
    return sum(layer.weight.numel() for layer in linear(network))


def biases(network: Any) -> int:
    return sum(p.numel() for name, p in network.named_parameters() if "bias" in name)


def share(network: Any) -> float:
    return sum(map(count, linear(network))) / count(network)


def share_by_names(network: Any) -> float:
    named = [(name.rpartition(".")[0], parameter) for name, parameter in network.named_parameters()]
    matrices = {layer for layer, parameter in named if parameter.dim() == 2}
    return sum(parameter.numel() for layer, parameter in named if layer in matrices) / count(network)


def sides(side: Any, windows: Any, step: Any = lambda side, window: (side - window) // 2 + 1) -> list[Any]:
    after = []
    for window in windows:
        side = step(side, window)
        after.append(side)
    return after


def sides_by_counting(side: Any, windows: Any) -> tuple[int, ...]:
    after: list[int] = []
    for window in windows:
        side = sum(1 for start in range(0, side, 2) if start + window <= side)
        after.append(side)
    return tuple(after)


FIRST = 7 * 7 * 512 * 4096 + 4096

RIGHT: list[tuple[str, Any]] = [
    ("parse_configuration", parse),
    ("parse_configuration", parse_with_patterns),
    (
        "parse_configuration",
        lambda text: [[list(word) if word != "LRN" else word for word in b] for b in parse(text)],
    ),
    (
        "parse_configuration",
        lambda text: tuple(map(tuple, parse(text, lambda k, c: (np.int64(k), np.int64(c))))),
    ),
    ("make_features", features),
    ("make_features", lambda blocks: nn.Sequential(features(blocks)[:2], features(blocks)[2:]).eval()),
    ("make_features", Written),
    ("first_connected", FIRST),
    ("first_connected", count(nn.Linear(25088, 4096, device="meta"))),
    ("connected_share", share),
    ("connected_share", share_by_names),
    ("connected_share", lambda network: torch.tensor(share(network), dtype=torch.float64)),
    ("map_sides", lambda n, ws: torch.tensor(sides(n, ws))),
    ("map_sides", lambda n, ws: np.array(sides(n, ws, lambda s, w: np.floor((s - w) / 2 + 1)))),
    ("map_sides", sides),
    ("map_sides", sides_by_counting),
]
WRONG: list[tuple[str, str, Any]] = [
    ("parse_configuration", "swapped", lambda text: parse(text, lambda k, c: (c, k))),
    ("parse_configuration", "strings", lambda text: parse(text, lambda k, c: (str(k), str(c)))),
    ("parse_configuration", "flat", lambda text: [word for block in parse(text) for word in block]),
    ("parse_configuration", "no LRN", lambda text: parse(text, lrn=False)),
    ("parse_configuration", "always three", lambda text: parse(text, lambda k, c: (3, c))),
    ("parse_configuration", "channels alone", lambda text: parse(text, lambda k, c: c)),
    ("parse_configuration", "counter-example", lambda text: parse(text, lambda k, c: (k, int(str(c)[0])))),
    ("parse_configuration", "counter-example", lambda text: parse(text, lambda k, c: (int(str(k)[0]), c))),
    ("parse_configuration", "kind", lambda text: parse(text, lambda k, c: (float(k), float(c)))),
    ("parse_configuration", "words", lambda text: [block.split() for block in text.split("|")]),
    ("parse_configuration", "last block lost", lambda text: parse(text)[:-1]),
    ("parse_configuration", "kind", [[(3, 64)]]),
    ("parse_configuration", "counter-example", lambda text: text),
    ("parse_configuration", "kind", lambda text: Flatterer("right")),
    ("parse_configuration", "kind", lambda text: [Flatterer("right") for _ in text.split("|")]),
    ("make_features", "bias", lambda blocks: features(blocks, "bias")),
    ("make_features", "channels", lambda blocks: features(blocks, "channels")),
    ("make_features", "padding", lambda blocks: features(blocks, padding=lambda kernel: 0)),
    (
        "make_features",
        "counter-example",
        lambda blocks: features(blocks, pool=lambda w, s: nn.MaxPool2d(9, 9)),
    ),
    ("make_features", "counter-example", lambda blocks: features(blocks).append(nn.Dropout())),
    ("make_features", "kind", lambda blocks: features(blocks).double()),
    ("make_features", "own LRN", lambda blocks: with_own_lrn(features(blocks))),
    ("make_features", "last pool", lambda blocks: features(blocks, "last pool")),
    ("make_features", "LRN", lambda blocks: features(blocks, "LRN")),
    ("make_features", "LRN before ReLU", lambda blocks: features(blocks, "order")),
    ("make_features", "ReLU", lambda blocks: features(blocks, "ReLU")),
    ("make_features", "mean", lambda blocks: features(blocks, pool=nn.AvgPool2d)),
    (
        "make_features",
        "rounded up",
        lambda blocks: features(blocks, pool=partial(nn.MaxPool2d, ceil_mode=True)),
    ),
    ("make_features", "kind", "conv3-64"),
    ("make_features", "counter-example", features_of_easier_blocks),
    ("make_features", "kind", lambda blocks: Flattering(*features(blocks, "ReLU").children())),
    ("make_features", "kind", lambda blocks: list(features(blocks).children())),
    ("make_features", "counter-example", lambda blocks: features(blocks, padding=lambda kernel: kernel)),
    ("first_connected", "no biases", FIRST - 4096),
    ("first_connected", "one pixel", 512 * 4096 + 4096),
    ("first_connected", "pool missing", 14 * 14 * 512 * 4096 + 4096),
    ("first_connected", "second layer", 4096 * 4096 + 4096),
    ("first_connected", "convolution", 7 * 7 * 512 * 512 + 512),
    ("first_connected", "side once", 7 * 512 * 4096 + 4096),
    ("first_connected", "kind", "a lot"),
    ("first_connected", "other", FIRST + 1),
    ("connected_share", "children", lambda network: sum(map(count, outermost(network))) / count(network)),
    (
        "connected_share",
        "counted twice",
        lambda network: sum(map(count, linear(network))) / sum(map(count, network.modules())),
    ),
    ("connected_share", "percent", lambda network: 100 * share(network)),
    ("connected_share", "the rest", lambda network: 1 - share(network)),
    ("connected_share", "ratio", lambda network: share(network) / (1 - share(network))),
    ("connected_share", "first alone", lambda network: count(linear(network)[0]) / count(network)),
    ("connected_share", "last alone", lambda network: count(linear(network)[-1]) / count(network)),
    (
        "connected_share",
        "counter-example",
        lambda network: len(linear(network)) / len(list(network.children())),
    ),
    ("connected_share", "count", lambda network: share(network) * count(network)),
    ("connected_share", "weights alone", lambda network: weights(network) / count(network)),
    ("connected_share", "no biases", lambda network: weights(network) / (count(network) - biases(network))),
    ("connected_share", "kind", 0.74),
    ("connected_share", "kind", lambda network: "74 %"),
    ("connected_share", "counter-example", lambda network: 0.123),
    ("map_sides", "cut", lambda n, ws: sides(n, ws, lambda s, w: int((s - w) / 2) + 1)),
    ("map_sides", "not chained", lambda n, ws: [(n - w) // 2 + 1 for w in ws]),
    ("map_sides", "kind", lambda n, ws: iter(sides(n, ws))),
    ("map_sides", "rounded up", lambda n, ws: sides(n, ws, lambda s, w: math.ceil((s - w) / 2) + 1)),
    ("map_sides", "not rounded", lambda n, ws: sides(n, ws, lambda s, w: (s - w) / 2 + 1)),
    ("map_sides", "halved", lambda n, ws: sides(n, ws, lambda s, w: s / 2)),
    ("map_sides", "window left out", lambda n, ws: sides(n, ws, lambda s, w: s // 2)),
    ("map_sides", "stride is the window", lambda n, ws: sides(n, ws, lambda s, w: (s - w) // w + 1)),
    ("map_sides", "no plus one", lambda n, ws: sides(n, ws, lambda s, w: (s - w) // 2)),
    ("map_sides", "starts with the image", lambda n, ws: [n, *sides(n, ws)]),
    ("map_sides", "backwards", lambda n, ws: sides(n, ws)[::-1]),
    ("map_sides", "kind", [14, 7, 3, 1, 0]),
    ("map_sides", "kind", lambda n, ws: sides(n, ws)[-1]),
    ("map_sides", "counter-example", lambda n, ws: [1] * len(ws)),
]
