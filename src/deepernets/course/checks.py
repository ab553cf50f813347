"""`check("name", answer)`: judge an answer, and give a hint that fits its mistake.

Answers are judged by what they compute on new inputs, never by their text. Checking never raises an exception, so
the lab always goes on.
"""

import ctypes
import html
import re
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from textwrap import fill
from time import monotonic, process_time
from traceback import walk_stack
from typing import Any, Literal

import torch

import deepernets.course.exercises as exercise_modules
from deepernets.course import failed_cells
from deepernets.course.exercises import judging
from deepernets.course.exercises.judging import Exercise, Finding
from deepernets.course.exercises.values import NotAttempted, TooLong, describe
from deepernets.progress import ipython_shell

PACKAGE = exercise_modules.__name__
WIDTH = 80  # characters to a line, as wide as a cell of the book
SECONDS = 20.0  # of processor time: exercises are a few lines on tiny inputs, so a longer one does not end
WALL_CLOCK_SECONDS = 120.0  # for an answer that waits and computes nothing

# visible on white and on black
COLOURS = {"right": "#2e8b57", "wrong": "#d9480f", "not attempted": "#868e96"}
MARKS = {"right": "✓", "wrong": "✗", "not attempted": "–"}
NOT_ATTEMPTED = "Replace the `...` above, then run both cells again."

Status = Literal["right", "wrong", "not attempted"]


@dataclass(frozen=True)
class Verdict:
    """What `check` found.

    Attributes:
        name: The exercise.
        status: right, wrong or not attempted.
        hint: What to look at next; for a right answer a remark, or nothing.
        answer: The answer that was judged.
        mistake: The key of the mistake that was recognised; empty where there is none.
        reference: The course's own answer.
    """

    name: str
    status: Status
    hint: str
    answer: Any
    mistake: str = ""
    reference: Any = None

    def __repr__(self) -> str:
        """Return the sentence that a student reads."""
        return f"{self.name}: {self.status}{'. ' + self.hint if self.hint else '.'}"

    def _ipython_display_(self) -> None:
        """Show nothing at the end of a cell: `check` has printed the verdict already."""

    def or_reference(self) -> Any:
        """Return the answer if it is right, else the course's own, so that the lab can go on either way."""
        return self.answer if self.status == "right" else self.reference


Judged = Finding | BaseException | None  # nothing for a right answer; or how the judging ended
_statuses: dict[str, Status] = {}  # of each exercise, when it was last checked
failed_cells.watch()


@cache
def labs() -> dict[str, dict[str, Exercise]]:
    """Return the exercises of every lab by name; labs go by the name of their module, as in lab03."""
    found = sorted(module.name for module in iter_modules(exercise_modules.__path__))
    return {
        lab: {exercise.name: exercise for exercise in import_module(f"{PACKAGE}.{lab}").EXERCISES}
        for lab in found
        if re.fullmatch(r"lab\d\d", lab)
    }


def exercises() -> dict[str, Exercise]:
    """Return all exercises of all labs by name."""
    return {name: exercise for lab in labs().values() for name, exercise in lab.items()}


def check(name: str, answer: Any) -> Verdict:
    """Judge an answer, show the verdict and return it. Never raises.

    Args:
        name: Name of the exercise, which the lab states.
        answer: The function or the value that the exercise asks for; ``...`` counts as not attempted.

    >>> verdict = check("top_k_error", ...)  # doctest: +ELLIPSIS
    top_k_error: not attempted. Replace the `...` above, then run both cells again.
    ... of 7 exercises are right.
    >>> verdict.or_reference() is verdict.reference
    True
    """
    verdict = judge(name, answer)
    failure = failed_cells.failure_of(verdict.name)
    if failure and (verdict.status == "not attempted" or not failure.ran):
        hint = f"The cell with your answer stopped ({failure.reason}). Correct it, then run both cells again."
        verdict = replace(verdict, status="wrong", hint=hint, mistake="failed cell")
    _show(verdict)
    return verdict


def _show(verdict: Verdict) -> None:
    """Print a verdict and how many exercises of its lab are right; in a notebook with a mark and a colour."""
    if verdict.name in exercises():
        _statuses[verdict.name] = verdict.status
    text = f"{verdict!r}{_count(verdict.name)}"
    shell = ipython_shell()
    if not hasattr(shell, "kernel"):  # not in a notebook, but perhaps in a terminal with IPython
        print(fill(text, WIDTH))
        return
    mark, colour = MARKS[verdict.status], COLOURS[verdict.status]
    plain = fill(f"{mark} {text}", WIDTH)
    marked = re.sub(r"`([^`\n]+)`", r"<code>\1</code>", html.escape(text))
    page = (
        f'<div style="border-left: 0.3em solid {colour}; padding-left: 0.6em">'
        f'<span aria-hidden="true">{mark}</span> {marked}</div>'
    )
    shell.display_pub.publish({"text/plain": plain, "text/html": page})


def _count(name: str) -> str:
    """Return a sentence about the exercises of the lab that `name` is of; empty if there is no such exercise."""
    lab = next((known for known in labs().values() if name in known), None)
    if lab is None:
        return ""
    right = sum(_statuses.get(exercise) == "right" for exercise in lab)
    return f" {right} of {len(lab)} exercises are right."


def judge(name: str, answer: Any, seed: int = 0) -> Verdict:
    """Judge an answer on inputs drawn from `seed`; graders use seeds that students have not seen."""
    known = exercises()
    if type(name) is not str or name not in known:
        return Verdict(
            "check", "wrong", f"There is no such exercise; the names are {', '.join(known)}.", answer
        )
    if answer is ...:
        return Verdict(name, "not attempted", NOT_ATTEMPTED, answer, reference=known[name].reference)
    exercise = known[name]
    with torch.random.fork_rng(devices=[]):  # a check must not change what a lab draws after it
        judged = _within_limits(lambda: judging.judge(exercise, answer, seed))
    status, hint, mistake = _read(judged)
    return Verdict(name, status, hint, answer, mistake, exercise.reference)


def _read(judged: Judged) -> tuple[Status, str, str]:
    """Return status, hint and key of the mistake, from how the judging ended."""
    if judged is None:
        return "right", "", ""
    if isinstance(judged, Finding):
        return "wrong" if judged.refused else "right", judged.hint, judged.mistake
    if isinstance(judged, NotAttempted):
        return "not attempted", NOT_ATTEMPTED, ""
    if isinstance(judged, TooLong):
        hint = f"It was not done after {SECONDS:.0f} s of computing: does a loop never end?"
        return "wrong", hint, "too long"
    hint = f"The check itself stopped with {judged.args[0]}. That is a fault of the check: please report it."
    return "wrong", hint, "check failed"


def _within_limits(judge_answer: Callable[[], Finding | None]) -> Judged:
    """Return what `judge_answer` returns, or how it ended: at a placeholder, with an exception, or not in time.

    Processor time is what counts, so that an answer is not refused because the machine is busy, and imports are
    free: the first optimizer of a process imports 900 modules. The judge runs in a thread of its own, which an
    exception is thrown into when the time is up: signals would do for a terminal, but not for every notebook
    server.
    """
    ended: list[Judged] = []

    def run() -> None:
        try:
            ended.append(judge_answer())
        except NotAttempted as placeholder:
            ended.append(placeholder)
        except BaseException as error:
            ended.append(RuntimeError(describe(error)))  # here, as making the message may not end either

    thread = threading.Thread(target=run, daemon=True)
    last, last_computed, modules = monotonic() + WALL_CLOCK_SECONDS, 0.0, 0
    thread.start()
    while thread.is_alive() and monotonic() < last:
        if len(sys.modules) != modules:  # it imports: the time starts again
            modules, last_computed = len(sys.modules), process_time() + SECONDS
        if process_time() >= last_computed:
            break
        thread.join(0.05)
    if thread.is_alive():
        _stop(thread)
        return TooLong()
    return ended[0]


def _stop(thread: threading.Thread) -> None:
    """Throw `TooLong` into a thread, but never while it imports: the import lock would stay locked for ever."""
    for _ in range(20):
        frame = sys._current_frames().get(thread.ident or 0)
        files = [caller.f_code.co_filename for caller, _ in walk_stack(frame)]
        if not any("importlib" in file for file in files):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread.ident or 0), ctypes.py_object(TooLong)
            )
        thread.join(0.2)
        if not thread.is_alive():
            return
