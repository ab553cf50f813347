"""What a network costs and what it sees: parameters, shapes, multiply-adds, receptive fields."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, overload

from torch import nn

from deepernets.analysis.walk import Call, walk
from deepernets.errors import UserError

if TYPE_CHECKING:
    from pandas import DataFrame

TRAINING_TO_FORWARD = 3  # a backward pass costs two forward ones: gradients of the inputs, and of the weights


def count_parameters(model: nn.Module) -> int:
    """Return how many numbers `model` learns; a normalisation's running statistics are none of them.

    >>> count_parameters(nn.Conv2d(3, 64, kernel_size=3))
    1792
    """
    return sum(parameter.numel() for parameter in model.parameters())


def count_running_statistics(model: nn.Module) -> int:
    """Return how many means and variances the normalisations of `model` keep; Keras counts them too.

    >>> count_running_statistics(nn.BatchNorm2d(64))
    128
    """
    return sum(buffer.numel() for buffer in model.buffers() if buffer.is_floating_point())


def conv_weights(kernel: int, channels: int, layers: int = 1) -> int:
    """Return the weights of `layers` convolutions of `channels` in and out, without biases: layers · k² · C².

    Simonyan & Zisserman (2015, section 2.3): one 7×7 convolution costs 81 % more than three of 3×3, which see
    as much.

    >>> conv_weights(7, 512) / conv_weights(3, 512, layers=3)
    1.8148148148148149
    """
    return layers * kernel**2 * channels**2


def count_multiply_adds(model: nn.Module, in_shape: tuple[int, int, int]) -> int:
    """Return the multiply-adds of one image's forward pass, in convolutions and linear layers.

    This is what He et al. (2016, table 1) count as FLOPs: one for each pair of a weight and an input. Biases,
    normalisations, pools and additions are left out.

    Args:
        model: Any module that maps a batch of images to a tensor.
        in_shape: Channels, height and width of an image.

    >>> count_multiply_adds(nn.Conv2d(3, 64, kernel_size=3, padding=1), (3, 32, 32)) == 64 * 32 * 32 * 3 * 3 * 3
    True
    """
    return sum(_layer_multiply_adds(call) for call in walk(model, in_shape))


def summary(model: nn.Module, in_shape: tuple[int, int, int]) -> "DataFrame":
    """Return what happens to one image, layer by layer, in the order in which layers are called.

    Args:
        model: Any module that maps a batch of images to a tensor.
        in_shape: Channels, height and width of an image.

    Returns:
        One row a layer: name, layer (its class), output_shape (without the batch), parameters, multiply_adds.

    Raises:
        UserError: the network takes no images of this shape.

    >>> print(summary(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(32, 2)), (3, 4, 4)))
      name    layer output_shape  parameters  multiply_adds
    0    0   Conv2d    (8, 2, 2)         224            864
    1    1  Flatten        (32,)           0              0
    2    2   Linear         (2,)          66             64
    """
    from pandas import DataFrame

    return DataFrame(
        {
            "name": call.name,
            "layer": type(call.layer).__name__,
            "output_shape": tuple(call.output.shape[1:]),
            "parameters": count_parameters(call.layer),
            "multiply_adds": _layer_multiply_adds(call),
        }
        for call in walk(model, in_shape)
    )


@overload
def receptive_field(layers: Sequence[tuple[int, int]], in_shape: None = None) -> int: ...


@overload
def receptive_field(layers: nn.Module, in_shape: tuple[int, int, int]) -> "DataFrame": ...


def receptive_field(
    layers: Sequence[tuple[int, int]] | nn.Module, in_shape: tuple[int, int, int] | None = None
) -> "int | DataFrame":
    """Return how many pixels, along one side, a unit behind these layers sees.

    Each layer of kernel k adds (k - 1) · jump, where the jump, the distance in pixels between neighbouring
    units, is the product of all strides before it.

    Args:
        layers: ``[(kernel, stride), …]``, or a network.
        in_shape: Channels, height and width of an image; with a network only.

    Returns:
        The receptive field behind the last layer; for a network one row for each layer that gives maps: name,
        receptive_field, jump, start (the pixel, counted from 0, on which the first unit's field is centred).
        The field of unit i reaches (receptive_field - 1) / 2 pixels to both sides of start + i · jump, as far
        as the image goes. Kernels and strides are read along the height.

    Raises:
        UserError: a network without `in_shape`, or images that it does not take.

    Two 3×3 convolutions see as much as one of 5×5, three as much as one of 7×7:

    >>> receptive_field([(3, 1)] * 2), receptive_field([(3, 1)] * 3)
    (5, 7)
    """
    if isinstance(layers, nn.Module):
        if in_shape is None:
            raise UserError("Networks have receptive fields for images of a shape; give in_shape=(C, H, W).")
        return _receptive_fields(layers, in_shape)
    field = _Field()
    for kernel, stride in layers:
        field = field.behind(_Window(kernel, stride))
    return field.size


class _Window(NamedTuple):
    """What a layer's units look at along the height: `kernel` inputs each, the first from ``-padding``."""

    kernel: int = 1
    stride: int = 1
    padding: int = 0


class _Field(NamedTuple):
    """The pixels a unit sees along the height; at first, each unit is a pixel."""

    size: int = 1
    jump: int = 1
    start: float = 0.0

    def behind(self, window: _Window) -> "_Field":
        """Return the field of the units behind one more layer."""
        return _Field(
            self.size + (window.kernel - 1) * self.jump,
            self.jump * window.stride,
            self.start + ((window.kernel - 1) / 2 - window.padding) * self.jump,
        )


def _layer_multiply_adds(call: Call) -> int:
    if not isinstance(call.layer, nn.Conv2d | nn.Linear):
        return 0
    weights_per_unit = call.layer.weight[0].numel()
    return call.output[0].numel() * weights_per_unit


def _receptive_fields(model: nn.Module, in_shape: tuple[int, int, int]) -> "DataFrame":
    """Follow the fields from layer to layer; where paths meet, the widest field is that of the meeting."""
    from pandas import DataFrame

    calls = [call for call in walk(model, in_shape) if call.input.ndim == call.output.ndim == 4]
    fields: dict[int, _Field] = {id(calls[0].input): _Field()} if calls else {}
    rows = []
    widest = _Field()
    for call in calls:
        # a tensor that no layer made, such as a sum or a concatenation, sees what was seen before it
        field = fields.get(id(call.input), widest).behind(_window(call))
        fields[id(call.output)] = field
        widest = max(widest, field)
        rows.append((call.name, *field))
    return DataFrame(rows, columns=["name", "receptive_field", "jump", "start"])


def _window(call: Call) -> _Window:
    """Return what the units of a layer look at: one unit each where it has no kernel, as a ReLU."""
    layer = call.layer
    if isinstance(layer, nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d):
        before, after = call.input.shape[2], call.output.shape[2]
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


def training_cost(epochs: int, images: int, multiply_adds: int) -> int:
    """Return the multiply-adds of a training: each image of each epoch goes forward once and backward once.

    Args:
        epochs: Passes over the training images.
        images: Training images.
        multiply_adds: Of one image's forward pass, as `deepernets.count_multiply_adds` counts them.

    >>> training_cost(20, 15_000, 313_198_080)  # report A's VGG-16
    281878272000000
    """
    return TRAINING_TO_FORWARD * epochs * images * multiply_adds
