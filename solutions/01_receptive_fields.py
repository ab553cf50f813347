# %% [markdown]
# # Lab 1: Convolutions, receptive fields and parameters
#
# All convolutions of VGG are small: 3×3 pixels, and in one of its networks also 1×1. In this lab you write a
# convolution by hand and check its gradient. Then you find out how many pixels a stack of convolutions sees, and what
# it costs compared with one large convolution. No network is trained. It takes 75 to 90 minutes.
#
# **You need** Python, PyTorch tensors, and the idea of a convolution with a kernel, a stride and a padding (chapter
# [Convolution by numbers](book:convolution)). **You get** a convolution of your own, a test for
# gradients that works for any function, and a rule for receptive fields.
#
# How the exercises work: replace each `...` with your answer, run the cell, then run the check below it. The lab runs
# to the end whether or not you have solved an exercise.

# %%
import torch
from torch import nn
from torch.nn import functional as F

import deepernets
from deepernets import check
from deepernets.models.receptive_field import gradient_map
from deepernets.plots.receptive_fields import field_growth, gradients_in_field

# %% [markdown]
# ## How many windows fit?
#
# A convolution moves a window over the image and computes one number from each window. Along one side, the image has
# $n$ pixels, and $p$ zeros are added at **each** end. The window has a side of $k$ pixels. The first window starts at
# the edge of the padded image, and each further one starts $s$ pixels later. A window that fits only in part is left
# out. The same rule holds for pooling.
#
# **Exercise 1.** Write `output_size`. All four arguments are integers ($k$ and $s$ are at least 1, $n$ and $p$ at
# least 0). Return how many windows fit, and 0 where the window is larger than the padded image.


# %%
def output_size(n, k, s, p):
    """Return how many windows of side k fit, s apart, on a side n padded by p."""
    ### BEGIN SOLUTION
    if n + 2 * p < k:
        return 0
    return (n + 2 * p - k) // s + 1
    ### END SOLUTION


# %%
verdict = check("output_size", output_size)
size_of = verdict.or_reference()
if verdict.status == "right":
    print("VGG, 224 pixels, 3x3, padding 1:   ", size_of(224, 3, 1, 1))
    print("ResNet, 224 pixels, 7x7/2, pad 3:  ", size_of(224, 7, 2, 3))
    print("a 2x2 pool with stride 2, 7 pixels:", size_of(7, 2, 2, 0))

# %% [markdown]
# ## A convolution by hand
#
# An image has the shape $(C, H, W)$: channels, height, width. A filter has one $k \times k$ kernel for each channel,
# so its weight has the shape $(C, k, k)$. It gives one feature map. The entry $(i, j)$ of this map is the sum, over
# all channels and all positions of the kernel, of the weight times the padded image $\tilde x$ in the window that
# belongs to $(i, j)$:
#
# $$y_{ij} = \sum_{c} \sum_{a=0}^{k-1} \sum_{b=0}^{k-1} w_{cab} \; \tilde x_{c,\; s i + a,\; s j + b}$$
#
# The first entry of the kernel meets the first pixel of the window: the kernel is **not** flipped. Mathematics calls
# this operation a cross-correlation, and deep learning calls it a convolution.
#
# **Exercise 2.** Write `convolve`. Loops and slices are enough, and the check refuses convolutions of PyTorch, such as
# `conv2d`, whose result you will compare with yours. It takes an image
# $(C, H, W)$, a weight $(C, k, k)$, a stride and a padding, and returns the feature map $(H', W')$ as a tensor of the
# image's dtype; `image.new_zeros(rows, columns)` makes such a tensor. Height and width may differ. There is no bias.
# Leave `image` and `weight` as they are. Autograd must find its way through your function, so compute with tensors:
# no `item()`, no NumPy. `size_of` is the function of exercise 1.


# %%
def convolve(image, weight, stride, padding):
    """Return the feature map of one filter, computed window by window."""
    ### BEGIN SOLUTION
    channels, height, width = image.shape
    side = weight.shape[-1]
    padded = image.new_zeros(
        channels, height + 2 * padding, width + 2 * padding
    )
    padded[:, padding : padding + height, padding : padding + width] = image
    rows = size_of(height, side, stride, padding)
    columns = size_of(width, side, stride, padding)
    feature_map = image.new_zeros(rows, columns)
    for row in range(rows):
        for column in range(columns):
            top, left = row * stride, column * stride
            window = padded[:, top : top + side, left : left + side]
            feature_map[row, column] = (window * weight).sum()
    return feature_map
    ### END SOLUTION


# %%
convolve_by_hand = check("convolve", convolve).or_reference()

# %% [markdown]
# Here is a filter whose meaning can be read from its numbers. Each row of its kernel is (-1, 0, 1).
#
# **Predict**: where is its feature map large, and where is it zero? The image is black on the left and white on the
# right, and the filter sees one channel.

# %%
step_image = torch.zeros(1, 5, 8)
step_image[:, :, 4:] = 1.0  # (1, 5, 8)
edge_filter = torch.tensor([[[-1.0, 0.0, 1.0]] * 3])  # (1, 3, 3)
print(convolve_by_hand(step_image, edge_filter, 1, 0))
torch.manual_seed(0)
image, weight = torch.randn(3, 9, 8), torch.randn(3, 3, 3)
ours = convolve_by_hand(image, weight, 2, 1)
theirs = F.conv2d(image[None], weight[None], stride=2, padding=1)[0, 0]
print("PyTorch computes the same:", torch.allclose(ours, theirs, atol=1e-5))

# %% [markdown]
# **Explain.** A true convolution flips the kernel in both directions. Why does it make no difference for a network
# whether its layers flip their kernels? In which situation would it make one?

# %% [markdown] tags=["answer"]
# The kernels are learned. If the layers flipped them, training would find the same kernels flipped, and the network
# would compute the same function. It makes a difference as soon as weights come from somewhere else: a kernel that a
# textbook on image processing defines for a true convolution, or weights of a library that flips, must be flipped
# before PyTorch uses them.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * says where the values of the kernels come from in a network;
# * says that the two kinds of layer can compute the same functions;
# * names a case in which kernels or weights come from outside.
#
# </details>

# %% [markdown]
# ## Is the gradient right?
#
# Autograd computes gradients by rules, and a rule can be wrong: a `detach` too many, or a backward pass that somebody
# wrote by hand. There is a test that needs no rules. Change one entry $x_i$ of the input a little in both directions
# and see how much the function changes. This is the **central difference**:
#
# $$\frac{\partial f}{\partial x_i} \approx \frac{f(x + h e_i) - f(x - h e_i)}{2h}$$
#
# Here $e_i$ is 1 at entry $i$ and 0 elsewhere. The error shrinks with $h^2$, so a step of $10^{-4}$ is fine in double
# precision. In single precision rounding spoils the difference.
#
# **Exercise 3.** Write `gradient_check`. `function` takes a tensor of the shape of `x` and returns a tensor with one
# number; `x` is a float64 tensor of any shape that does not require a gradient. Return a pair: first the numerical
# gradient, a tensor of the shape of `x`, then the **largest** absolute difference between it and autograd's gradient,
# as a number. Leave `x` as it is: work on copies (`x.clone()`). `torch.autograd.grad(number, tensor)` returns a
# *tuple* with one gradient per tensor, also for a single tensor, and the tensor must require a gradient before
# `function` is called.


# %%
def gradient_check(function, x, step):
    """Return the numerical gradient and its largest difference from autograd's."""
    ### BEGIN SOLUTION
    numerical = torch.zeros_like(x)
    for place in range(x.numel()):
        up, down = x.clone(), x.clone()
        up.view(-1)[place] += step
        down.view(-1)[place] -= step
        change = function(up) - function(down)
        numerical.view(-1)[place] = change / (2 * step)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(function(leaf), leaf)
    return numerical, (numerical - gradient).abs().max().item()
    ### END SOLUTION


# %%
compare_gradients = check("gradient_check", gradient_check).or_reference()

# %% [markdown]
# Below, your convolution is checked, once as a function of the image and once as a function of the weight. The third
# candidate has a forward pass that is right and a backward pass that somebody wrote by hand.


# %%
class HandWritten(torch.autograd.Function):
    """A convolution of one filter with a backward pass by hand."""

    @staticmethod
    def forward(ctx, image, weight):
        """Return the feature map, padded by 1."""
        ctx.save_for_backward(weight)
        return F.conv2d(image[None], weight[None], padding=1)[0, 0]

    @staticmethod
    def backward(ctx, gradient):
        """Return the gradients of the image and of the weight (not needed)."""
        (weight,) = ctx.saved_tensors
        filters = weight[:, None]  # (C, 1, k, k)
        return F.conv2d(gradient[None, None], filters, padding=1)[0], None


torch.manual_seed(0)
image, weight = torch.randn(2, 5, 4).double(), torch.randn(2, 3, 3).double()
factors = torch.randn(5, 4).double()
candidates = {
    "convolve, image": (
        lambda x: (factors * convolve_by_hand(x, weight, 1, 1)).sum(),
        image,
    ),
    "convolve, weight": (
        lambda w: (factors * convolve_by_hand(image, w, 1, 1)).sum(),
        weight,
    ),
    "by hand, image": (
        lambda x: (factors * HandWritten.apply(x, weight)).sum(),
        image,
    ),
}
for name, (function, x) in candidates.items():
    _, apart = compare_gradients(function, x, 1e-4)
    print(f"{name:17} largest difference {apart:.3f}")

# %% [markdown]
# **Explain.** What is wrong with the backward pass by hand? Would you have noticed the fault without this test, when
# you train a network with it?

# %% [markdown] tags=["answer"]
# The pixel $(u, v)$ of the padded image meets the kernel's entry $(u - i, v - j)$ in the window of output $(i, j)$.
# Seen from the pixel, the kernel runs backwards, so the backward pass must convolve the gradient with the *flipped*
# kernel, `weight.flip(1, 2)`. No error is raised, because all shapes are right, and the network would train, only
# worse: the layers after this one get right gradients, and the layers before it get wrong ones. That looks like a
# badly chosen learning rate.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * names what the backward pass does to the kernel, or fails to do;
# * gives a reason for it: which entry of the kernel meets a given pixel;
# * says what is seen in training, and why no error is raised.
#
# </details>

# %% [markdown]
# ## How far does a unit see?
#
# The **receptive field** of a unit is the square of input pixels that can change its value. A unit after one 3×3
# convolution sees 3×3 pixels. A unit after two of them sees 3×3 units, each of which sees 3×3 pixels. These squares
# overlap, and together they cover 5×5 pixels.
#
# **Predict**: how many pixels wide is the field after *three* 3×3 convolutions with stride 1? Draw it on paper.
#
# With strides this is harder to draw. Keep two numbers for the units after the layers so far:
#
# * the **field** $r$: how many pixels wide the square is that one unit sees;
# * the **jump** $j$: the distance in pixels between the centres of the fields of two neighbouring units.
#
# Before the first layer the units are the pixels, so $r = 1$ and $j = 1$. A layer with kernel $k$ and stride $s$
# looks at $k$ neighbouring units. The first and the last of these are $(k - 1) \cdot j$ pixels apart. The layer's own
# units are $s$ times as far apart as the units it looks at.
#
# **Exercise 4.** Write `field_size`. `layers` is a list of `(kernel, stride)` from the first layer to the last. Return
# the field after the last one, as a number. Convolutions and pools follow the same rule.


# %%
def field_size(layers):
    """Return how many pixels wide the field after these layers is."""
    ### BEGIN SOLUTION
    field, jump = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * jump
        jump *= stride
    return field
    ### END SOLUTION


# %%
verdict = check("field_size", field_size)
field_of = verdict.or_reference()
BLOCK = [(3, 1), (3, 1), (2, 2)]  # two convolutions and a pool
LONG_BLOCK = [(3, 1), (3, 1), (3, 1), (2, 2)]
STACKS = {
    "three 3x3": [(3, 1)] * 3,
    "one 7x7": [(7, 1)],
    "ResNet's start: 7x7/2, 3x3/2 pool": [(7, 2), (3, 2)],
    "VGG-16, up to its last pool": BLOCK * 2 + LONG_BLOCK * 3,
}
if verdict.status == "right":
    for name, layers in STACKS.items():
        print(f"{name:35} {field_of(layers):4} pixels")

# %% [markdown]
# The package follows the same rule through a whole network, layer by layer. Here are VGG-16 and ResNet-50 on images of
# 224×224.

# %%
with torch.device("meta"):  # shapes without numbers, which takes no memory
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
}  # feature maps only, without the mean over them
for name, rows in table.items():
    last = rows.iloc[-1]
    print(
        f"{name}: {last['receptive_field']} pixels after {last['name']}, jump {last['jump']}"
    )
field_growth(table, image_side=224)

# %% [markdown]
# *Two rising lines over the layers' numbers: the receptive field of VGG-16 and of ResNet-50, in pixels, flat where
# layers have a kernel of 1 and steeper after every stride; ResNet-50's goes on rising far beyond VGG-16's. A
# horizontal line marks the image's side of 224 pixels.*
#
# **Explain.** In VGG-16, most of the field comes from the last block, which has three 3×3 convolutions like the block
# before it. Why does the same kernel add so much more there?

# %% [markdown] tags=["answer"]
# Each layer adds $(k - 1) \cdot j$, and every pool has doubled the jump. In the last block neighbouring units are 16
# pixels apart, so each of its 3×3 convolutions adds 32 pixels, while one in the first block adds 2. Strides make
# fields large, more than kernels do.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * names the quantity that differs between the blocks, and what has changed it;
# * gives numbers: what one convolution adds in the first block and in the last one.
#
# </details>

# %% [markdown]
# ## What does it cost?
#
# The VGG paper replaces one large convolution by a stack of small ones with the same receptive field. Both have $C$
# channels in and $C$ channels out. A layer has one $k \times k$ kernel for each pair of an input and an output
# channel, and one bias for each output channel.
#
# **Exercise 5.** Write `compare_with_single`. The stack has `layers` convolutions with a square kernel of side
# `kernel` and stride 1, each with `channels` in and out. Return four numbers in this order:
#
# 1. the kernel side of the single convolution that has the same receptive field;
# 2. the number of parameters of the stack, biases included;
# 3. the number of parameters of the single convolution, biases included;
# 4. how many **more** parameters the single one has, as a share of those of the stack: 0.5 means half as many again.


# %%
def compare_with_single(kernel, channels, layers):
    """Compare a stack of convolutions with one that has the same field."""
    ### BEGIN SOLUTION
    side = field_of([(kernel, 1)] * layers)
    stack = layers * (kernel**2 * channels**2 + channels)
    single = side**2 * channels**2 + channels
    return side, stack, single, single / stack - 1
    ### END SOLUTION


# %%
verdict = check("compare_with_single", compare_with_single)
compare = verdict.or_reference()
if verdict.status == "right":
    print("three 3x3 convolutions against a single one")
    print("channels  side       stack      single   more")
    for channels in (64, 128, 256, 512):
        side, stack, single, more = compare(3, channels, 3)
        print(f"{channels:8}  {side:4} {stack:11,} {single:11,}  {more:.1%}")

# %% [markdown]
# Section 2.3 of the VGG paper gives this share for weights without biases. Compare: do the biases matter?
#
# One student report writes that the numbers of weights are multiples of "the number of channels". They are multiples
# of its *square*, because each of the $C$ outputs has a kernel for each of the $C$ inputs.
#
# **Explain.** Fewer weights are one reason for small kernels. What is the other one, which has nothing to do with the
# number of weights? And would two 4×4 convolutions do as well as three 3×3?

# %% [markdown] tags=["answer"]
# There is a ReLU after each of the three layers, three instead of one, so the function of the stack is less linear.
# The paper calls it more discriminative. It also says that the stack can be read as a 7×7 filter that is forced to be
# composed of small ones, which is a regularisation. Two 4×4 convolutions also see 7×7 pixels. They cost 32C² and have
# only two ReLUs. In addition, an even kernel has no centre, so no symmetric padding keeps the size of the feature
# map. 3×3 is the smallest kernel that has a left, a right, an upper and a lower side and a centre.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * names what comes between the layers of the stack, and what it changes about the function;
# * gives the receptive field and the number of weights of the two 4×4 convolutions;
# * says what an even kernel does to padding or to the position of the feature map.
#
# </details>

# %% [markdown]
# ## Measure a field by gradients
#
# The rule of exercise 4 says which pixels *can* matter. A network can also show which ones *do*: take the **gradient
# of one unit with respect to the image**. If the gradient of a pixel is zero, a small change of this pixel does not
# change the unit.
#
# **Exercise 6.** Write `field_by_gradient`. `network` maps an image of shape (1, 3, size, size) to feature maps (1,
# C, H, W). Make an image of zeros that requires a gradient, run the network on it, and take the unit in the middle of
# the feature maps (row $\lfloor H/2 \rfloor$, column $\lfloor W/2 \rfloor$, the sum of all channels). Compute its
# gradient with respect to the image; `torch.autograd.grad` returns a tuple. Return as a number how many pixels *wide*
# the square is in which the gradient is not zero, in any channel of the image.


# %%
def field_by_gradient(network, size):
    """Return how many pixels wide the middle unit's field is, by its gradient."""
    ### BEGIN SOLUTION
    image = torch.zeros(1, 3, size, size, requires_grad=True)
    maps = network(image)  # (1, C, H, W)
    unit = maps[0, :, maps.shape[2] // 2, maps.shape[3] // 2].sum()
    (gradient,) = torch.autograd.grad(unit, image)
    columns = gradient.abs().sum(dim=(0, 1, 2))  # (size,)
    return (columns > 0).sum().item()
    ### END SOLUTION


# %%
measure = check("field_by_gradient", field_by_gradient).or_reference()


# %%
def stack_of(layers):
    """Return convolutions with random weights, 8 channels wide, without ReLUs."""
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
    measured = measure(stack_of(layers), 65)
    print(
        f"{name:18} the measured field is the computed one:",
        measured == field_of(layers),
    )

# %% [markdown]
# The computed and the measured fields agree. The gradient contains more than that: it also shows *how much* a pixel
# matters.
#
# **Predict**: will all pixels of a field matter equally?

# %%
drawn = {name: TRIED[name] for name in ("one 7x7", "three 3x3", "ten 3x3")}
gradients_in_field(
    {
        name: gradient_map(stack_of(layers), 31)
        for name, layers in drawn.items()
    },
    {name: field_of(layers) for name, layers in drawn.items()},
)

# %% [markdown]
# *Three squares, from dark for pixels that do not matter to bright for those that matter most, with a dashed white
# square around each field. The single 7×7 convolution fills its field with even noise; after three 3×3 the middle is
# brighter than the rim; after ten the bright part is a spot in the middle, much smaller than the field.*

# %%
gradients = gradient_map(stack_of(drawn["ten 3x3"]), 31)
side = field_of(drawn["ten 3x3"])
first = (31 - side // 2) // 2
inner = gradients[first : first + side // 2, first : first + side // 2]
share = (inner.sum() / gradients.sum()).item()
assert share > (side // 2) ** 2 / side**2, (
    "the middle should hold more than its part"
)
print(
    f"The middle of the field is {(side // 2) ** 2 / side**2:.0%} of its area"
)
print(f"and holds most of the gradient: {share > 0.5}")

# %% [markdown]
# **Explain.** Why do pixels in the middle matter more, although all kernels are random? Think of the number of paths
# from a pixel to the unit. What follows for a network whose field is just as large as the object?

# %% [markdown] tags=["answer"]
# Many paths lead from a pixel in the middle to the unit: a step to the left and back to the right, in any order. From
# a pixel in a corner of the field there is a single path, a diagonal step in every layer. The number of paths over
# many steps of -1, 0 or +1 comes near a bell curve whose width grows with the *square root* of the depth, while the
# field grows with the depth itself. The random weights along the paths have both signs, so the typical size of a
# gradient grows with the square root of the number of paths. It still falls from the middle to the rim. So the
# **effective** receptive field is much smaller than the computed one (Luo et al. 2016), and a network whose field is
# just as large as the object uses mostly the middle of the object.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * compares the number of paths from the middle with that from the rim;
# * says how the width of the part that matters grows with depth, compared with the field;
# * draws a conclusion for the field that a network should have.
#
# </details>
