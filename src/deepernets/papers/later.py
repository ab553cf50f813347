"""Errors that papers after ResNet report for their blocks, each next to the baseline of the same table."""

from typing import NamedTuple

from deepernets.papers.resnet import RESNET_110_MEAN, RESNET_1001_ORIGINAL, RESNET_1001_PRE_ACTIVATION


class BlockResult(NamedTuple):
    """A network built from a later block, and the network that its paper compares it with.

    Attributes:
        network: Name of the network.
        error: Test error on CIFAR-10, or top-1 validation error on ImageNet with one crop of 224×224, in per cent.
        baseline: Name of the network that it is compared with, empty if there is none here.
        baseline_error: Error of the baseline in per cent, None without one.
        source: Table or section of the paper.
    """

    network: str
    error: float
    baseline: str
    baseline_error: float | None
    source: str


# He et al. (2016b), arXiv:1603.05027; on CIFAR-10
PRE_ACTIVATION = (
    BlockResult("ResNet-110, pre-activation", 6.37, "ResNet-110", RESNET_110_MEAN, "Table 3"),
    BlockResult("ResNet-164, pre-activation", 5.46, "", None, "Table 3"),
    BlockResult(
        "ResNet-1001, pre-activation",
        RESNET_1001_PRE_ACTIVATION,
        "ResNet-1001",
        RESNET_1001_ORIGINAL,
        "Table 3",
    ),
)
# Zagoruyko & Komodakis (2016), arXiv:1605.07146; on CIFAR-10, without dropout
WIDE = BlockResult("WRN-28-10", 4.00, "ResNet-1001, pre-activation", RESNET_1001_PRE_ACTIVATION, "Table 5")
# Xie et al. (2017), arXiv:1611.05431; on ImageNet
RESNEXT = (
    BlockResult("ResNeXt-50, 32×4d", 22.2, "ResNet-50", 23.9, "Table 3"),
    BlockResult("ResNeXt-101, 32×4d", 21.2, "ResNet-101", 22.0, "Table 3"),
)
# Hu et al. (2018), arXiv:1709.01507; on ImageNet, the baseline trained again by the authors
SQUEEZE_EXCITATION = BlockResult("SE-ResNet-50", 23.29, "ResNet-50", 24.80, "Table 2")
# Ding et al. (2021), arXiv:2101.03697; on ImageNet, printed as accuracies
REPVGG = (
    BlockResult("RepVGG-A0", round(100 - 72.41, 2), "", None, "Table 4"),
    BlockResult("RepVGG-B1", round(100 - 78.37, 2), "", None, "Table 4"),
)
# Liu et al. (2022), arXiv:2201.03545; on ImageNet, printed as accuracies. The baseline has the same recipe.
CONVNEXT = BlockResult(
    "ConvNeXt-T", round(100 - 82.1, 1), "ResNet-50", round(100 - 78.8, 1), "Table 1, section 2.1"
)
CONVNEXT_RESNET_50_BEFORE = round(100 - 76.1, 1)  # ResNet-50 with the original recipe; section 2.1

ON_CIFAR_10 = (*PRE_ACTIVATION, WIDE)
ON_IMAGENET = (*RESNEXT, SQUEEZE_EXCITATION, *REPVGG, CONVNEXT)
