# %% [markdown]
# # Lab 8: When depth hurts
#
# More layers can do all that fewer layers do, and yet a deeper network may end up worse, even on the images that
# it was trained on. In this lab you find out what that is *not*, measure what travels through deep networks,
# forwards and backwards, and see why a shortcut changes where training begins. It takes 60 to 90 minutes.
#
# You should know the residual block, which lab 4 builds, and what batch normalisation does.
#
# How the exercises work: replace each `...` with your answer, run the cell, then run the check below it. A check
# says *right*, or *wrong* with a hint that fits the mistake. The lab runs to the end whether or not you have
# solved an exercise, because `or_else` puts the course's own function in the place of a missing one, under a new
# name: `diagnose_depth` stays yours, `diagnose` is what the lab goes on with.

# %%
import math
import os
import tempfile

import torch
from torch.nn import functional as F

import deepernets
from deepernets import check
from deepernets.analysis import depth as depth_analysis
from deepernets.data.batches import Batches, Transform
from deepernets.models import layers as model_layers
from deepernets.plots.architecture import values_by_layer
from deepernets.plots.runs import describe_errors, training_and_validation_error
from deepernets.results.comparison import largest_comparable_group
from deepernets.training import loop
from deepernets.training.preparation import split

torch.manual_seed(0)
PROFILE = os.environ.get(
    "DEEPERNETS_PROFILE", "quick"
)  # quick: seconds; laptop: an hour; full: with a GPU

# %% [markdown]
# ## Predict: what is wrong with a deeper network?
#
# A **plain** network is a stack of convolutions, each with batch normalisation and a ReLU; its **residual** twin
# has the same layers, and a shortcut around every two of them. He et al. (2016) trained both on ImageNet. Their
# top-1 validation errors, in percent:
#
# | layers | plain | residual (option A) |
# |---|---|---|
# | 18 | 27.94 | 27.88 |
# | 34 | 28.54 | 25.03 |
#
# Sixteen more layers make the plain network worse. It has more parameters, so it may have memorised its training
# images: **overfitting**. Or training did not get as far with it, even on the images it was trained on; the authors
# call this **degradation**. The table cannot tell one from the other.
#
# **Predict** before you go on: which curve would tell them apart, and what would it look like in either case?
#
# **Exercise 1.** Write `diagnose_depth`. It takes the epochs of a shallow network and those of a deeper one, as
# records keep them: lists of dictionaries, one per epoch, with `train_accuracy` and `validation_accuracy` among
# their keys. Judge by the last epoch, in this order:
#
# 1. Both words are about what a network can reach. A run that ends far from fitting its training images says only
#    how fast the network learns. If either training error is above `far`, return `"not converged"`.
# 2. If the deeper network's training error is higher, return `"degradation"`.
# 3. If its validation error is higher, return `"overfitting"`.
# 4. Otherwise, return `"neither"`.
#
# In steps 2 and 3, "higher" means higher by more than `tolerance`: two runs of the *same* network differ a little.
# The two lists may differ in length. Leave them unchanged.
# The value 20 % for `far` suits CIFAR-10, where ResNet-20 fits all but a few per cent of its training images after
# fifty epochs. On ImageNet training errors stay higher.


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
diagnose = check("diagnose_depth", diagnose_depth).or_else(
    depth_analysis.diagnosis
)

# %% [markdown]
# ## Do: four networks
#
# Plain and residual networks of 20 and 56 layers are the ones of the paper's section 4.2. The `quick` profile
# trains them in miniature: a few hundred drawn pictures of 16×16 pixels, in four epochs of eight steps. The paper
# takes 64,000 steps, so this only shows how they *begin*. `PROFILE = "laptop"` trains on 5,000 photographs of
# CIFAR-10, `"full"` on all of them.

# %%
QUICK = deepernets.get_recipe("quick/resnet").changed(
    image_size=16,
    pad=1,
    train_images=192,
    validation_fraction=0.1,
    epochs=4,
    batch_size=24,
    learning_rate=0.05,
)
OUT = tempfile.mkdtemp() if PROFILE == "quick" else "runs"


def recipe_for(name):
    """Return what to train a network by: in miniature, or as the paper does."""
    if PROFILE == "quick":
        return QUICK.changed(name=f"quick/{name}", model=name)
    return deepernets.get_recipe(f"paper/{name}")


def build(name, **changes):
    """Return a network for these pictures, with the weights that seed 0 gives."""
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
print(
    f"{len(splits.train.images)} training images of {dataset.name}, {SIZE}x{SIZE}"
)

# %% [markdown]
# Shortcuts of option A have no parameters: twins have the same layers and the same counts.

# %% tags=["nbval-ignore-output"]
runs, networks = {}, {}
for name in ("plain-20", "plain-56", "resnet-20", "resnet-56"):
    run = deepernets.train(recipe_for(name), profile=PROFILE, out=OUT)
    runs[name], networks[name] = run.record, run.model
    error = 1 - runs[name].epochs[-1]["train_accuracy"]
    print(f"{name}: training error {error:.1%} at the end")
for kind in ("plain", "resnet"):
    verdict = diagnose(runs[f"{kind}-20"].epochs, runs[f"{kind}-56"].epochs)
    print(f"{kind}-56 compared with {kind}-20: {verdict}")
if PROFILE == "quick":  # elsewhere the records say how it ends
    accuracies = {
        name: run.epochs[-1]["train_accuracy"] for name, run in runs.items()
    }
    assert accuracies["plain-56"] < accuracies["plain-20"], (
        "plain-56 should hardly have begun to learn"
    )
assert runs["resnet-20"].epochs[-1]["train_accuracy"] > 0.4, (
    "ResNet-20 should do better than guessing"
)
training_and_validation_error(
    {
        "plain": [runs["plain-20"], runs["plain-56"]],
        "residual": [runs["resnet-20"], runs["resnet-56"]],
    }
)

# %% [markdown]
# *Error by epoch of 20 and 56 layers, left without shortcuts, right with them. Training error bold, validation
# error thin and dashed. The text above the figure says where the training errors end, and what that means for the
# deeper network of each kind.*
#
# A run this short shows which network *begins* to learn faster, and no more.
#
# ## Compare: the recorded runs
#
# These are the records that ship with the course, drawn like figure 6 of the paper, except that there the test error
# is bold and the training error dashed. Networks are compared only where all else was the same: recipe, data,
# profile, seed. The text above the figure gives the number of training images, the epochs and the learning rate.
# The paper takes 64,000 steps, from a learning rate of 0.1.

# %%
NAMES = ("plain-20", "plain-56", "resnet-20", "resnet-56")


def recorded(*names):
    """Return the recorded runs of these networks that are on equal terms."""
    found = [deepernets.load_records(f"paper/{name}") for name in names]
    return largest_comparable_group(run for runs in found for run in runs)


shipped = {run.recipe.model: run for run in recorded(*NAMES)}
print(describe_errors(list(shipped.values())))
for kind in ("plain", "resnet"):
    pair = [shipped.get(f"{kind}-{layers}") for layers in (20, 56)]
    verdict = "not both recorded yet"
    if all(pair):
        verdict = diagnose(*(run.epochs for run in pair))
    print(f"{kind}-56 compared with {kind}-20: {verdict}")
training_and_validation_error(
    {
        title: [run for name, run in shipped.items() if name.startswith(kind)]
        for title, kind in (("plain", "plain"), ("residual", "resnet"))
    }
)

# %% [markdown]
# *Error by epoch of the recorded runs, left plain networks, right residual ones. Training error bold, validation
# error thin and dashed. The text above the figure says how each run ended; a panel without a run says so.*
#
# **Explain.** (1) How would the four lines of the left panel run if plain-56 suffered from overfitting, and how if
# it suffered from degradation? Do these runs show either? (2) A
# training error in a record is a mean over the epoch, on cropped and mirrored images, while the weights change. Is
# it larger or smaller than the error of the epoch's last weights on the same images as they are? Does this speak
# against comparing two networks by it? (3) Do the race above and the records order the networks alike, and would
# they have to?

# %% [markdown] tags=["answer"]
# (1) Overfitting: the bold line of plain-56 would end below that of plain-20, and its thin line above. It would know
# the training images better and others worse. Degradation: the bold line would end above, after both runs have
# levelled out at a low error. A pair that the text above calls *not converged* shows neither. A higher training
# error does say that the deeper network has not memorised its training images so far. Whether it would catch up in
# more steps stays open; the paper's figure 6 shows that after 64,000 steps plain-56 has not. (2) As a rule larger:
# earlier weights are worse, and moved images are harder. It is larger for both networks and for the same reasons, so
# it can serve to compare them. A difference of a point or so from one seed says little, though: hence the tolerance.
# (3) They need not: the first steps show which network starts to learn sooner, thousands of steps show where it
# ends, and the miniature's images are easier and smaller.

# %% [markdown]
# ## A deeper network that is just as good
#
# Could it be that 56 plain layers *cannot* do what 20 can? No, and you can prove it: take the 20 layers, and put
# between them 36 more that pass on what they get. For this a 3×3 convolution must be able to do nothing.
#
# **Exercise 2.** Write `identity_convolution`: the weights of a 3×3 convolution (padding 1, no bias) from
# `channels` maps to as many that gives back what it gets. PyTorch stores weights as (channels out, channels in,
# height, width). Return a tensor or an array of this shape.


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
identity = check("identity_convolution", identity_convolution).or_else(
    depth_analysis.identity_weights
)

# %% [markdown]
# `depth_analysis.deepen` copies the trained plain-20 into a plain-56, and fills all layers that plain-20 does not have
# with your weights. The ReLU behind them changes nothing, since what comes in is not negative; the normalisations
# are set to pass on what they get.

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
# **Explain.** There is a plain-56 that is as good as plain-20. What is then at fault where a trained plain-56 is
# worse: that it cannot represent the solution, or something else? And what would a block of a *residual* network
# have to learn in order to do nothing?

# %% [markdown] tags=["answer"]
# The network exists, so the capacity is there; training, that is SGD from these first weights in this many steps,
# does not find it. The layers of a plain network must learn to be the identity, one exact pattern of ones and
# zeros in every layer; a residual block does nothing where its branch gives zero, for which one γ of zero is
# enough.

# %% [markdown]
# ## Zero: a residual network that starts shallow
#
# Each residual block computes $\mathrm{ReLU}(F(x) + x)$, and the last layer of $F$ is a normalisation, which
# multiplies by a learned γ. With `zero_last_gamma=True` every such γ starts at 0 (Goyal et al. 2017).
#
# **Exercise 3.** ResNet-56 has 56 layers with weights: 55 convolutions (its option A shortcuts have none) and one
# linear layer. With every last γ at zero, how many of these 56 does its output depend on?

# %%
### BEGIN SOLUTION
layers_at_start = 1 + 1  # the stem's convolution and the linear layer
### END SOLUTION

# %%
predicted = check("layers_at_start", layers_at_start).or_else("some")

# %% [markdown]
# If only a few layers matter, then ResNet-56 and ResNet-20 start as the same function, as soon as these layers are
# the same in both. Below they are copied from one to the other; the normalisations use the batch's statistics, as
# in training.

# %%
print(f"predicted: at the start the logits depend on {predicted} of 56 layers")
images, labels = next(training_images.epoch(1))
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
# The usual suspect is a gradient that shrinks from layer to layer on its way back to the image, until the first
# layers learn nothing: **vanishing gradients**. He et al. argue that with batch normalisation this is not what
# happens.
#
# **Predict**: at the start of training, is the gradient at the first convolution of plain-56 smaller than at the
# last, about as large, or larger? And in ResNet-56?
#
# **Exercise 4.** Write `gradient_norms`: run one batch through the network, and return, for each of its
# convolutions in order, the Euclidean norm of the gradient of the mean cross-entropy by that convolution's
# weights, as a list of numbers. It must give the right answer when it is called again on other images. Take no
# step, and leave the network in the mode it is in. (`network.modules()` gives all layers in order, `isinstance`
# tells which are `nn.Conv2d`.)


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
def course_norms(network, images, labels):
    """The course's own norms, without the names of the layers."""
    return list(depth_analysis.gradient_norms(network, images, labels).values())


norms_of = check("gradient_norms", gradient_norms).or_else(course_norms)

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
# the right, on a logarithmic scale. That of plain-56 falls steeply from left to right, by about three powers of
# ten; those of the other three change far less.*
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
# zero γ nearly all convolutions get no gradient at all. How can they ever learn?

# %% [markdown] tags=["answer"]
# (1) On the contrary: they grow on their way back, from layer to layer by a nearly constant factor. Stacks of
# normalised layers are known for this at random weights (Yang et al. 2019, arXiv:1902.08129). A rate that suits
# the last layers throws the first ones about, and one that suits the first ones hardly moves the last. With
# shortcuts much of the gradient goes back past the layers, and all layers get gradients of similar size. (2) γ
# itself does get a gradient: it is what the branch computes, normalised, multiplied with the gradient that
# arrives, and neither is zero. After the first step γ is no longer zero, and from then on the branch's
# convolutions get gradients, too. (The one convolution that has a gradient at the start is the stem's: with the
# linear layer, it is one of the two of exercise 3.)

# %% [markdown]
# ## Forwards: which first weights keep the signal alive?
#
# Without normalisation the signal itself must survive. A unit adds up $n = k^2 c_\mathrm{in}$ products of weights
# $w$ and inputs $x$, all independent and $w$ with mean 0, so that
# $\mathrm{Var}[y_l] = n\,\mathrm{Var}[w]\,E[x_l^2]$. The inputs are what a ReLU left of the layer before: it
# zeroes the negative half of a symmetric distribution, so $E[x_l^2]$ is half of $\mathrm{Var}[y_{l-1}]$ (He et al.
# 2015, arXiv:1502.01852).
#
# **Exercise 5.** Write `he_std`: the standard deviation of the weights for which the variance stays the same from
# layer to layer. The function is called as `nn.Conv2d` is: channels in, channels out, side of the kernel.


# %%
def he_std(c_in, c_out, kernel):
    """Return the standard deviation that keeps the variance on its way forward."""
    ### BEGIN SOLUTION
    fan_in = kernel * kernel * c_in
    return math.sqrt(2 / fan_in)
    ### END SOLUTION


# %%
deviation = check("he_std", he_std).or_else(model_layers.he_std)

# %% [markdown]
# Twenty convolutions of 64 channels, with ReLUs and nothing else, and four kinds of first weights: a small
# constant deviation, the one that the VGG paper began with (variance 10⁻²), Glorot and Bengio's (variance
# $2 / (n_\mathrm{in} + n_\mathrm{out})$, made for layers without ReLU), and yours.

# %% tags=["nbval-ignore-output"]
schemes = {
    "N(0, 0.01²)": lambda c_in, c_out, kernel: 0.01,
    "VGG: N(0, 0.1²)": lambda c_in, c_out, kernel: 0.1,
    "Glorot": model_layers.glorot_std,
    "He": deviation,
}
variances = {}
for name, scheme in schemes.items():
    torch.manual_seed(0)
    stack = model_layers.plain_stack(20, 64, scheme)
    measured = list(
        depth_analysis.activation_variances(stack, images[:16]).values()
    )
    factor = (measured[-1] / measured[1]) ** (1 / (len(measured) - 2))
    print(f"{name}: {factor:.3f} times the variance from layer to layer")
    variances[name] = measured
assert 0.01 < variances["He"][-1] / variances["He"][0] < 100
assert variances["Glorot"][-1] < 1e-3 * variances["Glorot"][0]
assert variances["N(0, 0.01²)"][-1] < 1e-20
assert variances["VGG: N(0, 0.1²)"][-1] > 1e4
values_by_layer(variances, "variance before the ReLU")

# %% [markdown]
# *Variance of what each of twenty convolutions gives, on a logarithmic scale. With He's deviation it stays within
# about two powers of ten; Glorot's line falls steadily, that of N(0, 0.01²) much more steeply, and that of
# N(0, 0.1²) rises.*
#
# **Explain.** (1) Which factor per layer do you expect for each of the four, and how close are the measured ones?
# (2) Would the N(0, 0.1²) line rise as well with 16 channels? (3) Plain-56 is normalised after every convolution.
# Does its signal vanish on the way forward, if it is drawn from N(0, 0.01²)?

# %% [markdown] tags=["answer"]
# (1) The factor is $n\,\mathrm{Var}[w] / 2$ with $n = 9 \cdot 64 = 576$: 0.029 for N(0, 0.01²), 2.88 for
# N(0, 0.1²), 1/2 for Glorot, 1 for He. The measured ones are near, often a little lower: with finitely many
# channels the variance is itself random, and wanders. (2) No: $9 \cdot 16 \cdot 0.01 / 2 = 0.72$, it would fall.
# No constant deviation suits all widths. (3) No: each normalisation brings the variance back to 1, whatever the
# scale of the weights. So at its first weights the signal of a normalised plain network dies out neither forwards
# nor backwards. Degradation must have another cause. Gradients that differ a thousandfold between the first layer and
# the last are one suspect.

# %% [markdown]
# ## Which shortcut?
#
# Where a stage halves the map and doubles the channels, x and F(x) do not fit. Option A takes every second pixel
# and adds zeros for the missing channels; B projects with a 1×1 convolution there, and C projects around every
# block.

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

# %% [markdown]
# **Predict**: which option will have the lowest training error? In the `quick` profile networks of eight layers
# race; otherwise ResNet-20 does.

# %% tags=["nbval-ignore-output"]
racing = "resnet-8" if PROFILE == "quick" else "resnet-20"
options = [
    deepernets.train(
        recipe_for(f"{racing}{option}"), profile=PROFILE, out=OUT
    ).record
    for option in ("", "-b", "-c")
]
for run in options:
    error = 1 - run.epochs[-1]["train_accuracy"]
    print(f"{run.recipe.model}: training error {error:.1%} at the end")
assert all(run.epochs[-1]["train_accuracy"] > 0.4 for run in options)
shipped_options = recorded("resnet-20", "resnet-20-b", "resnet-20-c")
print("recorded:", describe_errors(shipped_options), sep="\n")
training_and_validation_error(
    {"this run": options, "recorded": shipped_options}
)

# %% [markdown]
# *Error by epoch of the three shortcut options, left in the run above, right in the records. Training error bold,
# validation error thin and dashed. The text above the figure gives the last training errors, and those of
# whichever options have been recorded.*
#
# On ImageNet the paper measured for 34 layers 25.03 % (A), 24.52 % (B) and 24.19 % (C), and chose B for its deeper
# networks.
#
# **Explain.** (1) What do the added zeros of option A mean for the channels they stand in: is anything residual
# learned there? (2) In the light of exercise 3, what does C give up? (3) How would you find out whether a
# difference of half a percent between two options is more than chance?

# %% [markdown] tags=["answer"]
# (1) In those channels x is zero, so y = ReLU(F(x)): an ordinary, not a residual, layer, for one block at each
# change of width. (2) The identity: with a projection around every block, no block passes on what it gets unless
# it learns to, and the gradient's way back leads through a normalised convolution everywhere. That C is
# nevertheless slightly better on ImageNet, the authors put down to its additional parameters. (3) Train each
# option with several seeds and compare the difference of the means with their spread, or compare the answers image
# by image, as in lab 5.
