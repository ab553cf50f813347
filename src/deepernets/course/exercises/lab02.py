"""Exercises of lab 2: build VGG from its table."""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import numpy as np
import torch
from torch import nn

from deepernets.course.exercises.judging import FunctionExercise, Mistake, NumberExercise
from deepernets.course.exercises.values import (
    Unsuitable,
    kind_of,
    network,
    normal,
    number,
    numbers,
    run_network,
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
        (f"conv5-{two} conv1-{one} | conv3-{three} conv3-{three} LRN | conv11-1024",),
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
    a, b, c, d = draw.sample(range(4, 12), 4)
    plans: list[Blocks] = [
        [[(3, a)]],
        [[(3, a), "LRN"], [(1, b), (3, b)]],
        [[(5, a), (1, b), "LRN"], [(3, c)], [(1, c), (3, d), (3, d)]],
    ]
    return [(blocks, draw.getrandbits(16)) for blocks in plans]


LAYERS = network("an nn.Sequential of the layers")


def _run_features(function: Callable[[Blocks], Any], blocks: Blocks, seed: int) -> dict[str, Any]:
    draw = Random(seed)
    images = normal(draw, 2, 3, 42, 30)  # 42 is halved to 21, and 30 to 15: rounding shows
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

PIXELS, UNITS = 7 * 7 * 512, 4096

FIRST_CONNECTED = NumberExercise(
    "first_connected",
    expected="weights and biases of the first fully-connected layer",
    reference=PIXELS * UNITS + UNITS,
    mistakes=[
        Mistake(
            "no biases", PIXELS * UNITS, "Those are the weights. Each of the 4096 units has a bias, too."
        ),
        Mistake(
            "other biases",
            [PIXELS * UNITS + extra for extra in (1, 512, PIXELS)],
            "The weights are right. How many biases are there, if each of the 4096 units has one?",
        ),
        Mistake(
            "one pixel",
            [512 * UNITS + UNITS, 512 * UNITS],
            "The layer sees the whole map, not one position of it: 7×7 positions of 512 channels.",
        ),
        Mistake(
            "pool missing",
            [4 * PIXELS * UNITS + UNITS, 4 * PIXELS * UNITS],
            "The map is 14×14 before the last pool. The layer comes after it.",
        ),
        Mistake(
            "second layer",
            [UNITS * UNITS + UNITS, UNITS * UNITS],
            "That is the second layer, from 4096 units to 4096. The first one sees the maps.",
        ),
        Mistake(
            "convolution",
            [PIXELS * 512 + 512, PIXELS * 512],
            "That is a 7×7 convolution. The layer has 4096 units.",
        ),
        Mistake(
            "side once",
            [7 * 512 * UNITS + UNITS, 7 * 512 * UNITS],
            "The map is 7 high and 7 wide: 49 positions, not 7.",
        ),
        Mistake("millions", [102.764544, 102.76, 102.8, 103], "That is in millions. Give the number itself."),
    ],
    otherwise="Each of 4096 units has a weight for every number in the last maps, and one bias.",
)

Plan = list[
    Any
]  # of a network: a list is an nn.Sequential, a tuple a layer's name in torch.nn and its arguments


def _built(plan: Plan) -> nn.Sequential:
    parts = (_built(part) if isinstance(part, list) else getattr(nn, part[0])(*part[1:]) for part in plan)
    return nn.Sequential(*parts)


def _written(plan: Plan) -> str:
    parts = (_written(p) if isinstance(p, list) else f"{p[0]}({', '.join(map(str, p[1:]))})" for p in plan)
    return f"Sequential({', '.join(parts)})"


def _plans(draw: Random) -> list[tuple[Plan]]:
    width, hidden, classes = draw.choice((4, 5, 6, 8, 9)), draw.randint(11, 30), draw.randint(2, 7)
    stem: Plan = [("Conv2d", 3, width, 3), ("BatchNorm2d", width), ("ReLU",)]
    first, second = ("Linear", 16 * width, hidden), ("Linear", hidden, classes)
    return [
        ([("Conv2d", 3, 2, 1), ("Linear", 4, 2)],),
        ([*stem, ("Flatten",), first, ("ReLU",), second],),
        ([stem, ("Flatten",), [[first, ("ReLU",)], second, [("Linear", classes, 10)]]],),
    ]


def _count(*layers: nn.Module) -> int:
    return sum(parameter.numel() for layer in layers for parameter in layer.parameters())


def _linear(model: nn.Module) -> list[nn.Linear]:
    return [layer for layer in model.modules() if isinstance(layer, nn.Linear)]


def _share_of(choose: Callable[[nn.Module], list[Any]]) -> Callable[[nn.Module], float]:
    return lambda model: _count(*choose(model)) / _count(model)


_share = _share_of(_linear)
SHARE = number("a share between 0 and 1")


def _share_on_meta(function: Callable[[nn.Module], Any], plan: Plan) -> float:
    """Return the share of a network without values, as the lab's networks are."""
    with torch.device("meta"):
        model = _built(plan)
    return SHARE(function(model))


def _without_biases(model: nn.Module) -> int:
    return sum(p.numel() for name, p in model.named_parameters() if not name.endswith("bias"))


CONNECTED_SHARE = FunctionExercise(
    "connected_share(network)",
    returns=SHARE,
    reference=_share,
    inputs=_plans,
    observe=_share_on_meta,
    shown=_written,
    mistakes=[
        Mistake(
            "percent", lambda model: 100 * _share(model), "That is a percentage, not a share between 0 and 1."
        ),
        Mistake(
            "children",
            _share_of(lambda model: [layer for layer in model.children() if isinstance(layer, nn.Linear)]),
            "You only visit the outermost layers. Linear layers may be nested: modules() visits them all.",
        ),
        Mistake(
            "counted twice",
            lambda model: _count(*_linear(model)) / _count(*model.modules()),
            "The total is too large: parameters() of a container includes those of its layers.",
        ),
        Mistake("the rest", lambda model: 1 - _share(model), "That is the share of all other layers."),
        Mistake(
            "ratio",
            lambda model: _count(*_linear(model)) / (_count(model) - _count(*_linear(model))),
            "You divide by the parameters of the other layers. A share is of all parameters.",
        ),
        Mistake(
            "first alone",
            _share_of(lambda model: _linear(model)[:1]),
            "You count the first linear layer only.",
        ),
        Mistake(
            "last alone",
            _share_of(lambda model: _linear(model)[-1:]),
            "Only the last linear layer is counted: does a loop overwrite its sum?",
        ),
        Mistake(
            "count", lambda model: _count(*_linear(model)), "That is a count. Divide it by all parameters."
        ),
        Mistake(
            "weights alone",
            lambda model: sum(layer.weight.numel() for layer in _linear(model)) / _count(model),
            "The linear layers' biases are missing in the numerator. They are parameters, too.",
        ),
        Mistake(
            "no biases",
            lambda model: sum(layer.weight.numel() for layer in _linear(model)) / _without_biases(model),
            "The biases are missing, in the numerator and in the denominator.",
        ),
    ],
)


def _sides(
    side: int, windows: list[int], rule: Callable[[int, int], Any] = lambda n, w: (n - w) // 2 + 1
) -> list[Any]:
    """Return the side after each pool by a rule (side, window) -> side."""
    sides = []
    for window in windows:
        side = rule(side, window)
        sides.append(side)
    return sides


def _by(rule: Callable[[int, int], Any]) -> Callable[[int, list[int]], list[Any]]:
    return partial(_sides, rule=rule)


MAP_SIDES = FunctionExercise(
    "map_sides(side, windows)",
    returns=numbers("the side after each pool"),
    reference=_sides,
    inputs=lambda draw: [
        (7, [2]),
        (28, [2, 2, 2, 2, 2]),
        (28, [2, 2, 2, 2, 1]),
        (draw.choice((45, 51, 77)), [2, 1, 2, 1]),
        (draw.randint(60, 99), [3, 2, 1]),
    ],
    mistakes=[
        Mistake(
            "rounded up",
            [_by(lambda n, w: -((w - n) // 2) + 1), _by(lambda n, w: round((n - w) / 2) + 1)],
            "You round up. These pools leave out what does not fill a window, so round down.",
        ),
        Mistake(
            "cut",
            _by(lambda n, w: int((n - w) / 2) + 1),
            "A window that does not fit counts as one in your list. (1 - 2) // 2 rounds down, int() does not.",
        ),
        Mistake(
            "not rounded",
            _by(lambda n, w: (n - w) / 2 + 1),
            "Maps have no half pixels: round down each time.",
        ),
        Mistake("halved", _by(lambda n, w: n / 2), "Halving ignores the window: how many windows fit?"),
        Mistake(
            "window left out",
            _by(lambda n, w: n // 2),
            "The window matters: at stride 2, 7 pixels hold 3 windows of 2 and 4 windows of 1.",
        ),
        Mistake(
            "stride is the window",
            [_by(lambda n, w: (n - w) // w + 1), _by(lambda n, w: n // w)],
            "The stride is 2 for every pool, also for one with a window of 1.",
        ),
        Mistake(
            "no plus one", _by(lambda n, w: (n - w) // 2), "One window is missing: the first, at the edge."
        ),
        Mistake(
            "not chained",
            lambda side, windows: [(side - window) // 2 + 1 for window in windows],
            "Every pool starts from `side` in your list. It takes the map that the pool before gives.",
        ),
        Mistake(
            "starts with the image",
            lambda n, ws: [n, *_sides(n, ws)],
            "Leave out the image: return one side per pool.",
        ),
        Mistake("backwards", lambda n, ws: _sides(n, ws)[::-1], "The first pool comes first."),
    ],
)

EXERCISES = (PARSE_CONFIGURATION, MAKE_FEATURES, FIRST_CONNECTED, CONNECTED_SHARE, MAP_SIDES)
