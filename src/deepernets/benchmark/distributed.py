"""Two processes on this machine that share a training step: how long that takes, beside what was predicted.

    python -m deepernets.benchmark.distributed resnet-20

The processes are started here, with one thread each, and talk by way of the machine itself. What they measure goes
into the formulas of `deepernets.analysis.scaling`.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from deepernets.analysis.arithmetic import count_parameters
from deepernets.analysis.scaling import Link, fit_link, ring_seconds, step_seconds
from deepernets.errors import UserError
from deepernets.models.registry import build_model
from deepernets.training.timing import median_seconds

MODULE = "deepernets.benchmark.distributed"  # also where it runs as the main program
PROCESSES = 2
MESSAGES = (4_096, 65_536, 524_288, 2_097_152)  # bytes
TOGETHER = ("beside", "together")  # what both processes do at the same time
LOOPBACK = "lo" if sys.platform == "linux" else "lo0"


@dataclass(frozen=True)
class Shared:
    """One network's step, measured; all times are medians in seconds, fp32 on the CPU.

    Attributes:
        network: As `deepernets.build_model` names it, for 3 × 32 × 32 images and ten classes.
        parameters: Numbers that are learned.
        gradient_bytes: What the processes had to add up in a step, counted on its way.
        whole: A step on the whole batch, by one process, while the other waits.
        part: A step on half of the batch, likewise.
        beside: The same, while the other process does it, too, and nothing is sent: where it is longer, the two
            share what one alone had to itself.
        together: A step of both processes, each with its half, that is the step on the whole batch.
    """

    network: str
    parameters: int
    gradient_bytes: int
    whole: float
    part: float
    beside: float
    together: float

    def predicted(self, link: Link, compute: float) -> float:
        """Return the seconds that a step of both should take: `compute`, then sending, nothing hidden."""
        return step_seconds(compute, ring_seconds(self.parameters, PROCESSES, link))


@dataclass(frozen=True)
class Scaling:
    """What two processes measured.

    Attributes:
        images: Of the whole batch.
        messages: Seconds that it took both to add up so many bytes.
        steps: One per network.
    """

    images: int
    messages: dict[int, float]
    steps: tuple[Shared, ...]

    @property
    def link(self) -> Link:
        """What connects the processes, as the messages tell."""
        return fit_link(self.messages, PROCESSES)


def measure(networks: Sequence[str], images: int = 64, repeats: int = 3) -> Scaling:
    """Start two processes that measure messages and steps, and wait for what they find.

    Args:
        networks: Names of networks that take 3 × 32 × 32 images.
        images: Of the whole batch; even.
        repeats: Steps that are timed, after one that is not.

    Raises:
        UserError: the batch cannot be halved, a network is not known, or a process ended early.
    """
    if images < PROCESSES or images % PROCESSES:
        raise UserError(f"Two processes cannot share {images} images equally; give an even number.")
    with torch.device("meta"):
        for name in networks:
            build_model(name, in_shape=(3, 32, 32), classes=10)
    with tempfile.TemporaryDirectory() as folder:
        meeting = (Path(folder) / "meeting").as_uri()
        command = [sys.executable, "-m", MODULE, *networks, "--child", meeting, str(images), str(repeats)]
        quiet = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": LOOPBACK, "CUDA_VISIBLE_DEVICES": ""}
        children = [
            subprocess.Popen(
                [*command, str(rank)],
                env={**os.environ, **quiet},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank in range(PROCESSES)
        ]
        said = [child.communicate() for child in children]
    if any(child.returncode for child in children):
        why = "; ".join((errors.strip().splitlines() or ["no word"])[-1] for _, errors in said)
        raise UserError(f"The two processes could not measure: {why}")
    found = json.loads(said[0][0])
    return Scaling(
        images,
        {int(size): seconds for size, seconds in found["messages"].items()},
        tuple(Shared(**step) for step in found["steps"]),
    )


def _child(networks: Sequence[str], meeting: str, images: int, repeats: int, rank: int) -> None:
    """Measure together with the other process; the first says what was found."""
    dist.init_process_group(
        "gloo", init_method=meeting, rank=rank, world_size=PROCESSES, timeout=timedelta(minutes=15)
    )
    messages = {size: _message_seconds(size) for size in MESSAGES}
    steps = [_step(name, images, repeats) for name in networks]
    if rank == 0:
        print(json.dumps({"messages": messages, "steps": [asdict(step) for step in steps]}))
    dist.barrier()
    dist.destroy_process_group()


def _message_seconds(size: int) -> float:
    """Time the sum of `size` bytes of fp32 over both processes, begun at the same moment."""
    numbers = torch.zeros(size // 4)
    dist.barrier()
    return median_seconds(lambda: dist.all_reduce(numbers), warm_up=3, repeats=15)


def _step(name: str, images: int, repeats: int) -> Shared:
    torch.manual_seed(0)
    model = build_model(name, in_shape=(3, 32, 32), classes=10)
    part = images // PROCESSES
    steps = {
        "whole": _stepper(model, images),
        "part": _stepper(model, part),
        "beside": _stepper(model, part),
        "together": _stepper(DistributedDataParallel(model), part),
    }
    times: dict[str, list[float]] = {what: [] for what in steps}
    for _ in range(1 + repeats):  # in turns, since a machine is never equally busy for long
        for what, step in steps.items():
            dist.barrier()
            if what in TOGETHER or dist.get_rank() == 0:  # else the other one waits, and computes nothing
                times[what].append(median_seconds(step, warm_up=0, repeats=1))
    medians = {what: statistics.median(found[1:] or [0.0]) for what, found in times.items()}
    return Shared(name, count_parameters(model), _gradient_bytes(model, part), **medians)


def _stepper(model: nn.Module, images: int) -> Callable[[], None]:
    """Return a call that takes one step of training on noise."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    pixels, labels = torch.randn(images, 3, 32, 32), torch.arange(images) % 10

    def step() -> None:
        loss = nn.functional.cross_entropy(model(pixels), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def _gradient_bytes(model: nn.Module, images: int) -> int:
    """Take one step and count the bytes of gradients that are handed over to be summed."""
    counted = 0

    def counting(_: object, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
        nonlocal counted
        gradients = bucket.buffer()
        counted += gradients.numel() * gradients.element_size()
        summed = dist.all_reduce(gradients.div_(PROCESSES), async_op=True)
        return summed.get_future().then(lambda done: done.value()[0])

    parallel = DistributedDataParallel(model)
    parallel.register_comm_hook(None, counting)
    _stepper(parallel, images)()
    return counted


def main(words: Sequence[str]) -> None:
    """Measure, and print what was found as JSON; with ``--child``, be one of the two processes."""
    if "--child" in words:
        at = list(words).index("--child")
        meeting, images, repeats, rank = words[at + 1 :]
        _child(words[:at], meeting, int(images), int(repeats), int(rank))
        return
    found = measure(words or ("resnet-20",))
    told: dict[str, Any] = {**asdict(found), "link": asdict(found.link)}
    told["predicted"] = {step.network: step.predicted(found.link, step.part) for step in found.steps}
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
