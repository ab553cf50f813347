"""Exercises of lab 1: convolutions, receptive fields and parameters."""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deepernets.course.exercises.judging import FunctionExercise, Mistake
from deepernets.course.exercises.values import FindCalls, Unsuitable, named, normal, number, tensor


def _size(n: int, k: int, s: int, p: int) -> int:
    """Return how many windows of side k fit, at a stride of s, on a side n with p zeros at each end."""
    return max((n + 2 * p - k) // s + 1, 0)


OUTPUT_SIZE = FunctionExercise(
    "output_size(n, k, s, p)",
    returns=number("how many windows fit"),
    reference=_size,
    inputs=lambda draw: [
        (5, 3, 1, 0),
        (28, 2, 2, 0),
        (7, 2, 2, 0),
        (1, 2, 2, 0),
        (2, 3, 1, 1),
        (3, 9, 2, 1),
        (224, 7, 2, 3),
        (draw.randint(30, 60), draw.choice((3, 5)), 3, draw.randint(1, 4)),
        (draw.randint(30, 60), 4, 5, draw.randint(1, 4)),
    ],
    mistakes=[
        Mistake(
            "negative",
            lambda n, k, s, p: (n + 2 * p - k) // s + 1,
            "Where the kernel is larger than the padded input no window fits: return 0, not a negative number.",
        ),
        Mistake(
            "cut",
            [
                lambda n, k, s, p: int((n + 2 * p - k) / s) + 1,
                lambda n, k, s, p: max(int((n + 2 * p - k) / s) + 1, 0),
            ],
            "A kernel that does not fit counts as one window. int() rounds towards zero, // rounds down.",
        ),
        Mistake(
            "rounded up",
            [
                lambda n, k, s, p: max(-((k - n - 2 * p) // s) + 1, 0),
                lambda n, k, s, p: max(round((n + 2 * p - k) / s) + 1, 0),
            ],
            "You round up. A window that fits only in part is left out, so round down.",
        ),
        Mistake(
            "not rounded",
            lambda n, k, s, p: max((n + 2 * p - k) / s + 1, 0),
            "There are no half windows: round down.",
        ),
        Mistake(
            "no plus one",
            lambda n, k, s, p: max((n + 2 * p - k) // s, 0),
            "You count the steps between windows. The first window, at the edge, is one more.",
        ),
        Mistake(
            "padding once",
            lambda n, k, s, p: max((n + p - k) // s + 1, 0),
            "There are p zeros at each end, not p together.",
        ),
        Mistake(
            "no padding", lambda n, k, s, p: max((n - k) // s + 1, 0), "The padding is missing in your count."
        ),
        Mistake(
            "no stride", lambda n, k, s, p: max(n + 2 * p - k + 1, 0), "Each window starts s pixels later."
        ),
        Mistake(
            "side over stride",
            [lambda n, k, s, p: n // s, lambda n, k, s, p: (n + 2 * p) // s],
            "The kernel matters: at stride 2, a side of 7 has 3 windows of side 2 and 4 windows of side 1.",
        ),
    ],
)


def convolve(image: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """Return the feature map (H', W') of one filter (C, k, k) on an image (C, H, W)."""
    side = weight.shape[-1]
    padded = F.pad(image, (padding, padding, padding, padding))
    windows = padded.unfold(1, side, stride).unfold(2, side, stride)  # (C, H', W', k, k)
    return torch.einsum("cijab,cab->ij", windows, weight)


def _observe_convolution(
    function: Callable[..., Any], image: Tensor, weight: Tensor, stride: int, padding: int
) -> Tensor:
    with FindCalls("conv") as convolutions:
        output = function(image.requires_grad_(), weight.requires_grad_(), stride, padding)
    if convolutions.found:
        raise Unsuitable("You call a convolution of PyTorch. Compute the sums of products yourself.")
    read: Tensor = tensor("the feature map")(output)
    if output.dtype != image.dtype:
        raise Unsuitable(f"Expected a feature map of the image's dtype, {image.dtype}; got {output.dtype}.")
    slopes: tuple[Tensor | None, ...] = (None, None)
    if output.requires_grad:
        slopes = torch.autograd.grad(output.sum(), (image, weight), allow_unused=True)
    for name, slope in zip(("image", "weight"), slopes, strict=True):
        if slope is None:
            raise Unsuitable(
                f"Autograd finds no path from the result of your function to `{name}`. Compute with tensors, "
                "without item(), tolist(), detach() or NumPy."
            )
    return read


def _images_and_filters(draw: Random) -> list[tuple[Tensor, Tensor, int, int]]:
    small = torch.arange(1.0, 7, dtype=torch.float64).view(1, 2, 3)
    corner = torch.tensor([[[1.0, 10.0], [100.0, 1000.0]]], dtype=torch.float64)
    sizes = [(3, 5, 6, 3, 2, 1), (2, 3, 4, 3, 1, 2), (3, 6, 8, 2, 3, 0)]
    return [
        (small, corner, 1, 0),
        (small[:, :, :2], corner, 2, 1),
        *(
            (normal(draw, c, height, width).double(), normal(draw, c, k, k).double(), s, p)
            for c, height, width, k, s, p in sizes
        ),
    ]


def _convolve_with(
    image: Tensor,
    weight: Tensor,
    stride: int,
    padding: int,
    *,
    pad: Callable[[int], tuple[int, int, int, int]] = lambda p: (p, p, p, p),
    spread: Callable[[int], int] = lambda stride: stride,
) -> Tensor:
    """Convolve with a padding (left, right, top, bottom) and with windows that start `spread(stride)` apart."""
    rows, columns = (_size(side, weight.shape[1], stride, padding) for side in image.shape[1:])
    full = convolve(F.pad(image, pad(padding)), weight, 1, 0)
    step = spread(stride)
    return full[::step, ::step][:rows, :columns]


def _shown_convolution(image: Tensor, weight: Tensor, stride: int, padding: int) -> str:
    if image.numel() < 8:
        return f"{image.tolist()}, {weight.tolist()}, {stride}, {padding}"
    return f"an image of shape {tuple(image.shape)}, a filter of shape {tuple(weight.shape)}, {stride}, {padding}"


CONVOLVE = FunctionExercise(
    "convolve(image, weight, stride, padding)",
    returns=tensor("the feature map"),
    reference=convolve,
    inputs=_images_and_filters,
    observe=_observe_convolution,
    shown=_shown_convolution,
    keeps_inputs=True,
    tries=1,
    mistakes=[
        Mistake(
            "flipped",
            lambda x, w, s, p: convolve(x, w.flip(1, 2), s, p),
            "You flip the kernel, as mathematics does. Its first entry meets the first pixel of the window.",
        ),
        Mistake(
            "kernel transposed",
            lambda x, w, s, p: convolve(x, w.transpose(1, 2), s, p),
            "Rows and columns of the kernel are exchanged.",
        ),
        Mistake(
            "transposed",
            lambda x, w, s, p: convolve(x, w, s, p).T,
            "Rows and columns of the feature map are exchanged.",
        ),
        Mistake(
            "channels apart",
            [
                lambda x, w, s, p: torch.stack(
                    [convolve(x[c : c + 1], w[c : c + 1], s, p) for c in range(len(x))]
                ),
            ],
            "You return one map per channel. A filter gives one map: add up the channels.",
        ),
        Mistake(
            "one channel",
            [
                lambda x, w, s, p: convolve(x[:1], w[:1], s, p),
                lambda x, w, s, p: convolve(x[-1:], w[-1:], s, p),
            ],
            "You use one channel of the image. Add up the products over all of them.",
        ),
        Mistake(
            "channels mixed",
            lambda x, w, s, p: convolve(x.sum(0, keepdim=True), w.sum(0, keepdim=True), s, p),
            "You add up the channels before you multiply. Each channel has a kernel of its own.",
        ),
        Mistake(
            "mean",
            [
                lambda x, w, s, p: convolve(x, w, s, p) / w.numel(),
                lambda x, w, s, p: convolve(x, w, s, p) / len(w),
            ],
            "Add the products up. You take a mean.",
        ),
        Mistake("no padding", lambda x, w, s, p: convolve(x, w, s, 0), "You do not pad the image."),
        Mistake(
            "padding at one end",
            [
                partial(_convolve_with, pad=lambda p: (0, p, 0, p)),
                partial(_convolve_with, pad=lambda p: (0, 2 * p, 0, 2 * p)),
                partial(_convolve_with, pad=lambda p: (2 * p, 0, 2 * p, 0)),
                lambda x, w, s, p: convolve(F.pad(x, (0, p, 0, p)), w, s, 0),
            ],
            "The zeros go to all four edges of the image.",
        ),
        Mistake(
            "padding of rows only",
            [
                lambda x, w, s, p: convolve(F.pad(x, (0, 0, p, p)), w, s, 0),
                lambda x, w, s, p: convolve(F.pad(x, (p, p, 0, 0)), w, s, 0),
            ],
            "You pad either the rows or the columns. Pad both.",
        ),
        Mistake(
            "no stride",
            lambda x, w, s, p: convolve(x, w, 1, p),
            "You move by one pixel each time. The windows start `stride` pixels apart.",
        ),
        Mistake(
            "windows too close",
            partial(_convolve_with, spread=lambda stride: 1),
            "The size is right, but entry (i, j) takes the window that starts at (i, j). Where does the stride "
            "put it?",
        ),
        Mistake(
            "last window",
            lambda x, w, s, p: convolve(x, w, s, p)[:-1, :-1],
            "The last row and the last column are missing: range(n) ends before n.",
        ),
        Mistake(
            "extra dimensions",
            [
                lambda x, w, s, p: convolve(x, w, s, p)[None],
                lambda x, w, s, p: convolve(x, w, s, p)[None, None],
            ],
            "The map has two dimensions, height and width. Yours has more.",
        ),
    ],
)

Scalar = Callable[[Tensor], Tensor]


def _scalar_function(kind: str, seed: int) -> Scalar:
    """Return a function from a tensor to a number.

    Central differences are too large for cubes, and too small for negative cubes. Autograd's gradient is wrong for
    the detached function.
    """

    def function(x: Tensor) -> Tensor:
        weights = normal(Random(seed), *x.shape).to(x.dtype)
        if "cubes" in kind:
            return (-1 if "negative" in kind else 1) * (weights.abs() * x**3).sum()
        if kind == "neighbours":
            return (weights * x**2 * x.flatten().roll(1).view_as(x)).sum()
        return (weights * x.detach() * x).sum()

    return function


def numerical_gradient(function: Scalar, x: Tensor, step: float) -> Tensor:
    """Return the gradient of a function by central differences."""
    return _differences(function, x, step, lambda up, middle, down: (up - down) / (2 * step))


def _differences(
    function: Scalar, x: Tensor, step: float, slope: Callable[[Tensor, Tensor, Tensor], Tensor]
) -> Tensor:
    """Return `slope(f(x + step), f(x), f(x - step))` for each entry of x in turn."""
    one_hot = step * torch.eye(x.numel(), dtype=x.dtype).view(-1, *x.shape)
    middle = function(x)
    slopes = [slope(function(x + change), middle, function(x - change)) for change in one_hot]
    return torch.stack(slopes).view_as(x).detach()


def _autograd(function: Scalar, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(function(x), x)[0]


def _largest(difference: Tensor) -> Tensor:
    return difference.abs().max()


def _check_gradient(
    function: Scalar,
    x: Tensor,
    step: float,
    numerical: Callable[[Scalar, Tensor, float], Tensor] = numerical_gradient,
    distance: Callable[[Tensor], Tensor] = _largest,
) -> tuple[Tensor, float]:
    gradient = numerical(function, x, step)
    return gradient, distance(gradient - _autograd(function, x)).item()


def _by_slope(slope: Callable[[Tensor, Tensor, Tensor, float], Tensor]) -> Callable[..., Any]:
    return partial(
        _check_gradient,
        numerical=lambda f, x, h: _differences(f, x, h, lambda up, middle, down: slope(up, middle, down, h)),
    )


def _all_at_once(function: Scalar, x: Tensor, step: float) -> Tensor:
    return ((function(x + step) - function(x - step)) / (2 * step)).expand(x.shape)


def _rows_at_once(function: Scalar, x: Tensor, step: float) -> Tensor:
    """Change all entries with the same first index together."""
    rows = step * torch.eye(len(x), dtype=x.dtype).view(len(x), len(x), *[1] * (x.ndim - 1))
    slopes = torch.stack([(function(x + row) - function(x - row)) / (2 * step) for row in rows])
    return slopes.view(len(x), *[1] * (x.ndim - 1)).expand(x.shape)


def _left_changed(function: Scalar, x: Tensor, step: float, put_back: float = 0.0) -> Tensor:
    x, gradient = x.clone(), torch.zeros_like(x)
    for place in range(x.numel()):
        x.view(-1)[place] += step
        up = function(x)
        x.view(-1)[place] -= 2 * step
        gradient.view(-1)[place] = (up - function(x)) / (2 * step)
        x.view(-1)[place] += put_back * step
    return gradient


def _read_gradient_check(value: Any) -> dict[str, Any]:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise Unsuitable("Expected a pair: the numerical gradient and the largest difference.")
    return {
        "the numerical gradient": tensor("the numerical gradient")(value[0]),
        "the largest difference": number("the largest difference")(value[1]),
    }


def _observe_gradient_check(
    function: Callable[..., Any], kind: str, seed: int, x: Tensor, step: float
) -> Any:
    read = _read_gradient_check(function(_scalar_function(kind, seed), x, step))
    if x.requires_grad:
        raise Unsuitable("You make x itself require a gradient. Leave x as it is: work on a copy of it.")
    return read


GRADIENT_CHECK = FunctionExercise(
    "gradient_check(function, x, step)",
    returns=_read_gradient_check,
    reference=_check_gradient,
    inputs=lambda draw: [
        ("cubes", draw.getrandbits(16), normal(draw, 3).double(), 0.1),
        ("negative cubes", draw.getrandbits(16), normal(draw, 2).double(), 0.1),
        ("neighbours", draw.getrandbits(16), normal(draw, 2, 3).double(), 0.01),
        ("detached", draw.getrandbits(16), normal(draw, 2, 2, 2).double(), 0.01),
    ],
    observe=_observe_gradient_check,
    shown=lambda kind, seed, x, step: {
        "cubes": f"the sum of multiples of x³, x of shape {tuple(x.shape)}, {step}",
        "negative cubes": f"the sum of negative multiples of x³, x of shape {tuple(x.shape)}, {step}",
        "neighbours": f"a sum of products of neighbours, x of shape {tuple(x.shape)}, {step}",
        "detached": f"a function with a wrong gradient, x of shape {tuple(x.shape)}, {step}",
    }[kind],
    keeps_inputs=True,
    tries=1,
    mistakes=[
        Mistake(
            "one side",
            [
                _by_slope(lambda up, middle, down, h: (up - middle) / h),
                _by_slope(lambda up, middle, down, h: (middle - down) / h),
            ],
            "That is a one-sided difference. Take one step up and one step down.",
        ),
        Mistake(
            "one step",
            _by_slope(lambda up, middle, down, h: (up - down) / h),
            "Your gradient is twice as large. How far apart are the two points?",
        ),
        Mistake(
            "half a step",
            _by_slope(lambda up, middle, down, h: (up - down) / h / 4),
            "Your gradient is half as large. How far apart are the two points?",
        ),
        Mistake(
            "own step",
            lambda f, x, h: _check_gradient(f, x, 1e-4),
            "You take a step of your own. Use `step`.",
        ),
        Mistake(
            "sign",
            _by_slope(lambda up, middle, down, h: (down - up) / (2 * h)),
            "The sign is wrong: subtract the value below from the value above.",
        ),
        Mistake(
            "not divided",
            _by_slope(lambda up, middle, down, h: up - down),
            "A difference is not yet a slope. Divide it by the distance of the two points.",
        ),
        Mistake(
            "all at once",
            partial(_check_gradient, numerical=_all_at_once),
            "You change all entries of x together. Change one at a time.",
        ),
        Mistake(
            "rows at once",
            partial(_check_gradient, numerical=_rows_at_once),
            "You change all entries of x[i] together. x may have several dimensions: change one number at a time.",
        ),
        Mistake(
            "not put back",
            [
                partial(_check_gradient, numerical=_left_changed),
                partial(_check_gradient, numerical=partial(_left_changed, put_back=2.0)),
            ],
            "An entry stays changed when its turn is over. Put it back before you change the next one.",
        ),
        Mistake(
            "autograd twice",
            lambda f, x, h: (_autograd(f, x), 0.0),
            "You compare autograd with itself. The numerical gradient comes from values of the function alone.",
        ),
        Mistake(
            "autograd's gradient",
            lambda f, x, h: (_autograd(f, x), _check_gradient(f, x, h)[1]),
            "The difference is right, but you return the gradient of autograd. Return the numerical one.",
        ),
        Mistake(
            "no absolute values",
            [
                partial(_check_gradient, distance=lambda difference: difference.max()),
                partial(_check_gradient, distance=lambda difference: (-difference).max()),
            ],
            "Differences can be negative. Take absolute values before you look for the largest.",
        ),
        Mistake(
            "mean",
            partial(_check_gradient, distance=lambda d: d.abs().mean()),
            "Return the largest, not the mean.",
        ),
        Mistake(
            "norm",
            [
                partial(_check_gradient, distance=lambda d: d.norm()),
                partial(_check_gradient, distance=lambda d: d.abs().sum()),
                partial(_check_gradient, distance=lambda d: d.pow(2).sum()),
            ],
            "You add the differences up. Return the largest one.",
        ),
    ],
)
Layers = list[tuple[int, int]]
Step = Callable[[int, int, int, int], tuple[int, int]]


def _field(layers: Layers, step: Step = lambda r, j, k, s: (r + (k - 1) * j, j * s), start: int = 1) -> int:
    """Follow field and jump through layers by a rule (field, jump, kernel, stride) -> (field, jump)."""
    field, jump = start, 1
    for kernel, stride in layers:
        field, jump = step(field, jump, kernel, stride)
    return field


def _by(step: Step) -> Callable[[Layers], int]:
    return lambda layers: _field(layers, step)


def _stacks_of_layers(draw: Random) -> list[tuple[Layers]]:
    drawn = [(draw.choice((2, 3, 5, 7)), draw.choice((1, 2, 3))) for _ in range(4)]
    return [([(3, 1)],), ([(3, 1)] * 3,), ([(7, 2), (3, 2), (1, 1), (3, 1)],), ([*drawn, (3, 2), (5, 2)],)]


FIELD_SIZE = FunctionExercise(
    "field_size(layers)",
    returns=number("the side of the field, in pixels"),
    reference=_field,
    inputs=_stacks_of_layers,
    mistakes=[
        Mistake(
            "k", _by(lambda r, j, k, s: (r + k * j, j * s)), "A kernel of side k adds k - 1 jumps, not k."
        ),
        Mistake(
            "starts at none",
            lambda layers: _field(layers, start=0),
            "Before the first layer a unit is a pixel, and sees one pixel: start at 1.",
        ),
        Mistake(
            "no jump",
            _by(lambda r, j, k, s: (r + (k - 1), j)),
            "Right for strides of 1. After a stride of 2, neighbouring units are 2 pixels apart.",
        ),
        Mistake(
            "own stride",
            _by(lambda r, j, k, s: (r + (k - 1) * j * s, j * s)),
            "A layer's own stride spreads its outputs: it counts for the layers after it.",
        ),
        Mistake(
            "last stride only",
            _by(lambda r, j, k, s: (r + (k - 1) * j, s)),
            "The jump is the product of all strides so far, not the last one alone.",
        ),
        Mistake(
            "jump added",
            _by(lambda r, j, k, s: (r + (k - 1) * j, j + s)),
            "Strides multiply: after two strides of 2, neighbours are 4 pixels apart.",
        ),
        Mistake(
            "jump added less one",
            _by(lambda r, j, k, s: (r + (k - 1) * j, j + s - 1)),
            "Strides multiply: after three strides of 2, neighbours are 8 pixels apart.",
        ),
        Mistake(
            "product",
            _by(lambda r, j, k, s: (r * k, j * s)),
            "Fields grow by addition: each layer adds (kernel - 1) jumps.",
        ),
        Mistake(
            "area",
            lambda layers: _field(layers) ** 2,
            "That is the number of pixels in the square. Return its side.",
        ),
        Mistake(
            "jump",
            _by(lambda r, j, k, s: (r * s, j)),
            "That is the distance between neighbouring units, the jump. Return the field.",
        ),
    ],
)


def _parameters(kernel: int, channels: int) -> int:
    return kernel**2 * channels**2 + channels


def _compare(
    kernel: int,
    channels: int,
    layers: int,
    *,
    one: Callable[[int, int], int] = _parameters,
    side: Callable[[int, int], int] = lambda k, n: n * (k - 1) + 1,
    share: Callable[[int, int], float] = lambda stack, single: single / stack - 1,
) -> tuple[int, int, int, float]:
    """Compare a stack with a single layer: `one` counts a layer, `side` gives the single layer's kernel."""
    field = side(kernel, layers)
    stack, single = layers * one(kernel, channels), one(field, channels)
    return field, stack, single, share(stack, single)


def _with_stack(stack_of: Callable[[int, int, int], int]) -> Callable[..., Any]:
    """Return the comparison with a stack that is counted wrongly."""

    def compare(kernel: int, channels: int, layers: int) -> tuple[int, int, int, float]:
        field, _, single, _ = _compare(kernel, channels, layers)
        stack = stack_of(kernel, channels, layers)
        return field, stack, single, single / stack - 1

    return compare


COMPARE_WITH_SINGLE = FunctionExercise(
    "compare_with_single(kernel, channels, layers)",
    returns=named(
        "the kernel of the single layer",
        "the number of parameters of the stack",
        "the number of parameters of the single layer",
        "the share",
    ),
    reference=_compare,
    inputs=lambda draw: [
        (3, 2, 1),
        (3, 64, 3),
        (5, draw.randint(5, 99), 2),
        (3, draw.randint(5, 99), draw.randint(4, 6)),
    ],
    mistakes=[
        Mistake(
            "no biases",
            partial(_compare, one=lambda k, c: k**2 * c**2),
            "The weights are right. Each output channel also has a bias.",
        ),
        Mistake(
            "one bias each",
            partial(_compare, one=lambda k, c: k**2 * c**2 + 1),
            "A layer does not have one bias but one per output channel.",
        ),
        Mistake(
            "biases once",
            _with_stack(lambda k, c, n: n * k**2 * c**2 + c),
            "You count the biases of the stack once. Every layer has its own.",
        ),
        Mistake(
            "one layer",
            _with_stack(lambda k, c, n: _parameters(k, c)),
            "You count one layer of the stack. It has `layers` of them.",
        ),
        Mistake(
            "channels once",
            partial(_compare, one=lambda k, c: k**2 * c + c),
            "Each output channel has a kernel for every input channel: multiply channels in by channels out.",
        ),
        Mistake(
            "kernel once",
            partial(_compare, one=lambda k, c: k * c**2 + c),
            "A kernel is as wide as it is high: square its side.",
        ),
        Mistake(
            "bias per kernel",
            partial(_compare, one=lambda k, c: (k**2 + 1) * c**2),
            "There is one bias per output channel, not one per pair of channels.",
        ),
        Mistake(
            "sum of kernels",
            partial(_compare, side=lambda k, n: n * k),
            "Neighbouring kernels overlap. How many new pixels does a layer add at each edge?",
        ),
        Mistake(
            "field starts at none",
            partial(_compare, side=lambda k, n: n * (k - 1)),
            "Before the first layer a unit is a pixel, and sees one pixel.",
        ),
        Mistake(
            "product",
            partial(_compare, side=lambda k, n: k**n),
            "Receptive fields of layers with stride 1 add up. They do not multiply.",
        ),
        Mistake(
            "same kernel",
            partial(_compare, side=lambda k, n: k),
            "The single layer has a larger kernel: its receptive field is that of the whole stack.",
        ),
        Mistake(
            "ratio",
            partial(_compare, share=lambda stack, single: single / stack),
            "The share says how many times as many. How many *more* is one less.",
        ),
        Mistake(
            "percent",
            partial(_compare, share=lambda stack, single: 100 * (single / stack - 1)),
            "That is a percentage. The exercise asks for a share, such as 0.5 for 50 %.",
        ),
        Mistake(
            "of the larger",
            [
                partial(_compare, share=lambda stack, single: 1 - stack / single),
                partial(_compare, share=lambda stack, single: stack / single - 1),
            ],
            "You divide by the parameters of the single layer. Divide by those of the stack.",
        ),
        Mistake(
            "upside down",
            partial(_compare, share=lambda stack, single: stack / single),
            "That is the stack divided by the single layer. How many *more* does the single layer have?",
        ),
        Mistake(
            "difference",
            partial(_compare, share=lambda stack, single: single - stack),
            "The last entry is a number of parameters. Divide it by those of the stack.",
        ),
        Mistake(
            "exchanged",
            lambda k, c, n: tuple(_compare(k, c, n)[place] for place in (0, 2, 1, 3)),
            "The stack comes before the single layer in what you return.",
        ),
    ],
)


def _one_sign_network(layers: Layers, seed: int, scale: float) -> nn.Module:
    """Return convolutions whose weights have one sign, so that no gradient cancels.

    With a negative scale, some layers are in a module of their own, and the first and the last channel of the image
    and of the maps have a narrower field than the middle one.
    """
    parts = [nn.Conv2d(3, 3, kernel, stride, padding=kernel // 2) for kernel, stride in layers]
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in nn.ModuleList(parts).parameters():
            parameter.copy_(torch.rand(parameter.shape, generator=generator) + 0.1)
        for part in parts:
            part.weight.mul_(scale)
        if scale > 0:
            return nn.Sequential(*parts)
        for weight in (parts[0].weight.transpose(0, 1), parts[-1].weight):
            kept = weight[::2, :, 1, 1].clone()  # not at the rim of the kernel
            weight[::2] = 0
            weight[::2, :, 1, 1] = kept
    return nn.Sequential(nn.Sequential(*parts[:2]), *parts[2:])


def _side_of_gradient(
    network: nn.Module,
    size: int,
    unit: str = "middle",
    seen: Callable[[Tensor], Tensor] = torch.abs,
    along: tuple[int, ...] = (0, 1),
) -> int:
    """Return the width of the square of pixels whose gradient is not zero, for one unit or for all of them.

    `seen` takes the gradient (3, size, size) and leaves in it what is counted, once for each place that remains
    after a sum `along` some dimensions.
    """
    image = torch.zeros(1, 3, size, size, requires_grad=True)
    maps = network(image)
    row, column = maps.shape[2] // 2, maps.shape[3] // 2
    chosen = {
        "middle": maps[0, :, row, column],
        "first channel": maps[0, 0, row, column],
        "before": maps[0, :, (maps.shape[2] - 1) // 2, (maps.shape[3] - 1) // 2],
        "corner": maps[0, :, 0, 0],
        "all": maps,
    }[unit]
    (gradient,) = torch.autograd.grad(chosen.sum(), image)
    shown = seen(gradient[0])
    return int(((shown.sum(dim=along) if along else shown) > 0).sum())


FIELD_BY_GRADIENT = FunctionExercise(
    "field_by_gradient(network, size)",
    returns=number("how many pixels wide the field is"),
    reference=_side_of_gradient,
    inputs=lambda draw: [
        ([(draw.choice((3, 5, 7)), 1)], 21, draw.getrandbits(16), 1.0),
        ([(draw.choice((3, 5, 7)), 1), (3, 2), (draw.choice((3, 5, 7)), 1)], 41, draw.getrandbits(16), -1.0),
        ([(3, 2)], 4, draw.getrandbits(16), 0.001),  # where it matters which of two units is the middle
    ],
    observe=lambda function, layers, size, seed, scale: number("how many pixels wide the field is")(
        function(_one_sign_network(layers, seed, scale), size)
    ),
    shown=lambda layers, size, *_: f"convolutions with (kernel, stride) {layers}, {size}",
    tries=1,
    mistakes=[
        Mistake(
            "area",
            partial(_side_of_gradient, along=(0,)),
            "That is how many pixels the unit sees. How many are side by side?",
        ),
        Mistake(
            "area and channels",
            partial(_side_of_gradient, along=()),
            "You count every pixel once per colour channel. How many pixels are side by side in one row?",
        ),
        Mistake(
            "all units",
            lambda network, size: _side_of_gradient(network, size, "all"),
            "The whole image matters to the whole feature map. Take the gradient of one unit only.",
        ),
        Mistake(
            "all units' area",
            [
                partial(_side_of_gradient, unit="all", along=(0,)),
                partial(_side_of_gradient, unit="all", along=(0,), seen=lambda gradient: gradient[:1].abs()),
            ],
            "Those are all pixels of the image. Take one unit only, and the side of what it sees.",
        ),
        Mistake(
            "corner",
            lambda network, size: _side_of_gradient(network, size, "corner"),
            "A unit at the corner also sees the padding. Take the unit in the middle.",
        ),
        Mistake(
            "one channel of the unit",
            partial(_side_of_gradient, unit="first channel"),
            "You take one channel of the feature maps. Add up all of them: they need not see the same pixels.",
        ),
        Mistake(
            "one channel of the image",
            partial(_side_of_gradient, seen=lambda gradient: gradient[:1].abs()),
            "You look at one channel of the image. A pixel matters if its gradient is not zero in any channel.",
        ),
        Mistake(
            "positive only",
            partial(_side_of_gradient, seen=lambda gradient: gradient.clamp(min=0)),
            "You count positive gradients only. A pixel with a negative gradient matters, too.",
        ),
        Mistake(
            "unit before the middle",
            partial(_side_of_gradient, unit="before"),
            "With an even number of units you take the one before the middle. The middle is at H // 2 and W // 2.",
        ),
        Mistake(
            "last index",
            lambda network, size: _side_of_gradient(network, size) - 1,
            "From the first pixel to the last one: count both ends.",
        ),
        Mistake(
            "half",
            lambda network, size: _side_of_gradient(network, size) // 2,
            "That is the reach to one side of the middle. The field reaches to both sides.",
        ),
    ],
)

EXERCISES = (
    OUTPUT_SIZE,
    CONVOLVE,
    GRADIENT_CHECK,
    FIELD_SIZE,
    COMPARE_WITH_SINGLE,
    FIELD_BY_GRADIENT,
)
