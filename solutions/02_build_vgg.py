# %% [markdown]
# # Lab 2: Build VGG from its table
#
# The VGG paper describes six networks in one table of a few lines. In this lab you read that table with code, make
# the layers it names, and know that you have read it rightly because all six parameter counts come out **exact**,
# to the last digit. Then you ask where all those parameters are, and why a 28×28 image breaks the network. It takes
# 45 to 90 minutes.
#
# You should know what a convolution and a max-pool do, and have met PyTorch's `nn.Sequential`. The chapter *VGG: the
# configurations* explains the table.
#
# How the exercises work: replace each `...` with your answer, run the cell, then run the check below it. A check
# says *right*, or *wrong* with a hint that fits the mistake. The lab runs to the end whether or not you have
# solved an exercise, because `or_else` puts the course's own function in the place of a missing one, under a new
# name: `make_features` stays yours, `features` is what the lab goes on with.

# %%
from textwrap import fill

import torch
from torch import nn

import deepernets
from deepernets import check, plots
from deepernets.models import vgg as course_vgg
from deepernets.models.layers import local_response_norm
from deepernets.models.vgg import CONFIGURATIONS

for name, configuration in CONFIGURATIONS.items():
    print(f"{name:6}", configuration.replace(" | ", "\n       | "))

# %% [markdown]
# ## Read the table
#
# This is the paper's table 1, one network per entry. `conv3-64` is a convolution with a 3×3 kernel and 64 output
# channels; `LRN` is local response normalisation, which only the net A-LRN has; every `|` stands for a max-pool that
# ends a block, and one more follows the last block.
#
# **Predict** before you go on: net E has eight more convolutions than net A. By how many per cent does its number of
# parameters grow? Write your guess down; the last section has the answer.
#
# **Exercise 1.** Write `parse_configuration`. It takes one such text and returns a list of blocks; a block is a list
# with one pair `(kernel, channels)` of integers per convolution and the word `"LRN"` where that stands. So
# `"conv3-64 LRN | conv1-128"` becomes `[[(3, 64), "LRN"], [(1, 128)]]`. Kernels and channels may be any whole numbers,
# as in `conv11-1024`.


# %%
def parse_configuration(configuration):
    """Return the blocks of a configuration, as lists of (kernel, channels) and "LRN"."""

    ### BEGIN SOLUTION
    def read(word):
        if word == "LRN":
            return word
        kernel, channels = word.removeprefix("conv").split("-")
        return int(kernel), int(channels)

    return [
        [read(word) for word in block.split()]
        for block in configuration.split("|")
    ]
    ### END SOLUTION


# %%
def course_parse(configuration):
    """The course's own reading, in the form of this lab."""
    return [
        [
            word
            for layer in block
            for word in [(layer.kernel, layer.channels), *["LRN"] * layer.lrn]
        ]
        for block in course_vgg.parse_configuration(configuration)
    ]


parse = check("parse_configuration", parse_configuration).or_else(course_parse)

# %%
for name in ("A-LRN", "C"):
    print(name, *parse(CONFIGURATIONS[name]), sep="\n  ")

# %% [markdown]
# ## Make the layers
#
# Now the blocks become layers:
#
# * a pair becomes a convolution of stride 1 **with biases**, padded with zeros so that the map keeps its size (mind
#   that C has 1×1 kernels as well; all sides are odd), and a ReLU behind it;
# * `"LRN"` becomes `local_response_norm()`, behind the ReLU of the convolution it follows;
# * every block ends in a max-pool of 2×2 with stride 2.
#
# The first convolution takes the 3 channels of a picture, each later one the channels that the one before it gives.
#
# **Exercise 2.** Write `make_features`: from the blocks of exercise 1 to an `nn.Sequential` of all these layers.


# %%
def make_features(blocks):
    """Return the layers of a configuration, up to and with the last max-pool."""
    ### BEGIN SOLUTION
    layers, before = [], 3
    for block in blocks:
        for word in block:
            if word == "LRN":
                layers.append(local_response_norm())
                continue
            kernel, channels = word
            layers += [
                nn.Conv2d(before, channels, kernel, padding=kernel // 2),
                nn.ReLU(),
            ]
            before = channels
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)
    ### END SOLUTION


# %%
def course_features(blocks):
    """The course's own layers: its VGG without the head."""
    text = " | ".join(
        " ".join(
            word if word == "LRN" else f"conv{word[0]}-{word[1]}"
            for word in block
        )
        for block in blocks
    )
    name = next(name for name, known in CONFIGURATIONS.items() if known == text)
    return deepernets.build_model(f"vgg-{name.lower()}")[:-1]


features = check("make_features", make_features).or_else(course_features)

# %% [markdown]
# What follows the features is the same in all six networks: three fully-connected layers of 4096, 4096 and 1000
# units. For images of 224×224 the last maps have a side of 224 / 2⁵ = 7.
#
# The networks are built on PyTorch's `meta` device, where tensors have shapes but no numbers: 140 million weights
# would take half a gigabyte, and for counting nobody needs them.


# %%
def vgg(configuration, side=7):
    """Return the whole network: features, then the paper's three linear layers."""
    head = nn.Sequential(
        nn.Flatten(),
        nn.Linear(512 * side * side, 4096),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(4096, 4096),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(4096, 1000),
    )
    return nn.Sequential(features(parse(configuration)), head)


EXACT = {
    "A": 132_863_336,
    "A-LRN": 132_863_336,
    "B": 133_047_848,
    "C": 133_638_952,
    "D": 138_357_544,
    "E": 143_667_240,
}
with torch.device("meta"):
    networks = {
        name: vgg(configuration)
        for name, configuration in CONFIGURATIONS.items()
    }
for name, network in networks.items():
    counted = deepernets.count_parameters(network)
    print(
        f"{name:6} {counted:>12,}  the paper: {counted / 1e6:.0f} million, exact: {counted == EXACT[name]}"
    )

# %% [markdown]
# Six times exact. A single layer that was misread, one bias too few, a kernel of 3 where 1 stands, would show.
#
# **Explain.** Two of the six counts are equal. Why? And what does that say about counting as a test?

# %% [markdown] tags=["answer"]
# A and A-LRN differ in a local response normalisation alone, which computes with fixed numbers and learns nothing. So
# a count sees neither LRN, nor ReLUs, nor pools, nor paddings and strides: it shows that the layers that learn have
# the right shapes and leaves the rest open. Shapes of the maps, multiply-adds, and outputs compared with a network
# that is known to be right test the rest; the check of exercise 2 did the last of these.

# %% [markdown]
# ## Where are the parameters?
#
# **Predict**: which single layer of VGG-16 (net D) has the most parameters, and how many of its 138 million?
#
# **Exercise 3.** Compute it: the parameters of the first fully-connected layer, weights and biases, as an expression.
# It sees 7×7 maps of 512 channels and has 4096 units.

# %%
### BEGIN SOLUTION
first_connected = 7 * 7 * 512 * 4096 + 4096
### END SOLUTION

# %%
largest = check("first_connected", first_connected).or_else(
    deepernets.count_parameters(networks["D"][1][1])
)
print(
    f"{largest:,} of {EXACT['D']:,} parameters: {largest / EXACT['D']:.0%} in one layer"
)

# %% [markdown]
# **Exercise 4.** Write `connected_share`: which share of a network's parameters sits in `nn.Linear` layers, however
# deep they are nested? `network.modules()` visits every layer.


# %%
def connected_share(network):
    """Return the share of a network's parameters that its linear layers hold."""
    ### BEGIN SOLUTION
    linear = sum(
        parameter.numel()
        for layer in network.modules()
        if isinstance(layer, nn.Linear)
        for parameter in layer.parameters()
    )
    total = sum(parameter.numel() for parameter in network.parameters())
    return linear / total
    ### END SOLUTION


# %%
def course_share(network):
    """The course's own, from its table of layers for images of 224x224."""
    table = deepernets.summary(network, in_shape=(3, 224, 224))
    by_kind = table.groupby("layer")["parameters"].sum()
    return by_kind["Linear"] / by_kind.sum()


share = check("connected_share", connected_share).or_else(course_share)

# %%
for name, network in networks.items():
    print(f"{name:6} {share(network):.1%} in linear layers")
with torch.device("meta"):
    small = deepernets.build_model("vgg-16-bn-cifar", (3, 32, 32), classes=3)
in_linear = deepernets.summary(small, (3, 32, 32))["parameters"].iloc[-1]
print(
    f"VGG-16 for 32x32 and 3 classes: {in_linear:,} of "
    f"{deepernets.count_parameters(small):,} in its linear layer"
)
print(f"E has {EXACT['E'] / EXACT['A'] - 1:.1%} more parameters than A")
plots.configuration_chart()

# %% [markdown]
# *One horizontal bar for each of the six configurations, A to E: the plain part stands for convolutions, the much
# longer hatched part for fully-connected layers, with the sum in millions at the bar's end.*
#
# **Explain.** From A to E the network gets eight convolutions deeper, and yet the bars hardly grow. What would you
# change first if VGG had to become smaller? Compare with what the version for 32×32 pixels has done.

# %% [markdown] tags=["answer"]
# A convolution's weights are used at every position, so there are few of them: the 13 convolutions of D have 14.7
# million together. The first linear layer has a weight of its own for each pair of a unit and a number of the last
# maps, 102.8 million. Take that one away first: with a single linear layer behind the last maps, as in the version for
# 32×32 pixels, or with the mean of each map in its place, as in ResNet. The little growth from A to E is all
# convolutions.

# %% [markdown]
# ## The 28×28 trap
#
# MNIST's digits are 28 pixels wide. Five times halved, that is less than one. What happens?
#
# A pool with a window of $w$ pixels and a stride of 2 makes $\lfloor (n - w) / 2 \rfloor + 1$ numbers out of $n$:
# the first window stands at the edge, each further one starts 2 pixels later, and what does not fill a window is left
# out.
#
# **Exercise 5.** Write `map_sides`: the side of the map after each pool, as a list. `windows` holds the window of
# each pool; the stride is always 2, and the convolutions in between change nothing. The list has one entry per pool,
# and an entry of 0 where the window does not fit.


# %%
def map_sides(side, windows):
    """Return the side of the maps after each max-pool of stride 2."""
    ### BEGIN SOLUTION
    sides = []
    for window in windows:
        side = (side - window) // 2 + 1
        sides.append(side)
    return sides
    ### END SOLUTION


# %%
def course_sides(side, windows):
    """The course's own: let PyTorch pool a map without numbers."""
    maps, sides = torch.empty(1, 1, side, side, device="meta"), []
    for window in windows:
        if maps.shape[-1] < window:  # PyTorch refuses to make empty maps
            sides.append(0)
            continue
        maps = nn.functional.max_pool2d(maps, window, stride=2)
        sides.append(maps.shape[-1])
    return sides


after_pools = check("map_sides", map_sides).or_else(course_sides)

# %%
for side in (224, 32, 28):
    print(f"{side:3} pixels:", after_pools(side, [2, 2, 2, 2, 2]))
print(
    "report C's way out, a last window of 1:",
    after_pools(28, [2, 2, 2, 2, 1]),
)

# %% [markdown]
# At 28 pixels nothing is left after the fifth pool. The course's `VGGSpec` says so before anything is built, and names
# two ways out. One student report took the second of them: its last pool looks at a single pixel, and its network for
# 28×28 digits has 33,637,066 parameters.

# %%
try:
    deepernets.build_model("vgg-16", in_shape=(1, 28, 28), classes=10)
except deepernets.UserError as refusal:
    print(fill(str(refusal), 76))
with torch.device("meta"):
    report_c = deepernets.build_model(
        "report-c-vgg-16", in_shape=(1, 28, 28), classes=10
    )
print(f"{deepernets.count_parameters(report_c):,} parameters")

# %% [markdown]
# **Explain.** A framework that rounds *up* in its pools would never have shown the trap. Which sides would it have got
# for 28 pixels, and would its last pool do anything useful? What else could one do with a 28×28 digit?

# %% [markdown] tags=["answer"]
# Rounded up, 28 becomes 14, 7, 4, 2, 1: the last window still covers all of a 2×2 map, so the network works, with the
# same 512 numbers at its end. Instead one can pad or resize the digits to 32×32, which gives 16, 8, 4, 2, 1 with no
# special case (the course's MNIST runs do that), or leave the last pool out.
