"""A sandbox seen from outside: nothing that it does makes the grading wait for ever."""

import os
import signal
import sys
from pathlib import Path

import pytest

from deepernets.course.grading import judge, sandbox
from deepernets.course.grading.isolation import Limits
from deepernets.course.grading.submissions import Submission

SAYS_THAT_IT_GOES_ON = """
import json, pathlib, struct, sys, time
content = json.dumps({"cell": 1}).encode()
for _ in range(600):
    sys.stdout.buffer.write(struct.pack(">I", len(content)) + content)
    sys.stdout.flush()
    time.sleep(0.1)
pathlib.Path(sys.argv[1]).touch()
"""
STARTS_ANOTHER = """
import struct, subprocess, sys, time
subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"], start_new_session=True)
sys.stdout.buffer.write(struct.pack(">I", 4) + b"true")
sys.stdout.flush()
time.sleep(60)
"""


def test_a_notebook_that_always_says_it_goes_on_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = tmp_path / "done"
    monkeypatch.setattr(sandbox, "WORKER", (sys.executable, "-S", "-c", SAYS_THAT_IT_GOES_ON, str(done)))
    monkeypatch.setattr(judge, "START_SECONDS", 1.0)
    limits = Limits(seconds=1, slowdown=1)  # a second for each message, and two in all
    result = judge.run(Submission("a", {1: "1"}, "lab03"), ["confusion"], [1], limits, "none")
    assert result.verdicts == {"confusion": ("not graded", judge.NOT_REACHED)}
    assert not done.exists()


def test_a_process_ends_with_all_that_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "WORKER", (sys.executable, "-S", "-c", STARTS_ANOTHER))
    with sandbox.Process("none", Limits(), tmp_path) as process:
        assert process.receive() is True
        assert len(list(sandbox._family(process._process.pid))) == 2
        pipe = os.dup(process._from)
    assert process._process.returncode == -signal.SIGKILL
    os.set_blocking(pipe, True)
    with os.fdopen(pipe, "rb") as output:
        assert output.read() == b"", "while anybody can write there, this waits"
