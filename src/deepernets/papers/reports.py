"""The results of five students' reports, which the course reproduces, explains and improves.

Reports D and E summarise the papers and have no results of their own. The papers' results on CIFAR-10, reported or
only possible, follow those of the reports.
"""

from math import nan
from typing import NamedTuple

from deepernets.papers.resnet import CIFAR_10, RESNET_110_MEAN, RESNET_110_SD


class Reported(NamedTuple):
    """One result of a report, or of a paper.

    Attributes:
        recipe: Our recipe that repeats it.
        test_accuracy: In per cent, as printed; NaN without a figure.
        epochs: As stated.
        train_loss: Last training loss; None if not given, as for the next three.
        train_accuracy: In per cent.
        validation_accuracy: In per cent.
        test_loss: Loss on the test images.
        words: Text in place of a figure, or in addition to it.
    """

    recipe: str
    test_accuracy: float
    epochs: int
    train_loss: float | None = None
    train_accuracy: float | None = None
    validation_accuracy: float | None = None
    test_loss: float | None = None
    words: str = ""


REPORT_A = (
    Reported("report-a/vgg-16/as-reported", 91.2, 20, train_loss=0.0004),
    Reported("report-a/resnet-50/as-reported", 85.8333, 15, train_loss=0.0586),
)

# Report B's table, 50 epochs: the columns 0.01, 0.001 and scheduler.
_COLUMNS = ("as-reported", "as-reported-rate-0.001", "as-reported-scheduler")
_REPORT_B = {
    ("vgg-13", "mnist"): (99.64, 99.57, 99.65),
    ("vgg-16", "mnist"): (99.62, 99.53, 99.60),
    ("resnet-20", "mnist"): (99.37, 98.81, 99.22),
    ("resnet-44", "mnist"): (99.31, 99.00, 99.38),
    ("vgg-13", "cifar10"): (87.77, 84.03, 87.12),
    ("vgg-16", "cifar10"): (88.04, 93.82, 87.82),
    ("resnet-20", "cifar10"): (73.22, 68.45, 76.35),
    ("resnet-44", "cifar10"): (70.95, 69.02, 75.65),
}
REPORT_B = tuple(
    Reported(f"report-b/{model}-{data}/{column}", accuracy, 50)
    for (model, data), accuracies in _REPORT_B.items()
    for column, accuracy in zip(_COLUMNS, accuracies, strict=True)
)

# Report B's log of a run on CIFAR-10 without the name of the network: training and validation accuracy in per cent
# after epochs 1 to 8. The training loss fell from 1.490 to 0.805; an epoch took 22 s.
REPORT_B_LOG = (
    (36.92, 41.37),
    (51.03, 47.38),
    (57.27, 49.77),
    (61.89, 59.59),
    (65.11, 61.35),
    (67.77, 60.59),
    (69.62, 65.37),
    (71.25, 69.89),
)

# Report B's statements about its own table: lead of the first network over the second in points, by the best column
# of each.
REPORT_B_LEADS = {
    ("cifar10", "vgg-16", "vgg-13"): 6.05,
    ("cifar10", "resnet-20", "resnet-44"): 0.07,
    ("mnist", "vgg-13", "vgg-16"): 0.03,
    ("mnist", "resnet-44", "resnet-20"): 0.01,
}
REPORT_B_HIGHEST = 89  # "highest accuracy reaching 89 %", of CIFAR-10

_C_MNIST = Reported(
    "report-c/vgg-16-mnist/as-reported",
    98.98,
    50,
    train_loss=2.4e-5,
    train_accuracy=100.0,  # its log has 1.0000
    validation_accuracy=98.94,  # called "Training" in its final table
    test_loss=0.0672,
)
_C_CIFAR = Reported(
    "report-c/vgg-16-cifar10/as-reported",
    72.69,
    50,
    train_accuracy=99.37,
    validation_accuracy=73.99,
    test_loss=1.83,
)
REPORT_C = (
    _C_MNIST,
    _C_CIFAR,
    Reported("report-c/resnet-50-mnist/as-reported", 98.42, 50, train_accuracy=97.98),
)
# Report C's text states a momentum that its code does not have: the same results, with the text's recipe.
REPORT_C_STATED = (
    _C_MNIST._replace(recipe="report-c/vgg-16-mnist/as-stated-momentum-0.9"),
    _C_CIFAR._replace(recipe="report-c/vgg-16-cifar10/as-stated-momentum-0.9"),
)
REPORT_C_FIRST_EPOCHS = {1: 11.5, 3: 75.7}  # VGG-16 on MNIST: training accuracy after that epoch, per cent

# Report C's ResNet-50: its metrics were never reset, so that the printed values are means over all epochs so far.
# Test accuracy in per cent after the last two epochs, on 10,000 images each.
REPORT_C_RUNNING_MEANS = {49: 98.41510, 50: 98.42242}
REPORT_C_LAST_TRAIN_ACCURACY = 99.14  # in the last epoch alone, computed from the means in the same way

REPORTED = {row.recipe: row for row in (*REPORT_A, *REPORT_B, *REPORT_C, *REPORT_C_STATED)}

# Reported in report B without a figure.
REPORT_B_WORDS = (
    *(
        Reported(f"report-b/{model}-{data}/as-reported-adam", nan, 50, words="did not converge")
        for model, data in _REPORT_B
    ),
    *(
        Reported(
            f"report-b/resnet-20-mnist/as-reported-batch-{size}", nan, 50, words="worse or no convergence"
        )
        for size in (32, 64)
    ),
)

# He et al. 2016, Table 6 (for 110 layers the mean of five runs). Plain networks are only in figure 6.
# Options B and C and VGG's initial weights were compared only on ImageNet.
PAPERS = (
    *(Reported(f"paper/resnet-{depth}", 100 - CIFAR_10[depth].error, 182) for depth in (20, 32, 44, 56)),
    Reported("paper/resnet-110", 100 - RESNET_110_MEAN, 182, words=f"± {RESNET_110_SD} over 5 runs"),
    Reported("paper/resnet-110/no-warm-up", nan, 182, words="similar"),
    *(Reported(f"paper/plain-{depth}", nan, 182, words="only drawn") for depth in (20, 32, 44, 56)),
    *(Reported(f"paper/resnet-20-{option}", nan, 182, words="only on ImageNet") for option in "bc"),
    *(
        Reported(f"paper/vgg-{start}", nan, 50, words="only on ImageNet")
        for start in (
            "11/normal",
            "11/glorot",
            "16/normal",
            "16/glorot",
            "16/he",
            "16/from-a",
            "16/from-a-glorot",
            "13/3x3",
            "13/5x5",
        )
    ),
)

# With and without a figure: everything that the course reproduces.
ALL_RESULTS = {row.recipe: row for row in (*REPORTED.values(), *REPORT_B_WORDS, *PAPERS)}
