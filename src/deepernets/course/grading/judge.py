"""The judge: sends inputs to a sandbox, compares what comes back, and never runs a student's code itself."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from time import monotonic
from typing import Any

from deepernets.course import checks
from deepernets.course.exercises.judging import Exercise, Finding, Outcome
from deepernets.course.exercises.values import LONGEST_MESSAGE, attempt
from deepernets.course.failed_cells import bound_names
from deepernets.course.grading.isolation import Limits, counts_processes
from deepernets.course.grading.plain import NotPlainError, from_plain, to_plain
from deepernets.course.grading.sandbox import EndedError, Process, interrupted
from deepernets.course.grading.submissions import Submission, truncate

MOST_CHECKS = 20  # versions of one answer that are judged: enough for honest work, too few to guess an answer
MOST_REMARKS = 50
START_SECONDS = 30.0  # of processor time until the first cell: Python imports PyTorch and the course
TO_END = 2.0  # seconds to end by itself, so that the rest of the notebook goes on
ENDED = "Calling your answer ended the process, or did not end."
NOT_REACHED = "The notebook did not get as far as this exercise."
UNREADABLE = "What your answer returned is of another kind than was asked for."

_comparing = Lock()  # references may use the random state of the process, which threads share


@dataclass
class Result:
    """What came of a submission.

    Attributes:
        verdicts: For each exercise its status and hint.
        remarks: What a reader should know: cells that failed, or ended the process.
        flags: For an exercise, what an instructor should look at.
    """

    verdicts: dict[str, tuple[str, str]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    flags: dict[str, str] = field(default_factory=dict)


def run(
    submission: Submission, exercises: list[str], seeds: list[int], limits: Limits, sandbox: str
) -> Result:
    """Run a submission's cells and judge its answers on inputs drawn from `seeds`.

    A cell or an answer that ends the process is left out, and the rest is run again while time is left.

    Args:
        submission: The notebook.
        exercises: The exercises of its lab.
        seeds: Where the hidden inputs come from.
        limits: What it may use.
        sandbox: What `isolation.choose` returned.
    """
    judging = _Judging(exercises, seeds, limits)
    skipped, left = set[int](), limits.seconds
    last = monotonic() + (limits.seconds + START_SECONDS) * limits.slowdown
    while left > 0 and monotonic() < last and not interrupted.is_set():
        job = {
            "cells": [cell for cell in submission.cells.items() if cell[0] not in skipped],
            "exercises": [name for name in exercises if name not in judging.ended],
            "limits": {
                **asdict(limits),
                "seconds": left + START_SECONDS,
                "processes": limits.processes if counts_processes(sandbox) else 0,
            },
        }
        with (
            TemporaryDirectory(prefix="grading-", ignore_cleanup_errors=True) as folder,
            Process(sandbox, limits, Path(folder), last) as process,
        ):
            judging.begin()
            try:
                process.allow(START_SECONDS)
                process.send(job)
                judging.listen(process, left)
            except EndedError:
                pass
            left -= max(process.seconds - judging.started, 1.0)
        if judging.done:
            break
        if judging.name:
            judging.ended.add(judging.name)
            judging.note(judging.name, "wrong", ENDED)
        elif judging.cell:
            skipped.add(judging.cell)
            judging.result.remarks.append(
                f"Cell {judging.cell} ended the process, or did not end: it was left out."
            )
        else:
            judging.result.remarks.append("The process ended before the first cell, or after the last.")
            break
    judging.finish(submission)
    return judging.result


class _Judging:
    """What the judge knows of one submission: verdicts so far, and where its sandbox is."""

    def __init__(self, exercises: list[str], seeds: list[int], limits: Limits) -> None:
        known = checks.exercises()
        self.exercises: dict[str, Exercise] = {name: known[name] for name in exercises}
        self.seeds, self.limits, self.result = seeds, limits, Result()
        self.ended: set[str] = set()
        self.tries = dict.fromkeys(exercises, 0)
        self.done = False
        self.begin()

    def begin(self) -> None:
        """Forget what an earlier sandbox did; verdicts stay."""
        self.cell, self.name = 0, ""
        self.started = 0.0  # processor time at the first cell
        self.seconds = 0.0  # how much it may use from there
        self.failures: dict[int, str] = {}  # by the number of the cell

    def listen(self, process: Process, seconds: float) -> None:
        """Follow a sandbox until its notebook is done.

        Raises:
            EndedError: it ended before.
        """
        self.seconds = seconds
        while not self.done:
            message = process.receive()
            if not isinstance(message, dict):
                raise EndedError
            if "cell" in message:
                self.cell = _whole(message["cell"])
                self.started = self.started or process.seconds
                self._allow(process, self.limits.cell_seconds + TO_END)
            elif "failed" in message:
                if len(self.failures) < MOST_REMARKS:
                    self.failures[_whole(message["failed"])] = _cut(str(message.get("error", "")))
            elif "check" in message:
                self._check(process, str(message["check"]), str(message.get("of", "")))
            elif "done" in message:
                self.done = True
            else:
                raise EndedError

    def _check(self, process: Process, name: str, module: str) -> None:
        """Judge one answer, and tell the sandbox the verdict without its reasons."""
        if name not in self.exercises or name in self.ended or self.tries[name] >= MOST_CHECKS:
            process.send({"status": "not attempted"})
            return
        self.tries[name] += 1
        self.name = name
        self._allow(process, self.limits.answer_seconds + TO_END)
        status, hint = self._judge(process, name)
        self.name = ""
        self.note(name, status, hint)
        if status == "right" and module.startswith("deepernets."):
            self.result.flags[name] = f"is the course's own function, from {_cut(module)}"
        process.send({"status": status})
        self._allow(process, self.limits.cell_seconds + TO_END)

    def _allow(self, process: Process, seconds: float) -> None:
        """Let the sandbox use so much time, if it has as much left."""
        process.allow(min(seconds, self.seconds - (process.seconds - self.started)))

    def note(self, name: str, status: str, hint: str) -> None:
        """Keep the better of two verdicts: right, then wrong, then not attempted."""
        before = self.result.verdicts.get(name, ("not attempted", ""))[0]
        if before != "right" and (status != "not attempted" or before == "not attempted"):
            self.result.verdicts[name] = (status, hint)

    def finish(self, submission: Submission) -> None:
        """Note which cells failed, and give a verdict to each exercise that has none."""
        self.result.remarks += [f"Cell {cell} stopped with {error}" for cell, error in self.failures.items()]
        for cell, source in submission.cells.items():
            if cell in self.failures:
                for name in bound_names(source) & self.exercises.keys():
                    hint = f"Cell {cell}, which has your answer, stopped with {self.failures[cell]}"
                    self.note(name, "wrong", hint)
        for name in self.exercises:
            without = ("not attempted", "") if self.done else ("not graded", NOT_REACHED)
            self.result.verdicts.setdefault(name, without)

    def _judge(self, process: Process, name: str) -> tuple[str, str]:
        """Return status and hint of an answer; right must be right on all seeds."""
        remark = ""
        for seed in self.seeds:
            exercise = self.exercises[name]
            with _comparing:
                cases = exercise.cases(seed)
            outcomes: list[Outcome] = []
            for outcome in _outcomes(process, cases):
                if not isinstance(outcome, Outcome):
                    return outcome
                outcomes.append(outcome)
            finding = _compare(exercise, cases, outcomes)
            if finding and finding.refused:
                return "wrong", _cut(finding.hint)
            remark = _cut(finding.hint) if finding else remark
        return "right", remark


def _outcomes(process: Process, cases: list[tuple[Any, ...]]) -> Iterator[Outcome | tuple[str, str]]:
    """Yield the outcome of each case, or status and hint where the answer goes no further."""
    for case in cases:
        process.send({"case": to_plain(case)})
        message = process.receive()
        if not isinstance(message, dict):
            raise EndedError
        if "placeholder" in message:
            yield "not attempted", ""
        if "too long" in message:
            yield "wrong", "It was not done after all the time that it may take: does a loop never end?"
        try:
            outcome = from_plain(message.get("outcome"))
        except NotPlainError:
            outcome = None
        yield outcome if isinstance(outcome, Outcome) else ("wrong", UNREADABLE)


def _compare(exercise: Exercise, cases: list[tuple[Any, ...]], outcomes: list[Outcome]) -> Finding | None:
    """Return what the exercise finds; an outcome that it cannot make sense of was made up, and is wrong."""
    with _comparing:
        found = attempt(exercise.find, cases, outcomes)
    if found is None or isinstance(found, Finding):
        return found
    return Finding("kind", UNREADABLE)


def _whole(number: Any) -> int:
    if type(number) is not int or not 0 <= number < 10**6:
        raise EndedError
    return number


def _cut(text: str) -> str:
    return truncate(text, 2 * LONGEST_MESSAGE)
