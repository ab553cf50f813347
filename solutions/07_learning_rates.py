# %% [markdown]
# # Lab 7: Learning rates
#
# The learning rate is the first number to get right, and the one that most failed trainings have wrong. In this lab
# you find a good one with a test that takes seconds, make it rise and fall on a schedule, write one step of Adam by
# hand, and race schedules, optimizers and batch sizes against each other. It takes 45 to 90 minutes.
#
# You should have trained a network in lab 3, and know what momentum is.
#
# How the exercises work: replace each `...` with your answer, run the cell, then run the check below it. A check
# says *right*, or *wrong* with a hint that fits the mistake. The lab runs to the end whether or not you have
# solved an exercise, because `or_else` puts the course's own function in the place of a missing one, under a new
# name: `rising_rates` stays yours, `ladder` is what the lab goes on with.

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
from deepernets.training.lr_finder import RangeTest, range_test
from deepernets.training.options import RunOptions
from deepernets.training.preparation import prepare, prepare_data

PROFILE = os.environ.get(
    "DEEPERNETS_PROFILE", "quick"
)  # quick: seconds; laptop: minutes; full: with a GPU

# %% [markdown]
# ## The range test
#
# Start with a rate that is far too low, raise it a little at every step, and watch the loss: at first nothing happens,
# then it falls, then it flies away. One pass of a few dozen steps shows where a network learns (Smith 2017).
#
# **Predict**: you try rates from 0.0001 to 10. If they rise by the same *amount* at every step, how many of 50 steps
# are below 0.1?
#
# **Exercise 1.** Write `rising_rates`: a list of `steps` rates from `low` to `high`, both included, each the same
# *factor* higher than the one before.


# %%
def rising_rates(low, high, steps):
    """Return rates that rise geometrically from low to high."""
    ### BEGIN SOLUTION
    ratio = high / low
    return [low * ratio ** (step / (steps - 1)) for step in range(steps)]
    ### END SOLUTION


# %%
ladder = check("rising_rates", rising_rates).or_else(np.geomspace)
print([f"{rate:.3g}" for rate in ladder(0.001, 10, 5)])

# %% [markdown]
# The package's `range_test` climbs such a ladder with a network and puts its weights back afterwards. In the `quick`
# profile this is a VGG in miniature on drawn pictures; otherwise ResNet-20 on CIFAR-3.

# %% tags=["nbval-ignore-output"]
if PROFILE == "quick":
    recipe = deepernets.get_recipe("quick/vgg").changed(train_images=480)
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
# The loss of single batches jumps about. An **exponential moving average** smooths it: keep most of the average so
# far, and add a little of the new loss,
#
# $$m_n = \beta\, m_{n-1} + (1 - \beta)\, \ell_n, \qquad m_0 = 0.$$
#
# Because it starts at 0, the first averages are too small: after $n$ losses, the start still has the weight
# $\beta^n$. Dividing by $1 - \beta^n$ takes that share out. Adam does the same, further below.
#
# **Exercise 2.** Write `smooth_losses`: the list of corrected averages. `keep` is $\beta$.


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
def course_smooth(losses, keep):
    """The course's own, which keeps 0.9."""
    return RangeTest(np.ones(len(losses)), np.array(losses)).smoothed


smooth = check("smooth_losses", smooth_losses).or_else(course_smooth)

# %% [markdown]
# **Exercise 3.** Write `suggest_rate`: a third of the rate at which the smoothed losses are lowest. `rates` and
# `losses` are lists of the same length; the losses are smooth already.


# %%
def suggest_rate(rates, losses):
    """Return a third of the rate with the lowest loss."""
    ### BEGIN SOLUTION
    return rates[int(np.argmin(losses))] / 3
    ### END SOLUTION


# %%
def course_suggestion(rates, losses):
    """The course's own, in one line."""
    return min(zip(losses, rates, strict=True))[1] / 3


suggest = check("suggest_rate", suggest_rate).or_else(course_suggestion)

# %% tags=["nbval-ignore-output"]
smoothed = [float(average) for average in smooth(tried.losses.tolist(), 0.9)]
suggested = suggest(tried.rates.tolist(), smoothed)
print(f"a third of the rate with the lowest loss: {suggested:.2g}")
assert math.isclose(suggested, tried.suggestion, rel_tol=1e-4)
plots.learning_rate_range(tried)

# %% [markdown]
# *Training loss against the learning rate, which grows by factors to the right: a pale line for the single batches, a
# bold one for their moving average. A dashed line marks a third of the rate at which the average is lowest.*
#
# **Explain.** Why take a third of the rate with the lowest loss, and not that rate itself?

# %% [markdown] tags=["answer"]
# For three reasons. The smoothed loss lags behind: when its minimum shows, the loss has risen for some steps already.
# The test spends one step at each rate, and a rate may be bearable for one step that ruins a network in a hundred.
# And the loss that is low there is the work of all the lower rates before. A step back from the edge costs little; a
# step beyond it costs the run.

# %% [markdown]
# ## Schedules
#
# A high rate crosses the landscape quickly, a low one settles. So the rate falls during training: in steps, along a
# cosine, when the validation error stops falling; and often it rises first, because fresh weights do not bear a high
# rate. In this course a schedule is a pure function: from the share of training done to a factor of the rate.
#
# **Exercise 4.** Write `cosine_with_warm_up`. Up to the share `peak` the factor rises in a straight line from 0 to 1;
# from there it falls to 0 at the end, along half a cosine, $(1 + \cos \pi x) / 2$ with $x$ from 0 to 1.


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
def course_shape(progress, peak):
    """The course's own, put together from its schedules."""
    if progress < peak:
        return progress / peak
    return schedules.cosine((progress - peak) / (1 - peak))


shape = check("cosine_with_warm_up", cosine_with_warm_up).or_else(course_shape)

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
# *Five lines over the share of training done: a constant 1; steps down to a tenth at the half and to a hundredth at
# three quarters; half a cosine; one-cycle, a rise until 0.3 and a fall; and yours, with its peak at 0.2.*
#
# **Predict**: in a short training, which of these ends with the highest validation accuracy, and which with the
# lowest? Then race them: the same network, split, seed and number of steps; only the schedule differs.

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
# *Left, validation accuracy by epoch, one line with its own dash and marker for each schedule; right, the accuracy
# after the last epoch, from the lowest at the bottom to the highest at the top.*
#
# ## Adam by hand
#
# SGD multiplies every gradient with the same rate. **Adam** (Kingma and Ba 2015, algorithm 1) measures each weight's
# gradient against its usual size: it keeps moving averages of the gradient, $m$, and of its square, $v$, corrects both
# for their start at 0 as in exercise 2, and takes the step
#
# $$w \leftarrow w - \eta\, \frac{\hat m}{\sqrt{\hat v} + \epsilon}, \qquad
# \hat m = \frac{m}{1 - \beta_1^n}, \quad \hat v = \frac{v}{1 - \beta_2^n}.$$
#
# **Exercise 5.** Write `adam_step` with $\eta$ = 0.01, $\beta_1$ = 0.9, $\beta_2$ = 0.999, $\epsilon$ = 10⁻⁸. `mean` is
# $m$, `square` is $v$, `step` is $n$, 1 at the first step. Return three tensors: the new weight, and both averages,
# *uncorrected*.


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
def course_adam(weight, gradient, mean, square, step):
    """The course's own, in PyTorch's in-place arithmetic."""
    mean = mean.lerp(gradient, 0.1)
    square = square.mul(0.999).addcmul(gradient, gradient, value=0.001)
    root = (square / (1 - 0.999**step)).sqrt().add(1e-8)
    weight = weight.addcdiv(mean, root, value=-0.01 / (1 - 0.9**step))
    return weight, mean, square


take_step = check("adam_step", adam_step).or_else(course_adam)

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
# every weight moves by about the learning rate per step. Adam's rate is therefore a distance per step, and 0.1, usual
# for SGD with normalised networks, is enormous for it; 0.001 is the usual one. In Adam, weight decay added to the
# gradient is divided by that root as well, so weights with large gradients hardly decay; AdamW takes the decay out of
# the gradient and shrinks every weight by the same share (Loshchilov and Hutter 2019).

# %% [markdown]
# ## Batches
#
# A larger batch gives a less noisy gradient, but fewer steps for the same number of images.
#
# **Exercise 6.** Write `steps_per_run`: how many optimizer steps a run takes. The last batch of an epoch may be
# smaller; it is a step all the same.


# %%
def steps_per_run(images, batch_size, epochs):
    """Return the number of optimizer steps of a whole run."""
    ### BEGIN SOLUTION
    batches = math.ceil(images / batch_size)
    return batches * epochs
    ### END SOLUTION


# %%
def course_steps(images, batch_size, epochs):
    """The course's own count."""
    return len(range(0, images, batch_size)) * epochs


count_steps = check("steps_per_run", steps_per_run).or_else(course_steps)

# %%
for batch_size in (32, 64, 128):
    steps = count_steps(14_000, batch_size, 15)
    print(f"batches of {batch_size:3}: {steps:5,} steps")

# %% [markdown]
# ## Compare: the real race
#
# The course ships records of a longer race: ResNet-20 on the photographs of CIFAR-3 (14,000 training images, 1,000 held
# out), the same seed, 15 epochs each. Each entry differs from the others in the one thing that its name says. SGD runs
# at a rate of 0.1, Adam and AdamW at 0.001 unless the name says otherwise; the optimizers and the batch sizes run on
# the cosine schedule.

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
# *Left, validation accuracy of ResNet-20 by epoch, one line for each schedule; right, the accuracy after the last
# epoch, in order. The cell above prints the same figures.*

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
# 1. Look at the lines of the constant rate and of the falling ones. Where do they part, and why do they move together
#    before?
# 2. One student report found that Adam "did not converge". Which of these lines speaks to that, and what would you ask
#    the report's author first?
# 3. Which differences of this race would you bet on after one seed? Remember lab 5: on 1,000 validation images, how
#    wide is the interval of an accuracy of 90 %?

# %% [markdown] tags=["answer"]
# 1. As long as the rate is high, all of them jump from epoch to epoch, whatever the schedule: the steps are too long to
#    settle. They part when the rates fall: then the jumps get smaller and the accuracy rises, mostly in the last third.
#    So it is the low rate at the end, after the high one, that pays. Where the line of *on-plateau* lies on that of
#    the constant rate, the validation error never stood still for long enough, and the rate never fell.
# 2. The lines of Adam at 0.001 and at 0.01: the printed training losses say whether it converged, and at which rate.
#    "Which learning rate did you use?" comes first, as SGD's habitual rates are far too high for Adam; then whether the
#    weight decay was Adam's or AdamW's, and whether the rate ever fell.
# 3. Wilson's interval for 900 of 1,000 is about 88 % to 92 %, so differences of a point or two are within the luck of
#    the validation images, and seeds come on top. A gap that shows over many epochs, such as that between falling and
#    constant rates in the last third, is better evidence than a single last point; several seeds would be better still.
