"""Figures of He, Zhang, Ren & Sun (2016), arXiv:1512.03385."""

from typing import NamedTuple

BILLION_MULTIPLY_ADDS = {18: 1.8, 34: 3.6, 50: 3.8, 101: 7.6, 152: 11.3}  # Table 1
VGG_19_BILLION_MULTIPLY_ADDS = 19.6  # section 3.3
VGG_16_BILLION_MULTIPLY_ADDS = 15.3  # section 4.1


class ImageNetError(NamedTuple):
    """Errors on ImageNet's validation images with 10-crop testing, in per cent; None if not given."""

    network: str
    top1: float
    top5: float | None = None


TEN_CROP = (  # Tables 2 and 3
    ImageNetError("VGG-16", 28.07, 9.33),
    ImageNetError("plain-18", 27.94),
    ImageNetError("ResNet-18", 27.88),
    ImageNetError("plain-34", 28.54),
    ImageNetError("ResNet-34 A", 25.03, 7.76),
    ImageNetError("ResNet-34 B", 24.52, 7.46),
    ImageNetError("ResNet-34 C", 24.19, 7.40),
    ImageNetError("ResNet-50", 22.85, 6.71),
    ImageNetError("ResNet-101", 21.75, 6.05),
    ImageNetError("ResNet-152", 21.43, 5.71),
)
SINGLE_MODEL = ImageNetError("ResNet-152", 19.38, 4.49)  # Table 4
ENSEMBLE_TOP5_TEST = 3.57  # per cent; Table 5, first in ILSVRC 2015 classification

IMAGENET_TRAINING = {  # section 3.4
    "scale": "shorter side drawn from [256, 480], random 224×224 crop, flip",
    "batch size": "256",
    "momentum": "0.9",
    "weight decay": "10⁻⁴",
    "dropout": "none",
    "learning rate": "0.1, divided by 10 when the error plateaus",
    "iterations": "up to 600K",
}
# Mean average precision of Faster R-CNN in per cent with VGG-16, and with ResNet-101 in its place
VOC_2007_MAP = 73.2, 76.4  # Table 7
COCO_MAP = 21.2, 27.2  # Table 8, mAP@[.5, .95] on the validation images


class CifarResult(NamedTuple):
    """A row of Table 6: parameters in millions, test error in per cent."""

    million_parameters: float
    error: float


CIFAR_10 = {  # by depth, as printed
    20: CifarResult(0.27, 8.75),
    32: CifarResult(0.46, 7.51),
    44: CifarResult(0.66, 7.17),
    56: CifarResult(0.85, 6.97),
    110: CifarResult(1.7, 6.43),
    1202: CifarResult(19.4, 7.93),
}
RESNET_110_MEAN, RESNET_110_SD = 6.61, 0.16  # test error over five runs, per cent
# He et al. (2016b, arXiv:1603.05027), table 3: test errors on CIFAR-10 with the original and the new block
RESNET_1001_ORIGINAL, RESNET_1001_PRE_ACTIVATION = 7.61, 4.92

CIFAR_TRAINING = {  # section 4.2
    "batch size": "128",
    "momentum": "0.9",
    "weight decay": "10⁻⁴",
    "initial weights": "He et al. 2015",
    "dropout": "none",
    "learning rate": "0.1, divided by 10 at 32k and 48k of 64k iterations",
    "split": "45k training, 5k validation images, to choose the length of training",
    "augmentation": "4 pixels padded on each side, random 32×32 crop, flip",
    "warm-up": "110 layers: 0.01 until training error is under 80 % (about 400 iterations)",
}
CIFAR_ITERATIONS, CIFAR_DROPS, CIFAR_BATCH_SIZE = 64_000, (32_000, 48_000), 128
