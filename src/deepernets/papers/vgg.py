"""Figures of Simonyan & Zisserman (2015), arXiv:1409.1556."""

from typing import NamedTuple

MILLION_PARAMETERS = {"A": 133, "A-LRN": 133, "B": 133, "C": 134, "D": 138, "E": 144}  # Table 2
SEVEN_OVER_THREE = 81  # per cent more weights in a 7×7 layer than in three 3×3 layers; section 2.3


class Evaluation(NamedTuple):
    """A row of Tables 3 and 4: errors on ImageNet's validation images.

    Attributes:
        configuration: Column of Table 1.
        train: Shorter side of the training images, in pixels; a range for scale jitter.
        test: Shorter sides of the test images, in pixels.
        top1: Top-1 error in per cent.
        top5: Top-5 error in per cent.
    """

    configuration: str
    train: str
    test: str
    top1: float
    top5: float


SINGLE_SCALE = (  # Table 3
    Evaluation("A", "256", "256", 29.6, 10.4),
    Evaluation("A-LRN", "256", "256", 29.7, 10.5),
    Evaluation("B", "256", "256", 28.7, 9.9),
    Evaluation("C", "256", "256", 28.1, 9.4),
    Evaluation("C", "384", "384", 28.1, 9.3),
    Evaluation("C", "[256; 512]", "384", 27.3, 8.8),
    Evaluation("D", "256", "256", 27.0, 8.8),
    Evaluation("D", "384", "384", 26.8, 8.7),
    Evaluation("D", "[256; 512]", "384", 25.6, 8.1),
    Evaluation("E", "256", "256", 27.3, 9.0),
    Evaluation("E", "384", "384", 26.9, 8.7),
    Evaluation("E", "[256; 512]", "384", 25.5, 8.0),
)
MULTI_SCALE = (  # Table 4
    Evaluation("B", "256", "224, 256, 288", 28.2, 9.6),
    Evaluation("C", "256", "224, 256, 288", 27.7, 9.2),
    Evaluation("C", "384", "352, 384, 416", 27.8, 9.2),
    Evaluation("C", "[256; 512]", "256, 384, 512", 26.3, 8.2),
    Evaluation("D", "256", "224, 256, 288", 26.6, 8.6),
    Evaluation("D", "384", "352, 384, 416", 26.5, 8.6),
    Evaluation("D", "[256; 512]", "256, 384, 512", 24.8, 7.5),
    Evaluation("E", "256", "224, 256, 288", 26.9, 8.7),
    Evaluation("E", "384", "352, 384, 416", 26.7, 8.6),
    Evaluation("E", "[256; 512]", "256, 384, 512", 24.8, 7.5),
)


class CropEvaluation(NamedTuple):
    """A row of Table 5: top-1 errors in per cent with dense evaluation, with many crops, and with their mean."""

    configuration: str
    dense: float
    multi_crop: float
    both: float


DENSE_AND_MULTI_CROP = (  # Table 5
    CropEvaluation("D", 24.8, 24.6, 24.4),
    CropEvaluation("E", 24.8, 24.6, 24.4),
)
FIVE_BY_FIVE_EXTRA_TOP1 = 7  # per cent, B with 5×5 layers in place of pairs of 3×3 ones; section 4.1


class Competitor(NamedTuple):
    """A row of Table 7: ImageNet errors in per cent, None if not given."""

    method: str
    nets: str
    top1_val: float | None
    top5_val: float | None
    top5_test: float | None


# Table 7. It gives GoogLeNet's errors once for both top-5 columns. According to Szegedy et al. (2015, section 7),
# 6.7 % is the error on both sets of images, and 7.9 % that on the validation images.
STATE_OF_THE_ART = (
    Competitor("VGG, multi-crop & dense", "2", 23.7, 6.8, 6.8),
    Competitor("VGG, multi-crop & dense", "1", 24.4, 7.1, 7.0),
    Competitor("VGG, ILSVRC submission", "7", 24.7, 7.5, 7.3),
    Competitor("GoogLeNet", "1", None, 7.9, None),
    Competitor("GoogLeNet", "7", None, 6.7, 6.7),
    Competitor("MSRA", "11", None, None, 8.1),
    Competitor("MSRA", "1", 27.9, 9.1, 9.1),
    Competitor("Clarifai", "multiple", None, None, 11.7),
    Competitor("Clarifai", "1", None, None, 12.5),
    Competitor("Zeiler & Fergus", "6", 36.0, 14.7, 14.8),
    Competitor("Zeiler & Fergus", "1", 37.5, 16.0, 16.1),
    Competitor("OverFeat", "7", 34.0, 13.2, 13.6),
    Competitor("OverFeat", "1", 35.7, 14.2, None),
    Competitor("Krizhevsky et al.", "5", 38.1, 16.4, 16.4),
    Competitor("Krizhevsky et al.", "1", 40.7, 18.2, None),
)

TRAINING = {  # section 3.1
    "batch size": "256",
    "momentum": "0.9",
    "weight decay": "5·10⁻⁴",
    "dropout": "0.5, on the first two fully-connected layers",
    "learning rate": "10⁻², divided by 10 when validation accuracy stopped improving (3 times)",
    "iterations": "370K (74 epochs)",
    "initial weights of A": "N(0, variance 10⁻²), biases 0",
}
ITERATIONS, EPOCHS, BATCH_SIZE = 370_000, 74, 256
IMAGENET_TRAINING_IMAGES = 1_281_167  # ILSVRC 2012-2014: Russakovsky et al. (2015), table 2
GPUS, SPEEDUP_ON_GPUS, WEEKS_PER_NETWORK = 4, 3.75, "two to three"  # section 3.3
