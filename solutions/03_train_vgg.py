# %% [markdown]
# # Lab 3: Train VGG-16 on CIFAR-3
#
# In this lab you write the parts of a training loop: the augmentation of a batch, one training step, the evaluation,
# and batch normalisation in both of its modes. Then you train a network with them and examine its results: loss
# curves, confusion matrix, top-k error, and the mistakes that the network was most confident of. It takes 60 to 90
# minutes.
#
# **You need** PyTorch's `nn.Module` and `Tensor`, and to know what a gradient is. The chapter
# [VGG: the configurations](book:vgg-configurations) explains the network, and
# [VGG: training and evaluation](book:vgg-training) its training. **You get** functions that train and evaluate any
# image classifier.
#
# How the exercises work: replace each `...` with your answer, run the cell, then run the check below it. The lab runs
# to the end whether or not you have solved an exercise.

# %%
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
from deepernets.plots.data import displayable, image_grid

torch.manual_seed(0)
PROFILE = os.environ.get(
    "DEEPERNETS_PROFILE", "quick"
)  # quick: seconds; laptop: minutes; full: with a GPU

# %% [markdown]
# ## The images
#
# CIFAR-3 is three classes of CIFAR-10: airplane, automobile and bird. It has to be downloaded, so the `quick`
# profile uses **sketches** instead: airplanes, automobiles and birds drawn by code, 32×32 pixels in colour. Your
# functions work on both. Set `PROFILE` to `"laptop"` or `"full"` for the photographs.

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
# *One row of images per class: airplanes, automobiles and birds in many poses, colours and backgrounds.*
#
# ## Augment a batch
#
# He et al. (2016, section 4.2) augment CIFAR-10 as follows: the image is padded by 4 pixels on each side, a crop of
# the original size is taken at a random place, and half of the images are mirrored left to right. The network then
# sees another version of each image in every epoch.
#
# **Exercise 1.** Write `crop_and_flip`. `images` is a batch (N, C, H, W), normalised, so the padding is **zeros**:
# `pad` pixels on each of the four sides. `offsets` is a tensor (N, 2) of integers: row (top) and column (left) of the
# crop's first pixel in the *padded* image, between 0 and `2 * pad`. `flips` is a tensor (N,) of booleans. First crop
# each image at its own offset to H × W pixels, then mirror the **crop** left to right where `flips` is True. Return
# the new batch (N, C, H, W), in the order of `images`, and do not change `images`. A loop over the images is allowed.


# %%
def crop_and_flip(images, pad, offsets, flips):
    """Return the batch, each image cropped at its offset and mirrored where its flip is True."""
    ### BEGIN SOLUTION
    count, _, height, width = images.shape
    padded = F.pad(images, (pad, pad, pad, pad))
    result = torch.empty_like(images)
    for place in range(count):
        top, left = offsets[place].tolist()
        crop = padded[place, :, top : top + height, left : left + width]
        result[place] = crop.flip(2) if flips[place] else crop
    return result
    ### END SOLUTION


# %%
augment = check("crop_and_flip", crop_and_flip).or_reference()

# %% [markdown]
# Six versions of the first image, with 4 pixels of padding. Normalised images are drawn such that 0 is mid grey.

# %%
mean, std = channel_statistics(dataset.train)
first = Transform(mean, std)(dataset.train.pixels[:1])  # (1, 3, 32, 32)
offsets = torch.tensor([[4, 4], [0, 0], [8, 8], [0, 8], [4, 4], [8, 2]])
flips = torch.tensor([False, False, False, False, True, True])
versions = augment(first.expand(6, -1, -1, -1), 4, offsets, flips)
titles = [
    f"{top}, {left}{', mirrored' if flip else ''}"
    for (top, left), flip in zip(offsets.tolist(), flips.tolist(), strict=True)
]
image_grid(dict(zip(titles, displayable(versions), strict=True)), columns=3)

# %% [markdown]
# *Six versions of one image, each with its offset: unchanged, moved towards three of the corners with a grey border
# where the padding is visible, and twice mirrored.*
#
# **Explain.** The test images are not augmented. Why not? And name a data set for which mirroring left to right would
# be a mistake.

# %% [markdown] tags=["answer"]
# Augmentation shows the network many versions of each training image that have the same label, which makes it harder
# to memorise the images. At test time random crops and flips would only change the result at random: two evaluations
# of the same network would differ, and an object near the border could be cut. (Averaging the outputs over fixed
# crops and flips is another matter, and usually helps a little.) Mirroring must not change the label. It does for
# digits and letters, and for traffic signs that show a direction.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * Says what augmentation is for, and that this purpose does not exist at test time.
# * Says what random crops and flips would do to a measured accuracy.
# * Names a data set in which the mirrored image has another label, or none.
#
# </details>

# %% [markdown]
# ## Before the first step
#
# The network of this lab is a small VGG: three blocks of two convolutions each. Before its first step it knows
# nothing. If its logits are small, it gives each of the $K$ classes about the same probability. The cross-entropy of
# one image is $-\ln p$, where $p$ is the probability of the right class.
#
# **Predict** before you run the next cell: which mean loss do you expect for $K = 3$, and for the $K = 1000$ classes
# of ImageNet? With random initial weights and batch normalisation the logits are not all near 0, so expect the
# measured loss to be larger.

# %%


def small_vgg():
    """VGG in miniature, with the initial weights that seed 0 gives."""
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
validation_batches = Batches(held_out, 256, Transform(mean, std))

model = small_vgg()
images, labels = next(iter(training_batches.epoch(1)))
with torch.no_grad():
    measured = F.cross_entropy(model(images), labels).item()
print(f"{deepernets.count_parameters(model):,} parameters")
print(f"loss before the first step: {measured:.1f}")

# %% [markdown]
# With equal probabilities the loss is $\ln K$: 1.1 for 3 classes, and 6.9 for 1000.
#
# ## One training step
#
# A step has five parts: **forward** (images in, logits out), **loss**, **clear** the gradients of the step before,
# **backward**, and the **optimizer's step**. `criterion` is `nn.CrossEntropyLoss()`. It takes logits.
#
# **Exercise 2.** Write `train_step`. It takes one step, which changes the model's weights, and returns the loss of this
# batch as a **number**, not as a tensor with a graph. It is the loss of the forward pass before the step. Leave the
# model in the mode in which you get it. The optimizer can be any of PyTorch's.


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
step = check("train_step", train_step).or_reference()

# %% [markdown]
# ## The evaluation
#
# The weights must not change during an evaluation, no gradients are needed (so none should be recorded), and batch
# normalisation must use the statistics that it has collected, not those of the batch.
#
# **Exercise 3.** Write `evaluate`. `batches` is an iterator of pairs `(images, labels)`: it can be read **once**, so
# one loop has to compute both results. The batches may differ in size. Return two numbers in this order: the mean
# loss **per image**, and the accuracy as a share between 0 and 1. You may leave the model in either mode.


# %%
def evaluate(model, batches):
    """Return the mean cross-entropy per image and the share of images classified correctly."""
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
measure = check("evaluate", evaluate).or_reference()

# %% [markdown]
# ## What the two modes change
#
# `model.train()` and `model.eval()` change how **batch normalisation** works (Ioffe and Szegedy 2015). For a channel
# with values $x$, scale $\gamma$ and shift $\beta$:
#
# $$y = \gamma \, \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}} + \beta, \qquad \varepsilon = 10^{-5}$$
#
# * In **training mode**, $\mu$ and $\sigma^2$ are mean and variance of this channel over all $n = N \cdot H \cdot W$
#   values of the batch. This variance is the **biased** one, divided by $n$. In addition, the running statistics
#   become $0.9 \cdot \text{old} + 0.1 \cdot \text{new}$, where the new variance is the **unbiased** one, divided by
#   $n - 1$.
# * In **evaluation mode**, $\mu$ and $\sigma^2$ are the running mean and the running variance, which stay as they are.
#
# **Exercise 4.** Write `batch_norm`, without PyTorch's own. `x` is (N, C, H, W). `scale`, `shift`, `running_mean` and
# `running_var` are (C,), and `training` is True or False. Return three tensors in this order: the output (N, C, H, W),
# and the running mean (C,) and running variance (C,) **after** this batch. Do not change the arguments in place.


# %%
def batch_norm(x, scale, shift, running_mean, running_var, training):
    """Return the normalised batch, the running mean and the running variance."""
    ### BEGIN SOLUTION
    mean, variance = running_mean, running_var
    if training:
        mean = x.mean(dim=(0, 2, 3))
        variance = x.var(dim=(0, 2, 3), correction=0)
        unbiased = x.var(dim=(0, 2, 3), correction=1)
        running_mean = 0.9 * running_mean + 0.1 * mean
        running_var = 0.9 * running_var + 0.1 * unbiased

    def per_channel(values):
        return values[:, None, None]

    centred = x - per_channel(mean)
    normalised = centred / (per_channel(variance) + 1e-5).sqrt()
    y = per_channel(scale) * normalised + per_channel(shift)
    return y, running_mean, running_var
    ### END SOLUTION


# %%
normalise = check("batch_norm", batch_norm).or_reference()

# %% [markdown]
# Here is one channel with mean 3 and standard deviation 2, batch after batch. The running statistics start at 0 and 1,
# as in PyTorch. The table shows mean and standard deviation of the output on the same batch in both modes.

# %%
torch.manual_seed(0)
scale, shift = torch.ones(1), torch.zeros(1)
running = torch.zeros(1), torch.ones(1)
print("batches  in training mode  in evaluation mode")
for number in range(1, 101):
    x = 3 + 2 * torch.randn(16, 1, 8, 8)
    trained, *running = normalise(x, scale, shift, *running, True)
    if number in (1, 10, 100):
        tested, *_ = normalise(x, scale, shift, *running, False)
        row = [f"{y.mean():5.1f} {y.std():5.1f}" for y in (trained, tested)]
        print(f"{number:7}  {row[0]:>16}  {row[1]:>18}".replace("-0.0", " 0.0"))

# %% [markdown]
# **Explain.** Why do the two modes give so different outputs after one batch, and nearly equal ones after 100? What
# does this mean for a network that is evaluated after very few steps?

# %% [markdown] tags=["answer"]
# In training mode the batch is normalised by its own statistics, so mean and standard deviation are 0 and 1 from the
# first batch on. The running statistics move a tenth of the way with each batch, so after one batch they are still
# close to where they started, and the output is hardly normalised. After 100 batches what is left of the start is
# $0.9^{100}$, less than 0.0001. A network that is evaluated after few steps has running statistics that do not fit
# its activations, and can look much worse than it is. The same happens when the weights change fast.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * Says which statistics each mode uses.
# * Says how far the running statistics move with one batch, and what remains of the start after many.
# * Draws the consequence for the evaluation of a network after few steps.
#
# </details>

# %% [markdown]
# ## Does it learn?
#
# Three epochs of the small network with your two functions, and with the optimizer of both papers, SGD with momentum.
# The validation images are the fifth of the *training* images that was held out above. The test images are not used
# until the end.

# %% tags=["nbval-ignore-output"]
model = small_vgg()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(
    model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4
)
before = measure(model, validation_batches.epoch(0))
for epoch in range(1, 4):
    model.train()
    losses = [
        step(model, x, y, criterion, optimizer)
        for x, y in training_batches.epoch(epoch)
    ]
    after = measure(model, validation_batches.epoch(0))
    print(
        f"epoch {epoch}: training loss {sum(losses) / len(losses):.3f}, "
        f"validation accuracy {after[1]:.1%}"
    )
assert after[0] < before[0], (
    "the validation loss should be lower after three epochs than before"
)
assert after[1] > 0.5, "three epochs should do clearly better than guessing"

# %% [markdown]
# **Explain.** Why is `model.train()` called again at the start of each epoch, and what would happen without it?

# %% [markdown] tags=["answer"]
# The evaluation puts the model into evaluation mode, and the model stays in it. Batch normalisation would then use its
# running statistics during training and no longer update them, although the weights change. Dropout would drop
# nothing. There is no error message: the network only trains worse, so this mistake is easily overlooked.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * Names the call that changed the mode.
# * Says what batch normalisation would do in the wrong mode during training.
# * Says how you would notice it.
#
# </details>

# %% [markdown]
# ## A complete run
#
# `deepernets.train` is the same loop with a progress bar, a checkpoint after each epoch, a learning-rate schedule and
# a record of the run. In the `quick` profile it trains the small network on sketches. In the other profiles it trains
# VGG-16 on CIFAR-3 with the recipe of a student report: SGD, momentum 0.9, a constant learning rate of 0.01, weight
# decay 5·10⁻⁴, batches of 128, padded crops and flips.
#
# **Predict** before you run it: will the loss on the training images be above or below that on the held-out images at
# the end?

# %% tags=["nbval-ignore-output"]
if PROFILE == "quick":  # a few seconds: images of 16 pixels, 5 epochs
    recipe = deepernets.get_recipe("quick/vgg").changed(
        image_size=16, pad=1, epochs=5, batch_size=32
    )
else:
    recipe = deepernets.get_recipe("report-a/vgg-16/as-reported")
out = tempfile.mkdtemp() if PROFILE == "quick" else "runs"
run = deepernets.train(recipe, profile=PROFILE, out=out)
record = run.record
print(fill(plots.describe_run(record), 76))
assert record.test["accuracy"] > 0.8
plots.curves(record)

# %% [markdown]
# *Left, the cross-entropy by epoch, in the middle the accuracy, right the learning rate. Solid lines are measured on
# augmented training images while the weights change, dashed ones on the held-out images after each epoch. The star is
# the test set, evaluated once.*
#
# ## The confusion matrix
#
# An accuracy is one number. A **confusion matrix** shows which classes are taken for which. The trained network gives
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
# **Exercise 5.** Write `confusion`: a table of counts with one row per true class and one column per predicted class.
# `predicted` and `labels` are tensors (N,) of class numbers. The table has `classes` rows and columns, even if a class
# does not occur. It can be a tensor, an array or a list of lists.


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
tabulate = check("confusion", confusion).or_reference()

# %% tags=["nbval-ignore-output"]
counts = torch.as_tensor(
    tabulate(predicted, tested.labels, len(record.data["classes"]))
)
assert counts.tolist() == record.test["confusion"]
plots.confusion(record)

# %% [markdown]
# *Rows are true classes, columns predictions. The brighter a cell, the larger its share of the row.*
#
# **Explain.** Which two classes does the network confuse most, and what do their images have in common? Is the matrix
# symmetric, and would you expect it to be?

# %% [markdown] tags=["answer"]
# Usually airplanes and birds: both are shapes with wings, and on photographs both are in front of a sky that fills
# most of the image. Automobiles have wheels and stand on the ground. The matrix need not be symmetric. A network that
# predicts "bird" too often takes many airplanes for birds, and few birds for airplanes. A row shows what becomes of
# the images of one class, a column which classes are among the images with one prediction.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * Names the pair with the largest counts off the diagonal, and a visual property that both classes share.
# * Says what a row and a column mean.
# * Says what an asymmetry tells about the network.
#
# </details>

# %% [markdown]
# ## The top-k error
#
# The ImageNet challenge ranks networks by their **top-5 error**: the share of the images whose true class is not among
# the five classes with the largest logits. Both papers report it next to the top-1 error, because an image of ImageNet
# may show objects of several classes and has one label.
#
# **Exercise 6.** Write `top_k_error` for logits (N, K), labels (N,) and any `k` from 1 to K. Return the share of the
# images, between 0 and 1. No two logits of an image are equal.


# %%
def top_k_error(logits, labels, k):
    """Return the share of the images whose class is not among the k with the largest logits."""
    ### BEGIN SOLUTION
    likely = logits.topk(k, dim=1).indices  # (N, k)
    hits = (likely == labels[:, None]).any(dim=1)
    return 1 - hits.double().mean().item()
    ### END SOLUTION


# %%
error = check("top_k_error", top_k_error).or_reference()

# %% tags=["nbval-ignore-output"]
errors = [float(error(tested.logits, tested.labels, k)) for k in (1, 2, 3)]
print(*(f"top-{k} error {e:.1%}" for k, e in enumerate(errors, 1)), sep="\n")
assert abs(errors[0] - (1 - record.test["accuracy"])) < 1e-6
assert errors[0] >= errors[1] >= errors[2] == 0

# %% [markdown]
# ## The most confident mistakes
#
# The softmax turns logits into probabilities. The largest is the network's **confidence**. Wrong answers with a high
# confidence are worth looking at: they show which features the network relies on, and sometimes a wrong label.
#
# **Exercise 7.** Write `confident_mistakes`: the positions (in the whole batch) of the `most` wrong answers with the
# highest confidence, the most confident first, as a list or a tensor of one dimension. If there are fewer wrong
# answers, return all of them. No two confidences are equal.


# %%
def confident_mistakes(logits, labels, most):
    """Return where the `most` most confident mistakes are, most confident first."""
    ### BEGIN SOLUTION
    confidence, guess = logits.softmax(dim=1).max(dim=1)
    wrong = (guess != labels).nonzero().flatten()
    order = confidence[wrong].argsort(descending=True)
    return wrong[order][:most]
    ### END SOLUTION


# %%
list_mistakes = check("confident_mistakes", confident_mistakes).or_reference()

# %% tags=["nbval-ignore-output"]
listed = torch.as_tensor(list_mistakes(tested.logits, tested.labels, 3))
assert set(listed.tolist()) <= {
    mistake["index"] for mistake in record.test["mistakes"]
}
plots.mistakes(record, dataset.test)

# %% [markdown]
# *Each image has the predicted class, its confidence, and the true class above it.*
#
# ## Compare: VGG-16 on the photographs
#
# This is the record of a full run: VGG-16 (configuration D with batch normalisation and one linear layer), 20 epochs on
# CIFAR-3 with the report's recipe. The report states a test accuracy of 91.2 %.

# %%
published = deepernets.load_records("report-a/vgg-16/as-reported")[0]
print(
    f"{published.model['parameters']:,} parameters, "
    f"{len(published.epochs)} epochs, seed {published.seed}"
)
print(
    f"data: {published.data['name']} ({published.data['variant']}), "
    f"{published.data['train']:,} training images"
)
print(
    f"precision: {published.precision}; test accuracy {published.test['accuracy']:.1%}"
)
plots.curves(published)

# %% [markdown]
# *Left the cross-entropy, in the middle the accuracy, right the learning rate, by epoch. The training line is smooth,
# the validation line jumps from epoch to epoch. The next cell states the numbers.*

# %%
print(fill(plots.describe_run(published), 76))
plots.confusion(published)

# %% [markdown]
# *The confusion matrix of the recorded run, rows true classes, columns predictions. The text above it names the most
# frequent confusion.*
#
# **Explain**, in two or three sentences each:
#
# 1. The learning rate is constant. What does that do to the last epochs of the dashed line?
# 2. How far apart are training and validation accuracy at the end, and what is that difference called?
# 3. Set `PROFILE = "laptop"`, or `"full"` if you have a GPU, and run the lab again. How far is your result from this
#    record, and how much of the difference could be due to the seed?

# %% [markdown] tags=["answer"]
# 1. At a constant learning rate the steps do not become smaller, so the weights keep moving around a minimum, and the
#    dashed line jumps by a point or more until the end. The result depends on the epoch at which training stops. A
#    learning rate that decreases, as in lab 7, removes most of the jumping.
# 2. About three points: `published.epochs[-1]` has 96.4 % and 93.1 %. The difference is the generalisation gap. It is
#    a sign of overfitting only where the validation line gets worse while the training line still improves. The
#    training accuracy is measured during the epoch, on augmented images.
# 3. The `laptop` profile has a third of the images and a fifth of the epochs, so its result is clearly lower. With all
#    of them, the seed still changes the result. One record cannot show by how much, but a line that jumps by a point at
#    its end suggests about a point. The sampling error of 3,000 test images alone is about one point to either side
#    (lab 5 computes it).

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * Connects the constant step size with the jumps, and says what this means for the epoch at which training stops.
# * Gives the difference in points, names it, and says when it is a sign of overfitting.
# * Compares images, epochs and profile before the seed, and names the size of the test set as a second source of
#   chance.
#
# </details>
