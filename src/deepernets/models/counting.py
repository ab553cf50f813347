"""What a network costs: parameters, multiply-adds, output shapes, memory, layer by layer."""

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from deepernets.errors import UserError
from deepernets.models.tracing import BATCH_SIZE, LayerCall, forward_on_meta, meta_state, trace_layers

if TYPE_CHECKING:
    from pandas import DataFrame

# A backward pass costs two forward passes: the gradients of the inputs, and those of the weights.
TRAINING_TO_FORWARD = 3


def count_parameters(model: nn.Module) -> int:
    """Return the number of parameters; the running statistics of normalisations are not parameters.

    >>> count_parameters(nn.Conv2d(3, 64, kernel_size=3))
    1792
    """
    return sum(parameter.numel() for parameter in model.parameters())


def count_running_statistics(model: nn.Module) -> int:
    """Return the number of running means and variances of all normalisations, which Keras counts as well.

    >>> count_running_statistics(nn.BatchNorm2d(64))
    128
    """
    return sum(buffer.numel() for buffer in model.buffers() if buffer.is_floating_point())


def conv_weights(kernel: int, channels: int, layers: int = 1) -> int:
    """Return the weights of `layers` convolutions with `channels` in and out, without biases: layers · k² · C².

    One 7×7 convolution has 81 % more weights than three 3×3 convolutions, whose receptive field is the same
    (Simonyan & Zisserman 2015, section 2.3).

    >>> conv_weights(7, 512) / conv_weights(3, 512, layers=3)
    1.8148148148148149
    """
    return layers * kernel**2 * channels**2


def count_multiply_adds(model: nn.Module, in_shape: tuple[int, int, int]) -> int:
    """Return the multiply-adds of one image's forward pass, in convolutions and linear layers.

    He et al. (2016, table 1) call these FLOPs: one for each pair of a weight and an input. Biases,
    normalisations, pools and additions are not counted.

    Args:
        model: Any module that maps a batch of images to a tensor.
        in_shape: Channels, height and width of an image.

    >>> count_multiply_adds(nn.Conv2d(3, 64, kernel_size=3, padding=1), (3, 32, 32)) == 64 * 32 * 32 * 3 * 3 * 3
    True
    """
    return sum(_layer_multiply_adds(call) for call in trace_layers(model, in_shape))


def training_cost(epochs: int, images: int, multiply_adds: int) -> int:
    """Return the multiply-adds of a training run: one forward and one backward pass per image and epoch.

    Args:
        epochs: Passes over the training images.
        images: Training images.
        multiply_adds: Of one image's forward pass, as `count_multiply_adds` returns them.

    >>> training_cost(20, 15_000, 313_198_080)  # report A's VGG-16
    281878272000000
    """
    return TRAINING_TO_FORWARD * epochs * images * multiply_adds


def _layer_multiply_adds(call: LayerCall) -> int:
    if not isinstance(call.layer, nn.Conv2d | nn.Linear):
        return 0
    weights_per_unit = call.layer.weight[0].numel()
    return call.output[0].numel() * weights_per_unit


def summary(model: nn.Module, in_shape: tuple[int, int, int]) -> "DataFrame":
    """Return a table of a network's layers, in the order of the forward pass of one image.

    Args:
        model: Any module that maps a batch of images to a tensor.
        in_shape: Channels, height and width of an image.

    Returns:
        One row per layer, with the columns name, layer (its class), output_shape (without the batch), parameters
        and multiply_adds.

    Raises:
        UserError: the network does not accept images of this shape.

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
        for call in trace_layers(model, in_shape)
    )


def summary_by_part(model: nn.Module, in_shape: tuple[int, int, int]) -> "DataFrame":
    """Return a table with one row per direct child of a network, such as a ResNet's stem, stages and head.

    Args:
        model: A network that calls its children one after the other.
        in_shape: Channels, height and width of an image.

    Returns:
        The columns part (the child's name), output_shape (of its last layer, without the batch), parameters and
        multiply_adds (of one image's forward pass).

    >>> from collections import OrderedDict
    >>> body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten())
    >>> print(summary_by_part(nn.Sequential(OrderedDict(body=body, head=nn.Linear(32, 2))), (3, 4, 4)))
       part output_shape  parameters  multiply_adds
    0  body        (32,)         224            864
    1  head         (2,)          66             64
    """
    layers = summary(model, in_shape)
    parts = layers.groupby(layers["name"].str.split(".").str[0].rename("part"), sort=False)
    columns = {"output_shape": "last", "parameters": "sum", "multiply_adds": "sum"}
    return parts.agg(columns).reset_index()


def summary_by_map_side(model: nn.Module, in_shape: tuple[int, int, int]) -> "DataFrame":
    """Return a table with one row per size of feature map: what the convolutions cost that produce it.

    Args:
        model: Any network with convolutions.
        in_shape: Channels, height and width of an image.

    Returns:
        The columns side (height of the feature maps in pixels), convolutions (their number), channels (the
        largest number of output channels) and multiply_adds.

    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(8, 16, 1))
    >>> print(summary_by_map_side(model, (3, 4, 4)))
       side  convolutions  channels  multiply_adds
    0     4             1         8           3456
    1     2             1        16            512
    """
    layers = summary(model, in_shape)
    convolutions = layers[layers["layer"] == "Conv2d"]
    shapes = convolutions["output_shape"].str
    by_side = convolutions.assign(side=shapes[1], channels=shapes[0]).groupby("side", sort=False)
    return by_side.agg(
        convolutions=("name", "count"), channels=("channels", "max"), multiply_adds=("multiply_adds", "sum")
    ).reset_index()


def output_side(side: int, kernel: int, stride: int = 1, padding: int = 0, round_up: bool = False) -> int:
    """Return the side of a convolution's or pool's feature map: ⌊(n + 2p − k) / s⌋ + 1, or 0 if nothing fits.

    Args:
        side: Side n of the input, in pixels.
        kernel: Side k of the window.
        stride: Distance s between neighbouring windows, in pixels.
        padding: Pixels p added at each edge.
        round_up: Also count a window that fits only partly, as pools with ``ceil_mode=True`` do; it has to
            start on the input or its left padding.

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
            f"{side}; expected a kernel and a stride of at least 1, a side and a padding of at least 0."
        )
    steps, rest = divmod(side + 2 * padding - kernel, stride)
    if round_up and rest and (steps + 1) * stride < side + padding:
        steps += 1
    return max(steps + 1, 0)


def activation_bytes(shape: Sequence[int], bytes_per_number: int = 4) -> int:
    """Return the memory of one image's activations of this shape, in bytes; a float32 takes four.

    >>> activation_bytes((64, 224, 224))
    12845056
    """
    return bytes_per_number * prod(shape)


def saved_for_backward(model: nn.Module, in_shape: tuple[int, int, int]) -> dict[torch.dtype, int]:
    """Return the memory that PyTorch keeps per image from the forward to the backward pass, in bytes by type.

    The forward pass runs on the meta device. A tensor that several layers save is counted once; parameters are
    not counted. What is saved once per batch, such as a normalisation's statistics, counts half, since the batch
    has two images.

    Args:
        model: Any module that maps a batch of images to a tensor, in training or evaluation mode.
        in_shape: Channels, height and width of an image.

    Raises:
        UserError: the network does not accept images of this shape.

    >>> model = nn.Sequential(nn.Conv2d(3, 8, kernel_size=3, padding=1), nn.ReLU(inplace=True))
    >>> saved_for_backward(model, (3, 4, 4)) == {torch.float32: 4 * (3 + 8) * 4 * 4}
    True
    """
    state = meta_state(model)
    own = {_storage(tensor) for tensor in state.values()}
    saved: dict[int, Tensor] = {}

    def save(tensor: Tensor) -> Tensor:
        if _storage(tensor) not in own:
            # while the tensor is kept, its address, by which storages are distinguished, is not used again
            saved.setdefault(_storage(tensor), tensor)
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(save, lambda tensor: tensor):
        forward_on_meta(model, state, in_shape)
    totals: dict[torch.dtype, int] = {}
    for tensor in saved.values():
        totals[tensor.dtype] = totals.get(tensor.dtype, 0) + tensor.untyped_storage().nbytes() // BATCH_SIZE
    return totals


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
