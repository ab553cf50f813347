"""One forward pass on the meta device, which records the call of each layer.

Tensors there have shapes but no values, so that tracing VGG-19 takes milliseconds and no memory.
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

BATCH_SIZE = 2  # images of a traced batch: in training mode a normalisation needs two values per channel


class LayerCall(NamedTuple):
    """One call of a layer, that is, of a module without submodules; both tensors are on the meta device."""

    name: str
    layer: nn.Module
    input: Tensor
    output: Tensor


def trace_layers(model: nn.Module, in_shape: tuple[int, int, int]) -> list[LayerCall]:
    """Return the calls of a network's layers in the order of the forward pass, for a batch of two images.

    Args:
        model: Any module that maps a batch of images to a tensor; it is left unchanged.
        in_shape: Channels, height and width of an image.

    Raises:
        UserError: the network does not accept images of this shape.

    >>> model = nn.Sequential(nn.Conv2d(3, 8, kernel_size=3), nn.Flatten())
    >>> [tuple(call.output.shape) for call in trace_layers(model, (3, 4, 4))]
    [(2, 8, 2, 2), (2, 32)]
    """
    calls: list[LayerCall] = []

    def record(name: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        return lambda layer, inputs, output: calls.append(LayerCall(name, layer, inputs[0], output))

    layers = [(name, module) for name, module in model.named_modules() if not list(module.children())]
    handles = [layer.register_forward_hook(record(name)) for name, layer in layers]
    try:
        with torch.no_grad(), _InferShapes():
            forward_on_meta(model, meta_state(model), in_shape)
    finally:
        for handle in handles:
            handle.remove()
    return calls


def meta_state(model: nn.Module) -> dict[str, Tensor]:
    """Return tensors on the meta device with the shapes of a network's parameters and buffers, by name.

    >>> meta_state(nn.Linear(4, 2))["weight"].device
    device(type='meta')
    """
    tensors = chain(model.named_parameters(), model.named_buffers())
    return {
        name: torch.empty(each.shape, dtype=each.dtype, device="meta", requires_grad=each.requires_grad)
        for name, each in tensors
    }


def forward_on_meta(model: nn.Module, state: dict[str, Tensor], in_shape: tuple[int, int, int]) -> None:
    """Run a forward pass of two images without values.

    Args:
        model: Any module that maps a batch of images to a tensor; it is left unchanged.
        state: Its parameters and buffers, as `meta_state` returns them.
        in_shape: Channels, height and width of an image.

    Raises:
        UserError: the network does not accept images of this shape.
    """
    precision = next((tensor.dtype for tensor in state.values() if tensor.is_floating_point()), None)
    images = torch.empty(BATCH_SIZE, *in_shape, device="meta", dtype=precision)
    try:
        functional_call(model, state, images)
    except RuntimeError as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise UserError(f"The network takes no images of shape {tuple(in_shape)}: {reason}.") from error


Shape = tuple[int, ...]


class _InferShapes(TorchFunctionMode):
    """Compute the output shapes of the usual layers here; leave all other calls, and every error, to PyTorch.

    PyTorch's own rules for these on the meta device are written in Python, and the first call of one of them
    imports the compiler, which takes a second.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        positional, rule = _RULES.get(func, (0, None))
        shape = rule(*args, **(kwargs or {})) if rule and len(args) == positional else None
        return func(*args, **(kwargs or {})) if shape is None else args[0].new_empty(shape)


def _linear_shape(x: Tensor, weight: Tensor, _bias: Tensor | None) -> Shape | None:
    return (*x.shape[:-1], len(weight)) if x.shape[-1] == weight.shape[-1] else None


def _batch_norm_shape(x: Tensor, mean: Tensor | None, *_: Any, **__: Any) -> Shape | None:
    return tuple(x.shape) if mean is not None and x.dim() == 4 and len(mean) == x.shape[1] else None


def _window_shape(x: Tensor, channels: int, *window: Any) -> Shape | None:
    """Return the output shape of a sliding window, given its kernel, stride, padding and dilation."""
    if x.dim() != 4 or not all(isinstance(each, int | tuple) for each in window):
        return None
    pairs = [each if isinstance(each, tuple) else (each, each) for each in window]
    sides = [
        (side + 2 * p - d * (kernel - 1) - 1) // s + 1
        for side, kernel, s, p, d in zip(x.shape[2:], *pairs, strict=True)
    ]
    return (len(x), channels, *sides) if min(sides) > 0 else None


def _conv_shape(x: Tensor, weight: Tensor, _bias: Tensor | None, *rest: Any) -> Shape | None:
    *window, groups = rest
    fits = x.dim() == 4 and x.shape[1] == weight.shape[1] * groups
    return _window_shape(x, len(weight), tuple(weight.shape[2:]), *window) if fits else None


def _max_pool_shape(x: Tensor, kernel: Any, **rest: Any) -> Shape | None:
    if rest["ceil_mode"] or rest["return_indices"]:
        return None
    return _window_shape(x, x.shape[1], kernel, rest["stride"], rest["padding"], rest["dilation"])


def _average_pool_shape(x: Tensor, size: int | tuple[int | None, ...]) -> Shape | None:
    sides = (size, size) if isinstance(size, int) else size
    return None if x.dim() != 4 or None in sides else (*x.shape[:2], *sides)  # type: ignore[arg-type]


def _sum_shape(x: Tensor, y: Any) -> Shape | None:
    return tuple(x.shape) if isinstance(y, Tensor) and x.shape == y.shape else None


# Function: (how many positional arguments its layer gives, the rule for its output's shape; None: ask PyTorch).
_RULES: dict[Callable[..., Any], tuple[int, Callable[..., Shape | None]]] = {
    linear: (3, _linear_shape),
    batch_norm: (3, _batch_norm_shape),
    conv2d: (7, _conv_shape),
    adaptive_avg_pool2d: (2, _average_pool_shape),
    max_pool2d: (2, _max_pool_shape),
    dropout: (1, lambda x, **_: tuple(x.shape)),
    Tensor.add_: (2, _sum_shape),
}
