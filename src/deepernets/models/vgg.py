"""VGG (Simonyan & Zisserman, ICLR 2015, arXiv:1409.1556): table 1 as data, and the networks built from it."""

import re
from dataclasses import dataclass
from math import prod

import torch
from torch import nn

from deepernets.errors import UserError
from deepernets.models.layers import (
    Convolution,
    NetworkSpec,
    conv,
    local_response_norm,
    named_layers,
    require_one_of,
)

# Table 1 in the paper's notation: "|" is a max-pool; another one follows the last block.
CONFIGURATIONS = {
    "A": "conv3-64 | conv3-128 | conv3-256 conv3-256 | conv3-512 conv3-512 | conv3-512 conv3-512",
    "A-LRN": "conv3-64 LRN | conv3-128 | conv3-256 conv3-256 | conv3-512 conv3-512 | conv3-512 conv3-512",
    "B": (
        "conv3-64 conv3-64 | conv3-128 conv3-128 | conv3-256 conv3-256 | "
        "conv3-512 conv3-512 | conv3-512 conv3-512"
    ),
    "C": (
        "conv3-64 conv3-64 | conv3-128 conv3-128 | conv3-256 conv3-256 conv1-256 | "
        "conv3-512 conv3-512 conv1-512 | conv3-512 conv3-512 conv1-512"
    ),
    "D": (
        "conv3-64 conv3-64 | conv3-128 conv3-128 | conv3-256 conv3-256 conv3-256 | "
        "conv3-512 conv3-512 conv3-512 | conv3-512 conv3-512 conv3-512"
    ),
    "E": (
        "conv3-64 conv3-64 | conv3-128 conv3-128 | conv3-256 conv3-256 conv3-256 conv3-256 | "
        "conv3-512 conv3-512 conv3-512 conv3-512 | conv3-512 conv3-512 conv3-512 conv3-512"
    ),
}

# Not in the table: section 4.1's variant of B with one 5×5 convolution for each pair of 3×3, and our own network of
# six convolutions, which trains in seconds.
OTHER_CONFIGURATIONS = {
    "b-5x5": "conv5-64 | conv5-128 | conv5-256 | conv5-512 | conv5-512",
    "mini": "conv3-16 conv3-16 | conv3-32 conv3-32 | conv3-64 conv3-64",
}

# Units of the hidden fully-connected layers; a linear layer with one logit per class follows.
HEADS: dict[str, tuple[int, ...]] = {"paper": (4096, 4096), "cifar": ()}

# Section 3.1: deeper networks start from A's first four convolutions and its fully-connected layers.
PRE_INITIALISED = ("block1.conv1", "block2.conv1", "block3.conv1", "block3.conv2", "head.fc")

_LAYER = re.compile(r"conv(?P<kernel>\d*[13579])-(?P<channels>[1-9]\d*)")


def parse_configuration(configuration: str) -> list[list[Convolution]]:
    """Return the convolutions of each block of a configuration in the notation of table 1.

    Args:
        configuration: ``conv<kernel>-<channels>`` for each convolution, ``LRN`` for local response
            normalisation after one, ``|`` between blocks.

    Raises:
        UserError: the configuration contains anything else, or an empty block.

    >>> parse_configuration("conv3-64 LRN | conv3-128 conv1-128")[0]
    [Convolution(kernel=3, channels=64, stride=1, lrn=True)]
    >>> [len(block) for block in parse_configuration(CONFIGURATIONS["D"])]
    [2, 2, 3, 3, 3]
    """
    return [_block_layers(block) for block in configuration.split("|")]


def _block_layers(block: str) -> list[Convolution]:
    layers: list[Convolution] = []
    for word in block.split():
        if word == "LRN" and layers and not layers[-1].lrn:
            layers[-1] = layers[-1]._replace(lrn=True)
        elif match := _LAYER.fullmatch(word):
            layers.append(Convolution(int(match["kernel"]), int(match["channels"])))
        else:
            raise UserError(
                f"{word!r} in block {block.strip()!r} is not a layer; write conv<odd kernel>-<channels>, "
                "such as conv3-64, LRN after a convolution at most once, and | between blocks."
            )
    if not layers:
        raise UserError(
            "A block of the configuration is empty; expected at least one convolution on each side of |."
        )
    return layers


@dataclass(frozen=True, kw_only=True)
class VGGSpec(NetworkSpec):
    """What varies between VGG networks.

    Attributes:
        configuration: The convolutions, in the notation of `parse_configuration`.
        batch_norm: Whether batch normalisation comes between each convolution and its ReLU.
        head: A key of `HEADS`.
        last_pool: Side of the last max-pool; report C used 1 (with stride 2) to fit 28×28 images.
        dropout: Share of the hidden fully-connected units that are dropped in training.
        initialisation: Glorot's by default, which makes pre-training unnecessary (section 3.1).

    Raises:
        UserError: a value is out of range, or the images are too small for the max-pools.
    """

    configuration: str
    batch_norm: bool = False
    head: str = "paper"
    last_pool: int = 2
    dropout: float = 0.5
    initialisation: str = "glorot"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_one_of("head", self.head, HEADS)
        require_one_of("last_pool", self.last_pool, (1, 2))
        if not 0 <= self.dropout < 1:
            raise UserError(f"dropout is {self.dropout!r}; give a share from 0 up to, but not including, 1.")
        if min(self.last_map) == 0:
            _, height, width = self.in_shape
            halvings = len(self.pools)
            raise UserError(
                f"{height}×{width} pixels are too few for {halvings} max-pools, each of which halves the feature "
                f"map and rounds down; give at least {2**halvings}×{2**halvings}, or half that with last_pool=1, "
                "as report-c-vgg-16 does for 28×28."
            )

    @property
    def pools(self) -> list[int]:
        """The side of each block's max-pool; all have stride 2."""
        return [2] * (len(parse_configuration(self.configuration)) - 1) + [self.last_pool]

    @property
    def last_map(self) -> tuple[int, int]:
        """Height and width of the head's input.

        >>> VGGSpec(configuration=CONFIGURATIONS["D"]).last_map
        (7, 7)
        """
        _, height, width = self.in_shape
        for pool in self.pools:
            height, width = ((side - pool) // 2 + 1 for side in (height, width))
        return height, width

    def layers(self) -> nn.Sequential:
        """Return the blocks ``block1``, ``block2``, …, then the ``head``.

        Parameters are in the same order as torchvision's, so that weights can be copied one by one.

        >>> VGGSpec(configuration="conv3-8", in_shape=(1, 4, 4), classes=2, head="cifar").build()
        Sequential(
          (block1): Sequential(
            (conv1): Conv2d(1, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
            (relu1): ReLU(inplace=True)
            (pool): MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
          )
          (head): Sequential(
            (flatten): Flatten(start_dim=1, end_dim=-1)
            (fc1): Linear(in_features=32, out_features=2, bias=True)
          )
        )
        """
        blocks, channels = {}, self.in_shape[0]
        parsed = zip(parse_configuration(self.configuration), self.pools, strict=True)
        for number, (layers, pool) in enumerate(parsed, 1):
            blocks[f"block{number}"] = _block(channels, layers, pool, self.batch_norm)
            channels = layers[-1].channels
        return named_layers(**blocks, head=_head(self, channels))


def start_from(deep: nn.Module, shallow: nn.Module) -> list[str]:
    """Copy the layers from which deeper networks start (section 3.1), and return the names of the copied tensors.

    Args:
        deep: Changed in place; its other layers keep their weights.
        shallow: A trained network with layers of the same names and shapes, such as `vgg-a` for `vgg-d`.

    Raises:
        UserError: the networks have no such layers in common.
    """
    trained = dict(shallow.named_parameters())
    copied = [
        name
        for name, parameter in deep.named_parameters()
        if name.startswith(PRE_INITIALISED) and name in trained and trained[name].shape == parameter.shape
    ]
    if not copied:
        raise UserError(
            "The two networks have no layers in common to start from; start a VGG from a shallower one."
        )
    with torch.no_grad():
        for name in copied:
            deep.get_parameter(name).copy_(trained[name])
    return copied


def _block(c_in: int, convolutions: list[Convolution], pool: int, batch_norm: bool) -> nn.Sequential:
    """Return one block: (N, c_in, H, W) to (N, C, H / 2, W / 2)."""
    layers: dict[str, nn.Module] = {}
    for number, (kernel, channels, _, lrn) in enumerate(convolutions, 1):
        # torchvision and report A keep the bias that a normalisation makes redundant
        layers[f"conv{number}"] = conv(c_in, channels, kernel, bias=True)  # (N, C, H, W)
        if batch_norm:
            layers[f"norm{number}"] = nn.BatchNorm2d(channels)
        layers[f"relu{number}"] = nn.ReLU(inplace=True)
        if lrn:
            layers[f"lrn{number}"] = local_response_norm()
        c_in = channels
    return named_layers(**layers, pool=nn.MaxPool2d(pool, stride=2))


def _head(spec: VGGSpec, channels: int) -> nn.Sequential:
    """Return the fully-connected layers: (N, C, H, W) to (N, classes)."""
    layers: dict[str, nn.Module] = {"flatten": nn.Flatten()}  # (N, C · H · W)
    features, hidden = channels * prod(spec.last_map), HEADS[spec.head]
    for number, units in enumerate(hidden, 1):
        layers[f"fc{number}"] = nn.Linear(features, units)  # (N, units)
        layers[f"relu{number}"] = nn.ReLU(inplace=True)
        layers[f"dropout{number}"] = nn.Dropout(spec.dropout)
        features = units
    layers[f"fc{len(hidden) + 1}"] = nn.Linear(features, spec.classes)  # (N, classes)
    return named_layers(**layers)
