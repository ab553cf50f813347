"""The answers that students of lab 2 really give."""

import re
from copy import deepcopy
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


def with_replicated_borders(network: Any) -> nn.Module:
    return nn.Sequential(
        *(
            nn.Conv2d(
                layer.in_channels,
                layer.out_channels,
                layer.kernel_size[0],
                padding=layer.kernel_size[0] // 2,
                padding_mode="replicate",
            )
            if isinstance(layer, nn.Conv2d)
            else layer
            for layer in network
        )
    )


def normalised(network: Any) -> nn.Module:
    layers: list[nn.Module] = []
    for layer in network:
        layers.append(layer)
        if isinstance(layer, nn.Conv2d):
            layers.append(nn.BatchNorm2d(layer.out_channels))
    return nn.Sequential(*layers)


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


def costs(
    layers: Any,
    side: Any,
    *,
    bias: int = 1,
    halve: Any = lambda side: side // 2,
    window: Any = lambda k, c: k * k * c,
    flat: Any = lambda c, side: c * side * side,
) -> list[Any]:
    """Return (outputs, parameters, multiply-adds) of each layer, with what is often wrong left open."""
    c, found, seen = 3, [], 0
    for kind, *sizes in layers:
        if kind == "conv":
            k, wide = sizes
            weights = window(k, c) * wide
            c = wide
            found.append((c * side * side, weights + bias * c, weights * side * side))
        elif kind == "pool":
            side = halve(side)
            found.append((c * side * side, 0, 0))
        else:
            weights = (seen or flat(c, side)) * sizes[0]
            seen = sizes[0]
            found.append((seen, weights + bias * seen, weights))
    return found


def costs_of_a_network(layers: Any, side: Any) -> Any:
    """Let PyTorch make the layers, and look at what comes out."""
    x = torch.empty(1, 3, side, side, device="meta")
    rows = []
    for kind, *sizes in layers:
        if kind == "pool":
            x = nn.functional.max_pool2d(x, 2)
            rows.append([x.numel(), 0, 0])
            continue
        if kind == "conv":
            layer: Any = nn.Conv2d(x.shape[1], sizes[1], sizes[0], padding=sizes[0] // 2, device="meta")
        else:
            x = x.flatten(1)
            layer = nn.Linear(x.shape[1], sizes[0], device="meta")
        x = layer(x)
        rows.append(
            [x.numel(), sum(p.numel() for p in layer.parameters()), x.numel() * layer.weight[0].numel()]
        )
    return torch.tensor(rows)


def change(rule: Any) -> Any:
    """Return costs, each changed by a rule (kind, outputs, parameters, multiply-adds) -> costs."""
    return lambda layers, side: [
        rule(layer[0], *cost) for layer, cost in zip(layers, costs(layers, side), strict=True)
    ]


def memory(
    layers: Any, side: Any, batch: Any, size: Any = 4, copies: int = 3, skip: str = ""
) -> tuple[Any, Any]:
    rows = [(layer[0], *cost) for layer, cost in zip(layers, costs(layers, side), strict=True)]
    kept = sum(row[1] for row in rows if row[0] != skip) + (skip != "image") * 3 * side * side
    return size * batch * kept, size * copies * sum(row[2] for row in rows)


def memory_in_a_loop(layers: Any, side: Any, batch: Any) -> list[Any]:
    activations, weights = batch * 3 * side**2, 0
    for outputs, parameters, _ in costs(layers, side):
        activations += batch * outputs
        weights += parameters
    return [torch.tensor(activations * 4), weights * 12]


def dense(
    head: Any,
    channels: Any,
    side: Any,
    *,
    copy: Any = ("weight", "bias"),
    keep: Any = nn.Module,
    **options: Any,
) -> nn.Sequential:
    """Turn linear layers into convolutions, but for what is not copied or not kept."""
    layers: list[nn.Module] = []
    for layer in head:
        if isinstance(layer, nn.Linear):
            conv = nn.Conv2d(channels, layer.out_features, side, **options)
            state = {"weight": layer.weight.data.view_as(conv.weight), "bias": layer.bias.data}
            conv.load_state_dict({name: state[name] for name in copy}, strict=False)
            layers.append(conv)
            channels, side = layer.out_features, 1
        elif isinstance(layer, keep) and not isinstance(layer, nn.Flatten):
            layers.append(layer)
    return nn.Sequential(*layers)


class DenseByHand(nn.Module):
    """The same scores by unfolding windows."""

    def __init__(self, head: Any, channels: Any, side: Any) -> None:
        super().__init__()
        self.head, self.side = deepcopy(head), side

    def forward(self, maps: Any) -> Any:
        h, w = maps.shape[2:]
        s = self.side
        rows = [
            torch.stack([self.head(maps[:, :, i : i + s, j : j + s]) for j in range(w - s + 1)], dim=-1)
            for i in range(h - s + 1)
        ]
        return torch.stack(rows, dim=-2)


def rearranged(order: Any) -> Any:
    """Return dense heads whose first kernels are (units, C, side, side) as `order` makes them."""

    def make(head: Any, channels: Any, side: Any) -> nn.Sequential:
        network = dense(head, channels, side)
        weight = next(layer.weight for layer in head if isinstance(layer, nn.Linear))
        network[0].weight.data = order(weight.data, channels, side).contiguous()
        return network

    return make


def shares_the_weights(head: Any, channels: Any, side: Any) -> nn.Sequential:
    network = dense(head, channels, side)
    network[0].weight.data = head[1].weight.data.view_as(network[0].weight)
    return network


def empties_the_head(head: Any, channels: Any, side: Any) -> nn.Sequential:
    network = dense(head, channels, side)
    del head[0]
    return network


def spoils_the_head(head: Any, channels: Any, side: Any) -> nn.Sequential:
    network = dense(head, channels, side)
    head[1].weight.data.zero_()
    return network


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
    ("layer_costs", costs),
    ("layer_costs", costs_of_a_network),
    ("training_memory", memory),
    ("training_memory", memory_in_a_loop),
    ("convolutional_head", dense),
    ("convolutional_head", DenseByHand),
    ("convolutional_head", partial(dense, keep=nn.ReLU)),
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
    (
        "parse_configuration",
        "counter-example",
        lambda text: [sorted(block, key=lambda word: word == "LRN") for block in parse(text)],
    ),
    ("parse_configuration", "kind", [[(3, 64)]]),
    ("parse_configuration", "counter-example", lambda text: text),
    ("parse_configuration", "kind", lambda text: Flatterer("right")),
    ("parse_configuration", "kind", lambda text: [Flatterer("right") for _ in text.split("|")]),
    ("make_features", "bias", lambda blocks: features(blocks, "bias")),
    ("make_features", "border", lambda blocks: with_replicated_borders(features(blocks))),
    ("make_features", "batch normalisation", lambda blocks: normalised(features(blocks))),
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
    ("make_features", "changes inputs", features_of_easier_blocks),
    ("make_features", "kind", lambda blocks: Flattering(*features(blocks, "ReLU").children())),
    ("make_features", "changes inputs", lambda blocks: (features(blocks), blocks.reverse())[0]),
    ("make_features", "kind", lambda blocks: list(features(blocks).children())),
    ("make_features", "counter-example", lambda blocks: features(blocks, padding=lambda kernel: kernel)),
    ("layer_costs", "no biases", partial(costs, bias=0)),
    (
        "layer_costs",
        "biases multiplied",
        change(lambda kind, o, p, m: (o, p, m + o if kind != "pool" else m)),
    ),
    ("layer_costs", "twice", change(lambda kind, o, p, m: (o, p, 2 * m))),
    (
        "layer_costs",
        "one position",
        lambda layers, side: [
            (o, p, p - layer[-1] if p else 0)
            for layer, (o, p, m) in zip(layers, costs(layers, side), strict=True)
        ],
    ),
    (
        "layer_costs",
        "one row",
        lambda layers, side: [
            (o, p, m // round((o / layer[2]) ** 0.5) if layer[0] == "conv" else m)
            for layer, (o, p, m) in zip(layers, costs(layers, side), strict=True)
        ],
    ),
    ("layer_costs", "kernel once", partial(costs, window=lambda k, c: k * c)),
    ("layer_costs", "channels once", partial(costs, window=lambda k, c: k * k)),
    ("layer_costs", "channels kept", partial(costs, window=lambda k, c: 3 * k * k)),
    ("layer_costs", "no pools", partial(costs, halve=lambda side: side)),
    ("layer_costs", "rounded up", partial(costs, halve=lambda side: -(-side // 2))),
    ("layer_costs", "not rounded", partial(costs, halve=lambda side: side / 2)),
    ("layer_costs", "one pixel", partial(costs, flat=lambda c, side: c)),
    ("layer_costs", "side once", partial(costs, flat=lambda c, side: c * side)),
    (
        "layer_costs",
        "pools left out",
        lambda layers, side: [cost for cost in costs(layers, side) if cost[1]],
    ),
    (
        "layer_costs",
        "pools without outputs",
        change(lambda kind, *cost: (0, 0, 0) if kind == "pool" else cost),
    ),
    (
        "layer_costs",
        "outputs are channels",
        lambda layers, side: [
            (layer[2] if layer[0] == "conv" else cost[0], *cost[1:])
            for layer, cost in zip(layers, costs(layers, side), strict=True)
        ],
    ),
    (
        "layer_costs",
        "flat every time",
        lambda layers, side: [
            costs([*(other for other in layers if other[0] != "linear"), layer], side)[-1]
            if layer[0] == "linear"
            else cost
            for layer, cost in zip(layers, costs(layers, side), strict=True)
        ],
    ),
    ("layer_costs", "order", change(lambda kind, o, p, m: (p, m, o))),
    (
        "layer_costs",
        "totals",
        lambda *call: [tuple(sum(column) for column in zip(*costs(*call), strict=True))],
    ),
    ("layer_costs", "kind", change(lambda kind, o, p, m: (p, m))),
    ("layer_costs", "kind", lambda *call: 138_357_544),
    ("layer_costs", "counter-example", lambda *call: costs(*call)[:-1]),
    ("layer_costs", "counter-example", change(lambda kind, o, p, m: (o, p, 0))),
    ("training_memory", "numbers", partial(memory, size=1)),
    ("training_memory", "other bytes", partial(memory, size=8)),
    ("training_memory", "other unit", partial(memory, size=4 / 2**20)),
    ("training_memory", "one image", lambda layers, side, batch: memory(layers, side, 1)),
    (
        "training_memory",
        "parameters per image",
        lambda layers, side, batch: [batch * number for number in memory(layers, side, 1)],
    ),
    ("training_memory", "no images", partial(memory, skip="image")),
    (
        "training_memory",
        "images only once",
        lambda layers, side, batch: (
            4 * (3 * side * side + batch * sum(cost[0] for cost in costs(layers, side))),
            memory(layers, side, batch)[1],
        ),
    ),
    ("training_memory", "no pools", partial(memory, skip="pool")),
    ("training_memory", "no linear layers", partial(memory, skip="linear")),
    (
        "training_memory",
        "last output",
        lambda layers, side, batch: (
            4 * batch * (3 * side * side + costs(layers, side)[-1][0]),
            memory(layers, side, batch)[1],
        ),
    ),
    ("training_memory", "parameters once", partial(memory, copies=1)),
    ("training_memory", "parameters twice", partial(memory, copies=2)),
    ("training_memory", "exchanged", lambda *call: memory(*call)[::-1]),
    ("training_memory", "kind", lambda *call: sum(memory(*call))),
    ("training_memory", "counter-example", lambda *call: (memory(*call)[0] + 4, memory(*call)[1])),
    ("convolutional_head", "weights not copied", partial(dense, copy=())),
    ("convolutional_head", "biases not copied", partial(dense, copy=("weight",))),
    ("convolutional_head", "no biases", partial(dense, copy=("weight",), bias=False)),
    (
        "convolutional_head",
        "channels last",
        rearranged(lambda w, c, side: w.view(len(w), side, side, c).permute(0, 3, 1, 2)),
    ),
    ("convolutional_head", "transposed", rearranged(lambda w, c, side: w.view(-1, c, side, side).mT)),
    ("convolutional_head", "padded", lambda h, c, side: dense(h, c, side, padding=side // 2)),
    ("convolutional_head", "stride", lambda h, c, side: dense(h, c, side, stride=side)),
    ("convolutional_head", "no ReLU", partial(dense, keep=nn.Dropout)),
    (
        "convolutional_head",
        "mean",
        lambda *call: nn.Sequential(dense(*call), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    ),
    ("convolutional_head", "kind", lambda head, channels, side: head),
    ("convolutional_head", "kind", shares_the_weights),
    ("convolutional_head", "kind", spoils_the_head),
    ("convolutional_head", "kind", empties_the_head),
    ("layer_costs", "counter-example", lambda layers, side: []),
    ("convolutional_head", "kind", lambda head, channels, side: list(head)),
    ("convolutional_head", "probabilities", lambda *call: nn.Sequential(*dense(*call), nn.Softmax(dim=1))),
    ("convolutional_head", "counter-example", lambda *call: nn.Sequential(*dense(*call), nn.Tanh())),
    ("convolutional_head", "exception", lambda head: head),
]


def crops_of(image: Any, side: int, stride: int) -> Any:
    """Return all crops (N, C, side, side) by unfolding."""
    windows = image.unfold(1, side, stride).unfold(2, side, stride)  # (C, rows, columns, side, side)
    return windows.permute(1, 2, 0, 3, 4).reshape(-1, image.shape[0], side, side)


def over_crops(combine: Any) -> Any:
    return lambda network, image, side, stride: combine(network(crops_of(image, side, stride)).detach())


def one_by_one(network: Any, image: Any, side: int, stride: int) -> Any:
    found = []
    for top in range(0, image.shape[-2] - side + 1, stride):
        for left in range(0, image.shape[-1] - side + 1, stride):
            crop = image[:, top : top + side, left : left + side].unsqueeze(0)
            found.append(torch.nn.functional.softmax(network(crop), dim=-1).squeeze(0))
    return sum(found) / len(found)


def normalises_the_image(network: Any, image: Any, side: int, stride: int) -> Any:
    image -= image.mean()
    return one_by_one(network, image, side, stride)


def as_high_as_wide(network: Any, image: Any, side: int, stride: int) -> Any:
    places = range(0, image.shape[1] - side + 1, stride)
    crops = [image[:, top : top + side, left : left + side] for top in places for left in places]
    return network(torch.stack(crops)).softmax(1).mean(0)


def up_to_the_edge(network: Any, image: Any, side: int, stride: int) -> Any:
    rows, columns = ([*range(0, size - side, stride), size - side] for size in image.shape[1:])
    crops = [image[:, top : top + side, left : left + side] for top in rows for left in columns]
    return network(torch.stack(crops)).softmax(1).mean(0)


def on_the_diagonal(network: Any, image: Any, side: int, stride: int) -> Any:
    places = range(0, min(image.shape[1:]) - side + 1, stride)
    found = [network(image[None, :, n : n + side, n : n + side]).softmax(1)[0] for n in places]
    return torch.stack(found).mean(0)


RIGHT += [
    ("multi_crop", one_by_one),
    ("multi_crop", over_crops(lambda logits: logits.softmax(1).mean(0))),
    ("multi_crop", over_crops(lambda logits: logits.double().softmax(1).mean(0))),
]
WRONG += [
    ("multi_crop", "softmax of the mean", over_crops(lambda logits: logits.mean(0).softmax(0))),
    ("multi_crop", "logits", over_crops(lambda logits: logits.mean(0))),
    ("multi_crop", "sum", over_crops(lambda logits: logits.softmax(1).sum(0))),
    ("multi_crop", "maximum", over_crops(lambda logits: logits.softmax(1).amax(0))),
    ("multi_crop", "over crops", over_crops(lambda logits: logits.softmax(0).mean(0))),
    ("multi_crop", "no overlap", lambda network, image, side, stride: one_by_one(network, image, side, side)),
    ("multi_crop", "stride of one", lambda network, image, side, stride: one_by_one(network, image, side, 1)),
    ("multi_crop", "counter-example", over_crops(lambda logits: logits.softmax(1).mean(0, keepdim=True))),
    (
        "multi_crop",
        "counter-example",
        lambda network, image, side, stride: one_by_one(network, image[:, :side], side, stride),
    ),
    ("multi_crop", "exception", lambda network, image, side, stride: network(image[None]).softmax(1)[0]),
    ("multi_crop", "kind", lambda *call: one_by_one(*call).tolist()),
    ("multi_crop", "kind", lambda *call: None),
    ("multi_crop", "changes inputs", normalises_the_image),
    ("multi_crop", "kind", 3),
    ("multi_crop", "geometric mean", over_crops(lambda logits: logits.log_softmax(1).mean(0).exp())),
    ("multi_crop", "square image", as_high_as_wide),
    ("multi_crop", "over the edge", up_to_the_edge),
    ("multi_crop", "diagonal", on_the_diagonal),
]
