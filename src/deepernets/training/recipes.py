"""The table of recipes: the course's own, the papers', and the students' reports' beside ours.

A name ends in what it is: `as-reported` is the report's optimizer, schedule, epochs and augmentation as far
as it states them; `ours` is the same model on the same data for the same number of epochs, with everything
else chosen by us on the validation split.
"""

from dataclasses import replace

from deepernets.training.dash import DASHES
from deepernets.training.recipe import Recipe

QUICK = (
    Recipe(
        "quick/vgg",
        data="sketches",
        model="vgg-mini-bn-cifar",
        epochs=8,
        batch_size=64,
        learning_rate=0.05,
        schedule="one-cycle",
        pad=2,
        flip=True,
        validation_fraction=0.2,
    ),
    Recipe(
        "quick/resnet",
        data="sketches",
        model="resnet-8",
        epochs=8,
        batch_size=64,
        learning_rate=0.1,
        schedule="one-cycle",
        pad=2,
        flip=True,
        validation_fraction=0.2,
    ),
    Recipe(
        "quick/digits",
        data="digits",
        model="resnet-8",
        epochs=8,
        batch_size=64,
        learning_rate=0.1,
        schedule="one-cycle",
        pad=2,
        validation_fraction=0.2,
    ),
)

# He et al. 2016, section 4.2: 64k iterations of 128 images out of 45,000 are 182 epochs.
PAPER_CIFAR = Recipe(
    "paper/resnet-20",
    data="cifar10",
    model="resnet-20",
    epochs=182,
    learning_rate=0.1,
    weight_decay=1e-4,
    schedule="step",
    pad=4,
    flip=True,
    validation_fraction=0.1,
)
PAPER = (
    *(
        replace(PAPER_CIFAR, name=f"paper/{kind}-{depth}", model=f"{kind}-{depth}")
        for depth in (20, 32, 44, 56)
        for kind in ("resnet", "plain")
    ),
    # about 400 iterations at a low rate, which is a little over one epoch
    replace(PAPER_CIFAR, name="paper/resnet-110", model="resnet-110", warm_up_epochs=1.2),
    # section 4.1 compares the shortcuts on ImageNet; these do so on CIFAR-10
    *(replace(PAPER_CIFAR, name=f"paper/resnet-20-{option}", model=f"resnet-20-{option}") for option in "bc"),
)

# VGG's D without batch normalisation (section 3.1), from four kinds of first weights, the last one trained net A's.
PAPER_VGG = Recipe(
    "paper/vgg-16/normal",
    data="cifar10",
    model="vgg-16-cifar",
    initialisation="paper",
    epochs=50,
    schedule="step",
    pad=4,
    flip=True,
    validation_fraction=0.1,
)
PAPER_VGG_ROWS = (
    PAPER_VGG,
    PAPER_VGG.changed(name="paper/vgg-16/glorot", initialisation="glorot"),
    PAPER_VGG.changed(name="paper/vgg-16/he", initialisation="he"),
    PAPER_VGG.changed(name="paper/vgg-11/normal", model="vgg-11-cifar"),
    PAPER_VGG.changed(name="paper/vgg-16/from-a", start_from="paper/vgg-11/normal"),
)

# One network under one budget; each row changes one thing.
RACE = Recipe(
    "race/constant", data="cifar3", model="resnet-20", epochs=15, learning_rate=0.1, pad=4, flip=True
)
RACES = (
    RACE,
    *(
        RACE.changed(name=f"race/{schedule}", schedule=schedule)
        for schedule in ("step", "on-plateau", "cosine", "one-cycle")
    ),
    RACE.changed(name="race/adam", optimizer="adam", learning_rate=0.001, schedule="cosine"),
    RACE.changed(name="race/adam-0.01", optimizer="adam", learning_rate=0.01, schedule="cosine"),
    RACE.changed(
        name="race/adamw", optimizer="adamw", learning_rate=0.001, weight_decay=0.05, schedule="cosine"
    ),
    *(RACE.changed(name=f"race/batch-{size}", batch_size=size, schedule="cosine") for size in (32, 64)),
)

# Report A: SGD, rate 1e-2 held constant, weight decay 5e-4, PyTorch's default initialisation. It trained on
# all 15,000 images; we hold 1,000 of them out, so that the curves can show a validation line.
REPORT_A = Recipe(
    "report-a/vgg-16/as-reported",
    data="cifar3",
    model="vgg-16-bn-cifar",
    initialisation="pytorch",
    epochs=20,
    pad=4,
    flip=True,
)
OURS = {
    "initialisation": "he",
    "learning_rate": 0.1,
    "nesterov": True,
    "schedule": "one-cycle",
    "label_smoothing": 0.1,
}
REPORT_A_ROWS = (
    REPORT_A,
    REPORT_A.changed(name="report-a/vgg-16/ours", **OURS),
    REPORT_A.changed(name="report-a/resnet-50/as-reported", model="resnet-50-cifar", epochs=15),
    REPORT_A.changed(name="report-a/resnet-50/ours", model="resnet-50-cifar", epochs=15, **OURS),
)

# Report B: 50 epochs at two rates and with a scheduler, MNIST resized to 32x32. It does not say which batch
# size its table was made with, nor an augmentation: we take 128, and none.
REPORT_B = Recipe("report-b", data="mnist", model="resnet-20", epochs=50)
REPORT_B_MODELS = {
    "vgg-13": "vgg-13-bn-cifar",
    "vgg-16": "vgg-16-bn-cifar",
    "resnet-20": "resnet-20",
    "resnet-44": "resnet-44",
}


def _report_b(model: str, data: str) -> tuple[Recipe, ...]:
    """Return one cell of report B's table: its three columns, Adam, and ours."""
    row = f"report-b/{model}-{data}"
    reported = REPORT_B.changed(name=f"{row}/as-reported", model=REPORT_B_MODELS[model], data=data)
    augmentation = {"pad": 4, "flip": True} if data == "cifar10" else {"pad": 2}
    return (
        reported,
        reported.changed(name=f"{row}/as-reported-rate-0.001", learning_rate=0.001),
        reported.changed(name=f"{row}/as-reported-scheduler", schedule="on-plateau"),
        reported.changed(name=f"{row}/as-reported-adam", optimizer="adam", learning_rate=0.001),
        reported.changed(name=f"{row}/ours", **OURS, **augmentation),
    )


REPORT_B_ROWS = (
    *(
        recipe
        for model in REPORT_B_MODELS
        for data in ("mnist", "cifar10")
        for recipe in _report_b(model, data)
    ),
    *(
        REPORT_B.changed(
            name=f"report-b/resnet-20-mnist/as-reported-batch-{size}", data="mnist", batch_size=size
        )
        for size in (32, 64)
    ),
)

# Report C: plain SGD for VGG-16 at 28x28 and 32x32, Adam with augmentation for its ResNet-50 variant. The
# rates are not stated: these are the defaults of the library it used.
REPORT_C = Recipe(
    "report-c/vgg-16-mnist/as-reported",
    data="mnist",
    model="report-c-vgg-16",
    initialisation="glorot",
    epochs=50,
    momentum=0.0,
    weight_decay=0.0,
    image_size=28,
)
REPORT_C_RESNET = REPORT_C.changed(
    name="report-c/resnet-50-mnist/as-reported",
    model="report-c-resnet-50",
    optimizer="adam",
    learning_rate=0.001,
    pad=2,
)
REPORT_C_ROWS = (
    REPORT_C,
    # without batch normalisation, OURS' rate of 0.1 is too high
    REPORT_C.changed(name="report-c/vgg-16-mnist/ours", weight_decay=5e-4, momentum=0.9, pad=2).changed(
        **{**OURS, "learning_rate": 0.02}
    ),
    REPORT_C.changed(
        name="report-c/vgg-16-cifar10/as-reported", data="cifar10", model="vgg-16", image_size=32
    ),
    REPORT_C.changed(
        name="report-c/vgg-16-cifar10/ours",
        data="cifar10",
        model="vgg-16-bn",
        image_size=32,
        pad=4,
        flip=True,
        momentum=0.9,
        weight_decay=5e-4,
    ).changed(**OURS),
    REPORT_C_RESNET,
    REPORT_C_RESNET.changed(
        name="report-c/resnet-50-mnist/ours", optimizer="sgd", momentum=0.9, weight_decay=5e-4
    ).changed(**OURS),
)

RECIPES = {
    recipe.name: recipe
    for recipe in (
        *QUICK,
        *RACES,
        *DASHES,
        *PAPER,
        *PAPER_VGG_ROWS,
        *REPORT_A_ROWS,
        *REPORT_B_ROWS,
        *REPORT_C_ROWS,
    )
}
