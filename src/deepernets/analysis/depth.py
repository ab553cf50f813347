"""Effects of depth: on signals and gradients, on errors; residual blocks; and layers that change nothing.

Measurements leave weights, gradients and running statistics unchanged.
"""

from collections.abc import Callable, Mapping, Sequence
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from deepernets.errors import UserError
from deepernets.models.layers import Residual, ZeroPad, zero_last_gamma


def diagnosis(
    shallow: Sequence[Mapping[str, float]],
    deep: Sequence[Mapping[str, float]],
    tolerance: float = 0.01,
    far: float = 0.2,
) -> str:
    """Return what is wrong with a deeper network, from the errors at the end of training.

    If the training error is higher as well, it is not overfitting (He et al. 2016, section 1). This applies to runs
    that have converged: one that ends far from fitting its training images shows how fast a network learns, not
    what it can reach.

    Args:
        shallow: The epochs of a run, as in a record.
        deep: Those of a deeper network.
        tolerance: Smaller differences between errors are ignored.
        far: A training error above it is far from fitting the training images. The default suits small images such
            as CIFAR-10's; on ImageNet, training errors stay higher.

    Returns:
        "not converged" if either training error is above `far`; else "degradation" if the deeper network's
        training error is higher; else "overfitting" if its validation error is; else "neither".

    >>> shallow = [{"train_accuracy": 0.9, "validation_accuracy": 0.8}]
    >>> diagnosis(shallow, [{"train_accuracy": 0.95, "validation_accuracy": 0.7}])
    'overfitting'
    >>> diagnosis(shallow, [{"train_accuracy": 0.3, "validation_accuracy": 0.3}])
    'not converged'
    """
    if min(shallow[-1]["train_accuracy"], deep[-1]["train_accuracy"]) < 1 - far:
        return "not converged"
    for column, word in (("train_accuracy", "degradation"), ("validation_accuracy", "overfitting")):
        if shallow[-1][column] - deep[-1][column] > tolerance:
            return word
    return "neither"


def convolutions(network: nn.Module) -> dict[str, nn.Conv2d]:
    """Return the convolutions of a network by name, in the order in which they were added to it.

    >>> list(convolutions(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3))))
    ['0', '2']
    """
    return {name: layer for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d)}


def gradient_norms(network: nn.Module, images: Tensor, labels: Tensor) -> dict[str, float]:
    """Return, for each convolution, the Euclidean norm of the gradient of the cross-entropy by its weights.

    Args:
        network: Maps images to logits (N, K); in training mode, normalisations use the batch's statistics.
        images: (N, C, H, W).
        labels: (N,) class indices.

    >>> network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten())
    >>> norms = gradient_norms(network, torch.zeros(4, 1, 1, 1), torch.zeros(4, dtype=torch.long))
    >>> norms["0"]  # the weights of black images have no effect
    0.0
    """
    layers = convolutions(network)
    with torch.enable_grad():
        loss = F.cross_entropy(_forward(network, images), labels)
        gradients = torch.autograd.grad(loss, [layer.weight for layer in layers.values()])
    return {name: float(gradient.norm()) for name, gradient in zip(layers, gradients, strict=True)}


def activation_variances(network: nn.Module, images: Tensor) -> dict[str, float]:
    """Return, for each convolution, the variance of its output, before any normalisation and ReLU.

    The variance is over images, channels and positions together: Var[y] of He et al. (2015, arXiv:1502.01852,
    section 2.2).

    Args:
        network: Any module that maps images to a tensor.
        images: (N, C, H, W).

    >>> network = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False))
    >>> weights = nn.init.constant_(network[0].weight, 3.0)
    >>> activation_variances(network, torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1))["0"]
    9.0
    """
    return _measure(network, images, convolutions(network), lambda output: output.var(correction=0))


def residual_blocks(network: nn.Module) -> dict[str, Residual]:
    """Return the residual blocks of a network by name, in the order in which they were added to it.

    >>> from deepernets.models.layers import normalised_convolutions, Convolution
    >>> block = Residual(normalised_convolutions(8, [Convolution(3, 8)]), nn.Identity())
    >>> list(residual_blocks(nn.Sequential(nn.ReLU(), block)))
    ['1']
    """
    return {name: module for name, module in network.named_modules() if isinstance(module, Residual)}


def residual_ratios(network: nn.Module, images: Tensor) -> dict[str, float]:
    """Return ‖F(x)‖ / ‖x‖ for each residual block: how much the block changes its input.

    Both norms are Euclidean, over all images, channels and positions, before the addition. Where the shapes
    differ, x is the shortcut's output (He et al. 2016, equation 2).

    Args:
        network: In training mode, normalisations use the statistics of these images.
        images: (N, C, H, W).

    >>> from deepernets.models.layers import normalised_convolutions, Convolution
    >>> block = Residual(normalised_convolutions(1, [Convolution(1, 1)]), nn.Identity()).eval()
    >>> weights = nn.init.constant_(block.branch.conv1.weight, 0.5)
    >>> f"{residual_ratios(nn.Sequential(block), torch.ones(1, 1, 2, 2))['0']:.3f}"
    '0.500'
    """
    blocks = residual_blocks(network)
    parts = {
        (name, part): block.get_submodule(part)
        for name, block in blocks.items()
        for part in ("branch", "shortcut")
    }
    norms = _measure(network, images, parts, Tensor.norm)
    return {name: norms[name, "branch"] / norms[name, "shortcut"] for name in blocks}


def response_deviations(network: nn.Module) -> dict[str, float]:
    """Return, for each batch normalisation, the standard deviation of its output, from its γ and β alone.

    In training mode, channel c of the output has mean β_c and standard deviation |γ_c|, whatever the images are.
    Over images, channels and positions together, the variance is the mean of γ² plus the variance of β. The paper
    calls the output the response of a layer (He et al. 2016, section 4.2, figure 7).

    Args:
        network: Any module with batch normalisations that have γ and β.

    >>> response_deviations(nn.Sequential(nn.BatchNorm2d(8)))  # γ is 1 and β is 0 before training
    {'0': 1.0}
    """
    normalisations = {
        name: layer for name, layer in network.named_modules() if isinstance(layer, nn.BatchNorm2d)
    }
    with torch.no_grad():
        return {
            name: float((layer.weight.square().mean() + layer.bias.var(correction=0)).sqrt())
            for name, layer in normalisations.items()
        }


def shortcut_parameters(network: nn.Module) -> int:
    """Return the number of parameters in a network's shortcuts.

    >>> from deepernets.models.registry import build_model
    >>> [shortcut_parameters(build_model(f"resnet-20{option}", (3, 32, 32))) for option in ("", "-b", "-c")]
    [0, 2752, 14240]
    """
    blocks = residual_blocks(network).values()
    return sum(parameter.numel() for block in blocks for parameter in block.shortcut.parameters())


def without_normalisation(network: nn.Module) -> nn.Module:
    """Replace each batch normalisation by an identity, in place, and return the network.

    All other layers keep their names and weights, so that two networks can be compared layer by layer. Convolutions
    before a normalisation have no bias, and get none.

    >>> network = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU())
    >>> without_normalisation(network)[1]
    Identity()
    """
    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
    return network


def identity_weights(channels: int) -> Tensor:
    """Return weights (C, C, 3, 3) of a convolution that returns its input.

    >>> identity_weights(2)[1].sum(dim=(1, 2))  # the inputs of the second feature map
    tensor([0., 1.])
    """
    return nn.init.dirac_(torch.empty(channels, channels, 3, 3))


@torch.no_grad()
def deepen(
    shallow: nn.Module, deep: nn.Module, identity: Callable[[int], Any] = identity_weights
) -> nn.Module:
    """Make a plain network equivalent to a shallower one, and return it in evaluation mode.

    This is the construction of He et al. (2016, section 1): common layers are copied, and the others become the
    identity. Added normalisations get running statistics 0 and 1, and a γ that cancels their ε.

    Args:
        shallow: The network to copy; `deep` has all its layers, under the same names.
        deep: Changed in place.
        identity: Returns weights (C, C, 3, 3) of a convolution with C channels that returns its input.

    Raises:
        UserError: a network has shortcuts, or `deep` lacks a layer of `shallow`.
    """
    if residual_blocks(shallow) or residual_blocks(deep):
        raise UserError(
            "A block with a shortcut is the identity where its branch is 0; expected plain networks."
        )
    copied = _common_tensors(shallow, deep)
    deep.load_state_dict(copied, strict=False)
    for name, layer in deep.named_modules():
        if f"{name}.weight" in copied:
            continue
        if isinstance(layer, nn.Conv2d):
            layer.weight.copy_(torch.as_tensor(identity(layer.out_channels)))
        elif isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.bias.zero_()
            layer.weight.fill_(sqrt(1 + layer.eps))
    return deep.eval()


@torch.no_grad()
def deepen_residual(shallow: nn.Module, deep: nn.Module) -> nn.Module:
    """Make a residual network equivalent to a shallower one, and return it.

    Common layers are copied. Each other block gets a last γ and β of 0, so that F(x) = 0. It returns x, since x has
    passed a ReLU and the block's own does not change it. This holds in training and in evaluation mode.

    Args:
        shallow: The network to copy; `deep` has all its blocks, under the same names.
        deep: Changed in place.

    Raises:
        UserError: `deep` lacks a layer of `shallow`, or an added block or layer is not the identity at F(x) = 0.
    """
    copied = _common_tensors(shallow, deep)
    common = residual_blocks(shallow)
    added = {name: block for name, block in residual_blocks(deep).items() if name not in common}
    for name, block in added.items():
        if not isinstance(block.shortcut, nn.Identity):
            kind = "pads" if isinstance(block.shortcut, ZeroPad) else "projects"
            raise UserError(
                f"The shortcut of {name} {kind}, so the block changes x even where F(x) = 0; add only blocks "
                "whose shortcut is the identity."
            )
    inside = tuple(f"{name}." for name in added)
    if stray := [key for key in deep.state_dict() if key not in copied and not key.startswith(inside)]:
        raise UserError(f"{stray[0]!r} is in no residual block; only whole residual blocks can be added.")
    deep.load_state_dict(copied, strict=False)
    for block in added.values():
        zero_last_gamma(block)
        nn.init.zeros_(block.branch[-1].get_parameter("bias"))
    return deep


def _common_tensors(shallow: nn.Module, deep: nn.Module) -> dict[str, Tensor]:
    """Return the tensors of the shallow network by name; the deep one must have all of them."""
    tensors = shallow.state_dict()
    if unknown := sorted(set(tensors) - set(deep.state_dict())):
        raise UserError(
            f"The deeper network has no {unknown[0]!r}; expected the same stages with more layers."
        )
    return tensors


@torch.no_grad()
def _measure(
    network: nn.Module, images: Tensor, modules: Mapping[Any, nn.Module], measure: Callable[[Tensor], Tensor]
) -> dict[Any, float]:
    """Return a number for the output of each of some modules, in one forward pass."""
    found: dict[Any, float] = {}

    def record(key: Any) -> Callable[[nn.Module, Any, Tensor], None]:
        return lambda module, inputs, output: found.update({key: float(measure(output))})

    handles = [module.register_forward_hook(record(key)) for key, module in modules.items()]
    try:
        _forward(network, images)
    finally:
        for handle in handles:
            handle.remove()
    return found


def _forward(network: nn.Module, images: Tensor) -> Tensor:
    """Run a network on copies of its buffers, so that training mode does not change its running statistics."""
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    return functional_call(network, buffers, (images,))
