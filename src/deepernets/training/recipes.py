"""The table of recipes: the course's own and the papers'; the dash and the reports have files of their own."""

from dataclasses import replace

from deepernets.training.dash import DASHES
from deepernets.training.recipe import Recipe
from deepernets.training.report_recipes import REPORT_ROWS

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
    replace(PAPER_CIFAR, name="paper/resnet-110/no-warm-up", model="resnet-110"),
    # section 4.1 compares the shortcuts on ImageNet; these do so on CIFAR-10
    *(replace(PAPER_CIFAR, name=f"paper/resnet-20-{option}", model=f"resnet-20-{option}") for option in "bc"),
)

# VGG's D without batch normalisation (section 3.1), from weights drawn in three ways, and from a trained net A's.
# The paper draws from N(0, 1e-2) and calls that a variance. With weights so large the loss overflows within three
# steps, for A as well as for D, and there would be nothing to record: here 1e-2 is the deviation. What comes of
# that draw for A has its own row; the A that D starts from is drawn by Glorot's rule.
PAPER_VGG = Recipe(
    "paper/vgg-16/normal",
    data="cifar10",
    model="vgg-16-cifar",
    initialisation="normal",
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
    PAPER_VGG.changed(name="paper/vgg-11/glorot", model="vgg-11-cifar", initialisation="glorot"),
    PAPER_VGG.changed(name="paper/vgg-16/from-a", start_from="paper/vgg-11/glorot"),
    PAPER_VGG.changed(
        name="paper/vgg-16/from-a-glorot", start_from="paper/vgg-11/glorot", initialisation="glorot"
    ),
    # section 4.1: B against its twin with one 5×5 convolution for each pair of 3×3
    PAPER_VGG.changed(name="paper/vgg-13/3x3", model="vgg-b-cifar", initialisation="he"),
    PAPER_VGG.changed(name="paper/vgg-13/5x5", model="vgg-b-5x5-cifar", initialisation="he"),
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

RECIPES = {
    recipe.name: recipe
    for recipe in (
        *QUICK,
        *RACES,
        *DASHES,
        *PAPER,
        *PAPER_VGG_ROWS,
        *REPORT_ROWS,
    )
}
