"""What the specifications of all networks have in common: the images, the classes, the initialisation."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from deepernets.errors import UserError
from deepernets.models.layers import SCHEMES, materialise


@dataclass(frozen=True, kw_only=True)
class NetworkSpec(ABC):
    """What every network has.

    Attributes:
        in_shape: Channels, height and width of an image.
        classes: How many logits the network gives.
        initialisation: One of `deepernets.models.layers.SCHEMES`.

    Raises:
        UserError: a value no network could have.
    """

    in_shape: tuple[int, int, int] = (3, 224, 224)
    classes: int = 1000
    initialisation: str = "he"

    def __post_init__(self) -> None:
        if len(self.in_shape) != 3 or not all(_is_count(size) for size in self.in_shape):
            raise UserError(
                f"in_shape is {self.in_shape!r}; give (channels, height, width), whole numbers of at least 1."
            )
        if not _is_count(self.classes):
            raise UserError(f"classes is {self.classes!r}; give a whole number of at least 1.")
        require_one_of("initialisation", self.initialisation, SCHEMES)

    @abstractmethod
    def layers(self) -> nn.Sequential:
        """Return the network's layers; the last one is called ``head``. Their weights have no meaning yet."""

    def build(self) -> nn.Sequential:
        """Return the network with its initial weights: it maps (N, *in_shape) to logits (N, classes).

        VGG has 140 million weights: the layers are laid out without memory first, so that weights are drawn once
        and not twice. Under ``with torch.device("meta")`` the network stays without memory.
        """
        with torch.device("meta"):
            network = self.layers()
        materialise(network, self.initialisation)
        return network


def require_one_of(field: str, value: Any, choices: Iterable[Any]) -> None:
    """Raise a `UserError` that lists the `choices` of a field where `value` is none of them."""
    known = tuple(choices)
    if value not in known:
        raise UserError(f"{field} is {value!r}; choose one of {', '.join(map(repr, known))}.")


def _is_count(number: Any) -> bool:
    return isinstance(number, int) and number >= 1
