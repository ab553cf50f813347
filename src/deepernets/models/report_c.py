"""Report C's variant of ResNet-50, reconstructed from its parameter count."""

from dataclasses import dataclass

from torch import nn

from deepernets.models.layers import (
    Convolution,
    NetworkSpec,
    Residual,
    conv,
    named_layers,
    normalised_convolutions,
)
from deepernets.models.resnet import IMAGENET, IMAGENET_WIDTHS, ResNetSpec, stem

HIDDEN_UNITS = 1000


@dataclass(frozen=True, kw_only=True)
class ReportCResNetSpec(NetworkSpec):
    """What varies in report C's ResNet-50: images, classes and initialisation (Keras uses Glorot's)."""

    in_shape: tuple[int, int, int] = (1, 28, 28)
    classes: int = 10
    initialisation: str = "glorot"

    def layers(self) -> nn.Sequential:
        """Return ``stem``, ``stage1``, …, ``stage4``, ``head``.

        The report describes the network and counts 26,313,218 values: 26,267,778 parameters and 45,440 running
        statistics. This interpretation of the description has exactly these counts:

        * 45,440 statistics are the means and variances of 22,720 channels: 64 in the stem, and those of all three
          convolutions in ResNet-50's 16 bottlenecks. None remain for the shortcuts, which are not normalised.
        * "1+2": the first stage has one block whose shortcut is a 1×1 convolution (64 to 256 channels), then two
          with the identity.
        * "4 / 6 / 3": the later stages have only identity shortcuts. Before each of these stages, one 1×1
          convolution of stride 2, without normalisation or ReLU, halves the feature map and doubles the channels.
        * Each convolution has a bias, which is the default in Keras.
        * A hidden layer of 1000 ReLU units comes between the global average pool and the logits.

        The counts do not determine the padding; here the sides of feature maps are 28, 14, 7, 4, 2, 1.
        """
        stages, channels = {}, IMAGENET_WIDTHS[0]
        block, repeats = IMAGENET[50]
        layout = ResNetSpec(block=block, repeats=repeats)
        for number, (blocks, width) in enumerate(zip(repeats, IMAGENET_WIDTHS, strict=True), 1):
            bottleneck = layout.convolutions(width, stride=1)
            stages[f"stage{number}"] = _stage(channels, bottleneck, blocks, downsample=number > 1)
            channels = bottleneck[-1].channels
        first = stem("imagenet", self.in_shape[0], IMAGENET_WIDTHS[0], bias=True)  # (N, 64, H / 4, W / 4)
        network = named_layers(stem=first, **stages, head=_head(channels, self.classes))
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps, module.momentum = 1e-3, 0.01  # Keras's defaults; its momentum is 1 - PyTorch's
        return network


def _stage(c_in: int, bottleneck: list[Convolution], blocks: int, downsample: bool) -> nn.Sequential:
    """Return one stage: (N, c_in, H, W) to (N, C, H, W), or to half that height and width with `downsample`."""
    c_out = bottleneck[-1].channels
    layers: dict[str, nn.Module] = {}
    if downsample:
        layers["join"] = conv(c_in, c_out, kernel=1, stride=2, bias=True)  # (N, C, H / 2, W / 2)
        c_in = c_out
    for number in range(1, blocks + 1):
        shortcut = nn.Identity() if c_in == c_out else conv(c_in, c_out, kernel=1, bias=True)
        layers[f"block{number}"] = Residual(normalised_convolutions(c_in, bottleneck, bias=True), shortcut)
        c_in = c_out
    return named_layers(**layers)


def _head(channels: int, classes: int) -> nn.Sequential:
    return named_layers(
        pool=nn.AdaptiveAvgPool2d(1),  # (N, C, 1, 1)
        flatten=nn.Flatten(),  # (N, C)
        fc1=nn.Linear(channels, HIDDEN_UNITS),  # (N, 1000)
        relu1=nn.ReLU(inplace=True),
        fc2=nn.Linear(HIDDEN_UNITS, classes),  # (N, classes)
    )
