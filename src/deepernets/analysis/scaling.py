"""What it costs to share a training step among many processes: bytes sent, time, and what is left of the speed."""

from dataclasses import dataclass

from deepernets.analysis.significance import TRAINING_TO_FORWARD
from deepernets.exceptions import UserError


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
    if not 0 <= hidden <= 1:
        raise UserError(f"A share of {hidden} of the communication cannot be hidden; give one from 0 to 1.")
    seen = communication - min(hidden * communication, compute)
    return compute / (compute + seen)


def _require_processes(processes: int) -> None:
    if processes < 1:
        raise UserError(f"{processes} processes cannot share a step; give 1 or more.")
