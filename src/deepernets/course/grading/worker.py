"""Runs inside a sandbox: executes the cells of one notebook, and calls its answers with the judge's inputs.

It decides nothing. It knows neither seeds nor expected values, and what it sends is data that the judge compares.
"""

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType, ModuleType
from typing import Any, BinaryIO

import torch

from deepernets.course import checks
from deepernets.course.exercises.judging import Outcome
from deepernets.course.exercises.values import NotAttempted, Stopped, TooLong, Unsuitable
from deepernets.course.failed_cells import describe_failure
from deepernets.course.grading.plain import (
    LARGEST_FRAME,
    LENGTH,
    NotPlainError,
    from_plain,
    pack,
    to_plain,
    unpack,
)

CANDIDATES = 3  # versions of an answer that were never checked, the latest first
CLOCKS = {signal.SIGPROF: signal.ITIMER_PROF, signal.SIGALRM: signal.ITIMER_REAL}
INSTALLERS = ("pip", "conda", "uv", "mamba")  # line magics that do nothing here


class CellTimeoutError(BaseException):
    """A cell took too long; not an `Exception`, so that answers do not catch it by accident."""


class Worker:
    """The two ends of the pipes to the judge, and what the notebook has answered so far."""

    def __init__(self, source: BinaryIO, target: int) -> None:
        self._source, self._target, self._pid = source, target, os.getpid()
        job = self._receive()
        self.cells: list[tuple[int, str]] = job["cells"]
        self.exercises = {name: checks.exercises()[name] for name in job["exercises"]}
        self.limits: dict[str, Any] = job["limits"]
        self.right: set[str] = set()
        self.judged: list[Any] = []  # answers, kept so that no other one gets the same identity
        self.versions: dict[str, list[Any]] = {name: [] for name in self.exercises}

    def run(self) -> None:
        """Run the cells, have the answers judged where they are checked, and those that never were at the end."""
        namespace, shell = _shell()
        checks.check = self.check
        for number, source in self.cells:
            self._send({"cell": number})
            if error := self._execute(shell, source):
                self._send({"failed": number, "error": error})
            self._note_versions(namespace)
        self._send({"cell": 0})
        for name, versions in self.versions.items():
            for answer in reversed(versions[-CANDIDATES:]):
                if name not in self.right and not any(answer is known for known in self.judged):
                    self._ask(name, answer)
        self._send({"done": True})

    def check(self, name: str, answer: Any) -> checks.Verdict:
        """Stand in for `checks.check`: have the answer judged, and say what became of it."""
        exercise = self.exercises.get(name) if type(name) is str else None
        if exercise is None or answer is ...:
            reference = exercise.reference if exercise else None
            return checks.Verdict(str(name), "not attempted", "", answer, reference=reference)
        status = "right" if name in self.right else self._ask(name, answer)
        return checks.Verdict(name, status, "", answer, reference=exercise.reference)

    def _ask(self, name: str, answer: Any) -> checks.Status:
        """Answer the judge's calls until it has made up its mind; return right, wrong or not attempted."""
        self.judged.append(answer)
        self._send({"check": name, "of": str(getattr(answer, "__module__", ""))[:100]})
        with _clocks_stopped(), torch.random.fork_rng(devices=[]):
            while "case" in (request := self._receive()):
                self._send(self._call(name, answer, from_plain(request["case"])))
        if request["status"] == "right":
            self.right.add(name)
        status: checks.Status = request["status"]
        return status

    def _call(self, name: str, answer: Any, case: tuple[Any, ...]) -> dict[str, Any]:
        """Return what came of one call, as a message."""
        try:
            with _at_most(self.limits["answer_seconds"], self.limits["slowdown"], TooLong):
                outcome = self.exercises[name].outcome(answer, case)
            message = {"outcome": to_plain(outcome)}
            pack(message, LARGEST_FRAME)
            return message
        except NotAttempted:
            return {"placeholder": True}
        except TooLong:
            return {"too long": True}
        except NotPlainError as error:
            stopped = Stopped(Unsuitable.__name__, f"What came back cannot be compared: {error}")
        except BaseException as error:  # of code that observes the answer, which a notebook may have changed
            stopped = Stopped.by(error)
        return {"outcome": to_plain(Outcome(stopped))}

    def _execute(self, shell: Any, source: str) -> str:
        """Run a cell as IPython does, and return how it failed, if it did."""
        try:
            with _at_most(self.limits["cell_seconds"], self.limits["slowdown"], CellTimeoutError):
                result = shell.run_cell(source, store_history=False, silent=False)
            error = result.error_before_exec or result.error_in_exec
        except BaseException as stopped:
            error = stopped
        return "" if error is None else describe_failure(error)

    def _note_versions(self, namespace: dict[str, Any]) -> None:
        for name, versions in self.versions.items():
            answer = namespace.get(name, ...)
            if answer is not ... and not any(answer is known for known in versions):
                versions.append(answer)

    def _send(self, message: dict[str, Any]) -> None:
        if os.getpid() != self._pid:
            os._exit(0)  # a process that the notebook forked has no say
        content = memoryview(pack(message))
        while content:
            content = content[os.write(self._target, content) :]

    def _receive(self) -> Any:
        (length,) = LENGTH.unpack(self._source.read(LENGTH.size))
        return unpack(self._source.read(length))


def _shell() -> tuple[dict[str, Any], Any]:
    """Return the notebook's namespace, and an IPython shell that runs cells in it."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    settings = Config()
    settings.HistoryManager.enabled = False
    settings.InteractiveShell.update(cache_size=0, colors="nocolor", display_page=True)
    module = ModuleType("__main__")
    shell: Any = InteractiveShell.instance(user_module=module, config=settings)
    shell.ask_exit = lambda: None  # `exit()` and `quit()` end no graded notebook
    shell.enable_gui = lambda gui=None: None
    for name in INSTALLERS:
        shell.register_magic_function(lambda line: None, "line", name)
    return shell.user_ns, shell


@contextmanager
def _at_most(seconds: float, slowdown: float, kind: type[BaseException]) -> Iterator[None]:
    """Interrupt what takes more than `seconds` of processor time, or `slowdown` times as long by the clock."""

    def too_long(signal_number: int, frame: FrameType | None) -> None:
        clock = "s" if signal_number == signal.SIGALRM else "s of computing"
        raise kind(f"it was not done after {limits[signal_number]:g} {clock}")

    limits: dict[int, float] = {signal.SIGPROF: seconds, signal.SIGALRM: seconds * slowdown}
    for number, timer in CLOCKS.items():
        signal.signal(number, too_long)
        signal.setitimer(timer, limits[number], 1.0)  # and every second again, for those who catch it
    try:
        yield
    finally:
        for timer in CLOCKS.values():
            signal.setitimer(timer, 0)


@contextmanager
def _clocks_stopped() -> Iterator[None]:
    """Stop the clocks of a cell while an answer that it checks is judged."""
    before = {timer: signal.setitimer(timer, 0) for timer in CLOCKS.values()}
    handlers = {number: signal.getsignal(number) for number in CLOCKS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for timer, left in before.items():
            signal.setitimer(timer, *left)


def _limit(limits: dict[str, Any]) -> None:
    """Limit what this process and those it starts may use; without privileges no limit can be raised again."""
    wanted = {
        "RLIMIT_DATA": int(limits["memory"]),
        "RLIMIT_FSIZE": int(limits["output"]),
        "RLIMIT_CPU": int(limits["seconds"]) + 5,
        "RLIMIT_NPROC": int(limits["processes"]),
        "RLIMIT_NOFILE": 512,
        "RLIMIT_MEMLOCK": 2**20,
        "RLIMIT_MSGQUEUE": 2**20,
        "RLIMIT_CORE": 0,
    }
    for name, limit in wanted.items():
        kind = getattr(resource, name, None)
        if kind is None or not (limit or name == "RLIMIT_CORE"):  # not every system has them all
            continue
        hard = resource.getrlimit(kind)[1]
        least = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (least, least))


def main() -> None:
    """Take the pipes away from the notebook's input and output, and run it."""
    source, target = os.fdopen(os.dup(0), "rb"), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    worker = Worker(source, target)
    _limit(worker.limits)
    worker.run()
    os._exit(0)  # whatever the notebook has registered for the end


if __name__ == "__main__":
    main()
