# %% [markdown]
# # Lab 5: Train ResNet-50 on CIFAR-3
#
# You train a ResNet and a VGG on equal terms, and ask what decides the worth of such a comparison: is one of the
# two better, did chance favour it, or was it given more? You write the tools that answer: one makes two recipes
# comparable, one measures the variation over seeds, one the sampling error of the test images, and one tests the
# difference. It takes 60 to 90 minutes.
#
# **You need** lab 3 (training a network), and you know what a mean, a standard deviation and a probability are. The
# chapters [Residual learning](book:residual-learning) and [The ResNet family](book:resnet-family) explain the network,
# and [Reading a result](book:reading-results) the statistics. **You get** five tools for comparing any
# two networks.
#
# How the exercises work: replace each `...` with your answer, run the cell, then run the check below it. The lab
# runs to the end whether or not you have solved an exercise.

# %%
import os
import tempfile
from dataclasses import asdict
from textwrap import fill

import torch
from scipy.stats import binomtest

import deepernets
from deepernets import check
from deepernets.course.exercises.lab05 import multiply_adds
from deepernets.plots.comparison import (
    accuracies_by_seed,
    accuracy_by_epoch_and_cost,
    accuracy_intervals,
)

PROFILE = os.environ.get(
    "DEEPERNETS_PROFILE", "quick"
)  # quick: seconds; laptop: an hour; full: with a GPU
SEEDS = (0, 1, 2)

# %% [markdown]
# ## Two rows of a report
#
# A student report trained two networks on CIFAR-3, three classes of CIFAR-10 with 15,000 training and 3,000 test
# images. It gives these results:
#
# | network | epochs | training loss at the end | test accuracy |
# |---|---|---|---|
# | VGG-16 | 20 | 0.0004 | 91.2 % |
# | ResNet-50 | 15 | 0.0586 | 85.8333 % |
#
# and concludes: ResNet is worse, because it has more parameters, and there are too few images for them. This lab
# questions both halves of that sentence. Here are the sizes of the two networks, as the report built them for 32×32
# pixels and three classes.


# %%
def size_of(name):
    """Return a network's parameters, and its multiply-adds for one image."""
    with torch.device("meta"):  # shapes without numbers: built in no time
        network = deepernets.build_model(name, in_shape=(3, 32, 32), classes=3)
    return (
        deepernets.count_parameters(network),
        deepernets.count_multiply_adds(network, (3, 32, 32)),
    )


vgg_parameters, vgg_cost = size_of("vgg-16-bn-cifar")
resnet_parameters, resnet_cost = size_of("resnet-50-cifar")
print(
    f"VGG-16     {vgg_parameters:>12,} parameters {vgg_cost:>15,} multiply-adds"
)
print(
    f"ResNet-50  {resnet_parameters:>12,} parameters {resnet_cost:>15,} multiply-adds"
)
print(
    f"ratio      {resnet_parameters / vgg_parameters:>12.1f}            "
    f"{resnet_cost / vgg_cost:>15.1f}"
)

# %% [markdown]
# A network *learns* its parameters, and it *computes* multiply-adds for each image. A convolution uses each of its
# weights once per position of its output. A weight that works on large feature maps therefore costs more than one
# on small feature maps, or in a linear layer.
#
# **Predict**, and write it down with your reason, before you train anything: which of the two does better on the
# photographs after the same number of epochs, and by how many points? And after the same number of multiply-adds?

# %% [markdown] tags=["answer"]
# Any prediction is fine if it comes with a reason. For VGG-16: it has fewer layers, and its first epochs usually go
# faster. For ResNet-50: it does four times the work for each image, and shortcuts were made to train deep networks.
# For neither: the report's five points come from one run each, under different budgets. The last section compares
# the recorded runs.

# %% [markdown]
# ## Equal terms
#
# In this course a **recipe** holds everything that decides what a run learns: data, network, epochs, optimizer,
# learning rate, augmentation, and so on. A comparison of two networks is fair if the recipes differ in nothing but
# the network. It is easy to believe that of two recipes and to be wrong, so let code compare them.
#
# **Exercise 1.** Write `unequal_terms`. It returns the names of all fields in which two recipes differ, except
# `name` and `model`, as a list, a tuple or a set of strings, in any order and each name once. Recipes that agree
# give an empty one. `asdict(recipe)` gives a recipe's fields as a dictionary. Values such as 0, False and "" count
# like any other.


# %%
def unequal_terms(one, other):
    """Return the fields in which two recipes differ, except name and model."""
    ### BEGIN SOLUTION
    ours, theirs = asdict(one), asdict(other)
    differing = [field for field in ours if ours[field] != theirs[field]]
    return [field for field in differing if field not in ("name", "model")]
    ### END SOLUTION


# %%
compare_terms = check("unequal_terms", unequal_terms).or_reference()

# %% [markdown]
# Here are the report's two recipes, and the two small ones that the `quick` profile trains.

# %%
PAIRS = {
    "report A": (
        "report-a/vgg-16/as-reported",
        "report-a/resnet-50/as-reported",
    ),
    "quick": ("quick/vgg", "quick/resnet"),
}
for pair, names in PAIRS.items():
    one, other = map(deepernets.get_recipe, names)
    for field in compare_terms(one, other):
        print(
            f"{pair}: {field} is {getattr(one, field)} for VGG, {getattr(other, field)} for ResNet"
        )

# %% [markdown]
# Neither pair is on equal terms. Before you change that, "the same budget" has to say the same *what*. The report
# gave ResNet-50 fewer epochs than VGG-16, but an epoch of ResNet-50 does more work. The forward pass of an image
# takes the multiply-adds above. The backward pass takes twice as many again: once for the gradients of the weights
# and once for those of the inputs. So the cost of training is
#
# $$\text{cost} = \text{epochs} \times \text{images} \times 3 \times \text{multiply-adds}.$$
#
# `multiply_adds(recipe)` returns the multiply-adds of a recipe's network for one image.
#
# **Predict**: VGG-16 trained for 20 epochs. For how many epochs can ResNet-50 train at the same cost: more than
# 15, or fewer?
#
# **Exercise 2.** Write `fair_pair`. It takes the names of two recipes and a budget, and returns two recipes, as a
# tuple or a list. The first one is `deepernets.get_recipe(name_one)` as it is written. The second has the name and
# the model of `deepernets.get_recipe(name_other)`, and all its other settings, apart from the epochs, are those of
# the first. Its epochs depend on the budget:
#
# * `"epochs"`: as many as the first recipe has;
# * `"cost"`: the largest whole number (an `int`) with which its training costs no more than that of the first
#   recipe, but at least 1. Both train on the images of the first recipe, in the size that it gives them:
#   `multiply_adds` depends on it.
#
# `recipe.changed(epochs=3, model="resnet-8")` returns a copy of a recipe with some fields changed.


# %%
def fair_pair(name_one, name_other, budget):
    """Return two recipes on equal terms, with a budget of "epochs" or "cost"."""
    ### BEGIN SOLUTION
    one = deepernets.get_recipe(name_one)
    other = deepernets.get_recipe(name_other)
    second = one.changed(name=other.name, model=other.model)
    if budget == "cost":
        affordable = one.epochs * multiply_adds(one) // multiply_adds(second)
        second = second.changed(epochs=max(1, affordable))
    return one, second
    ### END SOLUTION


# %%
pair_verdict = check("fair_pair", fair_pair)
equal_terms = pair_verdict.or_reference()

# %%
if pair_verdict.status == "right":
    for names in PAIRS.values():
        for budget in ("epochs", "cost"):
            one, other = equal_terms(*names, budget)
            print(
                f"equal {budget:6}: {one.epochs:2} epochs of {one.model},"
                f" {other.epochs:2} of {other.model}"
            )

# %% [markdown]
# The pair to train: the report's networks, or in the `quick` profile the small ones, on few images so that six runs
# take seconds.

# %%
BUDGET = "epochs"  # or "cost"
names = PAIRS["quick" if PROFILE == "quick" else "report A"]
recipes = dict(zip(("VGG", "ResNet"), equal_terms(*names, BUDGET), strict=True))
if PROFILE == "quick":
    recipes = {
        network: recipe.changed(
            image_size=16, pad=1, batch_size=32, train_images=160
        )
        for network, recipe in recipes.items()
    }
unequal = set(compare_terms(recipes["VGG"], recipes["ResNet"]))
print(f"unequal terms: {', '.join(sorted(unequal)) or 'none'}")
assert unequal <= ({"epochs"} if BUDGET == "cost" else set())

# %% [markdown]
# **Explain.** The same learning rate for both: is that fair? What else could "equal terms" mean, and which meaning
# would you choose if you had to select a network for a task? Once you have seen the results below, set `BUDGET` to
# `"cost"`, run the lab from there on again, and say whether your conclusion depends on the budget.

# %% [markdown] tags=["answer"]
# It is equal, which is not quite the same as fair. A learning rate that suits one network may be too high or too low
# for the other, and then the comparison measures the learning rate. The other meaning of equal terms is *equal
# effort*: both networks get the same number of trials on the validation images to find a learning rate of their own,
# and the best of each are compared. Equal effort is more useful for selecting a network. Changing one thing alone is
# more useful for learning what this one thing does. In the `quick` profile, the ResNet costs a quarter more per image
# than the VGG, so at equal cost it gets fewer epochs. Whether that changes its accuracy shows only if the change is
# larger than the variation over seeds.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * says that a learning rate may suit one of the two networks better, and what the comparison then measures
# * names a second meaning of equal terms, and how it would be carried out, on which images
# * chooses one meaning and says for which purpose
# * compares the results under both budgets with the variation over seeds
#
# </details>

# %% [markdown]
# ## The variation over seeds
#
# Even with equal recipes two runs differ. The initial weights, the order of the images, crops and flips are drawn
# from the **seed**, and in this course the split into training and validation images is, too. One run of each
# network is a sample of size one. So train both networks with three seeds, the *same* three.

# %% tags=["nbval-ignore-output"]
out = tempfile.mkdtemp() if PROFILE == "quick" else "runs"
runs = {
    network: [
        deepernets.train(chosen, profile=PROFILE, seed=seed, out=out)
        for seed in SEEDS
    ]
    for network, chosen in recipes.items()
}
accuracies = {
    network: {run.record.seed: run.record.test["accuracy"] for run in trained}
    for network, trained in runs.items()
}
for network, of_seed in accuracies.items():
    print(network, *(f"seed {seed}: {of_seed[seed]:.1%}" for seed in of_seed))
assert all(min(of_seed.values()) > 0.4 for of_seed in accuracies.values()), (
    "every run should do better than guessing one of three classes"
)
for one, other in zip(*runs.values(), strict=True):
    assert one.record.data == other.record.data, "both must see the same split"

# %% [markdown]
# A mean and a standard deviation summarise the three numbers. The **sample standard deviation** estimates how far
# single runs are from the mean of *all* possible runs, of which three are a sample. The sample's own mean is a
# little too close to the sample, and dividing by $n-1$ instead of $n$ corrects for that:
#
# $$s = \sqrt{\frac{1}{n-1} \sum_{i=1}^{n} (a_i - \bar a)^2}$$
#
# **Exercise 3.** Write `mean_and_sd`. It takes a list of at least two accuracies, as shares between 0 and 1, or of
# differences of accuracies. It returns two numbers, also as shares: the mean, then the sample standard deviation,
# which divides by $n-1$.


# %%
def mean_and_sd(accuracies):
    """Return the mean and the sample standard deviation of accuracies."""
    ### BEGIN SOLUTION
    values = torch.tensor(accuracies, dtype=torch.double)
    return values.mean().item(), values.std(correction=1).item()
    ### END SOLUTION


# %%
spread = check("mean_and_sd", mean_and_sd).or_reference()

# %% tags=["nbval-ignore-output"]
for network, of_seed in accuracies.items():
    mean, sd = spread(list(of_seed.values()))
    print(f"{network}: {mean:.1%} ± {sd:.1%} over {len(SEEDS)} seeds")
differences = [
    accuracies["VGG"][seed] - accuracies["ResNet"][seed] for seed in SEEDS
]
mean, sd = spread(differences)
print(f"VGG minus ResNet, seed by seed: {mean:+.1%} ± {sd:.1%}")
assert sd > 0, "seeds should make a difference"
accuracies_by_seed(accuracies)

# %% [markdown]
# *One dot for each run, in two columns, VGG left and ResNet right. Each column has its mean with one standard
# deviation up and down. A thin line joins the two runs of each seed.*
#
# **Explain.** Why does the standard deviation of the *differences* decide, and not those of the two networks by
# themselves? And how precisely do three seeds give the mean difference?

# %% [markdown] tags=["answer"]
# The question is by how much one network is ahead of the other. Whatever a seed does to both, an easier split for
# example, cancels when the two accuracies are subtracted. Where the lines are parallel, the difference is steady even
# if the dots of each column are far apart. In the stored run of the `quick` profile the lines cross, and the
# differences vary more (4.9 points) than the accuracies of either network (2.4 and 2.8): these three pairs of runs
# show no common effect of a seed that could cancel. The standard error of the mean of $n$ differences is $s/\sqrt n$.
# With three seeds the 95 % interval extends not 1.96 but 4.3 standard errors to either side (Student's $t$ with two
# degrees of freedom), because $s$ itself is estimated from three numbers. Three seeds show large differences and
# cannot decide about small ones.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * says what happens, in the difference, to an effect that a seed has on both networks
# * reads the thin lines of the figure: what parallel lines mean
# * names the standard error of a mean and how it depends on the number of seeds
# * says that the standard deviation is itself uncertain with three runs, and what that does to an interval
#
# </details>

# %% [markdown]
# ## The sampling error of the test images
#
# Seeds are not the only source of chance. An accuracy is counted on a limited number of test images, and other
# images of the same kind would give another count. **Predict**: how far can chance alone move the report's 91.2 %
# of 3,000 images? By 0.1, by 1 or by 5 points?
#
# Suppose that a network classifies a share $p$ of all possible images correctly. On $n$ test images, the standard
# deviation of the counted share is $\sqrt{p(1-p)/n}$. We do not know $p$, but we can reject every $p$ from which
# the counted share $\hat p$ is more than $z = 1.96$ standard deviations away. Those that remain,
#
# $$|\hat p - p| \le z \sqrt{\frac{p(1-p)}{n}},$$
#
# are **Wilson's interval**, which contains the true share in about 95 of 100 experiments. Solved for $p$, its two
# ends are
#
# $$\frac{\hat p + \dfrac{z^2}{2n} \pm z \sqrt{\dfrac{\hat p(1-\hat p)}{n} + \dfrac{z^2}{4n^2}}}{1 + \dfrac{z^2}{n}}.$$
#
# For large $n$ that is nearly the **normal interval**, $\hat p \pm z \sqrt{\hat p (1-\hat p)/n}$. We use Wilson's,
# because the normal interval has width 0 for a network without a mistake, on ten images as on ten thousand.
#
# **Exercise 4.** Write `binomial_interval`. `right` of `images` test images were classified correctly, both whole
# numbers. It returns the lower, then the upper end of Wilson's 95 % interval, as shares between 0 and 1, with
# $z = 1.96$ (not rounded to 2).


# %%
def binomial_interval(right, images):
    """Return Wilson's 95 % interval for the share of correct answers."""
    ### BEGIN SOLUTION
    z, share = 1.96, right / images
    middle = share + z**2 / (2 * images)
    variance = share * (1 - share) / images + z**2 / (4 * images**2)
    half_width = z * variance**0.5
    shrink = 1 + z**2 / images
    return (middle - half_width) / shrink, (middle + half_width) / shrink
    ### END SOLUTION


# %%
interval = check("binomial_interval", binomial_interval).or_reference()

# %%
TEST_IMAGES = 3000
reported = {"VGG-16": 91.2, "ResNet-50": 85.8333}
counted = {
    f"{network}, report A": round(percent / 100 * TEST_IMAGES)
    for network, percent in reported.items()
}
for name, right in counted.items():
    low, high = interval(right, TEST_IMAGES)
    print(
        f"{name}: {right} of {TEST_IMAGES} right, 95 % interval {low:.1%} to {high:.1%}"
    )
low, high = interval(10, 10)
print(f"10 of 10 right: {low:.1%} to {high:.1%}")

# %% [markdown]
# **Explain.** The report's two intervals are far apart. What does that show, and what does it not show?

# %% [markdown] tags=["answer"]
# It shows that of these two *trained networks*, VGG-16 is the better one on images of this kind: the choice of test
# images does not explain five points. It does not show that VGG-16 would win again. The interval contains nothing
# about seeds, the epoch at which training stopped, the unequal epochs or the learning rate. Each of these was
# drawn or chosen once, and the interval takes them as given.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * says that the claim is about two trained networks, and which source of chance it rules out
# * names at least two sources of variation that the interval does not contain
# * distinguishes between a trained network and an architecture
#
# </details>

# %% [markdown]
# ## A paired test
#
# Two networks are usually tested on the *same* images, and two intervals do not use that. An image that both
# classify correctly, or both wrongly, says nothing about which network is better. Only those images count that
# **exactly one** of the two classifies correctly. If the networks were equally good, each such image would be the
# one's or the other's with equal chance, as if a fair coin decided. The **McNemar test** asks how surprising the
# split is. Its p-value is the probability that a fair coin gives a split at least this uneven, *in either
# direction*.
#
# **Exercise 5.** Write `mcnemar`. Both arguments are tensors of N booleans: which images the one network classifies
# correctly, and which the other. Return one number, the exact two-sided p-value (from the binomial distribution, no
# approximation). For at least one toss, `binomtest(heads, tosses).pvalue` gives it for a fair coin. What should it
# be where no image tells the two apart? Do not change the two tensors, since they are used again.


# %%
def mcnemar(one_right, other_right):
    """Return the two-sided p-value of the exact McNemar test."""
    ### BEGIN SOLUTION
    only_one = (one_right & ~other_right).sum().item()
    only_other = (other_right & ~one_right).sum().item()
    if only_one + only_other == 0:
        return 1.0
    return binomtest(only_one, only_one + only_other).pvalue
    ### END SOLUTION


# %%
compare_pair = check("mcnemar", mcnemar).or_reference()

# %% [markdown]
# To compare the networks of the first seed image by image, they are evaluated again. Your interval gives the
# sampling error of each network by itself, your test compares the two on the same images.

# %% tags=["nbval-ignore-output"]
correct = {}
for network, trained in runs.items():
    tested = trained[0].evaluate()
    correct[network] = tested.logits.argmax(dim=1) == tested.labels  # (N,)
    images, right = len(correct[network]), int(correct[network].sum())
    low, high = interval(right, images)
    print(
        f"{network}: {right} of {images} right, 95 % interval {low:.1%} to {high:.1%}"
    )
    assert abs(right / images - accuracies[network][SEEDS[0]]) < 1e-6
vgg_right, resnet_right = correct.values()
for name, found in {
    "both": vgg_right & resnet_right,
    "only VGG": vgg_right & ~resnet_right,
    "only ResNet": resnet_right & ~vgg_right,
    "neither": ~vgg_right & ~resnet_right,
}.items():
    print(f"{name:>12}: {int(found.sum()):4} images right")
p_value = compare_pair(vgg_right, resnet_right)
print(f"p = {p_value:.2g}")
assert 0 <= p_value <= 1
assert compare_pair(vgg_right, vgg_right) == 1

# %% [markdown]
# **Explain.** Suppose p is 0.001. A classmate says: "So with probability 99.9 % VGG is the better architecture."
# What is wrong with that sentence? There are two things.

# %% [markdown] tags=["answer"]
# First, p is not the probability that the networks are equal, and 1 - p is not the probability that they differ.
# It is the probability of a split at least this uneven *if* they were equal. Second, the test compares two trained
# networks, not two architectures: with another seed both would be different. A statement about architectures needs
# many seeds, and then the seeds are the sample, not the images. A p-value from one pair of runs can be tiny
# although the next pair points the other way.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * says of which event, and under which assumption, p is the probability
# * says that p is not the probability of a hypothesis
# * says what was compared, two networks or two architectures, and what a statement about the latter needs
#
# </details>

# %% [markdown]
# ## Compare: the real thing
#
# The course ships records of the real networks, trained on the photographs with the report's recipe. Its learning
# rate is constant, which has a use here: VGG-16's run of 20 epochs *was*, after its epoch 15, a run of 15 epochs,
# with the same seed, split and order of images. So its validation accuracy after epoch 15 can be compared with
# that of ResNet-50. (Its test accuracy cannot, because it was measured after epoch 20.)


# %%
def recorded(recipe, profile):
    """Return the recorded runs of this recipe; print a remark if there are none."""
    found = [
        record
        for record in deepernets.load_records(recipe.name)
        if (record.profile, record.recipe) == (profile, recipe.at(profile))
    ]
    if not found:
        print(fill(f"No {profile} run of {recipe.name} is recorded yet.", 76))
    return found


# %% tags=["nbval-ignore-output"]
vgg, resnet = map(deepernets.get_recipe, PAIRS["report A"])
published = recorded(vgg, "full") + recorded(resnet, "full")
for record in published:
    at_15 = record.epochs[14]["validation_accuracy"]
    images = record.data["validation"]
    low, high = interval(round(at_15 * images), images)
    print(fill(record.label, 76))
    print(f"  {record.data['train']:,} training images")
    print(
        f"  epoch 15: training loss {record.epochs[14]['train_loss']:.3f}, validation accuracy"
        f" {at_15:.1%} ({low:.1%} to {high:.1%})"
    )
    print(
        f"  epoch {len(record.epochs)}: test accuracy {record.test['accuracy']:.1%}"
    )
assert published, "VGG-16's record ships with the course"
accuracy_by_epoch_and_cost(
    published, {"vgg-16-bn-cifar": vgg_cost, "resnet-50-cifar": resnet_cost}
)

# %% [markdown]
# *Validation accuracy of the recorded runs, each with a line, a marker and a colour of its own: left against the
# epoch, right against the multiply-adds spent so far. The lines rise fast, then vary from epoch to epoch. An epoch
# of ResNet-50 takes about four times as far to the right as one of VGG-16.*
#
# Next, test accuracies with their intervals: the report's, and those of our records.

# %% tags=["nbval-ignore-output"]
shares = {
    name: (right / TEST_IMAGES, interval(right, TEST_IMAGES))
    for name, right in counted.items()
}
for record in published:
    right = sum(
        row[index] for index, row in enumerate(record.test["confusion"])
    )
    images = record.data["test"]
    name = f"{record.recipe.model}, ours, epoch {len(record.epochs)}"
    shares[name] = (right / images, interval(right, images))
accuracy_intervals(shares)

# %% [markdown]
# *One row for each test accuracy, a dot with its 95 % interval to both sides. The report's two are on top, the
# records' below them. On 3,000 images an interval of such accuracies is about two points wide.*
#
# Finally, a comparison like yours, with the real networks and a fifth of the budget: 3 epochs of 5,000
# photographs each, several seeds.

# %% tags=["nbval-ignore-output"]
laptop = {
    "VGG-16": recorded(vgg.changed(epochs=15), "laptop"),
    "ResNet-50": recorded(resnet, "laptop"),
}
for network, found in laptop.items():
    if found:
        seeds = ", ".join(str(record.seed) for record in found)
        one = found[0]
        print(
            f"{network}: seeds {seeds}; {len(one.epochs)} epochs of"
            f" {one.data['train']:,} images; {one.precision}"
        )
accuracies_by_seed(
    {
        network: {record.seed: record.test["accuracy"] for record in found}
        for network, found in laptop.items()
    }
)

# %% [markdown]
# *Test accuracy of the recorded short runs, one dot for each seed, VGG-16 left and ResNet-50 right, with mean and
# standard deviation where a network has more than one run. The column of a network without a recorded run is empty.*
#
# **Explain**, in two or three sentences each:
#
# 1. "ResNet is worse because it has more parameters and too little data." Which training losses would you expect if
#    that were the reason? Compare with the report's two training losses, at the top.
# 2. The same recipe gave the report 91.2 % and our record of VGG-16 another accuracy. Do their intervals overlap?
#    What may explain the difference?
# 3. Go back to your prediction. What would you write now, and what would you still have to run to be sure?

# %% [markdown] tags=["answer"]
# 1. Too many parameters for the data means overfitting: the training loss would be the *lower* of the two, although
#    the test accuracy is lower, too. In the report it is the higher one: ResNet-50's training loss, 0.0586, is more
#    than a hundred times VGG-16's. The report does not say what its losses are means over, and the loss of a last
#    batch says little. The losses of our records are means over the epoch, and ResNet-50 has the larger one as well.
#    It had learned its training images less well than VGG-16, in fewer epochs. The networks for ImageNet are a second
#    argument: there ResNet-50 has fewer parameters (26 million) than VGG-16 (138 million). Here it has more only
#    because the large linear layers of VGG-16 are missing.
# 2. They do not overlap, so the 3,000 images do not explain the difference. Another seed, another split (ours holds
#    1,000 images out), other images (ours are JPEG copies), the epoch at which training happened to end on a curve
#    that varies by a point or two, and whatever a report does not state: each is a draw or a choice that the name of
#    a recipe does not show.
# 3. The conclusion holds for this budget and this recipe, and as far as the records' seeds go. To be sure you would
#    run several seeds of both at full length, with learning rates chosen on the validation images with equal effort
#    for both, under both budgets (the same epochs, the same cost), and use the test images once, at the end.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * 1: says how training and test results look under overfitting, and compares that with the two training losses
# * 2: answers from the figure whether the intervals overlap, and names at least two causes other than the test
#   images
# * 3: limits the conclusion to what was compared (budget, recipe, seeds)
# * 3: names the missing runs, and on which images their settings would be chosen
#
# </details>
