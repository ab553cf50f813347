# %% [markdown]
# # Lab 3: Train VGG-16 on CIFAR-3
#
# In this lab you write the two functions that every deep-learning project stands on, a **training step** and an
# **evaluation**, and then read what a trained network has to say: its loss curves, its confusion matrix, and the
# mistakes it was surest of. It takes 45 to 90 minutes.
#
# You should know what a gradient is, and have met PyTorch's `nn.Module` and `Tensor`. The chapter *VGG: the
# configurations* explains the network.
#
# How the exercises work: replace each `...` with your answer, run the cell, then run the check below it. A check
# says *right*, or *wrong* with a hint that fits the mistake. The lab runs to the end whether or not you have
# solved an exercise, because `or_else` puts the course's own function in the place of a missing one, under a new
# name: `train_step` stays yours, `step` is what the lab goes on with.

# %%
import math
import os
import tempfile
from textwrap import fill

import torch
from torch import nn
from torch.nn import functional as F

import deepernets
from deepernets import check, plots
from deepernets.data.batches import Batches, Transform
from deepernets.data.images import channel_statistics, stratified_split
from deepernets.training import loop, metrics

torch.manual_seed(0)
PROFILE = os.environ.get(
    "DEEPERNETS_PROFILE", "quick"
)  # quick: seconds; laptop: minutes; full: with a GPU

# %% [markdown]
# ## The pictures
#
# CIFAR-3 is three classes of CIFAR-10: airplane, automobile and bird. It has to be downloaded, so the `quick`
# profile takes **sketches** instead: planes, cars and birds drawn by code, 32×32 pixels in colour. Everything you
# write works on both; set `PROFILE` to `"laptop"` or `"full"` for the photographs.

# %%
dataset = deepernets.load_dataset("cifar3", profile=PROFILE)
print(
    f"{dataset.name}: {len(dataset.train)} training and {len(dataset.test)} test images"
)
print(
    f"classes: {', '.join(dataset.classes)}; one image: {tuple(dataset.train.pixels.shape[1:])}"
)
plots.class_samples(dataset.train, dataset.classes)

# %% [markdown]
# *One row of pictures per class: airplanes, automobiles and birds in many poses, colours and backgrounds.*
#
# ## Predict: the first loss
#
# Before its first step a network knows nothing, and gives each of the three classes about the same probability.
# The cross-entropy of one image is $-\ln p$, where $p$ is the probability given to the right class.
#
# **Exercise 1.** Which mean loss do you expect at the very start, on three classes? Write it as an expression.

# %%
### BEGIN SOLUTION
first_loss = -math.log(1 / 3)
### END SOLUTION

# %%
expected = check("first_loss", first_loss).or_else(math.log(3))

# %% [markdown]
# Let us see. The network below is VGG in miniature, three blocks of two convolutions each; the 16-layer one comes
# at the end. Its first loss is measured on untrained weights; these are random, and not quite indifferent, so
# expect a little more than you predicted.

# %%


def small_vgg():
    """VGG in miniature, with the weights that seed 0 gives."""
    torch.manual_seed(0)
    return deepernets.build_model(
        "vgg-mini-bn-cifar",
        in_shape=(3, 32, 32),
        classes=3,
        initialisation="pytorch",
    )


seen, held_out = stratified_split(dataset.train, 0.2, seed=0)
mean, std = channel_statistics(seen)
training_batches = Batches(
    seen, 64, Transform(mean, std, pad=2, flip=True), shuffle_seed=0
)
watching_batches = Batches(held_out, 256, Transform(mean, std))

model = small_vgg()
images, labels = next(iter(training_batches.epoch(1)))
with torch.no_grad():
    measured = F.cross_entropy(model(images), labels).item()
print(f"{deepernets.count_parameters(model):,} parameters")
print(f"first loss {measured:.1f}, predicted {expected:.1f}")

# %% [markdown]
# ## Do: one training step
#
# A step has five parts: **forward** (images in, logits out), **loss**, **clear** the gradients of the step before,
# **backward**, and the **optimizer's step**. `criterion` is `nn.CrossEntropyLoss()`; it takes logits.
#
# **Exercise 2.** Write `train_step`. It changes the model's weights and returns the loss of this batch as a number: the
# loss that the forward pass gave, before the step. The model stays in the mode that it is in.


# %%
def train_step(model, images, labels, criterion, optimizer):
    """Take one step on one batch and return its loss."""
    ### BEGIN SOLUTION
    logits = model(images)  # (N, K)
    loss = criterion(logits, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
    ### END SOLUTION


# %%
def course_step(model, images, labels, criterion, optimizer):
    """The course's own step: return its loss."""
    loss, _ = loop.train_step(model, images, labels, criterion, optimizer)
    return loss.item()


step = check("train_step", train_step).or_else(course_step)

# %% [markdown]
# ## Do: the evaluation
#
# How good is the network now? The test images are not augmented, the weights must not change, batch normalisation
# must use the statistics it has collected rather than those of the batch, and no gradients are needed.
#
# **Exercise 3.** Write `evaluate`. `batches` gives pairs `(images, labels)`; the last batch may be smaller than the
# others, and all of them can be read only once. Return the mean loss **per image** and the accuracy as a share between
# 0 and 1, in this order. The mode that the model is left in is up to you.


# %%
def evaluate(model, batches):
    """Return the mean cross-entropy per image and the share of images classified rightly."""
    ### BEGIN SOLUTION
    model.eval()
    total_loss, hits, count = 0.0, 0, 0
    with torch.no_grad():
        for images, labels in batches:
            logits = model(images)  # (N, K)
            total_loss += F.cross_entropy(
                logits, labels, reduction="sum"
            ).item()
            hits += (logits.argmax(dim=1) == labels).sum().item()
            count += len(labels)
    return total_loss / count, hits / count
    ### END SOLUTION


# %%
def course_evaluate(model, batches):
    """The course's own evaluation."""
    result = loop.evaluate(model, batches)
    return result.loss, result.accuracy


measure = check("evaluate", evaluate).or_else(course_evaluate)

# %% [markdown]
# ## Check: does it learn?
#
# Your two functions are all that a training loop needs. Three epochs of the small network, with the optimizer of
# both papers, SGD with momentum. We watch by the fifth of the *training* images that was held out above; the test
# images stay closed until the end.

# %% tags=["nbval-ignore-output"]
model = small_vgg()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(
    model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4
)
before = measure(model, watching_batches.epoch(0))
for epoch in range(1, 4):
    model.train()
    losses = [
        step(model, x, y, criterion, optimizer)
        for x, y in training_batches.epoch(epoch)
    ]
    after = measure(model, watching_batches.epoch(0))
    print(
        f"epoch {epoch}: training loss {sum(losses) / len(losses):.3f}, validation accuracy {after[1]:.1%}"
    )
assert after[0] < before[0], (
    "the validation loss should be lower after three epochs than before"
)
assert after[1] > 0.5, "three epochs should do clearly better than guessing"

# %% [markdown]
# **Explain.** Why is `model.train()` called again at the start of each epoch? (Exercise 3 has the answer: something
# else was called in between.)

# %% [markdown] tags=["answer"]
# The evaluation puts the model into evaluation mode, and it stays there until somebody puts it back. Left in it, batch
# normalisation would go on using its running statistics while training, which no longer follow the weights, and
# dropout would drop nothing. Nothing fails; the network only learns worse, which is why this mistake lives so long.

# %% [markdown]
# ## The whole run
#
# `deepernets.train` is the same loop with a progress bar, a checkpoint after each epoch, a learning-rate schedule
# and a record of all it did. In the `quick` profile it trains the small network on sketches; otherwise the real
# thing: VGG-16 on CIFAR-3, with a student report's recipe (SGD, momentum 0.9, learning rate 0.01 held constant,
# weight decay 5·10⁻⁴, batches of 128, padded crops and flips).
#
# **Predict** before you run it: will the loss on the training images end above or below that on the held-out ones?

# %% tags=["nbval-ignore-output"]
recipe = deepernets.get_recipe(
    "quick/vgg" if PROFILE == "quick" else "report-a/vgg-16/as-reported"
)
out = tempfile.mkdtemp() if PROFILE == "quick" else "runs"
run = deepernets.train(recipe, profile=PROFILE, out=out)
record = run.record
print(fill(plots.describe_run(record), 76))
assert record.test["accuracy"] > 0.8
plots.curves(record)

# %% [markdown]
# *Left, the cross-entropy by epoch, in the middle the accuracy, right the learning rate. Solid lines are measured
# on the training images while the weights change, dashed ones on the held-out images after each epoch; the star
# is the test set, opened once.*
#
# ## Where is it wrong?
#
# An accuracy is one number; a **confusion matrix** says which classes are taken for which. The trained network gives
# logits for every test image.

# %% tags=["nbval-ignore-output"]
tested = run.evaluate()
predicted = tested.logits.argmax(dim=1)  # (N,)
assert (
    abs(
        (predicted == tested.labels).float().mean().item()
        - record.test["accuracy"]
    )
    < 1e-6
)

# %% [markdown]
# **Exercise 4.** Write `confusion`: a table with one row per true class and one column per predicted class, that
# counts the images of each pair. It has `classes` rows, also where a class does not occur.


# %%
def confusion(predicted, labels, classes):
    """Return a (classes, classes) table of counts; row: true class, column: predicted class."""
    ### BEGIN SOLUTION
    table = torch.zeros(classes, classes, dtype=torch.long)
    for label, guess in zip(labels.tolist(), predicted.tolist(), strict=True):
        table[label, guess] += 1
    return table
    ### END SOLUTION


# %%
tabulate = check("confusion", confusion).or_else(metrics.confusion_matrix)

# %% tags=["nbval-ignore-output"]
counts = torch.as_tensor(
    tabulate(predicted, tested.labels, len(record.data["classes"]))
)
assert counts.tolist() == record.test["confusion"]
plots.confusion(record)

# %% [markdown]
# *Rows are true classes, columns predictions; the brighter a cell, the larger the share of its row.*
#
# **Explain.** Which two classes does the network mix up most, and what do their pictures share? Is the matrix
# symmetric, and would you expect it to be?

# %% [markdown] tags=["answer"]
# Usually airplanes and birds: both are dark shapes with wings against a sky, and the sky is most of the picture.
# Automobiles stand on something and have wheels. The matrix need not be symmetric: a network that says "bird" too
# readily takes many airplanes for birds and few birds for airplanes; a row is what becomes of a true class, a column
# what hides behind an answer.

# %% [markdown]
# ## The mistakes it was surest of
#
# The softmax turns logits into probabilities; the largest is the network's **confidence**. Wrong and confident is
# the most instructive kind of mistake: it shows what the network really looks at, and now and then a wrong label.
#
# **Exercise 5.** Write `confident_mistakes`: the positions of the `most` wrong answers with the highest confidence,
# the surest first. Where there are fewer wrong answers, return all of them.


# %%
def confident_mistakes(logits, labels, most):
    """Return the positions of the `most` most confident wrong answers, the surest first."""
    ### BEGIN SOLUTION
    confidence, guess = logits.softmax(dim=1).max(dim=1)
    wrong = (guess != labels).nonzero().flatten()
    order = confidence[wrong].argsort(descending=True)
    return wrong[order][:most]
    ### END SOLUTION


# %%
def course_mistakes(logits, labels, most):
    """The course's own list of mistakes."""
    return torch.tensor(
        [
            mistake["index"]
            for mistake in metrics.confident_mistakes(logits, labels, most)
        ]
    )


list_mistakes = check("confident_mistakes", confident_mistakes).or_else(
    course_mistakes
)

# %% tags=["nbval-ignore-output"]
surest = torch.as_tensor(list_mistakes(tested.logits, tested.labels, 3))
assert set(surest.tolist()) <= {
    mistake["index"] for mistake in record.test["mistakes"]
}
plots.mistakes(record, dataset.test)

# %% [markdown]
# *Each image has the predicted class, its confidence, and the true class above it.*
#
# ## Compare: VGG-16 on the photographs
#
# This is the record of a full run: VGG-16 (configuration D with batch normalisation and one linear layer), 20
# epochs on CIFAR-3 with the report's recipe. The report writes of a test accuracy of 91.2 %.

# %%
published = deepernets.load_records("report-a/vgg-16/as-reported")[0]
print(
    f"{published.model['parameters']:,} parameters, {len(published.epochs)} epochs, seed {published.seed}"
)
print(
    f"data: {published.data['name']} ({published.data['variant']}), {published.data['train']:,} training images"
)
print(
    f"precision: {published.precision}; test accuracy {published.test['accuracy']:.1%}"
)
plots.curves(published)

# %% [markdown]
# *Left the cross-entropy, in the middle the accuracy, right the learning rate, by epoch; the training line is
# smooth, the validation line jumps from epoch to epoch. The next cell says in numbers what they show.*

# %%
print(fill(plots.describe_run(published), 76))
plots.confusion(published)

# %% [markdown]
# *The confusion matrix of the recorded run, rows true classes, columns predictions; the text above it says which
# confusion is the most frequent.*
#
# **Explain**, in two or three sentences each:
#
# 1. The learning rate never falls. What does that do to the last epochs of the dashed line?
# 2. How far apart are training and validation accuracy at the end, and what is that difference called?
# 3. Set `PROFILE = "laptop"`, or `"full"` if you have a GPU, and run the lab again. How far from this record do you
#    land, and how much of the difference could be the seed?

# %% [markdown] tags=["answer"]
# 1. At a constant rate the steps stay as long as they were, so the weights keep wandering around a good place and the
#    dashed line jumps by a point or more to the end. Which epoch training stops at is luck; a rate that falls, as in
#    lab 7, takes most of the jumping away.
# 2. A few points; the figure has both lines, and `published.epochs[-1]` the numbers. The difference is the
#    generalisation gap. It is a sign of overfitting only where the validation line gets worse while the training
#    line still improves. Mind that the training figure is measured during the epoch, on augmented images.
# 3. The `laptop` profile has a third of the images and a fifth of the epochs, so it ends clearly lower. With all of
#    them the seed moves the result as well. By how much, one record cannot tell, but a line that still jumps by a
#    point at its end leaves room for a point. The 3,000 test images alone leave about one point to either side (lab 5
#    computes it).
