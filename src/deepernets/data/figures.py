"""Where the figures of the drawn pictures are: a truth that photographs come without."""

import numpy as np
import torch
from torch import Tensor

from deepernets.data.sketches import FIGURES, _picture


def figure_masks(count: int, seed: int) -> Tensor:
    """Return which pixels of `deepernets.data.sketches.draw` belong to a figure.

    Every picture is drawn a second time without its figure, with the same random numbers; where the two differ,
    the figure is. Pixels on its edge that it covers in part are counted in. (A detail of exactly the colour of
    what is behind it would be missed.)

    Args:
        count: How many pictures.
        seed: The seed that they were drawn with.

    Returns:
        (N, H, W), bool.

    >>> figure_masks(3, seed=0).shape
    torch.Size([3, 32, 32])
    """
    rng = np.random.default_rng(seed)
    figures = list(FIGURES.values())
    masks = []
    for number in range(count):
        parts = figures[number % len(figures)](rng)
        state = rng.bit_generator.state
        background = _picture([], rng)  # draws as many random numbers as with a figure
        rng.bit_generator.state = state
        masks.append((_picture(parts, rng) != background).any(axis=2))
    return torch.from_numpy(np.stack(masks))
