"""One pass through a network on the meta device, noting each layer's call.

Tensors there have shapes but no values, so that a walk through VGG-19 takes milliseconds and no memory.
"""

from collections.abc import Callable
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from deepernets.exceptions import UserError


class Call(NamedTuple):
    """One call of a layer, that is of a module that consists of no others; both tensors have no values."""

    name: str
    layer: nn.Module
    input: Tensor
    output: Tensor


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
        name: torch.empty_like(tensor, device="meta")
        for name, tensor in chain(model.named_parameters(), model.named_buffers())
    }
    precision = next((tensor.dtype for tensor in state.values() if tensor.is_floating_point()), None)
    images = torch.empty(2, *in_shape, device="meta", dtype=precision)
    try:
        with torch.no_grad():
            functional_call(model, state, images)
    except RuntimeError as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise UserError(f"The network takes no images of shape {tuple(in_shape)}: {reason}.") from error
    finally:
        for handle in handles:
            handle.remove()
    return calls
