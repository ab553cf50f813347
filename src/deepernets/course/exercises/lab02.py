"""Exercises of lab 2: build VGG from its table."""

import random
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from deepernets.course.exercises.judging import JudgedExercise as Exercise
from deepernets.course.exercises.lab02_counts import CONNECTED_SHARE, FIRST_CONNECTED, MAP_SIDES
from deepernets.models.layers import local_response_norm

Word = tuple[int, int] | str  # (kernel, channels), or "LRN"
Blocks = list[list[Word]]


def _some_blocks(seed: int) -> Blocks:
    """Draw a small configuration with both kernels, an LRN, and no two blocks alike."""
    draw = random.Random(seed)
    widths = draw.sample(range(4, 10), 5)
    blocks: Blocks = [
        [(3, widths[0]), "LRN"],
        [(3, widths[1]), (1, widths[2])],
        [(1, widths[3]), (3, widths[4]), (3, widths[4])],
    ]
    return blocks[: draw.choice((2, 3))]


def _written(blocks: Blocks) -> str:
    return " | ".join(
        " ".join(word if isinstance(word, str) else f"conv{word[0]}-{word[1]}" for word in block)
        for block in blocks
    )


def _plain(value: Any) -> Any:
    """Return nested lists and tuples as tuples of plain integers and strings; anything else as its type.

    A string of a class of its own could say that it equals everything, and str() would leave it as it is.
    """
    if isinstance(value, list | tuple):
        return tuple(_plain(item) for item in value)
    if isinstance(value, str):
        return str.__str__(value)
    return int(value) if isinstance(value, int) else type(value).__name__


def _each(blocks: Any, change: Callable[[Any], Any]) -> Any:
    return tuple(tuple(change(word) for word in block) for block in blocks)


def judge_parse_configuration(answer: Any, seed: int) -> str | None:
    """Blocks of (kernel, channels) pairs, with "LRN" where it stands."""
    if not callable(answer):
        return "no function"
    blocks = _some_blocks(seed)
    parsed = _plain(answer(_written(blocks)))
    right = _plain(blocks)
    if parsed == right:
        return None
    usual = {
        "swapped": _each(right, lambda word: word if isinstance(word, str) else word[::-1]),
        "strings": _each(right, lambda word: word if isinstance(word, str) else tuple(map(str, word))),
        "flat": tuple(word for block in right for word in block),
        "no LRN": tuple(tuple(word for word in block if word != "LRN") for block in right),
        "always three": _each(right, lambda word: word if isinstance(word, str) else (3, word[1])),
        "channels alone": _each(right, lambda word: word if isinstance(word, str) else word[1]),
        "words": tuple(tuple(block.split()) for block in _written(blocks).split("|")),
        "last block lost": right[:-1],
    }
    return next((mistake for mistake, wrong in usual.items() if parsed == wrong), "other")


PARSE_CONFIGURATION = Exercise(
    "parse_configuration",
    judge_parse_configuration,
    {
        "no function": "A function is wanted: parse_configuration(configuration).",
        "swapped": "The numbers of each pair are exchanged: in conv3-64 the kernel is 3 and the channels are 64.",
        "strings": "The numbers are still text: int() makes numbers of them.",
        "flat": "The layers are right, but in one list; each block is a list of its own.",
        "no LRN": 'LRN is lost: keep it as the word "LRN" where it stands.',
        "always three": "Not every kernel has a side of 3: configuration C has conv1 as well.",
        "channels alone": "The kernel's side is missing: a pair (kernel, channels) per convolution.",
        "words": "Those are words; take each conv<kernel>-<channels> apart into a pair of numbers.",
        "last block lost": "The last block is missing: no | follows it.",
        "other": 'A list of blocks is wanted, each a list of (kernel, channels) pairs and the word "LRN".',
    },
)


def _features(blocks: Blocks, without: str = "") -> nn.Sequential:
    """Build the convolutions of a configuration, rightly or `without` something."""
    pool = {"max": nn.AvgPool2d(2), "floor": nn.MaxPool2d(2, ceil_mode=True)}.get(without, nn.MaxPool2d(2))
    layers: list[nn.Module] = []
    channels = 3
    for block in blocks:
        for word in block:
            if isinstance(word, str):
                place = len(layers) - 1 if without == "LRN behind" else len(layers)
                if without != "LRN":
                    layers.insert(place, local_response_norm())
                continue
            kernel, width = word
            padding = 0 if without == "padding" else kernel // 2
            layers.append(nn.Conv2d(channels, width, kernel, padding=padding, bias=without != "bias"))
            layers += [] if without == "ReLU" else [nn.ReLU()]
            channels = width
        if not (without == "last pool" and block is blocks[-1]):
            layers.append(pool)
    return nn.Sequential(*layers)


def _run(network: nn.Module, weights: list[Tensor], images: Tensor) -> Tensor | None:
    """Return what the network makes of the images with these weights; None where it takes neither."""
    try:
        with torch.no_grad():
            for parameter, weight in zip(network.parameters(), weights, strict=True):
                parameter.copy_(weight)
            return network(images)
    except (RuntimeError, ValueError):
        return None


def judge_make_features(answer: Any, seed: int) -> str | None:
    """The same maps as the course's layers, given the same weights."""
    if not callable(answer):
        return "no function"
    blocks = _some_blocks(seed)
    network = answer([list(block) for block in blocks])  # a copy: some answers empty what they read
    if not isinstance(network, nn.Module):
        return "no network"
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(2, 3, 42, 42, generator=generator)  # halved to 21, so that rounding shows
    shapes = [tuple(map(int, parameter.shape)) for parameter in network.parameters()]
    if shapes == [tuple(parameter.shape) for parameter in _features(blocks, "bias").parameters()]:
        return "bias"
    right = _features(blocks)
    weights = [torch.randn(parameter.shape, generator=generator) for parameter in right.parameters()]
    if shapes != [tuple(weight.shape) for weight in weights]:
        return "shapes"
    maps = _run(network.eval(), weights, images)
    if maps is None:
        return "does not run"
    if _same(maps, _run(right, weights, images)):
        return None
    variants = ("padding", "last pool", "LRN", "LRN behind", "ReLU", "max", "floor")
    return next(
        (name for name in variants if _same(maps, _run(_features(blocks, name), weights, images))), "other"
    )


def _same(maps: Tensor, others: Tensor | None) -> bool:
    """Say whether two maps agree; a tensor of a class of its own could say so of itself."""
    if type(maps) is not Tensor or others is None:
        return False
    return maps.shape == others.shape and torch.allclose(maps, others, atol=1e-5)


MAKE_FEATURES = Exercise(
    "make_features",
    judge_make_features,
    {
        "no function": "A function is wanted: make_features(blocks).",
        "no network": "An nn.Sequential of layers is wanted; return it.",
        "bias": "The convolutions have no biases; VGG's have one per channel, and the counts need them.",
        "shapes": "The convolutions' weights have other shapes: each takes the channels that the one before gives, "
        "and the first one takes 3.",
        "does not run": "The network takes no image of 42×42: which layer gets maps of a size it cannot take?",
        "padding": "The maps shrink at each convolution: which padding keeps the size, for both kernels?",
        "last pool": "The last block has no max-pool: there is one after every block.",
        "LRN": "Local response normalisation is missing: local_response_norm() where the word LRN stands.",
        "LRN behind": "LRN comes too early: after the convolution's ReLU, not before it.",
        "ReLU": "There is no ReLU: one follows every convolution, or the convolutions collapse into a single one.",
        "max": "The pools average; the paper's take the maximum.",
        "floor": "The pools round up where a side is odd; the paper's leave out what does not fill a window.",
        "other": "The maps differ from the paper's. Per convolution: Conv2d, then ReLU; per block: MaxPool2d(2) "
        "at its end.",
    },
)

EXERCISES = (PARSE_CONFIGURATION, MAKE_FEATURES, FIRST_CONNECTED, CONNECTED_SHARE, MAP_SIDES)
