# %% [markdown]
# # Lab 10: Make it fast
#
# A network that trains twice as fast can be tried twice as often. In this lab you measure a training loop as most
# tutorials write it, find out where its time goes, and make it faster step by step. You save and resume a training so
# that no computation is lost, let two processes share the work, and compute a first layer instead of training it. It
# takes 75 to 90 minutes.
#
# **You need** lab 3: the training step and the optimizer. No GPU is needed. The chapters
# [Fast training on one machine](book:one-machine) and [Training on many machines](book:many-machines) explain the
# methods. **You get** a timer, checkpoints that resume exactly, the two functions behind data-parallel training, and
# the whitening layer of the speedrun.
#
# How the exercises work: replace each `...` with your answer, run the cell, then run the check below it. The lab runs
# to the end whether or not you have solved an exercise.

# %%
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.transforms.functional import to_pil_image

import deepernets
from deepernets import check
from deepernets.benchmark.run import images_per_second
from deepernets.data.batches import Batches, Transform
from deepernets.data.images import channel_statistics
from deepernets.plots.comparison import ablation_effects
from deepernets.plots.performance import phase_times, training_speeds
from deepernets.results import ablation
from deepernets.results.comparison import measured
from deepernets.training import hardware, loop, timing

torch.manual_seed(0)
PROFILE = os.environ.get(
    "DEEPERNETS_PROFILE", "quick"
)  # quick: seconds; laptop: minutes; full: with a GPU

# %% [markdown]
# ## Measure first
#
# A single measurement says little. The first calls are slow, because memory is allocated and kernels are chosen, and
# sometimes another program uses the machine.
#
# **Exercise 1.** Write `median_seconds`. It calls `work()` `warm_up` times without timing it, and then `repeats` times,
# each between two readings of `clock()`. It returns the **median** of these `repeats` times, a number in seconds. The
# median of an even number of times is the mean of the middle two. (`statistics.median` takes a list.) Use the `clock`
# that is passed, and call `work()` no more often than that: both are counted.


# %%
def median_seconds(work, clock, warm_up, repeats):
    """Return the median time of a call of `work`, in seconds."""
    ### BEGIN SOLUTION
    for _ in range(warm_up):
        work()
    times = []
    for _ in range(repeats):
        before = clock()
        work()
        times.append(clock() - before)
    return statistics.median(times)
    ### END SOLUTION


# %%
stopwatch = check("median_seconds", median_seconds).or_reference()

# %% tags=["nbval-ignore-output"]
ones = torch.ones(500, 500)
seconds = stopwatch(lambda: ones @ ones, perf_counter, 2, 9)
print(
    f"500x500 times 500x500: {1000 * seconds:.2f} ms, "
    f"{2 * 500**3 / seconds / 1e9:.0f} billion operations a second"
)
assert seconds > 0

# %% [markdown]
# ## The loop that most tutorials write
#
# It keeps images as files or arrays, and turns each of them into a tensor *one at a time*, in Python: cropped,
# mirrored, converted, normalised. A `DataLoader` then stacks them. The cell below has this loop, and the `Batches` of
# the course, which do the same to a whole batch at once.

# %%
dataset = deepernets.load_dataset("cifar3", profile=PROFILE)
mean, std = channel_statistics(dataset.train)
IMAGES, BATCH = 320, 64
few = dataset.train.select(torch.arange(IMAGES))


class OneByOne(Dataset):
    """Images augmented one at a time, by torchvision's transforms."""

    def __init__(self):
        self.pictures = [to_pil_image(pixels) for pixels in few.pixels]
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(mean, std),
            ]
        )

    def __len__(self):
        return IMAGES

    def __getitem__(self, index):
        return self.transform(self.pictures[index]), few.labels[index]


plain = DataLoader(OneByOne(), batch_size=BATCH, shuffle=True)
whole = Batches(
    few, BATCH, Transform(mean, std, pad=4, flip=True), shuffle_seed=0
)
print(len(plain), "batches of", BATCH, "images either way:", len(whole))

# %% [markdown]
# **Predict**: how many times as fast is it to process a whole batch at once?

# %% tags=["nbval-ignore-output"]
by_image = stopwatch(lambda: list(plain), perf_counter, 1, 3) / IMAGES
by_batch = stopwatch(lambda: list(whole.epoch(1)), perf_counter, 1, 3) / IMAGES
print(f"one by one:    {1e6 * by_image:6.0f} microseconds per image")
print(f"a whole batch: {1e6 * by_batch:6.0f} microseconds per image")
assert by_image > 0
assert by_batch > 0

# %% [markdown]
# **Explain.** Both loops do the same arithmetic on the same pixels. Why is one so much slower?

# %% [markdown] tags=["answer"]
# Every call from Python to an operation costs some microseconds, whatever it works on: finding the function, checking
# arguments, allocating the result. An image of 32×32 is small, so with a handful of calls per image the calls cost more
# than the pixels. For a whole batch the same few calls are made once, and the work inside them runs in compiled code
# over contiguous memory.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * names a cost that each call has, whatever the size of its input;
# * compares the number of calls per image in the two loops;
# * says why the size of the images matters.
#
# </details>

# %% [markdown]
# ## Where a step's time goes
#
# **Predict**: of the time of a training step, what share do data, forward pass, backward pass and optimizer take?
#
# The cells below train the same small VGG in four variants, each with one more improvement: the plain loop; whole
# batches; **channels last**, the memory layout that convolutions prefer on most hardware; and **bf16**, numbers of half
# the length, where the processor has units for them.


# %%
def small_vgg(layout=torch.contiguous_format):
    """VGG in miniature, with the weights of seed 0, in a memory layout."""
    torch.manual_seed(0)
    network = deepernets.build_model(
        "vgg-mini-bn-cifar", in_shape=(3, 32, 32), classes=3
    )
    return network.to(memory_format=layout)


def measure(batches, layout=torch.contiguous_format, precision="fp32"):
    """Return the seconds per image of each phase of training."""
    accelerator = hardware.accelerator(precision)
    network = small_vgg(layout)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    network, optimizer = accelerator.prepare(network, optimizer)
    return timing.measure_phases(
        network, batches, nn.CrossEntropyLoss(), optimizer
    )


# %% tags=["nbval-ignore-output"]
last = Batches(
    few,
    BATCH,
    Transform(mean, std, pad=4, flip=True),
    shuffle_seed=0,
    channels_last=True,
)
has_bf16 = hardware.has_bf16_units(torch.device("cpu"))
spent = {
    "plain loop": measure(plain),
    "whole batches": measure(whole.epoch(1)),
    "and channels last": measure(last.epoch(1), torch.channels_last),
}
if has_bf16:
    spent["and bf16"] = measure(last.epoch(1), torch.channels_last, "bf16")
else:
    print("This processor has no units for bf16.")
total = {name: sum(parts.values()) for name, parts in spent.items()}
for name, seconds in total.items():
    print(
        f"{name:18} {1 / seconds:6.0f} images a second, "
        f"{total['plain loop'] / seconds:4.1f} times the plain loop's"
    )
assert all(
    seconds > 0 for parts in spent.values() for seconds in parts.values()
)
phase_times(spent, rows=4)

# %% [markdown]
# *A bar for each variant, as long as the time for one image, in milliseconds, with parts for data, forward pass,
# backward pass and optimizer. The plain loop is on top. Each bar below it has one more improvement.*
#
# Faster must not mean different. The layout changes where a number is stored, and not its value. bf16 does round, to
# two or three digits.

# %%
torch.manual_seed(0)
some = torch.randn(4, 3, 32, 32)
one, other = small_vgg().eval(), small_vgg(torch.channels_last).eval()
with torch.no_grad():
    logits = one(some)
    same = other(some.contiguous(memory_format=torch.channels_last))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        short = one(some).float()
print("channels last, same logits:", torch.allclose(logits, same, atol=1e-4))
print("bf16, similar logits:", torch.allclose(logits, short, atol=0.1))

# %% [markdown]
# The next step would be `torch.compile`, which fuses small operations into large ones. Compiling takes about a minute
# and a C++ compiler. On a GPU it pays off in long runs. On a CPU it may not, so measure. The `quick` profile leaves it
# out.

# %% tags=["nbval-ignore-output"]
if PROFILE != "quick":
    network = torch.compile(small_vgg(torch.channels_last))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    list(map(network, [images for images, _ in last.epoch(1)]))  # compiles
    compiled = timing.measure_phases(
        network, last.epoch(2), nn.CrossEntropyLoss(), optimizer
    )
    print(f"compiled: {1 / sum(compiled.values()):.0f} images a second")
else:
    print("Not in the quick profile.")

# %% [markdown]
# ## A profile
#
# Phases show *when* the time is spent. A **profiler** shows *in which operation*.

# %% tags=["nbval-ignore-output"]
network = small_vgg()
images, labels = next(iter(whole.epoch(1)))
with torch.profiler.profile() as profile:
    nn.functional.cross_entropy(network(images), labels)
operations = sorted(
    profile.key_averages(), key=lambda row: -row.self_cpu_time_total
)
everything = sum(row.self_cpu_time_total for row in operations)
for row in operations[:6]:
    print(
        f"{row.self_cpu_time_total / everything:6.1%} {row.count:4} calls  {row.key}"
    )
assert any("conv" in row.key for row in operations[:6])

# %% [markdown]
# ## What an improvement is worth
#
# If a part of the work takes the share $s$ of the time, and becomes $f$ times as fast, the whole takes
# $(1 - s) + s / f$ of its former time (Amdahl 1967).
#
# **Predict**: how many times as fast does the whole become if $s$ is 10 %, 50 %, 90 % or 99 %, and $f$ is 10? And if
# $f$ is as large as you like?

# %%
for share in (0.1, 0.5, 0.9, 0.99):
    ten, endless = (1 / (1 - share + share / f) for f in (10, 1e9))
    print(
        f"{share:4.0%} of the time, ten times as fast: {ten:4.1f} times; "
        f"endlessly fast: {endless:5.1f} times"
    )

# %% [markdown]
# **Explain.** Look at your own bars: which part is worth improving next, and what is the most that could be gained?
# Why did work on the data pay off at first, and why does it no longer?

# %% [markdown] tags=["answer"]
# The longest part, usually the backward pass: it does about twice the arithmetic of the forward pass, one product for
# the gradients of the inputs and one for those of the weights. With a share s, the whole can become at most 1 / (1 -
# s) times as fast. Data was the part of the plain loop that could be made almost free: an eighth of its time in the
# stored run, and far more with a GPU, which makes all the other parts faster. Once it is a few per cent, even making
# it free would gain a few per cent. Every improvement moves the bottleneck, so measure again after each.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * names the longest part of its own measurement, with its share;
# * computes the limit for that part from the formula;
# * says how the share of the data has changed, and what that means for its limit.
#
# </details>

# %% [markdown]
# ## Stop and resume
#
# Long trainings are interrupted: a notebook is disconnected, a queue ends after some hours, a machine fails. The
# fastest way to train again is not to. A **checkpoint** is a file with everything that training needs in order to go
# on as if it had not been interrupted, to the last bit. Here is a small training with dropout, batch normalisation and
# momentum.


# %%
points = torch.randn(96, 8)
sides = (points[:, :2].prod(dim=1) > 0).long()  # (96,): 0 or 1


def new_training(seed):
    """Return a network and its optimizer, and seed the random numbers."""
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Linear(8, 32),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(32, 2),
    )
    return network, torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)


def train_epochs(network, optimizer, first, last):
    """Train from epoch `first` to epoch `last`, in an order drawn anew in every epoch."""
    for _ in range(first, last + 1):
        for part in torch.randperm(96).split(32):
            loop.train_step(
                network,
                points[part],
                sides[part],
                nn.CrossEntropyLoss(),
                optimizer,
            )


def same_weights(one, other):
    """Return whether two networks have the same numbers, to the last bit."""
    pairs = zip(
        one.state_dict().values(), other.state_dict().values(), strict=True
    )
    return all(torch.equal(mine, yours) for mine, yours in pairs)


# %% [markdown]
# **Exercise 2.** Write `save_checkpoint`. It writes one file at `path` (a `pathlib.Path`) with `torch.save`: a
# dictionary with exactly these four keys:
#
# * `"model"`: the state dictionary of the network, which has its parameters and its running statistics;
# * `"optimizer"`: the state dictionary of the optimizer, which has its momentum;
# * `"epoch"`: the argument `epoch`, the number of epochs that are finished;
# * `"random"`: the state of PyTorch's default random number generator, from `torch.get_rng_state()`.
#
# Store state dictionaries and not the objects themselves: `torch.load` refuses a file with objects in it, because
# reading one could run any code. What the function returns does not matter. It changes neither network nor optimizer,
# and draws no random numbers.


# %%
def save_checkpoint(path, model, optimizer, epoch):
    """Write everything that training needs in order to go on."""
    ### BEGIN SOLUTION
    checkpoint = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": epoch,
        "random": torch.get_rng_state(),
    }
    torch.save(checkpoint, path)
    ### END SOLUTION


# %%
save = check("save_checkpoint", save_checkpoint).or_reference()

# %% [markdown]
# **Exercise 3.** Write `load_checkpoint`. It reads such a file, and restores its contents in the `model` and the
# `optimizer` that are passed, in place (both have a method `load_state_dict`), and in PyTorch's default random number
# generator (`torch.set_rng_state`). Afterwards the generator must be in exactly this state, and the network in the mode
# that it was in. The file stays as it is. Return the number of finished epochs.


# %%
def load_checkpoint(path, model, optimizer):
    """Restore a training from a file; return the number of finished epochs."""
    ### BEGIN SOLUTION
    checkpoint = torch.load(path)
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    torch.set_rng_state(checkpoint["random"])
    return checkpoint["epoch"]
    ### END SOLUTION


# %%
load = check("load_checkpoint", load_checkpoint).or_reference()

# %% [markdown]
# Six epochs without an interruption, and six epochs that are interrupted after the third. The second network and its
# optimizer are made anew, with another seed. **Predict**: are the weights equal at the end, to the last bit? And what
# if one entry of the checkpoint is left out?

# %%
unbroken, optimizer = new_training(0)
train_epochs(unbroken, optimizer, 1, 6)

file = Path(tempfile.mkdtemp()) / "checkpoint.pt"
interrupted, optimizer = new_training(0)
train_epochs(interrupted, optimizer, 1, 3)
save(file, interrupted, optimizer, 3)

resumed, optimizer = new_training(1)
finished = load(file, resumed, optimizer)
train_epochs(resumed, optimizer, int(finished) + 1, 6)
print("all entries restored, same weights:", same_weights(unbroken, resumed))
assert same_weights(unbroken, resumed)

# %%
for left_out in ("model", "optimizer", "random"):
    resumed, optimizer = new_training(1)
    fresh = {
        "model": resumed.state_dict(),
        "optimizer": optimizer.state_dict(),
        "random": torch.get_rng_state(),
    }
    incomplete = torch.load(file) | {left_out: fresh[left_out]}
    torch.save(incomplete, file.with_name("incomplete.pt"))
    load(file.with_name("incomplete.pt"), resumed, optimizer)
    train_epochs(resumed, optimizer, 4, 6)
    print(f"{left_out} lost, same weights: {same_weights(unbroken, resumed)}")

# %% [markdown]
# **Explain.** (1) What would a loss curve show if the momentum were missing in the checkpoint, and what if the random
# state were? (2) A machine may fail while it writes a checkpoint. What is then lost, and how can this be prevented?

# %% [markdown] tags=["answer"]
# (1) Without the momentum, the first steps after the interruption are too small, because the running sum of gradients
# starts at zero, and the curve has a kink there. With Adam, whose step size depends on its state, the loss can even
# jump. Without the random state, images come in another order and dropout hides other units. The curve looks just as
# plausible, but it is that of another run, so the result cannot be reproduced. (2) The file is incomplete, and the old
# checkpoint has been overwritten, so both are lost. Write to a temporary name in the same folder, and rename the file
# when it is complete: renaming either happens or does not. The course's own training does that after every epoch.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * says what the optimizer's state is used for in the next step, and what follows for the loss;
# * says which random choices change without the random state, and why a curve does not show it;
# * says in which state the only file is after a failure during writing;
# * proposes an order of steps in which a complete file exists at every moment.
#
# </details>

# %% [markdown]
# ## Two processes
#
# Several processes, each with a copy of the network, can share a batch. Each takes a **shard** of the images and
# computes its gradient. All average their gradients, so that the copies remain equal. The total work is the same.
#
# **Exercise 4.** Write `shard`. It returns the part of the list `indices` that process `rank` of `world` processes
# takes: entries of the list, which are all different, and not their positions. Ranks count from 0. Every entry is in
# exactly one shard, and no shard is longer than another by more than one. The length of the list need not be a multiple
# of `world`, and may be smaller. Return a list (a tensor or an array of whole numbers is accepted, too). The order
# within a shard does not matter.


# %%
def shard(indices, rank, world):
    """Return the indices of one process."""
    ### BEGIN SOLUTION
    return indices[rank::world]
    ### END SOLUTION


# %%
shard_verdict = check("shard", shard)
divide = shard_verdict.or_reference()

# %%
if shard_verdict.status == "right":
    for rank in range(3):
        print(f"rank {rank} of 3:", list(divide(list(range(10)), rank, 3)))

# %% [markdown]
# **Exercise 5.** Write `averaged`. `gradients` is a list with one tensor per process, the **mean** gradient over its
# images, all of the same shape. `images` is a list of how many images each process had. Return the mean gradient over
# *all* images, a tensor of that shape. Do not change the gradients.


# %%
def averaged(gradients, images):
    """Return the mean gradient over the images of all processes."""
    ### BEGIN SOLUTION
    total = sum(
        n * gradient for n, gradient in zip(images, gradients, strict=True)
    )
    return total / sum(images)
    ### END SOLUTION


# %%
combine = check("averaged", averaged).or_reference()


# %%
def gradient(inputs, targets):
    """Return the gradient of a linear model's mean loss."""
    weight = torch.ones(5, 3, requires_grad=True)
    loss = nn.functional.cross_entropy(inputs @ weight, targets)
    return torch.autograd.grad(loss, weight)[0]


torch.manual_seed(0)
inputs, targets = torch.randn(10, 5), torch.randint(3, (10,))
parts = [divide(list(range(10)), rank, 3) for rank in range(3)]
together = combine(
    [gradient(inputs[part], targets[part]) for part in parts],
    [len(part) for part in parts],
)
print(
    "three shards give the gradient of the whole batch:",
    torch.allclose(together.float(), gradient(inputs, targets), atol=1e-6),
)

# %% [markdown]
# Now with real processes. `torchrun` starts them and tells each its rank, and `all_reduce` adds up a tensor over all of
# them. Each process below takes half of a batch, and compares the averaged gradient with that of the whole batch.

# %% tags=["nbval-ignore-output"]
from deepernets.training.distributed import local_connection

SCRIPT = """
import torch
from torch import distributed

distributed.init_process_group("gloo")
rank, world = distributed.get_rank(), distributed.get_world_size()
torch.manual_seed(0)
inputs, targets = torch.randn(10, 5), torch.randint(3, (10,))

def gradient(inputs, targets):
    weight = torch.ones(5, 3, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(inputs @ weight, targets)
    return torch.autograd.grad(loss, weight)[0]

mine = gradient(inputs.chunk(world)[rank], targets.chunk(world)[rank])
distributed.all_reduce(mine)
difference = (mine / world - gradient(inputs, targets)).abs().max().item()
line = f"rank {rank} of {world}: largest difference {difference:.0e}\\n"
print(line, end="", flush=True)  # in one piece, because the other process prints as well
assert difference < 1e-6
distributed.destroy_process_group()
"""
script = Path(tempfile.mkdtemp()) / "two.py"
script.write_text(SCRIPT)
command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
done = subprocess.run(
    [*command, "--nproc-per-node", "2", str(script)],
    env={**os.environ, **local_connection(), "OMP_NUM_THREADS": "1"},
    capture_output=True,
    text=True,
    timeout=120,
)
print(done.stdout)
if done.returncode and sys.platform == "win32":
    print(
        "Two processes cannot be connected on this Windows; "
        "run this cell in WSL or in Colab. The lab goes on."
    )
else:
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("largest difference") == 2

# %% [markdown]
# **Explain.** In every step, each process sends and receives about twice its gradients (a ring of $p$ processes moves
# $2 (p - 1) / p$ times their bytes). VGG-16 with its 138 million parameters and ResNet-50 with its 26 million do about
# 15 and 4 billion multiply-adds per image. Which of the two is easier to distribute over many machines, and what would
# you change in the batch to make it easier for both?

# %% [markdown] tags=["answer"]
# ResNet-50 is easier to distribute. What counts is computation per byte sent. In single precision VGG-16 has about
# 553 MB of gradients, ResNet-50 about 102 MB. For one image per process VGG-16 does 15 billion / 553 million = 27
# multiply-adds in the forward pass for each byte of gradients, ResNet-50 4 billion / 102 million = 39. Most of the
# bytes of VGG-16 belong to its first fully-connected layer, which needs very little computation. A training step
# takes three times the work of the forward pass, in both networks. A larger batch per process does more work for the
# same bytes. Sending gradients in bf16 halves them, and sending those of the last layers while the first ones are
# still being computed hides much of the time.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * compares computation per byte, and not computation or bytes alone;
# * gives both ratios as numbers;
# * says how the batch per process changes the ratio.
#
# </details>

# %% [markdown]
# ## The speedrun
#
# How soon can a network learn CIFAR-10? A speedrun is won by fast hardware, well used, and by training that needs
# little of it. One part of the course's speedrun is a first layer that is **computed** instead of trained.
#
# Neighbouring pixels are similar, so the pixels of a 2×2 patch repeat each other. *Whitening* removes this. Let
# $\Sigma$ be the covariance of the patches, as vectors of $d$ numbers. A filter is a vector of $d$ weights, and its
# response to a patch is their inner product. If the filters are the *rows* of a matrix $W$, the covariance of the
# responses is $W \Sigma W^\top$. This takes two steps: filters whose responses are uncorrelated, and then a scale for
# each of them.
#
# **Exercise 6.** Write `uncorrelated_filters`. From the covariance, a symmetric tensor $(d, d)$ with positive
# eigenvalues, it returns a tensor $R$ of the same shape. Its rows have length 1 and are orthogonal to each other
# ($R R^\top$ is the identity), and the responses are uncorrelated ($R \Sigma R^\top$ is diagonal). The order and the
# signs of the rows do not matter. `torch.linalg.eigh(covariance)` returns the eigenvalues $\Lambda$ and, as *columns*
# of a matrix $V$, the eigenvectors, with $\Sigma = V \Lambda V^\top$.


# %%
def uncorrelated_filters(covariance):
    """Return filters of length 1, one per row, with uncorrelated responses."""
    ### BEGIN SOLUTION
    directions = torch.linalg.eigh(covariance)[1]
    return directions.T
    ### END SOLUTION


# %%
turn = check("uncorrelated_filters", uncorrelated_filters).or_reference()

# %% [markdown]
# **Exercise 7.** Write `whitening`. It returns a tensor $W$ of the shape of the covariance for which
# $W \Sigma W^\top$ is the identity: responses are uncorrelated *and* have variance 1. Start from `turn(covariance)`,
# which is your function if it is right. Which variance does the response of each of its rows have, and what does it
# become if you multiply a row by a number? Do not change the covariance.


# %%
def whitening(covariance):
    """Return filters, one per row, with uncorrelated responses of variance 1."""
    ### BEGIN SOLUTION
    filters = turn(covariance)
    variances = (filters @ covariance @ filters.T).diagonal()
    return filters / variances.sqrt()[:, None]
    ### END SOLUTION


# %%
whitener = check("whitening", whitening).or_reference()

# %%
normalised = Transform(mean, std).normalise(few.pixels)
patches = nn.functional.unfold(normalised, kernel_size=2)  # (N, 12, patches)
rows = patches.transpose(1, 2).flatten(0, 1)  # (patches of all images, 12)
before = torch.cov(rows.T)
filters = whitener(before).float()
after = torch.cov((rows @ filters.T).T)
others = ~torch.eye(12, dtype=torch.bool)
print("largest covariance of two pixels: before whitening", end=" ")
print(
    f"{before[others].abs().max():.2f}, after it {after[others].abs().max():.2f}"
)

# %% [markdown]
# Each filter and its negative, so that both signs get through the ReLU, are the first layer of the network of the
# speedrun, and they are not trained. The other parts, with their names in the figure below: every convolution starts
# by passing on its input (*identity*); *lookahead* weights follow those of SGD at half the distance; each image is
# mirrored in *every other* epoch instead of at random (*alternation*); at the end the network averages its
# predictions for each image and its mirror image (*both ways*); and the *one cycle* of the learning rate, *label
# smoothing* and *crops* are as in other recipes. Without one cycle the rate is constant, a tenth of the peak. The
# recipe `cifar10/dash-narrow` combines them in a small network and three epochs. There is one recipe without each
# part.
#
# **Predict**: which part is worth most? Which could be left out?

# %% tags=["nbval-ignore-output"]
whole = measured("cifar10/dash-narrow", deepernets.load_records())
print(f"with all parts: {whole} % on the test images ({whole.particulars})")
assert whole.mean > 50
ablation_effects(
    ablation.ablation_effects("cifar10/dash-narrow", deepernets.load_records())
)

# %% [markdown]
# *A row for each part, the most valuable on top: the test accuracy with all parts minus that without the part, in
# percentage points, with a dot for each seed and a bar for mean ± standard deviation. For a part near zero, these
# runs show no effect. The axis is linear between -1 and 1 and logarithmic beyond.*
#
# **Explain.** Three epochs are a short training. Which parts would you expect to be worth more in a long one, and which
# less?

# %% [markdown] tags=["answer"]
# Parts that help a network to *begin* (whitening, convolutions that start as identities) matter most when there is
# little time, because in a long training the layers learn the same. Parts against *memorising* (crops, flips, label
# smoothing) are worth little while every image has been seen three times, and can even cost something. They pay off
# in a long training. The same holds for lookahead, which slows the weights down. One cycle is worth most here, and a
# rate that falls to 0 helps in a long training, too (lab 7). Averaging over an image and its mirror image is an
# average of two predictions and helps at any length.

# %% [markdown]
# <details><summary>Rubric: open it after you have written your answer</summary>
#
# * distinguishes parts that speed up the beginning from parts against memorising, with an example of each;
# * gives the reason for the direction of each change;
# * names a part whose worth does not depend on the length, and why.
#
# </details>

# %% [markdown]
# ## Recorded speeds
#
# The records that ship with the course have the seconds of every epoch. Each point below is the fastest epoch of a run.

# %% tags=["nbval-ignore-output"]
recorded = deepernets.load_records()
print(f"{len(recorded)} runs, on")
print(*sorted({record.device for record in recorded}), sep="\n")
assert all(images_per_second(record) > 0 for record in recorded)
training_speeds(recorded)

# %% [markdown]
# *A row for each network, precision and data set, ordered by its fastest run, with a dot for each run: images per
# second in training. All dots above 4,000 are runs on the GPU, all below are runs on a processor.*
