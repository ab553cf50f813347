"""Models of speed: the roofline of one machine, and the cost of sharing a training step between processes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from deepernets.errors import UserError
from deepernets.models.counting import TRAINING_TO_FORWARD, count_parameters, summary
from deepernets.models.tracing import trace_layers

if TYPE_CHECKING:
    from pandas import DataFrame

NO_TRAFFIC = ("Flatten", "Identity")  # layers that return their input


@dataclass(frozen=True)
class Machine:
    """A processor or GPU.

    Attributes:
        operations_per_second: Peak; one multiply-add is two operations.
        bytes_per_second: To and from main memory.
    """

    operations_per_second: float
    bytes_per_second: float

    @property
    def ridge(self) -> float:
        """Operations per byte above which arithmetic takes longer than memory traffic.

        >>> Machine(operations_per_second=100e9, bytes_per_second=10e9).ridge
        10.0
        """
        return self.operations_per_second / self.bytes_per_second

    def reachable(self, intensity: float) -> float:
        """Return the attainable operations per second of a layer with this intensity, in operations per byte.

        >>> Machine(operations_per_second=100e9, bytes_per_second=10e9).reachable(2.0)
        20000000000.0
        """
        return min(self.operations_per_second, intensity * self.bytes_per_second)

    def least_seconds(self, operations: float, moved: float) -> float:
        """Return the minimal time for so many operations and bytes: the longer of the two.

        >>> Machine(operations_per_second=100.0, bytes_per_second=10.0).least_seconds(operations=50, moved=20)
        2.0
        """
        return max(operations / self.operations_per_second, moved / self.bytes_per_second)


def layer_traffic(
    model: nn.Module, in_shape: tuple[int, int, int], batch_size: int, bytes_each: int = 4
) -> "DataFrame":
    """Return operations and memory traffic of each layer in the forward pass of one batch.

    It is assumed that each layer reads its input and parameters from main memory once, and writes its output once.
    Caches and fused operations reduce the traffic; a batch normalisation in training reads its input twice.
    Additions of shortcuts, which are not layers, and layers that return their input are left out.

    Args:
        model: Any module that maps a batch of images to a tensor.
        in_shape: Channels, height and width of an image.
        batch_size: Images per batch.
        bytes_each: 4 for fp32, 2 for bf16.

    Returns:
        One row per layer: name, layer (its class), operations (two for each multiply-add, 0 elsewhere), bytes,
        intensity (operations per byte).

    >>> print(layer_traffic(nn.Sequential(nn.Conv2d(8, 8, 1), nn.ReLU()), (8, 4, 4), batch_size=1).to_string())
      name   layer  operations  bytes  intensity
    0    0  Conv2d        2048   1312   1.560976
    1    1    ReLU           0   1024   0.000000
    """
    layers = summary(model, in_shape)
    table = layers[["name", "layer"]].assign(operations=2 * batch_size * layers["multiply_adds"])
    table["bytes"] = [
        bytes_each
        * (batch_size * (call.input[0].numel() + call.output[0].numel()) + count_parameters(call.layer))
        for call in trace_layers(model, in_shape)
    ]
    table["intensity"] = table["operations"] / table["bytes"]
    return table[~table["layer"].isin(NO_TRAFFIC)].reset_index(drop=True)


@dataclass(frozen=True)
class Link:
    """A connection between neighbouring processes of a ring; the slowest one counts.

    Attributes:
        bytes_per_second: Bandwidth in one direction.
        latency: Seconds before the first byte of a message arrives.
    """

    bytes_per_second: float
    latency: float = 0.0


def ring_bytes(parameters: int, processes: int, bytes_each: int = 4) -> float:
    """Return the bytes that each process sends per step in a ring all-reduce of the gradients.

    The gradients are split into p parts. In p - 1 rounds each process sends a part to its neighbour, which adds its
    own; in p - 1 more rounds the sums are passed on. This is 2 (p - 1) / p times the size of the gradients, the
    minimum for an all-reduce (Patarasuk & Yuan 2009).

    Args:
        parameters: Parameters of the network.
        processes: Number p of processes that share the step.
        bytes_each: 4 for fp32, 2 for bf16.

    Raises:
        UserError: there are fewer than one process.

    >>> ring_bytes(parameters=1000, processes=4)
    6000.0
    >>> ring_bytes(parameters=1000, processes=1)
    0.0
    """
    _require_processes(processes)
    return 2 * (processes - 1) / processes * parameters * bytes_each


def central_bytes(parameters: int, processes: int, bytes_each: int = 4) -> int:
    """Return the bytes that pass through one process that collects all gradients and returns their sum.

    Raises:
        UserError: there are fewer than one process.

    >>> central_bytes(parameters=1000, processes=4)
    24000
    """
    _require_processes(processes)
    return 2 * (processes - 1) * parameters * bytes_each


def ring_seconds(parameters: int, processes: int, link: Link, bytes_each: int = 4) -> float:
    """Return the duration of a ring all-reduce: its bytes, and the latency of 2 (p - 1) consecutive messages.

    >>> ring_seconds(parameters=1000, processes=4, link=Link(bytes_per_second=6000, latency=0.5))
    4.0
    """
    rounds = 2 * (processes - 1)
    return rounds * link.latency + ring_bytes(parameters, processes, bytes_each) / link.bytes_per_second


def fit_link(measured: Mapping[int, float], processes: int = 2) -> Link:
    """Return the link that fits measured durations of all-reduces best.

    `ring_seconds` is linear in the latency and in one over the bandwidth. Both are fitted by non-negative least
    squares of the relative errors; absolute errors would give all weight to the largest message.

    Args:
        measured: Seconds by the number of bytes that are added up; at least two sizes.
        processes: Number of processes, at least 2.

    Raises:
        UserError: there are fewer than two sizes, or processes.

    >>> link = fit_link({1000: 0.7, 2000: 1.2}, processes=2)
    >>> round(link.bytes_per_second), round(link.latency, 3)
    (2000, 0.1)
    """
    from scipy.optimize import nnls

    if len(measured) < 2 or processes < 2:
        raise UserError(
            f"There are {len(measured)} sizes of message and {processes} processes; expected at least two of each."
        )
    rounds = 2 * (processes - 1)
    effects = np.array([(rounds, rounds / processes * size) for size in measured])
    (latency, per_byte), _ = nnls(effects / np.array([list(measured.values())]).T, np.ones(len(measured)))
    return Link(float(1 / per_byte) if per_byte > 0 else float("inf"), float(latency))


def compute_seconds(multiply_adds: int, images: int, operations_per_second: float) -> float:
    """Return the time that one process computes per step: a forward pass, and a backward pass at twice its cost.

    Args:
        multiply_adds: Of one image's forward pass; each is two operations.
        images: Images of this process per step.
        operations_per_second: Attained on this network, which is less than the peak.

    >>> compute_seconds(multiply_adds=1000, images=10, operations_per_second=60_000)
    1.0
    """
    return 2 * TRAINING_TO_FORWARD * multiply_adds * images / operations_per_second


def step_seconds(compute: float, communication: float, hidden: float = 0.0) -> float:
    """Return the duration of a step that computes and communicates; arguments and errors are those of `efficiency`.

    >>> step_seconds(compute=3.0, communication=1.0), step_seconds(compute=3.0, communication=4.0, hidden=1.0)
    (4.0, 4.0)
    """
    if not 0 <= hidden <= 1:
        raise UserError(f"hidden is {hidden}; expected a share from 0 to 1.")
    return compute + communication - min(hidden * communication, compute)


def efficiency(compute: float, communication: float, hidden: float = 0.0) -> float:
    """Return the parallel efficiency of p processes: 1 is p times the speed of one process.

    Args:
        compute: Seconds of computation per step.
        communication: Seconds of communication per step.
        hidden: Share of the communication that can overlap with computation, from 0 to 1; gradients of the last
            layers are ready long before those of the first.

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
        raise UserError(f"processes is {processes}; expected at least 1.")
