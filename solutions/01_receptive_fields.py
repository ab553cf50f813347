# %% [markdown]
# # Lab 1: Receptive fields and parameters
#
# VGG's idea fits into one sentence: several small convolutions in a row see as much as a large one, cost less, and
# bend the function more often. In this lab you find out what "see as much" means, to the pixel, and what "cost less"
# means, to the last weight. It takes 45 to 90 minutes.
#
# You should know what a convolution with a kernel, a stride and a padding does. No network is trained here.
#
# How the exercises work: replace each `...` with your answer, run the cell, then run the check below it. A check
# says *right*, or *wrong* with a hint that fits the mistake. The lab runs to the end whether or not you have
# solved an exercise, because `or_else` puts the course's own function in the place of a missing one, under a new
# name: `field_size` stays yours, `field_of` is what the lab goes on with.

# %%
import torch
from torch import nn

import deepernets
from deepernets import check
from deepernets.models.receptive_field import gradient_map
from deepernets.plots.receptive_fields import field_growth, gradients_in_field

# %% [markdown]
# ## Predict: three layers deep
#
# The **receptive field** of a unit is the square of input pixels that can change its value. A unit behind one 3×3
# convolution sees 3×3 pixels. Behind two of them it sees 3×3 units, each of which sees 3×3 pixels, and these overlap:
# together 5×5.
#
# **Exercise 1.** How many pixels wide is the field behind *three* 3×3 convolutions, all with stride 1? Draw it on
# paper before you write the number.

# %%
### BEGIN SOLUTION
three_deep = 1 + 3 * (3 - 1)
### END SOLUTION

# %%
side = check("three_deep", three_deep).or_else(
    deepernets.receptive_field([(3, 1)] * 3)
)
print(
    f"Three 3x3 convolutions see {side}x{side} pixels, as one {side}x{side} does."
)

# %% [markdown]
# ## Do: the recursion
#
# With strides it is less easy to see. Keep two numbers for the units behind the layers so far:
#
# * the **field** $r$: how many pixels wide is what one unit sees;
# * the **jump** $j$: how many pixels apart are the middles of what two neighbouring units see.
#
# Before the first layer units are pixels, so $r = 1$ and $j = 1$. A layer with kernel $k$ and stride $s$ looks at $k$
# units in a row, of which the first and the last lie $(k - 1) \cdot j$ pixels apart; and its own units lie $s$ times
# as far apart as those it looks at.
#
# **Exercise 2.** Write `field_size`. `layers` is a list of `(kernel, stride)` from the first layer to the last; return
# the field behind the last one. Convolutions and pools count alike.


# %%
def field_size(layers):
    """Return how many pixels wide the field behind these layers is."""
    ### BEGIN SOLUTION
    field, jump = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * jump
        jump *= stride
    return field
    ### END SOLUTION


# %%
field_of = check("field_size", field_size).or_else(deepernets.receptive_field)

# %%
BLOCK = [(3, 1), (3, 1), (2, 2)]  # two convolutions and a pool
LONG_BLOCK = [(3, 1), (3, 1), (3, 1), (2, 2)]
STACKS = {
    "two 3x3": [(3, 1)] * 2,
    "three 3x3": [(3, 1)] * 3,
    "one 7x7": [(7, 1)],
    "ResNet's start: 7x7/2, 3x3/2 pool": [(7, 2), (3, 2)],
    "VGG-16, up to its last pool": BLOCK * 2 + LONG_BLOCK * 3,
}
for name, layers in STACKS.items():
    print(f"{name:35} {field_of(layers):4} pixels")

# %% [markdown]
# **Explain.** In VGG-16, most of the field of 212 pixels comes from the last block, which has three 3×3 convolutions
# like the block before it. Why does the same kernel add so much more there?

# %% [markdown] tags=["answer"]
# Each layer adds $(k - 1) \cdot j$, and the jump has been doubled by every pool: in the last block neighbouring units
# lie 16 pixels apart, so each of its 3×3 convolutions adds 32 pixels, while one in the first block adds 2. Strides,
# more than kernels, are what makes fields large.

# %% [markdown]
# The package does the same for a whole network, layer by layer. Here are VGG-16 and ResNet-50 on images of 224×224.

# %%
with torch.device("meta"):  # shapes without numbers: built in no time
    networks = {
        "VGG-16": deepernets.build_model("vgg-16"),
        "ResNet-50": deepernets.build_model("resnet-50"),
    }
table = {
    name: deepernets.receptive_field(network, in_shape=(3, 224, 224))
    for name, network in networks.items()
}
table = {
    name: rows[rows["name"] != "head.pool"] for name, rows in table.items()
}  # the maps alone, not the mean over them
for name, rows in table.items():
    last = rows.iloc[-1]
    print(
        f"{name}: {last['receptive_field']} pixels behind {last['name']}, jump {last['jump']}"
    )
field_growth(table, image_side=224)

# %% [markdown]
# *Two rising lines over the layers' numbers: the receptive field of VGG-16 and of ResNet-50, in pixels, flat where
# layers have a kernel of 1 and steeper behind every stride; ResNet-50's goes on rising far beyond VGG-16's. A
# horizontal line marks the image's side of 224 pixels.*
#
# ## Predict: what it costs
#
# With $C$ channels in and out, and without biases, a $k \times k$ convolution has $k^2 C^2$ weights. Three of 3×3 have
# $3 \cdot 3^2 C^2 = 27 C^2$; one of 7×7, which sees as much, has $7^2 C^2 = 49 C^2$.
#
# **Exercise 3.** How many *more* weights does the 7×7 layer have, as a share of those of the three 3×3 layers? Write
# an expression; the VGG paper gives it as a percentage in section 2.3.

# %%
### BEGIN SOLUTION
extra_share = 49 / 27 - 1
### END SOLUTION

# %%
extra = check("extra_share", extra_share).or_else(
    deepernets.conv_weights(7, 512) / deepernets.conv_weights(3, 512, layers=3)
    - 1
)
print(f"{extra:.1%} more; the paper writes 81 %")

# %% [markdown]
# One student report has this as "27 times against 49 times the number of channels". It is the number of channels
# *squared*: each of the $C$ outputs has a $k \times k$ kernel for each of the $C$ inputs.
#
# **Exercise 4.** Write `stack_parameters`: all parameters, now **with** the biases, of a stack of equal convolutions
# with `channels` in and out.


# %%
def stack_parameters(kernel, channels, layers):
    """Return the parameters, biases included, of `layers` convolutions in a row."""
    ### BEGIN SOLUTION
    weights = kernel**2 * channels**2
    biases = channels
    return layers * (weights + biases)
    ### END SOLUTION


# %%
def course_count(kernel, channels, layers):
    """The course's own: let PyTorch make the layers, without memory, and count."""
    stack = [
        nn.Conv2d(channels, channels, kernel, device="meta")
        for _ in range(layers)
    ]
    return sum(map(deepernets.count_parameters, stack))


count = check("stack_parameters", stack_parameters).or_else(course_count)

# %%
print("channels   three 3x3     one 7x7")
for channels in (64, 128, 256, 512):
    print(
        f"{channels:8} {count(3, channels, 3):11,} {count(7, channels, 1):11,}"
    )

# %% [markdown]
# **Explain.** Fewer weights are one reason for small kernels. What is the other one, which has nothing to do with the
# number of weights? And would two 4×4 convolutions do as well as three 3×3?

# %% [markdown] tags=["answer"]
# Between the three layers stand ReLUs, three of them instead of one, so the function that the stack computes can bend
# more often; the paper calls it more discriminative. It also says that the stack can be read as a 7×7 filter that is
# forced to be composed of small ones, which keeps it simple. Two 4×4 convolutions see 7×7, too, and cost 32C² with
# only two ReLUs; what is more, an even kernel has no middle, so no padding keeps the map's size and place. 3×3 is the
# smallest kernel that knows left from right and up from down.

# %% [markdown]
# ## See it: a field by gradients
#
# The recursion says which pixels *can* matter. A network itself can say which *do*: take the **gradient of one unit
# with respect to the image**. Where it is zero, the pixel does not matter.
#
# **Exercise 5.** Write `field_by_gradient`. Make an image of zeros of shape (1, 3, size, size) that requires a
# gradient, run the network on it, take the unit in the **middle** of the resulting maps (all channels summed), and let
# `torch.autograd.grad(unit, image)` give the gradient. Return how many pixels *wide* the part is where it is not zero.


# %%
def field_by_gradient(network, size):
    """Return how many pixels wide the field of the middle unit is, by its gradient."""
    ### BEGIN SOLUTION
    image = torch.zeros(1, 3, size, size, requires_grad=True)
    maps = network(image)  # (1, C, H, W)
    unit = maps[0, :, maps.shape[2] // 2, maps.shape[3] // 2].sum()
    (gradient,) = torch.autograd.grad(unit, image)
    columns = gradient.abs().sum(dim=(0, 1, 2))  # (size,)
    return (columns > 0).sum().item()
    ### END SOLUTION


# %%
def course_field(network, size):
    """The course's own: the width of its gradient map."""
    return int((gradient_map(network, size) > 0).any(dim=0).sum())


measure = check("field_by_gradient", field_by_gradient).or_else(course_field)


# %%
def stack(layers):
    """Return convolutions with kernels, strides and random weights, 8 channels wide, without ReLUs."""
    torch.manual_seed(0)
    return nn.Sequential(
        *(
            nn.Conv2d(
                3 if number == 0 else 8, 8, kernel, stride, padding=kernel // 2
            )
            for number, (kernel, stride) in enumerate(layers)
        )
    )


TRIED = {
    "three 3x3": [(3, 1)] * 3,
    "one 7x7": [(7, 1)],
    "ten 3x3": [(3, 1)] * 10,
    "3x3, 3x3/2 twice": [(3, 1), (3, 2)] * 2,
}
for name, layers in TRIED.items():
    measured = measure(stack(layers), 65)
    print(f"{name:18} computed {field_of(layers):3}, measured {measured:3}")

# %% [markdown]
# Computed and measured agree. But the gradient says more than where it is zero: it says *how much* a pixel matters.
#
# **Predict**: will all pixels of a field matter alike?

# %%
torch.manual_seed(0)
drawn = {name: TRIED[name] for name in ("one 7x7", "three 3x3", "ten 3x3")}
gradients_in_field(
    {name: gradient_map(stack(layers), 31) for name, layers in drawn.items()},
    {name: field_of(layers) for name, layers in drawn.items()},
)

# %% [markdown]
# *Three squares, from dark for pixels that do not matter to bright for those that matter most, with a dashed white
# square around each field. The single 7×7 convolution fills its field with even noise; behind three 3×3 the middle is
# brighter than the rim; behind ten the bright part is a spot in the middle, much smaller than the field.*

# %%
gradients = gradient_map(stack(drawn["ten 3x3"]), 31)
side = field_of(drawn["ten 3x3"])
first = (31 - side // 2) // 2
inner = gradients[first : first + side // 2, first : first + side // 2]
share = (inner.sum() / gradients.sum()).item()
assert share > (side // 2) ** 2 / side**2, (
    "the middle should hold more than its part"
)
print(
    f"The middle {side // 2}x{side // 2} pixels of {side}x{side} are {(side // 2) ** 2 / side**2:.0%} of the field"
)
print(f"and hold most of the gradient: {share > 0.5}")

# %% [markdown]
# **Explain.** Why do pixels in the middle matter more, although all kernels are random? Think of the number of ways
# that lead from a pixel to the unit. What follows for a network whose field is just as large as the object?

# %% [markdown] tags=["answer"]
# A pixel in the middle reaches the unit by many ways, step to the left and back to the right in any order; one at the
# rim by a single way, always outwards. The number of ways over three steps of -1, 0 or +1 is the coefficient of a
# trinomial, and over many steps it comes near a bell curve whose width grows with the *square root* of the depth, while
# the field grows with the depth itself. So the **effective** receptive field is much smaller than the computed one
# (Luo et al. 2016), and a field that is just as large as the object looks mostly at its middle.
