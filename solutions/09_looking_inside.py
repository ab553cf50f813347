# %% [markdown]
# # Lab 9: Looking inside
#
# A network that is right nine times out of ten is still a table of numbers that nobody has read. In this lab you look
# at what it looks at: its first filters, its maps, the regions that speak for a class, how it arranges the classes,
# how far its confidence can be believed, and what lies between untrained and trained weights. It takes 60 to 90
# minutes.
#
# You should have trained a network in lab 3, and know what a gradient and a softmax are.
#
# How the exercises work: replace each `...` with your answer, run the cell, then run the check below it. A check
# says *right*, or *wrong* with a hint that fits the mistake. The lab runs to the end whether or not you have
# solved an exercise, because `or_else` puts the course's own function in the place of a missing one, under a new
# name: `heat_map` stays yours, `warmth` is what the lab goes on with.

# %%
import os
import tempfile

import torch
from torch.nn import functional as F

import deepernets
from deepernets import check
from deepernets.analysis import interpretability
from deepernets.data.images import first_per_class, stratified_split
from deepernets.plots.interpretability import (
    feature_maps,
    first_layer_filters,
    heat_maps,
    loss_along_line,
    projected_features,
    reliability_diagrams,
)

PROFILE = os.environ.get(
    "DEEPERNETS_PROFILE", "quick"
)  # quick: seconds; laptop: minutes; full: with a GPU

# %% [markdown]
# ## A network to look into
#
# The `quick` profile trains a small VGG on drawn planes, cars and birds, for a few seconds; otherwise it is VGG-16 on
# the photographs of CIFAR-3. Its untrained twin, with the very weights it started from, is kept to compare. Training
# takes a GPU where there is one; looking is done on the CPU, at 500 of the test images.

# %% tags=["nbval-ignore-output"]
if PROFILE == "quick":
    recipe = deepernets.get_recipe("quick/vgg").changed(epochs=4)
    LAYERS = ("block1.relu1", "block2.relu2", "block3.relu2")
else:
    recipe = deepernets.get_recipe("report-a/vgg-16/ours")
    LAYERS = ("block1.relu1", "block3.relu3", "block5.relu3")
out = tempfile.mkdtemp() if PROFILE == "quick" else "runs"
run = deepernets.train(recipe, profile=PROFILE, out=out)
untrained, model = run.initial_model(), run.model
dataset = run.data.dataset
_, test = stratified_split(dataset.test, 500 / len(dataset.test), seed=0)
as_trained = run.data.test.transform
images, labels = as_trained(test.pixels), test.labels  # normalised
with torch.no_grad():
    logits = torch.cat([model(part) for part in images.split(250)])
accuracy = (logits.argmax(dim=1) == labels).float().mean().item()
print(f"{len(images)} test images, {accuracy:.1%} right")
assert accuracy > 0.6

# %% [markdown]
# ## First filters, and maps
#
# The first convolution's kernels have three channels, so they can be drawn as small pictures. Kernels of 3×3 have
# little room to show anything; look for light against dark and for one colour against another.

# %% tags=["nbval-ignore-output"]
first = next(
    parameter for parameter in model.parameters() if parameter.dim() == 4
)
first_layer_filters(first.detach())

# %% [markdown]
# *The kernels of the first convolution, drawn as pictures of 3×3 coloured squares, each stretched to its own range.*
#
# Deeper kernels have too many channels for that. Instead, draw what they **make** of an image: their maps.

# %% tags=["nbval-ignore-output"]
shown = first_per_class(test, 1, len(dataset.classes))
by_layer = {
    layer: interpretability.feature_maps(model, images[shown[:1]], layer)[0]
    for layer in LAYERS
}
assert all(maps.min() >= 0 for maps in by_layer.values())
feature_maps(test.pixels[shown[0]], by_layer)

# %% [markdown]
# *One row for each of three layers, from early to late: the image, then eight of the layer's maps, dark where they are
# zero. Early maps look like the image in other colours; late ones are coarse, with a few bright spots.*
#
# **Explain.** Some maps are dark everywhere. Is that a fault? And why do the late maps have so few pixels?

# %% [markdown] tags=["answer"]
# A map shows where its kernel finds what it looks for, and behind a ReLU everything else is zero. Dark on one image
# means: not in this one; try another class. (Dark on *all* images would be a dead unit.) The late maps are small
# because each block ends in a pool that halves them; what they lose in place they win in kind: a unit there sees most
# of the image and answers to something in particular.

# %% [markdown]
# ## Where is it? Grad-CAM
#
# Which region speaks for the class? Take the maps $A^k$ of a late layer and the gradients of the class's *logit* with
# respect to them. The mean gradient of a map says how much the class gains when the map gets brighter; weight the maps
# with it, add them up, and keep what is positive (Selvaraju et al. 2017, equations 1 and 2):
#
# $$\alpha_k = \frac{1}{hw} \sum_{i,j} \frac{\partial y}{\partial A^k_{ij}}, \qquad
# L = \mathrm{ReLU}\Bigl(\sum_k \alpha_k A^k\Bigr).$$
#
# **Exercise 1.** Write `heat_map`. Both arguments are (C, h, w), for one image; return L, (h, w), a tensor or an
# array.


# %%
def heat_map(maps, gradients):
    """Return Grad-CAM's heat map of one image, (h, w)."""
    ### BEGIN SOLUTION
    weights = gradients.mean(dim=(1, 2), keepdim=True)  # (C, 1, 1)
    return (weights * maps).sum(dim=0).relu()
    ### END SOLUTION


# %%
def course_heat(maps, gradients):
    """The course's own, by an inner product over channels."""
    alpha = gradients.flatten(1).mean(dim=1)
    return torch.einsum("c,chw->hw", alpha, maps).clamp(min=0)


warmth = check("heat_map", heat_map).or_else(course_heat)

# %% [markdown]
# Two maps of 2×2 pixels, and what they come to when the first speaks for the class and the second against it:

# %%
maps = torch.tensor([[[3.0, 0.0], [0.0, 1.0]], [[0.0, 2.0], [0.0, 5.0]]])
slopes = torch.tensor([2.0, -1.0])[:, None, None].expand(2, 2, 2)
print(warmth(maps, slopes).tolist())

# %% tags=["nbval-ignore-output"]
shown = first_per_class(test, 2, len(dataset.classes))
said = logits[shown].argmax(dim=1)
pairs = zip(
    *interpretability.maps_and_gradients(
        model, images[shown], LAYERS[-1], said
    ),
    strict=True,
)
heat = torch.stack([torch.as_tensor(warmth(*pair)) for pair in pairs]).float()
reference = interpretability.grad_cam(model, images[shown], LAYERS[-1], said)
assert heat.max() > 0
assert torch.allclose(heat / heat.max(), reference / reference.max(), atol=1e-3)
names = [dataset.classes[number] for number in said]
heat_maps(test.pixels[shown], {"": heat}, [f"says {name}" for name in names])

# %% [markdown]
# *Six images in two rows, two per class. Above each stands what the network says; below, the same image with a heat map
# over it, bright yellow where the maps speak for that class and dark where they do not.*
#
# ## Cover it up: occlusion
#
# Grad-CAM asks the gradients. One can also ask the network itself: hide a part of the image, and see what becomes of
# the probability (Zeiler and Fergus 2014).
#
# **Exercise 2.** Write `hidden`: a *copy* of the image (C, H, W) with a square of zeros, the mean colour, in all
# channels; the square's upper left pixel is at `row`, `column`. Return a tensor, and leave the image unchanged.


# %%
def hidden(image, row, column, size):
    """Return a copy of the image with a square of zeros."""
    ### BEGIN SOLUTION
    copy = image.clone()
    copy[:, row : row + size, column : column + size] = 0
    return copy
    ### END SOLUTION


# %%
def course_hidden(image, row, column, size):
    """The course's own, with a mask: a square of ones, padded to the image's size."""
    _, height, width = image.shape
    around = (
        *(column, width - column - size),
        *(row, height - row - size),
    )
    return image * (1 - F.pad(torch.ones(size, size), around))


cover = check("hidden", hidden).or_else(course_hidden)

# %%
print(cover(torch.ones(1, 4, 5), 1, 2, 2)[0].int())

# %% tags=["nbval-ignore-output"]
SIZE = 8
chosen = int(shown[0])
places = range(0, images.shape[-1] - SIZE + 1, SIZE // 2)
with torch.no_grad():
    covered = torch.stack(
        [
            torch.as_tensor(cover(images[chosen], row, column, SIZE))
            for row in places
            for column in places
        ]
    ).float()
    probability = model(covered).softmax(dim=1)[:, labels[chosen]]
drop = 1 - probability.view(len(places), len(places))
reference = interpretability.occlusion(
    model, images[chosen], int(labels[chosen]), SIZE, SIZE // 2
)
assert torch.allclose(1 - drop, reference, atol=1e-4)
truth = dataset.classes[labels[chosen]]
watched = labels[[chosen]]
heat_maps(
    test.pixels[[chosen, chosen]],
    {
        "": [
            interpretability.grad_cam(
                model, images[[chosen]], LAYERS[-1], watched
            )[0],
            drop,
        ]
    },
    [f"Grad-CAM, {truth}", f"occlusion, {truth}"],
)

# %% [markdown]
# *The same image twice, below with heat maps: left Grad-CAM's, right bright where covering the image takes most of the
# right class's probability away.*
#
# **Explain.** The two maps need not agree. Give a case in which occlusion shows nothing although the region matters.

# %% [markdown] tags=["answer"]
# When the evidence is there twice: an aeroplane with two engines keeps its probability whichever of them is hidden. Or
# when the network is so sure that the softmax stays at 1 although the logit falls. Grad-CAM sees the slope, not the
# effect of a large change; occlusion sees the effect, but on a picture with a grey square in it, which no training
# image had.

# %% [markdown]
# ## Does it know when it is wrong? Calibration
#
# Of all answers given with 80 % confidence, 80 % should be right. Sort the answers into bins of equal width by their
# **confidence**, the largest softmax probability; in each bin compare the mean confidence with the share of right
# answers. The **expected calibration error** is the mean size of these gaps, each weighted by the number of answers in
# its bin (Guo et al. 2017, equation 3).
#
# **Exercise 3.** Write `calibration_error`. `confidence` is (N,), from 0 to 1; `right` is (N,) of booleans; the bin of
# a confidence $c$ is $\lfloor c \cdot \text{bins} \rfloor$, and the last one for $c = 1$. Mind the empty bins.


# %%
def calibration_error(confidence, right, bins):
    """Return the expected calibration error."""
    ### BEGIN SOLUTION
    place = (confidence * bins).long().clamp(max=bins - 1)
    total = 0.0
    for number in range(bins):
        here = place == number
        if here.any():
            gap = right[here].double().mean() - confidence[here].double().mean()
            total += gap.abs().item() * here.sum().item()
    return total / len(confidence)
    ### END SOLUTION


# %%
def course_error(confidence, right, bins):
    """The course's own."""
    return interpretability.calibration(confidence, right, bins).error


measure = check("calibration_error", calibration_error).or_else(course_error)

# %% tags=["nbval-ignore-output"]
confidence, predicted = logits.softmax(dim=1).max(dim=1)
right = predicted == labels
found = interpretability.calibration(confidence, right)
assert abs(measure(confidence, right, 10) - found.error) < 1e-6
print(
    f"mean confidence {confidence.mean():.1%}, accuracy {right.float().mean():.1%},"
    f" calibration error {found.error:.1%}"
)
reliability_diagrams({"this network": found})

# %% [markdown]
# *Accuracy against confidence, with a dashed diagonal where both agree; points below it are answers that the network
# was too sure of. The larger a point, the more answers fall into its bin.*
#
# **Explain.** Large networks trained to a small loss are often *over*confident: their points lie below the diagonal.
# How can the accuracy stay as it is while confidence goes wrong?

# %% [markdown] tags=["answer"]
# Accuracy asks only which logit is largest. Once an image is classified rightly, the loss can still be lowered by
# making all logits larger, which moves every probability towards 0 or 1, for right and wrong answers alike. So
# training goes on to buy confidence after it has stopped buying accuracy. Dividing all logits by one
# number found on the validation images (temperature scaling) undoes much of it and changes no prediction.

# %% [markdown]
# ## How are the classes arranged? Principal components
#
# Before the last linear layer every image is a list of numbers, its **features**. Two directions in that space can be
# drawn: those along which the features vary most. Take the mean off, then the singular value decomposition gives them.
#
# **Exercise 4.** Write `projected`: centre the features (N, D), and return their coordinates (N, k) along the first
# `k` directions. `torch.linalg.svd(x, full_matrices=False)` returns U, S and V, transposed: one direction per *row*.
# Signs do not matter. Return a tensor or an array.


# %%
def projected(features, k):
    """Return the features' coordinates along their first k principal directions."""
    ### BEGIN SOLUTION
    centred = features - features.mean(dim=0)
    directions = torch.linalg.svd(centred, full_matrices=False)[2]
    return centred @ directions[:k].T
    ### END SOLUTION


# %%
flatten = check("projected", projected).or_else(
    interpretability.principal_components
)

# %% tags=["nbval-ignore-output"]
with torch.no_grad():
    features = model[:-1](images).flatten(1)  # (N, D)
points = torch.as_tensor(flatten(features, 2))
spread = points.var(dim=0).sum() / features.var(dim=0).sum()
print(
    f"{features.shape[1]} numbers per image; two directions hold {spread:.0%} of their variance"
)
assert 0 < spread <= 1.0001
projected_features({"two directions": points}, labels, dataset.classes)

# %% [markdown]
# *A point for each test image on the two directions of largest variance, with a colour and a marker for each class: the
# classes form clouds that part in places and overlap in others.*
#
# ## Between untrained and trained
#
# Walk in a straight line from the weights before training to those after it, and on beyond. What does the loss do on
# the way (Goodfellow et al. 2015)?
#
# **Predict**: will it fall all the way, or climb over a ridge first?
#
# **Exercise 5.** Write `between_weights`. `start` and `end` are dictionaries of tensors with the same names; return a
# new dictionary with $(1 - t) \cdot \text{start} + t \cdot \text{end}$ for each, where $t$ is the share of the way,
# which may lie below 0 or above 1. Keep the type of the weights (float32), and leave both dictionaries unchanged.
# Batch normalisation's counters are among them, tensors of whole numbers: what becomes of these does not matter.


# %%
def between_weights(start, end, share):
    """Return the weights on the line from start to end."""
    ### BEGIN SOLUTION
    return {
        name: (1 - share) * start[name] + share * end[name] for name in start
    }
    ### END SOLUTION


# %%
def course_between(start, end, share):
    """The course's own, which leaves counters alone."""
    return interpretability.interpolate_weights(start, end, share)


mix = check("between_weights", between_weights).or_else(course_between)

# %%
here, there = {"w": torch.tensor([0.0, 4.0])}, {"w": torch.tensor([1.0, 0.0])}
for share in (0, 0.25, 1, 1.5):
    print(f"{share:4}: {mix(here, there, share)['w'].tolist()}")

# %% tags=["nbval-ignore-output"]
SHARES = [0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2]
start, end = untrained.state_dict(), model.state_dict()
looked_at = [(images[:300], labels[:300])]
losses = [
    interpretability.loss_with_weights(model, mix(start, end, share), looked_at)
    for share in SHARES
]
with torch.no_grad():
    at_the_end = F.cross_entropy(logits[:300], labels[:300]).item()
assert abs(losses[6] - at_the_end) < 1e-3
assert losses[6] < losses[0], "training should have lowered the loss"
loss_along_line(SHARES, {"300 test images": losses})

# %% [markdown]
# *The loss on test images along the straight line from the untrained weights, marked at 0, to the trained ones, marked
# at 1, and a little beyond both.*
#
# **Explain.** Suppose the line shows a single valley without a ridge. Does that mean that training went along this
# line? And what is it about batch normalisation that makes such pictures hard to read?

# %% [markdown] tags=["answer"]
# No. Training moves in thousands of directions, and its path bends; the picture is a cut through a space of as many
# dimensions as there are weights, along one line that no step ever took. That it falls smoothly says only that no ridge
# stands between the two ends *on this line*. Behind a batch normalisation the size of a kernel does not matter, only
# its direction, so equal steps along the line are not equal changes of the network; and the running statistics half way
# between two networks are those of neither.

# %% [markdown]
# ## Compare: VGG-16 on the photographs
#
# The course ships a record of VGG-16 on CIFAR-3. It holds the mistakes that the network was surest of. Look at their
# confidences, then at its calibration in your own run with `PROFILE = "laptop"`.

# %%
published = deepernets.load_records("report-a/vgg-16/as-reported")[0]
print(
    f"{published.data['name']} ({published.data['variant']}), {len(published.epochs)} epochs,"
)
print(
    f"seed {published.seed}, {published.precision}: test accuracy {published.test['accuracy']:.1%}"
)
for mistake in published.test["mistakes"][:5]:
    said, true = (
        published.data["classes"][mistake[key]]
        for key in ("predicted", "label")
    )
    print(
        f"  image {mistake['index']:4}: said {said}, {mistake['confidence']:.1%} sure; it is {true}"
    )

# %% [markdown]
# **Explain.** Mistakes made with more than 99 % confidence: are these all the network's fault? Which tools of this lab
# would you use on one of them, and what would you look for?

# %% [markdown] tags=["answer"]
# Not all: some labels are wrong, some pictures show a bird the size of three pixels, and rescaled photographs lose what
# would decide. Grad-CAM and occlusion show whether the network looked at the object or at the sky around it; the
# features show whether the image lies in the middle of the wrong cloud or between two; and the picture itself, at its
# true size, whether a person could tell.
