"""The answers that students of lab 1 really give."""

import math
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F


def size(n: int, k: int, s: int, p: int) -> int:
    return (n + 2 * p - k) // s + 1 if n + 2 * p >= k else 0


def size_by_counting(n: int, k: int, s: int, p: int) -> int:
    return sum(1 for start in range(-p, n + p, s) if start + k <= n + p)


def windows(
    image: Any,
    weight: Any,
    stride: Any,
    padding: Any,
    *,
    pad: Any = (1, 1, 1, 1),
    product: Any = lambda window, weight: (window * weight).sum(),
) -> Any:
    """Convolve window by window, with what is done in each left open."""
    _, h, w = image.shape
    k = weight.shape[1]
    x = F.pad(image, [padding * side for side in pad])
    rows, columns = size(h, k, stride, padding), size(w, k, stride, padding)
    return torch.stack(
        [
            torch.stack(
                [
                    product(x[:, i * stride : i * stride + k, j * stride : j * stride + k], weight)
                    for j in range(columns)
                ]
            )
            for i in range(rows)
        ]
    )


def by_shifts(image: Any, weight: Any, stride: Any, padding: Any) -> Any:
    """Add up shifted images, one for each entry of the kernel."""
    _, h, w = image.shape
    k = weight.shape[1]
    x = F.pad(image, (padding,) * 4)
    rows, columns = size(h, k, stride, padding), size(w, k, stride, padding)
    total = image.new_zeros(rows, columns)
    for a in range(k):
        for b in range(k):
            part = x[:, a : a + stride * rows : stride, b : b + stride * columns : stride][:, :rows, :columns]
            total = total + (part * weight[:, a, b].view(-1, 1, 1)).sum(0)
    return total


def by_unfold(image: Any, weight: Any, stride: Any, padding: Any) -> Any:
    _, h, w = image.shape
    k = weight.shape[1]
    columns = F.unfold(image[None], k, stride=stride, padding=padding)[0]
    return (weight.flatten() @ columns).view(size(h, k, stride, padding), size(w, k, stride, padding))


def in_place(image: Any, weight: Any, stride: Any, padding: Any) -> Any:
    with torch.no_grad():
        weight.mul_(2)
    return windows(image, weight, stride, padding) / 2


def to_array(image: Any, weight: Any, stride: Any, padding: Any) -> Any:
    return windows(image, weight, stride, padding).detach().numpy()


def numerical(function: Any, x: Any, step: Any, slope: Any) -> Any:
    gradient = torch.zeros_like(x).flatten()
    for place in range(x.numel()):
        up, down = x.flatten().clone(), x.flatten().clone()
        up[place] += step
        down[place] -= step
        gradient[place] = slope(function(up.view_as(x)), function(x), function(down.view_as(x)), step)
    return gradient.view_as(x)


def automatic(function: Any, x: Any) -> Any:
    leaf = x.detach().clone().requires_grad_(True)
    function(leaf).backward()
    return leaf.grad


def central(up: Any, middle: Any, down: Any, h: Any) -> Any:
    return (up - down) / (2 * h)


def compared(
    function: Any, x: Any, step: Any, slope: Any = central, measure: Any = lambda d: d.abs().max()
) -> tuple[Any, Any]:
    gradient = numerical(function, x, step, slope)
    return gradient, measure(gradient - automatic(function, x))


def compared_by_index(function: Any, x: Any, step: Any) -> list[Any]:
    gradient = np.zeros(tuple(x.shape))
    for index in np.ndindex(*x.shape):
        bump = torch.zeros_like(x)
        bump[index] = step
        gradient[index] = float(function(x + bump) - function(x - bump)) / 2 / step
    answer = torch.from_numpy(gradient)
    return [answer, float((answer - automatic(function, x)).abs().max())]


def compared_in_place(function: Any, x: Any, step: Any) -> Any:
    result = compared(function, x, step)
    x += 1
    return result


def never_put_back(function: Any, x: Any, step: Any) -> Any:
    exact, work, gradient = automatic(function, x), x.clone(), torch.zeros_like(x)
    for index in np.ndindex(*x.shape):
        work[index] += step
        up = function(work)
        work[index] -= 2 * step
        gradient[index] = (up - function(work)) / (2 * step)
    return gradient, (gradient - exact).abs().max()


def rows_together(function: Any, x: Any, step: Any) -> Any:
    gradient = torch.zeros_like(x)
    for row in range(len(x)):
        up, down = x.clone(), x.clone()
        up[row] += step
        down[row] -= step
        gradient[row] = (function(up) - function(down)) / (2 * step)
    return gradient, (gradient - automatic(function, x)).abs().max()


def all_together(function: Any, x: Any, step: Any) -> Any:
    slope = (function(x + step) - function(x - step)) / (2 * step)
    gradient = torch.full_like(x, float(slope))
    return gradient, (gradient - automatic(function, x)).abs().max()


def cost(k: Any, c: Any) -> Any:
    return k * k * c * c + c


def against(
    kernel: Any, channels: Any, layers: Any, count: Any = cost, k: Any = None, ratio: Any = None
) -> Any:
    """Compare a stack with a single layer; the count, its kernel and the share are left open."""
    k = k(kernel, layers) if k else field([(kernel, 1)] * layers)
    stack, single = layers * count(kernel, channels), count(k, channels)
    return k, stack, single, ratio(stack, single) if ratio else (single - stack) / stack


def against_by_layers(kernel: Any, channels: Any, layers: Any) -> Any:
    def layer(k: int) -> torch.nn.Conv2d:
        return torch.nn.Conv2d(channels, channels, k, device="meta")

    def parameters(*many: Any) -> int:
        return sum(p.numel() for one in many for p in one.parameters())

    k = layers * kernel - layers + 1
    stack, single = parameters(*(layer(kernel) for _ in range(layers))), parameters(layer(k))
    return [k, stack, single, single / stack - 1]


def field(layers: Any, grow: Any = lambda r, j, k, s: (r + (k - 1) * j, j * s), start: int = 1) -> int:
    r, j = start, 1
    for k, s in layers:
        r, j = grow(r, j, k, s)
    return r


def field_backwards(layers: Any) -> int:
    """From the last layer to the first: n units of a layer need (n - 1) · stride + kernel of the one before."""
    needed = 1
    for kernel, stride in reversed(layers):
        needed = (needed - 1) * stride + kernel
    return needed


def gradient(network: Any, size: int, pick: Any) -> torch.Tensor:
    image = torch.zeros(1, 3, size, size, requires_grad=True)
    (slopes,) = torch.autograd.grad(pick(network(image)), image)
    return slopes[0]


def middle(maps: torch.Tensor) -> torch.Tensor:
    row, column = maps.shape[2] // 2, maps.shape[3] // 2
    return maps[0, :, row, column].sum()


def side(network: Any, size: int, pick: Any = middle) -> int:
    return int((gradient(network, size, pick).abs().sum(dim=(0, 1)) > 0).sum())


def side_by_trying(network: Any, size: int) -> int:
    """Change one pixel of the middle row at a time, and see whether the middle unit notices."""
    plain = torch.zeros(1, 3, size, size)
    with torch.no_grad():
        before, seen = middle(network(plain)), 0
        for column in range(size):
            changed = plain.clone()
            changed[..., column] = 1.0
            seen += bool(middle(network(changed)) != before)
    return seen


RIGHT: list[tuple[str, Any]] = [
    ("output_size", size),
    ("output_size", size_by_counting),
    ("output_size", lambda n, k, s, p: max(0, math.floor((n + 2 * p - k) / s + 1))),
    ("convolve", windows),
    ("convolve", by_shifts),
    ("convolve", by_unfold),
    ("gradient_check", compared),
    ("gradient_check", compared_by_index),
    ("compare_with_single", against),
    ("compare_with_single", against_by_layers),
    ("field_size", field),
    ("field_size", field_backwards),
    ("field_by_gradient", side),
    ("field_by_gradient", side_by_trying),
]
WRONG: list[tuple[str, str, Any]] = [
    ("output_size", "negative", lambda n, k, s, p: (n + 2 * p - k) // s + 1),
    ("output_size", "cut", lambda n, k, s, p: int((n + 2 * p - k) / s) + 1),
    ("output_size", "rounded up", lambda n, k, s, p: max(math.ceil((n + 2 * p - k) / s) + 1, 0)),
    ("output_size", "not rounded", lambda n, k, s, p: max((n + 2 * p - k) / s + 1, 0)),
    ("output_size", "no plus one", lambda n, k, s, p: max((n + 2 * p - k) // s, 0)),
    ("output_size", "padding once", lambda n, k, s, p: max((n + p - k) // s + 1, 0)),
    ("output_size", "no padding", lambda n, k, s, p: size(n, k, s, 0)),
    ("output_size", "no stride", lambda n, k, s, p: size(n, k, 1, p)),
    ("output_size", "side over stride", lambda n, k, s, p: n // s),
    ("output_size", "counter-example", lambda n, k, s, p: size(n, k, s, p) + 1),
    ("output_size", "kind", lambda n, k, s, p: [size(n, k, s, p)]),
    ("output_size", "counter-example", lambda n, k, s, p: size(n, k, s, p) if k <= n else 0),
    ("output_size", "kind", 3),
    ("convolve", "flipped", lambda x, w, s, p: windows(x, w.flip(1).flip(2), s, p)),
    ("convolve", "kernel transposed", lambda x, w, s, p: windows(x, w.permute(0, 2, 1), s, p)),
    ("convolve", "transposed", lambda *call: windows(*call).T),
    (
        "convolve",
        "channels apart",
        lambda x, w, s, p: torch.stack(
            [windows(one[None], k[None], s, p) for one, k in zip(x, w, strict=True)]
        ),
    ),
    ("convolve", "one channel", lambda x, w, s, p: windows(x[:1], w[:1], s, p)),
    ("convolve", "one channel", partial(windows, product=lambda x, w: (x * w)[-1].sum())),
    ("convolve", "channels mixed", partial(windows, product=lambda x, w: (x.sum(0) * w.sum(0)).sum())),
    ("convolve", "mean", partial(windows, product=lambda x, w: (x * w).mean())),
    (
        "convolve",
        "no padding",
        lambda x, w, s, p: by_shifts(x, w, s, 0),
    ),
    ("convolve", "padding at one end", partial(windows, pad=(0, 2, 0, 2))),
    (
        "convolve",
        "padding of rows only",
        lambda x, w, s, p: by_shifts(F.pad(x, (0, 0, p, p)), w, s, 0),
    ),
    ("convolve", "no stride", lambda x, w, s, p: by_shifts(x, w, 1, p)),
    (
        "convolve",
        "windows too close",
        lambda x, w, s, p: windows(x, w, 1, p)[
            : size(x.shape[1], w.shape[1], s, p), : size(x.shape[2], w.shape[1], s, p)
        ],
    ),
    ("convolve", "last window", lambda *call: windows(*call)[:-1, :-1]),
    ("convolve", "extra dimensions", lambda *call: windows(*call)[None]),
    ("convolve", "changes inputs", in_place),
    ("convolve", "kind", to_array),
    ("convolve", "kind", lambda x, w, s, p: F.conv2d(x[None], w[None], stride=s, padding=p)[0, 0]),
    ("convolve", "kind", lambda *call: windows(*call).detach()),
    ("convolve", "kind", lambda x, w, s, p: windows(x, w.detach(), s, p)),
    ("convolve", "kind", lambda *call: windows(*call).float()),
    ("convolve", "counter-example", lambda *call: windows(*call) + 1),
    ("convolve", "exception", lambda x, w: windows(x, w, 1, 0)),
    ("gradient_check", "one side", partial(compared, slope=lambda up, middle, down, h: (up - middle) / h)),
    ("gradient_check", "one side", partial(compared, slope=lambda up, middle, down, h: (middle - down) / h)),
    ("gradient_check", "one step", partial(compared, slope=lambda up, middle, down, h: (up - down) / h)),
    ("gradient_check", "half a step", partial(compared, slope=lambda up, m, down, h: (up - down) / (4 * h))),
    ("gradient_check", "own step", lambda f, x, h: compared(f, x, 1e-5)),
    ("gradient_check", "sign", partial(compared, slope=lambda up, m, down, h: (down - up) / (2 * h))),
    ("gradient_check", "not divided", partial(compared, slope=lambda up, m, down, h: up - down)),
    ("gradient_check", "all at once", all_together),
    ("gradient_check", "rows at once", rows_together),
    ("gradient_check", "not put back", never_put_back),
    ("gradient_check", "autograd twice", lambda f, x, h: (automatic(f, x), 0.0)),
    ("gradient_check", "autograd's gradient", lambda f, x, h: (automatic(f, x), compared(f, x, h)[1])),
    ("gradient_check", "no absolute values", partial(compared, measure=torch.max)),
    ("gradient_check", "mean", partial(compared, measure=lambda d: d.abs().mean())),
    ("gradient_check", "norm", partial(compared, measure=torch.norm)),
    ("gradient_check", "changes inputs", compared_in_place),
    ("gradient_check", "kind", lambda f, x, h: (compared(f, x, h), x.requires_grad_())[0]),
    ("gradient_check", "kind", lambda *call: compared(*call)[0]),
    ("gradient_check", "kind", lambda *call: compared(*call)[::-1]),
    ("gradient_check", "counter-example", lambda *call: (compared(*call)[0].flatten(), compared(*call)[1])),
    ("gradient_check", "exception", lambda f, x, h: (x, torch.autograd.grad(f(x), x))),
    ("field_size", "k", lambda layers: field(layers, lambda r, j, k, s: (r + k * j, j * s))),
    ("field_size", "starts at none", lambda layers: field(layers, start=0)),
    ("field_size", "no jump", lambda layers: 1 + sum(k - 1 for k, _ in layers)),
    (
        "field_size",
        "own stride",
        lambda layers: field(layers, lambda r, j, k, s: (r + (k - 1) * j * s, j * s)),
    ),
    ("field_size", "last stride only", lambda layers: field(layers, lambda r, j, k, s: (r + (k - 1) * j, s))),
    ("field_size", "jump added", lambda layers: field(layers, lambda r, j, k, s: (r + (k - 1) * j, j + s))),
    (
        "field_size",
        "jump added less one",
        lambda layers: field(layers, lambda r, j, k, s: (r + (k - 1) * j, j + s - 1)),
    ),
    ("field_size", "product", lambda layers: field(layers, lambda r, j, k, s: (r * k, j * s))),
    ("field_size", "area", lambda layers: field(layers) ** 2),
    ("field_size", "jump", lambda layers: field(layers, lambda r, j, k, s: (r * s, j))),
    ("field_size", "kind", lambda layers: list(layers)),
    ("field_size", "counter-example", lambda layers: field(layers) + 1),
    ("field_size", "kind", 7),
    ("compare_with_single", "no biases", partial(against, count=lambda k, c: k * k * c * c)),
    ("compare_with_single", "one bias each", partial(against, count=lambda k, c: k * k * c * c + 1)),
    ("compare_with_single", "channels once", partial(against, count=lambda k, c: k * k * c + c)),
    ("compare_with_single", "kernel once", partial(against, count=lambda k, c: k * c * c + c)),
    ("compare_with_single", "bias per kernel", partial(against, count=lambda k, c: (k * k + 1) * c * c)),
    ("compare_with_single", "sum of kernels", partial(against, k=lambda kernel, layers: kernel * layers)),
    (
        "compare_with_single",
        "field starts at none",
        partial(against, k=lambda kernel, layers: layers * (kernel - 1)),
    ),
    ("compare_with_single", "product", partial(against, k=lambda kernel, layers: kernel**layers)),
    ("compare_with_single", "same kernel", partial(against, k=lambda kernel, layers: kernel)),
    ("compare_with_single", "ratio", partial(against, ratio=lambda stack, single: single / stack)),
    (
        "compare_with_single",
        "percent",
        partial(against, ratio=lambda stack, single: (single - stack) / stack * 100),
    ),
    (
        "compare_with_single",
        "of the larger",
        partial(against, ratio=lambda stack, single: (single - stack) / single),
    ),
    ("compare_with_single", "upside down", partial(against, ratio=lambda stack, single: stack / single)),
    ("compare_with_single", "difference", partial(against, ratio=lambda stack, single: single - stack)),
    (
        "compare_with_single",
        "exchanged",
        lambda *call: tuple(against(*call)[place] for place in (0, 2, 1, 3)),
    ),
    (
        "compare_with_single",
        "one layer",
        lambda k, c, n: (
            n * (k - 1) + 1,
            cost(k, c),
            cost(n * (k - 1) + 1, c),
            cost(n * (k - 1) + 1, c) / cost(k, c) - 1,
        ),
    ),
    ("compare_with_single", "kind", lambda k, c, n: against(k, c, n)[3]),
    ("compare_with_single", "kind", lambda k, c, n: "7, 27, 49"),
    ("compare_with_single", "counter-example", lambda k, c, n: (9, *against(k, c, n)[1:])),
    ("field_by_gradient", "area", lambda network, size: side(network, size) ** 2),
    (
        "field_by_gradient",
        "area and channels",
        lambda network, size: (gradient(network, size, middle) != 0).sum(),
    ),
    ("field_by_gradient", "all units", lambda network, size: side(network, size, torch.sum)),
    (
        "field_by_gradient",
        "all units' area",
        lambda network, size: (gradient(network, size, torch.sum)[0] != 0).sum(),
    ),
    (
        "field_by_gradient",
        "corner",
        lambda network, size: side(network, size, lambda maps: maps[0, :, 0, 0].sum()),
    ),
    ("field_by_gradient", "last index", lambda network, size: side(network, size) - 1),
    ("field_by_gradient", "half", lambda network, size: side(network, size) // 2),
    ("field_by_gradient", "kind", lambda network, size: gradient(network, size, middle)),
    (
        "field_by_gradient",
        "one channel of the unit",
        lambda network, size: side(network, size, lambda maps: middle(maps[:, :1])),
    ),
    (
        "field_by_gradient",
        "one channel of the image",
        lambda network, size: (gradient(network, size, middle)[0] != 0).any(0).sum(),
    ),
    (
        "field_by_gradient",
        "positive only",
        lambda network, size: (gradient(network, size, middle) > 0).any(0).any(0).sum(),
    ),
    (
        "field_by_gradient",
        "unit before the middle",
        lambda network, size: (
            side(network, size, lambda maps: middle(maps[:, :, :-1, :-1]))
            if network(torch.zeros(1, 3, size, size)).shape[-1] % 2 == 0
            else side(network, size)
        ),
    ),
    (
        "field_by_gradient",
        "counter-example",
        lambda network, size: (gradient(network, size, middle).abs() > 0.01).any(0).any(0).sum(),
    ),
    ("field_by_gradient", "kind", 7),
    ("field_by_gradient", "counter-example", lambda network, size: 2),
]
