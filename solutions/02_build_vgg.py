# %% [markdown]
# # Lab 2: Build VGG from its table
#
# The VGG paper describes six networks in one table of a few lines. In this lab you read that table with code and make
# its layers, and the six parameter counts tell you whether you read it correctly. Then you compute what each layer
# costs, and turn the fully-connected layers into convolutions, as the paper does at test time. It takes 75 to 90
# minutes.
#
# **You need** lab 1, PyTorch's `nn.Sequential`, and the chapter
# [VGG: the configurations](book:vgg-configurations), which explains the table.
# **You get** the six networks with exact counts, a table of costs by layer, and a network for images of any size.
#
# How the exercises work: replace each `...` with your answer, run the cell, then run the check below it. The lab runs
# to the end whether or not you have solved an exercise.

# %%
from itertools import pairwise
from textwrap import fill

import torch
from torch import nn

import deepernets
from deepernets import check, plots
from deepernets.models.counting import output_side
from deepernets.models.layers import local_response_norm
from deepernets.models.vgg import CONFIGURATIONS

for name, configuration in CONFIGURATIONS.items():
    print(f"{name:6}", configuration.replace(" | ", "\n       | "))

# %% [markdown]
# ## Read the table
#
# This is the paper's table 1, one network per entry. `conv3-64` is a convolution with a 3×3 kernel and 64 output
# channels. `LRN` is local response normalisation, which only the network A-LRN has. Every `|` is a max-pool that ends
# a block, and one more follows the last block.
#
# **Predict** before you go on: network E has eight more convolutions than network A. By how many per cent does its
# number of parameters grow? Write your guess down. You can compute the answer below.
#
# **Exercise 1.** Write `parse_configuration`. It takes one such text and returns a list of blocks. A block is a list
# with a pair `(kernel, channels)` of integers for each convolution and the string `"LRN"` for each normalisation, in
# the order of the text. So `"conv3-64 LRN | conv1-128"` becomes `[[(3, 64), "LRN"], [(1, 128)]]`. Kernels and
# channels may have any number of digits, as in `conv11-1024`.


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
verdict = check("parse_configuration", parse_configuration)
parse = verdict.or_reference()
if verdict.status == "right":
    for name in ("A-LRN", "C"):
        print(name, *parse(CONFIGURATIONS[name]), sep="\n  ")

# %% [markdown]
# ## Make the layers
#
# Now the blocks become layers:
#
# * a pair becomes a convolution with stride 1 and **with biases**, followed by a ReLU. It is padded with zeros so that
#   the feature map keeps its size. Note that C has 1×1 kernels as well. All kernel sides are odd;
# * `"LRN"` becomes `local_response_norm()`, after the ReLU of the convolution that it follows;
# * every block ends in a max-pool of 2×2 with stride 2.
#
# The first convolution takes the 3 channels of an image. Each later one takes as many channels as the one before it
# has.
#
# **Exercise 2.** Write `make_features`. It takes the blocks of exercise 1 and returns an `nn.Sequential` of all these
# layers, the last max-pool included. Leave `blocks` as they are. The check gives your layers weights of its own and
# compares their output with that of the right layers, so the initial weights do not matter.


# %%
def make_features(blocks):
    """Return the layers of a configuration, the last max-pool included."""
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
features = check("make_features", make_features).or_reference()

# %% [markdown]
# After the features, all six networks have the same head: three fully-connected layers of 4096, 4096 and 1000 units.
# For images of 224×224 the last feature maps have a side of 224 / 2⁵ = 7.
#
# The networks are built on PyTorch's `meta` device, where tensors have shapes but no values. The weights of VGG-16
# alone would take half a gigabyte, and counting does not need them.


# %%
def vgg(blocks, units=(4096, 4096, 1000), side=7):
    """Return a whole network: features, then a head of linear layers."""
    body = features(blocks)
    _, channels = [word for word in blocks[-1] if word != "LRN"][-1]
    head = [nn.Flatten(), nn.Linear(channels * side**2, units[0])]
    for wide, narrow in pairwise(units):
        head += [nn.ReLU(), nn.Dropout(0.5), nn.Linear(wide, narrow)]
    return nn.Sequential(body, nn.Sequential(*head))


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
        name: vgg(parse(configuration))
        for name, configuration in CONFIGURATIONS.items()
    }
for name, network in networks.items():
    counted = deepernets.count_parameters(network)
    print(
        f"{name:6} {counted:>12,}  the paper: {counted / 1e6:.0f} million, "
        f"exact: {counted == EXACT[name]}"
    )

# %% [markdown]
# All six counts are exact. One misread layer, a missing bias, or a kernel of 3 instead of 1 would change them.
#
# **Explain.** Two of the six counts are equal. Why? And what does that say about counting as a test?

# %% [markdown] tags=["answer"]
# A and A-LRN differ only in a local response normalisation, which computes with fixed constants and has no
# parameters. So a count does not see LRN, ReLUs, pools, paddings or strides. It depends on the shapes of the layers
# with parameters, and on nothing else. Other tests cover the rest: the shapes of the feature maps, multiply-adds, and
# outputs compared with a network that is known to be right, as the check of exercise 2 does.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * names the two networks and the layer in which they differ, and says why this layer does not count;
# * names at least two other things that a count does not see;
# * names a test that would see them.
#
# </details>

# %% [markdown]
# ## What does each layer cost?
#
# A layer costs three things: memory for its outputs, memory for its parameters, and work. Work is counted in
# **multiply-adds**: one for each product of a weight and an input. A convolution uses its weights again at every
# position of its feature map. Biases, ReLUs and pools count as no work.
#
# **Predict**: which layer of VGG-16 (network D) has the most parameters, and which has the most outputs?
#
# **Exercise 3.** Write `layer_costs`. `layers` is a list with three kinds of entries:
#
# * `("conv", kernel, channels)`: a convolution with stride 1 and biases that keeps the side of the feature map;
# * `("pool",)`: a max-pool of 2×2 with stride 2, which rounds an odd side down;
# * `("linear", units)`: a fully-connected layer with biases. The first one sees the flattened feature maps, each later
#   one the units of the layer before it.
#
# Images have 3 channels and `side` × `side` pixels. Return a list with one triple for each entry of `layers`, in their
# order: the number of **outputs** for one image, the number of **parameters**, and the number of **multiply-adds** for
# one image. A pool has outputs, but 0 parameters and 0 multiply-adds.


# %%
def layer_costs(layers, side):
    """Return (outputs, parameters, multiply-adds) for each layer."""
    ### BEGIN SOLUTION
    shape, costs = (3, side, side), []
    for kind, *sizes in layers:
        if kind == "conv":
            kernel, wide = sizes
            inputs = kernel * kernel * shape[0]
            shape = (wide, *shape[1:])
        elif kind == "pool":
            shape = (shape[0], shape[1] // 2, shape[2] // 2)
            costs.append((shape[0] * shape[1] * shape[2], 0, 0))
            continue
        else:
            inputs, wide = shape[0] * shape[1] * shape[2], sizes[0]
            shape = (wide, 1, 1)
        outputs = wide * shape[1] * shape[2]
        costs.append((outputs, wide * inputs + wide, outputs * inputs))
    return costs
    ### END SOLUTION


# %%
verdict = check("layer_costs", layer_costs)
costs_of = verdict.or_reference()


def layer_list(blocks, units=(4096, 4096, 1000)):
    """Return the layers of a VGG in the form that exercise 3 takes."""
    layers = []
    for block in blocks:
        layers += [("conv", *word) for word in block if word != "LRN"]
        layers.append(("pool",))
    return layers + [("linear", wide) for wide in units]


vgg16 = layer_list(parse(CONFIGURATIONS["D"]))
if verdict.status == "right":
    costs = costs_of(vgg16, 224)
    for layer, (outputs, parameters, work) in zip(vgg16, costs, strict=True):
        text = " ".join(map(str, layer))
        print(f"{text:14} {outputs:10,} {parameters:12,} {work:14,}")
    outputs, parameters, work = map(sum, zip(*costs, strict=True))
    print(f"{'together':14} {outputs:10,} {parameters:12,} {work:14,}")
    print("exact parameters:", parameters == EXACT["D"])
    known = deepernets.count_multiply_adds(networks["D"], (3, 224, 224))
    print("multiply-adds as the package counts them:", work == known)
plots.configuration_chart()

# %% [markdown]
# *One horizontal bar for each of the six configurations, A to E: the plain part is the parameters of the convolutions,
# the much longer hatched part those of the fully-connected layers, with the sum in millions at the bar's end.*
#
# **Explain.** From A to E the network gets eight convolutions deeper, and yet the bars hardly grow. Where are the
# parameters, where is the work, and where are the outputs? What would you change first if VGG needed fewer parameters?

# %% [markdown] tags=["answer"]
# A convolution uses its weights at every position, so it has few of them: the 13 convolutions of D have 14.7 million
# together. The first linear layer has a weight for each pair of a unit and a number of the last feature maps, 102.8
# million. The work is the other way round: almost all of it is in the convolutions, most in blocks 3 and 4. About
# half of the outputs are in the first block, where the feature maps are largest. For fewer parameters, remove the
# large linear layer: use a single linear layer after the last feature maps, as VGG for 32×32 pixels does, or the mean
# of each feature map, as ResNet does. The small growth from A to E is in the convolutions alone.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * says which kind of layer has most of the parameters, and why a convolution has few;
# * says which kind of layer does most of the work;
# * says in which block the outputs are largest, and why;
# * names a change that removes parameters, and one network that made it.
#
# </details>

# %% [markdown]
# ## How much memory does training take?
#
# The forward pass keeps the outputs of the layers, because the backward pass needs them. They are called
# **activations**. For each parameter, the backward pass computes a gradient, and the optimizer, SGD with momentum,
# keeps a momentum. All numbers are float32.
#
# **Exercise 4.** Write `training_memory`. `layers` and `side` are those of exercise 3, and `batch` is the number of
# images. Return a pair of numbers, both in **bytes**:
#
# 1. the activations of a batch: the images themselves and the outputs of every entry of `layers`, pools included. ReLUs
#    work in place, so they need no memory of their own;
# 2. for all parameters together: the parameter, its gradient and its momentum.
#
# `costs_of` is the function of exercise 3.


# %%
def training_memory(layers, side, batch):
    """Return the bytes of the activations, and of all that belongs to parameters."""
    ### BEGIN SOLUTION
    costs = costs_of(layers, side)
    numbers = 3 * side * side + sum(cost[0] for cost in costs)
    weights = sum(cost[1] for cost in costs)
    return 4 * batch * numbers, 4 * 3 * weights
    ### END SOLUTION


# %%
verdict = check("training_memory", training_memory)
memory_of = verdict.or_reference()
if verdict.status == "right":
    for batch in (1, 64, 256):
        activations, parameters = memory_of(vgg16, 224, batch)
        print(
            f"VGG-16, batch of {batch:3}: {activations / 1e9:6.2f} GB of activations, "
            f"{parameters / 1e9:.2f} GB for the parameters"
        )

# %% [markdown]
# The paper trained with batches of 256 images on four GPUs with 6 GB each. Compare with the numbers above: would a
# batch have fitted into the memory of one of them? And a quarter of a batch?
#
# <details><summary>Answer: open it when you have compared</summary>
#
# By exercise 4 a batch takes 15.6 GB of activations, so it would not have fitted. A quarter, 64 images, takes 3.9 GB.
# With the 1.7 GB for the parameters, their gradients and the momentum that is 5.6 GB, which just fits.
#
# </details>
#
# ## Too small an image
#
# The digits of MNIST are 28 pixels wide. **Predict**: what is the side of the feature map after each of VGG's five
# pools?

# %%
for side in (224, 32, 28):
    sides = [side]
    for _ in range(5):
        sides.append(output_side(sides[-1], kernel=2, stride=2))
    print(f"{side:3} pixels:", *sides[1:])
try:
    deepernets.build_model("vgg-16", in_shape=(1, 28, 28), classes=10)
except deepernets.UserError as refusal:
    print(fill(str(refusal), 76))

# %% [markdown]
# With 28 pixels nothing is left after the fifth pool, so the package refuses to build the network and names two ways
# out. One student report took the second one: its last pool has a window of 1 and a stride of 2.
#
# **Explain.** A framework whose pools round *up* would not have shown the problem. Which sides would it get for 28
# pixels, and would its last pool do anything useful? What else could one do with an image of 28×28?

# %% [markdown] tags=["answer"]
# Rounded up, 28 becomes 14, 7, 4, 2, 1. The last window still covers all of a 2×2 map, so the network works and ends
# with 512 numbers, as it does for 32×32 pixels. The last pool is useful: it takes the largest of four numbers. One
# can also pad or resize the images to 32×32, which gives 16, 8, 4, 2, 1 without a special case (the course's MNIST
# runs do that), or leave the last pool out.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * gives all five sides;
# * says what the last window covers;
# * names a way out that changes the image or the network.
#
# </details>

# %% [markdown]
# ## Fully-connected layers as convolutions
#
# A fully-connected layer accepts one size of input, so VGG-16 only accepts images whose last feature maps are 7×7,
# such as those of 224×224 pixels. At test time the paper removes this limit: it computes the same function with
# convolutions (section 3.2). The first linear layer becomes a convolution whose kernel covers the whole feature map.
# The following ones become 1×1 convolutions. On a larger image the result is a **map of scores**, one vector of class
# scores for each position of a window.
#
# **Exercise 5.** Write `convolutional_head`. `head` is an `nn.Sequential` that begins with `nn.Flatten` and goes on
# with `nn.Linear`, `nn.ReLU` and `nn.Dropout`. It was built for feature maps with `channels` channels and `side` ×
# `side` pixels. Return an `nn.Sequential` that maps feature maps (N, channels, h, w), with h and w at least `side`,
# to scores (N, classes, h - side + 1, w - side + 1). For h = w = side they are the logits of `head`. Dropout may stay
# or go, because the check compares in evaluation mode. Leave `head` as it is, and **copy** its weights.
#
# Two hints about PyTorch: `nn.Flatten` turns (N, C, h, w) into rows, channel by channel, and in a channel row by row.
# Change weights inside `with torch.no_grad():`, with `weight.copy_(…)`.


# %%
def convolutional_head(head, channels, side):
    """Return a head with convolutions in place of its linear layers."""
    ### BEGIN SOLUTION
    layers = []
    for layer in head:
        if isinstance(layer, nn.Linear):
            conv = nn.Conv2d(channels, layer.out_features, side)
            with torch.no_grad():
                conv.weight.copy_(layer.weight.reshape(conv.weight.shape))
                conv.bias.copy_(layer.bias)
            layers.append(conv)
            channels, side = layer.out_features, 1
        elif not isinstance(layer, nn.Flatten):
            layers.append(layer)
    return nn.Sequential(*layers)
    ### END SOLUTION


# %%
make_dense = check("convolutional_head", convolutional_head).or_reference()

# %% [markdown]
# Here is a small VGG for images of 56×56, first with its linear layers, then with convolutions in their place.

# %%
torch.manual_seed(0)
small = vgg([[(3, 8)], [(3, 16)], [(3, 16)]], units=(32, 32, 3), side=7).eval()
dense = nn.Sequential(small[0], make_dense(small[1], 16, 7)).eval()
image = torch.randn(1, 3, 88, 72)
crop = image[:, :, :56, :56]  # the window at the upper left
with torch.no_grad():
    logits, scores, of_image = small(crop), dense(crop), dense(image)
print("scores of a crop:       ", tuple(scores.shape))
print(
    "the same logits:        ",
    torch.allclose(scores.flatten(1), logits, atol=1e-5),
)
print("scores of a whole image:", tuple(of_image.shape))
first = of_image[:, :, 0, 0]
print(
    "the first entry is the crop's:", torch.allclose(first, logits, atol=1e-5)
)
windows = of_image.shape[2] * of_image.shape[3]
work = [
    deepernets.count_multiply_adds(dense, (3, *size))
    for size in ((56, 56), (88, 72))
]
ratio = windows * work[0] / work[1]
print(
    f"{windows} crops one by one take {ratio:.1f} times the work "
    "of the whole image"
)

# %% [markdown]
# The paper tests its networks in both ways. **Dense evaluation** runs the convolutional network on the whole image and
# averages the map of scores. **Multi-crop evaluation** runs the network on many crops and averages their softmax
# probabilities.
#
# **Exercise 6.** Write `multi_crop`. `image` has the shape $(C, H, W)$ and no batch dimension, and `network` maps
# crops (N, C, side, side) to logits (N, K). It is in evaluation mode already. Take all crops of `side` × `side` pixels
# that lie inside the image and whose upper left corners are at multiples of `stride`, in both directions. Return the
# mean of their softmax probabilities, a tensor of shape (K,). Leave `image` as it is.


# %%
def multi_crop(network, image, side, stride):
    """Return the mean class probabilities (K,) over the crops of an image."""
    ### BEGIN SOLUTION
    probabilities = []
    for row in range(0, image.shape[1] - side + 1, stride):
        for column in range(0, image.shape[2] - side + 1, stride):
            part = image[:, row : row + side, column : column + side]
            probabilities.append(network(part[None]).softmax(dim=1)[0])
    return torch.stack(probabilities).mean(dim=0)
    ### END SOLUTION


# %%
average_crops = check("multi_crop", multi_crop).or_reference()
with torch.no_grad():
    by_crops = average_crops(small, image[0], 56, 8)
    by_map = of_image.mean(dim=(2, 3)).softmax(dim=1)[0]
print("crops:", [f"{number:.3f}" for number in by_crops.tolist()])
print("dense:", [f"{number:.3f}" for number in by_map.tolist()])

# %% [markdown]
# **Explain.** Why is the whole image cheaper than its crops one by one? And why does the first entry of the map differ
# from the logits of the crop at the same place, although all weights are the same?

# %% [markdown] tags=["answer"]
# Neighbouring windows overlap. If crops are computed one by one, the convolutions work on the shared pixels again for
# each crop, while on the whole image every position is computed once. The entries differ because of the padding:
# inside a crop, a convolution at the edge sees zeros, and in the whole image it sees the neighbouring pixels. So
# dense evaluation is not the same as averaging over crops, and the paper finds that the two complement each other.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * says what overlapping windows have in common, and how often it is computed;
# * names what a convolution sees at the edge of a crop, and what it sees at the same place in the whole image.
#
# </details>
