"""Exercises of lab 4: build ResNet."""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deepernets.course.exercises.judging import FunctionExercise, Mistake
from deepernets.course.exercises.values import (
    Raised,
    Reader,
    Unsuitable,
    attempt,
    kind_of,
    network,
    normal,
    number,
    numbers,
    run_network,
    show,
    tensor,
)
from deepernets.models.layers import ZeroPad

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

    output = function(x, by(inner), by(outer))
    seen = _read_output(output)
    if outer is not None:
        # an answer that works in place may have no gradient
        slopes = attempt(lambda: torch.autograd.grad(output.sum(), (inner, outer), allow_unused=True))
        reached = (False, False) if isinstance(slopes, Raised) else (slope is not None for slope in slopes)
        for name, reaches in zip(("branch", "shortcut"), reached, strict=True):
            seen[f"whether a gradient reaches the {name}"] = reaches
    return seen


def _shown_residual(x: Tensor, inner: Tensor, outer: Tensor | None) -> str:
    if x.ndim > 2:
        return f"x of shape {tuple(x.shape)} and type float64, a linear branch, a linear shortcut"
    shortcut = "x" if outer is None else show(x @ outer.T)
    return f"x = {show(x)}, branch(x) = {show(x @ inner.T)}, shortcut(x) = {shortcut}"


RESIDUAL_FORWARD = FunctionExercise(
    "residual_forward(x, branch, shortcut)",
    returns=_read_output,
    reference=lambda x, branch, shortcut: F.relu(branch(x) + shortcut(x)),
    inputs=lambda draw: [
        (torch.tensor([[2.0, -1, 1]]), torch.tensor([[0.0, 1, 0], [1, -1, 0], [-1, 0, 0]]), None),
        (torch.tensor([[1.0, 2]]), torch.tensor([[1.0, -1], [0, 1]]), torch.tensor([[2.0, 1], [1, -1]])),
        (normal(draw, 5, 4), normal(draw, 4, 4), normal(draw, 4, 4)),
        (*(normal(draw, *shape).double() for shape in ((2, 3, 2, 4), (6, 3), (6, 3))),),
    ],
    observe=_residual,
    shown=_shown_residual,
    keeps_inputs=True,
    tries=1,
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
        Mistake("mean", lambda x, f, s: ((f(x) + s(x)) / 2).relu(), "You halve the sum. It is not a mean."),
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
        (normal(draw, 2, 4, 6, 6).double(), 4, 1),
        (normal(draw, 1, 2, 3, 5).double(), 4, 2),
        (normal(draw, 1, 2, 5, 7), draw.choice((3, 5)), 3),
        (normal(draw, 1, 2, 7, 5), 5, 3),
        (normal(draw, 1, 3, 4, 6), 8, 1),
        (normal(draw, 1, 3, 7, 4), 3, 2),
    ],
    observe=lambda function, x, *sizes: _read_output(function(x.requires_grad_(), *sizes)),
    shown=lambda x, channels, stride: (
        f"x of shape {tuple(x.shape)} and type {str(x.dtype).removeprefix('torch.')}, {channels}, {stride}"
    ),
    tries=1,
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


def _with_shortcut(c_in: int, width: int, stride: int) -> nn.Module:
    """Return a block that adds x where the shapes allow it."""
    branch = _bottleneck(c_in, width, stride)
    return Sum(branch, nn.Identity()) if (c_in, stride) == (4 * width, 1) else branch


def _basic(c_in: int, width: int, stride: int, relus: int) -> nn.Sequential:
    return _branch(c_in, [(3, width, stride), (3, width, 1)], relus=relus)


BRANCH = network("an nn.Sequential of the layers")


def _in_both_modes(draw: Random, *sizes: tuple[int, int, int]) -> list[tuple[int, int, int, bool, int]]:
    """Return calls with a mode and a seed each, in training and in evaluation mode by turns."""
    return [(*size, place % 2 == 0, draw.getrandbits(16)) for place, size in enumerate(sizes)]


def _run_branch(  # noqa: PLR0913, since these are the entries of a case
    function: Callable[..., Any],
    c_in: int,
    width: int,
    stride: int,
    train: bool,
    seed: int,
    read: Reader = BRANCH,
) -> dict[str, Any]:
    draw = Random(seed)
    images = normal(draw, 2, c_in, 5, 4)
    ran = run_network(read(function(c_in, width, stride)), images, draw, train)
    return {f"{what} in {'training' if train else 'evaluation'} mode": found for what, found in ran.items()}


BOTTLENECK_BRANCH = FunctionExercise(
    "bottleneck_branch(c_in, width, stride)",
    returns=BRANCH,
    reference=_bottleneck,
    inputs=lambda draw: _in_both_modes(draw, (8, 2, 1), (6, draw.choice((3, 4)), 2), (4, 5, 3), (8, 2, 2)),
    observe=_run_branch,
    tries=1,
    shown=lambda *case: ", ".join(map(str, case[:3])),
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
        Mistake(
            "shortcut",
            _with_shortcut,
            "You add x. That is the shortcut's part: return the branch alone.",
        ),
    ],
)


BlockShape = tuple[int, int, int]  # channels in, channels out, stride


def _block_shapes(  # noqa: PLR0913, since the mistakes are made of its parts
    repeats: list[int],
    widths: list[int],
    c_in: int,
    expansion: int,
    stride_of: Callable[[int, int], int] = lambda stage, block: 2 if stage > 0 and block == 0 else 1,
    out: Callable[[int, int], int] = lambda width, expansion: expansion * width,
    then: Callable[[int, int, int], int] = lambda c_in, width, c_out: c_out,
) -> list[BlockShape]:
    """Return (channels in, channels out, stride) of every block, first to last."""
    blocks = []
    for stage, (repeat, width) in enumerate(zip(repeats, widths, strict=True)):
        for block in range(repeat):
            c_out = out(width, expansion)
            blocks.append((c_in, c_out, stride_of(stage, block)))
            c_in = then(c_in, width, c_out)
    return blocks


def _read_blocks(value: Any) -> list[list[float]]:
    expected = "a list with one (c_in, c_out, stride) for each block, all stages in one list"
    value = value.tolist() if type(value) in (Tensor, np.ndarray) else value
    if not isinstance(value, list | tuple) or not all(isinstance(entry, list | tuple) for entry in value):
        raise Unsuitable(f"Expected {expected}; got {kind_of(value)}.")
    if any(isinstance(number, list | tuple) for entry in value for number in entry):
        raise Unsuitable(f"Expected {expected}; got one list in another, such as one for each stage.")
    return [numbers("a block's c_in, c_out and stride", length=3)(block) for block in value]


def _reordered(*order: int) -> Callable[..., list[Any]]:
    return lambda *call: [tuple(block[place] for place in order) for block in _block_shapes(*call)]


def _stages_alone(repeats: list[int], widths: list[int], c_in: int, expansion: int) -> list[BlockShape]:
    """Return blocks that all have the channels in of their stage's first block."""
    firsts = [c_in, *(expansion * width for width in widths)]
    shapes = _block_shapes(repeats, widths, c_in, expansion)
    entering = [first for first, repeat in zip(firsts, repeats, strict=False) for _ in range(repeat)]
    return [(first, c_out, stride) for first, (_, c_out, stride) in zip(entering, shapes, strict=True)]


def _strides_by_channels(first: int, repeats: list[int], *others: Any) -> list[BlockShape]:
    """Return blocks that have a stride where the channels change, from the stage `first` on."""
    blocks = _block_shapes(repeats, *others)
    before = sum(repeats[:first])
    return [(a, b, 2 if place >= before and a != b else 1) for place, (a, b, _) in enumerate(blocks)]


BLOCK_SHAPES = FunctionExercise(
    "block_shapes(repeats, widths, c_in, expansion)",
    returns=_read_blocks,
    reference=_block_shapes,
    inputs=lambda draw: [
        ([2, 2], [4, 8], 4, 1),
        ([2, 1, 3], [16, 32, 64], 16, 1),
        ([2, 2, 1], [4, 4, 8], 4, 1),  # a stage as wide as the one before it
        ([3, 2, 2], [8, 16, 32], 8, 4),
        ([draw.randint(2, 4) for _ in range(4)], [8, 24, 40, draw.choice((48, 80))], 6, draw.choice((2, 3))),
    ],
    keeps_inputs=True,
    mistakes=[
        Mistake(
            "first stage strides",
            partial(_block_shapes, stride_of=lambda stage, block: 2 if block == 0 else 1),
            "The first stage has stride 1: the stem has already made the feature map small enough.",
        ),
        Mistake(
            "every block strides",
            [
                partial(_block_shapes, stride_of=lambda stage, block: 2 if stage > 0 else 1),
                partial(_block_shapes, stride_of=lambda stage, block: 2),
            ],
            "Every block of a stage has stride 2. Only its first block halves the feature map.",
        ),
        Mistake(
            "no stride",
            partial(_block_shapes, stride_of=lambda stage, block: 1),
            "The channels are right. No block halves the feature map.",
        ),
        Mistake(
            "stride by channels",
            [
                lambda *call: _strides_by_channels(0, *call),
                lambda *call: _strides_by_channels(1, *call),
            ],
            "A stage has a stride of 2 even if it is as wide as the one before it.",
        ),
        Mistake(
            "stride is the factor",
            partial(_block_shapes, stride_of=lambda stage, block: 1 if block else stage + 1),
            "The stride is always 1 or 2. It does not grow from stage to stage.",
        ),
        Mistake(
            "last block strides",
            lambda repeats, widths, c_in, expansion: _block_shapes(
                repeats,
                widths,
                c_in,
                expansion,
                stride_of=lambda stage, block: (
                    2 if block == repeats[stage] - 1 and stage + 1 < len(repeats) else 1
                ),
            ),
            "The last block of a stage has the stride. It belongs to the first block of the next one.",
        ),
        Mistake(
            "not expanded",
            partial(_block_shapes, out=lambda width, expansion: width),
            "`expansion` is not used: a block gives expansion · width channels.",
        ),
        Mistake(
            "input not expanded",
            partial(_block_shapes, then=lambda c_in, width, c_out: width),
            "c_in is `width` after the first block. A block gets all channels that the one before gives.",
        ),
        Mistake(
            "input of the stage",
            [_stages_alone, partial(_block_shapes, then=lambda c_in, width, c_out: c_in)],
            "c_in does not change within a stage. After its first block it is what that block gives.",
        ),
        Mistake(
            "input is output",
            lambda *call: [(c_out, c_out, stride) for _, c_out, stride in _block_shapes(*call)],
            "c_in and c_out are equal in every block. The first block of a stage gets the channels before it.",
        ),
        Mistake(
            "one block each",
            lambda repeats, *others: _block_shapes([1] * len(repeats), *others),
            "Each stage has one block only. It has as many as its entry in `repeats`.",
        ),
        Mistake(
            "one block less",
            lambda repeats, *others: _block_shapes([repeat - 1 for repeat in repeats], *others),
            "Each stage has one block too few: the first one counts in `repeats`.",
        ),
        Mistake(
            "order",
            [_reordered(*order) for order in ((1, 0, 2), (0, 2, 1), (2, 0, 1), (1, 2, 0))],
            "The numbers are right in another order: c_in, c_out, stride.",
        ),
    ],
)


def _changes(block: BlockShape) -> bool:
    c_in, c_out, stride = block
    return c_in != c_out or stride != 1


def _weights(block: BlockShape, per_pair: int = 1, per_channel: int = 2) -> int:
    c_in, c_out, _ = block
    return per_pair * c_in * c_out + per_channel * c_out


def _shortcut_parameters(
    blocks: list[BlockShape],
    option: str,
    weights: Callable[[BlockShape], int] = _weights,
    b: Callable[[BlockShape], bool] = _changes,
    c: Callable[[BlockShape], bool] = lambda block: True,
    a: Callable[[BlockShape], bool] = lambda block: False,
) -> int:
    """Return the parameters of all shortcuts; `a`, `b` and `c` say where an option has a projection."""
    return sum(weights(block) for block in blocks if {"A": a, "B": b, "C": c}[option](block))


def _options(*blocks: BlockShape) -> list[tuple[list[BlockShape], str]]:
    return [(list(blocks), option) for option in "BCA"]


SHORTCUT_PARAMETERS = FunctionExercise(
    "shortcut_parameters(blocks, option)",
    returns=number("the parameters of all shortcuts together"),
    reference=_shortcut_parameters,
    inputs=lambda draw: [
        *_options((4, 4, 1), (4, 8, 2)),
        *_options((8, 8, 1), (8, 8, 2), (8, 24, 1), (24, 24, 1), (24, 24, 1), (24, 48, 2), (48, 16, 1)),
        *_options(*((draw.randint(2, 9), draw.randint(10, 20), draw.choice((1, 2))) for _ in range(4))),
    ],
    mistakes=[
        Mistake(
            "no normalisation",
            partial(_shortcut_parameters, weights=partial(_weights, per_channel=0)),
            "The 1×1 weights are right. A batch normalisation follows each projection.",
        ),
        Mistake(
            "one per channel",
            partial(_shortcut_parameters, weights=partial(_weights, per_channel=1)),
            "There are no biases, but a normalisation with a scale *and* a shift for each channel.",
        ),
        Mistake(
            "bias",
            partial(_shortcut_parameters, weights=partial(_weights, per_channel=3)),
            "The projection has no bias: the normalisation after it has a shift of its own.",
        ),
        Mistake(
            "statistics",
            partial(_shortcut_parameters, weights=partial(_weights, per_channel=4)),
            "Running means and variances are not learned, so they do not count as parameters.",
        ),
        Mistake(
            "of the channels in",
            partial(_shortcut_parameters, weights=lambda block: block[0] * block[1] + 2 * block[0]),
            "The normalisation comes after the projection: it has the channels that go out.",
        ),
        Mistake(
            "3x3",
            [
                partial(_shortcut_parameters, weights=partial(_weights, per_pair=9)),
                partial(_shortcut_parameters, weights=partial(_weights, per_pair=9, per_channel=0)),
            ],
            "A projection is a 1×1 convolution: one weight per pair of channels.",
        ),
        Mistake(
            "by channels only",
            partial(_shortcut_parameters, b=lambda block: block[0] != block[1]),
            "With option B, a block with equal channels and stride 2 needs a projection as well.",
        ),
        Mistake(
            "by stride only",
            partial(_shortcut_parameters, b=lambda block: block[2] != 1),
            "With option B, a block with stride 1 and more channels out than in needs a projection as well.",
        ),
        Mistake(
            "by both",
            partial(_shortcut_parameters, b=lambda block: block[0] != block[1] and block[2] != 1),
            "Either is enough for option B: other channels, or a stride other than 1.",
        ),
        Mistake(
            "B everywhere",
            partial(_shortcut_parameters, b=lambda block: True),
            "Option B keeps the identity where the shape does not change. Projections everywhere are option C.",
        ),
        Mistake(
            "C like B",
            partial(_shortcut_parameters, c=_changes),
            "Option C has a projection in every block, also where the shape stays.",
        ),
        Mistake(
            "C elsewhere",
            partial(_shortcut_parameters, c=lambda block: not _changes(block)),
            "Option C has a projection in every block, also where the shape changes.",
        ),
        Mistake(
            "option ignored",
            [
                lambda blocks, option: _shortcut_parameters(blocks, "B"),
                lambda blocks, option: _shortcut_parameters(blocks, "C"),
            ],
            "You return the same number for every option.",
        ),
        Mistake(
            "A projects",
            [partial(_shortcut_parameters, a=a) for a in (_changes, lambda block: True)],
            "Option A pads with zeros, which have no parameters.",
        ),
    ],
)


class Sum(nn.Module):
    """The sum of what two modules make of the same input; nothing follows the addition."""

    def __init__(self, branch: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.branch, self.shortcut = branch, shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Return branch(x) + shortcut(x)."""
        result: Tensor = self.branch(x) + self.shortcut(x)
        return result


def _stack(c_in: int, c_out: int, strides: tuple[int, int], order: str, **options: Any) -> nn.Sequential:
    """Return two 3×3 convolutions; `order` gives normalisation, ReLU and convolution by letters, one group each."""
    parts: list[nn.Module] = []
    for group, stride in zip(order.split(), strides, strict=True):
        channels = c_in
        for letter in group:
            if letter == "C":
                settings = {"padding": 1, "bias": False} | options
                parts.append(nn.Conv2d(channels, c_out, 3, stride, **settings))
                channels = c_out
            else:
                parts.append(nn.BatchNorm2d(channels) if letter == "N" else nn.ReLU())
        c_in = c_out
    return nn.Sequential(*parts)


def _needed(c_in: int, c_out: int, stride: int) -> nn.Module:
    if (c_in, 1) == (c_out, stride):
        return nn.Identity()
    return nn.Conv2d(c_in, c_out, 1, stride, bias=False)


def _preactivation(  # noqa: PLR0913, since the mistakes are made of its parts
    c_in: int,
    c_out: int,
    stride: int,
    order: str = "NRC NRC",
    strides: Callable[[int], tuple[int, int]] = lambda stride: (stride, 1),
    shortcut: Callable[[int, int, int], nn.Module] = _needed,
    after: Callable[[], nn.Module] | None = None,
    **options: Any,
) -> nn.Module:
    """Return a pre-activation block: (N, c_in, H, W) to (N, c_out, H / stride, W / stride)."""
    block = Sum(_stack(c_in, c_out, strides(stride), order, **options), shortcut(c_in, c_out, stride))
    return nn.Sequential(block, after()) if after else block


def _working(forward: Callable[[Any, nn.Module, Tensor], Tensor]) -> Callable[..., nn.Module]:
    """Return a block of the right parts that makes something else of branch, shortcut and x."""

    class Block(Sum):
        def forward(self, x: Tensor) -> Tensor:
            return forward(self.branch, self.shortcut, x)

    return lambda *sizes: Block(*_preactivation(*sizes).children())


def _activated(branch: nn.Sequential, shortcut: nn.Module, x: Tensor) -> Tensor:
    """Give the shortcut what the first normalisation and the first ReLU make of x."""
    x = branch[:2](x)
    result: Tensor = branch[2:](x) + shortcut(x)
    return result


def _projection_activated(branch: nn.Sequential, shortcut: nn.Module, x: Tensor) -> Tensor:
    """Give the projection the normalised x, as the authors' code does."""
    return branch(x) + x if isinstance(shortcut, nn.Identity) else _activated(branch, shortcut, x)


def _stride_ignored(c_in: int, c_out: int, stride: int) -> nn.Module:
    return _preactivation(c_in, c_out, 1)


def _padded_with_zeros(c_in: int, c_out: int, stride: int) -> nn.Module:
    return nn.Identity() if (c_in, 1) == (c_out, stride) else ZeroPad(c_in, c_out, stride)


def _made_first(c_in: int, c_out: int, stride: int) -> nn.Module:
    """Return a right block whose shortcut has been made before its branch."""
    block = _preactivation(c_in, c_out, stride)
    block.add_module("branch", block._modules.pop("branch"))
    return block


def _projection_with(*layers: Callable[[int], nn.Module]) -> Callable[[int, int, int], nn.Module]:
    def shortcut(c_in: int, c_out: int, stride: int) -> nn.Module:
        made = _needed(c_in, c_out, stride)
        return (
            made
            if isinstance(made, nn.Identity)
            else nn.Sequential(made, *(layer(c_out) for layer in layers))
        )

    return shortcut


BLOCK = network("the block")

PREACTIVATION_BLOCK = FunctionExercise(
    "preactivation_block(c_in, c_out, stride)",
    returns=BLOCK,
    reference=_preactivation,
    inputs=lambda draw: _in_both_modes(draw, (3, 3, 1), (2, draw.choice((3, 5)), 2), (3, 3, 2), (2, 4, 1)),
    observe=partial(_run_branch, read=BLOCK),
    tries=1,
    shown=lambda *case: ", ".join(map(str, case[:3])),
    mistakes=[
        Mistake(
            "order of 2015",
            [
                partial(_preactivation, order="CNR CN", after=after, shortcut=shortcut)
                for after in (None, nn.ReLU)
                for shortcut in (_needed, _projection_with(nn.BatchNorm2d))
            ],
            "Your convolutions come first. Normalisation and ReLU come *before* each convolution.",
        ),
        Mistake(
            "order of 2015, all activated",
            partial(_preactivation, order="CNR CNR"),
            "Your convolutions come first, and the branch ends in a ReLU. Normalise and activate before each.",
        ),
        Mistake(
            "relu after the sum",
            partial(_preactivation, after=nn.ReLU),
            "The branch is right. Nothing follows the addition, so that x passes unchanged.",
        ),
        Mistake(
            "ends in a normalisation",
            [partial(_preactivation, order=order) for order in ("NRC NRCN", "NRC NRCNR")],
            "Your branch goes on after its second convolution. It ends there.",
        ),
        Mistake(
            "no first activation",
            partial(_preactivation, order="C NRC"),
            "The normalisation and the ReLU before the first convolution are missing.",
        ),
        Mistake(
            "first activation not used",
            [
                _working(lambda branch, shortcut, x: branch[2:](x) + shortcut(x)),
                _working(lambda branch, shortcut, x: (branch[2:](x) + shortcut(x)).relu()),
            ],
            "The first convolution gets x itself. Your first normalisation is made, but not used.",
        ),
        Mistake(
            "one activation",
            partial(_preactivation, order="NRC C"),
            "The normalisation and the ReLU before the second convolution are missing.",
        ),
        Mistake(
            "relu first",
            [partial(_preactivation, order=order) for order in ("RNC RNC", "RNC NRC", "NRC RNC")],
            "The normalisation comes before the ReLU, not after it.",
        ),
        Mistake(
            "no relus",
            partial(_preactivation, order="NC NC"),
            "A ReLU follows each of the two normalisations.",
        ),
        Mistake(
            "no first relu",
            partial(_preactivation, order="NC NRC"),
            "A ReLU comes between the first normalisation and the first convolution.",
        ),
        Mistake(
            "no second relu",
            partial(_preactivation, order="NRC NC"),
            "A ReLU comes between the second normalisation and the second convolution.",
        ),
        Mistake(
            "no normalisation",
            partial(_preactivation, order="RC RC"),
            "A batch normalisation comes before each of the two ReLUs.",
        ),
        Mistake(
            "shared activation",
            _working(_projection_activated),
            "Your projection takes the normalised x. Here it takes x itself (the paper's code does as you do).",
        ),
        Mistake(
            "activated shortcut",
            [
                _working(_activated),
                _working(lambda branch, shortcut, x: branch(x) + shortcut(branch[0](x))),
                _working(lambda branch, shortcut, x: branch(x.relu()) + shortcut(x.relu())),
            ],
            "Your shortcut takes the normalised or activated x. It takes x itself, also where it is the identity.",
        ),
        Mistake(
            "normalised projection",
            partial(_preactivation, shortcut=_projection_with(nn.BatchNorm2d)),
            "Your projection is normalised. Here it is the 1×1 convolution alone.",
        ),
        Mistake(
            "always projected",
            partial(
                _preactivation,
                shortcut=lambda c_in, c_out, stride: nn.Conv2d(c_in, c_out, 1, stride, bias=False),
            ),
            "Where the shape does not change, the shortcut is the identity.",
        ),
        Mistake(
            "stride on the second",
            partial(_preactivation, strides=lambda stride: (1, stride)),
            "The stride belongs to the first convolution, not to the second one.",
        ),
        Mistake(
            "biases",
            [
                partial(_preactivation, bias=True),
                partial(
                    _preactivation,
                    bias=True,
                    shortcut=lambda c_in, c_out, stride: (
                        nn.Identity() if (c_in, 1) == (c_out, stride) else nn.Conv2d(c_in, c_out, 1, stride)
                    ),
                ),
                partial(
                    _preactivation,
                    shortcut=lambda c_in, c_out, stride: (
                        nn.Identity() if (c_in, 1) == (c_out, stride) else nn.Conv2d(c_in, c_out, 1, stride)
                    ),
                ),
            ],
            "No convolution of this block has a bias. Yours has one.",
        ),
        Mistake(
            "no stride",
            _stride_ignored,
            "`stride` is not used: the first convolution and the projection have it.",
        ),
        Mistake(
            "difference",
            _working(lambda f, s, x: f(x) - s(x)),
            "Add the shortcut to the branch. You subtract it.",
        ),
        Mistake(
            "option A",
            partial(_preactivation, shortcut=_padded_with_zeros),
            "Where the shape changes, the shortcut is a 1×1 convolution, not x padded with zeros.",
        ),
        Mistake(
            "shortcut made first",
            _made_first,
            "The block is right, but make its branch before its shortcut: the parameters are in another order.",
        ),
        Mistake(
            "no shortcut",
            [
                lambda c_in, c_out, stride: _stack(c_in, c_out, (stride, 1), "NRC NRC"),
                _working(lambda branch, shortcut, x: branch(x)),
            ],
            "That is the branch alone. Add the shortcut to it.",
        ),
    ],
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


def _count(model: nn.Module, start: int) -> None:
    """Number all values, so that a hint says where one comes from."""
    for values in model.state_dict().values():
        values.copy_(torch.arange(start, start + values.numel()).view(values.shape))
        start += values.numel()


def _state(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor("every value")(values) for name, values in model.state_dict().items()}


def _copy(function: Callable[[nn.Module, nn.Module], Any], nested: bool, first: int) -> dict[str, Any]:
    """Return both networks' values after a copy, and whether they share memory and can still be trained."""
    source, target = nn.Sequential(*_layers()), _named(nested)
    _count(source, first)
    _count(target, first + 1000)
    function(source, target)
    seen = {"the source": _state(source), "the target": _state(target)}
    ours, theirs = (
        {v.untyped_storage().data_ptr() for v in m.state_dict().values()} for m in (source, target)
    )
    trained = all(parameter.requires_grad for model in (source, target) for parameter in model.parameters())
    return {**seen, "'the two share memory'": bool(ours & theirs), "'both can be trained'": trained}


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
    inputs=lambda draw: [(nested, draw.randrange(1, 900)) for nested in (False, True)],
    observe=_copy,
    tries=1,
    shown=lambda nested, first: (
        f"a source with the values {first}, {first + 1}, …, a target with the values {first + 1000}, …"
    ),
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

EXERCISES = (
    RESIDUAL_FORWARD,
    ZERO_PADDED,
    BOTTLENECK_BRANCH,
    BLOCK_SHAPES,
    SHORTCUT_PARAMETERS,
    PREACTIVATION_BLOCK,
    COPY_WEIGHTS,
)
