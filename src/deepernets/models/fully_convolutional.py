"""Dense evaluation: a fully-connected head as convolutions (Simonyan & Zisserman 2015, section 3.2).

A fully-connected layer is a convolution whose kernel is the whole map. Written so, it can be slid over a larger
map, and a network trained on crops gives a map of scores for an image of any size.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deepernets.analysis.walk import walk
from deepernets.errors import UserError


def as_convolution(layer: nn.Linear, height: int = 1, width: int = 1) -> nn.Conv2d:
    """Return the convolution, stride 1 and no padding, that computes what a linear layer computes.

    The weights are those of the layer, read as (units, C, height, width): the order in which a map of shape
    (C, height, width) was laid out as a vector. They are copied.

    Args:
        layer: Takes vectors of C · height · width numbers.
        height: Of the map that was laid out, in units of that map.
        width: As `height`.

    Raises:
        UserError: the layer's inputs are no whole number of channels of that size.

    >>> as_convolution(nn.Linear(512 * 7 * 7, 10), 7, 7)
    Conv2d(512, 10, kernel_size=(7, 7), stride=(1, 1))
    """
    channels, rest = divmod(layer.in_features, height * width)
    if rest:
        raise UserError(
            f"A layer of {layer.in_features} inputs cannot have seen maps of {height}×{width}; give the size "
            "of the map that was laid out before it."
        )
    with layer.weight.device:
        convolution = nn.Conv2d(channels, layer.out_features, (height, width), bias=layer.bias is not None)
    convolution.to(layer.weight.dtype)
    with torch.no_grad():
        convolution.weight.copy_(layer.weight.view(-1, channels, height, width))
        if convolution.bias is not None:
            convolution.bias.copy_(layer.bias)
    return convolution


def fully_convolutional(network: nn.Sequential, in_shape: tuple[int, int, int]) -> nn.Sequential:
    """Return a network with convolutions in place of its fully-connected layers.

    It maps (N, C, H, W) to a map of scores (N, K, h, w), one for each place where an image of the size of
    `in_shape` fits in steps of the body's stride; for such an image itself h = w = 1, and the scores are the
    network's own. The body is shared with `network`, the head's weights are copied. Evaluate it with ``.eval()``:
    dropout would go on dropping.

    Args:
        network: A body, and last a ``head`` that flattens the maps and then consists of linear layers, ReLUs and
            dropout, as `VGGSpec` builds it.
        in_shape: Channels, height and width of the images that the head was made for.

    Raises:
        UserError: the head is another one (a residual network's averages its maps, and takes any size as it is).

    >>> from deepernets.models.vgg import VGGSpec
    >>> spec = VGGSpec(configuration="conv3-8", in_shape=(1, 4, 4), classes=2, head="cifar")
    >>> dense = fully_convolutional(spec.build(), spec.in_shape)
    >>> dense(torch.zeros(5, 1, 8, 4)).shape
    torch.Size([5, 2, 3, 1])
    """
    *body, head = network.named_children()
    layers = list(head[1].named_children())
    if not layers or not isinstance(layers[0][1], nn.Flatten):
        raise UserError(
            "The head does not begin by flattening its maps; give a network with a head like VGG's."
        )
    # what the flattening gets is the map that the first linear layer's kernel must cover
    height, width = next(
        call.input.shape[2:] for call in walk(network, in_shape) if call.layer is layers[0][1]
    )
    dense = nn.Sequential()
    for name, layer in layers[1:]:
        if isinstance(layer, nn.Linear):
            dense.add_module(name, as_convolution(layer, height, width))
            height = width = 1  # behind it, a unit is a place of the map of scores
        elif isinstance(layer, nn.ReLU | nn.Dropout):
            dense.add_module(name, layer)
        else:
            raise UserError(f"The head holds a {type(layer).__name__}, which has no convolution to become.")
    converted = nn.Sequential()
    for name, module in (*body, (head[0], dense)):
        converted.add_module(name, module)
    converted.train(network.training)
    return converted


@torch.no_grad()
def image_probabilities(dense: nn.Module, images: Tensor) -> Tensor:
    """Return class probabilities of whole images, as section 3.2 of the paper forms them.

    The map of scores is averaged over its places; the softmax of the averages is averaged over the image and its
    mirror image.

    Args:
        dense: Maps images to scores (N, K, h, w), as `fully_convolutional` returns it; in evaluation mode.
        images: (N, C, H, W).

    Returns:
        (N, K), rows that add up to 1.

    >>> image_probabilities(nn.Conv2d(3, 4, 2), torch.zeros(2, 3, 8, 8)).sum(dim=1).tolist()
    [1.0, 1.0]
    """
    both = [F.softmax(dense(view).mean(dim=(2, 3)), dim=1) for view in (images, images.flip(3))]
    return torch.stack(both).mean(dim=0)
