"""The answers that students of lab 4 really give."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F


def padded(x: Any, channels: int, stride: int) -> torch.Tensor:
    """Zeros behind, made by hand."""
    small = x[:, :, ::stride, ::stride]
    n, c, h, w = small.shape
    out = torch.zeros(n, channels, h, w)
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


EXTRA = 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64

RIGHT: list[tuple[str, Any]] = [
    ("residual_forward", lambda x, branch, shortcut: F.relu(branch(x) + shortcut(x))),
    ("residual_forward", lambda x, branch, shortcut: branch(x).add_(shortcut(x)).relu_()),
    ("residual_forward", lambda x, branch, shortcut: torch.add(shortcut(x), branch(x)).clamp(min=0)),
    ("residual_forward", lambda x, branch, shortcut: (branch(x).double() + shortcut(x)).relu().float()),
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
    ("extra_of_b", EXTRA),
    ("extra_of_b", 32 * (16 + 2) + 64 * (32 + 2)),
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
    ("extra_of_b", "no normalisation", 16 * 32 + 32 * 64),
    ("extra_of_b", "one per channel", 16 * 32 + 32 + 32 * 64 + 64),
    ("extra_of_b", "one", 16 * 32 + 2 * 32),
    ("extra_of_b", "last one", 32 * 64 + 2 * 64),
    ("extra_of_b", "option C", 283_962 - 269_722),
    ("extra_of_b", "3x3", 9 * 16 * 32 + 9 * 32 * 64 + 192),
    ("extra_of_b", "every block", 3 * EXTRA),
    ("extra_of_b", "nothing", 0),
    ("extra_of_b", "kind", "many"),
    ("extra_of_b", "other", 1),
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
]
