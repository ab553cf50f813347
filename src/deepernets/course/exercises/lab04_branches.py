"""Exercises of lab 4, second part: the bottleneck, and weights carried from one network to another."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from deepernets.course.exercises.judging import JudgedExercise as Exercise
from deepernets.course.exercises.numbers import draws

Layer = tuple[int, int, int]  # kernel, channels, stride


def same(given: Any, right: Tensor) -> bool:
    """Say whether an answer is this tensor; of a class of its own, it could say so of itself."""
    return type(given) is Tensor and given.shape == right.shape and torch.allclose(given, right, atol=1e-4)


def _branch(
    c_in: int,
    layers: list[Layer],
    order: str = "convolution normalisation relu",
    bias: bool = False,
    relus: int = 2,
    padding: int | None = None,
) -> nn.Sequential:
    """Build a branch rightly or not; `relus` of its convolutions are followed by one."""
    parts: list[nn.Module] = []
    for number, (kernel, channels, stride) in enumerate(layers):
        pad = kernel // 2 if padding is None else padding
        made = {
            "convolution": nn.Conv2d(c_in, channels, kernel, stride, padding=pad, bias=bias),
            "normalisation": nn.BatchNorm2d(channels),
            "relu": nn.ReLU() if number < relus else nn.Identity(),
        }
        parts += [made[part] for part in order.split()]
        c_in = channels
    return nn.Sequential(*parts)


def _randomise(network: nn.Module, generator: torch.Generator) -> dict[str, Tensor]:
    """Give every weight and statistic a random value, variances positive ones, and return them."""
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            values = torch.randn(tensor.shape, generator=generator)
            tensor.copy_(values.abs() + 0.5 if name.endswith("running_var") else values)
    return network.state_dict()


def _output(network: nn.Module, values: list[Tensor], x: Tensor) -> Tensor | None:
    """Return what the network makes of x with these values; None where it takes neither."""
    try:
        state = dict(zip(network.state_dict(), values, strict=True))
        network.load_state_dict(state)
        with torch.no_grad():
            return network.eval()(x)
    except (RuntimeError, ValueError):
        return None


def judge_bottleneck_branch(answer: Any, seed: int) -> str | None:
    """1×1 with the stride, 3×3, 1×1 to four times the width, each normalised, with two ReLUs in between."""
    if not callable(answer):
        return "no function"
    width, c_in = 3 + seed % 3, 8
    mistake = _mistake_in(answer(c_in, width, 2), c_in, width, 2, seed)
    if mistake is not None:
        return mistake
    return None if _mistake_in(answer(c_in, width, 1), c_in, width, 1, seed) is None else "one stride"


def _mistake_in(network: Any, c_in: int, width: int, stride: int, seed: int) -> str | None:
    if not isinstance(network, nn.Module):
        return "no network"
    layers: list[Layer] = [(1, width, stride), (3, width, 1), (1, 4 * width, 1)]
    right = _branch(c_in, layers)
    shapes = _shapes(network)
    by_shape = {
        "bias": _branch(c_in, layers, bias=True),
        "no normalisation": _branch(c_in, layers, order="convolution relu"),
        "no expansion": _branch(c_in, [*layers[:2], (1, width, 1)]),
        "two convolutions": _branch(c_in, [(3, width, stride), (3, width, 1)]),
        "all 3x3": _branch(c_in, [(3, channels, step) for _, channels, step in layers]),
    }
    if shapes != _shapes(right):
        return next((name for name, other in by_shape.items() if shapes == _shapes(other)), "shapes")
    generator = draws(seed, 43)
    values = list(_randomise(right, generator).values())
    x = torch.randn(2, c_in, 7, 7, generator=generator)
    given = _output(network, values, x)
    if given is None:
        return "does not run"
    usual = _same_weights(c_in, width, stride)
    alike = (name for name, other in usual.items() if _gives(other, values, x, given))
    return None if _gives(right, values, x, given) else next(alike, "other")


def _same_weights(c_in: int, width: int, stride: int) -> dict[str, nn.Sequential]:
    """Return the wrong branches that only their output tells from the right one."""

    def strided(*strides: int) -> list[Layer]:
        return list(zip((1, 3, 1), (width, width, 4 * width), strides, strict=True))

    right = strided(stride, 1, 1)
    return {
        "stride too late": _branch(c_in, strided(1, stride, 1)),  # in the last convolution it gives the same
        "stride twice": _branch(c_in, strided(stride, stride, 1)),
        "no stride": _branch(c_in, strided(1, 1, 1)),
        "last relu": _branch(c_in, right, relus=3),
        "no relus": _branch(c_in, right, relus=0),
        "one relu": _branch(c_in, right, relus=1),
        "relu first": _branch(c_in, right, order="convolution relu normalisation"),
        "no padding": _branch(c_in, right, padding=0),
        "padding everywhere": _branch(c_in, right, padding=1),
    }


def _gives(network: nn.Module, values: list[Tensor], x: Tensor, given: Any) -> bool:
    expected = _output(network, values, x)
    return expected is not None and same(given, expected)


def _shapes(network: nn.Module) -> list[tuple[int, ...]]:
    return [tuple(tensor.shape) for tensor in network.state_dict().values()]


BOTTLENECK_BRANCH = Exercise(
    "bottleneck_branch",
    judge_bottleneck_branch,
    {
        "no function": "A function is wanted: bottleneck_branch(c_in, width, stride).",
        "no network": "An nn.Sequential is wanted; return it.",
        "bias": "The convolutions need no biases: the normalisation behind each has a shift of its own.",
        "no normalisation": "Batch normalisation is missing: one behind every convolution, before its ReLU.",
        "no expansion": "The last convolution gives four times the width; the middle is the bottleneck.",
        "two convolutions": "That is the basic block; a bottleneck has three: 1×1, 3×3, 1×1.",
        "all 3x3": "Only the middle convolution is 3×3; the 1×1 ones around it are what makes the block cheap.",
        "shapes": "The weights have other shapes, or another order: 1×1, 3×3, 1×1, each followed by its norm.",
        "does not run": "The branch takes no maps of 7×7: does each layer take what the one before gives?",
        "stride too late": "The stride comes too late: in the paper the first convolution, 1×1, has it.",
        "stride twice": "Two convolutions have the stride, and the map is a quarter as wide.",
        "one stride": "With stride 2 it is right, with stride 1 it is not: is `stride` used as it is given?",
        "no stride": "The stride is not used: the first convolution takes it.",
        "last relu": "The third ReLU comes after the addition, so it does not belong to the branch.",
        "no relus": "There is a ReLU behind the first and the second normalisation.",
        "one relu": "There are two ReLUs in the branch: the second normalisation has one behind it as well.",
        "relu first": "Each ReLU comes behind the normalisation, not between it and the convolution.",
        "no padding": "The 3×3 loses the map's rim: which padding keeps its size?",
        "padding everywhere": "A 1×1 kernel needs no padding: it adds a rim of nothing to the map.",
        "other": "The weights have the right shapes; look at strides, padding, and the order of norms and ReLUs.",
    },
)


def _pair(seed: int) -> tuple[nn.Module, nn.Module]:
    """Return two networks alike in all but the names of their layers, with different values."""

    def layers() -> list[nn.Module]:
        return [nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2)]

    source = nn.Sequential(*layers())
    target = nn.Sequential()
    for name, layer in zip(("stem", "norm", "relu", "flat", "fc"), layers(), strict=True):
        target.add_module(name, layer)
    generator = draws(seed, 44)
    _randomise(source, generator)
    _randomise(target, generator)
    return source.eval(), target.eval()


def judge_copy_weights(answer: Any, seed: int) -> str | None:
    """The target's output is the source's; the source is as before, and shares no memory."""
    if not callable(answer):
        return "no function"
    source, target = _pair(seed)
    before = [tensor.clone() for tensor in source.state_dict().values()]
    old = [tensor.clone() for tensor in target.state_dict().values()]
    answer(source, target)
    now = list(source.state_dict().values())
    copied = list(target.state_dict().values())
    if not _all_equal(now, before):
        return "wrong direction"
    if _all_equal(copied, old):
        return "nothing copied"
    if _all_equal(copied, now):
        shared = {tensor.data_ptr() for tensor in now if tensor.numel() > 1}
        return "shares memory" if shared & {tensor.data_ptr() for tensor in copied} else None
    usual: dict[str, Callable[[str], bool]] = {
        "parameters only": lambda name: "running" not in name and "tracked" not in name,
        "buffers only": lambda name: "running" in name or "tracked" in name,
        "weights only": lambda name: name.endswith("weight"),
    }
    names = list(source.state_dict())
    for mistake, taken in usual.items():
        mixed = [new if taken(name) else was for name, new, was in zip(names, now, old, strict=True)]
        if _all_equal(copied, mixed):
            return mistake
    return "other"


def _all_equal(some: list[Tensor], others: list[Tensor]) -> bool:
    return len(some) == len(others) and all(map(torch.equal, some, others))


COPY_WEIGHTS = Exercise(
    "copy_weights",
    judge_copy_weights,
    {
        "no function": "A function is wanted: copy_weights(source, target).",
        "wrong direction": "The source has changed: it is the target that gets the values.",
        "nothing copied": "The target is as it was: do the names match? They need not; the order does.",
        "shares memory": "The values are right, but shared: training one network would change the other.",
        "parameters only": "The running means and variances of batch normalisation are missing: they are buffers.",
        "buffers only": "Only the running statistics were copied; the parameters are missing.",
        "weights only": "The biases are missing, and the running statistics of batch normalisation.",
        "other": "Go through both state_dict()s side by side, and give the target the source's values.",
    },
)
