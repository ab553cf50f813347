"""Networks without weights, for tests that count and never compute."""

from typing import Any

import torch
from torch import nn

from deepernets.models.registry import build_model


def laid_out(name: str, *shape_and_classes: Any, **changes: Any) -> nn.Sequential:
    """Return a network on the meta device; the arguments are those of `build_model`."""
    with torch.device("meta"):
        return build_model(name, *shape_and_classes, **changes)
