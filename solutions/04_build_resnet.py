# %% [markdown]
# # Lab 4: Build ResNet
#
# In this lab you build residual networks from their parts: the addition that gives them their name, the shortcut
# that costs nothing, the bottleneck. You will know that they are right because the parameters come out exact, and
# because networks that others built, given the same weights, say the same about the same image. It takes 45 to 90
# minutes.
#
# You should know what a convolution and batch normalisation do, and have built VGG in lab 2. No network is trained
# here.
#
# How the exercises work: replace each `...` with your answer, run the cell, then run the check below it. A check
# says *right*, or *wrong* with a hint that fits the mistake. The lab runs to the end whether or not you have
# solved an exercise, because `or_else` puts the course's own function in the place of a missing one, under a new
# name: `residual_forward` stays yours, `add_shortcut` is what the lab goes on with.

# %%
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

import deepernets
from deepernets import check
from deepernets.models.layers import (
    Convolution,
    ZeroPad,
    normalised_convolutions,
    projection,
)
from deepernets.plots.architecture import residual_blocks

residual_blocks()

# %% [markdown]
# *Two blocks side by side. In each, x runs down through a branch of convolutions with normalisations and ReLUs between
# them, two of 3×3 in the basic block, 1×1, 3×3, 1×1 in the bottleneck; a thick shortcut leads around the branch to a
# plus sign, and a ReLU follows the addition.*
#
# ## The addition
#
# A plain block computes $y = H(x)$. A residual block learns what has to be *added* to x instead (He et al. 2016,
# equations 1 and 2):
#
# $$y = \mathrm{ReLU}(F(x) + \text{shortcut}(x))$$
#
# **Predict** before you go on: if all weights of the branch $F$ are zero, what does a residual block compute,
# and what a plain one?
#
# **Exercise 1.** Write `residual_forward`. `branch` and `shortcut` are functions; the branch ends before the last ReLU.
# Do not change x in place, and keep the output a tensor that gradients can flow back through.


# %%
def residual_forward(x, branch, shortcut):
    """Return the output of a residual block."""
    ### BEGIN SOLUTION
    return F.relu(branch(x) + shortcut(x))
    ### END SOLUTION


# %%
def course_forward(x, branch, shortcut):
    """The course's own."""
    return torch.stack([shortcut(x), branch(x)]).sum(dim=0).clamp(min=0)


add_shortcut = check("residual_forward", residual_forward).or_else(
    course_forward
)

# %%
x = torch.rand(1, 4)  # not negative, as behind a ReLU
unchanged = add_shortcut(x, torch.zeros_like, nn.Identity())
print(
    "a block whose branch is zero changes nothing:", torch.equal(unchanged, x)
)

# %% [markdown]
# **Explain.** Why does the ReLU stand *behind* the addition, and not at the end of the branch?

# %% [markdown] tags=["answer"]
# Behind a ReLU the branch could only add positive numbers: what a channel holds could grow from block to block and
# never shrink. Ending in a normalisation, the branch can subtract as well. The ReLU behind the sum keeps the output
# non-negative, so that x, which comes from a block before, usually is too, and then the identity shortcut passes the
# ReLU unchanged.

# %% [markdown]
# ## A shortcut that costs nothing
#
# At the start of a stage the map is halved and the channels are doubled, so x cannot simply be added. **Option A** of
# the paper takes every second pixel of x, and fills the channels that x does not have with zeros.
#
# **Exercise 2.** Write `zero_padded` for x of shape (N, C, H, W): keep every `stride`-th pixel in both directions, and
# append channels of zeros *behind* those of x until there are `channels`. With as many channels as x has, and stride
# 1, x comes out as it is. The result has the type of x.


# %%
def zero_padded(x, channels, stride):
    """Return option A's shortcut: (N, channels, H / stride, W / stride)."""
    ### BEGIN SOLUTION
    x = x[:, :, ::stride, ::stride]
    missing = channels - x.shape[1]
    return F.pad(x, (0, 0, 0, 0, 0, missing))
    ### END SOLUTION


# %%
def course_padded(x, channels, stride):
    """The course's own shortcut A."""
    return ZeroPad(x.shape[1], channels, stride)(x)


shortcut_a = check("zero_padded", zero_padded).or_else(course_padded)

# %%
x = torch.rand(1, 16, 32, 32)
print(tuple(x.shape), "becomes", tuple(shortcut_a(x, 32, 2).shape))

# %% [markdown]
# ## Two kinds of branches
#
# The **basic** branch, for ResNet-18, 34 and all the CIFAR nets, is two 3×3 convolutions. It is given:


# %%
def basic_branch(c_in, width, stride):
    """Return a basic block's branch: (N, c_in, H, W) to (N, width, H / stride, W / stride)."""
    return nn.Sequential(
        nn.Conv2d(c_in, width, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
    )


# %% [markdown]
# The **bottleneck** branch, for ResNet-50, 101 and 152, has three convolutions: a 1×1 that reduces the channels to
# `width`, a 3×3 on these few, and a 1×1 that gives *four times* `width`. Each is batch normalised, and a ReLU follows
# the first two normalisations. In the paper the **first** convolution has the stride.
#
# **Exercise 3.** Write `bottleneck_branch`: an `nn.Sequential`, its layers in the order in which they work, its
# convolutions without biases.


# %%
def bottleneck_branch(c_in, width, stride):
    """Return a bottleneck's branch: (N, c_in, H, W) to (N, 4 * width, H / stride, W / stride)."""
    ### BEGIN SOLUTION
    return nn.Sequential(
        nn.Conv2d(c_in, width, 1, stride, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, 4 * width, 1, bias=False),
        nn.BatchNorm2d(4 * width),
    )
    ### END SOLUTION


# %%
def course_bottleneck(c_in, width, stride):
    """The course's own bottleneck."""
    layers = [(1, width, stride), (3, width, 1), (1, 4 * width, 1)]
    return normalised_convolutions(
        c_in, [Convolution(*layer) for layer in layers]
    )


bottleneck = check("bottleneck_branch", bottleneck_branch).or_else(
    course_bottleneck
)

# %%
with torch.device("meta"):
    basic = deepernets.count_parameters(basic_branch(256, 256, 1))
    narrow = deepernets.count_parameters(bottleneck(256, 64, 1))
print(f"on 256 channels: basic {basic:,}, bottleneck {narrow:,} parameters")

# %% [markdown]
# **Explain.** On 256 channels a bottleneck has about a seventeenth of the parameters of a basic block. Where does the
# saving come from, and what does the block give up for it?

# %% [markdown] tags=["answer"]
# A convolution costs k² times channels in times channels out. The expensive kernel, 3×3, works on a quarter of the
# channels, so on a sixteenth of the pairs of channels, and there is one of it instead of two; the two 1×1
# convolutions together cost a little less than that one. Given up is that every channel looks at its neighbourhood
# through a kernel of its own: what the block sees around a pixel must fit through 64 numbers.

# %% [markdown]
# ## The whole network
#
# All ResNets are a stem, stages of blocks, a mean over the last maps and one linear layer. Here they are put together
# from *your* parts.


# %%
class Block(nn.Module):
    """A residual block made of your addition."""

    def __init__(self, branch, shortcut):
        super().__init__()
        self.branch, self.shortcut = branch, shortcut

    def forward(self, x):
        """Map (N, C, H, W) to (N, C', H / stride, W / stride)."""
        return add_shortcut(x, self.branch, self.shortcut)


class OptionA(nn.Module):
    """Your shortcut A as a module."""

    def __init__(self, channels, stride):
        super().__init__()
        self.channels, self.stride = channels, stride

    def forward(self, x):
        """Map (N, C, H, W) to (N, channels, H / stride, W / stride)."""
        return shortcut_a(x, self.channels, self.stride)


def make_stages(repeats, widths, c_in, option):
    """Return the stages of a residual network, basic for option A or B, else bottlenecks."""
    stages = nn.Sequential()
    for number, (repeat, width) in enumerate(zip(repeats, widths, strict=True)):
        for block in range(repeat):
            stride = 2 if number > 0 and block == 0 else 1
            c_out = 4 * width if option == "bottleneck" else width
            make = bottleneck if option == "bottleneck" else basic_branch
            shortcut = nn.Identity()
            if (c_in, 1) != (c_out, stride):
                shortcut = (
                    OptionA(c_out, stride)
                    if option == "A"
                    else projection(c_in, c_out, stride)
                )
            stages.append(Block(make(c_in, width, stride), shortcut))
            c_in = c_out
    return stages


def cifar_resnet(n, option="A"):
    """Return ResNet of depth 6n + 2 for 32x32 images in ten classes."""
    return nn.Sequential(
        normalised_convolutions(3, [Convolution(3, 16)]),
        nn.ReLU(),
        make_stages((n, n, n), (16, 32, 64), 16, option),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


def resnet_50():
    """Return ResNet-50 for 224x224 images in 1000 classes."""
    return nn.Sequential(
        normalised_convolutions(3, [Convolution(7, 64, 2)]),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
        make_stages((3, 4, 6, 3), (64, 128, 256, 512), 64, "bottleneck"),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2048, 1000),
    )


EXACT = {"ResNet-20": 269_722, "ResNet-44": 658_586, "ResNet-50": 25_557_032}
with torch.device("meta"):
    built = {
        "ResNet-20": cifar_resnet(3),
        "ResNet-44": cifar_resnet(7),
        "ResNet-50": resnet_50(),
    }
for name, network in built.items():
    counted = deepernets.count_parameters(network)
    print(f"{name} {counted:>11,} parameters, exact: {counted == EXACT[name]}")

# %% [markdown]
# **Explain.** The paper calls the nets for CIFAR-10 by their depth, $6n + 2$, where $n$ is the number of blocks in each
# of three stages. Where do the 6 and the 2 come from? Which $n$ has ResNet-44? And is a projection, where there is
# one, a layer of these?

# %% [markdown] tags=["answer"]
# Three stages of n blocks of two convolutions are 6n layers; the stem's convolution and the linear layer are the other
# two. ResNet-44 has n = 7. Counted is the longest way through the network, and a projection stands beside two
# convolutions, not in line with them: ResNet-20 has 20 layers with every option. Normalisations, pools and additions
# are not counted either.

# %% [markdown]
# **Option B** uses a projection wherever the shape changes: a 1×1 convolution with the block's stride and without
# bias, and a batch normalisation behind it. **Option C** uses one around every block.
#
# **Exercise 4.** How many parameters more than with option A has ResNet-20 with option B? Its stages have 16, 32 and
# 64 channels. Write an expression.

# %%
### BEGIN SOLUTION
extra_of_b = 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64
### END SOLUTION

# %%
extra = check("extra_of_b", extra_of_b).or_else(
    deepernets.count_parameters(cifar_resnet(3, "B")) - EXACT["ResNet-20"]
)
print(f"option B adds {extra:,} parameters to ResNet-20")

# %% [markdown]
# **Predict**: by how many percent does option B make ResNet-34 larger, whose stages have 64, 128, 256 and 512 channels?
# And option C?

# %%
with torch.device("meta"):
    for name, classes in {"resnet-20": 10, "resnet-34": 1000}.items():
        size = {
            option: deepernets.count_parameters(
                deepernets.build_model(name, classes=classes, shortcut=option)
            )
            for option in "ABC"
        }
        for option in "BC":
            more = size[option] - size["A"]
            print(
                f"{name}, option {option}: {more:9,} more parameters, {more / size['A']:.1%}"
            )

# %% [markdown]
# **Explain.** On ImageNet the paper writes of a top-1 error of 28.54 % for the plain net of 34 layers, and of 25.03 %,
# 24.52 % and 24.19 % for ResNet-34 with option A, B and C. Which step matters most? Is it the parameters?

# %% [markdown] tags=["answer"]
# The step from no shortcut to option A: 3.5 points, for not one parameter more. From A to B and from B to C it is half
# a point and a third of a point. Parameters may have a part in these, C adds 5 %; but option A also leaves new channels
# nothing to add to, as their shortcut is zero, so it may be what the projections carry rather than their number.
# One run each cannot tell. The paper concludes that projections are not needed, and leaves C out of its deeper nets,
# where it would cost a bottleneck the most: its shortcut joins the wide ends.

# %% [markdown]
# ## What counts cannot see
#
# The original bottleneck has its stride in the first 1×1 convolution ("v1"). Many libraries put it into the 3×3
# instead ("v1.5"), which looks at every pixel before it throws three quarters of them away. The paper gives 3.8 billion
# multiply-adds for ResNet-50.

# %%
for name, stride_in in {"v1": "1x1", "v1.5": "3x3"}.items():
    with torch.device("meta"):
        network = deepernets.build_model("resnet-50", stride_in=stride_in)
    parameters = deepernets.count_parameters(network)
    cost = deepernets.count_multiply_adds(network, (3, 224, 224))
    print(
        f"{name:5} {parameters:,} parameters, {cost / 1e9:.2f} billion multiply-adds"
    )

# %% [markdown]
# **Explain.** Why do the two have the same number of parameters and not the same cost? And how would you find out
# which of the two a library's ResNet-50 is, without reading its source?

# %% [markdown] tags=["answer"]
# The weights are the same: a stride changes where a kernel is applied, not how many numbers it has. In v1.5 the first
# 1×1 convolution of a stage still works on the large map, four times as many positions. To find out, look at the shape
# of the map behind that convolution (a forward hook shows it), or count multiply-adds, or give both the same weights
# and compare their outputs.

# %% [markdown]
# ## The proof: the same weights, the same output
#
# The strongest test of a network is another one, written by other people. torchvision has a ResNet-50 of its own, the
# v1.5 kind. Its layers have other names, but they come in the same order.
#
# **Exercise 5.** Write `copy_weights`: give every tensor of the target's `state_dict()` the value of the source's in
# the same place. The running means and variances of batch normalisation belong to it. Afterwards the source is as it
# was, and the two must not share memory.


# %%
def copy_weights(source, target):
    """Give the target the source's parameters and buffers, in order."""
    ### BEGIN SOLUTION
    values = source.state_dict().values()
    target.load_state_dict(dict(zip(target.state_dict(), values, strict=True)))
    ### END SOLUTION


# %%
def course_copy(source, target):
    """The course's own copy."""
    pairs = zip(
        target.state_dict().values(), source.state_dict().values(), strict=True
    )
    for mine, theirs in pairs:
        mine.copy_(theirs)


transfer = check("copy_weights", copy_weights).or_else(course_copy)

# %% [markdown]
# First the ResNet-20 made of your parts, with the weights of the course's own. Both see a batch in training mode
# before, so that the running statistics are worth copying.


# %%
def same_logits(one, other, images):
    """Say whether two networks give the same logits."""
    with torch.no_grad():
        a, b = one.eval()(images), other.eval()(images)
    return torch.allclose(a, b, rtol=1e-3, atol=1e-3)


torch.manual_seed(0)
small = torch.randn(8, 3, 32, 32)
yours = cifar_resnet(3)
course = deepernets.build_model("resnet-20", in_shape=(3, 32, 32), classes=10)
for network in (yours, course):
    network.train()(small)  # fills the running statistics
before = same_logits(course, yours, small)
transfer(course, yours)
after = same_logits(course, yours, small)
print(f"ResNet-20: the same logits before: {before}, after: {after}")
assert (before, after) == (False, True)

# %% [markdown]
# **Predict**: now torchvision's ResNet-50 gives its weights to the one made of your parts, and to the course's, once v1
# and once v1.5. Which of the three takes them without an error? Which says the same as torchvision's?

# %%
theirs = torchvision.models.resnet50()
images = torch.randn(2, 3, 64, 64)
theirs.train()(images)
receivers = {
    "yours": resnet_50(),
    "v1": deepernets.build_model("resnet-50", stride_in="1x1"),
    "v1.5": deepernets.build_model("resnet-50", stride_in="3x3"),
}
for network in receivers.values():
    transfer(theirs, network)
for name in ("yours", "v1.5"):
    found = same_logits(theirs, receivers[name], images)
    print(f"torchvision and {name}: the same logits: {found}")
found = same_logits(receivers["v1"], receivers["yours"], images)
print(f"the course's v1 and yours: the same logits: {found}")
assert found
assert same_logits(theirs, receivers["v1.5"], images)

# %% [markdown]
# **Explain.** All three took torchvision's weights without complaint, and yours says something else about the same
# images. Is it wrong? What would happen if you took *trained* weights from a library like this?

# %% [markdown] tags=["answer"]
# It is the network of the paper: v1, with the stride in the first 1×1 convolution. Names, shapes and counts of the
# weights are the same, so there is nothing to complain of; but in the first block of three stages the 3×3 looks
# at a map of another size. Trained weights of the one in the other would give a network that runs, and is worse than it
# should be, without a word of warning. That is why a comparison of outputs belongs to every port of a network.

# %% [markdown]
# **Explain.** Copying *in order* works for these two. When would it go wrong without an error, and which further test
# would notice?

# %% [markdown] tags=["answer"]
# Where two tensors of the same shape stand in another order: the two normalisations of a block, say, or branch and
# shortcut of a block whose shapes agree. Shapes alone do not notice; comparing outputs on random images with *random*
# normalisations does, as freshly made ones, all scale 1 and shift 0, could be exchanged without a trace. So a good test
# draws all values, running statistics included, before it compares.
