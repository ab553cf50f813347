"""What one submission may use while it is graded."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    Attributes:
        seconds: Processor time for all of it.
        cell_seconds: Processor time for each cell.
        slowdown: How many times as long it may take by the clock, on a busy machine.
        memory: Bytes.
        output: Bytes of what it prints, and of each file it writes.
    """

    seconds: float = 60.0
    cell_seconds: float = 15.0
    slowdown: float = 5.0
    memory: int = 4 * 2**30
    output: int = 10 * 2**20
