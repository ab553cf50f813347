"""Exercises of lab 2, second part: where the parameters are, and which images fit."""

import random
from collections.abc import Callable
from typing import Any

from torch import nn

from deepernets.course.exercises.judging import JudgedExercise as Exercise
from deepernets.course.exercises.numbers import close, nearest, number

RIGHT_FIRST = 7 * 7 * 512 * 4096 + 4096


def judge_first_connected(answer: Any, seed: int) -> str | None:
    """Parameters of VGG's first fully-connected layer, from 7×7 maps of 512 channels to 4096 units."""
    try:
        value = number(answer)
    except (TypeError, ValueError, RuntimeError):
        return "no number"
    usual = {
        "no biases": 7 * 7 * 512 * 4096,
        "one pixel": 512 * 4096 + 4096,
        "pool missing": 14 * 14 * 512 * 4096 + 4096,
        "second layer": 4096 * 4096 + 4096,
        "convolution": 7 * 7 * 512 * 512 + 512,
        "side once": 7 * 512 * 4096 + 4096,
    }
    return nearest(
        value, RIGHT_FIRST, {name: float(wrong) for name, wrong in usual.items()}, otherwise="other"
    )


FIRST_CONNECTED = Exercise(
    "first_connected",
    judge_first_connected,
    {
        "no number": "A number is wanted: weights and biases of the first fully-connected layer.",
        "no biases": "Those are the weights; every one of the 4096 units has a bias, too.",
        "one pixel": "The layer sees the whole map, not one position of it: 7×7 positions of 512 channels.",
        "pool missing": "The map is 14×14 before the last pool; the layer comes after it.",
        "second layer": "That is the second layer, from 4096 units to 4096; the first one sees the maps.",
        "convolution": "That is a 7×7 convolution to 512 channels; the layer has 4096 units.",
        "side once": "The map is 7 high and 7 wide: 49 positions, not 7.",
        "other": "Each of 4096 units has a weight for every number in the last maps, and one bias.",
    },
)


def _network(seed: int) -> nn.Sequential:
    draw = random.Random(seed)
    # Seven units behind, so no width of 7: the last layer could be as large as those before the first.
    width, hidden = draw.choice((4, 5, 6, 8, 9)), draw.randint(10, 30)
    return nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.Flatten(),
        nn.Linear(width * 16, hidden),
        nn.Linear(hidden, 7),
    )


def judge_connected_share(answer: Any, seed: int) -> str | None:
    """The share of a network's parameters that sit in its linear layers."""
    if not callable(answer):
        return "no function"
    network = _network(seed)
    conv, norm, _, first, last = (sum(p.numel() for p in layer.parameters()) for layer in network)
    result = answer(network)
    try:
        share = number(result)
    except (TypeError, ValueError, RuntimeError):
        return "no number"
    total = conv + norm + first + last
    biases = sum(p.numel() for name, p in network.named_parameters() if name.endswith("bias"))
    weights = sum(layer.weight.numel() for layer in network if isinstance(layer, nn.Linear))
    usual = {
        "percent": 100 * (first + last) / total,
        "the rest": (conv + norm) / total,
        "ratio": (first + last) / (conv + norm),
        "first alone": first / total,
        "last alone": last / total,
        "layers": 2 / 5,
        "count": float(first + last),
        "weights alone": weights / total,
        "no biases": weights / (total - biases),
    }
    if close(share, (first + last) / total):
        return None
    return next((mistake for mistake, wrong in usual.items() if close(share, wrong)), "other")


CONNECTED_SHARE = Exercise(
    "connected_share",
    judge_connected_share,
    {
        "no function": "A function is wanted: connected_share(network).",
        "no number": "A number is wanted, between 0 and 1.",
        "percent": "A share between 0 and 1 is wanted; percent are for showing.",
        "the rest": "That is the share of everything else: nn.Linear layers are meant.",
        "ratio": "That is linear layers against the rest; a share is against all parameters.",
        "first alone": "Only the first linear layer is counted; there are more.",
        "last alone": "Only the last linear layer is counted; does a loop overwrite its sum?",
        "layers": "Layers are counted, and their parameters are meant.",
        "count": "That is how many there are; divide by all of the network's parameters.",
        "weights alone": "Above the line the biases are missing: they are parameters like the weights.",
        "no biases": "The biases are missing, above the line and below it.",
        "other": "Sum the parameters of every nn.Linear in network.modules(), and divide by all parameters.",
    },
)

Rule = Callable[[int, int], float]


def _sides(side: int, windows: list[int], rule: Rule) -> list[float]:
    """Return the side after each pool by a `rule` (side, window) -> side."""
    sides: list[float] = []
    now: float = side
    for window in windows:
        now = rule(int(now) if float(now).is_integer() else now, window)  # type: ignore[arg-type]
        sides.append(now)
    return sides


def _floor(side: int, window: int) -> int:
    return (side - window) // 2 + 1


def judge_map_sides(answer: Any, seed: int) -> str | None:
    """The side of the maps after each pool of stride 2, rounded down."""
    if not callable(answer):
        return "no function"
    draw = random.Random(seed)
    cases = [(28, [2, 2, 2, 2, 2]), (28, [2, 2, 2, 2, 1]), (draw.choice((45, 51, 77)), [2, 1, 2, 1])]
    results = [answer(side, list(windows)) for side, windows in cases]
    try:
        given = [[number(side) for side in result] for result in results]
    except (TypeError, ValueError, RuntimeError):
        return "no list"

    def by(rule: Rule) -> list[list[float]]:
        return [_sides(side, windows, rule) for side, windows in cases]

    right = by(_floor)
    usual = {
        "rounded up": by(lambda side, window: -(-(side - window) // 2) + 1),
        "not rounded": by(lambda side, window: (side - window) / 2 + 1),
        "halved": by(lambda side, window: side / 2),
        "window left out": by(lambda side, window: side // 2),
        "stride is the window": by(lambda side, window: (side - window) // window + 1),
        "no plus one": by(lambda side, window: (side - window) // 2),
        "starts with the image": [[side, *after] for (side, _), after in zip(cases, right, strict=True)],
        "backwards": [after[::-1] for after in right],
    }
    if given == right:
        return None
    return next((mistake for mistake, wrong in usual.items() if given == wrong), "other")


MAP_SIDES = Exercise(
    "map_sides",
    judge_map_sides,
    {
        "no function": "A function is wanted: map_sides(side, windows).",
        "no list": "A list of whole numbers is wanted: the side after each pool.",
        "rounded up": "You round up; these pools leave out what does not fill a window, so round down.",
        "not rounded": "A map has no half pixels: round down after each pool, before the next one.",
        "halved": "Halving alone gives half pixels, and does not see the window: how many windows fit?",
        "window left out": "The window matters: at stride 2, 7 pixels hold 3 windows of 2 and 4 windows of 1.",
        "stride is the window": "The stride is 2 for every pool, also for one with a window of 1.",
        "no plus one": "One window too few: the first one stands at the edge, before any stride is taken.",
        "starts with the image": "The image's own side comes first in your list; one side per pool is wanted.",
        "backwards": "The sides are in the wrong order: the first pool comes first.",
        "other": "The first window covers `window` pixels, and each further one takes 2 more: how many fit?",
    },
)
