"""The speedrun's network: a small VGG that reaches 94 % on CIFAR-10 in the shortest time.

It follows the public speed records on CIFAR-10 (Page 2019; Jordan 2024, arXiv:2404.00498). Its blocks are VGG's,
with batch normalisation. Two parts are new: fixed first filters that are computed from the images, and horizontal
flips at test time.
"""

from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from deepernets.errors import UserError
from deepernets.models.layers import NetworkSpec, conv, named_layers

PATCH = 2  # side of the first filters, in pixels


@dataclass(frozen=True, kw_only=True)
class SpeedrunSpec(NetworkSpec):
    """What varies between networks of the speedrun.

    Attributes:
        widths: Channels of each block; each has a max-pool.
        initialisation: One of `deepernets.models.layers.SCHEMES`.

    Raises:
        UserError: a value is out of range, or the images are too small for the max-pools.
    """

    in_shape: tuple[int, int, int] = (3, 32, 32)
    classes: int = 10
    widths: tuple[int, ...] = (64, 256, 256)
    initialisation: str = "identity"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.widths or min(self.widths) < 1:
            raise UserError(
                f"widths is {self.widths!r}; give the channels of at least one block, each above 0."
            )
        if min(self.last_map) == 0:
            least = 2 ** len(self.widths) + PATCH - 1
            raise UserError(
                f"{self.in_shape[1]}×{self.in_shape[2]} pixels are too few for {len(self.widths)} max-pools; "
                f"give at least {least}×{least}."
            )

    @property
    def last_map(self) -> tuple[int, int]:
        """Height and width of the head's input.

        >>> SpeedrunSpec().last_map
        (3, 3)
        """
        _, height, width = self.in_shape
        halvings = 2 ** len(self.widths)
        return (height - PATCH + 1) // halvings, (width - PATCH + 1) // halvings

    def layers(self) -> nn.Sequential:
        """Return ``stem``, ``block1``, ``block2``, …, ``head``.

        A block's max-pool comes after its first convolution, not after the last as in VGG, so that the second
        convolution costs a quarter.

        >>> [tuple(block.conv1.weight.shape) for block in SpeedrunSpec().build()[1:-1]]
        [(64, 24, 3, 3), (256, 64, 3, 3), (256, 256, 3, 3)]
        """
        channels = 2 * self.in_shape[0] * PATCH**2  # as many as `whitening_filters` returns
        first = nn.Conv2d(self.in_shape[0], channels, PATCH, bias=False)  # (N, 24, 31, 31)
        blocks = {}
        for number, width in enumerate(self.widths, 1):
            blocks[f"block{number}"] = _block(channels, width)
            channels = width
        head = named_layers(
            pool=nn.AdaptiveMaxPool2d(1),  # (N, C, 1, 1)
            flatten=nn.Flatten(),  # (N, C)
            fc=nn.Linear(channels, self.classes),  # (N, classes)
        )
        return named_layers(stem=named_layers(conv=first, relu=nn.ReLU(inplace=True)), **blocks, head=head)

    def build(self) -> nn.Sequential:
        """Return the network with its initial weights; see `NetworkSpec.build`.

        The head's weights start at zero: the first predictions are uniform, with a loss of ln K.
        """
        network = super().build()
        last = network.get_submodule("head.fc")
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        return network


def _block(c_in: int, c_out: int) -> nn.Sequential:
    """Return one block: (N, c_in, H, W) to (N, c_out, H / 2, W / 2)."""
    return named_layers(
        conv1=conv(c_in, c_out, 3),  # (N, C, H, W)
        pool=nn.MaxPool2d(2),  # (N, C, H / 2, W / 2)
        norm1=nn.BatchNorm2d(c_out),
        relu1=nn.ReLU(inplace=True),
        conv2=conv(c_out, c_out, 3),
        norm2=nn.BatchNorm2d(c_out),
        relu2=nn.ReLU(inplace=True),
    )


def whitening_filters(images: Tensor, smallest: float = 5e-4) -> Tensor:
    """Return filters whose outputs on the patches of `images` are uncorrelated and have variance 1.

    The patches' covariance is Σ = V Λ Vᵀ; the filters are the rows of Λ^-½ Vᵀ and their negatives, since a
    ReLU keeps only one sign of each (Page 2019, part 8; Jordan 2024, section 3.2).

    Args:
        images: (N, C, H, W), normalised.
        smallest: Added to the variances Λ, so that rare patterns do not become noise.

    Returns:
        (2 · C · PATCH², C, PATCH, PATCH), the most frequent pattern first.
    """
    patches = images.unfold(2, PATCH, 1).unfold(3, PATCH, 1)  # (N, C, H', W', PATCH, PATCH)
    patches = patches.permute(0, 2, 3, 1, 4, 5)  # (N, H', W', C, PATCH, PATCH)
    rows = patches.reshape(-1, images.shape[1] * PATCH**2).double()  # (N · H' · W', C · PATCH²)
    variances, directions = torch.linalg.eigh(torch.cov(rows.T))  # ascending
    rows_of_filters = (directions / (variances + smallest).sqrt()).T.flip(0)
    filters = rows_of_filters.reshape(-1, images.shape[1], PATCH, PATCH)
    return torch.cat([filters, -filters]).float()


def whiten(model: nn.Module, images: Tensor) -> None:
    """Set a speedrun network's first filters to `whitening_filters` of training images, and freeze them.

    Args:
        model: A network of `SpeedrunSpec`; changed in place.
        images: (N, C, H, W), normalised.

    Raises:
        UserError: the network's first layer has another shape.
    """
    first = next((layer for layer in model.modules() if isinstance(layer, nn.Conv2d)), None)
    filters = whitening_filters(images)
    if first is None or first.weight.shape != filters.shape:
        raise UserError(
            f"Whitening makes {len(filters)} filters of {PATCH}×{PATCH} pixels, and this network's first layer has "
            "another shape; train a speedrun network (dash), or leave `whiten` out."
        )
    with torch.no_grad():
        first.weight.copy_(filters)
    first.weight.requires_grad_(False)


class FlipAveraged(nn.Sequential):
    """A network with horizontal-flip test-time augmentation.

    In evaluation mode its logits are the mean of those of the images and of their mirror images. In training mode
    it is the network itself.

    Args:
        network: Its layers are shared, under the same names.
    """

    def __init__(self, network: nn.Sequential) -> None:
        super().__init__(OrderedDict(network.named_children()))

    def forward(self, images: Tensor) -> Tensor:
        """Map (N, C, H, W) to logits (N, K)."""
        logits: Tensor = super().forward(images)
        return logits if self.training else (logits + super().forward(images.flip(3))) / 2
