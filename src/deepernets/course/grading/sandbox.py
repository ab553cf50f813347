"""Runs a submission in a process of its own, with limits, and reads its verdicts.

What it protects from, and what not, is told in the chapter *Teaching with this book*: mistakes and mischief, not a
determined attacker.
"""

import json
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from deepernets.course.grading.limits import Limits
from deepernets.course.grading.submissions import Submission

WORKER = [sys.executable, "-P", "-m", "deepernets.course.grading.worker"]
UNSHARED = ["--user", "--map-current-user", "--net", "--ipc", "--pid", "--fork", "--kill-child"]
KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV")
LONGEST = 1_000_000  # bytes of reports that are read


@dataclass
class Result:
    """What came of a submission.

    Attributes:
        verdicts: For each exercise its status and hint.
        remarks: What a reader should know: cells that failed, or ended the process.
    """

    verdicts: dict[str, tuple[str, str]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def run(submission: Submission, exercises: list[str], seeds: list[int], limits: Limits) -> Result:
    """Run a submission's cells and judge its answers on inputs drawn from `seeds`.

    A cell or an answer that ends the process is left out, and the rest is run again while time is left.
    """
    result, skipped, last = Result(), set[int](), monotonic() + limits.seconds * limits.slowdown
    while monotonic() < last:
        job = {
            "cells": [cell for cell in submission.cells.items() if cell[0] not in skipped],
            "exercises": [name for name in exercises if name not in result.verdicts],
            **asdict(limits),
        }
        heard = _attempt(job, seeds, last)
        result.verdicts.update(heard.verdicts)
        if heard.done:
            result.remarks += heard.failures
            break
        if heard.judging:
            result.verdicts[heard.judging] = (
                "wrong",
                "Calling your answer ended the process, or did not end.",
            )
        elif heard.cell:
            skipped.add(heard.cell)
            result.remarks.append(f"Cell {heard.cell} ended the process, or did not end: it was left out.")
        else:
            result.remarks.append("The process ended before the first cell.")
            break
    for name in exercises:
        result.verdicts.setdefault(name, ("not graded", "The notebook did not get as far as this exercise."))
    return result


@dataclass
class _Heard:
    """What a worker has reported so far; what claims to be a verdict needs the token."""

    token: str = field(default_factory=lambda: secrets.token_hex(16))
    cell: int = 0
    ready: bool = False
    judging: str = ""
    done: bool = False
    failures: list[str] = field(default_factory=list)
    verdicts: dict[str, tuple[str, str]] = field(default_factory=dict)

    def note(self, line: bytes) -> None:
        """Take in one line; lines that a notebook made up are left aside."""
        try:
            said = json.loads(line)
            genuine = said.get("token") == self.token
            if genuine and "status" in said:
                self.verdicts[str(said["name"])] = (str(said["status"]), str(said["hint"]))
            elif genuine:
                self.judging, self.done = said.get("judging", ""), said.get("done", False)
            elif "failed" in said and not self.ready:
                self.failures.append(f"Cell {int(said['failed'])} stopped with {said['error']}")
            elif "cell" in said and not self.ready:
                self.cell = int(said["cell"])
            elif "ready" in said:
                self.ready = True
        except (ValueError, TypeError, KeyError, AttributeError):
            return


def _attempt(job: dict[str, Any], seeds: list[int], last: float) -> _Heard:
    """Run a job once, and return what was heard of it until it ended or its time was up."""
    heard = _Heard()
    with TemporaryDirectory(prefix="grading-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "job.json"
        path.write_text(json.dumps(job), encoding="utf-8")
        ours, theirs = os.pipe()
        secret_out, secret_in = os.pipe()
        with (Path(folder) / "output.txt").open("wb") as output:
            process = subprocess.Popen(
                [*isolation(), *WORKER, str(path), str(theirs), str(secret_out)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=folder, env=_environment(folder),
                pass_fds=(theirs, secret_out), start_new_session=True,
            )  # fmt: skip
        os.close(theirs)
        os.close(secret_out)
        try:
            for line in _lines(ours, last):
                heard.note(line)
                if heard.ready and secret_in >= 0:
                    with suppress(BrokenPipeError):
                        os.write(secret_in, json.dumps({"token": heard.token, "seeds": seeds}).encode())
                    os.close(secret_in)
                    secret_in = -1
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            os.close(ours)
            if secret_in >= 0:
                os.close(secret_in)
    return heard


def _lines(source: int, last: float) -> Iterator[bytes]:
    """Yield whole lines from a file descriptor until it ends, says too much, or the time `last` has come."""
    rest, read = b"", 0
    while read < LONGEST and (left := last - monotonic()) > 0:
        if not select.select([source], [], [], left)[0]:
            return
        if not (chunk := os.read(source, 65536)):
            return
        read += len(chunk)
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


@cache
def isolation() -> tuple[str, ...]:
    """Return the command that cuts a process off from the network and other processes; empty where there is none.

    Linux offers it to ordinary users, unless the system or a container forbids it.
    """
    command = (shutil.which("unshare") or "unshare", *UNSHARED)
    try:
        tried = subprocess.run([*command, "true"], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return command if tried.returncode == 0 else ()


def _environment(home: str) -> dict[str, str]:
    """Return the worker's environment: nothing of the instructor's but where programs are."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    quiet = {"DEEPERNETS_PROFILE": "quick", "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1", "MPLBACKEND": "Agg"}
    return {**kept, **quiet, "HOME": home, "TMPDIR": home, "PYTHONDONTWRITEBYTECODE": "1"}
