"""Tables of text whose columns stay apart."""

from collections.abc import Sequence


def align(rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Return rows as lines, each column as wide as its longest cell, with two spaces between columns.

    Args:
        rows: Cells; all rows have the same number of them.
        left: The first columns, as many as this, are aligned to the left, and the others to the right.

    >>> print(align([["network", "images/s"], ["report-c-resnet-50", "19"]]))
    network             images/s
    report-c-resnet-50        19
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(
            cell.ljust(width) if number < left else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)
