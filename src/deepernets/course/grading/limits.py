"""What one submission may use while it is graded."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    Attributes:
        seconds: For all of it.
        cell_seconds: For each cell.
        memory: Bytes.
        output: Bytes of what it prints, and of each file it writes.
    """

    seconds: float = 60.0
    cell_seconds: float = 15.0
    memory: int = 4 * 2**30
    output: int = 10 * 2**20
