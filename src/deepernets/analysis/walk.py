"""One pass through a network on the meta device, noting each layer's call.

Tensors there have shapes but no values, so that a walk through VGG-19 takes milliseconds and no memory.
"""

from collections.abc import Callable
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import adaptive_avg_pool2d, batch_norm, conv2d, dropout, linear, max_pool2d
from torch.overrides import TorchFunctionMode

from deepernets.errors import UserError


class Call(NamedTuple):
    """One call of a layer, that is of a module that consists of no others; both tensors have no values."""

    name: str
    layer: nn.Module
    input: Tensor
    output: Tensor


class _Shapes(TorchFunctionMode):
    """Work out the shapes that the usual layers return; leave all else, and every error, to PyTorch.

    On the meta device PyTorch's rules for these are written in Python, and the first to be asked imports its
    compiler, which takes a second.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        places, rule = _RULES.get(func, (0, None))
        shape = rule(*args, **(kwargs or {})) if rule and len(args) == places else None  # as the layers do
        return func(*args, **(kwargs or {})) if shape is None else args[0].new_empty(shape)


def _after_linear(x: Tensor, weight: Tensor, _bias: Tensor | None) -> tuple[int, ...] | None:
    return (*x.shape[:-1], len(weight)) if x.shape[-1] == weight.shape[-1] else None


def _after_normalisation(x: Tensor, mean: Tensor | None, *_: Any, **__: Any) -> tuple[int, ...] | None:
    return tuple(x.shape) if mean is not None and x.dim() == 4 and len(mean) == x.shape[1] else None


def _after_window(x: Tensor, channels: int, *window: Any) -> tuple[int, ...] | None:
    """What a window that slides leaves; it has a kernel, a stride, a padding and a dilation."""
    if x.dim() != 4 or not all(isinstance(each, int | tuple) for each in window):
        return None
    pairs = [each if isinstance(each, tuple) else (each, each) for each in window]
    sides = [
        (side + 2 * p - d * (kernel - 1) - 1) // s + 1
        for side, kernel, s, p, d in zip(x.shape[2:], *pairs, strict=True)
    ]
    return (len(x), channels, *sides) if min(sides) > 0 else None


def _after_convolution(x: Tensor, weight: Tensor, _bias: Tensor | None, *rest: Any) -> tuple[int, ...] | None:
    *window, groups = rest
    fits = x.dim() == 4 and x.shape[1] == weight.shape[1] * groups
    return _after_window(x, len(weight), tuple(weight.shape[2:]), *window) if fits else None


def _after_max_pool(x: Tensor, kernel: Any, **rest: Any) -> tuple[int, ...] | None:
    if rest["ceil_mode"] or rest["return_indices"]:
        return None
    return _after_window(x, x.shape[1], kernel, rest["stride"], rest["padding"], rest["dilation"])


def _after_average(x: Tensor, size: int | tuple[int | None, ...]) -> tuple[int, ...] | None:
    sides = (size, size) if isinstance(size, int) else size
    return None if x.dim() != 4 or None in sides else (*x.shape[:2], *sides)  # type: ignore[arg-type]


def _after_sum(x: Tensor, y: Any) -> tuple[int, ...] | None:
    return tuple(x.shape) if isinstance(y, Tensor) and x.shape == y.shape else None


def _after_dropout(x: Tensor, **_: Any) -> tuple[int, ...]:
    return tuple(x.shape)


# function -> (arguments that its layer gives by place, what shape comes out; None: ask PyTorch)
_RULES: dict[Callable[..., Any], tuple[int, Callable[..., tuple[int, ...] | None]]] = {
    linear: (3, _after_linear),
    batch_norm: (3, _after_normalisation),
    conv2d: (7, _after_convolution),
    adaptive_avg_pool2d: (2, _after_average),
    max_pool2d: (2, _after_max_pool),
    dropout: (1, _after_dropout),
    Tensor.add_: (2, _after_sum),
}


def walk(model: nn.Module, in_shape: tuple[int, int, int]) -> list[Call]:
    """Return the calls of a network's layers in order; the network stays as it was.

    Args:
        model: Any module that maps a batch of images to a tensor.
        in_shape: Channels, height and width of an image.

    Raises:
        UserError: the network takes no images of this shape.

    >>> model = nn.Sequential(nn.Conv2d(3, 8, kernel_size=3), nn.Flatten())
    >>> [tuple(call.output.shape) for call in walk(model, (3, 4, 4))]  # of a batch of two
    [(2, 8, 2, 2), (2, 32)]
    """
    calls: list[Call] = []

    def note(name: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        return lambda layer, inputs, output: calls.append(Call(name, layer, inputs[0], output))

    layers = [(name, module) for name, module in model.named_modules() if not list(module.children())]
    handles = [layer.register_forward_hook(note(name)) for name, layer in layers]
    state = {
        name: torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")
        for name, tensor in chain(model.named_parameters(), model.named_buffers())
    }
    precision = next((tensor.dtype for tensor in state.values() if tensor.is_floating_point()), None)
    images = torch.empty(2, *in_shape, device="meta", dtype=precision)
    try:
        with torch.no_grad(), _Shapes():
            functional_call(model, state, images)
    except RuntimeError as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise UserError(f"The network takes no images of shape {tuple(in_shape)}: {reason}.") from error
    finally:
        for handle in handles:
            handle.remove()
    return calls
