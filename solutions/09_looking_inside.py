# %% [markdown]
# # Lab 9: Looking inside
#
# The weights of a trained network do not tell a reader what it has learned. In this lab you look at what a network
# responds to: its first filters, its feature maps, the regions that support a class, how far its confidence can be
# trusted, and how it arranges the classes. Then you teach it new classes with a few images. It takes 75 to 90
# minutes.
#
# **You need** lab 3: training, gradients and the softmax. The chapter
# [Looking inside](book:looking-inside) explains the methods. **You get** Grad-CAM, the calibration error, principal
# components, and fine-tuning of a trained network.
#
# How the exercises work: replace each `...` with your answer, run the cell, then run the check below it. The lab runs
# to the end whether or not you have solved an exercise.

# %%
import os

import torch
from torch.nn import functional as F

import deepernets
from deepernets import check
from deepernets.analysis import interpretability
from deepernets.data.images import first_per_class
from deepernets.plots.interpretability import (
    feature_maps,
    first_layer_filters,
    heat_maps,
    projected_features,
    reliability_diagrams,
)

PROFILE = os.environ.get(
    "DEEPERNETS_PROFILE", "quick"
)  # quick: drawn images; laptop, full: photographs

# %% [markdown]
# ## A network to look into
#
# The course ships a ResNet-20 that was trained on the photographs of CIFAR-10, so nothing has to be trained here. In
# the `quick` profile it looks at drawn airplanes, automobiles and birds, which it has never seen. Otherwise it looks at
# test images of CIFAR-10. It always chooses from the ten classes of CIFAR-10. The images are normalised with the mean
# and the standard deviation of the photographs that it was trained on.

# %% tags=["nbval-ignore-output"]
pretrained = deepernets.load_pretrained("report-b/resnet-20-cifar10/ours")
CLASSES = pretrained.record.data["classes"]
mean, std = (
    torch.tensor(pretrained.record.data[key])[:, None, None]
    for key in ("mean", "std")
)
LAYERS = ("stem.relu", "stage1.block3.relu", "stage3.block1.relu")


def build(classes=10, weights=None):
    """Return a ResNet-20 with these weights, or with initial ones."""
    torch.manual_seed(0)
    network = deepernets.build_model(
        "resnet-20", in_shape=(3, 32, 32), classes=classes
    )
    if weights is not None:
        network.load_state_dict(weights)
    return network.eval()


model = build(weights=pretrained.model.state_dict())
name, kinds, per_class = ("sketches", 3, 30)
if PROFILE != "quick":
    name, kinds, per_class = ("cifar10", 10, 50)
dataset = deepernets.load_dataset(name, profile=PROFILE)
test = dataset.test.select(first_per_class(dataset.test, per_class, kinds))
images, labels = (test.pixels / 255 - mean) / std, test.labels
with torch.no_grad():
    logits = torch.cat([model(part) for part in images.split(250)])
accuracy = (logits.argmax(dim=1) == labels).float().mean().item()
print(f"{len(images)} images of {dataset.name}, {accuracy:.1%} right")
assert accuracy > 0.6

# %% [markdown]
# ## First filters, and feature maps
#
# The kernels of the first convolution have three channels, so they can be drawn as small images. Kernels of 3×3 have
# little room for structure. Look for light next to dark and for one colour next to another.

# %% tags=["nbval-ignore-output"]
first = next(
    parameter for parameter in model.parameters() if parameter.dim() == 4
)
first_layer_filters(first.detach())

# %% [markdown]
# *The kernels of the first convolution as 3×3 coloured squares, each stretched to its own range.*
#
# Kernels of later layers have too many channels for that. Instead, draw their output for an image: the feature maps.

# %% tags=["nbval-ignore-output"]
shown = first_per_class(test, 1, kinds)
by_layer = {
    layer: interpretability.feature_maps(model, images[shown[:1]], layer)[0]
    for layer in LAYERS
}
assert all(maps.min() >= 0 for maps in by_layer.values())
feature_maps(test.pixels[shown[0]], by_layer)

# %% [markdown]
# *One row for each of three layers, from early to late: the image, then eight feature maps of the layer, dark where
# they are zero. Early maps look like the image in other colours. Late ones are coarse, with a few bright spots.*
#
# **Explain.** Some feature maps are dark everywhere. Is that a fault? And why do the late maps have so few pixels?

# %% [markdown] tags=["answer"]
# A feature map shows where its kernel finds its pattern, and after a ReLU everything else is zero. Dark on one image
# means: not in this one, so try another class. Dark on *all* images would be a dead unit. The late maps are small
# because the second and the third stage begin with a stride of 2. In return there are more of them, and a unit there
# sees a large part of the image and responds to something in particular.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * says what a zero after a ReLU means for this image;
# * distinguishes zero on one image from zero on all images;
# * names the layers that reduce the resolution, and what increases in return.
#
# </details>

# %% [markdown]
# ## Where is it? Grad-CAM
#
# Which region supports a class? Take the feature maps $A^k$ of a late layer and the gradients of the *logit* $y$ of the
# class with respect to them. The mean gradient of a map says how much the logit increases when the map gets brighter.
# Use it as the weight of the map, add up the weighted maps, and keep what is positive (Selvaraju et al. 2017, equations
# 1 and 2):
#
# $$\alpha_k = \frac{1}{hw} \sum_{i,j} \frac{\partial y}{\partial A^k_{ij}}, \qquad
# L = \mathrm{ReLU}\Bigl(\sum_k \alpha_k A^k\Bigr).$$
#
# **Exercise 1.** Write `heat_map`. `maps` and `gradients` are tensors (C, h, w), for one image. Return L, of shape
# (h, w), as a tensor or a NumPy array, with the scale that the equations give: do not divide by its largest value. Do
# not change the arguments.


# %%
def heat_map(maps, gradients):
    """Return Grad-CAM's heat map of one image, (h, w)."""
    ### BEGIN SOLUTION
    weights = gradients.mean(dim=(1, 2), keepdim=True)  # (C, 1, 1)
    return (weights * maps).sum(dim=0).relu()
    ### END SOLUTION


# %%
warmth = check("heat_map", heat_map).or_reference()

# %% tags=["nbval-ignore-output"]
shown = first_per_class(test, 2, kinds)[:6]
said = logits[shown].argmax(dim=1)
pairs = zip(
    *interpretability.maps_and_gradients(
        model, images[shown], LAYERS[-1], said
    ),
    strict=True,
)
heat = torch.stack([torch.as_tensor(warmth(*pair)) for pair in pairs]).float()
expected = interpretability.grad_cam(model, images[shown], LAYERS[-1], said)
assert heat.max() > 0
assert torch.allclose(heat / heat.max(), expected / expected.max(), atol=1e-3)
names = [CLASSES[number] for number in said]
heat_maps(test.pixels[shown], {"": heat}, [f"says {name}" for name in names])

# %% [markdown]
# *Six images in two rows, two per class, with the prediction of the network above each. Below, the same images with a
# heat map: bright yellow where the feature maps support the predicted class, and dark where they do not.*
#
# ## Cover it up: occlusion
#
# Grad-CAM uses gradients. Another way is to hide a part of the image, and see how the probability of the right class
# changes (Zeiler and Fergus 2014).
#
# **Exercise 2.** Write `hidden`. It returns a *copy* of the tensor `image` (C, H, W) in which a square of `size`×`size`
# pixels is 0, the mean colour of normalised images, in all channels. The upper left pixel of the square is at `row`,
# `column`, counted from 0, and the square is always inside the image. Return a tensor, and do not change `image`.


# %%
def hidden(image, row, column, size):
    """Return a copy of the image with a square of zeros."""
    ### BEGIN SOLUTION
    copy = image.clone()
    copy[:, row : row + size, column : column + size] = 0
    return copy
    ### END SOLUTION


# %%
cover = check("hidden", hidden).or_reference()

# %% tags=["nbval-ignore-output"]
SIZE = 8
chosen = int(shown[0])
places = range(0, images.shape[-1] - SIZE + 1, SIZE // 2)
covered = torch.stack(
    [
        torch.as_tensor(cover(images[chosen], row, column, SIZE))
        for row in places
        for column in places
    ]
).float()
with torch.no_grad():
    probability = model(covered).softmax(dim=1)[:, labels[chosen]]
drop = 1 - probability.view(len(places), len(places))
truth = CLASSES[labels[chosen]]
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
# *The same image twice. Below it are the heat maps: Grad-CAM on the left. On the right, bright places are those where
# covering the image takes away most of the probability of the right class.*
#
# **Explain.** The two maps need not agree. Give a case in which occlusion shows nothing although the region matters.

# %% [markdown] tags=["answer"]
# If there is evidence in two places: an airplane with two engines keeps its probability whichever of them is hidden. Or
# if the network is so certain that the softmax stays at 1 although the logit falls. Grad-CAM measures the slope and not
# the effect of a large change. Occlusion measures the effect, but on an image with a grey square in it, which no
# training image had.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * describes a concrete image, and what is hidden in it;
# * says why the probability stays, in terms of remaining evidence or of the softmax;
# * says what each of the two methods measures.
#
# </details>

# %% [markdown]
# ## Does it know when it is wrong? Calibration
#
# Of all answers with 80 % confidence, 80 % should be right. Sort the answers into bins of equal width by their
# **confidence**, the largest softmax probability. In each bin compare the mean confidence with the share of right
# answers. The **expected calibration error** is the mean size of these gaps, each weighted by the number of answers in
# its bin (Guo et al. 2017, equation 3).
#
# **Predict**: the network was trained on photographs and looks at drawings. Will it be too confident, or not confident
# enough?
#
# **Exercise 3.** Write `calibration_error`. `confidence` is a tensor (N,) of numbers from 0 to 1, and `right` a
# tensor (N,) of booleans. The bin of a confidence $c$ is $\lfloor c \cdot \text{bins} \rfloor$, counted from 0, so a
# confidence at an edge belongs to the upper bin. For $c = 1$ this would be one bin too many, so it belongs to the
# last one. Leave empty bins out. Return the error as a number from 0 to 1, not rounded. Compute in double precision,
# or at least to five digits.


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
measure = check("calibration_error", calibration_error).or_reference()

# %% tags=["nbval-ignore-output"]
confidence, predicted = logits.softmax(dim=1).max(dim=1)
right = predicted == labels
found = interpretability.calibration(confidence, right)
assert abs(measure(confidence, right, 10) - found.error) < 1e-5
print(
    f"mean confidence {confidence.mean():.1%}, accuracy {right.float().mean():.1%},"
    f" calibration error {found.error:.1%}"
)
reliability_diagrams({"this network": found})

# %% [markdown]
# *Accuracy against confidence, with a dashed diagonal where both agree. Points below it are answers in which the
# network was too confident. The larger a point, the more answers are in its bin.*
#
# **Explain.** Large networks trained to a small loss are often *over*confident: their points are below the diagonal.
# How can the accuracy stay the same while the confidence becomes wrong? And why do drawings make it worse?

# %% [markdown] tags=["answer"]
# Accuracy depends only on which logit is largest. Once the training images are classified correctly, their loss can
# still be lowered by making all logits larger, which moves every probability towards 0 or 1, for right and wrong
# answers alike. So training continues to increase confidence after the accuracy has stopped rising. Dividing all
# logits by one number found on validation images (temperature scaling) corrects much of it and changes no prediction.
# The logits were fitted to photographs. Nothing in training lowers them on images of another kind, so confidence
# stays high where the accuracy falls.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * says which property of the logits the accuracy depends on;
# * says how the loss can fall without a change of any prediction;
# * says why confidence on another kind of image is not limited by training.
#
# </details>

# %% [markdown]
# ## How are the classes arranged? Principal components
#
# Before the last linear layer every image is a list of numbers, its **features**. Two directions in that space can be
# drawn: those along which the features vary most. Subtract the mean, and the singular value decomposition gives them.
#
# **Exercise 4.** Write `projected`. It centres the features, a tensor (N, D), by subtracting the mean of each feature
# over the images, and returns the coordinates (N, k) of the centred features along the first `k` directions, that of
# the largest variance first. `torch.linalg.svd(x, full_matrices=False)` returns U, S and V, transposed: one direction
# per *row*. Signs do not matter. Return a tensor or a NumPy array.


# %%
def projected(features, k):
    """Return the features' coordinates along their first k principal directions."""
    ### BEGIN SOLUTION
    centred = features - features.mean(dim=0)
    directions = torch.linalg.svd(centred, full_matrices=False)[2]
    return centred @ directions[:k].T
    ### END SOLUTION


# %%
flatten = check("projected", projected).or_reference()

# %% tags=["nbval-ignore-output"]
with torch.no_grad():
    features = model[:-1](images).mean(dim=(2, 3))  # (N, 64)
coordinates = torch.as_tensor(flatten(features, 2))
spread = coordinates.var(dim=0).sum() / features.var(dim=0).sum()
print(
    f"{features.shape[1]} numbers per image; two directions have {spread:.0%} of their variance"
)
assert 0 < spread <= 1.0001
projected_features({"two directions": coordinates}, labels, CLASSES[:kinds])

# %% [markdown]
# *A point for each image on the two directions of largest variance, with a colour and a marker for each class. The
# classes form clouds that are separate in places and overlap in others.*
#
# ## New classes for a trained network
#
# **Fine-tuning** starts from the weights of a network that was trained for another task. The simplest form keeps all
# layers but the last as they are: the body is **frozen**, and a new linear layer learns the new classes from its
# features. Here the new classes are the three of the sketches, and there are 20 training images of each.
#
# **Exercise 5.** Write `for_new_classes`. It changes the network in place: `network.head.fc`, a `torch.nn.Linear`,
# is replaced by a new one with as many inputs and `classes` outputs. All other parameters are frozen, which means that
# their `requires_grad` is False, and those of the new layer require a gradient. No other weight changes. Return a
# list of the parameters that are to be trained, in any order: the optimizer will get these.


# %%
def for_new_classes(network, classes):
    """Give a network a new last layer; return the parameters to be trained."""
    ### BEGIN SOLUTION
    network.requires_grad_(False)
    inputs = network.head.fc.in_features
    network.head.fc = torch.nn.Linear(inputs, classes)
    return list(network.head.fc.parameters())
    ### END SOLUTION


# %%
prepare = check("for_new_classes", for_new_classes).or_reference()

# %% [markdown]
# A frozen parameter gets no gradient, so no optimizer changes it. But a batch normalisation also has running
# statistics, which are no parameters: in training mode it updates them with every batch, and normalises with the
# statistics of the batch. The body would change although it is frozen.
#
# **Exercise 6.** Write `train_head`. It trains for one pass over `batches`, which gives pairs of images and labels and
# can be read only **once**. For every batch it takes one step of the optimizer on the mean cross-entropy. The network
# may be in training mode when the function is called. During the pass the body must be in evaluation mode (the head has
# no layer that depends on the mode), and its running statistics must not change. Return the list of the losses, one
# number per batch, each *before* its step.


# %%
def train_head(network, batches, optimizer):
    """Train the last layer for one pass; return the loss of each batch."""
    ### BEGIN SOLUTION
    network.eval()
    per_batch = []
    for images, labels in batches:
        loss = F.cross_entropy(network(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        per_batch.append(loss.item())
    return per_batch
    ### END SOLUTION


# %%
train = check("train_head", train_head).or_reference()

# %% [markdown]
# **Predict**: which accuracy does the new layer reach after three passes over the 60 images, and which with a body
# that has its initial weights? (The running statistics of the initial body are measured on the 60 images first. With
# their initial values, 0 and 1, nothing is normalised, and the features are so large that the new layer diverges.)

# %% tags=["nbval-ignore-output"]
sketches = deepernets.load_dataset("sketches")
few = sketches.train.select(first_per_class(sketches.train, 20, 3))
unseen = sketches.test.select(first_per_class(sketches.test, 30, 3))
few_images = (few.pixels / 255 - mean) / std
unseen_images = (unseen.pixels / 255 - mean) / std


def fine_tune(weights):
    """Train a new head on a frozen body; return the accuracy on new images."""
    network = build(weights=weights)
    if weights is None:  # its running statistics are 0 and 1: measure them
        for layer in network.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.momentum = None  # the mean over all batches, here one
        with torch.no_grad():
            network.train()(few_images)
    optimizer = torch.optim.SGD(prepare(network, 3), lr=0.05, momentum=0.9)
    for _ in range(3):
        order = torch.randperm(len(few_images)).split(15)
        train(
            network,
            ((few_images[part], few.labels[part]) for part in order),
            optimizer,
        )
    with torch.no_grad():
        predicted = network.eval()(unseen_images).argmax(dim=1)
    return (predicted == unseen.labels).float().mean().item()


from_trained = fine_tune(pretrained.model.state_dict())
from_initial = fine_tune(None)
print(f"trained body: {from_trained:.0%} of new sketches right")
print(f"initial weights: {from_initial:.0%} right")
assert from_trained > 0.55
assert from_trained > from_initial

# %% [markdown]
# **Explain.** (1) Both networks train the same number of parameters on the same images. Why is the result so different?
# (2) What would happen to the accuracy on *photographs* if the body were in training mode while the head is trained?
# (3) When would you train the body as well, and with which learning rate?

# %% [markdown] tags=["answer"]
# (1) The head is a linear classifier on 64 features. Those of the trained body separate objects of these kinds, since
# it learned to tell airplanes, automobiles and birds apart on photographs. Those of random weights separate them less
# well, and three passes over 60 images do not make up for that. (2) The running statistics would move towards those
# of the sketches. The weights of the body were trained with the statistics of photographs, so its features of
# photographs would change in evaluation mode, and with them the accuracy of any head that was trained for them. (3)
# If there are enough images, or if they differ much from those of the first task. Train the new layer first, so that
# its random weights do not send large gradients through the body, and then everything with a learning rate that is
# smaller by about a factor of ten.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * says what the head receives from each of the two bodies;
# * says which numbers of the body change in training mode, and when they are used;
# * names a condition under which the body should be trained;
# * gives a reason for a smaller learning rate.
#
# </details>

# %% [markdown]
# ## Confident mistakes
#
# The record of VGG-16 on CIFAR-3 has the most confident mistakes of that network.

# %%
published = deepernets.load_records("report-a/vgg-16/as-reported")[0]
print(
    f"{published.data['name']} ({published.data['variant']}), {len(published.epochs)} epochs,"
)
print(
    f"seed {published.seed}, {published.precision}: test accuracy {published.test['accuracy']:.1%}"
)
for mistake in published.test["mistakes"][:5]:
    answer, true = (
        published.data["classes"][mistake[key]]
        for key in ("predicted", "label")
    )
    print(
        f"  image {mistake['index']:4}: predicted {answer}, confidence"
        f" {mistake['confidence']:.1%}; it is {true}"
    )

# %% [markdown]
# **Explain.** Mistakes with more than 99 % confidence: is the network to blame for all of them? Which tools of this lab
# would you use on one of them, and what would you look for?

# %% [markdown] tags=["answer"]
# Not for all: some labels are wrong, some images show a bird that is a few pixels wide, and photographs scaled down
# to 32×32 pixels lose details that decide. Grad-CAM and occlusion show whether the network used the object or the sky
# around it. The features show whether the image is in the middle of the wrong cloud or between two. And the image
# itself, enlarged, shows whether a person could tell.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * names a cause that is in the data;
# * chooses at least two tools, and says for each which result would mean what.
#
# </details>
