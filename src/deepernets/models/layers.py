"""Parts that all networks share: layers, shortcuts, initialisation, and the base class of their specifications."""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import partial
from math import sqrt
from typing import Any, NamedTuple, get_origin

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepernets.errors import UserError


class Convolution(NamedTuple):
    """One convolution: side of its kernel, output channels, stride, whether LRN follows."""

    kernel: int
    channels: int
    stride: int = 1
    lrn: bool = False


def named_layers(**layers: nn.Module) -> nn.Sequential:
    """Return a sequence of layers, each under its name.

    >>> [name for name, _ in named_layers(flatten=nn.Flatten(), fc=nn.Linear(4, 2)).named_children()]
    ['flatten', 'fc']
    """
    return nn.Sequential(OrderedDict(layers))


def numbered_layers(name: str, layers: Iterable[nn.Module]) -> nn.Sequential:
    """Return a sequence of layers called ``name1``, ``name2`` and so on."""
    return named_layers(**{f"{name}{number}": layer for number, layer in enumerate(layers, 1)})


def conv(c_in: int, c_out: int, kernel: int, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    """Return a convolution with an odd kernel that keeps the feature map's size at stride 1.

    >>> conv(3, 64, kernel=7, stride=2)
    Conv2d(3, 64, kernel_size=(7, 7), stride=(2, 2), padding=(3, 3), bias=False)
    """
    return nn.Conv2d(c_in, c_out, kernel, stride, padding=kernel // 2, bias=bias)


def normalised_convolutions(
    c_in: int, convolutions: Iterable[Convolution], bias: bool = False
) -> nn.Sequential:
    """Return a sequence of convolutions, each followed by batch normalisation, with ReLUs in between.

    This is the branch F of a residual block, whose last ReLU comes after the addition (He et al. 2016,
    figure 5).

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

    b = a / (2 + 1e-4 · Σ a²)^0.75, where the sum is over five neighbouring channels. PyTorch divides alpha by
    the number of channels and the paper does not, hence the factor 5.
    """
    return nn.LocalResponseNorm(size=5, alpha=5 * 1e-4, beta=0.75, k=2)


class Residual(nn.Module):
    """y = ReLU(F(x) + shortcut(x)): He et al. (2016), equations 1 and 2.

    Args:
        branch: F, without its last ReLU.
        shortcut: The identity, or a module that maps x to the shape of F(x).
    """

    def __init__(self, branch: nn.Sequential, shortcut: nn.Module) -> None:
        super().__init__()
        self.branch = branch
        self.shortcut = shortcut
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H / stride, W / stride)."""
        y = self.branch(x)  # (N, C', H', W')
        y += self.shortcut(x)  # in place: the backward pass of a normalisation does not need its output
        return self.relu(y)


class ZeroPad(nn.Module):
    """Option A's shortcut: every stride-th pixel, and zeros as additional channels.

    Args:
        c_in: Channels of x.
        c_out: Channels of F(x); the last `c_out - c_in` of them are zeros.
        stride: Stride of F.

    Raises:
        UserError: `c_out` is smaller than `c_in`.
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
        return F.pad(x, (0, 0, 0, 0, 0, self.padding_channels))  # pairs of paddings, the last dimension first

    def extra_repr(self) -> str:
        """Return the arguments that ``print(model)`` shows."""
        return f"channels=+{self.padding_channels}, stride={self.stride}"


def projection(c_in: int, c_out: int, stride: int) -> nn.Module:
    """Return W_s of equation 2: a 1×1 convolution with batch normalisation."""
    return normalised_convolutions(c_in, [Convolution(1, c_out, stride)])


def where_shapes_change(other: Callable[[int, int, int], nn.Module]) -> Callable[[int, int, int], nn.Module]:
    """Return a shortcut that is the identity where x and F(x) have one shape, and `other` elsewhere."""
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
    """Make a convolution's first filters the identity; use He initialisation for all others and linear layers."""
    _he(weight)
    if weight.dim() == 4 and len(weight) >= weight.shape[1]:
        nn.init.dirac_(weight[: weight.shape[1]])
    return weight


# How the weights of convolutions and linear layers are drawn. Biases start at 0, except for "pytorch", which
# leaves both to PyTorch: uniform with variance 1 / (3 · fan in).
SCHEMES: dict[str, Callable[[Tensor], Tensor] | None] = {
    "pytorch": None,
    "paper": partial(nn.init.normal_, std=1e-2**0.5),  # VGG, section 3.1: variance 1e-2
    "normal": partial(nn.init.normal_, std=1e-2),  # He et al. (2015, section 2.2): standard deviation 1e-2
    "glorot": nn.init.xavier_uniform_,  # Glorot & Bengio (2010), eq. 16: variance 2 / (fan in + fan out)
    "he": _he,  # He et al. (2015), eq. 10: variance 2 / fan in
    "identity": _identity,  # in the speedrun's convolutions (Jordan 2024, section 3.3)
}


def initialise(model: nn.Module, scheme: str) -> None:
    """Draw all weights of a network; normalisations start as identities.

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
    """Set the last γ of each residual block to 0, so that it starts as its shortcut (Goyal et al. 2017, 5.1)."""
    for module in model.modules():
        if isinstance(module, Residual):
            last = module.branch[-1]
            assert isinstance(last, nn.BatchNorm2d)
            nn.init.zeros_(last.weight)


def materialise(model: nn.Module, scheme: str) -> None:
    """Move a network from the meta device to memory and draw its initial weights.

    Under ``with torch.device("meta")`` nothing is done.
    """
    if torch.empty(0).is_meta:  # a new tensor is on the default device
        return
    # not by Module.to_empty, which imports PyTorch's compiler and takes a second
    memory = {name: torch.empty(each.shape, dtype=each.dtype) for name, each in model.state_dict().items()}
    model.load_state_dict(memory, assign=True)
    initialise(model, scheme)


def glorot_std(c_in: int, c_out: int, kernel: int) -> float:
    """Return √(2 / (fan in + fan out)), the standard deviation of Glorot & Bengio (2010), equation 12.

    >>> glorot_std(16, 16, kernel=1)
    0.25
    """
    return sqrt(2 / (kernel**2 * (c_in + c_out)))


def he_std(c_in: int, c_out: int, kernel: int) -> float:
    """Return √(2 / fan in), the standard deviation that keeps the variance across ReLUs: He et al. (2015), eq. 10.

    >>> he_std(8, 16, kernel=1)
    0.5
    """
    return sqrt(2 / (kernel**2 * c_in))


def plain_stack(
    depth: int, channels: int, std: Callable[[int, int, int], float], c_in: int = 3
) -> nn.Sequential:
    """Return `depth` 3×3 convolutions, each followed by a ReLU, without normalisation, biases or stride.

    Weights are normal with mean 0. Padding is circular: zeros would weaken the signal a little in each layer, and
    hide the effect of the weights.

    Args:
        depth: Number of convolutions.
        channels: Channels of each feature map.
        std: Returns the standard deviation of the weights, from the channels in, the channels out and the side
            of the kernel.
        c_in: Channels of the images.

    >>> len(plain_stack(depth=5, channels=8, std=lambda c_in, c_out, kernel: 0.01))
    10
    """
    stack = nn.Sequential()
    for number in range(1, depth + 1):
        layer = nn.Conv2d(c_in, channels, 3, padding=1, bias=False, padding_mode="circular")
        nn.init.normal_(layer.weight, std=float(std(c_in, channels, 3)))
        stack.add_module(f"conv{number}", layer)
        stack.add_module(f"relu{number}", nn.ReLU())
        c_in = channels
    return stack


@dataclass(frozen=True, kw_only=True)
class NetworkSpec(ABC):
    """Fields that the specifications of all networks share.

    Attributes:
        in_shape: Channels, height and width of an image.
        classes: Number of logits.
        initialisation: A key of `SCHEMES`.

    Raises:
        UserError: a value is out of range.
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
        for field in fields(self):
            _require_kind(field.name, getattr(self, field.name), field.type)
        require_one_of("initialisation", self.initialisation, SCHEMES)

    @abstractmethod
    def layers(self) -> nn.Sequential:
        """Return the network's layers with arbitrary weights; the last one is called ``head``."""

    def build(self) -> nn.Sequential:
        """Return the network with its initial weights: it maps (N, *in_shape) to logits (N, classes).

        The layers are made on the meta device first, so that weights are drawn once and not twice: VGG has 140
        million. Under ``with torch.device("meta")`` the network stays there.
        """
        with torch.device("meta"):
            network = self.layers()
        materialise(network, self.initialisation)
        return network


def require_one_of(field: str, value: Any, choices: Iterable[Any]) -> None:
    """Raise a `UserError` that lists the `choices` of a field if `value` is none of them."""
    known = tuple(choices)
    if value not in known:
        raise UserError(f"{field} is {value!r}; choose one of {', '.join(map(repr, known))}.")


def _require_kind(field: str, value: Any, kind: Any) -> None:
    """Raise a `UserError` if a field of a specification is not of its type, as in a recipe's file."""
    if get_origin(kind) is tuple:
        fits = isinstance(value, tuple) and all(isinstance(number, int) for number in value)
    else:
        fits = isinstance(value, int | float if kind is float else kind)
    if not fits:
        words = {str: "text", bool: "True or False", int: "a whole number", float: "a number"}
        raise UserError(f"{field} is {value!r}; give {words.get(kind, 'whole numbers')}.")


def _is_count(number: Any) -> bool:
    return isinstance(number, int) and number >= 1
