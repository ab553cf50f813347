"""The recipes of the ResNet paper on CIFAR-10, and those of the VGG paper adapted to CIFAR-10."""

from deepernets.recipes.recipe import Recipe

# He et al. 2016, section 4.2: 64k iterations of 128 images out of 45,000 are 182 epochs.
RESNET_CIFAR = Recipe(
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
RESNET = (
    *(
        RESNET_CIFAR.changed(name=f"paper/{kind}-{depth}", model=f"{kind}-{depth}")
        for depth in (20, 32, 44, 56)
        for kind in ("resnet", "plain")
    ),
    # about 400 iterations at a low learning rate, which is a little over one epoch
    RESNET_CIFAR.changed(name="paper/resnet-110", model="resnet-110", warm_up_epochs=1.2),
    RESNET_CIFAR.changed(name="paper/resnet-110/no-warm-up", model="resnet-110"),
    # section 4.1 compares the shortcuts on ImageNet; these do so on CIFAR-10
    *(RESNET_CIFAR.changed(name=f"paper/resnet-20-{option}", model=f"resnet-20-{option}") for option in "bc"),
)

# VGG's D without batch normalisation (section 3.1), with three initialisations, and from the weights of a
# trained A. The paper draws from N(0, 1e-2) and calls 1e-2 the variance. With weights that large, the loss of A
# and D overflows within three steps, and there is nothing to record: here 1e-2 is the standard deviation. A has
# its own recipe with that initialisation; the A that D starts from has Glorot's.
VGG_D = Recipe(
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
VGG = (
    VGG_D,
    VGG_D.changed(name="paper/vgg-16/glorot", initialisation="glorot"),
    VGG_D.changed(name="paper/vgg-16/he", initialisation="he"),
    VGG_D.changed(name="paper/vgg-11/normal", model="vgg-11-cifar"),
    VGG_D.changed(name="paper/vgg-11/glorot", model="vgg-11-cifar", initialisation="glorot"),
    VGG_D.changed(name="paper/vgg-16/from-a", start_from="paper/vgg-11/glorot"),
    VGG_D.changed(
        name="paper/vgg-16/from-a-glorot", start_from="paper/vgg-11/glorot", initialisation="glorot"
    ),
    # section 4.1: B against the same network with one 5×5 convolution for each pair of 3×3
    VGG_D.changed(name="paper/vgg-13/3x3", model="vgg-b-cifar", initialisation="he"),
    VGG_D.changed(name="paper/vgg-13/5x5", model="vgg-b-5x5-cifar", initialisation="he"),
)
