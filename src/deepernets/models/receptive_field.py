"""Receptive fields: which pixels can change a unit (theoretical), and which do so in effect (Luo et al. 2016)."""

from collections.abc import Sequence
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple, overload

import torch
from torch import Tensor, nn

from deepernets.errors import UserError
from deepernets.models.layers import he_std, plain_stack
from deepernets.models.tracing import LayerCall, trace_layers

if TYPE_CHECKING:
    from pandas import DataFrame

ENLARGING = nn.ConvTranspose2d | nn.Upsample | nn.PixelShuffle
STDS_PER_SIDE = 4  # ± 2 standard deviations contain 95 % of a normal distribution


@overload
def receptive_field(layers: Sequence[tuple[int, int]], in_shape: None = None) -> int: ...


@overload
def receptive_field(layers: nn.Module, in_shape: tuple[int, int, int]) -> "DataFrame": ...


def receptive_field(
    layers: Sequence[tuple[int, int]] | nn.Module, in_shape: tuple[int, int, int] | None = None
) -> "int | DataFrame":
    """Return the side of the receptive field of a unit after these layers, in pixels.

    A layer with kernel k adds (k - 1) · jump, where the jump, the distance in pixels between neighbouring
    units, is the product of all strides before it.

    Args:
        layers: ``[(kernel, stride), …]``, or a network.
        in_shape: Channels, height and width of an image; with a network only.

    Returns:
        The receptive field after the last layer. For a network one row per layer that outputs feature maps, with
        the columns name, receptive_field, jump and start (the pixel, counted from 0, on which the first unit's
        field is centred).
        The field of unit i reaches (receptive_field - 1) / 2 pixels to both sides of start + i · jump, cut off at
        the image's edges. Kernels and strides are read along the height.

    Raises:
        UserError: a network without `in_shape`, one that does not accept such images, or one that enlarges feature
            maps.

    Two 3×3 convolutions have the receptive field of one 5×5, three that of one 7×7:

    >>> receptive_field([(3, 1)] * 2), receptive_field([(3, 1)] * 3)
    (5, 7)
    """
    if isinstance(layers, nn.Module):
        if in_shape is None:
            raise UserError("Networks have receptive fields for images of a shape; give in_shape=(C, H, W).")
        return _receptive_fields(layers, in_shape)
    field = _Field()
    for kernel, stride in layers:
        field = field.after(_Window(kernel, stride))
    return field.side


class _Window(NamedTuple):
    """The inputs of a layer's units along the height: `kernel` of them, the first unit's from ``-padding`` on."""

    kernel: int = 1
    stride: int = 1
    padding: int = 0


class _Field(NamedTuple):
    """The receptive fields of a layer's units along the height; those of the image's pixels by default."""

    side: int = 1
    jump: int = 1
    start: float = 0.0

    def after(self, window: _Window) -> "_Field":
        """Return the fields after one more layer."""
        return _Field(
            self.side + (window.kernel - 1) * self.jump,
            self.jump * window.stride,
            self.start + ((window.kernel - 1) / 2 - window.padding) * self.jump,
        )


def _receptive_fields(model: nn.Module, in_shape: tuple[int, int, int]) -> "DataFrame":
    """Follow the fields from layer to layer; where paths meet, take the largest field so far."""
    from pandas import DataFrame

    calls = [call for call in trace_layers(model, in_shape) if call.input.ndim == call.output.ndim == 4]
    fields: dict[int, _Field] = {id(calls[0].input): _Field()} if calls else {}
    rows = []
    largest = _Field()
    for call in calls:
        # the output of no layer, such as a sum or a concatenation, depends on what came before it
        field = fields.get(id(call.input), largest).after(_window(call))
        fields[id(call.output)] = field
        largest = max(largest, field)
        rows.append((call.name, *field))
    return DataFrame(rows, columns=["name", "receptive_field", "jump", "start"])


def _window(call: LayerCall) -> _Window:
    """Return the window of a layer; one input per unit where it has no kernel, as for a ReLU."""
    layer, before, after = call.layer, call.input.shape[2], call.output.shape[2]
    adaptive = isinstance(layer, nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d)
    if isinstance(layer, ENLARGING) or (adaptive and after > before):
        raise UserError(
            f"The layer {call.name} ({type(layer).__name__}) enlarges feature maps; expected convolutions "
            "and pools, whose units are at least as far apart as those before them."
        )
    if adaptive:
        return _Window(before - (after - 1) * (before // after), before // after)
    kernel = 1 + (_height(getattr(layer, "kernel_size", 1)) - 1) * _height(getattr(layer, "dilation", 1))
    padding = getattr(layer, "padding", 0)
    named = {"same": (kernel - 1) // 2, "valid": 0}
    return _Window(
        kernel,
        _height(getattr(layer, "stride", 1)),
        named[padding] if isinstance(padding, str) else _height(padding),
    )


def _height(size: int | tuple[int, ...]) -> int:
    return size if isinstance(size, int) else size[0]


def gradient_energy(network: nn.Module, images: Tensor) -> Tensor:
    """Return how strongly each pixel changes the central unit of a network's feature maps: (H, W).

    It is the squared gradient, summed over the image's channels and averaged over the images. The channels of the
    unit are added up with random signs: on average the square of this sum is the sum of their squares.

    Args:
        network: Maps images (N, C, H, W) to feature maps (N, c, h, w). In training mode a batch normalisation
            makes each unit depend on all pixels of all images.
        images: (N, C, H, W).

    Raises:
        UserError: the network's output is not a feature map.

    >>> (gradient_energy(nn.Conv2d(3, 2, kernel_size=5, padding=2), torch.rand(1, 3, 9, 9)) > 0).sum().item()
    25
    """
    images = images.detach().clone().requires_grad_()
    with torch.enable_grad():
        maps = network(images)
        if maps.ndim != 4:
            raise UserError(
                f"The network's output has shape {tuple(maps.shape)}; expected feature maps (N, C, H, W). "
                "Leave out its head, as in model[:-1]."
            )
        central = maps[:, :, maps.shape[2] // 2, maps.shape[3] // 2]
        signs = torch.randint(0, 2, central.shape, device=central.device) * 2 - 1
        (gradient,) = torch.autograd.grad((signs * central).sum(), images)
    return gradient.square().sum(dim=1).mean(dim=0)


def effective_side(energy: Tensor) -> float:
    """Return the side of the effective receptive field in pixels: four standard deviations of the energy.

    The energy (H, W) is read as a distribution over pixels; its variance is the mean of those along the height
    and along the width.

    Raises:
        UserError: the energy is 0 everywhere.

    >>> round(effective_side(torch.ones(3, 3)), 2)  # uniform: four times the root of 2/3
    3.27
    """
    total = energy.double().sum()
    if total <= 0:
        raise UserError(
            "No pixel changes this unit, so it has no effective field; use another image or unit."
        )
    variances = []
    for axis in (1, 0):
        share = energy.double().sum(dim=axis) / total
        pixels = torch.arange(len(share), dtype=torch.double, device=share.device)
        mean = (share * pixels).sum()
        variances.append((share * (pixels - mean) ** 2).sum())
    return STDS_PER_SIDE * sqrt(float(sum(variances)) / 2)


def predicted_side(layers: Sequence[tuple[int, int]]) -> float:
    """Return the expected effective side of a plain stack of layers with random weights, in pixels.

    On average over its weights, a layer spreads the energy of a unit evenly over k × k units at a distance of a
    jump j. This adds (k² − 1) / 12 · j² to the variance along each side (Luo et al. 2016, section 2, for equal
    layers of stride 1). A max-pool counts as a convolution, since each of its inputs may be the largest. The
    formula does not cover shortcuts.

    Args:
        layers: ``[(kernel, stride), …]``.

    >>> predicted_side([(3, 1)] * 6)
    8.0
    """
    twelve_variances, jump = 0, 1
    for kernel, stride in layers:
        twelve_variances += (kernel**2 - 1) * jump**2
        jump *= stride
    return STDS_PER_SIDE * sqrt(twelve_variances / 12)


def plain_stack_energy(depth: int) -> Tensor:
    """Return the mean energy (2n + 1, 2n + 1) of six untrained stacks of n 3×3 convolutions with ReLUs.

    Feature maps have 16 channels. Weights are drawn with He initialisation and images are noise, as large as the
    receptive field. Each stack has the same weight in the mean. Random numbers come from PyTorch's default
    generator.

    Args:
        depth: Number n of convolutions.

    >>> plain_stack_energy(depth=3).shape
    torch.Size([7, 7])
    """
    side, networks = 2 * depth + 1, 6
    total = torch.zeros(side, side)
    for _ in range(networks):
        energy = gradient_energy(plain_stack(depth, 16, he_std), torch.randn(4, 3, side, side))
        total += energy / energy.sum()
    return total / networks


def gradient_map(network: nn.Module, size: int) -> Tensor:
    """Return how strongly each pixel of a random image moves the middle unit of a network's output, (size, size).

    Luo et al. (2016) see the effective receptive field in it. Channels of the unit are summed before the gradient
    is taken, those of the image after it, without signs.

    Args:
        network: From images (1, 3, size, size) to feature maps (1, C, H, W).
        size: Side of the image in pixels.

    >>> (gradient_map(nn.Conv2d(3, 2, kernel_size=5, padding=2), size=9) > 0).any(dim=0).sum().item()
    5
    """
    image = torch.rand(1, 3, size, size, requires_grad=True)
    maps = network(image)
    middle = maps[0, :, maps.shape[2] // 2, maps.shape[3] // 2]
    return torch.autograd.grad(middle.sum(), image)[0][0].abs().sum(dim=0)
