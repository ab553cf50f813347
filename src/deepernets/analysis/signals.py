"""What depth does: to signals on their way forward and back, and to errors; and how to add depth that does nothing.

Measuring leaves no trace: weights, kept gradients and running statistics stay as they were.
"""

from collections.abc import Callable, Mapping, Sequence
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from deepernets.errors import UserError
from deepernets.models.layers import Residual

Deviation = Callable[[int, int, int], float]  # channels in, channels out, side of the kernel -> deviation


def diagnosis(
    shallow: Sequence[Mapping[str, float]],
    deep: Sequence[Mapping[str, float]],
    tolerance: float = 0.01,
    far: float = 0.2,
) -> str:
    """Say what is wrong with a deeper network, by the errors at the end of training.

    He et al. (2016, section 1): where even the training error is higher, it is not overfitting. That holds for
    runs that have converged. A run that ends far from fitting its training images shows how fast a network
    learns, not what it can reach.

    Args:
        shallow: The epochs of a run, as a record holds them.
        deep: Those of a deeper network.
        tolerance: Errors count as different only if they are further apart than this.
        far: A training error above this counts as far from fitting the training images. The value suits small
            images such as CIFAR-10's; on ImageNet, training errors stay higher.

    Returns:
        "not converged" if either training error is above `far`; else "degradation" if the deeper network's
        training error is higher; else "overfitting" if its validation error is; else "neither".

    >>> shallow = [{"train_accuracy": 0.9, "validation_accuracy": 0.8}]
    >>> diagnosis(shallow, [{"train_accuracy": 0.95, "validation_accuracy": 0.7}])
    'overfitting'
    >>> diagnosis(shallow, [{"train_accuracy": 0.3, "validation_accuracy": 0.3}])
    'not converged'
    """
    if min(shallow[-1]["train_accuracy"], deep[-1]["train_accuracy"]) < 1 - far:
        return "not converged"
    for column, word in (("train_accuracy", "degradation"), ("validation_accuracy", "overfitting")):
        if shallow[-1][column] - deep[-1][column] > tolerance:
            return word
    return "neither"


def convolutions(network: nn.Module) -> dict[str, nn.Conv2d]:
    """Return the convolutions of a network by name, in the order in which they were put into it.

    >>> list(convolutions(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3))))
    ['0', '2']
    """
    return {name: layer for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d)}


def gradient_norms(network: nn.Module, images: Tensor, labels: Tensor) -> dict[str, float]:
    """Return, for each convolution, the Euclidean norm of the gradient of the cross-entropy by its weights.

    A normalisation uses the statistics of the batch if the network is in training mode.

    Args:
        network: Gives logits (N, K).
        images: (N, C, H, W).
        labels: (N,) class indices.

    >>> network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten())
    >>> norms = gradient_norms(network, torch.zeros(4, 1, 1, 1), torch.zeros(4, dtype=torch.long))
    >>> norms["0"]  # the weights of black images do not matter
    0.0
    """
    found = convolutions(network)
    with torch.enable_grad():
        loss = F.cross_entropy(_forward(network, images), labels)
        gradients = torch.autograd.grad(loss, [layer.weight for layer in found.values()])
    return {name: float(gradient.norm()) for name, gradient in zip(found, gradients, strict=True)}


@torch.no_grad()
def activation_variances(network: nn.Module, images: Tensor) -> dict[str, float]:
    """Return, for each convolution, the variance of what it gives, before any normalisation and ReLU.

    The variance is taken over images, channels and places together: Var[y] of He et al. (2015,
    arXiv:1502.01852, section 2.2).

    Args:
        network: Any module that maps images to a tensor.
        images: (N, C, H, W).

    >>> network = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False))
    >>> weights = nn.init.constant_(network[0].weight, 3.0)
    >>> activation_variances(network, torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1))["0"]
    9.0
    """
    variances: dict[str, float] = {}

    def note(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        return lambda layer, inputs, output: variances.update({name: float(output.var(correction=0))})

    handles = [layer.register_forward_hook(note(name)) for name, layer in convolutions(network).items()]
    try:
        _forward(network, images)
    finally:
        for handle in handles:
            handle.remove()
    return variances


def glorot_deviation(c_in: int, c_out: int, kernel: int) -> float:
    """Return √(2 / (fan in + fan out)): Glorot & Bengio (2010), equation 12.

    >>> glorot_deviation(16, 16, kernel=1)
    0.25
    """
    return sqrt(2 / (kernel**2 * (c_in + c_out)))


def he_deviation(c_in: int, c_out: int, kernel: int) -> float:
    """Return √(2 / fan in): He et al. (2015), equation 10; ReLUs then neither enlarge nor shrink the variance.

    >>> he_deviation(8, 16, kernel=1)
    0.5
    """
    return sqrt(2 / (kernel**2 * c_in))


def plain_stack(depth: int, channels: int, deviation: Deviation, c_in: int = 3) -> nn.Sequential:
    """Return `depth` 3×3 convolutions, each followed by a ReLU, without normalisation, biases or stride.

    Weights are normal around 0. Edges wrap around: the zeros of an ordinary padding would take a little of the
    signal at each layer, and hide what the weights do to it.

    Args:
        depth: Number of convolutions.
        channels: Channels of every map.
        deviation: The standard deviation of a convolution's weights, from its channels in, its channels out and
            the side of its kernel.
        c_in: Channels of the images.

    >>> len(plain_stack(depth=5, channels=8, deviation=lambda c_in, c_out, kernel: 0.01))
    10
    """
    stack = nn.Sequential()
    for number in range(1, depth + 1):
        layer = nn.Conv2d(c_in, channels, 3, padding=1, bias=False, padding_mode="circular")
        nn.init.normal_(layer.weight, std=float(deviation(c_in, channels, 3)))
        stack.add_module(f"conv{number}", layer)
        stack.add_module(f"relu{number}", nn.ReLU())
        c_in = channels
    return stack


def identity_weights(channels: int) -> Tensor:
    """Return weights (C, C, 3, 3) of a convolution that gives back what it gets.

    >>> identity_weights(2)[1].sum(dim=(1, 2))  # of what the second map is made
    tensor([0., 1.])
    """
    return nn.init.dirac_(torch.empty(channels, channels, 3, 3))


@torch.no_grad()
def deepen(
    shallow: nn.Module, deep: nn.Module, identity: Callable[[int], Any] = identity_weights
) -> nn.Module:
    """Make a plain network compute what a shallower one computes, and return it, in evaluation mode.

    This is the argument of He et al. (2016, section 1): layers that the two share are copied, and the others are
    made to change nothing. A normalisation of the latter has running statistics 0 and 1, and a γ that takes
    back its ε.

    Args:
        shallow: The network to be copied; each of its layers has a namesake of the same shape in `deep`.
        deep: Changed in place.
        identity: From a number of channels C to weights (C, C, 3, 3) of a convolution that changes nothing.

    Raises:
        UserError: a network has shortcuts, or the layers of `shallow` are not among those of `deep`.
    """
    if any(isinstance(module, Residual) for module in (*shallow.modules(), *deep.modules())):
        raise UserError("A block with a shortcut is the identity where its branch is 0; give plain networks.")
    copied = shallow.state_dict()
    if unknown := sorted(set(copied) - set(deep.state_dict())):
        raise UserError(
            f"The deeper network has no {unknown[0]!r}; give one with the same stages, but longer."
        )
    deep.load_state_dict(copied, strict=False)
    for name, layer in deep.named_modules():
        if f"{name}.weight" in copied:
            continue
        if isinstance(layer, nn.Conv2d):
            layer.weight.copy_(torch.as_tensor(identity(layer.out_channels)))
        elif isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.bias.zero_()
            layer.weight.fill_(sqrt(1 + layer.eps))
    return deep.eval()


def _forward(network: nn.Module, images: Tensor) -> Tensor:
    """Run a network on copies of its buffers, so that a training-mode pass leaves no trace in them."""
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    return functional_call(network, buffers, (images,))
