"""Weights of other implementations: torchvision's VGG and ResNet, and a widely copied CIFAR ResNet.

Layers come in the same order under other names. The CIFAR ResNet also has another order of channels: for option A,
He et al. (2016, section 4.1) do not say where the zeros are padded. Our networks append them; the other
implementation pads half of them on each side. Permuting the channels makes the two equivalent.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from deepernets.errors import UserError
from deepernets.files import BoundedFile, require_regular
from deepernets.models.layers import Residual, ZeroPad

CIFAR_CLASSIFIER = "linear.weight"  # in the CIFAR ResNet that pads on both sides
V1_5 = "layer2.0.conv3.weight"  # in torchvision's bottlenecks, whose stride is in the 3×3
LARGEST_WEIGHTS = 2**34  # bytes
NORM_TENSORS = ("weight", "bias", "running_mean", "running_var")


def load_weights(model: nn.Module, file: str | Path) -> nn.Module:
    """Load a state dict from a file into a network, in place, and return the network.

    Args:
        model: A network of `deepernets.build_model` with the same layers.
        file: ``.safetensors``, or a file of `torch.save` with a state dict, or with a dictionary that has one under
            ``state_dict``. Names may be ours, torchvision's, or those of the CIFAR ResNets with ``layer1``,
            ``layer2``, ``layer3`` and ``linear``, also after ``module.``. Only tensors are read.

    Raises:
        UserError: the file cannot be read, or its tensors do not fit this network.
    """
    found = _read(Path(file))
    named = _renamed(found, model, Path(file))
    model.load_state_dict(pad_after(named, model) if CIFAR_CLASSIFIER in found else named)
    return model


def pad_after(weights: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Return the weights of a ResNet that pads on both sides with channels permuted for one that appends zeros.

    Where a shortcut adds channels to the residual stream, the old ones are in the middle of the former and at the
    beginning of the latter. Second convolutions and their normalisations write to the stream; first convolutions
    and the classifier read from it.

    Args:
        weights: A state dict with the names of `model`.
        model: A ResNet of basic blocks; without shortcuts of option A the weights stay as they are.
    """
    if not any(isinstance(module, ZeroPad) for module in model.modules()):
        return weights
    weights = dict(weights)
    order = torch.arange(_stem_width(model))  # order[i]: the channel in `weights` that becomes channel i
    for name, block in model.named_modules():
        if not isinstance(block, Residual):
            continue
        weights[f"{name}.branch.conv1.weight"] = weights[f"{name}.branch.conv1.weight"][:, order]
        width = len(weights[f"{name}.branch.norm2.weight"])
        if isinstance(block.shortcut, ZeroPad):
            before = block.shortcut.padding_channels // 2
            old, channels = order + before, torch.arange(width)
            order = torch.cat([old, channels[~torch.isin(channels, old)]])
        for tensor in ("conv2.weight", *(f"norm2.{each}" for each in NORM_TENSORS)):
            weights[f"{name}.branch.{tensor}"] = weights[f"{name}.branch.{tensor}"][order]
    weights["head.fc.weight"] = weights["head.fc.weight"][:, order]
    return weights


def _stem_width(model: nn.Module) -> int:
    return next(layer.out_channels for layer in model.modules() if isinstance(layer, nn.Conv2d))


def _read(file: Path) -> dict[str, Tensor]:
    """Return the state dict in a file, its names without the prefix ``module.``."""
    require_regular(file, LARGEST_WEIGHTS)
    try:
        if file.suffix == ".safetensors":
            found: Any = load_file(file)
        else:
            with BoundedFile(file) as opened:
                found = torch.load(opened, map_location="cpu", weights_only=True)
    except Exception as error:  # torch, safetensors and pickle raise different ones
        reason = getattr(error, "strerror", None) or "it is damaged, or contains more than tensors"
        raise UserError(
            f"The weights {file} cannot be read ({reason}); expected a .safetensors file, or a state dict "
            "that torch.save wrote."
        ) from error
    found = found.get("state_dict", found) if isinstance(found, dict) else found
    if not isinstance(found, dict) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in found.items()
    ):
        raise UserError(f"{file} has no state dict; expected a dictionary of names and tensors.")
    return {name.removeprefix("module."): tensor for name, tensor in found.items()}


def _renamed(found: dict[str, Tensor], model: nn.Module, file: Path) -> dict[str, Tensor]:
    """Return the tensors with the names of `model`; those of other implementations are matched by order."""
    ours = model.state_dict()
    if V1_5 in found and any(
        name.endswith("branch.conv1") and layer.kernel_size == (1, 1) and layer.stride == (2, 2)
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Conv2d)
    ):
        raise UserError(
            f'The weights in {file} are of a network with the stride in its 3×3; build yours with stride_in="3x3".'
        )
    if _shapes(found) == _shapes(ours):
        return found
    theirs, own = _without_counters(found), _without_counters(ours)
    if [*_shapes(theirs).values()] != [*_shapes(own).values()]:
        raise UserError(
            f"The weights in {file} belong to another network: {_first_difference(theirs, own)}; build the network "
            "that was trained, with the same number of classes."
        )
    return {**ours, **dict(zip(own, theirs.values(), strict=True))}


def _shapes(weights: dict[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in weights.items()}


def _without_counters(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Leave out the number of batches per normalisation, which older files lack and nothing here uses."""
    return {name: tensor for name, tensor in weights.items() if tensor.dim() > 0}


def _first_difference(found: dict[str, Tensor], ours: dict[str, Tensor]) -> str:
    for (name, theirs), (own, tensor) in zip(found.items(), ours.items(), strict=False):
        if theirs.shape != tensor.shape:
            return f"{name} is {tuple(theirs.shape)} where {own} is {tuple(tensor.shape)}"
    return f"it has {len(found)} tensors where the network has {len(ours)}"
