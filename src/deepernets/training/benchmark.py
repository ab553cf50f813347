"""Our way to train against a plain loop: timed alternately, in two processes that do not share memory.

Each way has a process of its own, since what makes one fast (how memory is kept, what has been warmed up) would
otherwise help the other; and they take turns, since a machine is never equally busy for long.
"""

import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from importlib import import_module
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn
from torch.optim import SGD

from deepernets.analysis.arithmetic import multiply_adds
from deepernets.analysis.significance import TRAINING_TO_FORWARD
from deepernets.data.images import Dataset, Images
from deepernets.exceptions import UserError
from deepernets.models.zoo import build
from deepernets.training import hardware
from deepernets.training.loop import Batch
from deepernets.training.preparation import prepare, split
from deepernets.training.recipe import Recipe
from deepernets.training.timing import median_seconds, phases

WAYS = ("plain", "ours")
NETWORKS = ("vgg-16-bn-cifar", "resnet-50-cifar", "resnet-20", "vgg-13-bn-cifar")
SIDE, CLASSES = 32, 10


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        batch_size: Images per step.
        steps: Steps of a round that are timed; one before them is not.
        rounds: Turns that each way takes.
    """

    batch_size: int = 128
    steps: int = 8
    rounds: int = 3


@dataclass(frozen=True)
class Measurement:
    """One network, trained in one way.

    Attributes:
        network: As `deepernets.build` names it.
        way: plain or ours.
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
    after_turn: Callable[[], Any] = lambda: None,
) -> Benchmark:
    """Measure each network in both ways.

    Args:
        networks: Names of networks that take 3 × 32 × 32 images.
        size: How much is measured.
        precision: Of our way; the plain one has fp32.
        after_turn: Called when a way has had a turn.

    Raises:
        UserError: a size is not at least 1, or a network is not known.
    """
    size = size or Size()
    if min(asdict(size).values()) < 1:
        raise UserError(f"The benchmark cannot measure {asdict(size)}: each number must be at least 1.")
    for network in networks:
        with torch.device("meta"):
            build(network, in_shape=(3, SIDE, SIDE), classes=CLASSES)
    peaks = {name: matrix_peak(name) for name in ("fp32", "bf16")}
    measurements = tuple(
        measured for network in networks for measured in _compare(network, size, precision, peaks, after_turn)
    )
    machine = hardware.describe(hardware.accelerator(precision).device)
    return Benchmark(machine, date.today().isoformat(), size, peaks, measurements, hardware.versions())


def matrix_peak(precision: str, side: int = 1536) -> float:
    """Return the multiply-adds per second at which this machine multiplies two square matrices.

    Args:
        precision: fp32 or bf16.
        side: Rows and columns; large enough that arithmetic and not memory sets the pace.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    numbers = torch.randn(
        side, side, device=device, dtype={"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    )
    return side**3 / median_seconds(lambda: numbers @ numbers)


def _compare(
    network: str,
    size: Size,
    precision: hardware.Precision,
    peaks: dict[str, float],
    after_turn: Callable[[], Any],
) -> list[Measurement]:
    """Let both ways take turns with one network."""
    context = get_context("spawn")
    lines, workers = {}, {}
    turns: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    try:
        for way in WAYS:
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
    work = TRAINING_TO_FORWARD * ends["ours"]["multiply_adds"]
    return [_measurement(network, way, turns[way], ends[way], work, peaks) for way in WAYS]


def _measurement(
    network: str,
    way: str,
    turns: list[dict[str, float]],
    end: dict[str, Any],
    work: float,
    peaks: dict[str, float],
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
        round(work / typical / peaks[precision], 4),
    )


def _serve(line: Connection, way: str, network: str, size: Size, precision: hardware.Precision) -> None:
    """Set one way up, then take a turn whenever the other end of the line asks for one."""
    before = hardware.memory_in_use()
    set_up = {"plain": _plain, "ours": _ours}[way]
    model, batches, criterion, optimizer, used = set_up(network, size, precision)
    while line.recv() == "turn":
        line.send(phases(model, islice(batches(), size.steps + 1), criterion, optimizer))
    line.send(
        {
            "precision": used,
            "peak_memory": hardware.peak_memory() - before,
            "multiply_adds": multiply_adds(_fresh(network), (3, SIDE, SIDE)),
        }
    )


SetUp = tuple[nn.Module, Callable[[], Iterable[Batch]], nn.Module, Any, str]


def _plain(network: str, size: Size, precision: hardware.Precision) -> SetUp:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    images = _images(size)
    loop = plain_loop()
    model = build(network, in_shape=(3, SIDE, SIDE), classes=CLASSES).to(device)
    optimizer = SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    loader = loop.batches(images.pixels, images.labels, size.batch_size)

    def batches() -> Iterable[Batch]:
        for pixels, labels in loader:
            yield pixels.to(device), labels.to(device)

    return model, batches, nn.CrossEntropyLoss(), optimizer, "fp32"


def _ours(network: str, size: Size, precision: hardware.Precision) -> SetUp:
    accelerator = hardware.accelerator(precision)
    images = _images(size)
    dataset = Dataset("noise", "drawn", tuple("0123456789"), images, images)
    chosen = Recipe(
        "benchmark",
        data="noise",
        model=network,
        batch_size=size.batch_size,
        pad=4,
        flip=True,
        validation_fraction=0.0,
    )
    splits = split(chosen, dataset, 0, hardware.channels_last(accelerator))
    training = prepare(chosen, splits, accelerator, 0)
    train = splits.train.to(accelerator.device)
    turn = iter(range(1, 10**6))
    used = hardware.precision_of(accelerator)
    return training.model, lambda: train.epoch(next(turn)), training.criterion, training.optimizer, used


def _fresh(network: str) -> nn.Module:
    with torch.device("meta"):
        return build(network, in_shape=(3, SIDE, SIDE), classes=CLASSES)


def _images(size: Size) -> Images:
    """Draw noise: what is on a picture does not change what it costs."""
    count = size.batch_size * (size.steps + 1)
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (count, 3, SIDE, SIDE), generator=generator, dtype=torch.uint8)
    return Images(pixels, torch.arange(count) % CLASSES)


def plain_loop() -> ModuleType:
    """Import ``benchmarks/plain_loop.py``: inside an installed package, or of the repository."""
    package = Path(__file__).parents[1]
    folder = (
        package / "benchmarks" if (package / "benchmarks").is_dir() else package.parents[1] / "benchmarks"
    )
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # and not by path: processes that prepare batches import it again
    return import_module("plain_loop")
