"""Time our training loop against a plain one.

Each variant has a process of its own, since the state of a process (its memory, what has been warmed up) affects
its speed. The variants take turns, since the load of a machine changes.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import torch
from torch import nn

from deepernets.benchmark.variants import DEFAULT_VARIANTS, SIDE, VARIANTS, Size, build_on_meta
from deepernets.errors import UserError
from deepernets.models.counting import TRAINING_TO_FORWARD, count_multiply_adds
from deepernets.training import distributed, hardware
from deepernets.training.records import Record
from deepernets.training.timing import measure_phases, median_seconds

NETWORKS = ("vgg-16-bn-cifar", "resnet-50-cifar", "resnet-20", "vgg-13-bn-cifar")


@dataclass(frozen=True)
class Measurement:
    """Speed and memory of one network with one variant of the training loop.

    Attributes:
        network: As `deepernets.build_model` names it.
        way: A key of `deepernets.benchmark.variants.VARIANTS`, such as plain or ours.
        precision: fp32 or bf16.
        milliseconds: Per image, for each phase of a step, in the round with the median total.
        peak_memory: Maximal memory of training in megabytes, without that of the process before.
        share_of_peak: Multiply-adds per second, as a share of those that the machine reaches with large matrices in
            the same precision.
    """

    network: str
    way: str
    precision: str
    milliseconds: dict[str, float]
    peak_memory: float
    share_of_peak: float

    @property
    def images_per_second(self) -> float:
        """Images trained on per second."""
        return 1000 / sum(self.milliseconds.values())


@dataclass(frozen=True)
class Benchmark:
    """The results of one run of the benchmark.

    Attributes:
        machine: Description of the processor or GPU.
        date: Year-month-day.
        size: How much was measured.
        multiply_adds_per_second: The peak with large matrices, by precision.
        measurements: One per network and variant.
        versions: Of Python and the libraries.
    """

    machine: str
    date: str
    size: Size
    multiply_adds_per_second: dict[str, float]
    measurements: tuple[Measurement, ...]
    versions: dict[str, str]

    def ratio(self, network: str) -> float:
        """Return the speed of our loop divided by that of the plain one."""
        speed = {
            found.way: found.images_per_second for found in self.measurements if found.network == network
        }
        return speed["ours"] / speed["plain"]

    def as_dict(self) -> dict[str, Any]:
        """Return the results as a dictionary of numbers and strings, ratios included."""
        networks = dict.fromkeys(found.network for found in self.measurements)
        return {**asdict(self), "ratios": {network: round(self.ratio(network), 3) for network in networks}}


def run(
    networks: Sequence[str] = NETWORKS,
    size: Size | None = None,
    precision: hardware.Precision = "auto",
    ways: Sequence[str] = DEFAULT_VARIANTS,
    after_turn: Callable[[], Any] = lambda: None,
) -> Benchmark:
    """Measure each network with several variants of the training loop.

    Args:
        networks: Names of networks for 3 × 32 × 32 images.
        size: How much is measured.
        precision: Of our loop; the plain one has fp32.
        ways: Keys of `deepernets.benchmark.variants.VARIANTS`, plain and ours among them.
        after_turn: Called after each turn.

    Raises:
        UserError: a size is less than 1, or a network is unknown.
    """
    size = size or Size()
    for name, number in asdict(size).items():
        if number < 1:
            raise UserError(f"{name} is {number}; expected at least 1.")
    for network in networks:
        build_on_meta(network)  # an unknown name fails here
    before = {name: matrix_peak(name) for name in ("fp32", "bf16")}
    found = [
        (network, *turns)
        for network in networks
        for turns in _compare(network, ways, size, precision, after_turn)
    ]
    peaks = {name: max(peak, matrix_peak(name)) for name, peak in before.items()}
    measurements = tuple(_measurement(*row, peaks) for row in found)
    machine = hardware.describe(hardware.accelerator(precision).device)
    return Benchmark(machine, date.today().isoformat(), size, peaks, measurements, hardware.versions())


def matrix_peak(precision: str, side: int = 1536) -> float:
    """Return the multiply-adds per second that this machine reaches with large matrices.

    It is the higher of PyTorch's matrix product and a 3×3 convolution with 256 channels. The latter is computed by
    another library, which is much faster on some processors.

    Args:
        precision: fp32 or bf16.
        side: Rows and columns; large enough that arithmetic takes longer than memory traffic.
    """
    hardware.disable_tf32()
    device = distributed.state().device
    kind = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    numbers = torch.randn(side, side, device=device, dtype=kind)
    images = torch.randn(side // 12, 256, 16, 16, device=device, dtype=kind)
    images = images.contiguous(memory_format=torch.channels_last)
    kernels = torch.randn(256, 256, 3, 3, device=device, dtype=kind)
    convolution = images.numel() * kernels[0].numel()
    with torch.no_grad():
        return max(
            side**3 / median_seconds(lambda: numbers @ numbers),
            convolution / median_seconds(lambda: nn.functional.conv2d(images, kernels, padding=1)),
        )


def _compare(
    network: str,
    ways: Sequence[str],
    size: Size,
    precision: hardware.Precision,
    after_turn: Callable[[], Any],
) -> list[tuple[str, list[dict[str, float]], dict[str, Any]]]:
    """Return each variant with the phases of its turns, and its precision, memory and multiply-adds."""
    context = get_context("spawn")
    lines, workers = {}, {}
    turns: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    try:
        for way in ways:
            lines[way], theirs = context.Pipe()
            workers[way] = context.Process(target=_serve, args=(theirs, way, network, size, precision))
            workers[way].start()
            theirs.close()
        for _ in range(size.rounds):
            for way, line in lines.items():
                line.send("turn")
                turns[way].append(line.recv())
                after_turn()
        ends: dict[str, dict[str, Any]] = {}
        for way, line in lines.items():
            line.send("end")
            ends[way] = line.recv()
    except (EOFError, OSError) as error:  # from a line whose other end is closed: on receiving, on sending
        raise UserError(
            f"A process that measured {network} ended early; is there memory for it? Try a smaller --batch-size."
        ) from error
    finally:
        for worker in workers.values():
            worker.terminate()
            worker.join()
    return [(way, turns[way], ends[way]) for way in ways]


def _measurement(
    network: str, way: str, turns: list[dict[str, float]], end: dict[str, Any], peaks: dict[str, float]
) -> Measurement:
    typical = statistics.median_low(sum(turn.values()) for turn in turns)
    spent = next(turn for turn in turns if sum(turn.values()) == typical)
    precision = end["precision"]
    return Measurement(
        network,
        way,
        precision,
        {phase: round(1000 * seconds, 5) for phase, seconds in spent.items()},
        round(end["peak_memory"], 1),
        round(TRAINING_TO_FORWARD * end["multiply_adds"] / typical / peaks[precision], 4),
    )


def _serve(line: Connection, way: str, network: str, size: Size, precision: hardware.Precision) -> None:
    """Set up one variant, then time a turn at each request of the parent process."""
    before = hardware.memory_in_use()
    ready = VARIANTS[way](network, size, precision)
    while line.recv() == "turn":
        batches = islice(ready.batches(), size.steps + 1)
        line.send(measure_phases(ready.model, batches, ready.criterion, ready.optimizer))
    line.send(
        {
            "precision": ready.precision,
            "peak_memory": hardware.peak_memory() - before,
            "multiply_adds": count_multiply_adds(build_on_meta(network), (3, SIDE, SIDE)),
        }
    )


def images_per_second(record: Record) -> float:
    """Return the images per second of a recorded run's fastest epoch: the slower ones shared the machine."""
    return float(record.data["train"] / min(record.by_epoch("seconds")))
