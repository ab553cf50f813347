"""Time training steps that two processes on this machine share.

    python -m deepernets.benchmark.distributed resnet-20

The processes are started here, with one thread each, and communicate through the loopback device. The formulas of
`deepernets.analysis.performance` predict these times from the times of single messages.
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

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from deepernets.errors import UserError
from deepernets.models.counting import count_parameters
from deepernets.models.registry import build_model
from deepernets.training.distributed import local_connection
from deepernets.training.loop import train_step
from deepernets.training.timing import median_seconds

MODULE = "deepernets.benchmark.distributed"  # __name__ is "__main__" in a child process
PROCESSES = 2
MESSAGES = (4_096, 65_536, 524_288, 2_097_152)  # bytes
BOTH_COMPUTE = ("half_at_once", "shared")  # what both processes do at the same time


@dataclass(frozen=True)
class StepTimes:
    """Times of one network's training steps: medians in seconds, fp32 on the CPU.

    Attributes:
        network: As `deepernets.build_model` names it, for 3 × 32 × 32 images and ten classes.
        parameters: Its number of parameters.
        gradient_bytes: Size of the gradients that the processes add up in a step, counted as they are sent.
        whole_alone: One process takes a step on the whole batch while the other waits.
        half_alone: One process takes a step on half of the batch while the other waits.
        half_at_once: Both processes take such a step, and nothing is sent. It is longer than `half_alone` if they
            compete for cores, caches or memory.
        shared: Both processes share a step on the whole batch, each with half of it.
    """

    network: str
    parameters: int
    gradient_bytes: int
    whole_alone: float
    half_alone: float
    half_at_once: float
    shared: float


@dataclass(frozen=True)
class Scaling:
    """Times of messages and steps of two processes.

    Attributes:
        images: Images of the whole batch.
        messages: Seconds of an all-reduce, by its size in bytes.
        steps: Times of each network's steps.
    """

    images: int
    messages: dict[int, float]
    steps: tuple[StepTimes, ...]


def measure(networks: Sequence[str], images: int = 64, repeats: int = 3) -> Scaling:
    """Start two processes that time messages and steps, and return the times.

    Args:
        networks: Names of networks for 3 × 32 × 32 images.
        images: Images of the whole batch; even.
        repeats: Timed steps, after one that is not timed.

    Raises:
        UserError: the batch cannot be halved, a network is unknown, or a process ended early.
    """
    if images < PROCESSES or images % PROCESSES:
        raise UserError(f"images is {images}; expected an even number, which two processes can share.")
    with torch.device("meta"):
        for name in networks:
            build_model(name, in_shape=(3, 32, 32), classes=10)
    with tempfile.TemporaryDirectory() as folder:
        meeting = (Path(folder) / "meeting").as_uri()
        command = [sys.executable, "-m", MODULE, *networks, "--child", meeting, str(images), str(repeats)]
        quiet = {"OMP_NUM_THREADS": "1", **local_connection(), "CUDA_VISIBLE_DEVICES": ""}
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
        outputs = [child.communicate() for child in children]
    if any(child.returncode for child in children):
        why = "; ".join((errors.strip().splitlines() or ["no message"])[-1] for _, errors in outputs)
        raise UserError(f"The two processes could not measure: {why}")
    found = json.loads(outputs[0][0])
    return Scaling(
        images,
        {int(size): seconds for size, seconds in found["messages"].items()},
        tuple(StepTimes(**step) for step in found["steps"]),
    )


def _child(networks: Sequence[str], meeting: str, images: int, repeats: int, rank: int) -> None:
    """Time messages and steps together with the other process; the first one prints the results."""
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
    """Return the median duration of an all-reduce of `size` bytes of fp32."""
    numbers = torch.zeros(size // 4)
    dist.barrier()
    return median_seconds(lambda: dist.all_reduce(numbers), warm_up=3, repeats=15)


def _step(name: str, images: int, repeats: int) -> StepTimes:
    torch.manual_seed(0)
    model = build_model(name, in_shape=(3, 32, 32), classes=10)
    half = images // PROCESSES
    steps = {
        "whole_alone": _stepper(model, images),
        "half_alone": _stepper(model, half),
        "half_at_once": _stepper(model, half),
        "shared": _stepper(DistributedDataParallel(model), half),
    }
    times: dict[str, list[float]] = {what: [] for what in steps}
    for _ in range(1 + repeats):  # in turns, since the load of a machine changes
        for what, step in steps.items():
            dist.barrier()
            if what in BOTH_COMPUTE or dist.get_rank() == 0:  # the other one waits at the next barrier
                times[what].append(median_seconds(step, warm_up=0, repeats=1))
    medians = {what: statistics.median(found[1:] or [0.0]) for what, found in times.items()}
    return StepTimes(name, count_parameters(model), _gradient_bytes(model, half), **medians)


def _stepper(model: nn.Module, images: int) -> Callable[[], object]:
    """Return a function that takes one training step on noise."""
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    pixels, labels = torch.randn(images, 3, 32, 32), torch.arange(images) % 10
    return lambda: train_step(model, pixels, labels, criterion, optimizer)


def _gradient_bytes(model: nn.Module, images: int) -> int:
    """Take one step and return the bytes of gradients that are added up."""
    counted = 0

    def count(_: object, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
        nonlocal counted
        gradients = bucket.buffer()
        counted += gradients.numel() * gradients.element_size()
        summed = dist.all_reduce(gradients.div_(PROCESSES), async_op=True)
        return summed.get_future().then(lambda done: done.value()[0])

    parallel = DistributedDataParallel(model)
    parallel.register_comm_hook(None, count)
    _stepper(parallel, images)()
    return counted


def main(words: Sequence[str]) -> None:
    """Measure, and print the result as JSON; with ``--child``, be one of the two processes."""
    if "--child" in words:
        at = list(words).index("--child")
        meeting, images, repeats, rank = words[at + 1 :]
        _child(words[:at], meeting, int(images), int(repeats), int(rank))
        return
    print(json.dumps(asdict(measure(words or ("resnet-20",))), indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
