"""The progress bar of everything that takes long."""

import os
import warnings
from typing import Any

from tqdm import TqdmWarning

with warnings.catch_warnings():
    # A notebook without ipywidgets gets a bar of text, which does as well.
    warnings.simplefilter("ignore", TqdmWarning)
    from tqdm.auto import tqdm as bar_or_widget

__all__ = ["tqdm"]


def tqdm(iterable: Any = None, *, disable: bool = False, **options: Any) -> Any:
    """Return a bar of the tqdm library. `TQDM_DISABLE`, if it is set to anything but 0, switches it off.

    tqdm itself reads the variable only as a default, when it is imported, and not in notebooks.
    """
    switched_off = os.environ.get("TQDM_DISABLE", "0") not in ("", "0")
    return bar_or_widget(iterable, disable=disable or switched_off, **options)
