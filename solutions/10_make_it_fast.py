# %% [markdown]
# # Lab 10: Make it fast
#
# A network that trains twice as fast is one that you can try twice as often. In this lab you measure a training loop
# as most tutorials write it, find out where its time goes, and take the brakes off one by one; then two processes
# share the work, and at the end everything comes together in a dash. It takes 75 to 105 minutes.
#
# You should have trained a network in lab 3. No GPU is needed: what is slow on a laptop is slow for reasons.
#
# How the exercises work: replace each `...` with your answer, run the cell, then run the check below it. A check
# says *right*, or *wrong* with a hint that fits the mistake. The lab runs to the end whether or not you have
# solved an exercise, because `or_else` puts the course's own function in the place of a missing one, under a new
# name: `median_seconds` stays yours, `stopwatch` is what the lab goes on with.

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
from deepernets.data.batches import Batches, Transform
from deepernets.data.images import channel_statistics
from deepernets.plots import timing as pictures
from deepernets.plots.ablation import worths
from deepernets.results import ablation
from deepernets.results.comparison import measured
from deepernets.training import hardware, timing

torch.manual_seed(0)
PROFILE = os.environ.get(
    "DEEPERNETS_PROFILE", "quick"
)  # quick: seconds; laptop: minutes; full: with a GPU

# %% [markdown]
# ## Measure first
#
# A single measurement says little: the first calls are slow (memory is fetched, kernels are chosen), and now and then
# another program wants the machine.
#
# **Exercise 1.** Write `median_seconds`: call `work()` `warm_up` times without timing it, then `repeats` times between
# two readings of `clock()`, and return the **median** of those times. (`statistics.median` takes a list.)


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
def course_seconds(work, clock, warm_up, repeats):
    """The course's own, which has its own clock."""
    return timing.median_seconds(work, warm_up, repeats)


stopwatch = check("median_seconds", median_seconds).or_else(course_seconds)

# %% tags=["nbval-ignore-output"]
ones = torch.ones(500, 500)
seconds = stopwatch(lambda: ones @ ones, perf_counter, 2, 9)
print(
    f"500x500 times 500x500: {1000 * seconds:.2f} ms, {2 * 500**3 / seconds / 1e9:.0f} billion operations a second"
)
assert seconds > 0

# %% [markdown]
# ## The loop that most tutorials write
#
# It keeps images as files or arrays, and turns each of them into a tensor *one at a time*, in Python: cropped,
# mirrored, converted, normalised; a `DataLoader` then stacks them. Here it is, beside the course's `Batches`,
# which does the same to a whole batch at once.

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

# %% tags=["nbval-ignore-output"]
by_image = stopwatch(lambda: list(plain), perf_counter, 1, 3) / IMAGES
by_batch = stopwatch(lambda: list(whole.epoch(1)), perf_counter, 1, 3) / IMAGES
print(f"one by one:    {1e6 * by_image:6.0f} microseconds per image")
print(f"a whole batch: {1e6 * by_batch:6.0f} microseconds per image")
assert by_image > 0
assert by_batch > 0

# %% [markdown]
# How does one mirror half of a batch without a loop over its images? By computing *both* and choosing.
#
# **Exercise 2.** Write `flipped`: the batch (N, C, H, W) with those images mirrored left to right whose entry in
# `flips`, (N,) of booleans, is True. Leave the batch itself unchanged. Do it without a loop over images.


# %%
def flipped(images, flips):
    """Return the batch with some of its images mirrored."""
    ### BEGIN SOLUTION
    mirrored = images.flip(3)
    return torch.where(flips[:, None, None, None], mirrored, images)
    ### END SOLUTION


# %%
def course_flipped(images, flips):
    """The course's own, by one gather along the width."""
    width = torch.arange(images.shape[3])
    columns = torch.where(flips[:, None], width.flip(0), width)  # (N, W)
    return images.gather(3, columns[:, None, None].expand_as(images))


mirror = check("flipped", flipped).or_else(course_flipped)

# %%
row = torch.arange(4.0).expand(2, 1, 1, 4)
print(mirror(row, torch.tensor([True, False])).flatten(1).tolist())

# %% [markdown]
# **Explain.** Both ways do the same arithmetic on the same pixels. Why is one so much slower?

# %% [markdown] tags=["answer"]
# Every call from Python to an operation costs some microseconds, whatever it works on: finding the function, checking
# arguments, allocating the result. An image of 32×32 is small, so with a handful of calls per image the calls cost more
# than the pixels. For a whole batch the same few calls are made once, and the work inside them runs in compiled code
# over memory that lies in a row.

# %% [markdown]
# ## Where a step's time goes
#
# **Predict**: of the time of a training step, which share do data, forward, backward and the optimizer take?
#
# Four ways to train the same small VGG, each with one more brake taken off: the plain loop; whole batches; **channels
# last**, the memory layout that convolutions prefer on most hardware; and **bf16**, numbers of half the length, where
# the processor has units for them.


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
        f"{name:18} {1 / seconds:6.0f} images a second, {total['plain loop'] / seconds:4.1f} times the plain loop's"
    )
assert all(
    seconds > 0 for parts in spent.values() for seconds in parts.values()
)
pictures.stacked(spent)

# %% [markdown]
# *A bar for each way to train, as long as it takes for one image, in milliseconds; in it the parts for data, forward,
# backward and step. The plain loop is on top; below it each bar has one more brake taken off.*
#
# Faster must not mean different. The layout changes where a number lies, not what it is; bf16 does round, to about
# three digits.

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
print("bf16, near ones:", torch.allclose(logits, short, atol=0.1))

# %% [markdown]
# The next step would be `torch.compile`, which fuses small operations into large ones. It first compiles, which takes
# a minute or so and a C++ compiler. On a GPU it pays in long runs; on a processor it may not, so measure. The `quick`
# profile leaves it out.

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
# Phases say *when* the time passes; a **profiler** says *in which operation*.

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
# ## What it pays
#
# If a part of the work takes the share $s$ of the time, and becomes $f$ times as fast, the whole takes
# $(1 - s) + s / f$ of what it took (Amdahl 1967).
#
# **Exercise 3.** Write `overall_speedup`: how many times as fast does the whole become?


# %%
def overall_speedup(share, factor):
    """Return how many times as fast the whole becomes."""
    ### BEGIN SOLUTION
    time_left = (1 - share) + share / factor
    return 1 / time_left
    ### END SOLUTION


# %%
def course_speedup(share, factor):
    """The course's own: old time over new time."""
    old = {"part": share, "rest": 1 - share}
    return sum(old.values()) / (old["part"] / factor + old["rest"])


speedup = check("overall_speedup", overall_speedup).or_else(course_speedup)

# %%
for share in (0.1, 0.5, 0.9, 0.99):
    ten, endless = speedup(share, 10), speedup(share, 1e9)
    print(
        f"{share:4.0%} of the time, ten times as fast: {ten:4.1f} times; endlessly fast: {endless:5.1f} times"
    )

# %% [markdown]
# **Explain.** Look at your own bars: which part is worth working on next, and what is the most that could be won by it?
# Why did work on the data pay at first and no longer does?

# %% [markdown] tags=["answer"]
# The longest part, usually backward: it does about twice the arithmetic of forward, one product for the gradients of
# the inputs and one for those of the weights. With a share s, nothing can win more than 1 / (1 - s) by it. Data was a
# large share of the plain loop; once it is a few per cent, even making it free would win a few per cent. Every
# improvement moves the bottleneck, so measure again after each.

# %% [markdown]
# ## Two processes
#
# Several processes, each with a copy of the network, can share a batch: each takes a **shard** of the images, computes
# its gradient, and all average their gradients, so that the copies stay equal. The sum of the work is the same.
#
# **Exercise 4.** Write `shard`: the part of the list `indices` that process `rank` of `world` processes takes; ranks
# count from 0. Every index is in exactly one shard, and no shard is more than one longer than another.


# %%
def shard(indices, rank, world):
    """Return the indices of one process."""
    ### BEGIN SOLUTION
    return indices[rank::world]
    ### END SOLUTION


# %%
def course_shard(indices, rank, world):
    """The course's own."""
    return [
        index for place, index in enumerate(indices) if place % world == rank
    ]


split = check("shard", shard).or_else(course_shard)

# %%
for rank in range(3):
    print(f"rank {rank} of 3:", split(list(range(10)), rank, 3))

# %% [markdown]
# **Exercise 5.** Write `averaged`. `gradients` holds one tensor per process, the **mean** gradient over its images, and
# `images` how many those were. Return the mean gradient over *all* images.


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
def course_averaged(gradients, images):
    """The course's own: an inner product with the shares."""
    shares = torch.tensor(images, dtype=gradients[0].dtype) / sum(images)
    return torch.tensordot(shares, torch.stack(list(gradients)), dims=1)


combine = check("averaged", averaged).or_else(course_averaged)


# %%
def gradient(inputs, targets):
    """Return the gradient of a linear model's mean loss."""
    weight = torch.ones(5, 3, requires_grad=True)
    loss = nn.functional.cross_entropy(inputs @ weight, targets)
    return torch.autograd.grad(loss, weight)[0]


torch.manual_seed(0)
inputs, targets = torch.randn(10, 5), torch.randint(3, (10,))
parts = [split(list(range(10)), rank, 3) for rank in range(3)]
together = combine(
    [gradient(inputs[part], targets[part]) for part in parts],
    [len(part) for part in parts],
)
print(
    "three shards give the gradient of the whole batch:",
    torch.allclose(together, gradient(inputs, targets), atol=1e-6),
)

# %% [markdown]
# Now with real processes. `torchrun` starts them and tells each its rank; `all_reduce` adds up a tensor over all of
# them. Each process below takes half of a batch, and compares the averaged gradient with that of the whole batch.

# %% tags=["nbval-ignore-output"]
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

mine = gradient(inputs[rank::world], targets[rank::world])
distributed.all_reduce(mine)
difference = (mine / world - gradient(inputs, targets)).abs().max().item()
line = f"rank {rank} of {world}: largest difference {difference:.0e}\\n"
print(line, end="", flush=True)  # in one piece: the other process prints as well
assert difference < 1e-6
distributed.destroy_process_group()
"""
script = Path(tempfile.mkdtemp()) / "two.py"
script.write_text(SCRIPT)
command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
loopback = "lo" if sys.platform == "linux" else "lo0"
done = subprocess.run(
    [*command, "--nproc-per-node", "2", str(script)],
    env={**os.environ, "GLOO_SOCKET_IFNAME": loopback, "OMP_NUM_THREADS": "1"},
    capture_output=True,
    text=True,
    timeout=120,
)
print(done.stdout)
assert done.returncode == 0, done.stderr
assert done.stdout.count("largest difference") == 2

# %% [markdown]
# **Explain.** Every step, each process sends and receives about twice its gradients (a ring of $p$ processes moves
# $2 (p - 1) / p$ times their bytes). VGG-16 with its 138 million parameters and ResNet-50 with its 26 million do about
# 15 and 4 billion multiply-adds per image. Which of the two is easier to share among many machines, and what would you
# change in the batch to make it easier for both?

# %% [markdown] tags=["answer"]
# What counts is computation per byte sent. In single precision VGG-16 has about 553 MB of gradients, ResNet-50 about
# 102 MB, so with the same number of images ResNet-50 computes nearly half again as much per byte. Most of VGG's
# bytes are its first fully-connected layer's, which computes next to nothing. A larger batch per process does more
# work for the same bytes; sending gradients in bf16 halves them; and sending those of the last layers while the first
# ones are still being computed hides much of the time.

# %% [markdown]
# ## The dash
#
# How soon can a network learn CIFAR-10? Such a dash is won by fast hardware, well used, and by training that needs
# little of it. One part of ours is a first layer that is **computed** instead of learned.
#
# Neighbouring pixels resemble each other, so what a patch of 2×2 pixels says is mostly said four times. *Whitening*
# takes that out. Let $\Sigma$ be the covariance of the patches, as vectors of $d$ numbers. Wanted is a matrix $W$ of
# $d$ filters, one in each row, whose answers to the patches are uncorrelated and have variance 1. The covariance of the
# answers is $W \Sigma W^\top$, and it is to be the identity.
#
# **Exercise 6.** Write `whitening`: from the covariance, $(d, d)$, to $W$, $(d, d)$. `torch.linalg.eigh(covariance)`
# returns the variances $\Lambda$ and, as *columns* of a matrix $V$, the directions, with $\Sigma = V \Lambda V^\top$.


# %%
def whitening(covariance):
    """Return W with W covariance Wᵀ = 1."""
    ### BEGIN SOLUTION
    variances, directions = torch.linalg.eigh(covariance)
    return (directions / variances.sqrt()).T
    ### END SOLUTION


# %%
def course_whitening(covariance):
    """The course's own: the inverse of Cholesky's triangle."""
    return torch.linalg.inv(torch.linalg.cholesky(covariance))


whitener = check("whitening", whitening).or_else(course_whitening)

# %%
normalised = Transform(mean, std).normalise(few.pixels)
patches = nn.functional.unfold(normalised, kernel_size=2)  # (N, 12, patches)
rows = patches.transpose(1, 2).flatten(0, 1)  # (patches of all images, 12)
before = torch.cov(rows.T)
filters = whitener(before)
after = torch.cov((rows @ filters.T).T)
others = ~torch.eye(12, dtype=torch.bool)
print("largest covariance of two pixels: before whitening", end=" ")
print(
    f"{before[others].abs().max():.2f}, after it {after[others].abs().max():.2f}"
)

# %% [markdown]
# Each filter and its negative, so that ReLU keeps both sides, make the first layer of the network `dash`, and it is not
# trained. The other parts: every convolution starts by handing its input on; *lookahead* weights follow SGD's
# own at half the distance; each image is mirrored in *every other* epoch instead of by chance; and at the end the
# network looks at each image and at its mirror image. The recipe `cifar10/dash-narrow` puts them together in a small
# network and three epochs, and there is one recipe without each part.
#
# **Predict**: which part is worth most? Which could be left out?

# %% tags=["nbval-ignore-output"]
whole = measured("cifar10/dash-narrow", deepernets.load_records())
print(f"with all parts: {whole} % on the test images ({whole.particulars})")
assert whole.mean > 50
worths(ablation.parts("cifar10/dash-narrow", deepernets.load_records()))

# %% [markdown]
# *A row for each part, the most valuable on top: by how many points the test accuracy of the whole lies above that
# without the part, a dot for each seed, a bar for mean ± standard deviation. Near the line at zero a part is worth
# nothing that these runs could show.*
#
# **Explain.** Three epochs are a short training. Which parts would you expect to be worth more in a long one, and which
# less?

# %% [markdown] tags=["answer"]
# Parts that help a network to *begin* (whitening, convolutions that start as identities) matter most when there is
# little time: in a long training, learning catches up with what was given. Parts that help against *memorising* (crops,
# flips, label smoothing) are worth little while every image has been seen three times, and can even cost something;
# they pay in a long training. The same goes for lookahead, which holds the weights back. Looking both ways is an
# average of two opinions and helps at any length.

# %% [markdown]
# ## Compare: recorded speeds
#
# The records that ship with the course hold the seconds of every epoch. Each point below is a run's fastest epoch.

# %% tags=["nbval-ignore-output"]
recorded = deepernets.load_records()
print(f"{len(recorded)} runs, on")
print(*sorted({record.device for record in recorded}), sep="\n")
assert all(pictures.images_per_second(record) > 0 for record in recorded)
pictures.rates(recorded)

# %% [markdown]
# *A dot for each recorded network and data set: images per second in training, the fastest on top, small residual
# networks far before the wide ones.*
