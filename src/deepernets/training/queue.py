"""Run a list of recipes unattended, each in a process of its own, within a time budget if there is one.

A run that fails does not end the others. Its process ends by itself, with its last finished epoch kept, when
the queue closes its standard input or is killed.
"""

import codecs
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from threading import Thread

from deepernets.errors import UserError
from deepernets.progress import PASSED_ON, format_duration, writes_log
from deepernets.recipes import get_recipe
from deepernets.recipes.recipe import Recipe, training_images
from deepernets.training import hardware
from deepernets.training.checkpoints import epoch_of, list_checkpoints
from deepernets.training.options import RunOptions, require_same_run
from deepernets.training.plan import PlannedRun
from deepernets.training.records import RECORD, load_record
from deepernets.training.timing import measure_step_seconds

WORTH_COMPILING = 300  # seconds of training; compiling takes about a minute
CHOOSING = 0.1  # largest share of the time left for timing networks before one is started
PATIENCE = 60  # seconds in which a run that was told to stop must end
POLLING = 0.2  # seconds between two looks at the processes


class TrainingProcess:
    """``deepernets train`` in a process of its own, which ends when its standard input does.

    Args:
        recipe: Name of the recipe to train.
        options: Options of the run.
        show: Whether to print what it prints, such as its progress bar.
    """

    CODE = (
        "import _thread, os, threading; from deepernets.cli import main; "
        "threading.Thread(target=lambda: (os.read(0, 1), _thread.interrupt_main()), daemon=True).start(); main()"
    )

    def __init__(self, recipe: str, options: RunOptions, show: bool) -> None:
        command = [sys.executable, "-c", self.CODE, "train", recipe, "--profile", options.profile]
        command += ["--seed", str(options.seed), "--out", str(options.out)]
        command += ["--data-root", str(options.data_root)] if options.data_root else []
        command += ["--compile"] if options.compile else []
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={
                **os.environ,
                **({PASSED_ON: str(int(not writes_log()))} if show else {"TQDM_DISABLE": "1"}),
            },
            start_new_session=True,  # so that Ctrl-C reaches this process alone, which stops the run
        )
        self.printed = ""
        self.reader = Thread(target=self._read, args=(show,), daemon=True)
        self.reader.start()

    def _read(self, show: bool) -> None:
        """Empty the pipe: keep the end of what the process prints, and print it if asked to."""
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
        """Return whether it has ended."""
        if self.process.poll() is None:
            return False
        self.stop()  # which closes its pipe
        return True

    def stop(self) -> None:
        """Let it end after its current step."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def kill(self) -> bool:
        """End it at once, and return whether it has ended: in a call to a driver or a file system it may not."""
        self.process.kill()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(PATIENCE)
        return self.process.returncode is not None

    def problem(self) -> str:
        """Return the last line that it printed, or the signal that ended it."""
        self.reader.join(PATIENCE)
        if self.process.returncode < 0:
            return f"it was ended by signal {-self.process.returncode}"
        lines = self.printed.strip().splitlines() or ["it printed nothing"]
        return lines[-1].removeprefix("deepernets: ")


@dataclass(frozen=True)
class Machine:
    """What a queue needs of the machine; tests replace it.

    Attributes:
        start: Starts a run, given the name of its recipe, its options, and whether to show its progress bar.
        step_seconds: Measures a training step of a recipe at a profile, compiled or not, within a time limit.
        can_compile: Whether networks can be compiled.
        clock: Seconds since any fixed moment.
    """

    start: Callable[[str, RunOptions, bool], TrainingProcess] = TrainingProcess
    step_seconds: Callable[[str, str, bool, float | None], float] = measure_step_seconds
    can_compile: Callable[[], bool] = hardware.can_compile
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class Forecast:
    """How long a run will take on this machine.

    Attributes:
        compiled: Whether to compile the network.
        epoch: Seconds of training in an epoch, without validation.
        total: Seconds of training until its last epoch.
        text: The same as text.
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
    """Runs to make in order; those that cannot end within the time budget remain for another call.

    Attributes:
        waiting: Runs that were not started yet.
        results: Folder of the records; each finished run adds one.
        options: Options of all runs; the seed is that of each run.
        at_a_time: Number of runs at the same time; one shows its progress bar, several do not.
        minutes: Time budget. After it nothing is started, and running processes stop after their current step.
        log: Called with each line about what is chosen and why.
        machine: Starts and times runs.
        recorded: Runs whose record is in `results` now.
        unfinished: Runs that were stopped, with their last finished epoch kept.
        problems: Runs that failed, and why.
    """

    waiting: list[PlannedRun]
    results: Path
    options: RunOptions = field(default_factory=RunOptions)
    at_a_time: int = 1
    minutes: float = inf
    log: Callable[[str], object] = _print
    machine: Machine = field(default_factory=Machine)
    recorded: list[PlannedRun] = field(default_factory=list)
    unfinished: list[PlannedRun] = field(default_factory=list)
    problems: dict[PlannedRun, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.waiting = list(self.waiting)
        self.running: dict[PlannedRun, TrainingProcess] = {}
        self.deadline = self.machine.clock() + 60 * self.minutes
        self.measured: dict[tuple[object, ...], float] = {}

    def recipe(self, run: PlannedRun) -> Recipe:
        """Return the recipe of a run, at the profile of the queue."""
        return get_recipe(run.recipe).at(self.options.profile)

    def folder(self, run: PlannedRun) -> Path:
        """Return the folder of a run."""
        return replace(self.options, seed=run.seed).folder(get_recipe(run.recipe))

    def epochs_left(self, run: PlannedRun) -> int:
        """Return the number of epochs of a run after its last checkpoint."""
        done = [epoch_of(checkpoint) for checkpoint in list_checkpoints(self.folder(run))]
        return self.recipe(run).epochs - max(done, default=0)

    def time_left(self) -> float:
        """Return the seconds that are left."""
        return self.deadline - self.machine.clock()

    def work(self) -> None:
        """Make the runs. Errors of a run are collected in `problems`, and the others continue.

        Raises:
            UserError: no run can finish an epoch within the time budget.
        """
        for run in list(self.waiting):  # an earlier call may have failed to copy its record
            self._copy_record(run)
        started = bool(self.recorded or self.problems)
        try:
            while True:
                while self.waiting and len(self.running) < self.at_a_time and (choice := self._choose()):
                    started = True
                    self._start(*choice)
                if not self.running:
                    break
                self._wait_for_one()
        finally:
            self._stop_all()
        if self.waiting and not started and not self.problems:
            raise UserError(
                f"{self.minutes:g} minutes are too short here to time a run's steps and train one epoch of it; "
                "give more --minutes."
            )

    def _choose(self) -> tuple[PlannedRun, Forecast] | None:
        """Return the first run that can end in time, or else the first that can finish an epoch."""
        fallback: tuple[PlannedRun, Forecast] | None = None
        enough = self.machine.clock() + CHOOSING * self.time_left()
        for run in list(self.waiting):
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

    def _forecast(self, run: PlannedRun) -> Forecast:
        """Return how long a run will take, from the time of a few steps; long runs are also timed compiled."""
        recipe, epochs = self.recipe(run), self.epochs_left(run)
        steps = -(-training_images(recipe) // recipe.batch_size)  # of an epoch
        plain = fastest = self._step_seconds(recipe, compiled=False)
        text = f"plain, {recipe.batch_size / plain:.0f} images/s"
        if plain * steps * epochs > WORTH_COMPILING and self.machine.can_compile():
            try:
                compiled = self._step_seconds(recipe, compiled=True)
                fastest, slowest = sorted((plain, compiled))
                best, other = ("compiled", "plain") if compiled < plain else ("plain", "compiled")
                text = f"{best}, {recipe.batch_size / fastest:.0f} images/s"
                text += f" against {recipe.batch_size / slowest:.0f} {other}"
            except UserError:
                text += ", since it cannot be compiled here"
        total = fastest * steps * epochs
        text += f"; {epochs} epoch{'s' * (epochs != 1)} left, about {format_duration(total)}"
        return Forecast(fastest < plain, fastest * steps, total, text)

    def _step_seconds(self, recipe: Recipe, compiled: bool) -> float:
        """Return the seconds of a step, measured once for each network, batch size and shape of images."""
        key = recipe.model, recipe.batch_size, recipe.image_size, recipe.data, recipe.optimizer, compiled
        if key not in self.measured:
            limit = None if self.minutes == inf else self.time_left()
            self.measured[key] = self.machine.step_seconds(recipe.name, self.options.profile, compiled, limit)
        return self.measured[key]

    def _start(self, run: PlannedRun, forecast: Forecast) -> None:
        reason = ""
        if self.minutes < inf:
            budget = format_duration(self.time_left())
            reason = f"; it can end in the {budget} left"
            if forecast.total > self.time_left():
                reason = (
                    f"; no run that was timed can end in the {budget} left, so this one leaves a checkpoint"
                )
        self.log(f"{run}: {forecast.text}{reason}.")
        options = replace(self.options, seed=run.seed, compile=forecast.compiled)
        self.running[run] = self.machine.start(run.recipe, options, self.at_a_time == 1)
        self.waiting.remove(run)

    def _wait_for_one(self) -> None:
        """Wait until a run has ended; when time is up, stop all of them."""
        while not (ended := [run for run, process in self.running.items() if process.has_ended()]):
            if self.time_left() <= 0:
                return self._stop_all()
            time.sleep(POLLING)
        for run in ended:
            self._end(run, self.running.pop(run))

    def _stop_all(self) -> None:
        """Stop all running processes, with their last finished epoch kept; kill those that take too long."""
        stopped = {run: process for run, process in self.running.items() if not process.has_ended()}
        for process in stopped.values():
            process.stop()
        latest = self.machine.clock() + PATIENCE
        for run in list(self.running):
            process = self.running.pop(run)
            while not process.has_ended() and self.machine.clock() < latest:
                time.sleep(POLLING)
            if not process.has_ended() and not process.kill():
                self._fail(run, f"it is still running {PATIENCE} seconds after it was killed; end it first")
            elif run not in stopped:
                self._end(run, process)
            elif not self._copy_record(run):
                self.unfinished.append(run)

    def _end(self, run: PlannedRun, process: TrainingProcess) -> None:
        if not self._copy_record(run):
            self._fail(run, process.problem())

    def _copy_record(self, run: PlannedRun) -> bool:
        """Copy the record of a finished run to the records, and return whether it has one."""
        path = self.folder(run) / RECORD
        if not path.is_file():
            return False
        try:
            record = load_record(path)
            require_same_run(record, path.parent, self.recipe(run), replace(self.options, seed=run.seed))
            record.save(self.results / run.recipe / f"{path.parent.name}.json")
        except UserError as error:
            self._fail(run, str(error))
        else:
            self.recorded.append(run)
            self.waiting = [other for other in self.waiting if other != run]
        return True

    def _fail(self, run: PlannedRun, problem: str) -> None:
        self.problems[run] = problem
        self.log(f"{run} failed: {problem}")
        self.waiting = [other for other in self.waiting if other != run]
