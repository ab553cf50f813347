"""Networks without their normalisation: to see what normalisation does, take it away and measure again."""

from torch import nn


def without_normalisation(network: nn.Module) -> nn.Module:
    """Put an identity in the place of each batch normalisation, and return the network.

    All other layers keep their names and their weights, so that what is measured in the two can be compared layer
    by layer. Convolutions that stood before a normalisation have no bias, and get none.

    Args:
        network: Changed in place. A network that is itself a normalisation stays as it is.

    >>> network = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU())
    >>> without_normalisation(network)[1]
    Identity()
    """
    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
    return network
