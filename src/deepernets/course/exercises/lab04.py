"""Exercises of lab 4: build ResNet."""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deepernets.course.exercises.judging import FunctionExercise, Mistake, NumberExercise
from deepernets.course.exercises.values import network, normal, run_network, tensor

OUTPUT = tensor("the output")


def _read_output(value: Any) -> dict[str, Any]:
    """Return a tensor, its type, and whether a network that it is part of could be trained."""
    seen = {"the output": OUTPUT(value), "the output's dtype": str(value.dtype)}
    return seen | {"requires_grad of the output": value.requires_grad}


Function = Callable[[Tensor], Tensor]
Forward = Callable[[Tensor, Function, Function], Tensor]


def _residual(function: Forward, x: Tensor, inner: Tensor, outer: Tensor | None) -> dict[str, Any]:
    """Run a block whose branch and shortcut multiply the channels by matrices; without one, x stays x."""

    def by(matrix: Tensor | None) -> Function:
        if matrix is None:
            return lambda x: x
        weights = matrix.requires_grad_()
        return lambda x: torch.einsum("oc,nc...->no...", weights, x)

    return _read_output(function(x, by(inner), by(outer)))


RESIDUAL_FORWARD = FunctionExercise(
    "residual_forward(x, branch, shortcut)",
    returns=_read_output,
    reference=lambda x, branch, shortcut: F.relu(branch(x) + shortcut(x)),
    inputs=lambda draw: [
        (normal(draw, 1, 2), normal(draw, 2, 2), None),
        (normal(draw, 5, 4), normal(draw, 4, 4), normal(draw, 4, 4)),
        (normal(draw, 2, 3, 4, 5), normal(draw, 6, 3), normal(draw, 6, 3)),
    ],
    observe=_residual,
    shown=lambda x, inner, outer: (
        f"x of shape {tuple(x.shape)}, a linear branch, {'the identity' if outer is None else 'a linear shortcut'}"
    ),
    keeps_inputs=True,
    mistakes=[
        Mistake("no relu", lambda x, f, s: f(x) + s(x), "The sum is right. The ReLU after it is missing."),
        Mistake(
            "relu before",
            lambda x, f, s: f(x).relu() + s(x),
            "The ReLU comes after the addition, not before it: F must be able to subtract.",
        ),
        Mistake(
            "relu each",
            lambda x, f, s: f(x).relu() + s(x).relu(),
            "One ReLU of the sum, not two of its parts: F must be able to subtract.",
        ),
        Mistake(
            "relu twice",
            lambda x, f, s: (f(x).relu() + s(x)).relu(),
            "The ReLU after the addition is right. The one before it keeps F from subtracting.",
        ),
        Mistake(
            "not projected",
            lambda x, f, s: (f(x) + x).relu(),
            "You add x itself. Where shapes change, the shortcut must change it first.",
        ),
        Mistake(
            "in a row",
            [
                lambda x, f, s: f(s(x)).relu(),
                lambda x, f, s: s(f(x)).relu(),
                lambda x, f, s: (f(x) + s(f(x))).relu(),
            ],
            "Branch and shortcut are parallel: both get x.",
        ),
        Mistake(
            "no shortcut", lambda x, f, s: f(x).relu(), "The shortcut is missing: that is a plain block."
        ),
        Mistake(
            "no branch", lambda x, f, s: s(x).relu(), "The branch is missing: only the shortcut is left."
        ),
        Mistake(
            "difference",
            [lambda x, f, s: (f(x) - s(x)).relu(), lambda x, f, s: (s(x) - f(x)).relu()],
            "F learns what to add: take the sum of the two.",
        ),
        Mistake("product", lambda x, f, s: (f(x) * s(x)).relu(), "Add the two. A product would be a gate."),
        Mistake(
            "concatenated",
            [
                lambda x, f, s: torch.cat([f(x), s(x)], 1).relu(),
                lambda x, f, s: torch.cat([s(x), f(x)], 1).relu(),
            ],
            "Add the two number by number. You concatenate them.",
        ),
    ],
)


def _every(x: Tensor, stride: int) -> Tensor:
    return x[:, :, ::stride, ::stride]


def _padded(x: Tensor, before: int, after: int) -> Tensor:
    return F.pad(x, (0, 0, 0, 0, before, after))


def _zero_padded(x: Tensor, channels: int, stride: int) -> Tensor:
    """Return option A's shortcut: (N, channels, H / stride, W / stride)."""
    return _padded(_every(x, stride), 0, channels - x.shape[1])


def _thinned(thin: Callable[[Tensor, int], Tensor]) -> Callable[[Tensor, int, int], Tensor]:
    return lambda x, channels, stride: _padded(thin(x, stride), 0, channels - x.shape[1])


def _filled(fill: Callable[[Tensor, int], Tensor]) -> Callable[[Tensor, int, int], Tensor]:
    return lambda x, channels, stride: fill(_every(x, stride), channels)


def _half(x: Tensor, channels: int) -> int:
    return (channels - x.shape[1]) // 2


ZERO_PADDED = FunctionExercise(
    "zero_padded(x, channels, stride)",
    returns=_read_output,
    reference=_zero_padded,
    inputs=lambda draw: [
        (normal(draw, 1, 1, 2, 2), 2, 2),
        (normal(draw, 2, 4, 6, 6), 12, 2),
        (normal(draw, 2, 4, 6, 6), 4, 1),
        (normal(draw, 1, 2, 5, 7), draw.choice((3, 5)), 3),
        (normal(draw, 1, 3, 4, 6), 8, 1),
        (normal(draw, 1, 3, 7, 4), 3, 2),
    ],
    observe=lambda function, x, *sizes: _read_output(function(x.requires_grad_(), *sizes)),
    shown=lambda x, channels, stride: f"x of shape {tuple(x.shape)}, {channels}, {stride}",
    mistakes=[
        Mistake(
            "stride forgotten",
            _thinned(lambda x, s: x),
            "The channels are right. Of the pixels, keep only every stride-th one.",
        ),
        Mistake(
            "pooled",
            [_thinned(F.avg_pool2d), _thinned(lambda x, s: F.avg_pool2d(x, s, ceil_mode=True))],
            "Those are averages. Option A keeps every stride-th pixel as it is.",
        ),
        Mistake(
            "max pooled",
            [_thinned(F.max_pool2d), _thinned(lambda x, s: F.max_pool2d(x, s, ceil_mode=True))],
            "Those are maxima. Option A keeps every stride-th pixel as it is.",
        ),
        Mistake(
            "corner",
            _thinned(lambda x, s: x[:, :, : x.shape[2] // s, : x.shape[3] // s]),
            "That is the corner of each map. Take every stride-th pixel of the whole map.",
        ),
        Mistake(
            "one direction",
            [_thinned(lambda x, s: x[:, :, ::s]), _thinned(lambda x, s: x[..., ::s])],
            "Pixels are skipped in one direction only: rows and columns both need the stride.",
        ),
        Mistake(
            "offset",
            [
                _thinned(lambda x, s: x[:, :, s - 1 :: s, s - 1 :: s]),
                _thinned(lambda x, s: x[:, :, s // 2 :: s, s // 2 :: s]),
            ],
            "Every stride-th pixel is right, but start from the first one.",
        ),
        Mistake(
            "always two",
            lambda x, channels, stride: _zero_padded(x, channels, 2),
            "You always take every second pixel. Use `stride`: with 1 all pixels stay.",
        ),
        Mistake(
            "doubled",
            _filled(lambda x, c: _padded(x, 0, x.shape[1])),
            "That doubles the channels. How many does `channels` ask for?",
        ),
        Mistake(
            "all of them",
            _filled(lambda x, c: _padded(x, 0, c)),
            "Too many channels: add only those that x does not have.",
        ),
        Mistake(
            "half of all per side",
            _filled(lambda x, c: _padded(x, c // 2, c // 2)),
            "Add only the channels that x lacks, and add them after its own.",
        ),
        Mistake(
            "both sides",
            [
                _filled(lambda x, c: _padded(x, _half(x, c), _half(x, c))),
                _filled(lambda x, c: _padded(x, _half(x, c), c - x.shape[1] - _half(x, c))),
            ],
            "Add zeros on one side only: all of them come after x's channels.",
        ),
        Mistake(
            "in front",
            _filled(lambda x, c: _padded(x, c - x.shape[1], 0)),
            "The zeros come after x's channels, not before them.",
        ),
        Mistake(
            "repeated",
            [
                _filled(lambda x, c: x[:, torch.arange(c) % x.shape[1]]),
                _filled(lambda x, c: x.repeat(1, c // x.shape[1], 1, 1)),
                _filled(lambda x, c: torch.cat([x, x[:, -1:].expand(-1, c - x.shape[1], -1, -1)], 1)),
            ],
            "The new channels hold zeros, not copies of x's channels.",
        ),
        Mistake(
            "not padded",
            _filled(lambda x, c: x),
            "The pixels are right. Now add channels of zeros until there are `channels`.",
        ),
        Mistake(
            "other dimension",
            [
                _filled(lambda x, c: F.pad(x, (0, c - x.shape[1]))),
                _filled(lambda x, c: F.pad(x, (0, 0, 0, c - x.shape[1]))),
                _filled(lambda x, c: F.pad(x, (0, 0, 0, 0, 0, 0, 0, c - x.shape[1]))),
            ],
            "You pad another dimension. F.pad counts from the last one: width, height, channels, images.",
        ),
    ],
)

Layer = tuple[int, int, int]  # kernel, channels, stride


def _branch(
    c_in: int,
    layers: list[Layer],
    order: tuple[int, ...] = (0, 1, 2),
    relus: int = 2,
    **options: Any,
) -> nn.Sequential:
    """Build a branch; `order` is that of convolution, normalisation and ReLU, and `relus` says how many ReLUs."""
    parts: list[nn.Module] = []
    for place, (kernel, channels, stride) in enumerate(layers):
        made = [
            nn.Conv2d(c_in, channels, kernel, stride, **{"padding": kernel // 2, "bias": False} | options),
            nn.BatchNorm2d(channels),
            nn.ReLU() if place < relus else nn.Identity(),
        ]
        parts += [made[part] for part in order]
        c_in = channels
    return nn.Sequential(*parts)


def _bottleneck(
    c_in: int,
    width: int,
    stride: int,
    kernels: tuple[int, int, int] = (1, 3, 1),
    strides: Callable[[int], tuple[int, int, int]] = lambda stride: (stride, 1, 1),
    expansion: int = 4,
    **options: Any,
) -> nn.Sequential:
    """Return a bottleneck's branch: (N, c_in, H, W) to (N, 4 * width, H / stride, W / stride)."""
    layers = zip(kernels, (width, width, expansion * width), strides(stride), strict=True)
    return _branch(c_in, list(layers), **options)


def _basic(c_in: int, width: int, stride: int, relus: int) -> nn.Sequential:
    return _branch(c_in, [(3, width, stride), (3, width, 1)], relus=relus)


BRANCH = network("an nn.Sequential of the layers")


def _run_branch(
    function: Callable[..., Any], c_in: int, width: int, stride: int, seed: int
) -> dict[str, Any]:
    draw = Random(seed)
    images = normal(draw, 2, c_in, 7, 10)
    model = BRANCH(function(c_in, width, stride))
    return {
        f"the run in {mode} mode": run_network(model, images, draw, train=mode == "training")
        for mode in ("evaluation", "training")
    }


BOTTLENECK_BRANCH = FunctionExercise(
    "bottleneck_branch(c_in, width, stride)",
    returns=BRANCH,
    reference=_bottleneck,
    inputs=lambda draw: [
        (8, 2, 1, draw.getrandbits(16)),
        (8, draw.choice((3, 4)), 2, draw.getrandbits(16)),
        (5, 6, draw.choice((2, 3)), draw.getrandbits(16)),
    ],
    observe=_run_branch,
    shown=lambda c_in, width, stride, seed: f"{c_in}, {width}, {stride}",
    mistakes=[
        Mistake(
            "bias",
            partial(_bottleneck, bias=True),
            "The convolutions need no biases: the normalisation after each has a shift of its own.",
        ),
        Mistake(
            "no normalisation",
            partial(_bottleneck, order=(0, 2)),
            "Batch normalisation is missing: one after every convolution, before its ReLU.",
        ),
        Mistake(
            "no expansion",
            partial(_bottleneck, expansion=1),
            "The last convolution gives four times `width`: the middle is the bottleneck.",
        ),
        Mistake(
            "basic block",
            [partial(_basic, relus=relus) for relus in (1, 2)],
            "That is the basic block. A bottleneck has three convolutions: 1×1, 3×3, 1×1.",
        ),
        Mistake(
            "all 3x3",
            partial(_bottleneck, kernels=(3, 3, 3)),
            "Only the middle convolution is 3×3. The 1×1 ones around it are what makes the block cheap.",
        ),
        Mistake(
            "stride too late",
            [
                partial(_bottleneck, strides=lambda stride: (1, stride, 1)),
                partial(_bottleneck, strides=lambda stride: (1, 1, stride)),
            ],
            "The stride comes too late: in the paper the first convolution, 1×1, has it.",
        ),
        Mistake(
            "stride twice",
            [
                partial(_bottleneck, strides=lambda stride: (stride, stride, 1)),
                partial(_bottleneck, strides=lambda stride: (stride, stride, stride)),
            ],
            "More than one convolution has the stride. Only the first one takes it.",
        ),
        Mistake(
            "no stride",
            partial(_bottleneck, strides=lambda stride: (1, 1, 1)),
            "The stride is not used: the first convolution takes it.",
        ),
        Mistake(
            "always two",
            partial(_bottleneck, strides=lambda stride: (2, 1, 1)),
            "Your stride is always 2. Use `stride`.",
        ),
        Mistake(
            "last relu",
            partial(_bottleneck, relus=3),
            "The third ReLU comes after the addition, so it does not belong to the branch.",
        ),
        Mistake(
            "no relus",
            partial(_bottleneck, relus=0),
            "A ReLU follows the first and the second normalisation.",
        ),
        Mistake(
            "one relu", partial(_bottleneck, relus=1), "A ReLU follows the second normalisation as well."
        ),
        Mistake(
            "relu first",
            partial(_bottleneck, order=(0, 2, 1)),
            "Each ReLU comes after the normalisation, not between it and the convolution.",
        ),
        Mistake(
            "no padding",
            partial(_bottleneck, padding=0),
            "The 3×3 convolution makes the map smaller: which padding keeps its size?",
        ),
        Mistake(
            "padding everywhere",
            partial(_bottleneck, padding=1),
            "A 1×1 kernel needs no padding: it adds a border of zeros to the map.",
        ),
    ],
)


WEIGHTS, CHANNELS = 16 * 32 + 32 * 64, 32 + 64  # of option B's two projections

EXTRA_OF_B = NumberExercise(
    "extra_of_b",
    expected="parameters of all projections together",
    reference=WEIGHTS + 2 * CHANNELS,
    mistakes=[
        Mistake(
            "no normalisation",
            WEIGHTS,
            "The 1×1 weights are right. A batch normalisation follows each projection.",
        ),
        Mistake(
            "one per channel",
            WEIGHTS + CHANNELS,
            "There are no biases, but a normalisation with a scale and a shift for each channel.",
        ),
        Mistake(
            "statistics",
            WEIGHTS + 4 * CHANNELS,
            "Running means and variances are not learned, so they do not count.",
        ),
        Mistake(
            "one",
            [16 * 32 + 2 * 32, 16 * 32],
            "That is the first projection, from 16 to 32 channels. There is a second one.",
        ),
        Mistake(
            "last one",
            [32 * 64 + 2 * 64, 32 * 64],
            "That is the second projection, from 32 to 64 channels. There is a first one.",
        ),
        Mistake(
            "option C",
            14_240,
            "That is option C, a projection in every block. B has them where shapes change.",
        ),
        Mistake(
            "3x3",
            [9 * WEIGHTS + 2 * CHANNELS, 9 * WEIGHTS],
            "A projection is a 1×1 convolution: one weight per pair of channels.",
        ),
        Mistake(
            "every block",
            3 * (WEIGHTS + 2 * CHANNELS),
            "Only the first block of a stage changes shapes. The others keep the identity.",
        ),
        Mistake("nothing", 0, "Option A is free. A projection has weights."),
    ],
    otherwise="Two projections, 16 to 32 and 32 to 64 channels: weights, scales and shifts.",
)


def _layers() -> list[nn.Module]:
    return [nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2)]


def _named(nested: bool) -> nn.Sequential:
    """Return the same layers under other names; `nested` puts some of them into a module of their own."""
    layers = dict(zip(("stem", "norm", "relu", "flat", "fc"), _layers(), strict=True))
    target = nn.Sequential()
    for name, layer in layers.items():
        target.add_module(name, layer)
    return nn.Sequential(target[:2], target[2:]) if nested else target


def _fill(model: nn.Module, draw: Random) -> None:
    for values in model.state_dict().values():
        values.copy_(
            normal(draw, *values.shape) if values.is_floating_point() else torch.tensor(draw.randint(1, 9))
        )


def _state(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor("every value")(values) for name, values in model.state_dict().items()}


def _copy(function: Callable[[nn.Module, nn.Module], Any], nested: bool, seed: int) -> dict[str, Any]:
    """Return both networks' values after a copy, and whether they share memory."""
    source, target = nn.Sequential(*_layers()), _named(nested)
    for model in (source, target):
        _fill(model, Random(seed))
        seed += 1
    function(source, target)
    seen = {"the source": _state(source), "the target": _state(target)}
    ours, theirs = (
        {v.untyped_storage().data_ptr() for v in m.state_dict().values()} for m in (source, target)
    )
    return {**seen, "'the two share memory'": bool(ours & theirs)}


def _copy_where(chosen: Callable[[str, Tensor], bool]) -> Callable[[nn.Module, nn.Module], None]:
    """Return a copy, in order, of the values for which `chosen` says so."""

    def copy(source: nn.Module, target: nn.Module) -> None:
        pairs = zip(source.state_dict().items(), target.state_dict().values(), strict=True)
        for (name, theirs), mine in pairs:
            if chosen(name, theirs):
                mine.copy_(theirs)

    return copy


_copy_weights = _copy_where(lambda name, values: True)


def _assign(source: nn.Module, target: nn.Module) -> None:
    target.load_state_dict(
        dict(zip(target.state_dict(), source.state_dict().values(), strict=True)), assign=True
    )


def _share_parameters(source: nn.Module, target: nn.Module) -> None:
    for mine, theirs in zip(target.parameters(), source.parameters(), strict=True):
        mine.data = theirs.data


def _share_parameters_and_copy(source: nn.Module, target: nn.Module) -> None:
    _copy_weights(source, target)
    _share_parameters(source, target)


COPY_WEIGHTS = FunctionExercise(
    "copy_weights(source, target)",
    returns=_state,
    reference=_copy_weights,
    inputs=lambda draw: [(nested, draw.getrandbits(16)) for nested in (False, True)],
    observe=_copy,
    shown=lambda nested, seed: "two networks of Conv2d, BatchNorm2d and Linear",
    mistakes=[
        Mistake(
            "wrong direction",
            lambda source, target: _copy_weights(target, source),
            "You change the source. It is the target that gets the values.",
        ),
        Mistake(
            "nothing copied",
            lambda source, target: None,
            "The target is as it was. If you match names: they differ, and only the order is the same.",
        ),
        Mistake(
            "shares memory",
            [_assign, _share_parameters_and_copy],
            "The values are right, but shared: training one network would change the other.",
        ),
        Mistake(
            "parameters only",
            [_copy_where(lambda name, values: name.endswith(("weight", "bias"))), _share_parameters],
            "The running means and variances of batch normalisation are missing: they are buffers.",
        ),
        Mistake(
            "buffers only",
            _copy_where(lambda name, values: not name.endswith(("weight", "bias"))),
            "Only the running statistics were copied. The parameters are missing.",
        ),
        Mistake(
            "weights only",
            _copy_where(lambda name, values: name.endswith("weight")),
            "The biases are missing, and the running statistics of batch normalisation.",
        ),
        Mistake(
            "no counter",
            _copy_where(lambda name, values: values.is_floating_point()),
            "num_batches_tracked is missing: it is in the state_dict(), too.",
        ),
    ],
)

EXERCISES = (RESIDUAL_FORWARD, ZERO_PADDED, BOTTLENECK_BRANCH, EXTRA_OF_B, COPY_WEIGHTS)
