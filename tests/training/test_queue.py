"""What the queue starts on a machine of some speed, and what it leaves when something goes wrong."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest

import deepernets
from deepernets.data.datasets import load_dataset
from deepernets.data.images import Dataset, sample
from deepernets.errors import UserError
from deepernets.recipes.recipe import training_images
from deepernets.training import preparation, queue
from deepernets.training.options import RunOptions
from deepernets.training.plan import PlannedRun, missing_runs
from deepernets.training.queue import PATIENCE, WORTH_COMPILING, Machine, Queue, TrainingProcess
from deepernets.training.records import Record, load_record, load_records
from deepernets.training.run import train

A, B = PlannedRun("paper/resnet-20", 0), PlannedRun("report-b/vgg-13-mnist/ours", 1)


def steps_of(run: PlannedRun) -> int:
    """Return the steps of an epoch."""
    chosen = deepernets.get_recipe(run.recipe)
    return -(-training_images(chosen) // chosen.batch_size)


class FakeMachine:
    """A machine with a clock of its own; a run takes `hours`, and a step of a recipe `seconds[recipe]`."""

    def __init__(self, seconds: dict[str, float], compiled: float = inf, measuring: float = 0) -> None:
        self.now, self.seconds, self.compiled, self.measuring = 1000.0, seconds, compiled, measuring
        self.hours = 1.0
        self.timed: list[tuple[str, bool]] = []
        self.started: list[tuple[PlannedRun, bool]] = []
        self.on_end: Callable[[PlannedRun, RunOptions], str] = lambda run, options: "it left no record"
        self.deaf = self.immortal = False

    def step_seconds(self, name: str, profile: str, compiled: bool, timeout: float | None) -> float:
        self.now += self.measuring
        if timeout is not None and self.measuring > timeout:
            raise subprocess.TimeoutExpired("a step", timeout)
        self.timed.append((name, compiled))
        return self.compiled if compiled else self.seconds[name]

    def machine(self) -> Machine:
        fake = self

        class Process(TrainingProcess):
            def __init__(self, recipe: str, options: RunOptions, show: bool) -> None:
                self.run, self.options = PlannedRun(recipe, options.seed), options
                self.end = fake.now + 3600 * fake.hours
                fake.started.append((self.run, options.compile))
                self.said = ""

            def has_ended(self) -> bool:
                fake.now += 30
                if fake.now >= self.end and not self.said:
                    self.said = fake.on_end(self.run, self.options)
                return fake.now >= self.end

            def stop(self) -> None:
                if not fake.deaf:
                    self.end, self.said = fake.now, "stopped"

            def kill(self) -> bool:
                if not fake.immortal:
                    self.end, self.said = fake.now, "killed"
                return not fake.immortal

            def problem(self) -> str:
                return self.said

        return Machine(Process, self.step_seconds, lambda: True, lambda: self.now)


@pytest.fixture(autouse=True)
def _do_not_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "POLLING", 0.0)


@pytest.fixture(scope="module")
def finished() -> Record:
    """A record with which a run can end at once."""
    return load_records("report-a/vgg-16/as-reported")[0]


def finish(record: Record) -> Callable[[PlannedRun, RunOptions], str]:
    """Return what lets a run end with a record in its folder."""

    def leave(run: PlannedRun, options: RunOptions) -> str:
        recipe = deepernets.get_recipe(run.recipe)
        folder = replace(options, seed=run.seed).folder(recipe)
        replace(record, recipe=recipe.at(options.profile), seed=run.seed).save(folder / "record.json")
        return "done"

    return leave


# What is chosen.


def test_without_a_budget_all_are_done_in_order(finished: Record, tmp_path: Path) -> None:
    fake = FakeMachine({A.recipe: 1.0, B.recipe: 2.0})
    results, options = tmp_path / "results", RunOptions(out=tmp_path / "runs")
    fake.on_end = finish(finished)
    queue = Queue([B, A], results, options, machine=fake.machine())
    queue.work()
    assert queue.recorded == [B, A]
    assert [run for run, _ in fake.started] == [B, A]
    assert {record.recipe.name for record in load_records(folder=results)} == {A.recipe, B.recipe}


@pytest.mark.parametrize("at_a_time", [1, 2])
def test_the_first_that_can_end_in_time_is_started(at_a_time: int, finished: Record, tmp_path: Path) -> None:
    lines: list[str] = []
    hour = 3600 / (steps_of(B) * deepernets.get_recipe(B.recipe).epochs)  # seconds a step, for an hour
    fake = FakeMachine({A.recipe: 1000.0, B.recipe: hour})
    fake.on_end = finish(finished)
    queue = Queue(
        [A, B],
        tmp_path / "results",
        RunOptions(out=tmp_path / "runs"),
        at_a_time,
        65,
        lines.append,
        fake.machine(),
    )
    queue.work()
    assert queue.recorded == [B]
    assert queue.waiting == [A]
    assert "about 60 min; it can end in the 65 min left." in lines[0]


def test_when_none_can_end_the_first_leaves_a_checkpoint(tmp_path: Path) -> None:
    lines: list[str] = []
    fake = FakeMachine({A.recipe: 1800 / steps_of(A), B.recipe: 1800 / steps_of(B)})
    fake.hours = 100.0
    results, options = tmp_path / "results", RunOptions(out=tmp_path / "runs")
    queue = Queue([A, B], results, options, minutes=60, log=lines.append, machine=fake.machine())
    queue.work()
    assert fake.started == [(A, False)]
    assert queue.unfinished == [A]
    assert queue.waiting == [B]
    assert not queue.problems
    assert "no run that was timed can end in the 60 min left" in lines[0]
    assert 3600 <= fake.now - 1000 <= 3600 + 120  # a look takes 30 s of the fake clock; stopping takes three


def test_a_run_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    fake = FakeMachine({A.recipe: 1800 / steps_of(A)})
    fake.hours, fake.deaf = 100.0, True
    queue = Queue(
        [A], tmp_path / "results", RunOptions(out=tmp_path / "runs"), minutes=60, machine=fake.machine()
    )
    queue.work()
    assert queue.unfinished == [A]
    assert fake.now - 1000 <= 3600 + PATIENCE + 120


def test_a_run_that_cannot_be_killed_is_reported_and_the_queue_ends(tmp_path: Path) -> None:
    fake = FakeMachine({A.recipe: 1800 / steps_of(A)})
    fake.hours, fake.deaf, fake.immortal = 100.0, True, True
    queue = Queue(
        [A], tmp_path / "results", RunOptions(out=tmp_path / "runs"), minutes=60, machine=fake.machine()
    )
    queue.work()
    assert "still running 60 seconds after it was killed" in queue.problems[A]
    assert queue.unfinished == []


@pytest.mark.parametrize("ends", [True, False])
def test_a_killed_process_is_not_waited_for_without_end(
    ends: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that hangs in a call to a driver, which no signal ends."""
    monkeypatch.setattr(TrainingProcess, "CODE", "import os; os.read(0, 1)")
    process = TrainingProcess("quick/vgg", RunOptions(out=tmp_path), show=False)
    if not ends:
        monkeypatch.setattr(queue, "PATIENCE", 0)
        monkeypatch.setattr(process.process, "kill", lambda: None)
    assert process.kill() is ends
    process.stop()
    process.process.wait()
    process.reader.join()


def test_when_no_epoch_can_end_it_says_so(tmp_path: Path) -> None:
    fake = FakeMachine({A.recipe: 1000.0})
    with pytest.raises(UserError, match="5 minutes are too short here"):
        Queue(
            [A], tmp_path / "results", RunOptions(out=tmp_path / "runs"), minutes=5, machine=fake.machine()
        ).work()
    assert fake.started == []


def test_choosing_takes_a_tenth_of_the_time_at_most(tmp_path: Path) -> None:
    """Six minutes of an hour: after three networks, of 2.5 minutes each, the first of them is started."""
    runs = [PlannedRun(f"paper/resnet-{depth}", 0) for depth in (20, 32, 44, 56, 110)]
    fake = FakeMachine({run.recipe: 1.0 for run in runs}, measuring=75)
    fake.hours = 100.0
    queue = Queue(runs, tmp_path / "results", RunOptions(out=tmp_path), minutes=60, machine=fake.machine())
    queue.work()
    assert fake.timed == [(run.recipe, compiled) for run in runs[:3] for compiled in (False, True)]
    assert fake.started == [(runs[0], False)]


def test_timing_ends_with_the_time(tmp_path: Path) -> None:
    fake = FakeMachine({A.recipe: 1e-3}, measuring=400)
    with pytest.raises(UserError, match="5 minutes are too short here"):
        Queue(
            [A], tmp_path / "results", RunOptions(out=tmp_path / "runs"), minutes=5, machine=fake.machine()
        ).work()


def test_a_checkpoint_shortens_what_is_left(tmp_path: Path) -> None:
    fake = FakeMachine({A.recipe: 1800 / steps_of(A)})
    lines: list[str] = []
    results, options = tmp_path / "results", RunOptions(out=tmp_path)
    queue = Queue([A], results, options, minutes=61, log=lines.append, machine=fake.machine())
    assert queue.epochs_left(A) == 182
    (queue.folder(A) / "epoch-180").mkdir(parents=True)
    (queue.folder(A) / ".epoch-181.part").mkdir()
    assert queue.epochs_left(A) == 2
    queue.work()
    assert "2 epochs left, about 60 min; it can end" in lines[0]


# Whether to compile.


@pytest.mark.parametrize(("seconds", "compiled"), [(0.5, True), (2.0, False)])
def test_the_faster_way_is_taken_and_timed_once(seconds: float, compiled: bool, tmp_path: Path) -> None:
    lines: list[str] = []
    fake = FakeMachine({A.recipe: 1.0}, compiled=seconds)
    runs = [A, PlannedRun(A.recipe, 1)]
    queue = Queue(
        runs, tmp_path / "results", RunOptions(out=tmp_path), log=lines.append, machine=fake.machine()
    )
    queue.work()
    assert fake.started == [(run, compiled) for run in runs]
    assert fake.timed == [(A.recipe, False), (A.recipe, True)]
    faster = (
        "compiled, 256 images/s against 128 plain" if compiled else "plain, 128 images/s against 64 compiled"
    )
    assert faster in lines[0]


def test_a_short_run_and_one_without_a_compiler_are_not_timed_compiled(tmp_path: Path) -> None:
    epochs = deepernets.get_recipe(A.recipe).epochs
    short = FakeMachine({A.recipe: 0.99 * WORTH_COMPILING / epochs / steps_of(A)}, compiled=0.0)
    results, options = tmp_path / "results", RunOptions(out=tmp_path)
    Queue([A], results, options, machine=short.machine()).work()
    without = FakeMachine({A.recipe: 1.0}, compiled=0.0)
    Queue([A], results, options, machine=replace(without.machine(), can_compile=lambda: False)).work()
    for fake in (short, without):
        assert fake.timed == [(A.recipe, False)]
        assert fake.started == [(A, False)]


def test_a_network_that_cannot_be_compiled_is_trained_plain(tmp_path: Path) -> None:
    fake = FakeMachine({A.recipe: 1.0})

    def fails(name: str, profile: str, compiled: bool, timeout: float | None) -> float:
        if compiled:
            raise UserError("the compiler failed")
        return 1.0

    lines: list[str] = []
    queue = Queue(
        [A], tmp_path / "results", RunOptions(out=tmp_path / "runs"), log=lines.append, machine=fake.machine()
    )
    queue.machine = replace(queue.machine, step_seconds=fails)
    queue.work()
    assert fake.started == [(A, False)]
    assert "cannot be compiled here" in lines[0]


# What is left when something goes wrong.


def test_a_run_that_fails_is_reported_and_the_others_go_on(finished: Record, tmp_path: Path) -> None:
    lines: list[str] = []
    fake = FakeMachine({A.recipe: 1.0, B.recipe: 1.0})
    fake.on_end = lambda run, options: "it diverged" if run == A else finish(finished)(run, options)
    queue = Queue(
        [A, B],
        tmp_path / "results",
        RunOptions(out=tmp_path / "runs"),
        log=lines.append,
        machine=fake.machine(),
    )
    queue.work()
    assert queue.problems == {A: "it diverged"}
    assert queue.recorded == [B]
    assert "paper/resnet-20, seed 0 failed: it diverged" in lines


def test_a_record_that_was_not_copied_is_copied_without_training(finished: Record, tmp_path: Path) -> None:
    """As after a kill between the end of a run and the copy of its record, with a half-written copy beside it."""
    results, options, fake = tmp_path / "results", RunOptions(out=tmp_path / "runs"), FakeMachine({})
    finish(finished)(A, options)
    folder = options.folder(deepernets.get_recipe(A.recipe))
    half = results / A.recipe / f".{folder.name}.json.123.part"
    half.parent.mkdir(parents=True)
    half.write_text('{"recipe": {"na')
    queue = Queue([A], results, options, minutes=1, machine=fake.machine())
    queue.work()
    assert (queue.recorded, fake.started, fake.timed) == ([A], [], [])
    copy = results / A.recipe / f"{folder.name}.json"
    assert load_record(copy) == load_record(folder / "record.json")
    assert missing_runs([A], load_records(folder=results)) == []


def test_a_record_of_a_recipe_that_was_changed_is_not_copied(finished: Record, tmp_path: Path) -> None:
    results, options = tmp_path / "results", RunOptions(out=tmp_path / "runs")
    older = deepernets.get_recipe(A.recipe).changed(epochs=7)
    queue = Queue([A], results, options, machine=FakeMachine({}).machine())
    replace(finished, recipe=older, seed=0).save(queue.folder(A) / "record.json")
    queue.work()
    assert "before it was changed); rename or delete the folder" in queue.problems[A]
    assert not results.exists()


def test_a_full_disk_is_one_sentence_and_the_others_go_on(
    finished: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, options = tmp_path / "results", RunOptions(out=tmp_path / "runs")
    fake = FakeMachine({A.recipe: 1.0, B.recipe: 1.0})
    fake.on_end = finish(finished)
    write = Path.write_text

    def full(path: Path, text: str, **how: str) -> int:
        if results in path.parents and "resnet-20" in str(path):
            write(path, text[:50], **how)
            raise OSError(28, "No space left on device")
        return write(path, text, **how)

    monkeypatch.setattr(Path, "write_text", full)
    queue = Queue([A, B], results, options, machine=fake.machine())
    queue.work()
    assert "cannot be written (No space left on device)" in queue.problems[A]
    assert queue.recorded == [B]
    assert [path.name for path in results.rglob("*") if path.is_file()] == ["full-seed1.json"]
    monkeypatch.undo()
    left = missing_runs([A, B], load_records(folder=results))
    again = Queue(left, results, options, machine=FakeMachine({}).machine())
    again.work()
    assert again.recorded == [A]


def test_ctrl_c_stops_what_is_running(tmp_path: Path) -> None:
    fake = FakeMachine({A.recipe: 1.0, B.recipe: 1.0})

    def interrupted(line: str) -> None:
        if line.startswith(str(B)):
            raise KeyboardInterrupt

    queue = Queue(
        [A, B],
        tmp_path / "results",
        RunOptions(out=tmp_path / "runs"),
        2,
        log=interrupted,
        machine=fake.machine(),
    )
    with pytest.raises(KeyboardInterrupt):
        queue.work()
    assert queue.unfinished == [A]
    assert queue.running == {}


# With real processes.


def few_sketches(*args: object) -> Dataset:
    """Return the embedded images, a few of them."""
    sketches = load_dataset("sketches")
    return replace(sketches, train=sample(sketches.train, 100, 0), test=sample(sketches.test, 20, 0))


class StoppedAfterAnEpoch(TrainingProcess):
    """A real run, which waits at the end of its first epoch until its standard input is closed."""

    CODE = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_queue
from deepernets.training import preparation
from deepernets.training.callbacks import Progress

def wait(progress, training, after_epoch=Progress.after_epoch):
    after_epoch(progress, training)
    print("an epoch", file=sys.stderr, flush=True)
    while not progress.interrupted:
        time.sleep(0.01)

Progress.after_epoch = wait
preparation.load_dataset = test_queue.few_sketches
{TrainingProcess.CODE}
"""

    def _read(self, show: bool) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as pipe:
            for line in pipe:  # ends with the process
                self.printed += line.decode()
                if b"an epoch" in line:
                    self.stop()


class InThisProcess(TrainingProcess):
    """A run that is made at once, as the command would make it."""

    def __init__(self, recipe: str, options: RunOptions, show: bool) -> None:
        self.said = ""
        try:
            train(recipe, options)
        except UserError as error:
            self.said = str(error)

    def has_ended(self) -> bool:
        return True

    def problem(self) -> str:
        return self.said


def test_a_real_run_ends_with_its_queue_and_the_next_queue_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing the run's standard input is what the system does when the queue is killed."""
    monkeypatch.setattr(preparation, "load_dataset", few_sketches)
    options = RunOptions(out=tmp_path / "runs", profile="quick")
    run, other = PlannedRun("quick/vgg", 0), PlannedRun("quick/resnet", 0)
    process = StoppedAfterAnEpoch(run.recipe, options, show=False)
    process.reader.join()
    assert process.process.wait() == 130, process.printed

    machine = Machine(InThisProcess, step_seconds=lambda *_: 1e-3)
    queue = Queue([run, other], tmp_path / "results", options, machine=machine)
    epochs = queue.recipe(run).epochs
    assert not (queue.folder(run) / "record.json").exists()
    assert 0 < queue.epochs_left(run) < epochs
    broken = queue.folder(other) / "epoch-001"
    broken.mkdir(parents=True)
    queue.work()
    assert queue.recorded == [run]
    (record,) = load_records(folder=queue.results)
    assert (record.recipe, len(record.epochs)) == (queue.recipe(run), epochs)
    assert record.data["train"] == 80
    assert f"The checkpoint {broken} is damaged" in queue.problems[other]


def test_the_problem_of_a_process_is_its_last_line_or_its_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python alone, since PyTorch takes seconds to start."""
    last = "import sys; print('deepernets: first', file=sys.stderr); sys.exit('deepernets: it diverged')"
    for program, problem in (
        (last, "it diverged"),
        ("pass", "it printed nothing"),
        ("import os; os.kill(os.getpid(), 9)", "it was ended by signal 9"),
    ):
        monkeypatch.setattr(TrainingProcess, "CODE", program)
        process = TrainingProcess("quick/vgg", RunOptions(out=tmp_path), show=False)
        process.process.wait()
        assert process.has_ended()
        assert process.problem() == problem
