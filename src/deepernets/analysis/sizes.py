"""How large maps are, and the memory that they take."""

from collections.abc import Sequence
from itertools import chain
from math import prod

import torch
from torch import Tensor, nn
from torch.func import functional_call

from deepernets.errors import UserError

IMAGES = 2  # in the batch of a dry run: normalisations want more than one value a channel


def output_side(side: int, kernel: int, stride: int = 1, padding: int = 0, round_up: bool = False) -> int:
    """Return the side of the map behind a convolution or pool: ⌊(n + 2p − k) / s⌋ + 1, or 0 where nothing fits.

    Args:
        side: Side n of the map that goes in, in pixels.
        kernel: Side k of the window.
        stride: Pixels s between neighbouring windows.
        padding: Pixels p added at each edge.
        round_up: Count a window that only partly fits, too, as pools with ``ceil_mode=True`` do; it has to
            start on the map or its left padding.

    Raises:
        UserError: a kernel or stride under 1, or a side or padding under 0.

    >>> output_side(224, kernel=7, stride=2, padding=3)
    112
    >>> output_side(7, kernel=2, stride=2), output_side(7, kernel=2, stride=2, round_up=True)
    (3, 4)
    """
    if min(kernel, stride) < 1 or min(side, padding) < 0:
        raise UserError(
            f"There is no window of side {kernel} with stride {stride} and padding {padding} on a map of side "
            f"{side}; kernel and stride are at least 1, side and padding at least 0."
        )
    steps, rest = divmod(side + 2 * padding - kernel, stride)
    if round_up and rest and (steps + 1) * stride < side + padding:
        steps += 1
    return max(steps + 1, 0)


def map_bytes(shape: Sequence[int], bytes_per_number: int = 4) -> int:
    """Return the memory of one image's activations of this shape, in bytes; numbers of float32 take four.

    >>> map_bytes((64, 224, 224))
    12845056
    """
    return bytes_per_number * prod(shape)


def kept_for_backward(model: nn.Module, in_shape: tuple[int, int, int]) -> dict[torch.dtype, int]:
    """Return what PyTorch keeps of one image from the forward pass to the backward pass, in bytes by type.

    A dry run on the meta device: tensors have shapes but no values, and each that a layer saves is counted
    once, however many layers save it. Parameters are not counted. What is kept once for a batch, as a
    normalisation's statistics, counts with half of itself, for the dry run has two images.

    Args:
        model: Any module that maps a batch of images to a tensor; the mode that it is in counts.
        in_shape: Channels, height and width of an image.

    Raises:
        UserError: the network takes no images of this shape.

    >>> model = nn.Sequential(nn.Conv2d(3, 8, kernel_size=3, padding=1), nn.ReLU(inplace=True))
    >>> kept_for_backward(model, (3, 4, 4)) == {torch.float32: 4 * (3 + 8) * 4 * 4}
    True
    """
    state = {
        name: torch.empty_like(tensor, device="meta").requires_grad_(tensor.requires_grad)
        for name, tensor in chain(model.named_parameters(), model.named_buffers())
    }
    own = {_storage(tensor) for tensor in state.values()}
    saved: dict[int, Tensor] = {}

    def note(tensor: Tensor) -> Tensor:
        if _storage(tensor) not in own:
            saved.setdefault(_storage(tensor), tensor)  # held, so that no other storage takes its place
        return tensor

    images = torch.empty(IMAGES, *in_shape, device="meta")
    try:
        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            functional_call(model, state, images)
    except RuntimeError as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise UserError(f"The network takes no images of shape {tuple(in_shape)}: {reason}.") from error
    kept: dict[torch.dtype, int] = {}
    for tensor in saved.values():
        kept[tensor.dtype] = kept.get(tensor.dtype, 0) + tensor.untyped_storage().nbytes() // IMAGES
    return kept


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
