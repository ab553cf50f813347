"""Which cells of a notebook failed, so that `check` does not take an answer that never ran for a missing one."""

import re
from dataclasses import dataclass
from typing import Any

from deepernets.progress import ipython_shell

# Nothing in it reaches beyond a line: at each line of a long table it would else read all lines below.
BOUND = re.compile(
    r"^(?:(?:async +)?def +(\w+)|class +(\w+)|((?:\w+[ \t]*,[ \t]*)*\w+)[ \t]*(?::[^=\n]+)?=(?!=))",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Failure:
    """How a cell failed.

    Attributes:
        reason: The exception as text.
        ran: Whether Python got as far as running the cell; not where its syntax is wrong.
    """

    reason: str
    ran: bool


LONGEST_DESCRIPTION = 300  # characters
_failures: dict[str, Failure] = {}  # by each name that the cell binds


def bound_names(source: str) -> set[str]:
    r"""Return the names that a cell binds at its top level, also if Python cannot read the cell.

    >>> sorted(bound_names("mean, std = 1, 2\ndef step(:\n    inner = 1"))
    ['mean', 'std', 'step']
    """
    found = {name for groups in BOUND.findall(source) for name in groups if name}
    return {name for group in found for name in re.findall(r"\w+", group)}


def describe_failure(error: BaseException) -> str:
    """Return an exception as text, with the line of a syntax error; never raises.

    >>> describe_failure(ZeroDivisionError("division by zero"))
    'ZeroDivisionError: division by zero'
    """
    try:
        kind, message, place = type(error).__name__, str(error), ""
        if isinstance(error, SyntaxError):
            message, place = error.msg, f" in line {error.lineno}" if error.lineno else ""
        return f"{kind}{place}: {message}"[:LONGEST_DESCRIPTION]
    except BaseException:  # the message is the student's code
        return "an exception that cannot be printed"


def failure_of(name: str) -> Failure | None:
    """Return how the cell that binds a name failed when it was last run; None if it did not."""
    return _failures.get(name)


def watch() -> None:
    """Take note of cells that fail from now on."""
    if (shell := ipython_shell()) is not None:
        shell.events.register("post_run_cell", _note)


def _note(result: Any) -> None:
    error = result.error_before_exec or result.error_in_exec
    for name in bound_names(str(result.info.raw_cell)):
        _failures.pop(name, None)
        if error is not None:
            _failures[name] = Failure(describe_failure(error), ran=result.error_before_exec is None)
