# %% [markdown]
# # Lab 4: Build ResNet
#
# In this lab you build residual networks from their parts: the residual addition, the shortcut without parameters,
# the bottleneck, the list of all blocks of a network, and the block of the paper that followed. Two tests show that
# they are right: the number of parameters is exact, and other people's networks give the same output when they get
# the same weights. It takes 60 to 90 minutes.
#
# **You need** lab 2, where you built VGG, and to know what a convolution and batch normalisation do. The chapters
# [Residual learning](book:residual-learning) and [The ResNet family](book:resnet-family) explain the networks. None of
# them is trained here. **You get** ResNet-20, 44 and 50 made of your own functions.
#
# How the exercises work: replace each `...` with your answer, run the cell, then run the check below it. The lab runs
# to the end whether or not you have solved an exercise.

# %%
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

import deepernets
from deepernets import check
from deepernets.models.layers import (
    Convolution,
    normalised_convolutions,
    projection,
)
from deepernets.plots.architecture import residual_blocks

residual_blocks()

# %% [markdown]
# *Two blocks next to each other. In each, x passes through a branch of convolutions with normalisations and ReLUs
# between them: two of 3×3 in the basic block, 1×1, 3×3, 1×1 in the bottleneck. A thick shortcut leads around the branch
# to a plus sign, and a ReLU follows the addition.*
#
# ## The addition
#
# A plain block computes $y = H(x)$. A residual block learns what has to be *added* to x instead (He et al. 2016,
# equations 1 and 2):
#
# $$y = \mathrm{ReLU}(F(x) + \text{shortcut}(x))$$
#
# **Predict** before you go on: if all weights of the branch $F$ are zero, what does a residual block compute, and what
# does a plain block compute?
#
# **Exercise 1**, to warm up. Write `residual_forward`. `branch` and `shortcut` are functions of a tensor, and the
# branch ends before the last ReLU. Return a tensor of the type of x that gradients can flow back through. Do not
# change x in place.


# %%
def residual_forward(x, branch, shortcut):
    """Return the output of a residual block."""
    ### BEGIN SOLUTION
    return F.relu(branch(x) + shortcut(x))
    ### END SOLUTION


# %%
add_shortcut = check("residual_forward", residual_forward).or_reference()

# %%
x = torch.rand(1, 4)  # not negative, as after a ReLU
unchanged = add_shortcut(x, torch.zeros_like, nn.Identity())
print(
    "a block whose branch is zero changes nothing:", torch.equal(unchanged, x)
)

# %% [markdown]
# **Explain.** Why is the ReLU *after* the addition, and not at the end of the branch?

# %% [markdown] tags=["answer"]
# After a ReLU the branch could only add positive numbers, so the values of a channel could grow from block to block
# and never become smaller. The branch ends in a normalisation, so it can also subtract. The ReLU after the sum keeps
# the output non-negative. Then x, the output of the block before, is non-negative as well, so a block whose branch
# gives zero returns x unchanged.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * Says which values a branch that ends in a ReLU can add, and which it cannot.
# * Says what this means over many blocks.
# * Says what the ReLU after the sum does to an x that is not negative.
#
# </details>

# %% [markdown]
# ## A shortcut without parameters
#
# At the start of a stage the feature map is halved and the channels are doubled, so x cannot simply be added. **Option
# A** of the paper takes every second pixel of x, and fills the channels that x does not have with zeros.
#
# **Exercise 2.** Write `zero_padded` for x of shape (N, C, H, W). Keep every `stride`-th pixel in both directions,
# starting with the first one, and append channels of zeros *after* those of x until there are `channels`. H and W need
# not be multiples of the stride. If x has `channels` channels and the stride is 1, the result equals x. The result has
# the type of x, and gradients can flow back through it.


# %%
def zero_padded(x, channels, stride):
    """Return option A's shortcut: (N, channels, H / stride, W / stride)."""
    ### BEGIN SOLUTION
    x = x[:, :, ::stride, ::stride]
    missing = channels - x.shape[1]
    return F.pad(x, (0, 0, 0, 0, 0, missing))
    ### END SOLUTION


# %%
shortcut_a = check("zero_padded", zero_padded).or_reference()

# %%
x = torch.rand(1, 16, 32, 32)
print(tuple(x.shape), "becomes", tuple(shortcut_a(x, 32, 2).shape))

# %% [markdown]
# ## Two kinds of branches
#
# The **basic** branch, for ResNet-18, 34 and all networks for CIFAR, is two 3×3 convolutions. It is given:


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
# `width`, a 3×3 on these few channels, and a 1×1 that gives *four times* `width`. A batch normalisation follows each of
# them, and a ReLU follows the first two normalisations. In the paper the **first** convolution has the stride.
#
# **Exercise 3.** Write `bottleneck_branch`. Return a module, such as an `nn.Sequential`, with its layers in the order
# in which they work. The convolutions have no biases. The 3×3 convolution does not change height and width.


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
bottleneck = check("bottleneck_branch", bottleneck_branch).or_reference()

# %%
with torch.device("meta"):
    basic = deepernets.count_parameters(basic_branch(256, 256, 1))
    narrow = deepernets.count_parameters(bottleneck(256, 64, 1))
print(f"on 256 channels: basic {basic:,}, bottleneck {narrow:,} parameters")

# %% [markdown]
# **Explain.** On 256 channels a bottleneck has about a seventeenth of the parameters of a basic block. Where does the
# saving come from, and what does the block lose?

# %% [markdown] tags=["answer"]
# A convolution has k² · (channels in) · (channels out) weights. The expensive kernel, 3×3, works on a quarter of the
# channels, so on a sixteenth of the pairs of channels, and there is one such convolution instead of two. The two 1×1
# convolutions together have a little less than it. In a basic block every channel has 3×3 kernels of its own over all
# 256 channels. In the bottleneck, what the block sees around a pixel must fit into 64 numbers.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * Names the number of weights of a convolution as a product.
# * Compares kernel sizes, channels and the number of 3×3 convolutions of the two branches.
# * Says what can no longer be computed, or has to pass through fewer channels.
#
# </details>

# %% [markdown]
# ## All blocks of a network
#
# All ResNets are a stem, stages of blocks, a mean over the last feature maps and one linear layer. In a stage all
# blocks have the same number of channels out. The first block of every stage **but the first one** has stride 2. All
# other blocks have stride 1. Each block gets all channels that the block before gives, and the very first one gets
# `c_in` channels from the stem. A block gives `expansion * width` channels: `expansion` is 1 for basic blocks and 4
# for bottlenecks.
#
# **Exercise 4.** Write `block_shapes`. `repeats` is the list of the number of blocks of each stage, and `widths` the
# list of its widths, in the same order. Return **one** list for the whole network with one tuple `(c_in, c_out,
# stride)` of integers for each block, first to last. Do not change the lists.


# %%
def block_shapes(repeats, widths, c_in, expansion):
    """Return (c_in, c_out, stride) of every block of a network, first to last."""
    ### BEGIN SOLUTION
    shapes = []
    for stage, (repeat, width) in enumerate(zip(repeats, widths, strict=True)):
        for block in range(repeat):
            halves = stage > 0 and block == 0
            shapes.append((c_in, expansion * width, 2 if halves else 1))
            c_in = expansion * width
    return shapes
    ### END SOLUTION


# %%
list_blocks = check("block_shapes", block_shapes).or_reference()

# %% [markdown]
# The list is all that is needed to assemble a network of *your* parts.


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


def make_stages(repeats, widths, c_in, expansion):
    """Return all blocks: basic ones with option A, or bottlenecks with projections."""
    stages = nn.Sequential()
    for shape in list_blocks(repeats, widths, c_in, expansion):
        c_in, c_out, stride = map(int, shape)
        make = basic_branch if expansion == 1 else bottleneck
        change = OptionA(c_out, stride)
        if expansion == 4:
            change = projection(c_in, c_out, stride)
        keeps_shape = c_in == c_out and stride == 1
        shortcut = nn.Identity() if keeps_shape else change
        stages.append(Block(make(c_in, c_out // expansion, stride), shortcut))
    return stages


def cifar_resnet(n):
    """Return ResNet of depth 6n + 2 for 32x32 images in ten classes."""
    return nn.Sequential(
        normalised_convolutions(3, [Convolution(3, 16)]),
        nn.ReLU(),
        make_stages([n, n, n], [16, 32, 64], 16, 1),
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
        make_stages([3, 4, 6, 3], [64, 128, 256, 512], 64, 4),
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
# **Predict.** The paper calls the networks for CIFAR-10 by their depth, $6n + 2$, where $n$ is the number of blocks in
# each of three stages. Where do the 6 and the 2 come from, and is a projection one of the layers that are counted? (It
# is on a path of its own next to two convolutions, and the depth is the number of layers on the longest path.)
#
# <details><summary>Answer: open it when you have a guess</summary>
#
# Three stages of $n$ blocks with two convolutions each have $6n$ layers. The 2 are the first convolution and the linear
# layer at the end. A projection is not counted, because the longest path leads through the two convolutions.
#
# </details>
#
# ## Options B and C
#
# **Option B** uses a projection in each block that changes the shape: $c_\text{in} \ne c_\text{out}$, or a stride
# other than 1. A projection is a 1×1 convolution with the block's stride and without bias, and a batch normalisation
# after it. **Option C** uses a projection in *every* block.
#
# **Exercise 5.** Write `shortcut_parameters`. `blocks` is a list like that of exercise 4, and `option` is `"A"`,
# `"B"` or `"C"`. Return the number of the learned parameters of all shortcuts together. A block may change its
# channels with stride 1, or keep its channels with stride 2.


# %%
def shortcut_parameters(blocks, option):
    """Return the number of learned parameters of all shortcuts of a network."""
    ### BEGIN SOLUTION
    total = 0
    for c_in, c_out, stride in blocks:
        changed = c_in != c_out or stride != 1
        if option == "C" or (option == "B" and changed):
            total += c_in * c_out + 2 * c_out
    return total
    ### END SOLUTION


# %%
count_shortcuts = check(
    "shortcut_parameters", shortcut_parameters
).or_reference()

# %% [markdown]
# **Predict**: by how many percent does option B make ResNet-34 larger? And option C? The cell compares your function
# with the course's own networks.

# %%
NETWORKS = {
    "resnet-20": ([3, 3, 3], [16, 32, 64], 16),
    "resnet-34": ([3, 4, 6, 3], [64, 128, 256, 512], 64),
}
for name, stages in NETWORKS.items():
    blocks = list_blocks(*stages, 1)
    with torch.device("meta"):
        size = {
            option: deepernets.count_parameters(
                deepernets.build_model(name, shortcut=option)
            )
            for option in "ABC"
        }
    for option in "BC":
        more = int(count_shortcuts(blocks, option))
        assert more == size[option] - size["A"]
        print(
            f"{name}, option {option}: {more:9,} more parameters, {more / size['A']:.1%}"
        )

# %% [markdown]
# **Explain.** On ImageNet the paper reports a top-1 error of 28.54 % for the plain network of 34 layers, and of 25.03
# %, 24.52 % and 24.19 % for ResNet-34 with option A, B and C. Which step matters most? Is it the parameters?

# %% [markdown] tags=["answer"]
# The step from no shortcut to option A: 3.5 points, without a single parameter more. From A to B it is half a point,
# and from B to C a third of a point. The paper gives a reason for each. With option A the new channels have a
# shortcut of zero, so they learn no residual, and C has more parameters (5 %). One run of each cannot show whether
# these are the reasons, or whether the differences are chance. The paper concludes that projections are not essential
# against degradation, and does not use C in its deeper networks. There it would cost most, because the shortcut of a
# bottleneck connects its wide ends.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * Compares the three differences in points.
# * Compares each difference with the parameters that the step adds.
# * Names another explanation than the number of parameters for the steps from A to B to C, or says what one run
#   cannot show.
#
# </details>

# %% [markdown]
# ## What the number of parameters does not show
#
# The original bottleneck has its stride in the first 1×1 convolution ("v1"). Many libraries have it in the 3×3
# convolution instead ("v1.5"), so that no pixel is skipped. The paper states 3.8 billion multiply-adds for ResNet-50.

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
# **Explain.** Why do the two have the same number of parameters and not the same cost? And how would you find out which
# of the two a library's ResNet-50 is, without reading its source?

# %% [markdown] tags=["answer"]
# The weights are the same: a stride changes where a kernel is applied, not how many numbers it has. In v1.5 the first
# 1×1 convolution of stages 2, 3 and 4 still works on the large feature map, at four times as many positions. To find
# out, look at the shape of the feature map after that convolution (a forward hook shows it), count multiply-adds, or
# give both networks the same weights and compare their outputs.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * Says what a stride does to the number of weights and to the number of positions.
# * Names the layer whose feature map differs between the two.
# * Names a test that runs the network.
#
# </details>

# %% [markdown]
# ## The block of the next paper
#
# In their next paper (*Identity mappings in deep residual networks*, 2016), He et al. take everything off the path of
# x: nothing follows the addition, and the branch normalises and activates *before* each of its convolutions. This is
# the **pre-activation** block. With it they train a network of 1001 layers.
#
# **Exercise 6.** Write `preactivation_block`. Return a module: its output is the branch of x plus the shortcut of x.
#
# * The branch: batch normalisation, ReLU, 3×3 convolution with the stride, from `c_in` to `c_out` channels. Then again
#   batch normalisation, ReLU, 3×3 convolution with stride 1. Both convolutions have a padding of 1.
# * The shortcut: the identity if `c_in` equals `c_out` and the stride is 1, else a 1×1 convolution of x itself, with
#   the stride. It has no normalisation.
# * No convolution has a bias. The module's parameters are in the order in which the branch uses them, and those of the
#   shortcut come last.
#
# You may use `Sum`, or write a class of your own.


# %%
class Sum(nn.Module):
    """The sum of what two modules make of x."""

    def __init__(self, branch, shortcut):
        super().__init__()
        self.branch, self.shortcut = branch, shortcut

    def forward(self, x):
        """Return the sum of the two outputs."""
        return torch.add(self.branch(x), self.shortcut(x))


# %%
def preactivation_block(c_in, c_out, stride):
    """Return a pre-activation block: (N, c_in, H, W) to (N, c_out, H / stride, W / stride)."""
    ### BEGIN SOLUTION
    branch = nn.Sequential(
        nn.BatchNorm2d(c_in),
        nn.ReLU(),
        nn.Conv2d(c_in, c_out, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(c_out),
        nn.ReLU(),
        nn.Conv2d(c_out, c_out, 3, padding=1, bias=False),
    )
    same = c_in == c_out and stride == 1
    project = nn.Conv2d(c_in, c_out, 1, stride, bias=False)
    return Sum(branch, nn.Identity() if same else project)
    ### END SOLUTION


# %%
preactivation = check("preactivation_block", preactivation_block).or_reference()

# %% [markdown]
# Ten blocks in a row, all weights of their convolutions 0. Here x has negative entries.


# %%
def without_weights(block):
    """Set the weights of all convolutions to 0 and return the block."""
    for parameter in block.parameters():
        if parameter.dim() == 4:
            nn.init.zeros_(parameter)
    return block


torch.manual_seed(0)
x = torch.randn(2, 8, 6, 6)
for name, make in {
    "original": lambda: Block(basic_branch(8, 8, 1), nn.Identity()),
    "pre-activation": lambda: preactivation(8, 8, 1),
}.items():
    blocks = nn.Sequential(*(without_weights(make()) for _ in range(10)))
    print(f"{name}: x is unchanged: {torch.equal(blocks(x), x)}")

# %% [markdown]
# **Explain.** What do ten original blocks do to x here? Write the output of $L$ pre-activation blocks as a sum. What is
# the derivative of that sum with respect to x, and why does it help a network of 1001 layers?

# %% [markdown] tags=["answer"]
# The first original block sets all negative entries to 0, and the others change nothing more. Information that was
# negative is lost at each ReLU on the path of x. With pre-activation, $x_L = x_0 + F_1(x_0) + F_2(x_1) + \dots$, so the
# derivative of $x_L$ with respect to $x_0$ is the identity plus other terms. Whatever the branches do, one term of the
# gradient arrives at the first layer as it is at the last one, and it does not become smaller with depth.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * Says what happens to the negative entries of x in the original block.
# * Has x itself as one term of the sum, and the identity as one term of the derivative.
# * Says what this term does to the gradient at the first layers.
#
# </details>

# %% [markdown]
# ## The same weights, the same output
#
# The strongest test of a network is a comparison with one that other people wrote. torchvision has a ResNet-50 of the
# v1.5 kind. Its layers have other names, but they are in the same order.
#
# **Exercise 7.** Write `copy_weights`: it gives every tensor of the target's `state_dict()` the value of the source's
# tensor in the same **place**. Their names differ. All tensors are copied: parameters, the running means and variances
# of batch normalisation, and `num_batches_tracked`. The source does not change, and the two must not share memory. What
# the function returns is ignored.


# %%
def copy_weights(source, target):
    """Give the target the source's parameters and buffers, in order."""
    ### BEGIN SOLUTION
    values = source.state_dict().values()
    target.load_state_dict(dict(zip(target.state_dict(), values, strict=True)))
    ### END SOLUTION


# %%
transfer = check("copy_weights", copy_weights).or_reference()

# %% [markdown]
# First the ResNet-20 made of your parts gets the weights of the course's own. Both see a batch in training mode before,
# so that their running statistics differ from the initial ones.


# %%
def same_logits(one, other, images):
    """Return whether two networks give the same logits."""
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
# **Predict**: now three networks get the weights of torchvision's ResNet-50: the one made of your parts, and the
# course's as v1 and as v1.5. Which of them take the weights without an error? Which give the same logits as
# torchvision's?

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
# **Explain.** All three took torchvision's weights without an error, and yours gives other logits for the same images.
# Is it wrong? What would happen with *trained* weights? And when does copying *in order* go wrong without an error?

# %% [markdown] tags=["answer"]
# It is the network of the paper: v1, with the stride in the first 1×1 convolution. Names aside, the shapes and the
# number of the weights are the same, so nothing raises an error. But in the first block of three stages the 3×3
# convolution works on a feature map of another size. Trained weights of one in the other would give a network that
# runs and is less accurate than it should be. This is why the port of a network needs a comparison of outputs.
#
# Copying in order also goes wrong where two tensors of the same shape are in another order, such as the two
# normalisations of a block. Shapes do not show it. A comparison of outputs does if the tensors differ: fresh
# normalisations, all with scale 1 and shift 0, could be exchanged unnoticed, so a good test draws all values at random.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * Says which of the two kinds each network is, and that shapes cannot tell them apart.
# * Says what trained weights would do in the wrong kind.
# * Gives an example of two tensors that can be exchanged unnoticed.
# * Names a test that notices it, and what that test needs.
#
# </details>
