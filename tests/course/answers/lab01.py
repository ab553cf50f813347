"""The answers that students of lab 1 really give."""

from typing import Any

import torch


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
    ("three_deep", 7),
    ("three_deep", torch.tensor(1 + 3 * (3 - 1))),
    ("field_size", field),
    ("field_size", field_backwards),
    ("extra_share", 49 / 27 - 1),
    ("extra_share", (7**2 - 3 * 3**2) / (3 * 3**2)),
    ("stack_parameters", lambda kernel, channels, layers: layers * (kernel**2 * channels**2 + channels)),
    (
        "stack_parameters",
        lambda kernel, channels, layers: sum(
            p.numel()
            for _ in range(layers)
            for p in torch.nn.Conv2d(channels, channels, kernel, device="meta").parameters()
        ),
    ),
    ("field_by_gradient", side),
    ("field_by_gradient", side_by_trying),
]
WRONG: list[tuple[str, str, Any]] = [
    ("three_deep", "sum of kernels", 9),
    ("three_deep", "area", 49),
    ("three_deep", "doubled", 6),
    ("three_deep", "product", 27),
    ("three_deep", "two layers", 5),
    ("three_deep", "kernel", 3),
    ("three_deep", "kind", "7x7"),
    ("three_deep", "other", 11),
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
    ("extra_share", "ratio", 49 / 27),
    ("extra_share", "percent", 81.48),
    ("extra_share", "percent", 81),
    ("extra_share", "percent", 81.5),
    ("extra_share", "of the larger", 1 - 27 / 49),
    ("extra_share", "upside down", 27 / 49),
    ("extra_share", "difference", 49 - 27),
    ("extra_share", "kernels", 7 / 9),
    ("extra_share", "one layer", 49 / 9 - 1),
    ("extra_share", "kind", "81 %"),
    ("extra_share", "other", 0.5),
    ("stack_parameters", "no biases", lambda k, c, n: n * k**2 * c**2),
    ("stack_parameters", "one bias each", lambda k, c, n: n * (k**2 * c**2 + 1)),
    ("stack_parameters", "biases once", lambda k, c, n: n * k**2 * c**2 + c),
    ("stack_parameters", "one layer", lambda k, c, n: k**2 * c**2 + c),
    ("stack_parameters", "channels once", lambda k, c, n: n * (k**2 * c + c)),
    ("stack_parameters", "kernel once", lambda k, c, n: n * (k * c**2 + c)),
    ("stack_parameters", "bias per kernel", lambda k, c, n: n * (k**2 + 1) * c**2),
    ("stack_parameters", "kind", lambda k, c, n: None),
    ("stack_parameters", "kind", 110784),
    ("stack_parameters", "counter-example", lambda k, c, n: n * (k**2 * c**2 + c) + 1),
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
    ("field_by_gradient", "kind", 7),
    ("field_by_gradient", "counter-example", lambda network, size: 2),
]
