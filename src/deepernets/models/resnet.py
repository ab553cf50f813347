"""ResNet (He, Zhang, Ren & Sun, CVPR 2016, arXiv:1512.03385): tables 1 and 6 as data, and the networks."""

from dataclasses import dataclass

from torch import nn

from deepernets.errors import UserError
from deepernets.models.layers import (
    SHORTCUTS,
    Convolution,
    NetworkSpec,
    Residual,
    conv,
    named_layers,
    normalised_convolutions,
    numbered_layers,
    require_one_of,
    zero_last_gamma,
)

# Table 1: the kind of block and the number of blocks in each stage.
IMAGENET = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}
IMAGENET_WIDTHS = (64, 128, 256, 512)

# Section 4.2 and table 6: depth 6n + 2, n basic blocks in each of three stages.
CIFAR_DEPTHS = (20, 32, 44, 56, 110, 1202)
CIFAR_WIDTHS = (16, 32, 64)

# Figure 5: each convolution as (side of its kernel, channels as a multiple of the stage's width).
BLOCKS = {"basic": ((3, 1), (3, 1)), "bottleneck": ((1, 1), (3, 1), (1, 4))}

# The first convolution: side of its kernel, stride, whether a 3×3 max-pool of stride 2 follows.
STEMS = {"imagenet": (7, 2, True), "cifar": (3, 1, False)}


def cifar_repeats(depth: int) -> tuple[int, int, int]:
    """Return the number of blocks in each stage of a CIFAR ResNet.

    Args:
        depth: Weight layers: 6n convolutions in blocks, the stem and the last linear layer.

    Raises:
        UserError: the depth is not 6n + 2.

    >>> cifar_repeats(20)
    (3, 3, 3)
    """
    n, rest = divmod(depth - 2, 6)
    if n < 1 or rest:
        nearest = sorted({6 * max(m, 1) + 2 for m in (n, n + 1)})
        raise UserError(
            f"There is no residual network of depth {depth}: networks for ImageNet have "
            f"{', '.join(map(str, IMAGENET))} weight layers, those for CIFAR 6n + 2 with n of at least 1; "
            f"use {' or '.join(map(str, nearest))}."
        )
    return n, n, n


@dataclass(frozen=True, kw_only=True)
class ResNetSpec(NetworkSpec):
    """What varies between residual networks, and between their plain twins.

    Attributes:
        block: A key of `BLOCKS`.
        repeats: Blocks in each stage.
        widths: Width of each stage; each stage but the first halves the feature map.
        stem: A key of `STEMS`.
        shortcut: Option A, B or C of section 4.1.
        residual: Whether there are shortcuts; without them it is the plain twin.
        stride_in: The convolution of a bottleneck that halves the feature map: the first "1x1" as in the paper,
            or the "3x3" as in many libraries (often called v1.5). In a basic block it is always the first 3×3.
        zero_last_gamma: Whether each residual block starts as its shortcut.

    Raises:
        UserError: a value is out of range.
    """

    block: str
    repeats: tuple[int, ...]
    widths: tuple[int, ...] = IMAGENET_WIDTHS
    stem: str = "imagenet"
    shortcut: str = "B"
    residual: bool = True
    stride_in: str = "1x1"
    zero_last_gamma: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_one_of("block", self.block, BLOCKS)
        require_one_of("stem", self.stem, STEMS)
        require_one_of("shortcut", self.shortcut, SHORTCUTS)
        require_one_of("stride_in", self.stride_in, ("1x1", "3x3"))
        if not len(self.repeats) == len(self.widths) >= 1 or min(*self.repeats, *self.widths) < 1:
            raise UserError(
                f"repeats is {self.repeats} and widths {self.widths}; give equal numbers of both, each at least 1."
            )
        if self.zero_last_gamma and not self.residual:
            raise UserError(
                "A plain network with zero_last_gamma would give the same output for every image; leave out "
                "zero_last_gamma, or take residual=True."
            )

    def convolutions(self, width: int, stride: int) -> list[Convolution]:
        """Return the convolutions of one block.

        >>> spec = ResNetSpec(block="bottleneck", repeats=(3, 4, 6, 3))
        >>> [tuple(convolution)[:3] for convolution in spec.convolutions(width=128, stride=2)]
        [(1, 128, 2), (3, 128, 1), (1, 512, 1)]
        """
        layers = [Convolution(kernel, width * multiple) for kernel, multiple in BLOCKS[self.block]]
        kernels = [layer.kernel for layer in layers]
        strided = kernels.index(3) if self.stride_in == "3x3" else 0
        layers[strided] = layers[strided]._replace(stride=stride)
        return layers

    def layers(self) -> nn.Sequential:
        """Return ``stem``, ``stage1``, ``stage2``, …, ``head`` of a residual network or its plain twin.

        Parameters are in the same order as torchvision's, so that weights can be copied one by one.

        >>> model = ResNetSpec(block="basic", repeats=(1, 1), widths=(16, 32), shortcut="A").build()
        >>> model.get_submodule("stage2.block1.branch.conv1")
        Conv2d(16, 32, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), bias=False)
        >>> model.get_submodule("stage2.block1.shortcut")
        ZeroPad(channels=+16, stride=2)
        """
        stages, channels = {}, self.widths[0]
        for number, (repeats, width) in enumerate(zip(self.repeats, self.widths, strict=True), 1):
            blocks = []
            for block in range(1, repeats + 1):
                stride = 2 if block == 1 < number else 1
                convolutions = self.convolutions(width, stride)
                blocks.append(self._block(channels, convolutions, stride))
                channels = convolutions[-1].channels
            stages[f"stage{number}"] = numbered_layers("block", blocks)
        first = stem(self.stem, self.in_shape[0], self.widths[0])
        return named_layers(stem=first, **stages, head=_head(channels, self.classes))

    def _block(self, c_in: int, convolutions: list[Convolution], stride: int) -> nn.Module:
        """Return one block: (N, c_in, H, W) to (N, C, H / stride, W / stride)."""
        branch = normalised_convolutions(c_in, convolutions)
        if self.residual:
            return Residual(branch, SHORTCUTS[self.shortcut](c_in, convolutions[-1].channels, stride))
        branch.add_module(f"relu{len(convolutions)}", nn.ReLU(inplace=True))
        return branch

    def build(self) -> nn.Sequential:
        """Return the network with its initial weights; see `NetworkSpec.build`."""
        network = super().build()
        if self.zero_last_gamma:
            zero_last_gamma(network)
        return network


def stem(name: str, c_in: int, c_out: int, bias: bool = False) -> nn.Sequential:
    """Return the layers before the first stage.

    Args:
        name: A key of `STEMS`.
        c_in: Channels of the images.
        c_out: Channels of the feature maps.
        bias: Whether the convolution has one.
    """
    kernel, stride, pooled = STEMS[name]
    pool = {"pool": nn.MaxPool2d(3, stride=2, padding=1)} if pooled else {}
    return named_layers(
        conv=conv(c_in, c_out, kernel, stride, bias),
        norm=nn.BatchNorm2d(c_out),
        relu=nn.ReLU(inplace=True),
        **pool,
    )


def _head(channels: int, classes: int) -> nn.Sequential:
    return named_layers(
        pool=nn.AdaptiveAvgPool2d(1),  # (N, C, 1, 1)
        flatten=nn.Flatten(),  # (N, C)
        fc=nn.Linear(channels, classes),  # (N, classes)
    )
