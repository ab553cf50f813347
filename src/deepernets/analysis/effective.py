"""How much of its receptive field a unit really uses (Luo et al. 2016)."""

from collections.abc import Sequence
from math import sqrt

import torch
from torch import Tensor, nn

from deepernets.analysis.signals import he_deviation, plain_stack
from deepernets.errors import UserError

DEVIATIONS = 4  # an interval of ± 2 standard deviations holds 95 % of a bell curve


def energy(network: nn.Module, images: Tensor) -> Tensor:
    """Return how strongly each pixel moves the middle unit of a network's maps: squared gradients, (H, W).

    Squares are summed over the image's channels and averaged over the images. So that all channels of the unit
    count, each is given a random sign before they are added up: then squares of their sum are, on average, the
    sum of their squares.

    Args:
        network: From images (N, C, H, W) to maps (N, c, h, w); it stays in the mode that it is in. In training
            mode a batch normalisation makes each unit depend on all pixels of all images.
        images: (N, C, H, W).

    Raises:
        UserError: what the network gives are no maps.

    >>> (energy(nn.Conv2d(3, 2, kernel_size=5, padding=2), torch.rand(1, 3, 9, 9)) > 0).sum().item()
    25
    """
    images = images.detach().clone().requires_grad_()
    with torch.enable_grad():
        maps = network(images)
        if maps.ndim != 4:
            raise UserError(
                f"A receptive field belongs to a unit of a map; this network gives {tuple(maps.shape)}. Leave "
                "out its head, as in model[:-1]."
            )
        middle = maps[:, :, maps.shape[2] // 2, maps.shape[3] // 2]
        signs = torch.randint(0, 2, middle.shape, device=middle.device) * 2 - 1
        (gradient,) = torch.autograd.grad((signs * middle).sum(), images)
    return gradient.square().sum(dim=1).mean(dim=0)


def effective_side(energies: Tensor) -> float:
    """Return the side of the effective receptive field, in pixels: four standard deviations of the energy.

    The energy (H, W) is read as a distribution over pixels; the deviation is the root of the mean of its
    variances along the height and along the width.

    Raises:
        UserError: all of it is 0.

    >>> round(effective_side(torch.ones(3, 3)), 2)  # evenly spread: four times the root of 2/3
    3.27
    """
    total = energies.double().sum()
    if total <= 0:
        raise UserError("No pixel moves this unit, so it has no effective field; take another image or unit.")
    variances = []
    for across in (1, 0):
        along = energies.double().sum(dim=across) / total
        places = torch.arange(len(along), dtype=torch.double, device=along.device)
        mean = (along * places).sum()
        variances.append((along * (places - mean) ** 2).sum())
    return DEVIATIONS * sqrt(float(sum(variances)) / 2)


def predicted_side(layers: Sequence[tuple[int, int]]) -> float:
    """Return the effective side that random weights give a plain stack of layers, in pixels.

    Each layer spreads the energy of a unit evenly over k × k units that lie a jump j apart, on average over its
    weights; that adds (k² − 1) / 12 · j² to the variance along each side, and the side is four times the root of
    their sum (Luo et al. 2016, section 2, derive it for equal layers of stride 1). A max-pool counts like a
    convolution, as the largest of its inputs may be any of them. Shortcuts have no place in the formula.

    Args:
        layers: ``[(kernel, stride), …]``.

    >>> predicted_side([(3, 1)] * 6)
    8.0
    """
    twelve_variances, jump = 0, 1
    for kernel, stride in layers:
        twelve_variances += (kernel**2 - 1) * jump**2
        jump *= stride
    return DEVIATIONS * sqrt(twelve_variances / 12)


def stack_energy(depth: int, channels: int = 16, networks: int = 6) -> Tensor:
    """Return the energy, (2n + 1, 2n + 1), of untrained stacks of n 3×3 convolutions with ReLUs.

    Weights are He's, images noise; each of the stacks counts alike. The images are as large as the field. Seed
    PyTorch before for the same answer again.

    Args:
        depth: Number n of convolutions.
        channels: Channels of each map.
        networks: How many stacks to average over.

    >>> stack_energy(depth=3).shape
    torch.Size([7, 7])
    """
    side = 2 * depth + 1
    total = torch.zeros(side, side)
    for _ in range(networks):
        one = energy(plain_stack(depth, channels, he_deviation), torch.randn(4, 3, side, side))
        total += one / one.sum()
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
