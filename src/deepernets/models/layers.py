"""The pieces both papers build with: convolutions, normalisation, shortcuts, initialisation."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepernets.errors import UserError


class Convolution(NamedTuple):
    """One convolution: the side of its kernel, its output channels, its stride, whether LRN follows."""

    kernel: int
    channels: int
    stride: int = 1
    lrn: bool = False


def named_layers(**layers: nn.Module) -> nn.Sequential:
    """Return layers in a row, each under its name.

    >>> [name for name, _ in named_layers(flatten=nn.Flatten(), fc=nn.Linear(4, 2)).named_children()]
    ['flatten', 'fc']
    """
    return nn.Sequential(OrderedDict(layers))


def numbered_layers(name: str, layers: Iterable[nn.Module]) -> nn.Sequential:
    """Return layers in a row, called ``name1``, ``name2`` and so on."""
    return named_layers(**{f"{name}{number}": layer for number, layer in enumerate(layers, 1)})


def conv(c_in: int, c_out: int, kernel: int, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    """Return a convolution that keeps the map's size at stride 1 (the kernel's side must be odd).

    >>> conv(3, 64, kernel=7, stride=2)
    Conv2d(3, 64, kernel_size=(7, 7), stride=(2, 2), padding=(3, 3), bias=False)
    """
    return nn.Conv2d(c_in, c_out, kernel, stride, padding=kernel // 2, bias=bias)


def normalised_convolutions(
    c_in: int, convolutions: Iterable[Convolution], bias: bool = False
) -> nn.Sequential:
    """Return convolutions in a row, each with batch normalisation, and a ReLU between one and the next.

    This is the branch F of a residual block (He et al. 2016, figure 5): its last ReLU comes after the
    addition.

    >>> branch = normalised_convolutions(64, [Convolution(3, 64), Convolution(3, 64)])
    >>> [name for name, _ in branch.named_children()]
    ['conv1', 'norm1', 'relu1', 'conv2', 'norm2']
    """
    layers: dict[str, nn.Module] = {}
    for number, (kernel, channels, stride, _) in enumerate(convolutions, 1):
        if number > 1:
            layers[f"relu{number - 1}"] = nn.ReLU(inplace=True)
        layers[f"conv{number}"] = conv(c_in, channels, kernel, stride, bias)
        layers[f"norm{number}"] = nn.BatchNorm2d(channels)
        c_in = channels
    return named_layers(**layers)


def local_response_norm() -> nn.LocalResponseNorm:
    """Return the local response normalisation of VGG's A-LRN: Krizhevsky et al. (2012), section 3.3.

    b = a / (2 + 1e-4 · Σ a²)^0.75, where the sum runs over five neighbouring channels. PyTorch divides its
    alpha by the number of channels; the paper does not, hence the 5.
    """
    return nn.LocalResponseNorm(size=5, alpha=5 * 1e-4, beta=0.75, k=2)


class Residual(nn.Module):
    """y = ReLU(F(x) + shortcut(x)): He et al. (2016), equations 1 and 2.

    Args:
        branch: F, the layers to be learned; it ends before the last ReLU.
        shortcut: The identity, or what makes x as large as F(x).
    """

    def __init__(self, branch: nn.Sequential, shortcut: nn.Module) -> None:
        super().__init__()
        self.branch = branch
        self.shortcut = shortcut
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H / stride, W / stride)."""
        y = self.branch(x)  # (N, C', H', W')
        y += self.shortcut(
            x
        )  # in place: the branch ends in a normalisation, which does not need its output again
        return self.relu(y)


class ZeroPad(nn.Module):
    """Option A's shortcut: every stride-th pixel, and zeros for the channels that x does not have.

    Args:
        c_in: Channels of x.
        c_out: Channels of F(x): `c_out - c_in` of them, the last ones, are zeros.
        stride: Stride of F.

    Raises:
        UserError: `c_out` is smaller than `c_in`; padding cannot take channels away.
    """

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        if c_out < c_in:
            raise UserError(
                f"Shortcut A cannot lead from {c_in} channels to {c_out}, because padding adds channels and "
                "takes none away; let the widths grow, or use shortcut 'B'."
            )
        self.padding_channels = c_out - c_in
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, c_in, H, W) to (N, c_out, H / stride, W / stride)."""
        x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, 0, self.padding_channels))  # pads from the last dimension to the first

    def extra_repr(self) -> str:
        """Return what ``print(model)`` shows between the parentheses."""
        return f"channels=+{self.padding_channels}, stride={self.stride}"


def projection(c_in: int, c_out: int, stride: int) -> nn.Module:
    """Return W_s of equation 2: a 1×1 convolution, batch normalised."""
    return normalised_convolutions(c_in, [Convolution(1, c_out, stride)])


def where_shapes_change(other: Callable[[int, int, int], nn.Module]) -> Callable[[int, int, int], nn.Module]:
    """Return a shortcut that is the identity wherever it can be, and `other` where it cannot."""
    return lambda c_in, c_out, stride: (
        nn.Identity() if (c_in, 1) == (c_out, stride) else other(c_in, c_out, stride)
    )


# He et al. (2016), section 4.1: (channels in, channels out, stride) -> shortcut
SHORTCUTS: dict[str, Callable[[int, int, int], nn.Module]] = {
    "A": where_shapes_change(ZeroPad),
    "B": where_shapes_change(projection),
    "C": projection,
}

_he = partial(nn.init.kaiming_normal_, nonlinearity="relu")


def _identity(weight: Tensor) -> Tensor:
    """Let a convolution's first filters hand their input on, and draw the others, and linear layers, as He does."""
    _he(weight)
    if weight.dim() == 4 and len(weight) >= weight.shape[1]:
        nn.init.dirac_(weight[: weight.shape[1]])
    return weight


# How a convolution's or a linear layer's weights are drawn; its biases start at 0, except under "pytorch",
# which leaves both to PyTorch: uniform with variance 1 / (3 · fan in).
SCHEMES: dict[str, Callable[[Tensor], Tensor] | None] = {
    "pytorch": None,
    "paper": partial(nn.init.normal_, std=1e-2**0.5),  # VGG, section 3.1: variance 1e-2
    "normal": partial(nn.init.normal_, std=1e-2),  # He et al. (2015, section 2.2): deviation 1e-2
    "glorot": nn.init.xavier_uniform_,  # Glorot & Bengio (2010), eq. 16: variance 2 / (fan in + fan out)
    "he": _he,  # He et al. (2015), eq. 10: variance 2 / fan in
    "identity": _identity,  # of every convolution; the dash's (Jordan 2024, section 3.3)
}


def initialise(model: nn.Module, scheme: str) -> None:
    """Draw all weights of `model` anew; normalisations start as identities.

    Args:
        model: Changed in place.
        scheme: A key of `SCHEMES`.
    """
    draw = SCHEMES[scheme]
    for module in model.modules():
        if draw is not None and isinstance(module, nn.Conv2d | nn.Linear):
            draw(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
            module.reset_parameters()


def zero_last_gamma(model: nn.Module) -> None:
    """Let every residual block start as its shortcut: its last γ is 0 (Goyal et al. 2017, section 5.1)."""
    for module in model.modules():
        if isinstance(module, Residual):
            last = module.branch[-1]
            assert isinstance(last, nn.BatchNorm2d)
            nn.init.zeros_(last.weight)


def materialise(model: nn.Module, scheme: str) -> None:
    """Give a network laid out on the meta device its memory and its initial weights.

    Under ``with torch.device("meta")`` the network stays without memory.
    """
    if torch.empty(0).is_meta:  # where a new tensor would be
        return
    # Module.to_empty and drawing on the meta device would both import PyTorch's compiler, which takes a second
    memory = {name: torch.empty(laid.shape, dtype=laid.dtype) for name, laid in model.state_dict().items()}
    model.load_state_dict(memory, assign=True)
    initialise(model, scheme)
