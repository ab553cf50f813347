"""The answers that students of lab 4 really give."""

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def padded(x: Any, channels: int, stride: int) -> torch.Tensor:
    """Zeros behind, made by hand."""
    small = x[:, :, ::stride, ::stride]
    n, c, h, w = small.shape
    out = x.new_zeros(n, channels, h, w)
    out[:, :c] = small
    return out


def branch(c_in: int, width: int, stride: int, **change: Any) -> nn.Sequential:
    """A bottleneck, but for what is changed."""
    strides = change.get("strides", (stride, 1, 1))
    kernels = change.get("kernels", (1, 3, 1))
    widths = change.get("widths", (width, width, 4 * width))
    layers: list[nn.Module] = []
    for i, (k, c, s) in enumerate(zip(kernels, widths, strides, strict=True)):
        padding = change.get("padding", k // 2)
        layers.append(nn.Conv2d(c_in, c, k, s, padding, bias=change.get("bias", False)))
        norm = [nn.BatchNorm2d(c)] if change.get("norm", True) else []
        relu = [nn.ReLU()] if i in change.get("relus", (0, 1)) else []
        layers += [*relu, *norm] if change.get("relu_first") else [*norm, *relu]
        c_in = c
    return nn.Sequential(*layers)


class Bottleneck(nn.Module):
    """The same branch as a module with a forward of its own."""

    def __init__(self, c_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, width, 1, stride=stride, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding="same", bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width * 4, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width * 4)

    def forward(self, x: Any) -> Any:
        x = torch.relu(self.bn1(self.conv1(x)))
        x = torch.relu(self.bn2(self.conv2(x)))
        return self.bn3(self.conv3(x))


def add_in_place(x: Any, branch: Any, shortcut: Any) -> Any:
    out = shortcut(x)
    out += branch(x)
    return out.relu()


class Agreeable(torch.Tensor):
    """Says yes to whatever is asked of it."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return torch.Size([5, 4]) if getattr(func, "__name__", "") == "__get__" else True


class AgreeableBranch(nn.Sequential):
    def forward(self, x: Any) -> Any:
        return torch.zeros(5, 4).as_subclass(Agreeable)


def copy_all(source: Any, target: Any) -> None:
    with torch.no_grad():
        for mine, theirs in zip(target.state_dict().values(), source.state_dict().values(), strict=True):
            mine.copy_(theirs)


def load(source: Any, target: Any) -> Any:
    values = source.state_dict().values()
    target.load_state_dict(dict(zip(target.state_dict().keys(), values, strict=True)))
    return target


def copy_some(kind: str) -> Any:
    def copy(source: Any, target: Any) -> None:
        with torch.no_grad():
            for mine, theirs in zip(getattr(target, kind)(), getattr(source, kind)(), strict=True):
                mine.copy_(theirs)

    return copy


def copy_weights_only(source: Any, target: Any) -> None:
    weighty = [[layer for layer in model.modules() if hasattr(layer, "weight")] for model in (source, target)]
    for theirs, mine in zip(*weighty, strict=True):
        mine.weight.data.copy_(theirs.weight.data)


def copy_parameters_and_buffers(source: Any, target: Any) -> None:
    copy_some("parameters")(source, target)
    copy_some("buffers")(source, target)


def copy_floats(source: Any, target: Any) -> None:
    for mine, theirs in zip(target.state_dict().values(), source.state_dict().values(), strict=True):
        if mine.is_floating_point():
            mine.copy_(theirs)


def assign(source: Any, target: Any) -> None:
    state = dict(zip(target.state_dict(), source.state_dict().values(), strict=True))
    target.load_state_dict(state, assign=True)


def halves(x: Any, channels: int, stride: int, each: Any) -> Any:
    return F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, each(x, channels), each(x, channels)))


def shapes(
    repeats: Any,
    widths: Any,
    c_in: int,
    expansion: int,
    stride: Any = lambda stage, block: 2 if stage and not block else 1,
    next_in: Any = lambda c_in, width, c_out: c_out,
) -> list[tuple[int, int, int]]:
    """A list of blocks, but for what is changed."""
    out = []
    for stage in range(len(widths)):
        c_out = widths[stage] * expansion
        for block in range(repeats[stage]):
            out.append((c_in, c_out, stride(stage, block)))
            c_in = next_in(c_in, widths[stage], c_out)
    return out


def shapes_by_pairs(repeats: Any, widths: Any, c_in: int, expansion: int) -> list[list[int]]:
    outs = [expansion * width for repeat, width in zip(repeats, widths, strict=True) for _ in range(repeat)]
    stage = [index for index, repeat in enumerate(repeats) for _ in range(repeat)]
    starts = [0, *(int(a != b) for a, b in pairwise(stage))]
    ins = [c_in, *outs[:-1]]
    return [[i, o, s + 1] for i, o, s in zip(ins, outs, starts, strict=True)]


def shapes_of_the_stage(repeats: Any, widths: Any, c_in: int, expansion: int) -> list[Any]:
    out = []
    for stage, (repeat, width) in enumerate(zip(repeats, widths, strict=True)):
        for block in range(repeat):
            out.append((c_in, expansion * width, 2 if stage and not block else 1))
        c_in = expansion * width
    return out


def count(  # noqa: PLR0913
    blocks: Any,
    option: str,
    kernel: int = 1,
    each: int = 2,
    changes: Any = lambda c_in, c_out, stride: c_in != c_out or stride > 1,
    everywhere: str = "C",
    nowhere: str = "A",
) -> int:
    """The parameters of the shortcuts, but for what is changed."""
    total = 0
    for c_in, c_out, stride in blocks:
        if option not in nowhere and (option in everywhere or changes(c_in, c_out, stride)):
            total += kernel**2 * c_in * c_out + each * c_out
    return total


def count_by_building(blocks: Any, option: str) -> int:
    total = 0
    for c_in, c_out, stride in blocks:
        if option == "C" or (option == "B" and (c_in, 1) != (c_out, stride)):
            layers = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))
            total += sum(parameter.numel() for parameter in layers.parameters())
    return total


class Preactivation(nn.Module):
    """A pre-activation block, but for what is changed."""

    def __init__(self, c_in: int, c_out: int, stride: int, **change: Any) -> None:
        super().__init__()
        bias = change.get("bias", False)
        first, second = change.get("strides", (stride, 1))
        self.bn1 = nn.BatchNorm2d(c_in) if change.get("norm", True) else nn.Identity()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, first, 1, bias=bias)
        self.bn2 = nn.BatchNorm2d(c_out) if change.get("norm", True) else nn.Identity()
        self.conv2 = nn.Conv2d(c_out, c_out, 3, second, 1, bias=bias)
        self.project = c_in != c_out or stride != 1 or change.get("always", False)
        if self.project:
            self.shortcut = nn.Conv2d(c_in, c_out, 1, stride, bias=False)
            self.bn3 = nn.BatchNorm2d(c_out) if change.get("normed", False) else nn.Identity()
        self.act = torch.relu if change.get("relu", True) else lambda x: x
        self.shared, self.last = change.get("shared", False), change.get("last", False)

    def forward(self, x: Any) -> Any:
        a = self.act(self.bn1(x))
        b = self.conv2(self.act(self.bn2(self.conv1(a))))
        s = self.bn3(self.shortcut(a if self.shared else x)) if self.project else x
        return (b + s).relu() if self.last else b + s


class Added(nn.Module):
    """A branch of layers, plus x or its projection."""

    def __init__(self, c_in: int, c_out: int, stride: int, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        change = (c_in, 1) != (c_out, stride)
        self.shortcut = nn.Conv2d(c_in, c_out, 1, stride, bias=False) if change else nn.Sequential()

    def forward(self, x: Any) -> Any:
        return self.layers(x) + self.shortcut(x)


def layers_of(order: str) -> Any:
    """A pre-activation block whose branch has the layers C, N and R in this order."""

    def block(c_in: int, c_out: int, stride: int) -> Any:
        layers: list[nn.Module] = []
        seen = c_in
        for letter in order:
            if letter == "C":
                first = seen == c_in and not any(isinstance(layer, nn.Conv2d) for layer in layers)
                layers.append(nn.Conv2d(seen, c_out, 3, stride if first else 1, 1, bias=False))
                seen = c_out
            else:
                layers.append(nn.BatchNorm2d(seen) if letter == "N" else nn.ReLU())
        return Added(c_in, c_out, stride, *layers)

    return block


class ShortcutFirst(nn.Module):
    """A right block whose parameters are in another order."""

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        right = layers_of("NRCNRC")(c_in, c_out, stride)
        self.shortcut, self.layers = right.shortcut, right.layers

    def forward(self, x: Any) -> Any:
        return self.shortcut(x) + self.layers(x)


class Padded(Preactivation):
    def forward(self, x: Any) -> Any:
        b = self.conv2(self.act(self.bn2(self.conv1(self.act(self.bn1(x))))))
        return b + padded(x, b.shape[1], -(-x.shape[2] // b.shape[2]))


def padded_block(c_in: int, c_out: int, stride: int) -> Any:
    block = Padded(c_in, c_out, stride)
    if block.project:
        del block.shortcut
    return block


class Minus(Added):
    def forward(self, x: Any) -> Any:
        return self.layers(x) - self.shortcut(x)


def preactivated(**change: Any) -> Any:
    return lambda c_in, c_out, stride: Preactivation(c_in, c_out, stride, **change)


def all_but_the_sum(joined: Any) -> Any:
    """A pre-activation block that joins its parts, and x, in a way of its own."""

    class Joined(Preactivation):
        def forward(self, x: Any) -> Any:
            a = self.act(self.bn1(x))
            b = self.conv2(self.act(self.bn2(self.conv1(a))))
            return joined(b, self.shortcut if self.project else lambda x: x, x, a)

    return Joined


class FirstNotUsed(Preactivation):
    def forward(self, x: Any) -> Any:
        b = self.conv2(self.act(self.bn2(self.conv1(x))))
        return (b + (self.shortcut(x) if self.project else x)).relu()


def padded_in_float32(x: Any, channels: int, stride: int) -> torch.Tensor:
    out = torch.zeros(len(x), channels, -(-x.shape[2] // stride), -(-x.shape[3] // stride))
    out[:, : x.shape[1]] = x[:, :, ::stride, ::stride]
    return out


def add_where_possible(c_in: int, width: int, stride: int) -> nn.Module:
    layers = branch(c_in, width, stride)
    return Joint(layers) if (c_in, stride) == (4 * width, 1) else layers


class Joint(nn.Module):
    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: Any) -> Any:
        return x + self.layers(x)


def shapes_by_channels(*call: Any) -> list[tuple[int, int, int]]:
    blocks = shapes(*call)
    return [(*blocks[0][:2], 1), *((i, o, 2 if i != o else 1) for i, o, _ in blocks[1:])]


def shapes_from_stack(repeats: Any, widths: Any, c_in: int, expansion: int) -> list[tuple[int, int, int]]:
    out = shapes(list(repeats), list(widths), c_in, expansion)
    while repeats:
        repeats.pop()
    return out


def freeze(source: Any, target: Any) -> None:
    copy_all(source, target.requires_grad_(False))


RIGHT: list[tuple[str, Any]] = [
    ("residual_forward", lambda x, branch, shortcut: F.relu(branch(x) + shortcut(x))),
    ("residual_forward", lambda x, branch, shortcut: branch(x).add_(shortcut(x)).relu_()),
    ("residual_forward", lambda x, branch, shortcut: torch.add(shortcut(x), branch(x)).clamp(min=0)),
    ("residual_forward", lambda x, branch, shortcut: (branch(x).double() + shortcut(x)).relu().type_as(x)),
    ("zero_padded", padded),
    (
        "zero_padded",
        lambda x, channels, stride: F.pad(
            x[:, :, ::stride, ::stride], (0, 0, 0, 0, 0, channels - x.shape[1])
        ),
    ),
    ("zero_padded", lambda x, channels, stride: padded(F.max_pool2d(x, 1, stride), channels, 1)),
    ("bottleneck_branch", branch),
    ("bottleneck_branch", Bottleneck),
    ("block_shapes", shapes),
    ("block_shapes", shapes_by_pairs),
    ("block_shapes", lambda *c: np.array(shapes(*c))),
    ("block_shapes", lambda *c: torch.tensor(shapes(*c))),
    ("shortcut_parameters", count),
    ("shortcut_parameters", count_by_building),
    ("preactivation_block", Preactivation),
    ("preactivation_block", layers_of("NRCNRC")),
    ("copy_weights", copy_all),
    ("copy_weights", load),
    ("copy_weights", copy_parameters_and_buffers),
]
WRONG: list[tuple[str, str, Any]] = [
    ("residual_forward", "no relu", lambda x, branch, shortcut: branch(x) + shortcut(x)),
    ("residual_forward", "relu before", lambda x, branch, shortcut: F.relu(branch(x)) + shortcut(x)),
    ("residual_forward", "relu each", lambda x, branch, shortcut: F.relu(branch(x)) + F.relu(shortcut(x))),
    (
        "residual_forward",
        "relu twice",
        lambda x, branch, shortcut: F.relu(F.relu(branch(x)) + shortcut(x)),
    ),
    ("residual_forward", "counter-example", lambda x, f, s: F.relu(f(x) + s(x)).detach()),
    ("residual_forward", "counter-example", lambda x, f, s: F.relu(f(x) + s(x).detach())),
    ("residual_forward", "kind", lambda x, f, s: F.relu(f(x) + s(x)).tolist()),
    ("residual_forward", "not projected", lambda x, branch, shortcut: F.relu(branch(x) + x)),
    ("residual_forward", "in a row", lambda x, branch, shortcut: F.relu(branch(shortcut(x)))),
    ("residual_forward", "changes inputs", add_in_place),
    (
        "residual_forward",
        "kind",
        lambda x, branch, shortcut: torch.zeros(5, 4).as_subclass(Agreeable),
    ),
    ("residual_forward", "no shortcut", lambda x, branch, shortcut: F.relu(branch(x))),
    ("residual_forward", "no branch", lambda x, branch, shortcut: F.relu(shortcut(x))),
    ("residual_forward", "difference", lambda x, branch, shortcut: F.relu(branch(x) - shortcut(x))),
    ("residual_forward", "product", lambda x, branch, shortcut: F.relu(branch(x) * shortcut(x))),
    (
        "residual_forward",
        "concatenated",
        lambda x, branch, shortcut: F.relu(torch.hstack([branch(x), shortcut(x)])),
    ),
    ("residual_forward", "kind", lambda x, branch, shortcut: None),
    ("residual_forward", "counter-example", lambda x, branch, shortcut: torch.tanh(branch(x) + shortcut(x))),
    ("residual_forward", "mean", lambda x, f, s: F.relu(torch.stack([f(x), s(x)]).mean(0))),
    ("zero_padded", "counter-example", padded_in_float32),
    ("zero_padded", "counter-example", lambda x, c, s: padded(x, c, s).double()),
    ("zero_padded", "counter-example", lambda x, c, s: padded(x, c, s).detach()),
    ("zero_padded", "stride forgotten", lambda x, channels, stride: padded(x, channels, 1)),
    ("zero_padded", "pooled", lambda x, channels, stride: padded(F.avg_pool2d(x, stride), channels, 1)),
    ("zero_padded", "max pooled", lambda x, channels, stride: padded(F.max_pool2d(x, stride), channels, 1)),
    (
        "zero_padded",
        "corner",
        lambda x, channels, stride: padded(
            x[:, :, : x.shape[2] // stride, : x.shape[3] // stride], channels, 1
        ),
    ),
    ("zero_padded", "one direction", lambda x, channels, stride: padded(x[:, :, ::stride], channels, 1)),
    ("zero_padded", "offset", lambda x, c, s: padded(x[:, :, s - 1 :: s, s - 1 :: s], c, 1)),
    ("zero_padded", "doubled", lambda x, channels, stride: padded(x, 2 * x.shape[1], stride)),
    ("zero_padded", "all of them", lambda x, channels, stride: padded(x, channels + x.shape[1], stride)),
    ("zero_padded", "half of all per side", lambda x, c, s: halves(x, c, s, lambda x, c: c // 2)),
    ("zero_padded", "both sides", lambda x, c, s: halves(x, c, s, lambda x, c: (c - x.shape[1]) // 2)),
    (
        "zero_padded",
        "in front",
        lambda x, channels, stride: padded(x, channels, stride).roll(channels - x.shape[1], 1),
    ),
    ("zero_padded", "repeated", lambda x, c, s: x[:, :, ::s, ::s].repeat(1, c // x.shape[1], 1, 1)),
    ("zero_padded", "not padded", lambda x, channels, stride: x[:, :, ::stride, ::stride]),
    (
        "zero_padded",
        "other dimension",
        lambda x, channels, stride: F.pad(x[:, :, ::stride, ::stride], (0, channels - x.shape[1])),
    ),
    (
        "zero_padded",
        "other dimension",
        lambda x, channels, stride: F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, channels - x.shape[1])),
    ),
    ("zero_padded", "counter-example", lambda x, c, s: padded(F.interpolate(x, scale_factor=1 / s), c, 1)),
    (
        "zero_padded",
        "always two",
        lambda x, channels, stride: padded(x, channels, 2),
    ),
    ("zero_padded", "kind", lambda x, channels, stride: None),
    ("zero_padded", "counter-example", lambda x, channels, stride: 2 * padded(x, channels, stride)),
    ("bottleneck_branch", "counter-example", lambda c, w, s: branch(c, w, s).append(nn.Dropout())),
    ("bottleneck_branch", "kind", lambda c, w, s: branch(c, w, s).double()),
    ("bottleneck_branch", "shortcut", add_where_possible),
    ("bottleneck_branch", "bias", lambda c, w, s: branch(c, w, s, bias=True)),
    ("bottleneck_branch", "no normalisation", lambda c, w, s: branch(c, w, s, norm=False)),
    ("bottleneck_branch", "no expansion", lambda c, w, s: branch(c, w, s, widths=(w, w, w))),
    (
        "bottleneck_branch",
        "basic block",
        lambda c, w, s: branch(c, w, s, kernels=(3, 3), widths=(w, w), strides=(s, 1)),
    ),
    ("bottleneck_branch", "all 3x3", lambda c, w, s: branch(c, w, s, kernels=(3, 3, 3))),
    ("bottleneck_branch", "counter-example", lambda c, w, s: branch(c, w, s, widths=(w, 2 * w, 4 * w))),
    ("bottleneck_branch", "stride too late", lambda c, w, s: branch(c, w, s, strides=(1, s, 1))),
    ("bottleneck_branch", "stride too late", lambda c, w, s: branch(c, w, s, strides=(1, 1, s))),
    ("bottleneck_branch", "no stride", lambda c, w, s: branch(c, w, 1)),
    ("bottleneck_branch", "last relu", lambda c, w, s: branch(c, w, s, relus=(0, 1, 2))),
    ("bottleneck_branch", "no relus", lambda c, w, s: branch(c, w, s, relus=())),
    ("bottleneck_branch", "one relu", lambda c, w, s: branch(c, w, s, relus=(0,))),
    ("bottleneck_branch", "kind", lambda c, w, s: list(branch(c, w, s))),
    ("bottleneck_branch", "no padding", lambda c, w, s: branch(c, w, s, padding=0)),
    ("bottleneck_branch", "padding everywhere", lambda c, w, s: branch(c, w, s, padding=1)),
    ("bottleneck_branch", "relu first", lambda c, w, s: branch(c, w, s, relu_first=True)),
    ("bottleneck_branch", "stride twice", lambda c, w, s: branch(c, w, s, strides=(s, s, 1))),
    ("bottleneck_branch", "always two", lambda c, w, s: branch(c, w, 2)),
    ("bottleneck_branch", "kind", lambda c, w, s: AgreeableBranch(*branch(c, w, s))),
    ("bottleneck_branch", "counter-example", lambda c, w, s: nn.Sequential(branch(c, w, s), nn.Tanh())),
    (
        "block_shapes",
        "first stage strides",
        partial(shapes, stride=lambda stage, block: 1 if block else 2),
    ),
    (
        "block_shapes",
        "every block strides",
        partial(shapes, stride=lambda stage, block: 2 if stage else 1),
    ),
    ("block_shapes", "every block strides", partial(shapes, stride=lambda stage, block: 2)),
    ("block_shapes", "stride by channels", shapes_by_channels),
    ("block_shapes", "changes inputs", shapes_from_stack),
    ("block_shapes", "no stride", partial(shapes, stride=lambda stage, block: 1)),
    (
        "block_shapes",
        "stride is the factor",
        partial(shapes, stride=lambda stage, block: 1 if block else stage + 1),
    ),
    (
        "block_shapes",
        "not expanded",
        lambda repeats, widths, c_in, expansion: shapes(repeats, widths, c_in, 1),
    ),
    ("block_shapes", "input not expanded", partial(shapes, next_in=lambda c_in, width, c_out: width)),
    ("block_shapes", "input of the stage", shapes_of_the_stage),
    ("block_shapes", "input of the stage", partial(shapes, next_in=lambda c_in, width, c_out: c_in)),
    ("block_shapes", "input is output", lambda *c: [(o, o, s) for _, o, s in shapes(*c)]),
    ("block_shapes", "one block each", lambda repeats, *c: shapes([1 for _ in repeats], *c)),
    ("block_shapes", "one block less", lambda repeats, *c: shapes([n - 1 for n in repeats], *c)),
    (
        "block_shapes",
        "last block strides",
        lambda repeats, widths, c_in, expansion: shapes(
            repeats,
            widths,
            c_in,
            expansion,
            lambda stage, block: 1 + (block == repeats[stage] - 1 and stage < len(repeats) - 1),
        ),
    ),
    ("block_shapes", "order", lambda *c: [(o, i, s) for i, o, s in shapes(*c)]),
    ("block_shapes", "kind", lambda *c: [(o, s) for i, o, s in shapes(*c)]),
    ("block_shapes", "kind", lambda *c: [shapes(*c)]),
    ("block_shapes", "kind", lambda *c: len(shapes(*c))),
    ("block_shapes", "counter-example", lambda *c: shapes(*c)[::-1]),
    (
        "block_shapes",
        "exception",
        lambda n, widths, c_in, expansion: shapes([n] * 3, widths, c_in, expansion),
    ),
    ("shortcut_parameters", "no normalisation", partial(count, each=0)),
    ("shortcut_parameters", "one per channel", partial(count, each=1)),
    ("shortcut_parameters", "bias", partial(count, each=3)),
    ("shortcut_parameters", "statistics", partial(count, each=4)),
    (
        "shortcut_parameters",
        "of the channels in",
        lambda blocks, option: sum(
            i * o + 2 * i for i, o, s in blocks if option == "C" or (option == "B" and (i != o or s != 1))
        ),
    ),
    ("shortcut_parameters", "3x3", partial(count, kernel=3)),
    ("shortcut_parameters", "by channels only", partial(count, changes=lambda i, o, s: i != o)),
    ("shortcut_parameters", "by stride only", partial(count, changes=lambda i, o, s: s == 2)),
    (
        "shortcut_parameters",
        "counter-example",
        partial(count, changes=lambda i, o, s: o > i or s == 2),
    ),
    ("shortcut_parameters", "counter-example", lambda blocks, option: count(dict.fromkeys(blocks), option)),
    ("shortcut_parameters", "by both", partial(count, changes=lambda i, o, s: i != o and s == 2)),
    ("shortcut_parameters", "B everywhere", partial(count, everywhere="BC")),
    ("shortcut_parameters", "C like B", partial(count, everywhere="")),
    (
        "shortcut_parameters",
        "C elsewhere",
        lambda blocks, option: count(blocks, option) - (option == "C") * count(blocks, "B"),
    ),
    ("shortcut_parameters", "option ignored", lambda blocks, option: count(blocks, "C")),
    ("shortcut_parameters", "A projects", partial(count, nowhere="")),
    ("shortcut_parameters", "kind", lambda blocks, option: [count([block], option) for block in blocks]),
    ("shortcut_parameters", "counter-example", lambda *c: count(*c) + 1),
    (
        "shortcut_parameters",
        "exception",
        lambda blocks, option: {"B": count(blocks, "B"), "C": count(blocks, "C")}[option],
    ),
    ("preactivation_block", "order of 2015", layers_of("CNRCN")),
    ("preactivation_block", "order of 2015, all activated", layers_of("CNRCNR")),
    ("preactivation_block", "relu after the sum", preactivated(last=True)),
    ("preactivation_block", "ends in a normalisation", layers_of("NRCNRCN")),
    ("preactivation_block", "no first activation", layers_of("CNRC")),
    ("preactivation_block", "one activation", layers_of("NRCC")),
    ("preactivation_block", "relu first", layers_of("RNCNRC")),
    ("preactivation_block", "first activation not used", FirstNotUsed),
    ("preactivation_block", "no first relu", layers_of("NCNRC")),
    ("preactivation_block", "no second relu", layers_of("NRCNC")),
    ("preactivation_block", "activated shortcut", all_but_the_sum(lambda b, s, x, a: b + s(a))),
    ("preactivation_block", "no shortcut", all_but_the_sum(lambda b, s, x, a: b)),
    ("preactivation_block", "relu first", layers_of("RNCRNC")),
    ("preactivation_block", "no relus", preactivated(relu=False)),
    ("preactivation_block", "no normalisation", preactivated(norm=False)),
    ("preactivation_block", "shared activation", preactivated(shared=True)),
    ("preactivation_block", "normalised projection", preactivated(normed=True)),
    ("preactivation_block", "always projected", preactivated(always=True)),
    ("preactivation_block", "stride on the second", lambda i, o, s: Preactivation(i, o, s, strides=(1, s))),
    ("preactivation_block", "no stride", lambda i, o, s: Preactivation(i, o, 1)),
    (
        "preactivation_block",
        "difference",
        lambda i, o, s: Minus(i, o, s, *layers_of("NRCNRC")(i, o, s).layers),
    ),
    ("preactivation_block", "option A", padded_block),
    ("preactivation_block", "shortcut made first", ShortcutFirst),
    ("preactivation_block", "biases", preactivated(bias=True)),
    ("preactivation_block", "no shortcut", lambda i, o, s: layers_of("NRCNRC")(i, o, s).layers),
    (
        "preactivation_block",
        "kind",
        lambda i, o, s: nn.Sequential(Added(i, i, 1, *layers_of("NRCNRC")(i, o, s).layers)),
    ),
    ("preactivation_block", "kind", lambda i, o, s: list(layers_of("NRCNRC")(i, o, s).layers)),
    (
        "preactivation_block",
        "counter-example",
        lambda i, o, s: nn.Sequential(Preactivation(i, o, s), nn.Tanh()),
    ),
    ("copy_weights", "wrong direction", lambda source, target: copy_all(target, source)),
    (
        "copy_weights",
        "nothing copied",
        lambda source, target: target.load_state_dict(source.state_dict(), strict=False),
    ),
    ("copy_weights", "shares memory", assign),
    ("copy_weights", "no counter", copy_floats),
    ("copy_weights", "parameters only", copy_some("parameters")),
    ("copy_weights", "buffers only", copy_some("buffers")),
    ("copy_weights", "weights only", copy_weights_only),
    (
        "copy_weights",
        "counter-example",
        lambda source, target: target.fc.load_state_dict(source[4].state_dict()),
    ),
    ("copy_weights", "counter-example", freeze),
]
