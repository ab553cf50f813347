"""Residual blocks of later papers, in their simplest form: (N, C, H, W) to (N, C, H, W).

``LATER_BLOCKS[name](channels)`` makes one. The papers' variants that halve the feature map are left out.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deepernets.errors import UserError
from deepernets.models.layers import Convolution, Residual, conv, normalised_convolutions


class PreActivation(nn.Module):
    """x + F(x) with normalisation and ReLU before each convolution: He et al. (2016, arXiv:1603.05027), fig. 1b."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv1 = conv(channels, channels, kernel=3)
        self.norm2 = nn.BatchNorm2d(channels)
        self.conv2 = conv(channels, channels, kernel=3)

    def branch(self, x: Tensor) -> Tensor:
        """Return F(x)."""
        y = self.conv1(F.relu(self.norm1(x)))
        return self.conv2(F.relu(self.norm2(y)))

    def forward(self, x: Tensor) -> Tensor:
        """Add the branch; nothing follows the addition."""
        return x + self.branch(x)


class Wide(PreActivation):
    """A pre-activation block with dropout between its convolutions: Zagoruyko & Komodakis (2016), fig. 1d.

    A wide network has k times as many channels as a thin one.
    """

    def __init__(self, channels: int, dropout: float = 0.3) -> None:
        super().__init__(channels)
        self.dropout = nn.Dropout(dropout)

    def branch(self, x: Tensor) -> Tensor:
        """Return F(x)."""
        y = self.conv1(F.relu(self.norm1(x)))
        return self.conv2(self.dropout(F.relu(self.norm2(y))))


class ResNeXt(nn.Module):
    """A bottleneck with half the channels inside and a grouped 3×3 convolution: Xie et al. (2017), fig. 3c.

    Raises:
        UserError: half the channels is not a multiple of `groups`.
    """

    def __init__(self, channels: int, groups: int = 32) -> None:
        super().__init__()
        width = channels // 2
        if channels % 2 or width % groups:
            raise UserError(f"Half of {channels} channels cannot be split into {groups} groups of one size.")
        branch = normalised_convolutions(
            channels, [Convolution(1, width), Convolution(3, width), Convolution(1, channels)]
        )
        branch.conv2 = nn.Conv2d(width, width, 3, padding=1, groups=groups, bias=False)
        self.block = Residual(branch, nn.Identity())

    def forward(self, x: Tensor) -> Tensor:
        """Add the branch, then ReLU."""
        return self.block(x)


class SqueezeExcitation(nn.Module):
    """Scale each channel by a factor that depends on the whole feature map: Hu et al. (2018), section 3.

    Raises:
        UserError: there are fewer channels than `reduction`.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        if channels < reduction:
            raise UserError(
                f"{channels} channels divided by {reduction} leave none; expected to divide by {channels} at most."
            )
        self.squeeze = nn.AdaptiveAvgPool2d(1)  # (N, C, 1, 1)
        self.reduce = nn.Conv2d(channels, channels // reduction, 1)
        self.expand = nn.Conv2d(channels // reduction, channels, 1)

    def gate(self, x: Tensor) -> Tensor:
        """Return the factors (N, C, 1, 1)."""
        return torch.sigmoid(self.expand(F.relu(self.reduce(self.squeeze(x)))))

    def forward(self, x: Tensor) -> Tensor:
        """Return the feature map with each channel scaled."""
        return x * self.gate(x)


class RepVGG(nn.Module):
    """ReLU of a 3×3, a 1×1 and the identity, each with batch normalisation: Ding et al. (2021), fig. 2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv3 = conv(channels, channels, kernel=3)
        self.conv1 = conv(channels, channels, kernel=1)
        self.norm3, self.norm1, self.norm0 = (nn.BatchNorm2d(channels) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """Add the three branches, then ReLU."""
        return F.relu(self.norm3(self.conv3(x)) + self.norm1(self.conv1(x)) + self.norm0(x))

    @torch.no_grad()
    def fused(self) -> nn.Sequential:
        """Return one 3×3 convolution and a ReLU that are equivalent in evaluation mode: section 3.3.

        >>> RepVGG(8).fused()[0]
        Conv2d(8, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
        """
        kernels = (
            self.conv3.weight,
            F.pad(self.conv1.weight, (1, 1, 1, 1)),  # zeros around the weight
            nn.init.dirac_(torch.empty_like(self.conv3.weight)),  # identity
        )
        norms = self.norm3, self.norm1, self.norm0
        weights, biases = zip(*map(fold_norm, kernels, norms), strict=True)
        channels = self.conv3.in_channels
        with torch.device("meta"):  # its weights are given and not drawn
            single = conv(channels, channels, kernel=3, bias=True)
        single.load_state_dict({"weight": sum(weights), "bias": sum(biases)}, assign=True)
        return nn.Sequential(single, nn.ReLU())


class ConvNeXt(nn.Module):
    """x + γ · F(x), where F is a depthwise 7×7 and two 1×1 convolutions with a GELU: Liu et al. (2022), fig. 4.

    The 1×1 convolutions are linear layers on the last dimension, as is the normalisation. γ starts at 10⁻⁶, so
    that the block is nearly the identity at first.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.widen = nn.Linear(channels, 4 * channels)
        self.narrow = nn.Linear(4 * channels, channels)
        self.gamma = nn.Parameter(torch.full((channels,), 1e-6))

    def forward(self, x: Tensor) -> Tensor:
        """Add the scaled branch; nothing follows the addition."""
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))  # (N, H, W, C)
        y = self.gamma * self.narrow(F.gelu(self.widen(y)))
        return x + y.permute(0, 3, 1, 2)


def fold_norm(weight: Tensor, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Return weights and biases of one convolution that is equivalent to a bias-free one and its normalisation.

    In evaluation mode a normalisation multiplies each channel by γ / √(v + ε) and adds β - m γ / √(v + ε), where m
    and v are its running mean and variance.

    Args:
        weight: (C_out, C_in, k, k).
        norm: Of C_out channels, with running statistics.

    Returns:
        (C_out, C_in, k, k) and (C_out,).
    """
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    shift = norm.bias - norm.running_mean * scale
    return weight * scale.view(-1, 1, 1, 1), shift


def basic(channels: int) -> nn.Module:
    """Return ResNet's basic block: He et al. (2016, arXiv:1512.03385), fig. 5 left."""
    return Residual(normalised_convolutions(channels, [Convolution(3, channels)] * 2), nn.Identity())


def bottleneck(channels: int) -> nn.Module:
    """Return ResNet's bottleneck, with a quarter of the channels inside: He et al. (2016), fig. 5 right."""
    width = channels // 4
    layers = [Convolution(1, width), Convolution(3, width), Convolution(1, channels)]
    return Residual(normalised_convolutions(channels, layers), nn.Identity())


def squeeze_excitation(channels: int) -> nn.Module:
    """Return a bottleneck whose branch ends in a `SqueezeExcitation`: Hu et al. (2018), fig. 3."""
    block = bottleneck(channels)
    block.get_submodule("branch").add_module("gate", SqueezeExcitation(channels))
    return block


ORIGINAL_BLOCKS: dict[str, Callable[[int], nn.Module]] = {"basic": basic, "bottleneck": bottleneck}
LATER_BLOCKS: dict[str, Callable[[int], nn.Module]] = {
    "pre-activation": PreActivation,
    "wide": Wide,
    "ResNeXt": ResNeXt,
    "squeeze-and-excitation": squeeze_excitation,
    "RepVGG": RepVGG,
    "ConvNeXt": ConvNeXt,
}
