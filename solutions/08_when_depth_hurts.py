# %% [markdown]
# # Lab 8: When depth hurts
#
# A network with more layers can compute everything that a network with fewer layers can. Yet a deeper network may end
# up worse, even on the images that it was trained on. In this lab you find out what does *not* explain this, measure
# signals and gradients in deep networks, and see how a shortcut lets a layer do nothing. It takes 75 to 90 minutes.
#
# **You need** lab 4: the residual block and batch normalisation. The chapter
# [When depth hurts](book:when-depth-hurts) has the measurements of the paper. **You get** a diagnosis for deeper
# networks, a way to make a trained network deeper without changing what it computes, and two measurements of untrained
# networks.
#
# How the exercises work: replace each `...` with your answer, run the cell, then run the check below it. The lab runs
# to the end whether or not you have solved an exercise.

# %%
import math
import os
import tempfile
from copy import deepcopy

import torch
from torch.nn import functional as F

import deepernets
from deepernets import check
from deepernets.analysis import depth as depth_analysis
from deepernets.data.batches import Batches, Transform
from deepernets.data.images import first_per_class
from deepernets.models import layers as model_layers
from deepernets.plots.architecture import values_by_layer
from deepernets.plots.runs import describe_errors, training_and_validation_error
from deepernets.results.comparison import largest_comparable_group, whole_run
from deepernets.training import loop
from deepernets.training.preparation import split

torch.manual_seed(0)
PROFILE = os.environ.get(
    "DEEPERNETS_PROFILE", "quick"
)  # quick: seconds; laptop: an hour; full: with a GPU

# %% [markdown]
# ## What is wrong with a deeper network?
#
# A **plain** network is a stack of convolutions, each with batch normalisation and a ReLU. The **residual** network
# compared with it has the same layers, and a shortcut around every two of them. He et al. (2016) trained both on
# ImageNet. Their top-1 validation errors, in percent:
#
# | layers | plain | residual (option A) |
# |---|---|---|
# | 18 | 27.94 | 27.88 |
# | 34 | 28.54 | 25.03 |
#
# Sixteen more layers make the plain network worse. There are two possible reasons. It has more parameters, so it may
# have memorised its training images: **overfitting**. Or training made less progress, even on the training images. The
# authors call this **degradation**. The table does not show which of the two it is.
#
# **Predict** before you go on: which curve would distinguish the two, and what would it look like in each case?
#
# **Exercise 1.** Write `diagnose_depth`. It takes the epochs of a shallow network and those of a deeper one, as
# records keep them: lists of dictionaries, one per epoch, with `train_accuracy` and `validation_accuracy` among
# their keys. Accuracies are between 0 and 1, and an error is 1 minus an accuracy. Use the **last** epoch of each list,
# and decide in this order:
#
# 1. If either training error is above `far`, return `"not converged"`: such a run shows how fast a network learns, and
#    not what it can reach.
# 2. If the deeper network's training error is higher, return `"degradation"`.
# 3. If the deeper network's validation error is higher, return `"overfitting"`.
# 4. Otherwise, return `"neither"`.
#
# In steps 2 and 3, "higher" means higher by more than `tolerance`, because two runs of the *same* network differ a
# little. An error equal to `far` is not above it. The two lists may have different lengths. Do not change them. The
# default of `far` suits CIFAR-10. On ImageNet, training errors stay higher.


# %%
def diagnose_depth(shallow, deep, tolerance=0.01, far=0.2):
    """Say what is wrong with the deeper network, if both runs have converged."""
    ### BEGIN SOLUTION
    (train, validation), (deep_train, deep_validation) = (
        (
            1 - epochs[-1]["train_accuracy"],
            1 - epochs[-1]["validation_accuracy"],
        )
        for epochs in (shallow, deep)
    )
    if max(train, deep_train) > far:
        return "not converged"
    if deep_train > train + tolerance:
        return "degradation"
    if deep_validation > validation + tolerance:
        return "overfitting"
    return "neither"
    ### END SOLUTION


# %%
diagnose = check("diagnose_depth", diagnose_depth).or_reference()

# %% [markdown]
# ## Four networks
#
# These are the networks of the paper's section 4.2: plain and residual, with 20 and 56 layers. The `quick` profile
# trains them in miniature, on a few hundred drawn images of 16×16 pixels, for three epochs of eight steps. The paper
# takes 64,000 steps, so these runs only show how training *begins*. `PROFILE = "laptop"` trains on 5,000 photographs
# of CIFAR-10, `"full"` on all of them.

# %%
QUICK = deepernets.get_recipe("quick/resnet").changed(
    image_size=16,
    pad=1,
    train_images=192,
    validation_fraction=0.1,
    epochs=3,
    batch_size=24,
    learning_rate=0.05,
)
OUT = tempfile.mkdtemp() if PROFILE == "quick" else "runs"


def recipe_for(name):
    """Return the recipe of a network: in miniature, or the paper's."""
    if PROFILE == "quick":
        return QUICK.changed(name=f"quick/{name}", model=name)
    return deepernets.get_recipe(f"paper/{name}")


def build(name, **changes):
    """Return a network for these images, with the initial weights of seed 0."""
    torch.manual_seed(0)
    return deepernets.build_model(
        name, in_shape=(3, SIZE, SIZE), classes=len(dataset.classes), **changes
    )


base = recipe_for("plain-20")
SIZE = base.image_size
dataset = deepernets.load_dataset(base.data, profile=PROFILE)
splits = split(base.at(PROFILE), dataset, seed=0)
for name in ("plain-20", "resnet-20", "plain-56", "resnet-56"):
    print(
        f"{name}: {len(depth_analysis.convolutions(build(name)))} convolutions, "
        f"{deepernets.count_parameters(build(name)):,} parameters"
    )
transform = Transform(splits.train.transform.mean, splits.train.transform.std)
training_images = Batches(splits.train.images, 64, transform, shuffle_seed=0)
images, labels = next(training_images.epoch(1))  # a batch to measure with
print(
    f"{len(splits.train.images)} training images of {dataset.name}, {SIZE}x{SIZE}"
)

# %% [markdown]
# Shortcuts of option A have no parameters, so a plain network and its residual counterpart have the same number.

# %% tags=["nbval-ignore-output"]
runs, networks = {}, {}
for name in ("plain-20", "plain-56", "resnet-20", "resnet-56"):
    run = deepernets.train(recipe_for(name), profile=PROFILE, out=OUT)
    runs[name], networks[name] = run.record, run.model
    error = 1 - runs[name].epochs[-1]["train_accuracy"]
    print(f"{name}: training error {error:.1%} at the end")
for kind in ("plain", "resnet"):
    found = diagnose(runs[f"{kind}-20"].epochs, runs[f"{kind}-56"].epochs)
    print(f"{kind}-56 compared with {kind}-20: {found}")
if PROFILE == "quick":  # elsewhere the records show how it ends
    accuracies = {
        name: run.epochs[-1]["train_accuracy"] for name, run in runs.items()
    }
    assert accuracies["plain-56"] < accuracies["plain-20"], (
        "plain-56 should hardly have begun to learn"
    )
assert runs["resnet-20"].epochs[-1]["train_accuracy"] > 0.4, (
    "ResNet-20 should be better than guessing"
)
training_and_validation_error(
    {
        "plain": [runs["plain-20"], runs["plain-56"]],
        "residual": [runs["resnet-20"], runs["resnet-56"]],
    }
)

# %% [markdown]
# *Error by epoch of networks with 20 and 56 layers, plain on the left and residual on the right. Training errors are
# bold lines, validation errors thin dashed ones. The text above the figure gives the last training errors and the
# diagnosis of each pair.*
#
# ## The recorded runs
#
# These records ship with the course: the paper's four networks on CIFAR-10, trained with its recipe for 64,000 steps
# from a learning rate of 0.1. The figure is drawn like figure 6 of the paper, except that there the test error is bold
# and the training error dashed.

# %%
NAMES = ("plain-20", "plain-56", "resnet-20", "resnet-56")
found = [
    run for name in NAMES for run in deepernets.load_records(f"paper/{name}")
]
shipped = {name: whole_run(f"paper/{name}", found) for name in NAMES}
print(describe_errors(list(shipped.values())))
for kind in ("plain", "resnet"):
    shallow, deep = (shipped[f"{kind}-{layers}"] for layers in (20, 56))
    print(
        f"{kind}-56 compared with {kind}-20: {diagnose(shallow.epochs, deep.epochs)}"
    )
training_and_validation_error(
    {
        title: [run for name, run in shipped.items() if name.startswith(kind)]
        for title, kind in (("plain", "plain"), ("residual", "resnet"))
    }
)

# %% [markdown]
# *Error by epoch of the recorded runs, plain networks on the left and residual ones on the right. Training errors are
# bold lines, validation errors thin dashed ones. All drop in the middle, where the learning rate is divided by ten. On
# the left both lines of plain-56 stay above those of plain-20. On the right those of ResNet-56 end below those of
# ResNet-20.*
#
# **Explain.** (1) What would the four lines of the left panel look like if plain-56 suffered from overfitting, and
# what if it suffered from degradation? Do these runs show either? (2) The training error in a record is a mean over the
# epoch, on cropped and mirrored images, while the weights change. Is it larger or smaller than the error of the
# epoch's last weights on the unchanged images? Can two networks be compared by it?

# %% [markdown] tags=["answer"]
# (1) Overfitting: the bold line of plain-56 would end below that of plain-20, and its thin line above. It would fit
# the training images better and other images worse. Degradation: the bold line would end above, after both runs have
# levelled out at a low error. The plain pair shows degradation: both runs have converged, and plain-56 has the higher
# training error, and the higher validation error, too. The residual pair shows neither, since ResNet-56 is better in
# both. A pair that has *not converged*, such as the one that you trained above, shows neither, too: a higher training
# error then only says that the deeper network fits its training images less well so far. (2) It is usually larger:
# earlier weights are worse, and cropped images are harder. After very few steps it can also be smaller, as for the
# plain-20 of the `quick` profile in the next section: its running statistics do not fit its weights yet (lab 3), and
# only the evaluation uses them. In a long training the reasons are the same for both networks, so they can be compared
# by it.
# A difference of a point from one seed says little, which is why the function has a tolerance.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * says for both networks where the training error ends under overfitting, and where under degradation;
# * names the condition under which the pair shows either of them, and applies it to these runs;
# * gives at least one reason why the recorded training error differs from that of the last weights, with its direction;
# * says whether that reason affects the two networks differently.
#
# </details>

# %% [markdown]
# ## A deeper network that is just as good
#
# Can 56 plain layers represent what 20 layers represent? Take the 20 layers, and insert 36 more that return their
# input. For this, a 3×3 convolution must be able to return its input.
#
# **Exercise 2.** Write `identity_convolution`. It returns the weights of a 3×3 convolution (stride 1, padding 1, no
# bias) with `channels` channels in and out whose output equals its input. PyTorch stores weights as (channels out,
# channels in, height, width). Return a tensor or a NumPy array of this shape.


# %%
def identity_convolution(channels):
    """Return weights (channels, channels, 3, 3) that change nothing."""
    ### BEGIN SOLUTION
    weights = torch.zeros(channels, channels, 3, 3)
    for channel in range(channels):
        weights[channel, channel, 1, 1] = 1.0
    return weights
    ### END SOLUTION


# %%
identity = check("identity_convolution", identity_convolution).or_reference()

# %% [markdown]
# `depth_analysis.deepen` copies the plain-20 that you trained into a plain-56, and fills all layers that plain-20 does
# not have with your weights. The ReLU after each of them changes nothing, because its input is not negative. The added
# normalisations are set to return their input.

# %% tags=["nbval-ignore-output"]
trained = {name: networks[name] for name in ("plain-20", "plain-56")}
trained["plain-56 from plain-20"] = depth_analysis.deepen(
    trained["plain-20"], build("plain-56"), identity
)
accuracy = {}
for name, network in trained.items():
    accuracy[name] = loop.evaluate(network, training_images.epoch(0)).accuracy
    print(f"{name}: error on its training images {1 - accuracy[name]:.1%}")
assert abs(accuracy["plain-56 from plain-20"] - accuracy["plain-20"]) < 0.02

# %% [markdown]
# **Explain.** There is a plain-56 that is as good as plain-20. If a trained plain-56 is worse all the same, what is
# the cause: that it cannot represent the solution, or something else? And what would a block of a *residual* network
# have to learn in order to return its input?

# %% [markdown] tags=["answer"]
# The network exists, so its capacity is sufficient. Training, that is SGD from these initial weights in this number
# of steps, does not find it. Layers of a plain network that should return their input must learn one exact pattern of
# ones and zeros each. A residual block returns its input if its branch gives zero, for which it is enough that the
# scale and the shift of its last normalisation are 0.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * distinguishes what a network can represent from what training finds;
# * uses the constructed network as evidence;
# * says what output the branch of a residual block needs, and compares this with what a plain layer needs.
#
# </details>

# %% [markdown]
# ## A trained residual network, made deeper
#
# Each residual block computes $\mathrm{ReLU}(F(x) + x)$, and the last layer of $F$ is a batch normalisation. It
# normalises, multiplies by a learned γ (`weight`) and adds a learned β (`bias`).
#
# The course ships a ResNet-20 that was trained on the photographs of CIFAR-10. Here it is, with one of its blocks.

# %%
pretrained = deepernets.load_pretrained("report-b/resnet-20-cifar10/ours")
PHOTOGRAPHS = {"in_shape": (3, 32, 32), "classes": 10}
resnet_20 = deepernets.build_model("resnet-20", **PHOTOGRAPHS)
resnet_20.load_state_dict(pretrained.model.state_dict())
resnet_20.eval()
print(resnet_20.stage1.block1)

# %% [markdown]
# **Exercise 3.** Write `switch_off`. It changes such a block in place so that the output of `block.branch`, which is
# $F(x)$, is exactly 0 for every input, in training mode and in evaluation mode. Change as little as possible: only
# parameters of the *last* layer of `block.branch`. All other parameters, the running statistics, the layers themselves
# and their mode must stay as they are, and the parameters must still require gradients, so that training can go on.
# What the function returns does not matter. A number of a parameter can be changed under `torch.no_grad()`, or with a
# function of `torch.nn.init`.


# %%
def switch_off(block):
    """Change a residual block so that its branch gives 0."""
    ### BEGIN SOLUTION
    last_layer = block.branch[-1]
    torch.nn.init.zeros_(last_layer.weight)
    torch.nn.init.zeros_(last_layer.bias)
    ### END SOLUTION


# %%
silence = check("switch_off", switch_off).or_reference()

# %% [markdown]
# ResNet-20 has three blocks in each of its three stages, ResNet-56 has nine. The cell below copies the trained
# ResNet-20 into the first three blocks of each stage of a ResNet-56, and switches off the other eighteen blocks, which
# have random weights.

# %%
resnet_56 = deepernets.build_model("resnet-56", **PHOTOGRAPHS)
resnet_56.load_state_dict(resnet_20.state_dict(), strict=False)
kept = depth_analysis.residual_blocks(resnet_20)
for name, block in depth_analysis.residual_blocks(resnet_56).items():
    if name not in kept:
        silence(block)
resnet_56.eval()
some = torch.randn(4, 3, 32, 32)
with torch.no_grad():
    same = torch.allclose(resnet_20(some), resnet_56(some), atol=1e-4)
print("ResNet-20 and the ResNet-56 made from it give the same logits:", same)
assert same

# %% [markdown]
# **Predict**: now switch off *one* of the nine blocks of the trained ResNet-20. Does the accuracy fall to chance, a
# lot, or a little? In which block is the change largest? The images are drawn airplanes, automobiles and birds that the
# network has never seen. It chooses from the ten classes of CIFAR-10.

# %% tags=["nbval-ignore-output"]
sketches = deepernets.load_dataset("sketches").test
sketches = sketches.select(first_per_class(sketches, 25, 3))
mean, std = (
    torch.tensor(pretrained.record.data[key])[:, None, None]
    for key in ("mean", "std")
)
drawings = (sketches.pixels / 255 - mean) / std  # normalised like photographs


@torch.no_grad()
def accuracy_of(network):
    """Return the accuracy on the drawings."""
    predicted = network(drawings).argmax(dim=1)
    return (predicted == sketches.labels).float().mean().item()


without = {}
for name in kept:
    network = deepcopy(resnet_20)
    silence(network.get_submodule(name))
    without[name] = accuracy_of(network)
print(f"all blocks: {accuracy_of(resnet_20):.0%} right")
for name, right in without.items():
    print(f"without {name}: {right:.0%} right")
assert accuracy_of(resnet_20) > 0.6
assert max(without.values()) > 0.5

# %% [markdown]
# **Explain.** (1) What would happen to a plain network if one of its layers gave 0? (2) Which kind of block costs most
# here, and what does its shortcut do?

# %% [markdown] tags=["answer"]
# (1) Everything after that layer would get zeros, or a constant after normalisation, and its output would be the same
# for all images: the accuracy would be that of guessing. In a residual network the input of the block still gets
# through. (2) The first block of the second stage. There the map is halved and the channels are doubled, and the
# shortcut of option A takes every second pixel and adds channels of zeros. Without the branch, the new channels stay
# empty. Each of the other blocks can be removed at a smaller cost, and some at almost none. Veit et al. (2016) found
# the same in a network of 110 layers: the blocks that change the shape cost most. Here the rule has exceptions.
# Without stage1.block3, whose shortcut is the identity, the accuracy falls nearly as much, and stage3.block1 changes
# the shape and costs less. These are 75 drawings of a kind that the network was not trained on, and 4 points are
# three of them.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * says what later layers of a plain network receive, and what this means for its predictions;
# * says what later layers of a residual network receive instead;
# * names the block from the measured numbers, and says what is different about its shortcut.
#
# </details>

# %% [markdown]
# ## Zero at the start
#
# Goyal et al. (2017) *begin* training with every last γ at 0. With `zero_last_gamma=True`, `build_model` does the same
# (β is 0 at the start of training anyway).
#
# **Predict**: ResNet-56 has 56 layers with weights: 55 convolutions (its shortcuts of option A have none) and one
# linear layer. On how many of these 56 does its output depend at the start? In the cell below, the stem and the head
# are copied from a ResNet-20 to a ResNet-56. The normalisations use the statistics of the batch, as in training.

# %%
for zero in (False, True):
    shallow = build("resnet-20", zero_last_gamma=zero)
    deep = build("resnet-56", zero_last_gamma=zero)
    for part in ("stem", "head"):
        deep.get_submodule(part).load_state_dict(
            shallow.get_submodule(part).state_dict()
        )
    with torch.no_grad():
        same = torch.allclose(shallow(images), deep(images), atol=1e-4)
    print(
        f"zero_last_gamma={zero}: ResNet-20 and ResNet-56 give "
        f"{'the same' if same else 'different'} logits"
    )

# %% [markdown]
# ## Gradients by depth
#
# A common explanation is a gradient that shrinks from layer to layer in the backward pass, until the first layers
# learn nothing: **vanishing gradients**. He et al. argue that with batch normalisation this does not happen.
#
# **Predict**: at the start of training, is the gradient at the first convolution of plain-56 smaller than at the
# last, about as large, or larger? And in ResNet-56?
#
# **Exercise 4.** Write `gradient_norms`. It runs one batch through the network, and returns a list of numbers: for
# each `torch.nn.Conv2d` the Euclidean norm of the gradient of the mean cross-entropy with respect to the `weight` of
# that convolution (not its bias), in the order of `network.modules()`, which finds layers inside blocks, too. It may be
# called several times with other images, and earlier calls must not change the result. Take no step, and leave the
# network in the mode it is in. `torch.autograd.grad(loss, parameters)` returns a tuple of gradients, one for each
# parameter of the list, and does not touch `.grad`.


# %%
def gradient_norms(network, images, labels):
    """Return one norm per convolution, the one next to the image first."""
    ### BEGIN SOLUTION
    weights = [
        layer.weight
        for layer in network.modules()
        if isinstance(layer, torch.nn.Conv2d)
    ]
    mean_loss = F.cross_entropy(network(images), labels)
    gradients = torch.autograd.grad(mean_loss, weights)
    return [gradient.norm().item() for gradient in gradients]
    ### END SOLUTION


# %%
norms_of = check("gradient_norms", gradient_norms).or_reference()

# %% tags=["nbval-ignore-output"]
norms = {
    name: norms_of(build(name), images, labels)
    for name in ("plain-20", "plain-56", "resnet-20", "resnet-56")
}
for name, values in norms.items():
    print(
        f"{name}: {values[0]:.2g} at the first convolution, {values[-1]:.2g} at the last"
    )
assert norms["plain-56"][0] > 10 * norms["plain-56"][-1]
assert norms["plain-56"][0] > 10 * norms["resnet-56"][0]
values_by_layer(norms, "norm of the gradient")

# %% [markdown]
# *Norm of the gradient at each convolution of four untrained networks, from the image on the left to the output on
# the right, on a logarithmic scale. That of plain-56 falls steeply from left to right, by more than two powers of
# ten. Those of the other three change far less.*
#
# And with every last γ at zero?

# %%
zero_gamma = norms_of(build("resnet-56", zero_last_gamma=True), images, labels)
zeros = sum(norm == 0 for norm in zero_gamma)
print(
    f"ResNet-56, zero_last_gamma: {zeros} of {len(zero_gamma)} gradients are 0"
)

# %% [markdown]
# **Explain.** (1) Do gradients vanish in plain-56? Would a single learning rate suit all of its layers? (2) With
# γ = 0 nearly all convolutions get no gradient at all. How can they ever learn?

# %% [markdown] tags=["answer"]
# (1) No, they grow in the backward pass, from layer to layer by a nearly constant factor. Stacks of normalised layers
# are known for this at random weights (Yang et al. 2019, arXiv:1902.08129). A learning rate that suits the last layers
# is far too large for the first ones, and one that suits the first ones hardly changes the last. With shortcuts much
# of the gradient bypasses the layers, and all layers get gradients of similar size. (2) γ itself gets a gradient: what
# the branch computes, normalised, multiplied with the gradient that arrives, and neither is zero. After the first step
# γ is no longer zero, and from then on the convolutions of the branch get gradients, too. The one convolution that has
# a gradient at the start is the stem's. With the linear layer it is one of the two layers on which the output depends.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * reads the direction of the change from the figure, and gives its size over all layers;
# * says what this means for a learning rate at both ends of the network;
# * names a parameter of the block that does get a gradient, and says why;
# * says what changes after the first step.
#
# </details>

# %% [markdown]
# ## Which initial weights keep the signal alive?
#
# Without normalisation the signal itself must survive the forward pass. A unit adds up $n = k^2 c_\mathrm{in}$ products
# of weights $w$ and inputs $x$, all independent and $w$ with mean 0, so
# $\mathrm{Var}[y_l] = n\,\mathrm{Var}[w]\,E[x_l^2]$. The inputs are the outputs of the previous layer after a ReLU.
# It sets the negative half of a symmetric distribution to zero, so $E[x_l^2]$ is half of $\mathrm{Var}[y_{l-1}]$ (He et
# al. 2015, arXiv:1502.01852).
#
# **Exercise 5.** Write `he_std`. It returns the standard deviation of the weights, a number, for which the variance
# $\mathrm{Var}[y_l]$ is the same in every layer. Its arguments are those of `torch.nn.Conv2d`: channels in, channels
# out, and the side of the kernel.


# %%
def he_std(c_in, c_out, kernel):
    """Return the standard deviation that keeps the variance on its way forward."""
    ### BEGIN SOLUTION
    fan_in = kernel * kernel * c_in
    return math.sqrt(2 / fan_in)
    ### END SOLUTION


# %%
he = check("he_std", he_std).or_reference()

# %% [markdown]
# Twenty convolutions of 64 channels, with ReLUs and nothing else, and four kinds of initial weights: a small constant
# standard deviation, the one of the VGG paper (variance 10⁻²), Glorot and Bengio's (variance
# $2 / (n_\mathrm{in} + n_\mathrm{out})$, derived for layers without ReLU), and yours.

# %% tags=["nbval-ignore-output"]
schemes = {
    "N(0, 0.01²)": lambda c_in, c_out, kernel: 0.01,
    "VGG: N(0, 0.1²)": lambda c_in, c_out, kernel: 0.1,
    "Glorot": model_layers.glorot_std,
    "He": he,
}
variances = {}
for name, scheme in schemes.items():
    torch.manual_seed(0)
    stack = model_layers.plain_stack(20, 64, scheme)
    measured = list(
        depth_analysis.activation_variances(stack, images[:16]).values()
    )
    factor = (measured[-1] / measured[1]) ** (1 / (len(measured) - 2))
    print(f"{name}: each layer multiplies the variance by {factor:.3f}")
    variances[name] = measured
assert 0.01 < variances["He"][-1] / variances["He"][0] < 100
assert variances["Glorot"][-1] < 1e-3 * variances["Glorot"][0]
assert variances["N(0, 0.01²)"][-1] < 1e-20
assert variances["VGG: N(0, 0.1²)"][-1] > 1e4
values_by_layer(variances, "variance before the ReLU")

# %% [markdown]
# *Variance of the output of each of twenty convolutions, on a logarithmic scale. With He's standard deviation it stays
# within about two powers of ten. Glorot's line falls steadily, that of N(0, 0.01²) much more steeply, and that of
# N(0, 0.1²) rises.*
#
# **Explain.** (1) Which factor per layer do you expect for each of the four, and how close are the measured ones?
# (2) Would the N(0, 0.1²) line rise as well with 16 channels? (3) Plain-56 is normalised after every convolution.
# Does its signal vanish in the forward pass if its weights are drawn from N(0, 0.01²)?

# %% [markdown] tags=["answer"]
# (1) The factor is $n\,\mathrm{Var}[w] / 2$ with $n = 9 \cdot 64 = 576$: 0.029 for N(0, 0.01²), 2.88 for N(0, 0.1²),
# 1/2 for Glorot, 1 for He. The measured ones are within a few per cent. With finitely many channels the variance is
# itself random. (2) No: $9 \cdot 16 \cdot 0.01 / 2 = 0.72$, so it would fall. No constant standard deviation suits
# all widths. (3) No: each normalisation sets the variance to 1 again, whatever the scale of the weights. So with its
# initial weights the signal of a normalised plain network vanishes neither in the forward nor in the backward pass,
# and degradation must have another cause. Gradients that differ by a factor of several hundred between the first
# layer and the last are one suspect.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * derives the factor per layer from the equation, and gives a number for each of the four;
# * compares these numbers with the measured ones;
# * computes the factor for 16 channels;
# * says what a normalisation does to the scale of the weights before it.
#
# </details>

# %% [markdown]
# ## Which shortcut?
#
# Where a stage halves the map and doubles the channels, $x$ and $F(x)$ have different shapes. Option A takes every
# second pixel and adds zeros for the missing channels, B projects with a 1×1 convolution there, and C projects around
# every block.
#
# **Predict**: how many parameters do B and C add, and which option will have the lowest training error?

# %%
for option in ("", "-b", "-c"):
    for layers in (20, 56):
        without = deepernets.count_parameters(build(f"resnet-{layers}"))
        network = build(f"resnet-{layers}{option}")
        extra = deepernets.count_parameters(network) - without
        print(
            f"{layers} layers, option {(option or '-a')[1:].upper()}: "
            f"{extra:6,} parameters more ({extra / without:.1%})"
        )

# %%
options = largest_comparable_group(
    run
    for name in ("resnet-20", "resnet-20-b", "resnet-20-c")
    for run in deepernets.load_records(f"paper/{name}")
)
print(describe_errors(options))
training_and_validation_error({"recorded": options})

# %% [markdown]
# *Error by epoch of ResNet-20 with the three shortcut options, from the records. Training errors are bold lines,
# validation errors thin dashed ones. The text above the figure gives the last errors.*
#
# On ImageNet the paper measured for 34 layers 25.03 % (A), 24.52 % (B) and 24.19 % (C), and chose B for its deeper
# networks.
#
# **Explain.** (1) What do the added zeros of option A mean for the channels they are in: is anything residual learned
# there? (2) In the light of exercise 3, what does C give up? (3) How would you find out whether a difference of half a
# percentage point between two options is more than chance?

# %% [markdown] tags=["answer"]
# (1) In those channels $x$ is zero, so $y = \mathrm{ReLU}(F(x))$: for one block at each change of width, these
# channels are ordinary layers and not residual ones. (2) The identity: with a projection around every block, a block
# whose branch gives 0 does not return its input, and the backward pass leads through a normalised convolution
# everywhere. The authors attribute the slight advantage of C on ImageNet to its additional parameters. (3) Train each
# option with several seeds, and compare the difference of the means with the seed-to-seed variation. The paired test
# of lab 5 is not enough: it compares two trained networks, and another seed gives two others.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * inserts the zeros into the equation of the block;
# * says what a block of option C returns when its branch gives 0;
# * proposes a measurement with several seeds, and says what is compared with what.
#
# </details>
