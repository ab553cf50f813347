"""What it costs to share a training step among many processes: bytes sent, time, and what is left of the speed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from deepernets.analysis.arithmetic import TRAINING_TO_FORWARD
from deepernets.errors import UserError


@dataclass(frozen=True)
class Link:
    """A connection between neighbouring processes of a ring; the slowest one sets the pace.

    Attributes:
        bytes_per_second: What goes through it in one direction.
        latency: Seconds before the first byte of a message arrives.
    """

    bytes_per_second: float
    latency: float = 0.0


def ring_bytes(parameters: int, processes: int, bytes_each: int = 4) -> float:
    """Return the bytes that each process sends in a step to add up everybody's gradients in a ring.

    The gradients are cut into p parts. In p - 1 rounds each process sends a part to its neighbour, which adds its
    own; in p - 1 more the finished parts go round. That is 2 (p - 1) / p times the gradients' bytes, and no
    all-reduce can do with less (Patarasuk & Yuan 2009).

    Args:
        parameters: Numbers that are learned.
        processes: How many share the step, p.
        bytes_each: 4 for fp32, 2 for bf16.

    Raises:
        UserError: there are no processes.

    >>> ring_bytes(parameters=1000, processes=4)
    6000.0
    >>> ring_bytes(parameters=1000, processes=1)
    0.0
    """
    _require_processes(processes)
    return 2 * (processes - 1) / processes * parameters * bytes_each


def central_bytes(parameters: int, processes: int, bytes_each: int = 4) -> int:
    """Return the bytes that go through one process if it collects all gradients and hands the sum back.

    Raises:
        UserError: there are no processes.

    >>> central_bytes(parameters=1000, processes=4)
    24000
    """
    _require_processes(processes)
    return 2 * (processes - 1) * parameters * bytes_each


def ring_seconds(parameters: int, processes: int, link: Link, bytes_each: int = 4) -> float:
    """Return how long the ring takes: its bytes, and the latency of 2 (p - 1) messages, one after the other.

    >>> ring_seconds(parameters=1000, processes=4, link=Link(bytes_per_second=6000, latency=0.5))
    4.0
    """
    rounds = 2 * (processes - 1)
    return rounds * link.latency + ring_bytes(parameters, processes, bytes_each) / link.bytes_per_second


def fit_link(measured: Mapping[int, float], processes: int = 2) -> Link:
    """Return the link that explains best how long sums over all processes took.

    A line is fitted to `ring_seconds`: where it begins is the latency, its slope one over the bandwidth, neither
    below 0. Its errors are squared relative ones, since otherwise the largest message would decide alone.

    Args:
        measured: Seconds by the number of bytes that each process had to add; at least two sizes.
        processes: How many added them, at least 2.

    Raises:
        UserError: there are fewer than two sizes, or processes.

    >>> link = fit_link({1000: 0.7, 2000: 1.2}, processes=2)
    >>> round(link.bytes_per_second), round(link.latency, 3)
    (2000, 0.1)
    """
    from scipy.optimize import nnls

    if len(measured) < 2 or processes < 2:
        raise UserError(
            "A link is measured with two sizes of message or more, between two processes or more."
        )
    rounds = 2 * (processes - 1)
    effects = np.array([(rounds, rounds / processes * size) for size in measured])
    (latency, per_byte), _ = nnls(effects / np.array([list(measured.values())]).T, np.ones(len(measured)))
    return Link(float(1 / per_byte) if per_byte > 0 else float("inf"), float(latency))


def compute_seconds(multiply_adds: int, images: int, operations_per_second: float) -> float:
    """Return how long one process computes in a step: forward, and backward, which costs twice as much.

    Args:
        multiply_adds: Of one image's forward pass; each is two operations.
        images: That this process takes in a step.
        operations_per_second: What the device reaches on this network, which is less than its peak.

    >>> compute_seconds(multiply_adds=1000, images=10, operations_per_second=60_000)
    1.0
    """
    return 2 * TRAINING_TO_FORWARD * multiply_adds * images / operations_per_second


def step_seconds(compute: float, communication: float, hidden: float = 0.0) -> float:
    """Return how long a step takes that computes and communicates; the arguments are those of `efficiency`.

    >>> step_seconds(compute=3.0, communication=1.0), step_seconds(compute=3.0, communication=4.0, hidden=1.0)
    (4.0, 4.0)
    """
    if not 0 <= hidden <= 1:
        raise UserError(f"A share of {hidden} of the communication cannot be hidden; give one from 0 to 1.")
    return compute + communication - min(hidden * communication, compute)


def efficiency(compute: float, communication: float, hidden: float = 0.0) -> float:
    """Return which share of p processes' speed together is left when they must also communicate.

    Args:
        compute: Seconds that a step computes.
        communication: Seconds that its gradients are under way.
        hidden: Share of the communication that can go on while the step computes, from 0 to 1; gradients of the
            last layers are ready long before those of the first.

    Returns:
        From 0 to 1, where 1 is p times the speed of one process.

    Raises:
        UserError: the hidden share is not between 0 and 1.

    >>> efficiency(compute=3.0, communication=1.0)
    0.75
    >>> efficiency(compute=3.0, communication=1.0, hidden=1.0)
    1.0
    """
    return compute / step_seconds(compute, communication, hidden)


def _require_processes(processes: int) -> None:
    if processes < 1:
        raise UserError(f"{processes} processes cannot share a step; give 1 or more.")
