"""What each part of a network costs: the layers of a shape walk, added up by the block's first name."""

from typing import TYPE_CHECKING

from torch import nn

from deepernets.analysis.arithmetic import summary

if TYPE_CHECKING:
    from pandas import DataFrame


def by_part(model: nn.Module, in_shape: tuple[int, int, int]) -> "DataFrame":
    """Return one row for each direct child of a network: a residual network's stem, stages and head.

    Args:
        model: A network whose children are called one after the other.
        in_shape: Channels, height and width of an image.

    Returns:
        The columns part (the child's name), output_shape (of its last layer, without the batch), parameters and
        multiply_adds (of one image's forward pass), in the order in which the parts are called.

    Raises:
        UserError: the network takes no images of this shape.

    >>> from collections import OrderedDict
    >>> body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten())
    >>> print(by_part(nn.Sequential(OrderedDict(body=body, head=nn.Linear(32, 2))), (3, 4, 4)))
       part output_shape  parameters  multiply_adds
    0  body        (32,)         224            864
    1  head         (2,)          66             64
    """
    walk = summary(model, in_shape)
    parts = walk.groupby(walk["name"].str.split(".").str[0].rename("part"), sort=False)
    columns = {"output_shape": "last", "parameters": "sum", "multiply_adds": "sum"}
    return parts.agg(columns).reset_index()


def by_map_side(model: nn.Module, in_shape: tuple[int, int, int]) -> "DataFrame":
    """Return what a network's convolutions cost on maps of each size.

    Args:
        model: Any network with convolutions.
        in_shape: Channels, height and width of an image.

    Returns:
        The columns side (height of the maps that the convolutions give, in pixels), convolutions (how many
        there are), channels (the most that any of them gives) and multiply_adds; the largest maps first.

    Raises:
        UserError: the network takes no images of this shape.

    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(8, 16, 1))
    >>> print(by_map_side(model, (3, 4, 4)))
       side  convolutions  channels  multiply_adds
    0     4             1         8           3456
    1     2             1        16            512
    """
    walk = summary(model, in_shape)
    convolutions = walk[walk["layer"] == "Conv2d"]
    frame = convolutions.assign(
        side=convolutions["output_shape"].str[1], channels=convolutions["output_shape"].str[0]
    )
    sides = frame.groupby("side", sort=False)
    return sides.agg(
        convolutions=("name", "count"), channels=("channels", "max"), multiply_adds=("multiply_adds", "sum")
    ).reset_index()
