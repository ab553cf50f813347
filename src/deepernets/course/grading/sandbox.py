"""A sandbox seen from outside: a process that runs a notebook, frames to it and from it, and its limits."""

import fcntl
import math
import os
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

from deepernets.course.grading.isolation import WORKER, Limits, command, environment
from deepernets.course.grading.plain import LARGEST_FRAME, LENGTH, NotPlainError, pack, unpack

TICK = 0.2  # seconds between two looks at what a sandbox uses
MOST_READ = 64 * 2**20  # bytes that are read of one sandbox in all
MOST_PROCESSES = 10_000  # that are looked at: a sandbox may start them faster than they are listed
KILLED_SECONDS = 10.0  # until the system has ended a killed process

interrupted = Event()  # set when the instructor stops the grading; all sandboxes end


class EndedError(Exception):
    """A sandbox ended, was ended because it used too much, or sent what is no frame."""


class Process:
    """The process of a sandbox; use it in a `with` statement."""

    def __init__(self, sandbox: str, limits: Limits, folder: Path, last: float = math.inf) -> None:
        """Start the process.

        Args:
            sandbox: What `isolation.choose` returned.
            limits: What it may use.
            folder: Working directory where there is no sandbox; an empty one.
            last: When it must have ended, by `time.monotonic`, whatever it is allowed later.
        """
        self._limits = limits
        self._process = subprocess.Popen(
            [*command(sandbox, limits), *WORKER],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**environment(), "HOME": str(folder), "TMPDIR": str(folder)} if sandbox == "none" else None,
            cwd=folder, start_new_session=True,
        )  # fmt: skip
        assert self._process.stdin
        assert self._process.stdout
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        for end in (self._to, self._from):
            fcntl.fcntl(end, fcntl.F_SETFL, fcntl.fcntl(end, fcntl.F_GETFL) | os.O_NONBLOCK)
        self._read = bytearray()
        self._bytes_read = 0
        self._last = last
        self._deadlines: tuple[float, float] = (0.0, 0.0)
        self.allow(limits.seconds)

    def __enter__(self) -> "Process":
        """Return the process."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the process and all that it started."""
        started = list(_family(self._process.pid))
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for pid in started:  # those that left the session
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(KILLED_SECONDS)
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]

    @property
    def seconds(self) -> float:
        """Processor time that it has used, with the processes that it started."""
        return sum(map(_seconds_of, _family(self._process.pid)))

    def allow(self, seconds: float) -> None:
        """Let it use so much processor time from now on, and `slowdown` times as much by the clock."""
        end = min(self._last, monotonic() + seconds * self._limits.slowdown)
        self._deadlines = (self.seconds + seconds, end)

    def send(self, message: Any) -> None:
        """Send a message.

        Raises:
            EndedError: it has ended, or does not read.
        """
        rest = memoryview(pack(message))
        while rest:
            self._wait(reading=False)
            try:
                rest = rest[os.write(self._to, rest[: 2**16]) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise EndedError from error

    def receive(self) -> Any:
        """Return the next message.

        Raises:
            EndedError: there is none before it ends or uses too much, or it is no frame.
        """
        (length,) = LENGTH.unpack(self._take(LENGTH.size))
        if length > LARGEST_FRAME:
            raise EndedError
        try:
            return unpack(self._take(length))
        except NotPlainError as error:
            raise EndedError from error

    def _take(self, length: int) -> bytes:
        while len(self._read) < length:
            self._wait(reading=True)
            try:
                chunk = os.read(self._from, 2**20)
            except BlockingIOError:
                continue
            self._bytes_read += len(chunk)
            if not chunk or self._bytes_read > MOST_READ:
                raise EndedError
            self._read += chunk
        taken = bytes(self._read[:length])
        del self._read[:length]
        return taken

    def _wait(self, reading: bool) -> None:
        """Return when the pipe is ready; end the process if it uses too much until then."""
        while True:
            ways: tuple[list[int], list[int]] = ([self._from], []) if reading else ([], [self._to])
            ready = select.select(*ways, [], TICK)
            if ready[0] or ready[1]:
                if monotonic() < self._deadlines[1]:
                    return
                raise EndedError
            computed, last = self._deadlines
            if (
                interrupted.is_set()
                or monotonic() > last
                or self.seconds > computed
                or _memory(self._process.pid) > self._limits.memory
            ):
                raise EndedError


def _family(pid: int) -> Iterator[int]:
    """Yield a process and all that descend from it; on systems without /proc the process alone."""
    waiting = [pid]
    for _ in range(MOST_PROCESSES):
        if not waiting:
            return
        yield (member := waiting.pop())
        with suppress(OSError):
            for task in Path(f"/proc/{member}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())


def _seconds_of(pid: int) -> float:
    """Return the processor time of a process and of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> int:
    """Return the memory of a process and its descendants in bytes, what they share counted once."""
    private, shared = 0, [0]
    for member in _family(pid):
        with suppress(OSError, ValueError):
            _, resident, common, *_ = map(int, Path(f"/proc/{member}/statm").read_text().split())
            private += resident - common
            shared.append(common)
    return (private + max(shared)) * os.sysconf("SC_PAGE_SIZE")
