"""What judges of every lab do with numbers."""

import math
from typing import Any

import torch
from torch import Tensor


def draws(seed: int, salt: int = 0) -> torch.Generator:
    """Return the generator that a judge draws its inputs from; `salt` tells one set of inputs from another."""
    return torch.Generator().manual_seed(1009 * seed + salt)


def number(value: Any) -> float:
    """Return an answer as a number; a tensor may still hang on its graph."""
    return float(value.detach() if isinstance(value, Tensor) else value)


def close(value: float, other: float) -> bool:
    """Say whether two results agree to single precision."""
    return math.isclose(value, other, rel_tol=1e-4, abs_tol=1e-5)


def nearest(value: float, right: float, usual: dict[str, float], otherwise: str) -> str | None:
    """Return None if `value` is right to a hundredth, else the mistake that gives it.

    >>> nearest(1.585, 1.099, {"base 2": 1.585}, otherwise="other")
    'base 2'
    """
    if abs(value - right) <= 0.005:
        return None
    return next((mistake for mistake, wrong in usual.items() if abs(value - wrong) <= 0.005), otherwise)
