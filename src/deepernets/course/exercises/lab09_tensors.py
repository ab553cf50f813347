"""What the judges of lab 9 do with tables of numbers."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

Usual = Iterable[tuple[str, Tensor]]


def plain(value: Any) -> Tensor | None:
    """Return an answer as a tensor of doubles, or None if it is no table of numbers.

    Lists and arrays count as tensors do. A tensor of a class of its own, which could say that it equals anything,
    loses that class first.

    >>> plain([[1, 2]])
    tensor([[1., 2.]], dtype=torch.float64)
    >>> plain("one") is None
    True
    """
    try:
        if isinstance(value, Tensor):
            with torch._C.DisableTorchFunctionSubclass():
                value = Tensor.as_subclass(Tensor.detach(value), Tensor).cpu()
            return value.double() if type(value) is Tensor else None
        return torch.from_numpy(np.asarray(value, dtype=np.float64).copy())
    except (TypeError, ValueError, RuntimeError):
        return None


def alike(given: Tensor, other: Tensor, tolerance: float = 1e-5) -> bool:
    """Say whether two tables have the same shape and, nearly, the same numbers."""
    return given.shape == other.shape and torch.allclose(given, other.double(), rtol=1e-4, atol=tolerance)


def first_alike(given: Tensor, usual: Usual) -> str:
    """Return the mistake whose result was given, or "other"."""
    return next((mistake for mistake, wrong in usual if alike(given, wrong)), "other")
