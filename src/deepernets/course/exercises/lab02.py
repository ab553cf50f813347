"""Exercises of lab 2: build VGG from its table."""

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from functools import partial
from itertools import islice, pairwise
from math import isqrt
from operator import itemgetter
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deepernets.course.exercises.judging import FunctionExercise, Mistake, Symptom
from deepernets.course.exercises.values import (
    LONGEST_LIST,
    Raised,
    Unsuitable,
    attempt,
    describe,
    kind_of,
    named,
    network,
    normal,
    numbers,
    run_network,
    tensor,
)
from deepernets.models.layers import local_response_norm

Blocks = list[list[Any]]  # each entry a pair (kernel, channels), or "LRN"


def _read_blocks(value: Any, depth: int = 3) -> Any:
    """Return nested lists and tuples of integers and words; `depth` ends a list that contains itself."""
    if depth and isinstance(value, list | tuple):
        entries = [_read_blocks(entry, depth - 1) for entry in value]
        return tuple(entries) if isinstance(value, tuple) else entries
    if type(value) in (str, int):
        return value
    if type(value) is np.int64:
        return int(value)
    expected = 'Expected blocks, each a list of pairs of integers and the word "LRN"'
    raise Unsuitable(f"{expected}; found {kind_of(value)}.")


def _configurations(draw: Random) -> list[tuple[str]]:
    one, two, three = draw.randint(4, 9), draw.randint(11, 99), draw.randint(101, 999)
    return [
        (f"conv3-{one}",),
        (f"conv3-{three} LRN | conv1-{two}",),
        (f"conv5-{two} conv1-{one} | conv3-{three} LRN conv3-{three} LRN | conv11-1024",),
    ]


def _parse(
    configuration: str, pair: Callable[[str, str], Any] = lambda k, c: (int(k), int(c)), lrn: bool = True
) -> Blocks:
    """Read a configuration; `pair` makes an entry of a convolution's kernel and channels, given as text."""
    blocks = [[word for word in block.split() if lrn or word != "LRN"] for block in configuration.split("|")]
    return [
        [word if word == "LRN" else pair(*word.removeprefix("conv").split("-")) for word in block]
        for block in blocks
    ]


def _with(pair: Callable[[str, str], Any]) -> Callable[[str], Blocks]:
    return partial(_parse, pair=pair)


PARSE_CONFIGURATION = FunctionExercise(
    "parse_configuration(configuration)",
    returns=_read_blocks,
    reference=_parse,
    inputs=_configurations,
    mistakes=[
        Mistake("swapped", _with(lambda k, c: (int(c), int(k))), "In conv3-64 the kernel has a side of 3."),
        Mistake(
            "strings", _with(lambda k, c: (k, c)), "The numbers are still text: convert them with int()."
        ),
        Mistake(
            "flat",
            lambda text: [word for block in _parse(text) for word in block],
            "The layers are right, but all in one list. Each block is a list of its own.",
        ),
        Mistake("no LRN", partial(_parse, lrn=False), 'LRN is lost: keep the word "LRN" in its place.'),
        Mistake(
            "always three",
            _with(lambda k, c: (3, int(c))),
            "Not every kernel has a side of 3: C has conv1 as well.",
        ),
        Mistake(
            "channels alone", _with(lambda k, c: int(c)), "Each convolution is a pair (kernel, channels)."
        ),
        Mistake(
            "words",
            lambda text: [block.split() for block in text.split("|")],
            "Those are words. Take each conv<kernel>-<channels> apart into a pair of numbers.",
        ),
        Mistake(
            "last block lost", lambda text: _parse(text)[:-1], "The last block is lost: no | follows it."
        ),
    ],
)


def _convolution(c_in: int, kernel: int, c_out: int, **options: Any) -> list[nn.Module]:
    return [nn.Conv2d(c_in, c_out, kernel, **{"padding": kernel // 2} | options), nn.ReLU()]


def _features(
    blocks: Blocks,
    convolution: Callable[[int, int, int], list[nn.Module]] = _convolution,
    pool: Callable[[], nn.Module] = lambda: nn.MaxPool2d(2),
    norm: Callable[[], nn.Module] = local_response_norm,
    norm_first: bool = False,
) -> nn.Sequential:
    """Build the layers of a configuration; with `norm_first` each LRN comes before its ReLU."""
    layers: list[nn.Module] = []
    channels = 3
    for block in blocks:
        for word in block:
            if word == "LRN":
                layers.insert(len(layers) - norm_first, norm())
            else:
                layers += convolution(channels, *word)
                channels = word[1]
        layers.append(pool())
    return nn.Sequential(*layers)


def _some_blocks(draw: Random) -> list[tuple[Blocks, int]]:
    a, b, c, d = draw.sample(range(4, 9), 4)
    plans: list[Blocks] = [
        [[(3, a)]],
        [[(3, a), "LRN"], [(1, b), (3, b)]],
        [[(5, a), (1, b), "LRN"], [(3, c)], [(1, c), (3, d)]],
    ]
    return [(blocks, draw.getrandbits(16)) for blocks in plans]


LAYERS = network("an nn.Sequential of the layers")


def _run_features(function: Callable[[Blocks], Any], blocks: Blocks, seed: int) -> dict[str, Any]:
    draw = Random(seed)
    images = normal(draw, 2, 3, 10, 14)  # 10 is halved to 5, and 14 to 7: rounding shows
    return run_network(LAYERS(function(blocks)), images, draw, train=True)


def _by_convolution(**options: Any) -> Callable[[Blocks], nn.Sequential]:
    return partial(_features, convolution=partial(_convolution, **options))


MAKE_FEATURES = FunctionExercise(
    "make_features(blocks)",
    returns=LAYERS,
    reference=_features,
    inputs=_some_blocks,
    observe=_run_features,
    shown=lambda blocks, seed: repr(blocks),
    tolerance=1e-3,  # of sums of large numbers
    keeps_inputs=True,
    tries=1,
    mistakes=[
        Mistake("bias", _by_convolution(bias=False), "VGG's convolutions have one bias per channel."),
        Mistake(
            "channels",
            partial(_features, convolution=lambda before, k, c: _convolution(3, k, c)),
            "All convolutions take 3 channels. What does the one before give?",
        ),
        Mistake(
            "padding",
            _by_convolution(padding=0),
            "The maps shrink at each convolution: which padding keeps the size?",
        ),
        Mistake(
            "border",
            [_by_convolution(padding_mode=mode) for mode in ("replicate", "reflect", "circular")],
            "The border must be zeros, not a continuation of the map.",
        ),
        Mistake(
            "batch normalisation",
            partial(
                _features,
                convolution=lambda *word: [*_convolution(*word)[:1], nn.BatchNorm2d(word[2]), nn.ReLU()],
            ),
            "The networks of the table have no batch normalisation: it is younger than they are.",
        ),
        Mistake(
            "last pool", lambda blocks: _features(blocks)[:-1], "A max-pool follows the last block, too."
        ),
        Mistake(
            "LRN", partial(_features, norm=nn.Identity), 'Put local_response_norm() where the word "LRN" is.'
        ),
        Mistake("LRN before ReLU", partial(_features, norm_first=True), "LRN's place is after the ReLU."),
        Mistake(
            "own LRN",
            [partial(_features, norm=partial(nn.LocalResponseNorm, 5, k=k)) for k in (1.0, 2.0)],
            "Your LRN has other constants than the paper's. Use local_response_norm().",
        ),
        Mistake(
            "ReLU",
            partial(_features, convolution=lambda *word: _convolution(*word)[:1]),
            "There is no ReLU. One follows every convolution, or the convolutions collapse into a single one.",
        ),
        Mistake(
            "mean", partial(_features, pool=lambda: nn.AvgPool2d(2)), "Your pools average. Take the maximum."
        ),
        Mistake(
            "rounded up",
            partial(_features, pool=lambda: nn.MaxPool2d(2, ceil_mode=True)),
            "Your pools round up where a side is odd. The paper's leave out what does not fill a window.",
        ),
        Mistake(
            "other pool",
            [
                partial(_features, pool=partial(nn.MaxPool2d, *sizes))
                for sizes in ((3, 2), (3, 2, 1), (2, 1), (3,))
            ],
            "The pools have a window of 2×2 and a stride of 2.",
        ),
    ],
)

Layers = list[tuple[Any, ...]]  # ("conv", kernel, channels), ("pool",) and ("linear", units)
Costs = list[tuple[Any, Any, Any]]  # of each layer: outputs, parameters, multiply-adds


def _costs(
    layers: Layers,
    side: int,
    *,
    window: Callable[[int, int], int] = lambda kernel, channels: kernel**2 * channels,
    bias: int = 1,
    halved: Callable[[int], Any] = lambda side: side // 2,
    flat: Callable[[int, Any], int] = lambda channels, side: channels * side**2,
) -> Costs:
    """Count the costs of each layer.

    Args:
        layers: The network.
        side: Of the images, which have 3 channels.
        window: Numbers of an input that one output of a convolution sees, from its kernel and the channels.
        bias: Per unit or output channel.
        halved: The side after a pool.
        flat: Numbers that the first linear layer sees.
    """
    channels, features, costs = 3, 0, []
    for kind, *sizes in layers:
        if kind == "conv":
            inputs, channels = window(sizes[0], channels), sizes[1]
            outputs = channels * side**2
            costs.append((outputs, channels * (inputs + bias), inputs * outputs))
        elif kind == "pool":
            side = halved(side)
            costs.append((channels * side**2, 0, 0))
        else:
            features, inputs = sizes[0], features or flat(channels, side)
            costs.append((features, features * (inputs + bias), inputs * features))
    return costs


def _changed(change: Callable[[str, int, int, int], tuple[int, int, int]]) -> Callable[[Layers, int], Costs]:
    """Return costs in which `change` replaces those of each layer; it takes the layer's kind as well."""
    return lambda layers, side: [
        change(layer[0], *cost) for layer, cost in zip(layers, _costs(layers, side), strict=True)
    ]


def _once(layers: Layers, side: int) -> Costs:
    """Count as if convolutions used each weight once."""
    return [
        (cost[0], cost[1], cost[1] - layer[2]) if layer[0] == "conv" else cost
        for layer, cost in zip(layers, _costs(layers, side), strict=True)
    ]


def _one_row(layers: Layers, side: int) -> Costs:
    """Count as if convolutions used each weight once per row of the feature map."""
    return [
        (cost[0], cost[1], cost[2] // isqrt(cost[0] // layer[2])) if layer[0] == "conv" else cost
        for layer, cost in zip(layers, _costs(layers, side), strict=True)
    ]


def _forgetful(layers: Layers, side: int) -> Costs:
    """Count as if every convolution took the 3 channels of an image."""
    costs = _costs(layers, side)
    for place, layer in enumerate(layers):
        if layer[0] == "conv":
            (_, parameters, _), outputs = _costs([layer], 1)[0], costs[place][0]
            costs[place] = (outputs, parameters, outputs * 3 * layer[1] ** 2)
    return costs


def _flat_every_time(layers: Layers, side: int) -> Costs:
    """Count as if every linear layer took the flattened feature maps."""
    body = [layer for layer in layers if layer[0] != "linear"]
    return [
        _costs([*body, layer], side)[-1] if layer[0] == "linear" else cost
        for layer, cost in zip(layers, _costs(layers, side), strict=True)
    ]


def _read_costs(value: Any) -> dict[str, list[float]]:
    """Return three lists of numbers, of a list with three numbers for each layer."""
    rows = attempt(lambda: list(islice(value, LONGEST_LIST)))
    if not isinstance(value, list | tuple | np.ndarray | Tensor) or not isinstance(rows, list):
        raise Unsuitable(f"Expected a list with three numbers for each layer; got {kind_of(value)}.")
    read = numbers("outputs, parameters and multiply-adds of each layer", 3)
    columns = list(zip(*map(read, rows), strict=True)) or [()] * 3
    return dict(zip(("outputs", "parameters", "multiply-adds"), map(list, columns), strict=True))


def _small_networks(draw: Random) -> list[tuple[Layers, int]]:
    a, b, c = draw.sample(range(4, 12), 3)
    return [
        ([("conv", 3, 2)], 4),
        ([("conv", 3, a), ("pool",), ("linear", b)], 10),
        (
            [
                ("conv", 5, a),
                ("conv", 1, b),
                ("pool",),
                ("conv", 3, c),
                ("pool",),
                ("linear", 20),
                ("linear", 7),
            ],
            14,
        ),
    ]


LAYER_COSTS = FunctionExercise(
    "layer_costs(layers, side)",
    returns=_read_costs,
    reference=_costs,
    inputs=_small_networks,
    mistakes=[
        Mistake(
            "no biases",
            partial(_costs, bias=0),
            "Your parameters are weights alone. Each output channel and each unit also has a bias.",
        ),
        Mistake(
            "biases multiplied",
            [
                _changed(lambda kind, o, p, m: (o, p, m + o if p else m)),
                _changed(lambda kind, o, p, m: (o, p, m + o if kind == "conv" else m)),
                _changed(lambda kind, o, p, m: (o, p, m + o if kind == "linear" else m)),
            ],
            "You count the bias as a multiply-add. Only products of a weight and an input count.",
        ),
        Mistake(
            "twice",
            _changed(lambda kind, o, p, m: (o, p, 2 * m)),
            "A multiplication and an addition are one multiply-add, not two.",
        ),
        Mistake(
            "one position",
            _once,
            "A convolution uses its weights at every position of the feature map, not once.",
        ),
        Mistake(
            "one row",
            _one_row,
            "A feature map has side² positions. You multiply by its side once.",
        ),
        Mistake(
            "kernel once",
            partial(_costs, window=lambda kernel, channels: kernel * channels),
            "A kernel is as wide as it is high: square its side.",
        ),
        Mistake(
            "channels once",
            partial(_costs, window=lambda kernel, channels: kernel**2),
            "Each output channel has a kernel for every input channel.",
        ),
        Mistake(
            "channels kept",
            _forgetful,
            "You count 3 input channels for every convolution. Each takes the channels of the one before.",
        ),
        Mistake(
            "no pools",
            partial(_costs, halved=lambda side: side),
            "The maps keep their size in your count. A pool halves their side.",
        ),
        Mistake(
            "rounded up",
            partial(_costs, halved=lambda side: (side + 1) // 2),
            "You round up at a pool. A window that fits only in part is left out.",
        ),
        Mistake(
            "not rounded",
            partial(_costs, halved=lambda side: side / 2),
            "There are no half pixels: round down.",
        ),
        Mistake(
            "one pixel",
            partial(_costs, flat=lambda channels, side: channels),
            "The first linear layer sees every position of the feature maps, not one number per channel.",
        ),
        Mistake(
            "side once",
            partial(_costs, flat=lambda channels, side: channels * side),
            "The maps are as high as they are wide. The first linear layer sees side² positions.",
        ),
        Mistake(
            "flat every time",
            _flat_every_time,
            "The second linear layer takes the units of the first, not the feature maps.",
        ),
        Mistake(
            "pools left out",
            lambda layers, side: [
                cost for layer, cost in zip(layers, _costs(layers, side), strict=True) if layer[0] != "pool"
            ],
            "Pools are missing. They have outputs, no parameters and no multiply-adds, and an entry of their own.",
        ),
        Mistake(
            "pools without outputs",
            _changed(lambda kind, *cost: (0, 0, 0) if kind == "pool" else cost),
            "A pool has no parameters, but it has outputs.",
        ),
        Mistake(
            "outputs are channels",
            lambda layers, side: [
                (layer[2], *cost[1:]) if layer[0] == "conv" else cost
                for layer, cost in zip(layers, _costs(layers, side), strict=True)
            ],
            "A convolution has `channels` outputs at every position of the feature map.",
        ),
        Mistake(
            "order",
            [
                _changed(lambda kind, o, p, m: (p, o, m)),
                _changed(lambda kind, o, p, m: (o, m, p)),
                _changed(lambda kind, o, p, m: (p, m, o)),
            ],
            "The numbers are right, but not their order: outputs, parameters, multiply-adds.",
        ),
        Mistake(
            "totals",
            lambda layers, side: [tuple(map(sum, zip(*_costs(layers, side), strict=True)))],
            "Those are totals. Return three numbers for each layer.",
        ),
    ],
)

BYTES = 4  # of a float32 number


def _total(outputs: list[tuple[str, int]]) -> int:
    return sum(size for _, size in outputs)


def _memory(
    layers: Layers,
    side: int,
    batch: int,
    *,
    outputs_of: Callable[[list[tuple[str, int]]], int] = _total,
    images: int = 1,
    copies: int = 3,
) -> tuple[int, int]:
    """Return the bytes of activations and of what is kept per parameter.

    Args:
        layers: The network.
        side: Of the images, which have 3 channels.
        batch: Number of images.
        outputs_of: How many outputs are kept, of (kind, outputs) of every layer.
        images: Copies of the images that are kept.
        copies: Numbers that are kept per parameter.
    """
    costs = _costs(layers, side)
    kept = outputs_of([(layer[0], cost[0]) for layer, cost in zip(layers, costs, strict=True)])
    activations = batch * (images * 3 * side**2 + kept) * BYTES
    return activations, copies * sum(parameters for _, parameters, _ in costs) * BYTES


def _per_number(size: float) -> Callable[..., tuple[float, ...]]:
    """Return the memory in a unit in which a number takes `size`."""
    return lambda *call: tuple(memory / BYTES * size for memory in _memory(*call))


def _without(kind: str) -> Callable[..., Any]:
    return partial(_memory, outputs_of=lambda outputs: sum(n for what, n in outputs if what != kind))


TRAINING_MEMORY = FunctionExercise(
    "training_memory(layers, side, batch)",
    returns=named("the bytes of the activations", "the bytes for the parameters"),
    reference=_memory,
    inputs=lambda draw: [
        (layers, side, batch) for (layers, side), batch in zip(_small_networks(draw), (1, 2, 5), strict=True)
    ],
    mistakes=[
        Mistake(
            "numbers",
            _per_number(1),
            "You count numbers. How many bytes does a float32 number take?",
        ),
        Mistake(
            "other bytes",
            [_per_number(8), _per_number(2), _per_number(32)],
            "A float32 number has 32 bits. How many bytes are these?",
        ),
        Mistake(
            "other unit",
            [_per_number(BYTES / unit) for unit in (1e3, 1e6, 1e9, 2.0**10, 2.0**20, 2.0**30)],
            "Return bytes, not kilobytes, megabytes or gigabytes.",
        ),
        Mistake(
            "one image",
            lambda layers, side, batch: _memory(layers, side, 1),
            "You count the activations of one image. The batch has `batch` of them.",
        ),
        Mistake(
            "parameters per image",
            lambda layers, side, batch: tuple(batch * number for number in _memory(layers, side, 1)),
            "All images of a batch share the parameters.",
        ),
        Mistake(
            "no images",
            partial(_memory, images=0),
            "The images are missing. The first layer needs them for the gradient of its weights.",
        ),
        Mistake(
            "images only once",
            lambda layers, side, batch: (
                _memory(layers, side, batch, images=0)[0] + BYTES * 3 * side**2,
                _memory(layers, side, batch)[1],
            ),
            "You count one image in addition to the outputs. The batch has `batch` of them.",
        ),
        Mistake("no pools", _without("pool"), "The outputs of the pools are missing."),
        Mistake("no linear layers", _without("linear"), "The outputs of the linear layers are missing."),
        Mistake(
            "last output",
            [
                partial(_memory, outputs_of=lambda outputs: outputs[-1][1]),
                partial(_memory, outputs_of=lambda outputs: max(number for _, number in outputs)),
            ],
            "You count the outputs of one layer. The backward pass needs those of all layers.",
        ),
        Mistake(
            "parameters once",
            partial(_memory, copies=1),
            "You count the parameters alone. What else is kept for each of them?",
        ),
        Mistake(
            "parameters twice",
            partial(_memory, copies=2),
            "You count two numbers for each parameter. The text names three.",
        ),
        Mistake(
            "exchanged",
            lambda *call: _memory(*call)[::-1],
            "The activations come first, then what is kept for the parameters.",
        ),
    ],
)

Converted = Callable[[nn.Linear, int, int], nn.Conv2d]


def _as_convolution(linear: nn.Linear, channels: int, side: int, **options: Any) -> nn.Conv2d:
    convolution = nn.Conv2d(channels, linear.out_features, side, **options)
    with torch.no_grad():
        convolution.weight.copy_(linear.weight.view(convolution.weight.shape))
        if convolution.bias is not None:
            convolution.bias.copy_(linear.bias)
    return convolution


def _dense_head(
    head: nn.Sequential, channels: int, side: int, *, convert: Converted = _as_convolution, relu: bool = True
) -> nn.Sequential:
    """Return a head with convolutions in place of its linear layers."""
    layers: list[nn.Module] = []
    for layer in list(head)[1:]:
        if isinstance(layer, nn.Linear):
            layers.append(convert(layer, channels, side))
            channels, side = layer.out_features, 1
        elif relu:
            layers.append(layer)
    return nn.Sequential(*layers)


def _rearranged(order: Callable[[Tensor, int, int], Tensor]) -> Callable[..., Any]:
    """Return the head with weights that `order` makes of (rows of a linear layer's weight, channels, side)."""

    def convert(linear: nn.Linear, channels: int, side: int) -> nn.Conv2d:
        convolution = _as_convolution(linear, channels, side)
        with torch.no_grad():
            convolution.weight.copy_(order(linear.weight, channels, side))
        return convolution

    return partial(_dense_head, convert=convert)


def _weights_only(linear: nn.Linear, channels: int, side: int) -> nn.Conv2d:
    convolution = nn.Conv2d(channels, linear.out_features, side)
    with torch.no_grad():
        convolution.weight.copy_(linear.weight.view(convolution.weight.shape))
    return convolution


def _run_head(
    function: Callable[..., Any], units: list[int], channels: int, side: int, seed: int
) -> dict[str, Tensor]:
    torch.manual_seed(seed)  # equal random weights for everybody, should a new layer keep them
    layers: list[nn.Module] = [nn.Flatten(), nn.Linear(channels * side**2, units[0])]
    for before, after in pairwise(units):
        layers += [nn.ReLU(), nn.Dropout(0.5), nn.Linear(before, after)]
    head = nn.Sequential(*layers)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.copy_(torch.randn(parameter.shape))
    kept = deepcopy(head.state_dict())
    dense = network("the convolutional head")(function(head, channels, side))
    if list(head) != layers:
        raise Unsuitable("The layers of the head are not what they were. Leave the head as it is.")
    if not all(torch.equal(value, kept.get(name, value)) for name, value in head.state_dict().items()):
        raise Unsuitable("The weights of the head are not what they were. Leave the head as it is.")
    addresses = [{p.data_ptr() for p in module.parameters()} for module in (head, dense)]
    if dense is not head and addresses[0] & addresses[1]:
        raise Unsuitable(
            "Your layers use the memory of the head's weights. Copy the weights, with weight.copy_(…)."
        )
    draw, outcome = Random(seed), {}
    for what, height, width in (("a map that fits", side, side), ("a larger map", side + 1, side + 2)):
        maps = normal(draw, 2, channels, height, width)
        scores = attempt(lambda maps=maps: dense.eval()(maps))
        if isinstance(scores, Raised):
            raise Unsuitable(
                f"It does not run on feature maps of shape {tuple(maps.shape)}: {describe(scores.error)}."
            )
        outcome[f"the scores of {what}"] = tensor("scores (N, K, h, w)")(scores)
    return outcome


def _is_padded(given: list[Any], right: list[Any]) -> bool:
    """Whether every map of scores has more positions than it should."""
    name = "the scores of a map that fits"
    return all(
        one[name].shape[:2] == other[name].shape[:2] and one[name].shape[2:].numel() > 1
        for one, other in zip(given, right, strict=True)
    )


CONVOLUTIONAL_HEAD = FunctionExercise(
    "convolutional_head(head, channels, side)",
    returns=network("the convolutional head"),
    reference=_dense_head,
    inputs=lambda draw: [
        ([3], 2, 2, draw.getrandbits(16)),
        ([6, 4], 3, 3, draw.getrandbits(16)),
        ([5, 7, 4], draw.randint(2, 5), 2, draw.getrandbits(16)),
    ],
    observe=_run_head,
    tries=1,
    shown=lambda units, channels, side, seed: (
        f"a head with linear layers of {units} units, {channels}, {side}"
    ),
    tolerance=1e-3,  # of sums of large numbers
    mistakes=[
        Mistake(
            "weights not copied",
            partial(_dense_head, convert=lambda linear, c, side: nn.Conv2d(c, linear.out_features, side)),
            "The convolutions have random weights. Copy those of the linear layers.",
        ),
        Mistake(
            "biases not copied",
            partial(_dense_head, convert=_weights_only),
            "The convolutions have random biases. Copy those of the linear layers, too.",
        ),
        Mistake(
            "no biases",
            partial(_dense_head, convert=partial(_as_convolution, bias=False)),
            "The biases of the linear layers are lost.",
        ),
        Mistake(
            "channels last",
            _rearranged(lambda weight, c, side: weight.view(-1, side, side, c).permute(0, 3, 1, 2)),
            "The order of the weights is wrong. Flattening goes through all of one channel before the next one.",
        ),
        Mistake(
            "transposed",
            _rearranged(lambda weight, c, side: weight.view(-1, c, side, side).transpose(2, 3)),
            "Rows and columns of the kernels are exchanged.",
        ),
        Symptom(
            "padded",
            _is_padded,
            "The convolutions are padded. On a map of side×side there must be a single position.",
        ),
        Mistake(
            "stride",
            [
                lambda head, c, side: _dense_head(
                    head, c, side, convert=partial(_as_convolution, stride=side)
                ),
                partial(_dense_head, convert=lambda linear, c, n: _as_convolution(linear, c, n, stride=n)),
            ],
            "On a larger map your windows do not overlap. Move them by one position at a time.",
        ),
        Mistake(
            "no ReLU", partial(_dense_head, relu=False), "The ReLUs of the head are lost. Keep them in place."
        ),
        Mistake(
            "probabilities",
            lambda *call: nn.Sequential(_dense_head(*call), nn.Softmax(dim=1)),
            "Those are probabilities. Return the scores as the head gives them, without a softmax.",
        ),
        Mistake(
            "mean",
            [
                lambda *call: nn.Sequential(_dense_head(*call), nn.AdaptiveAvgPool2d(1)),
                lambda *call: nn.Sequential(_dense_head(*call), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
            ],
            "You average over positions. Return the scores of each position.",
        ),
    ],
)

Combine = Callable[[Tensor], Tensor]
Corners = Callable[
    [int, int, int], Iterable[int]
]  # from the image's height or width, the side and the stride


def _mean_probabilities(logits: Tensor) -> Tensor:
    return logits.softmax(dim=1).mean(dim=0)


def _multi_crop(
    network: nn.Module,
    image: Tensor,
    side: int,
    stride: int,
    corners: Corners = lambda size, side, stride: range(0, size - side + 1, stride),
    combine: Combine = _mean_probabilities,
) -> Tensor:
    """Return the class probabilities (K,) of an image, averaged over its crops (VGG paper, section 3.2)."""
    _, height, width = image.shape
    rows, columns = corners(height, side, stride), corners(width, side, stride)
    crops = [image[:, row : row + side, column : column + side] for row in rows for column in columns]
    with torch.no_grad():
        return combine(torch.cat([network(crop[None]) for crop in crops]))


def _alike(choose: Callable[[Sequence[int]], int]) -> Callable[..., Tensor]:
    """Return a mean over crops at the same positions in both directions, those of a size that is chosen of two."""

    def multi_crop(network: nn.Module, image: Tensor, side: int, stride: int) -> Tensor:
        places = range(0, choose(image.shape[1:]) - side + 1, stride)
        return _multi_crop(network, image, side, stride, corners=lambda *sizes: places)

    return multi_crop


def _padded(image: Tensor, side: int, stride: int) -> Tensor:
    """Return an image with zeros, so that the crops reach every pixel."""
    below, right = (-(size - side) % stride for size in image.shape[1:])
    return F.pad(image, (0, right, 0, below))


def _flush(size: int, side: int, stride: int) -> list[int]:
    """Return the corners of crops of which the last one ends at the edge."""
    return sorted({*range(0, size - side + 1, stride), size - side})


def _on_the_diagonal(network: nn.Module, image: Tensor, side: int, stride: int) -> Tensor:
    places = range(0, min(image.shape[1:]) - side + 1, stride)
    crops = [image[:, place : place + side, place : place + side] for place in places]
    with torch.no_grad():
        return _mean_probabilities(torch.cat([network(crop[None]) for crop in crops]))


def _observe_crops(function: Callable[..., Any], image: Tensor, side: int, stride: int, seed: int) -> Tensor:
    network = nn.Sequential(
        nn.Sequential(nn.Conv2d(image.shape[0], 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()),
        nn.Flatten(),
        nn.Linear(4 * side**2, 5),
    )
    draw = Random(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.3 * normal(draw, *parameter.shape))  # so that no class is nearly certain
    return tensor("the probability of each class")(function(network.eval(), image, side, stride))


MULTI_CROP = FunctionExercise(
    "multi_crop(network, image, side, stride)",
    returns=tensor("the probability of each class"),
    reference=_multi_crop,
    inputs=lambda draw: [
        (normal(draw, 3, 4, 4), 4, 1, draw.getrandbits(16)),
        (normal(draw, 3, 6, 9), 4, 1, draw.getrandbits(16)),
        (normal(draw, 1, 9, 7), 4, 2, draw.getrandbits(16)),
    ],
    observe=_observe_crops,
    tries=1,
    shown=lambda image, side, stride, seed: f"network, an image of {tuple(image.shape)}, {side}, {stride}",
    keeps_inputs=True,
    mistakes=[
        Mistake(
            "softmax of the mean",
            partial(_multi_crop, combine=lambda logits: logits.mean(dim=0).softmax(dim=0)),
            "You take the softmax of mean logits. Turn the logits of each crop into probabilities first.",
        ),
        Mistake(
            "logits",
            partial(_multi_crop, combine=lambda logits: logits.mean(dim=0)),
            "Those are mean logits. The exercise asks for probabilities.",
        ),
        Mistake(
            "sum",
            partial(_multi_crop, combine=lambda logits: logits.softmax(dim=1).sum(dim=0)),
            "You add up the probabilities. Divide by the number of crops.",
        ),
        Mistake(
            "maximum",
            partial(_multi_crop, combine=lambda logits: logits.softmax(dim=1).max(dim=0).values),
            "You take the largest probability over the crops. Take the mean.",
        ),
        Mistake(
            "geometric mean",
            [
                partial(_multi_crop, combine=lambda logits: logits.log_softmax(1).mean(0).exp()),
                partial(_multi_crop, combine=lambda logits: logits.softmax(1).prod(0)),
            ],
            "You multiply the probabilities, or add their logarithms. Take the mean of the probabilities.",
        ),
        Mistake(
            "over crops",
            partial(_multi_crop, combine=lambda logits: logits.softmax(dim=0).mean(dim=0)),
            "Your softmax runs over the crops. It belongs to the classes, dim=1.",
        ),
        Mistake(
            "no overlap",
            partial(_multi_crop, corners=lambda size, side, stride: range(0, size - side + 1, side)),
            "Your crops do not overlap. They are `stride` pixels apart, not `side`.",
        ),
        Mistake(
            "stride of one",
            partial(_multi_crop, corners=lambda size, side, stride: range(size - side + 1)),
            "Your crops are always one pixel apart. Use `stride`.",
        ),
        Mistake(
            "square image",
            [_alike(itemgetter(0)), _alike(itemgetter(1)), _alike(min)],
            "You use the same positions in both directions. The image may be wider than it is high, or higher.",
        ),
        Mistake(
            "over the edge",
            [
                lambda network, image, *sizes: _multi_crop(network, _padded(image, *sizes), *sizes),
                partial(_multi_crop, corners=_flush),
            ],
            "Take only crops that lie inside the image, at multiples of `stride`, even if pixels are left over.",
        ),
        Mistake(
            "diagonal",
            _on_the_diagonal,
            "You take the crops on the diagonal. Every row of positions has all columns of positions.",
        ),
    ],
)

EXERCISES = (
    PARSE_CONFIGURATION,
    MAKE_FEATURES,
    LAYER_COSTS,
    TRAINING_MEMORY,
    CONVOLUTIONAL_HEAD,
    MULTI_CROP,
)
