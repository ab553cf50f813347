"""The course's own recipes: small networks on drawn images, and one network trained in ten ways."""

from deepernets.recipes.recipe import Recipe

QUICK_VGG = Recipe(
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
)
QUICK_RESNET = QUICK_VGG.changed(name="quick/resnet", model="resnet-8", learning_rate=0.1)
QUICK = (
    QUICK_VGG,
    QUICK_RESNET,
    QUICK_RESNET.changed(name="quick/digits", data="digits", flip=False),
)

# One network and one number of epochs; each recipe changes one thing.
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
