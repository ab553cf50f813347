# %% [markdown]
# # Lab 11: Why does it not train?
#
# Finding out why a network does not learn can take more time than training it. A network with a fault rarely stops
# with an error. It trains, only worse, and nothing says so. In this lab you write small tools that each reveal one
# kind of fault, and find with them what is wrong with six trainings. It takes 60 to 90 minutes.
#
# **You need** lab 3: the training step and the loss at the start. The chapter
# [The recipe](book:recipe) explains the settings of a training. **You get** five tools that work for any PyTorch
# network, and a checklist.
#
# How the exercises work: replace each `...` with your answer, run the cell, then run the check below it. The lab runs
# to the end whether or not you have solved an exercise.

# %%
import torch
from torch.nn import functional as F

import deepernets
from deepernets import check
from deepernets.course.exercises.lab11 import (
    FAULTS,
    training_case,
    training_cases,
)
from deepernets.data.images import channel_statistics

# %% [markdown]
# ## One batch
#
# Here are 24 of the embedded sketches (airplanes, automobiles and birds), scaled down to 16×16 pixels and normalised,
# and a small network with two convolutions and two linear layers. `training_case()` returns it with all that trains
# it: `case.network`, `case.optimizer` (SGD with momentum), and `case.step(network, images, labels, optimizer)`, which
# takes one step and returns the loss before that step.

# %%
dataset = deepernets.load_dataset("sketches")
some = dataset.train.pixels[:24]
mean, std = channel_statistics(dataset.train)
images = (some / 255 - mean[:, None, None]) / std[:, None, None]
images = F.interpolate(images, size=16)  # (24, 3, 16, 16)
labels = dataset.train.labels[:24]
print(training_case().network)

# %% [markdown]
# ## Overfit one batch
#
# The most useful test is also the cheapest: train on **one batch**, again and again. A network with thousands of
# parameters must be able to memorise 24 images. Switch off dropout, augmentation and label smoothing for this test.
# If the loss then does not go to 0, something is wrong: a fault in the code, or a setting such as the learning rate.
# More data will not help.
#
# **Predict**: at which loss does training on three classes start? You predicted it in lab 3.
#
# **Exercise 1.** Write `overfit_one_batch`. It takes `steps` steps on the same batch, each with `case.step`, and
# returns the list of the losses, one per step: each is the loss *before* its step, as `case.step` returns it.


# %%
def overfit_one_batch(case, images, labels, steps):
    """Train on one batch again and again; return the loss before each step."""
    ### BEGIN SOLUTION
    losses = []
    for _ in range(steps):
        loss = case.step(case.network, images, labels, case.optimizer)
        losses.append(loss)
    return losses
    ### END SOLUTION


# %%
overfit = check("overfit_one_batch", overfit_one_batch).or_reference()

# %% [markdown]
# Now the six trainings, A to F. The network and the data are those from above, and each training has **one** fault.
# Below are the losses of a training without a fault, then those of the six.

# %% tags=["nbval-ignore-output"]
STEPS = (0, 10, 20, 40, 79)


def show_losses(name, case):
    """Print some of the losses of 80 steps on one batch."""
    losses = list(overfit(case, images, labels, 80))
    print(name, *(f"{losses[step]:9.3g}" for step in STEPS))
    return losses


print("step   ", *(f"{step:9}" for step in STEPS))
without_fault = show_losses("no fault", training_case())
assert without_fault[-1] < 0.1
for letter, case in training_cases().items():
    show_losses(f"{letter}       ", case)

# %% [markdown]
# **Explain.** Which of the six does this test find? For the others, what is the loss at the end, and why is that
# dangerous?

# %% [markdown] tags=["answer"]
# Two of them stand out: one stops far above 0, and the loss of the other one rises again. The losses of the other
# four end below 0.1: they memorise the batch, some of them almost as fast as the network without a fault. In such a
# training nothing looks wrong. It would run on all images without an error, and if its accuracy were disappointing,
# somebody would start to tune the learning rate. A test that passes does not prove that there is no fault, so you
# need tests that look for particular ones.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# - names the two trainings whose loss does not go to 0;
# - says what the loss of the other four is at the end;
# - says what a loss near 0 does not prove, and what somebody would do next who believed that it does.
#
# </details>

# %% [markdown]
# ## What does the loss reach?
#
# A parameter learns only if the loss depends on it. After `loss.backward()`, a parameter that the loss does not reach
# has no gradient (`parameter.grad is None`), or a gradient of zeros.
#
# **Exercise 2.** Write `without_gradient`. It computes the gradient of the mean cross-entropy of a batch and returns
# the list of the *names* of those parameters whose gradient is None or zero in every entry. It may be called several
# times, with other images. It takes no step. The order of the names does not matter.


# %%
def without_gradient(network, images, labels):
    """Return the names of the parameters that the loss does not reach."""
    ### BEGIN SOLUTION
    network.zero_grad()
    F.cross_entropy(network(images), labels).backward()
    return [
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]
    ### END SOLUTION


# %%
gradient_check = check("without_gradient", without_gradient)

# %% [markdown]
# ## What does the optimizer change?
#
# An optimizer changes the parameters that it was given when it was made, and no others. If a layer is replaced
# afterwards, as in fine-tuning, the new layer's parameters have gradients and never change.
#
# **Exercise 3.** Write `not_in_optimizer`. It returns the list of the names of the parameters that the optimizer does
# not have, whether or not they require a gradient. It does not change the optimizer. The optimizer's parameters are in
# `group["params"]` for every `group` of `optimizer.param_groups`.
#
# A warning: `parameter in list` compares tensors with `==`, entry by entry. Two parameters are the same if they are
# the same *object*: `one is other`, or `id(one) == id(other)`.


# %%
def not_in_optimizer(network, optimizer):
    """Return the names of the parameters that the optimizer does not change."""
    ### BEGIN SOLUTION
    known = {
        id(parameter)
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    return [
        name
        for name, parameter in network.named_parameters()
        if id(parameter) not in known
    ]
    ### END SOLUTION


# %%
optimizer_check = check("not_in_optimizer", not_in_optimizer)

# %% [markdown]
# ## Are images mixed?
#
# The logits of one image must not depend on which other images are in the batch (batch normalisation in training mode
# is an exception). A wrong `reshape`, `transpose` or `view` mixes them, and no error is raised as long as the number
# of entries is right.
#
# **Exercise 4.** Write `mixes_images`. It returns True if the logits of the **first** image depend on any other image
# of the batch, and False if not. Do not change `images`: work on a copy.


# %%
def mixes_images(network, images):
    """Return whether the logits of the first image depend on the others."""
    ### BEGIN SOLUTION
    changed = images.clone()
    changed[1:] = 0
    first, second = network(images)[0], network(changed)[0]
    return not torch.allclose(first, second, atol=1e-5)
    ### END SOLUTION


# %%
mixing_check = check("mixes_images", mixes_images)

# %% [markdown]
# ## Are filters equal?
#
# Weights start at random for a reason. If all filters of a layer are equal, they give equal feature maps. If the next
# layer treats these maps alike, they also get equal gradients and stay equal for ever: the layer has as many channels
# as before, and computes one.
#
# **Exercise 5.** Write `equal_filters`. It returns the list of the names of the `torch.nn.Conv2d` layers in which
# **all** filters are equal. A weight has the shape (channels out, channels in, height, width), and a filter is
# `weight[i]`.


# %%
def equal_filters(network):
    """Return the names of the convolutions whose filters are all equal."""
    ### BEGIN SOLUTION
    return [
        name
        for name, layer in network.named_modules()
        if isinstance(layer, torch.nn.Conv2d)
        and bool((layer.weight == layer.weight[:1]).all())
    ]
    ### END SOLUTION


# %%
filter_check = check("equal_filters", equal_filters)

# %% [markdown]
# ## Examine the six
#
# The table below runs those of **your** tools that are right on each of the six trainings, as they are before their
# first step.

# %%
tools = {
    verdict.name: verdict.answer
    for verdict in (gradient_check, optimizer_check, mixing_check, filter_check)
    if verdict.status == "right"
}
for letter, case in training_cases().items():
    network = case.network
    if "without_gradient" in tools:
        found = tools["without_gradient"](network, images, labels)
        print(f"{letter} without gradient: {sorted(found)}")
    if "not_in_optimizer" in tools:
        found = tools["not_in_optimizer"](network, case.optimizer)
        print(f"{letter} not in the optimizer: {sorted(found)}")
    if "mixes_images" in tools:
        print(
            f"{letter} mixes images: {bool(tools['mixes_images'](network, images))}"
        )
    if "equal_filters" in tools:
        print(
            f"{letter} equal filters: {sorted(tools['equal_filters'](network))}"
        )

# %% [markdown]
# Four faults are found. For the last two there are two more things to look at, and each takes a line or two:
#
# * the **output** before training: logits can be any numbers, and cross-entropy applies the softmax itself;
# * the **gradients of two steps**: with a learning rate of 0 nothing changes between two steps on the same batch, so
#   the second gradient must equal the first one.

# %% tags=["nbval-ignore-output"]
for letter, case in training_cases().items():
    output = case.network(images)  # (24, 3)
    case.optimizer.param_groups[0]["lr"] = 0.0
    norms = []
    for _ in range(2):
        case.step(case.network, images, labels, case.optimizer)
        norms.append(case.network.hidden.weight.grad.norm().item())
    first_row = ", ".join(f"{number:6.3f}" for number in output[0].tolist())
    print(
        f"{letter}  output for the first image: {first_row};  "
        f"gradient norms: {norms[0]:.4f}, {norms[1]:.4f}"
    )

# %% [markdown]
# **Exercise 6.** Write `diagnosis`: a dictionary from each letter, `"A"` to `"F"`, to the fault of this training. The
# faults are the strings that the next cell prints, and each occurs once.

# %%
print(*FAULTS, sep="\n")

# %%
### BEGIN SOLUTION
diagnosis = {
    "A": "no gradient",
    "B": "softmax before the loss",
    "C": "equal filters",
    "D": "images are mixed",
    "E": "gradients accumulate",
    "F": "parameters missing from the optimizer",
}
### END SOLUTION

# %%
found = check("diagnosis", diagnosis)

# %% [markdown]
# **Explain.** Repair each of the six with a change of one line. Which line is it? Then choose one of the four that
# memorise one batch all the same, and say what would go wrong on a whole data set.

# %% [markdown] tags=["answer"]
# *No gradient*: take away the `detach()` in the forward pass. *Softmax before the loss*: return the logits. *Equal
# filters*: leave the random initial weights of PyTorch. *Images are mixed*: no `transpose` before the `reshape`, so
# that the first dimension still counts images. *Gradients accumulate*: call `optimizer.zero_grad()` in each step.
# *Parameters missing from the optimizer*: make the optimizer after the head was replaced.
#
# If images are mixed, the network can memorise a fixed batch, because the same images always meet at the same places.
# In another order, or alone, an image gets other logits, and the accuracy on test images is near chance. Without a
# gradient in the first layer, the later layers are trained on top of random features. If the head never changes, the
# layers before it adapt to its random weights. If the filters of a layer are equal at the start, it has fewer
# different features to learn from. On simple images such as the sketches this may cost little accuracy, which makes
# the fault hard to notice. On photographs, where good features must be learned, a first layer that is never trained
# costs more. And in fine-tuning with a frozen body a head that never changes means that nothing is trained, so the
# accuracy stays near chance.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# - names one line for each of the six, and the change;
# - says for one of the four what is different between one fixed batch and a whole data set;
# - says what would be seen in the accuracy, and on which images.
#
# </details>

# %% [markdown]
# ## A checklist
#
# 1. Look at a batch as the network gets it: images, labels, range.
# 2. Compare the loss at the start with $\ln K$ for $K$ classes. This holds if the logits are small. With batch
#    normalisation they need not be, and the first loss can be well above $\ln K$, as in lab 3.
# 3. Overfit one batch.
# 4. Ask which parameters have no gradient, and which the optimizer does not have.
# 5. Change one image, and see whose logits change.
# 6. Only then train on everything, and tune.
