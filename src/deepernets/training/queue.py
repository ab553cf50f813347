"""A queue of runs that can be left alone: it follows an order, and started again it goes on where it was.

Each run has a process of its own, so that one that fails does not end the others. The process ends by itself, with
its last whole epoch kept, when this one closes its standard input or is no longer there.
"""

import codecs
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from math import inf
from pathlib import Path
from threading import Thread
from typing import NamedTuple

from deepernets.errors import UserError
from deepernets.progress import format_duration
from deepernets.recipes import get_recipe
from deepernets.recipes.recipe import Profile, Recipe, training_images
from deepernets.training import hardware
from deepernets.training.checkpoints import epoch_of, list_checkpoints
from deepernets.training.pace import measure_step_seconds
from deepernets.training.records import Record, load_record, results_folder
from deepernets.training.runs import RECORD, run_folder

WORTH_COMPILING = 300  # seconds of training; compiling takes about a minute
CHOOSING = 0.1  # share of the time left that may go into timing networks before one is started
PATIENCE = 60  # seconds in which a run that was told to stop must end
BETWEEN_LOOKS = 0.2  # seconds


class QueuedRun(NamedTuple):
    """A run that is wanted: a recipe's name, and a seed."""

    recipe: str
    seed: int

    def __str__(self) -> str:
        return f"{self.recipe}, seed {self.seed}"


@dataclass(frozen=True)
class Place:
    """Where runs come from and go to.

    Attributes:
        results: Folder of records; each finished run adds one.
        out: Folder of runs, with their checkpoints and weights.
        data_root: Folder of the data; None for the usual places.
        profile: At which size everything is run.
    """

    results: Path
    out: Path = Path("runs")
    data_root: Path | None = None
    profile: Profile = "full"

    def recipe(self, run: QueuedRun) -> Recipe:
        """Return the recipe of a run, at this place's profile."""
        return get_recipe(run.recipe).at(self.profile)

    def folder(self, run: QueuedRun) -> Path:
        """Return the folder of a run, with its checkpoints."""
        return run_folder(get_recipe(run.recipe), self.profile, run.seed, self.out)

    def epochs_left(self, run: QueuedRun) -> int:
        """Return how many epochs a run still has to train, after its last checkpoint."""
        done = [epoch_of(checkpoint) for checkpoint in list_checkpoints(self.folder(run))]
        return self.recipe(run).epochs - max(done, default=0)


def default_order() -> Path:
    """Return the file of the course's own order."""
    return results_folder() / "order.txt"


def read_order(path: Path) -> list[QueuedRun]:
    """Read an order: a recipe and a seed on each line; ``#`` begins a comment, and blank lines are left out.

    Raises:
        UserError: the file cannot be read, or a line of it names no run, or one that it has already.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UserError(f"The order {path} cannot be read ({reason}); expected a text file.") from error
    runs: dict[QueuedRun, int] = {}
    for number, line in enumerate(lines, 1):
        if words := line.partition("#")[0].split():
            try:
                run = _parse(words)
                if run in runs:
                    raise UserError(f"{run} is listed already in line {runs[run]}; delete one of the two.")
            except UserError as error:
                raise UserError(f"{path}, line {number}: {error}") from error
            runs[run] = number
    return list(runs)


def _parse(words: list[str]) -> QueuedRun:
    seed = words[-1]
    if len(words) != 2 or not (seed.isascii() and seed.isdecimal() and len(seed) < 10):
        raise UserError(
            f"{' '.join(words)!r} is not a run; expected a recipe and a seed from 0, such as 'paper/resnet-20 0'."
        )
    return QueuedRun(get_recipe(words[0]).name, int(seed))


def plan(
    order: Sequence[QueuedRun], found: Iterable[Record], only: Sequence[str] = (), profile: Profile = "full"
) -> list[QueuedRun]:
    """Return the runs of an order that have no record yet.

    Args:
        order: As `read_order` gives it.
        found: The records that there are.
        only: Patterns such as ``report-a/*``, one of which a recipe's name must match; none to leave out nothing.
        profile: At which size.

    Raises:
        UserError: no recipe in the order matches.

    >>> plan([QueuedRun("paper/resnet-20", 0), QueuedRun("race/step", 3)], [], ["race/*"])
    [QueuedRun(recipe='race/step', seed=3)]
    """
    chosen = [run for run in order if not only or any(fnmatch(run.recipe, pattern) for pattern in only)]
    if not chosen:
        raise UserError(
            f"The order has no recipe that matches {' or '.join(only) or '*'}; expected a name, "
            "or a pattern with * for any characters. `deepernets recipes` lists names; --order takes another order."
        )
    recorded = {
        (record.recipe, record.profile, record.seed)
        for record in found
        if record.requested_precision == "auto"
    }
    return [run for run in chosen if (get_recipe(run.recipe).at(profile), profile, run.seed) not in recorded]


def file_record(run: QueuedRun, place: Place) -> bool:
    """Copy a finished run's record to the records, and return whether there was one.

    Raises:
        UserError: the record cannot be read or written, or the recipe has changed since.
    """
    path = place.folder(run) / RECORD
    if not path.is_file():
        return False
    record = load_record(path)
    if record.recipe != place.recipe(run):
        raise UserError(
            f"{path.parent} is a run of this recipe before it was changed; rename or delete the folder."
        )
    record.save(place.results / run.recipe / f"{path.parent.name}.json")
    return True


class TrainingProcess:
    """``deepernets train`` in a process of its own, which ends when its standard input does.

    Args:
        run: What it trains.
        place: Where its data and its folder are.
        compiled: Whether it compiles the network.
        show: Whether to print what it prints, its bar above all.
    """

    CODE = (
        "import _thread, os, threading; from deepernets.cli import main; "
        "threading.Thread(target=lambda: (os.read(0, 1), _thread.interrupt_main()), daemon=True).start(); main()"
    )

    def __init__(self, run: QueuedRun, place: Place, compiled: bool, show: bool) -> None:
        command = [sys.executable, "-c", self.CODE, "train", run.recipe, "--profile", place.profile]
        command += ["--seed", str(run.seed), "--out", str(place.out)]
        command += ["--data-root", str(place.data_root)] if place.data_root else []
        command += ["--compile"] if compiled else []
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=os.environ if show else {**os.environ, "TQDM_DISABLE": "1"},
            start_new_session=True,  # Ctrl-C comes here alone, and the run is told once
        )
        self.printed = ""
        self.reader = Thread(target=self._read, args=(show,), daemon=True)
        self.reader.start()

    def _read(self, show: bool) -> None:
        """Keep the end of what it prints, and pass all of it on; nobody else empties the pipe."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        assert self.process.stderr is not None
        with self.process.stderr as pipe:
            while chunk := os.read(pipe.fileno(), 4096):
                text = decoder.decode(chunk)
                self.printed = (self.printed + text)[-4096:]
                if show:
                    with suppress(OSError):  # a log on a full disk must not stop the run
                        sys.stderr.write(text)
                        sys.stderr.flush()

    def has_ended(self) -> bool:
        """Whether it has ended."""
        if self.process.poll() is None:
            return False
        self.stop()  # which closes its pipe
        return True

    def stop(self) -> None:
        """Let it end between two steps."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def kill(self) -> None:
        """End it at once, and wait until it has ended."""
        self.process.kill()
        self.process.wait()

    def problem(self) -> str:
        """Return the last line that it printed, or the signal that ended it."""
        self.reader.join(PATIENCE)
        if self.process.returncode < 0:
            return f"it was ended by signal {-self.process.returncode}"
        lines = self.printed.strip().splitlines() or ["it ended without a word"]
        return lines[-1].removeprefix("deepernets: ")


@dataclass(frozen=True)
class Machine:
    """What a queue asks of the machine; tests replace it.

    Attributes:
        start: Starts a run, given its place, whether to compile, and whether to show its bar.
        step_seconds: Measures a training step of a recipe at a profile, compiled or not, within a time limit.
        can_compile: Whether there is a compiler.
        clock: Seconds since any moment; wall clock, since a budget is.
    """

    start: Callable[[QueuedRun, Place, bool, bool], TrainingProcess] = TrainingProcess
    step_seconds: Callable[[str, str, bool, float | None], float] = measure_step_seconds
    can_compile: Callable[[], bool] = hardware.can_compile
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class Forecast:
    """What a run will take on this machine.

    Attributes:
        compiled: Whether the network is to be compiled.
        epoch: Seconds of training in an epoch; validation is not counted.
        total: Seconds of training until its last epoch.
        text: The same for people.
    """

    compiled: bool
    epoch: float
    total: float
    text: str


def _print(line: str) -> None:
    with suppress(OSError):  # a log on a full disk must not stop the runs
        print(line, flush=True)


@dataclass
class Queue:
    """Runs, done in order; those that cannot end in time wait for another day.

    Attributes:
        left: Runs that were not started yet.
        place: Where data are, and records go.
        at_a_time: Runs side by side; one shows its own bar, several do not.
        minutes: After this long nothing is started, and what is running stops between two steps.
        say: Called with each line about what is chosen and why.
        machine: What starts and times runs.
        recorded: Runs whose record is with the records now.
        unfinished: Runs that were stopped, with their last whole epoch kept.
        problems: Runs that failed, and why.
    """

    left: list[QueuedRun]
    place: Place
    at_a_time: int = 1
    minutes: float = inf
    say: Callable[[str], object] = _print
    machine: Machine = field(default_factory=Machine)
    recorded: list[QueuedRun] = field(default_factory=list)
    unfinished: list[QueuedRun] = field(default_factory=list)
    problems: dict[QueuedRun, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.left = list(self.left)
        self.running: dict[QueuedRun, TrainingProcess] = {}
        self.deadline = self.machine.clock() + 60 * self.minutes
        self.measured: dict[tuple[object, ...], float] = {}

    def work(self) -> None:
        """Do the runs; what goes wrong with one is kept in `problems`, and the others go on.

        Raises:
            UserError: no run can get through an epoch in the time given.
        """
        for run in list(self.left):  # whose record an earlier call could not copy
            self._file(run)
        started = bool(self.recorded or self.problems)
        try:
            while True:
                while self.left and len(self.running) < self.at_a_time and (chosen := self._choose()):
                    started = True
                    self._start(*chosen)
                if not self.running:
                    break
                self._wait_for_one()
        finally:
            self._stop_all()
        if self.left and not started and not self.problems:
            raise UserError(
                f"{self.minutes:g} minutes are too short here to time a run's steps and train one epoch of it; "
                "give more --minutes."
            )

    def _choose(self) -> tuple[QueuedRun, Forecast] | None:
        """Return the first run that can end in time, or else the first that gets through an epoch."""
        fallback: tuple[QueuedRun, Forecast] | None = None
        enough = self.machine.clock() + CHOOSING * self.time_left()
        for run in list(self.left):
            if self.time_left() <= 0 or (fallback and self.machine.clock() > enough):
                break
            try:
                forecast = self._forecast(run)
            except subprocess.TimeoutExpired:
                break
            except UserError as error:
                self._fail(run, str(error))
                continue
            if forecast.total <= self.time_left():
                return run, forecast
            if fallback is None and forecast.epoch <= self.time_left():
                fallback = run, forecast
        return fallback if self.time_left() > 0 else None

    def time_left(self) -> float:
        """Return the seconds that are left."""
        return self.deadline - self.machine.clock()

    def _forecast(self, run: QueuedRun) -> Forecast:
        """Return what a run will take, from the time of a few steps; long runs are timed compiled, too."""
        chosen, epochs = self.place.recipe(run), self.place.epochs_left(run)
        steps = -(-training_images(chosen) // chosen.batch_size)  # of an epoch
        plain = fastest = self._step_seconds(chosen, compiled=False)
        text = f"plain, {chosen.batch_size / plain:.0f} images/s"
        if plain * steps * epochs > WORTH_COMPILING and self.machine.can_compile():
            try:
                compiled = self._step_seconds(chosen, compiled=True)
                fastest = min(plain, compiled)
                other = chosen.batch_size / max(plain, compiled)
                text = f"{'compiled' if compiled < plain else 'plain'}, {chosen.batch_size / fastest:.0f} images/s"
                text += f" against {other:.0f} {'plain' if compiled < plain else 'compiled'}"
            except UserError:
                text += ", since it cannot be compiled here"
        total = fastest * steps * epochs
        text += f"; {epochs} epoch{'s' * (epochs != 1)} left, about {format_duration(total)}"
        return Forecast(fastest < plain, fastest * steps, total, text)

    def _step_seconds(self, chosen: Recipe, compiled: bool) -> float:
        """Return the seconds of a step, measured once for each network, batch size and shape of images."""
        key = chosen.model, chosen.batch_size, chosen.image_size, chosen.data, chosen.optimizer, compiled
        if key not in self.measured:
            limit = None if self.minutes == inf else self.time_left()
            seconds = self.machine.step_seconds(chosen.name, self.place.profile, compiled, limit)
            self.measured[key] = seconds
        return self.measured[key]

    def _start(self, run: QueuedRun, forecast: Forecast) -> None:
        reason = ""
        if self.minutes < inf:
            budget = format_duration(self.time_left())
            reason = f"; it can end in the {budget} left"
            if forecast.total > self.time_left():
                reason = (
                    f"; nothing in the order can end in the {budget} left, so this one leaves a checkpoint"
                )
        self.say(f"{run}: {forecast.text}{reason}.")
        self.running[run] = self.machine.start(run, self.place, forecast.compiled, self.at_a_time == 1)
        self.left.remove(run)

    def _wait_for_one(self) -> None:
        """Wait until a run has ended; when time is up, stop all of them."""
        while not (ended := [run for run, process in self.running.items() if process.has_ended()]):
            if self.time_left() <= 0:
                return self._stop_all()
            time.sleep(BETWEEN_LOOKS)
        for run in ended:
            self._end(run, self.running.pop(run))

    def _stop_all(self) -> None:
        """Stop what is running, with its last whole epoch kept; what takes too long to end is killed."""
        stopped = {run: process for run, process in self.running.items() if not process.has_ended()}
        for process in stopped.values():
            process.stop()
        patience = self.machine.clock() + PATIENCE
        for run in list(self.running):
            process = self.running.pop(run)
            while not process.has_ended() and self.machine.clock() < patience:
                time.sleep(BETWEEN_LOOKS)
            if not process.has_ended():
                process.kill()
            if run not in stopped:
                self._end(run, process)
            elif not self._file(run):
                self.unfinished.append(run)

    def _end(self, run: QueuedRun, process: TrainingProcess) -> None:
        if not self._file(run):
            self._fail(run, process.problem())

    def _file(self, run: QueuedRun) -> bool:
        """Copy the record of a run, and return whether it has one."""
        try:
            if not file_record(run, self.place):
                return False
        except UserError as error:
            self._fail(run, str(error))
        else:
            self.recorded.append(run)
            self.left = [other for other in self.left if other != run]
        return True

    def _fail(self, run: QueuedRun, problem: str) -> None:
        self.problems[run] = problem
        self.say(f"{run} failed: {problem}")
        self.left = [other for other in self.left if other != run]
