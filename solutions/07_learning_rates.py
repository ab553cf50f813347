# %% [markdown]
# # Lab 7: Learning rates
#
# The learning rate is one of the most important settings of a training, and with a wrong one training can fail. In
# this lab you look for a good one with a test that takes seconds, make it rise and fall on a schedule, write one step
# of SGD and one of Adam by hand, and compare schedules, optimizers and batch sizes. It takes 60 to 90 minutes.
#
# **You need** lab 3: the training step. The chapter [The recipe](book:recipe) explains momentum and weight
# decay.
# **You get** a range test, a schedule and two optimizers that agree with PyTorch's.
#
# How the exercises work: replace each `...` with your answer, run the cell, then run the check below it. The lab runs
# to the end whether or not you have solved an exercise.

# %%
import math
import os
import tempfile

import numpy as np
import torch

import deepernets
from deepernets import check, plots
from deepernets.plots.comparison import validation_accuracies
from deepernets.plots.runs import schedule_curves
from deepernets.training import hardware, schedules
from deepernets.training.lr_finder import range_test
from deepernets.training.options import RunOptions
from deepernets.training.preparation import prepare, prepare_data

PROFILE = os.environ.get(
    "DEEPERNETS_PROFILE", "quick"
)  # quick: seconds; laptop: minutes; full: with a GPU

# %% [markdown]
# ## The range test
#
# Start with a learning rate that is far too low, raise it a little at every step, and watch the loss: at first nothing
# happens, then the loss falls, then it diverges. One pass of a few dozen steps shows at which learning rates a network
# trains (Smith 2017). Below, *rate* is short for learning rate.
#
# **Predict**: you try rates from 0.0001 to 10. If they rise by the same *amount* at every step, how many of 50 steps
# are below 0.1?
#
# **Exercise 1.** Write `rising_rates`. It returns a list (or a tuple, array or tensor) of `steps` rates, at least 2,
# from `low` to `high`, both included, each the same *factor* higher than the one before.


# %%
def rising_rates(low, high, steps):
    """Return rates that rise geometrically from low to high."""
    ### BEGIN SOLUTION
    ratio = high / low
    return [low * ratio ** (step / (steps - 1)) for step in range(steps)]
    ### END SOLUTION


# %%
ladder = check("rising_rates", rising_rates).or_reference()

# %% [markdown]
# With the same factor at every step, 30 of 50 rates from 0.0001 to 10 are below 0.1. With the same amount, about 0.2,
# only the first one is.
#
# The package's `range_test` trains a network at such rates, and restores its weights afterwards. In the `quick` profile
# this is a small VGG on drawn images, otherwise ResNet-20 on CIFAR-3.

# %% tags=["nbval-ignore-output"]
if PROFILE == "quick":
    recipe = deepernets.get_recipe("quick/vgg").changed(image_size=16, pad=1)
else:
    recipe = deepernets.get_recipe("race/constant")
accelerator = hardware.accelerator("auto")
splits = prepare_data(recipe.at(PROFILE), RunOptions(PROFILE), accelerator)
training = prepare(recipe.at(PROFILE), splits, accelerator, 0)
tried = range_test(
    training.model,
    splits.train,
    training.criterion,
    training.optimizer,
    rates=(1e-4, 10.0),
    steps=40,
)
steps = len(tried.rates)
assert np.allclose(tried.rates, ladder(1e-4, 10.0, 40)[:steps])
print(
    f"{steps} steps, losses from {min(tried.losses):.2f} to {max(tried.losses):.2f}"
)

# %% [markdown]
# The loss of single batches is noisy. An **exponential moving average** smooths it: keep most of the average so far,
# and add a little of the new loss,
#
# $$m_n = \beta\, m_{n-1} + (1 - \beta)\, \ell_n, \qquad m_0 = 0.$$
#
# Because it starts at 0, the first averages are too small: after $n$ losses, the start still has the weight
# $\beta^n$. Dividing $m_n$ by $1 - \beta^n$ corrects for that. The next average is computed from the uncorrected $m_n$.
# Adam does the same, further below.
#
# **Exercise 2.** Write `smooth_losses`. It returns the corrected averages as a list, one for each of the `losses`, in
# their order. `keep` is $\beta$, between 0 and 1.


# %%
def smooth_losses(losses, keep):
    """Return the exponential moving averages of losses, corrected for their start at 0."""
    ### BEGIN SOLUTION
    average, smooth = 0.0, []
    for n, loss in enumerate(losses, start=1):
        average = keep * average + (1 - keep) * loss
        smooth.append(average / (1 - keep**n))
    return smooth
    ### END SOLUTION


# %%
smooth = check("smooth_losses", smooth_losses).or_reference()

# %% [markdown]
# **Exercise 3.** Write `suggest_rate`. `rates` and `losses` are lists of the same length, and the losses are noisy, as
# they come from a range test. It smooths the losses (`smooth(losses, keep)` is your `smooth_losses` if that is right)
# and returns a third of the rate at which the smoothed losses are lowest: one number, not rounded.


# %%
def suggest_rate(rates, losses, keep):
    """Return a third of the rate with the lowest smoothed loss."""
    ### BEGIN SOLUTION
    smoothed = smooth(losses, keep)
    return rates[int(np.argmin(smoothed))] / 3
    ### END SOLUTION


# %%
suggest = check("suggest_rate", suggest_rate).or_reference()

# %% tags=["nbval-ignore-output"]
suggested = float(suggest(tried.rates.tolist(), tried.losses.tolist(), 0.9))
print(f"a third of the rate with the lowest loss: {suggested:.2g}")
assert math.isclose(suggested, tried.suggestion, rel_tol=1e-4)
plots.learning_rate_range(tried)

# %% [markdown]
# *Training loss against the learning rate, on a logarithmic axis: a pale line for the single batches, a bold one for
# their moving average. A dashed line marks a third of the rate at which the average is lowest.*
#
# A range test gives at best the order of magnitude. It can miss even that if the losses of single batches vary more
# than their average falls, or if a normalised network takes longer to diverge than the test lasts. So try the
# suggestion, and smaller rates. In the `quick` profile two epochs take seconds.

# %% tags=["nbval-ignore-output"]
if PROFILE == "quick":
    for rate in (suggested, suggested / 10, suggested / 30):
        short = recipe.changed(epochs=2, batch_size=32, learning_rate=rate)
        last = deepernets.train(
            short, profile=PROFILE, out=tempfile.mkdtemp()
        ).record.epochs[-1]
        print(
            f"peak rate {rate:.2g}: training loss {last['train_loss']:.2f}, "
            f"validation accuracy {last['validation_accuracy']:.1%}"
        )

# %% [markdown]
# **Explain.** Why take a third of the rate with the lowest loss, and not that rate itself?

# %% [markdown] tags=["answer"]
# For three reasons. The smoothed loss lags behind: at its minimum, the loss has been rising for some steps already.
# The test takes only one step at each rate, and a rate that is harmless for one step can make a network diverge in a
# hundred. And the low loss at that point is the result of all the lower rates before. A rate that is a little too low
# costs some time, and a rate that is too high costs the run. A third is a rule of thumb and may not be enough: in the
# stored run of the `quick` profile the suggestion is far too high, and two epochs show it.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * says what smoothing does to the position of the minimum
# * says how many steps the test takes at each rate, and a training takes
# * says which rates have produced the low loss
# * compares the cost of a rate that is too low with that of one that is too high
#
# </details>

# %% [markdown]
# ## Schedules
#
# With a high rate the loss falls quickly at first, and with a low rate it comes closer to a minimum in the end. So the
# rate falls during training: in steps, along a cosine, or when the validation error stops falling. Often it rises
# first, because a high rate can make a network with its initial weights diverge. In this course a schedule is a pure
# function from the progress, which is the share of the training that is done, to a factor of the rate.
#
# **Exercise 4.** Write `cosine_with_warm_up`. `progress` is from 0 to 1, both included, and `peak` is between 0 and 1.
# It returns one number. Up to `peak` the factor rises in a straight line from 0 to 1. From there it falls to 0 at the
# end, along half a cosine, $(1 + \cos \pi x) / 2$ with $x$ from 0 to 1.


# %%
def cosine_with_warm_up(progress, peak):
    """Return the factor of the learning rate at `progress`, from 0 to 1."""
    ### BEGIN SOLUTION
    if progress < peak:
        return progress / peak
    fallen = (progress - peak) / (1 - peak)
    return (1 + math.cos(math.pi * fallen)) / 2
    ### END SOLUTION


# %%
shape = check("cosine_with_warm_up", cosine_with_warm_up).or_reference()

# %%
drawn = {
    "yours, peak at 0.2": lambda progress: shape(progress, 0.2),
    **{
        name: schedule
        for name, schedule in schedules.SCHEDULES.items()
        if name != "on-plateau"  # it depends on how the run goes
    },
}
schedule_curves(
    {
        name: [schedule(step / 200) for step in range(201)]
        for name, schedule in drawn.items()
    }
)

# %% [markdown]
# *Five lines over the share of training done: a constant 1; steps down to a tenth after a half and to a hundredth after
# three quarters; half a cosine; one-cycle, a rise until 0.3 and a fall; and yours, with its peak at 0.2.*
#
# A training loop needs the rate of every step. The rate of a step is the peak rate times the schedule's factor at the
# progress *before* that step: 0 for the first step of the run, and not yet 1 for the last.
#
# **Exercise 5.** Write `rates_of_run`. It returns a list with the rate of every optimizer step of a run, in order, for
# `images` training images, batches of `batch_size` and `epochs` epochs. Every epoch starts with a new batch. The last
# batch of an epoch may be smaller, and it is a step all the same. `rate` is the peak rate, and `schedule` is a function
# of the progress of the whole run, one number from 0 to 1.


# %%
def rates_of_run(images, batch_size, epochs, rate, schedule):
    """Return the learning rate of every step of a run."""
    ### BEGIN SOLUTION
    steps = math.ceil(images / batch_size) * epochs
    return [rate * schedule(step / steps) for step in range(steps)]
    ### END SOLUTION


# %%
all_rates = check("rates_of_run", rates_of_run).or_reference()

# %% [markdown]
# **Predict**: in a short training, which of these schedules ends with the highest validation accuracy, and which with
# the lowest? Then compare them: the same network, split, seed and number of steps. Only the schedule differs.

# %% tags=["nbval-ignore-output"]
out = tempfile.mkdtemp() if PROFILE == "quick" else "runs"
names = ["constant", "cosine", "one-cycle"]
if PROFILE == "quick":
    entries = {
        name: recipe.changed(epochs=2, batch_size=32, schedule=name)
        for name in names
    }
else:
    entries = {name: deepernets.get_recipe(f"race/{name}") for name in names}
runs = {
    name: deepernets.train(entry, profile=PROFILE, out=out).record
    for name, entry in entries.items()
}
for name, run in runs.items():
    print(f"{name:10} {run.epochs[-1]['validation_accuracy']:.1%}")
assert max(run.epochs[-1]["validation_accuracy"] for run in runs.values()) > 0.5
validation_accuracies(runs)

# %% [markdown]
# *Left, validation accuracy by epoch, one line with its own style and marker for each schedule. Right, the accuracy
# after the last epoch, from the lowest at the bottom to the highest at the top.*
#
# A record stores the rate of the first step of every epoch. Compare with the rates of `rates_of_run`:

# %%
run, recipe_run = runs["cosine"], entries["cosine"].at(PROFILE)
images, size = run.data["train"], recipe_run.batch_size
rates = all_rates(
    images,
    size,
    recipe_run.epochs,
    recipe_run.learning_rate,
    schedules.cosine,
)
per_epoch = len(rates) // recipe_run.epochs
first_of_epoch = [rates[epoch * per_epoch] for epoch in range(len(run.epochs))]
assert np.allclose(
    first_of_epoch, [epoch["learning_rate"] for epoch in run.epochs]
)
print("the first rate of every epoch is the one in the record")

# %% [markdown]
# ## SGD by hand
#
# In PyTorch's documentation, a step of SGD with momentum $\mu$ and weight decay $\lambda$ has three parts. The decay is
# added to the gradient $g$, the result is added to a velocity $v$, which is 0 before the first step, and the weight $w$
# takes a step of the rate $\eta$ along a direction $d$:
#
# $$g \leftarrow g + \lambda w, \qquad v \leftarrow \mu v + g, \qquad w \leftarrow w - \eta\, d.$$
#
# Without Nesterov's momentum, $d$ is the new velocity. With it, $d = g + \mu v$, with the new $v$ and the $g$ that
# contains the decay.
#
# **Exercise 6.** Write `sgd_step` with $\eta$ = 0.1. `weight`, `gradient` and `velocity` are tensors of the same
# shape, `momentum` is $\mu$, `weight_decay` is $\lambda$, `nesterov` is True or False. Return two tensors: the new
# weight, then the new velocity. The check takes several steps in a row with what you return. You need not keep the
# arguments unchanged.


# %%
def sgd_step(weight, gradient, velocity, momentum, weight_decay, nesterov):
    """Return weight and velocity after one step of SGD."""
    ### BEGIN SOLUTION
    gradient = gradient + weight_decay * weight
    velocity = momentum * velocity + gradient
    direction = gradient + momentum * velocity if nesterov else velocity
    return weight - 0.1 * direction, velocity
    ### END SOLUTION


# %%
take_sgd_step = check("sgd_step", sgd_step).or_reference()

# %%
STEPS = 5
for nesterov in (False, True):
    torch.manual_seed(0)
    by_hand, velocity = torch.ones(3), torch.zeros(3)
    by_torch = torch.ones(3, requires_grad=True)
    sgd = torch.optim.SGD(
        [by_torch], lr=0.1, momentum=0.9, weight_decay=0.05, nesterov=nesterov
    )
    for _ in range(STEPS):
        gradient = torch.randn(3)
        by_torch.grad = gradient.clone()  # a step may change its arguments
        by_hand, velocity = take_sgd_step(
            by_hand, gradient, velocity, 0.9, 0.05, nesterov
        )
        sgd.step()
    print(f"Nesterov: {nesterov}")
    print("  by hand:", [f"{weight:.3f}" for weight in by_hand.tolist()])
    print("  PyTorch:", [f"{weight:.3f}" for weight in by_torch.tolist()])
    assert torch.allclose(by_hand.float(), by_torch, atol=1e-5)

# %% [markdown]
# **Explain.** Suppose that the gradient is the same in every step. How long do the steps become with a momentum of 0.9,
# compared with no momentum? Two runs with the rate 0.1, one with momentum and one without: what does their comparison
# show?

# %% [markdown] tags=["answer"]
# With a constant gradient $g$ the velocity approaches $g (1 + \mu + \mu^2 + \dots) = g / (1 - \mu)$, so with 0.9 the
# steps become ten times as long as without momentum. The two runs differ in the momentum and, where gradients keep
# their direction, in the effective rate by a factor of ten. Their comparison shows mostly the effect of the rate. For
# a fair comparison each gets a rate of its own, chosen with the same effort on validation images.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * derives or states the length of the step in the limit, and the factor for a momentum of 0.9
# * says what differs between the two runs in addition to the momentum
# * says how to make the comparison fair
#
# </details>

# %% [markdown]
# ## Adam by hand
#
# SGD multiplies every gradient by the same rate. **Adam** (Kingma and Ba 2015, algorithm 1) divides each weight's
# gradient by its usual size. It keeps moving averages of the gradient, $m \leftarrow \beta_1 m + (1 - \beta_1) g$,
# and of its square, $v \leftarrow \beta_2 v + (1 - \beta_2) g^2$, corrects both for their start at 0 as in exercise
# 2, and takes the step
#
# $$w \leftarrow w - \eta\, \frac{\hat m}{\sqrt{\hat v} + \epsilon}, \qquad
# \hat m = \frac{m}{1 - \beta_1^n}, \quad \hat v = \frac{v}{1 - \beta_2^n}.$$
#
# **Exercise 7.** Write `adam_step` with $\eta$ = 0.01, $\beta_1$ = 0.9, $\beta_2$ = 0.999, $\epsilon$ = 10⁻⁸. `mean` is
# $m$, `square` is $v$, `step` is $n$, 1 at the first step. Return three tensors of the same shape, in this order: the
# new weight and both averages, *uncorrected*. The check takes several steps in a row with what you return. You need not
# keep the arguments unchanged.


# %%
def adam_step(weight, gradient, mean, square, step):
    """Return weight, mean and square after one step of Adam."""
    ### BEGIN SOLUTION
    mean = 0.9 * mean + 0.1 * gradient
    square = 0.999 * square + 0.001 * gradient**2
    unbiased_mean = mean / (1 - 0.9**step)
    unbiased_square = square / (1 - 0.999**step)
    change = 0.01 * unbiased_mean / (unbiased_square.sqrt() + 1e-8)
    return weight - change, mean, square
    ### END SOLUTION


# %%
take_step = check("adam_step", adam_step).or_reference()

# %%
torch.manual_seed(0)
by_hand = torch.zeros(4)
by_torch = torch.zeros(4, requires_grad=True)
mean, square = torch.zeros(4), torch.zeros(4)
adam = torch.optim.Adam([by_torch], lr=0.01)
for step in range(1, 6):
    gradient = torch.tensor([1000.0, 1.0, 0.001, -1.0]) * (1 + torch.rand(4))
    by_torch.grad = (
        gradient.clone()
    )  # as a step by hand may change its arguments
    by_hand, mean, square = take_step(by_hand, gradient, mean, square, step)
    adam.step()
print("by hand:", [f"{weight:.3f}" for weight in by_hand.tolist()])
print("PyTorch:", [f"{weight:.3f}" for weight in by_torch.tolist()])
assert torch.allclose(by_hand.float(), by_torch, atol=1e-5)

# %% [markdown]
# **Explain.** The gradients above are about 1000, 1 and 0.001, yet all weights have moved by nearly the same amount,
# about 0.05 after five steps. Why? What does that mean for the learning rate of Adam, compared with that of SGD? And
# what is different in **AdamW**?

# %% [markdown] tags=["answer"]
# The mean is divided by the root of the mean square, so the size of a gradient cancels: as long as it keeps its sign,
# every weight moves by about the learning rate in each step. Adam's rate is therefore a distance per step. A rate of
# 0.1, usual for SGD with normalised networks, is far too high for Adam, and 0.001 is usual. In Adam, weight decay that
# is added to the gradient is divided by that root as well, so weights with large gradients hardly decay. AdamW takes
# the decay out of the gradient and shrinks every weight by the same share (Loshchilov and Hutter 2019).

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * says what cancels in the quotient of the two averages
# * says in which unit Adam's rate is measured, and draws a conclusion for its usual size
# * says what happens to weight decay that is part of Adam's gradient, and where AdamW applies it
#
# </details>

# %% [markdown]
# ## Batches
#
# A larger batch gives a less noisy gradient, but fewer steps for the same number of images. **Predict**: how many steps
# do 15 epochs of 14,000 images take with batches of 32, of 64 and of 128?

# %%
for batch_size in (32, 64, 128):
    steps = len(all_rates(14_000, batch_size, 15, 0.1, schedules.cosine))
    print(f"batches of {batch_size:3}: {steps:5,} steps")

# %% [markdown]
# ## Compare: the real runs
#
# The course ships records of a longer comparison: ResNet-20 on the photographs of CIFAR-3 (14,000 training images,
# 1,000 held out), the same seed, 15 epochs each. Each run differs from the others in the one thing that its name
# says. SGD has a rate of 0.1, Adam and AdamW have 0.001 unless the name says otherwise. The runs that compare
# optimizers and batch sizes have the cosine schedule.

# %%
recorded = {
    record.recipe.name.removeprefix("race/"): record
    for record in deepernets.load_records()
    if record.recipe.name.startswith("race/")
}
some = next(iter(recorded.values()))
print(f"data: {some.data['name']} ({some.data['variant']}), seed {some.seed},")
print(f"{len(some.epochs)} epochs, {some.precision}")
GROUPS = {
    "schedules": ("constant", "step", "on-plateau", "cosine", "one-cycle"),
    "optimizers": ("cosine", "adam", "adam-0.01", "adamw"),
    "batches": ("batch-32", "batch-64", "cosine"),
}
for group, members in GROUPS.items():
    print(f"{group}:")
    for name in members:
        if name in recorded:
            last = recorded[name].epochs[-1]
            print(
                f"  {name:10} training loss {last['train_loss']:.3f},"
                f" validation accuracy {last['validation_accuracy']:.1%}"
            )
        else:
            print(f"  {name:10} not run yet")
validation_accuracies(
    {name: recorded[name] for name in GROUPS["schedules"] if name in recorded}
)

# %% [markdown]
# *Left, validation accuracy of ResNet-20 by epoch, one line for each schedule. Right, the accuracy after the last
# epoch, in order. The cell above prints the same accuracies. The lines of on-plateau and constant are the same, because
# on-plateau never lowered its rate in these epochs.*

# %%
validation_accuracies(
    {
        name: recorded[name]
        for name in (*GROUPS["optimizers"], "batch-32", "batch-64")
        if name in recorded
    }
)

# %% [markdown]
# *The same for optimizers and batch sizes: left by epoch, right after the last one, in order.*
#
# **Explain**, in two or three sentences each:
#
# 1. Compare the lines of the constant rate and of the falling ones. Where do they separate, and why are they alike
#    before?
# 2. One student report found that Adam "did not converge". Which of these lines are evidence on that, and what would
#    you ask the report's author first?
# 3. Which differences between these runs would you believe after one seed? Remember lab 5: on 1,000 validation images,
#    how wide is the interval of an accuracy of 90 %?

# %% [markdown] tags=["answer"]
# 1. As long as the rate is high, all accuracies vary from epoch to epoch, whatever the schedule: the steps are too long
#    to converge. The lines separate when the rates fall. Then the variation becomes smaller and the accuracy rises,
#    mostly in the last third. So it is the low rate at the end, after the high one, that helps. Where the line of
#    *on-plateau* is that of the constant rate, the validation error never stopped falling for long enough, and the rate
#    never fell.
# 2. The lines of Adam at 0.001 and at 0.01. Here both converged: their training losses of 0.167 and 0.148 are below
#    that of SGD with the same schedule, 0.193. This is one network on one data set, so the report's run may still
#    have failed. The first question is "Which learning rate did you use?", since the usual rates of SGD are far too
#    high for Adam. The next ones are whether the weight decay was Adam's or AdamW's, and whether the rate ever fell.
# 3. Wilson's interval for 900 of 1,000 is about 88 % to 92 %, so differences of a point or two are within the
#    sampling error of the validation images, and the variation over seeds comes on top. The 77.0 % of the constant
#    rate is an example: it is the accuracy after one bad epoch, and the epoch before had 88.9 %. A difference over
#    many epochs, such as that between falling and constant rates in the last third, is better evidence than one last
#    epoch. Several seeds would be better still.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * 1: says at which epochs the lines separate, and relates that to the rates there
# * 2: cites the runs of Adam at two rates, with their training losses
# * 2: asks for a setting whose usual value differs between SGD and Adam
# * 3: gives an interval for 1,000 images and compares the differences with it, and mentions seeds
#
# </details>
