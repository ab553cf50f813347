"""Progress bars, and durations as text."""

import os
import sys
import warnings
from importlib.util import find_spec
from typing import Any

from tqdm import TqdmWarning

with warnings.catch_warnings():
    # Without ipywidgets, a notebook shows bars of text, which is no reason for a warning.
    warnings.simplefilter("ignore", TqdmWarning)
    from tqdm.auto import tqdm as bar_or_widget

PASSED_ON = "DEEPERNETS_BAR_PASSED_ON"  # 1 in a process whose messages its parent copies to a terminal


def tqdm(iterable: Any = None, *, disable: bool = False, **options: Any) -> Any:
    """Return a progress bar of the tqdm library, switched off where it would fill a log, or by `TQDM_DISABLE`."""
    if ipython_shell() is not None and find_spec("ipywidgets") is None:
        options.setdefault("file", sys.stdout)  # notebooks show what goes to stderr in a red box, like errors
    return bar_or_widget(iterable, disable=disable or is_silent() or writes_log(), **options)


def is_silent() -> bool:
    """Return whether `TQDM_DISABLE` is set to anything but 0.

    tqdm itself reads the variable only as a default, when it is imported, and not in notebooks.
    """
    return os.environ.get("TQDM_DISABLE", "0") not in ("", "0")


def writes_log() -> bool:
    """Return whether messages go to a file or another program, where a bar would become thousands of lines."""
    if sys.stderr.isatty() or os.environ.get(PASSED_ON) == "1":
        return False
    return ipython_shell() is None


def ipython_shell() -> Any:
    """Return the shell of IPython, which runs notebooks; None where IPython does not run this."""
    module = sys.modules.get("IPython")  # imported by every notebook
    return module.get_ipython() if module else None


def format_duration(seconds: float) -> str:
    """Return a duration as text, in seconds, minutes or hours.

    >>> format_duration(40), format_duration(400), format_duration(40_000)
    ('40 s', '7 min', '11 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
