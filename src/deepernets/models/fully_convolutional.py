"""Dense evaluation: a fully-connected head as convolutions (Simonyan & Zisserman 2015, section 3.2).

A fully-connected layer is a convolution whose kernel covers the whole feature map. As such it can be applied to a
larger map, and a network trained on crops returns a map of scores for an image of any size.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deepernets.errors import UserError
from deepernets.models.tracing import trace_layers


def as_convolution(layer: nn.Linear, height: int = 1, width: int = 1) -> nn.Conv2d:
    """Return the convolution with stride 1 and no padding that is equivalent to a linear layer.

    Its weights are a copy of the layer's, reshaped to (units, C, height, width): the order in which feature maps
    (C, height, width) are flattened.

    Args:
        layer: Takes vectors of C · height · width numbers.
        height: Of the feature map that is flattened before the layer.
        width: Likewise.

    Raises:
        UserError: the layer's inputs are not a multiple of height · width.

    >>> as_convolution(nn.Linear(512 * 7 * 7, 10), 7, 7)
    Conv2d(512, 10, kernel_size=(7, 7), stride=(1, 1))
    """
    channels, rest = divmod(layer.in_features, height * width)
    if rest:
        raise UserError(
            f"A layer with {layer.in_features} inputs cannot follow feature maps of {height}×{width}; give the "
            "size of the feature map that is flattened before it."
        )
    with torch.device("meta"):  # no weights are drawn: VGG has 100 million in its first linear layer
        convolution = nn.Conv2d(channels, layer.out_features, (height, width), bias=layer.bias is not None)
    copied = {name: parameter.detach().clone() for name, parameter in layer.named_parameters()}
    copied["weight"] = copied["weight"].view(-1, channels, height, width)
    convolution.load_state_dict(copied, assign=True)
    return convolution


def fully_convolutional(network: nn.Sequential, in_shape: tuple[int, int, int]) -> nn.Sequential:
    """Return a network with convolutions in place of its fully-connected layers.

    It maps (N, C, H, W) to scores (N, K, h, w), one for each position of a window of the size of `in_shape` that
    moves by the body's stride. For an image of that size h = w = 1, and the scores are the network's own. The body
    is shared with `network`; the head's weights are copied. Call ``.eval()`` before use, because of dropout.

    Args:
        network: A body, then a ``head`` that consists of a flattening, linear layers, ReLUs and dropout, as
            `VGGSpec` builds it.
        in_shape: Channels, height and width of the images that the head was built for.

    Raises:
        UserError: the head is of another kind, such as a ResNet's, which accepts any size already.

    >>> from deepernets.models.vgg import VGGSpec
    >>> spec = VGGSpec(configuration="conv3-8", in_shape=(1, 4, 4), classes=2, head="cifar")
    >>> dense = fully_convolutional(spec.build(), spec.in_shape)
    >>> dense(torch.zeros(5, 1, 8, 4)).shape
    torch.Size([5, 2, 3, 1])
    """
    *body, (head_name, head) = network.named_children()
    layers = list(head.named_children())
    if not layers or not isinstance(layers[0][1], nn.Flatten):
        raise UserError(
            "The head does not begin with a flattening; expected a network with a head like VGG's."
        )
    # the first linear layer's kernel must cover the whole input of the flattening
    height, width = next(
        call.input.shape[2:] for call in trace_layers(network, in_shape) if call.layer is layers[0][1]
    )
    dense = nn.Sequential()
    for name, layer in layers[1:]:
        if isinstance(layer, nn.Linear):
            dense.add_module(name, as_convolution(layer, height, width))
            height = width = 1  # after it, a unit is a position of the scores
        elif isinstance(layer, nn.ReLU | nn.Dropout):
            dense.add_module(name, layer)
        else:
            raise UserError(
                f"The head has a {type(layer).__name__}; expected only linear layers, ReLUs and dropout."
            )
    converted = nn.Sequential()
    for name, module in (*body, (head_name, dense)):
        converted.add_module(name, module)
    converted.train(network.training)
    return converted


@torch.no_grad()
def image_probabilities(dense: nn.Module, images: Tensor) -> Tensor:
    """Return class probabilities of whole images by dense evaluation (section 3.2).

    Scores are averaged over positions, and their softmax over the image and its mirror image.

    Args:
        dense: Maps images to scores (N, K, h, w), such as a `fully_convolutional` network in evaluation mode.
        images: (N, C, H, W).

    Returns:
        (N, K); rows sum to 1.

    >>> image_probabilities(nn.Conv2d(3, 4, 2), torch.zeros(2, 3, 8, 8)).sum(dim=1).tolist()
    [1.0, 1.0]
    """
    views = [F.softmax(dense(view).mean(dim=(2, 3)), dim=1) for view in (images, images.flip(3))]
    return torch.stack(views).mean(dim=0)
