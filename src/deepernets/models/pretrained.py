"""Weights from elsewhere in the course's networks: torchvision's VGG and ResNet, and the copied CIFAR ResNets.

The layers are the same and come in the same order; only their names differ. In one kind the channels differ, too:
option A of He et al. (2016, section 4.1) pads with zeros, and the paper does not say on which side. The course's
networks pad after the old channels, a widely copied implementation half on each side. The two are the same function
once the channels are permuted.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from deepernets.errors import UserError
from deepernets.models.layers import Residual, ZeroPad

CIFAR_CLASSIFIER = "linear.weight"  # its name in the CIFAR ResNets that pad on both sides
V1_5 = "layer2.0.conv3.weight"  # a name in torchvision's bottlenecks, which have their stride in the 3×3


def load_weights(model: nn.Module, file: str | Path) -> nn.Module:
    """Load a state dict from a file into a network, in place, and return the network.

    Args:
        model: A network of `deepernets.build_model` with the layers of the one that was trained.
        file: ``.safetensors``, or what `torch.save` wrote: a state dict, or a dictionary that has one under
            ``state_dict``. Names may be the course's, torchvision's, or those of the CIFAR ResNets with ``layer1``,
            ``layer2``, ``layer3`` and ``linear``, also after ``module.``. Only tensors are read.

    Raises:
        UserError: the file cannot be read, or its tensors are not those of this network.
    """
    found = _read(Path(file))
    named = _renamed(found, model, Path(file))
    model.load_state_dict(pad_after(named, model) if CIFAR_CLASSIFIER in found else named)
    return model


def pad_after(weights: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Permute the channels of weights whose shortcuts pad on both sides, for one whose shortcuts pad at the end.

    Where a shortcut widens the residual stream from c to c' channels, the old ones are in the middle of the one and
    at the beginning of the other. Second convolutions and their normalisations write to the stream, first
    convolutions and the classifier read from it.

    Args:
        weights: A state dict under the names of `model`.
        model: A ResNet of basic blocks; without shortcuts of option A nothing changes.
    """
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
        elif not isinstance(block.shortcut, nn.Identity):  # a projection writes to all channels itself
            order = torch.arange(width)
        for tensor in (
            "conv2.weight",
            "norm2.weight",
            "norm2.bias",
            "norm2.running_mean",
            "norm2.running_var",
        ):
            weights[f"{name}.branch.{tensor}"] = weights[f"{name}.branch.{tensor}"][order]
    weights["head.fc.weight"] = weights["head.fc.weight"][:, order]
    return weights


def _stem_width(model: nn.Module) -> int:
    return next(layer.out_channels for layer in model.modules() if isinstance(layer, nn.Conv2d))


def _read(file: Path) -> dict[str, Tensor]:
    """Return the state dict in a file, without ``module.`` before its names."""
    try:
        found: Any = (
            load_file(file)
            if file.suffix == ".safetensors"
            else torch.load(file, map_location="cpu", weights_only=True)
        )
    except Exception as error:  # torch, safetensors and pickle each have exceptions of their own
        reason = getattr(error, "strerror", None) or "it is damaged, or holds more than tensors"
        raise UserError(
            f"The weights {file} cannot be read ({reason}); give a .safetensors file, or one that torch.save wrote "
            "of a state dict."
        ) from error
    found = found.get("state_dict", found) if isinstance(found, dict) else found
    if not isinstance(found, dict) or not all(isinstance(tensor, Tensor) for tensor in found.values()):
        raise UserError(f"{file} has no state dict; expected a dictionary of names and tensors.")
    return {name.removeprefix("module."): tensor for name, tensor in found.items()}


def _renamed(found: dict[str, Tensor], model: nn.Module, file: Path) -> dict[str, Tensor]:
    """Return the tensors under the names of `model`; another library's are taken in their order."""
    ours = model.state_dict()
    if V1_5 in found and any(
        name.endswith("branch.conv1") and layer.kernel_size == (1, 1) and layer.stride == (2, 2)
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Conv2d)
    ):
        raise UserError(
            f'The weights in {file} are of a network with the stride in its 3×3; build yours with stride_in="3x3".'
        )
    if set(found) == set(ours):
        return found
    theirs, own = _without_counters(found), _without_counters(ours)
    if [tensor.shape for tensor in theirs.values()] != [tensor.shape for tensor in own.values()]:
        raise UserError(
            f"The weights in {file} are another network's: {_first_difference(theirs, own)}; build the network "
            "that was trained, with as many classes."
        )
    return {**ours, **dict(zip(own, theirs.values(), strict=True))}


def _without_counters(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Leave out how many batches each normalisation has seen, which older files lack and nothing here uses."""
    return {name: tensor for name, tensor in weights.items() if tensor.dim() > 0}


def _first_difference(found: dict[str, Tensor], ours: dict[str, Tensor]) -> str:
    for (name, theirs), (own, tensor) in zip(found.items(), ours.items(), strict=False):
        if theirs.shape != tensor.shape:
            return f"{name} is {tuple(theirs.shape)} where {own} is {tuple(tensor.shape)}"
    return f"it has {len(found)} tensors where the network has {len(ours)}"
