"""Residual blocks from the inside: how large F(x) is beside x, what shortcuts cost, and blocks that do nothing.

Measuring leaves no trace: weights and running statistics stay as they were.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from deepernets.errors import UserError
from deepernets.models.layers import Residual, ZeroPad, zero_last_gamma


def residual_blocks(network: nn.Module) -> dict[str, Residual]:
    """Return the residual blocks of a network by name, from the image on.

    >>> from deepernets.models.layers import normalised_convolutions, Convolution
    >>> block = Residual(normalised_convolutions(8, [Convolution(3, 8)]), nn.Identity())
    >>> list(residual_blocks(nn.Sequential(nn.ReLU(), block)))
    ['1']
    """
    return {name: module for name, module in network.named_modules() if isinstance(module, Residual)}


@torch.no_grad()
def residual_ratios(network: nn.Module, images: Tensor) -> dict[str, float]:
    """Return ‖F(x)‖ / ‖x‖ for each residual block: how much it changes what goes past it.

    Both norms are Euclidean, over all images, channels and places together, and before the addition and its ReLU.
    Where the shapes differ, x stands for what the shortcut makes of it (He et al. 2016, equation 2). In training
    mode normalisations use the statistics of these images, in evaluation mode their running ones.

    Args:
        network: Has residual blocks, or the answer is empty.
        images: (N, C, H, W).

    >>> from deepernets.models.layers import normalised_convolutions, Convolution
    >>> block = Residual(normalised_convolutions(1, [Convolution(1, 1)]), nn.Identity()).eval()
    >>> weights = nn.init.constant_(block.branch.conv1.weight, 0.5)
    >>> f"{residual_ratios(nn.Sequential(block), torch.ones(1, 1, 2, 2))['0']:.3f}"
    '0.500'
    """
    norms: dict[str, dict[str, float]] = {}

    def note(name: str, part: str) -> Callable[[nn.Module, Any, Tensor], None]:
        return lambda module, inputs, output: norms.setdefault(name, {}).update({part: float(output.norm())})

    handles = [
        module.register_forward_hook(note(name, part))
        for name, block in residual_blocks(network).items()
        for part, module in (("branch", block.branch), ("shortcut", block.shortcut))
    ]
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    try:
        functional_call(network, buffers, (images,))
    finally:
        for handle in handles:
            handle.remove()
    return {name: norms[name]["branch"] / norms[name]["shortcut"] for name in residual_blocks(network)}


def shortcut_parameters(network: nn.Module) -> int:
    """Return how many of a network's parameters are in its shortcuts.

    >>> from deepernets.models.registry import build_model
    >>> [shortcut_parameters(build_model(f"resnet-20{option}", (3, 32, 32))) for option in ("", "-b", "-c")]
    [0, 2752, 14240]
    """
    blocks = residual_blocks(network).values()
    return sum(parameter.numel() for block in blocks for parameter in block.shortcut.parameters())


@torch.no_grad()
def lengthen(shallow: nn.Module, deep: nn.Module) -> nn.Module:
    """Make a residual network compute what a shallower one computes, and return it.

    What the two share is copied. Every other block of `deep` gets a last γ and β of 0, so that F(x) = 0: it hands
    on x, which has been through a ReLU and passes the block's own unchanged. This holds in training mode and in
    evaluation mode, and is the plain network's `deepernets.analysis.signals.deepen` without its precise weights.

    Args:
        shallow: The network to be copied; each of its blocks has a namesake of the same shape in `deep`.
        deep: Changed in place.

    Raises:
        UserError: the layers of `shallow` are not among those of `deep`, or an added block or layer is not
            the identity where F(x) = 0.
    """
    copied = shallow.state_dict()
    if unknown := sorted(set(copied) - set(deep.state_dict())):
        raise UserError(
            f"The deeper network has no {unknown[0]!r}; give one with the same stages, but longer."
        )
    kept = residual_blocks(shallow)
    added = {name: block for name, block in residual_blocks(deep).items() if name not in kept}
    for name, block in added.items():
        if not isinstance(block.shortcut, nn.Identity):
            kind = "pads" if isinstance(block.shortcut, ZeroPad) else "projects"
            raise UserError(
                f"The shortcut of {name} {kind}, so the block changes x even where F(x) = 0; lengthen stages "
                "by blocks whose shortcut is the identity."
            )
    inside = tuple(f"{name}." for name in added)
    if stray := [key for key in deep.state_dict() if key not in copied and not key.startswith(inside)]:
        raise UserError(f"{stray[0]!r} is in no residual block; only whole residual blocks can be added.")
    deep.load_state_dict(copied, strict=False)
    for block in added.values():
        zero_last_gamma(block)
        nn.init.zeros_(block.branch[-1].get_parameter("bias"))
    return deep
