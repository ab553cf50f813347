"""How much a layer computes for each byte it moves, and what that allows a machine to reach at best."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

from deepernets.analysis.arithmetic import count_parameters, summary
from deepernets.analysis.walk import walk

if TYPE_CHECKING:
    from pandas import DataFrame

RENAMING = ("Flatten", "Identity")


@dataclass(frozen=True)
class Machine:
    """A processor or GPU, in two numbers.

    Attributes:
        operations_per_second: Its peak; one multiply-add is two operations.
        bytes_per_second: Between it and its main memory.
    """

    operations_per_second: float
    bytes_per_second: float

    @property
    def ridge(self) -> float:
        """Operations per byte from which on the arithmetic takes longer than the memory.

        >>> Machine(operations_per_second=100e9, bytes_per_second=10e9).ridge
        10.0
        """
        return self.operations_per_second / self.bytes_per_second

    def reachable(self, intensity: float) -> float:
        """Return the operations per second that a layer of this intensity, in operations per byte, can reach.

        >>> Machine(operations_per_second=100e9, bytes_per_second=10e9).reachable(2.0)
        20000000000.0
        """
        return min(self.operations_per_second, intensity * self.bytes_per_second)

    def least_seconds(self, operations: float, moved: float) -> float:
        """Return the time that so many operations and bytes take at least: the longer of the two.

        >>> Machine(operations_per_second=100.0, bytes_per_second=10.0).least_seconds(operations=50, moved=20)
        2.0
        """
        return max(operations / self.operations_per_second, moved / self.bytes_per_second)


def traffic(
    model: nn.Module, in_shape: tuple[int, int, int], batch_size: int, bytes_each: int = 4
) -> "DataFrame":
    """Return what each layer computes and moves in the forward pass of one batch.

    Each layer is taken to read its input and its parameters from main memory and to write its output there, once.
    Caches, and operations that are fused into one, make it less; a batch normalisation in training, which reads
    its input twice, makes it more. Additions of shortcuts, which are no layers, are left out, and so are layers
    that only hand on what they get.

    Args:
        model: Any module that maps a batch of images to a tensor.
        in_shape: Channels, height and width of an image.
        batch_size: Images.
        bytes_each: 4 for fp32, 2 for bf16.

    Returns:
        One row a layer: name, layer (its class), operations (two for each multiply-add, 0 elsewhere), bytes,
        intensity (operations per byte).

    >>> print(traffic(nn.Sequential(nn.Conv2d(8, 8, 1), nn.ReLU()), (8, 4, 4), batch_size=1).to_string())
      name   layer  operations  bytes  intensity
    0    0  Conv2d        2048   1312   1.560976
    1    1    ReLU           0   1024   0.000000
    """
    walked = summary(model, in_shape)
    table = walked[["name", "layer"]].assign(operations=2 * batch_size * walked["multiply_adds"])
    table["bytes"] = [
        bytes_each
        * (batch_size * (call.input[0].numel() + call.output[0].numel()) + count_parameters(call.layer))
        for call in walk(model, in_shape)
    ]
    table["intensity"] = table["operations"] / table["bytes"]
    return table[~table["layer"].isin(RENAMING)].reset_index(drop=True)
