"""Text for a terminal: tables whose columns stay apart, and sentences that are wrapped between words."""

import os
import sys
import textwrap
from collections.abc import Sequence
from typing import TextIO

GAP = "  "  # between two columns


def terminal_width(stream: TextIO | None = None) -> int | None:
    """Return the columns of the terminal that a stream writes to; None for a file or another program.

    `COLUMNS` goes before the terminal's own width, and holds for files, too.

    Args:
        stream: Standard output, if None.
    """
    stream = stream or sys.stdout
    stated = os.environ.get("COLUMNS", "")
    if stated.isdecimal() and int(stated) > 0:
        return int(stated)
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):  # not a terminal; pytest's and notebooks' streams have no number
        return None


def wrap(text: str, stream: TextIO | None = None, indent: str = "") -> str:
    """Return text with its lines wrapped between words for the terminal that a stream writes to.

    A word that is longer than a line, such as a path, stays in one piece.

    Args:
        text: One or more lines.
        stream: Standard output, if None.
        indent: Goes before each line but the first.
    """
    width = terminal_width(stream)
    if width is None:
        return text
    wrapper = textwrap.TextWrapper(
        width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(wrapper.fill(line) if len(line) > width else line for line in text.splitlines())


def align(rows: Sequence[Sequence[str]], left: int = 1, width: int | None = None) -> str:
    """Return rows as lines, each column as wide as its longest cell, with two spaces between columns.

    Args:
        rows: Cells; all rows have the same number of them.
        left: The first columns, as many as this, are aligned to the left, and the others to the right.
        width: Columns of the terminal. Where the rows are longer, long first cells get lines of their own.

    >>> rows = [["network", "images/s"], ["report-c-resnet-50", "19"]]
    >>> print(align(rows))
    network             images/s
    report-c-resnet-50        19
    >>> print(align(rows, width=20))
    network     images/s
    report-c-resnet-50
                      19
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if width is not None:
        others = sum(widths[1:]) + len(GAP) * (len(widths) - 1)
        widths[0] = max(min(widths[0], width - others), 0)
    lines = []
    for row in rows:
        cells = [
            cell.ljust(size) if number < left else cell.rjust(size)
            for number, (cell, size) in enumerate(zip(row, widths, strict=True))
        ]
        if len(cells[0]) > widths[0]:
            lines.append(cells[0])
            cells[0] = " " * widths[0]
        lines.append(GAP.join(cells).rstrip())
    return "\n".join(lines)
