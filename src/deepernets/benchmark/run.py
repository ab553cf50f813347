"""Our way to train against a plain loop: timed in turns, in processes that do not share memory.

Each way has a process of its own, since what makes one fast (how memory is kept, what has been warmed up) would
otherwise help the other; and they take turns, since a machine is never equally busy for long.
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

from deepernets.analysis.arithmetic import TRAINING_TO_FORWARD, count_multiply_adds
from deepernets.benchmark.variants import FIRST_AND_LAST, SIDE, WAYS, Size, on_paper
from deepernets.errors import UserError
from deepernets.training import hardware
from deepernets.training.timing import measure_phases, median_seconds

NETWORKS = ("vgg-16-bn-cifar", "resnet-50-cifar", "resnet-20", "vgg-13-bn-cifar")


@dataclass(frozen=True)
class Measurement:
    """One network, trained in one way.

    Attributes:
        network: As `deepernets.build_model` names it.
        way: A key of `deepernets.benchmark.variants.WAYS`, such as plain or ours.
        precision: fp32 or bf16.
        milliseconds: Per image, for each phase of a step: the round whose total is the median.
        peak_memory: Megabytes that training took at most, beyond what the process had before.
        share_of_peak: Arithmetic done per second, over what the machine reaches when it multiplies large matrices
            in the same precision.
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
    """What one run of the benchmark found.

    Attributes:
        machine: Processor or GPU, in words.
        date: Year-month-day.
        size: How much was measured.
        multiply_adds_per_second: The machine's peak at multiplying large matrices, by precision.
        measurements: One per network and way.
        versions: Python's and the libraries' versions.
    """

    machine: str
    date: str
    size: Size
    multiply_adds_per_second: dict[str, float]
    measurements: tuple[Measurement, ...]
    versions: dict[str, str]

    def ratio(self, network: str) -> float:
        """Return how many times as fast ours is."""
        speed = {
            found.way: found.images_per_second for found in self.measurements if found.network == network
        }
        return speed["ours"] / speed["plain"]

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain numbers and words, the ratios included."""
        networks = dict.fromkeys(found.network for found in self.measurements)
        return {**asdict(self), "ratios": {network: round(self.ratio(network), 3) for network in networks}}


def run(
    networks: Sequence[str] = NETWORKS,
    size: Size | None = None,
    precision: hardware.Precision = "auto",
    ways: Sequence[str] = FIRST_AND_LAST,
    after_turn: Callable[[], Any] = lambda: None,
) -> Benchmark:
    """Measure each network in several ways.

    Args:
        networks: Names of networks that take 3 × 32 × 32 images.
        size: How much is measured.
        precision: Of our way; the plain one has fp32.
        ways: Keys of `deepernets.benchmark.variants.WAYS`, plain and ours among them.
        after_turn: Called when a way has had a turn.

    Raises:
        UserError: a size is not at least 1, or a network is not known.
    """
    size = size or Size()
    if min(asdict(size).values()) < 1:
        raise UserError(f"The benchmark cannot measure {asdict(size)}: each number must be at least 1.")
    for network in networks:
        on_paper(network)
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
    """Return the multiply-adds per second that this machine reaches when it multiplies large matrices.

    The better of two: PyTorch's matrix product, and one written as a 3×3 convolution of 256 channels, which another
    library computes; on some processors that library is far ahead.

    Args:
        precision: fp32 or bf16.
        side: Rows and columns; large enough that arithmetic and not memory sets the pace.
    """
    hardware.disable_tf32()
    device = "cuda" if torch.cuda.is_available() else "cpu"
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
    """Let all ways take turns with one network; return each with the phases of its turns, and its last words."""
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
    except EOFError as error:
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
    """Set one way up, then take a turn whenever the other end of the line asks for one."""
    before = hardware.memory_in_use()
    ready = WAYS[way](network, size, precision)
    while line.recv() == "turn":
        batches = islice(ready.batches(), size.steps + 1)
        line.send(measure_phases(ready.model, batches, ready.criterion, ready.optimizer))
    line.send(
        {
            "precision": ready.precision,
            "peak_memory": hardware.peak_memory() - before,
            "multiply_adds": count_multiply_adds(on_paper(network), (3, SIDE, SIDE)),
        }
    )
