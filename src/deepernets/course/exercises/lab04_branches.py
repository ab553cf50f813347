"""Exercises of lab 4, second part: the bottleneck, and weights carried from one network to another."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from deepernets.course.checks import Exercise
from deepernets.course.exercises.numbers import draws

Layer = tuple[int, int, int]  # kernel, channels, stride


def _branch(
    c_in: int, layers: list[Layer], bias: bool = False, norm: bool = True, relus: int = 2
) -> nn.Sequential:
    """Build a branch rightly or not; `relus` of its convolutions are followed by one."""
    parts: list[nn.Module] = []
    for number, (kernel, channels, stride) in enumerate(layers):
        parts.append(nn.Conv2d(c_in, channels, kernel, stride, padding=kernel // 2, bias=bias))
        parts += [nn.BatchNorm2d(channels)] if norm else []
        parts += [nn.ReLU()] if number < relus else []
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
    network = answer(c_in, width, 2)
    if not isinstance(network, nn.Module):
        return "no network"
    layers: list[Layer] = [(1, width, 2), (3, width, 1), (1, 4 * width, 1)]
    right = _branch(c_in, layers)
    shapes = _shapes(network)
    by_shape = {
        "bias": _branch(c_in, layers, bias=True),
        "no normalisation": _branch(c_in, layers, norm=False),
        "no expansion": _branch(c_in, [*layers[:2], (1, width, 1)]),
        "two convolutions": _branch(c_in, [(3, width, 2), (3, width, 1)]),
        "all 3x3": _branch(c_in, [(3, channels, stride) for _, channels, stride in layers]),
    }
    if shapes != _shapes(right):
        return next((name for name, other in by_shape.items() if shapes == _shapes(other)), "shapes")
    generator = draws(seed, 43)
    values = list(_randomise(right, generator).values())
    x = torch.randn(2, c_in, 7, 7, generator=generator)
    given = _output(network, values, x)
    if given is None:
        return "does not run"

    def alike(other: nn.Module) -> bool:
        expected = _output(other, values, x)
        return (
            expected is not None
            and given.shape == expected.shape
            and torch.allclose(given, expected, atol=1e-4)
        )

    usual = {
        "stride too late": _branch(c_in, [(1, width, 1), (3, width, 2), (1, 4 * width, 1)]),
        "no stride": _branch(c_in, [(1, width, 1), (3, width, 1), (1, 4 * width, 1)]),
        "last relu": _branch(c_in, layers, relus=3),
        "no relus": _branch(c_in, layers, relus=0),
        "one relu": _branch(c_in, layers, relus=1),
    }
    return None if alike(right) else next((name for name, other in usual.items() if alike(other)), "other")


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
        "shapes": "The weights have other shapes: 1×1, 3×3, 1×1, each followed by its normalisation.",
        "does not run": "The branch takes no maps of 7×7: does each layer take what the one before gives?",
        "stride too late": "The stride comes too late: in the paper the first convolution, 1×1, has it.",
        "no stride": "The stride is not used: the first convolution takes it.",
        "last relu": "The third ReLU comes after the addition, so it does not belong to the branch.",
        "no relus": "There is a ReLU behind the first and the second normalisation.",
        "one relu": "There are two ReLUs in the branch: the second normalisation has one behind it as well.",
        "other": "Convolution and normalisation, three times; which padding keeps the 3×3's map?",
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
