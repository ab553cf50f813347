"""The learning-rate range test: raise the rate a little at every step, watch the loss (Smith 2017, 3.3)."""

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np
from torch import nn
from torch.optim import Optimizer

from deepernets.exceptions import UserError
from deepernets.training.loop import Batch, train_epoch


@dataclass(frozen=True)
class RangeTest:
    """What a range test saw.

    Attributes:
        rates: (steps,) learning rates, rising geometrically.
        losses: (steps,) mean training loss of each batch, in nats.
    """

    rates: np.ndarray
    losses: np.ndarray

    @property
    def smoothed(self) -> np.ndarray:
        """(steps,) exponential moving average of the losses, corrected for its start at zero."""
        average, smooth, keep = 0.0, [], 0.9
        for step, loss in enumerate(self.losses, start=1):
            average = keep * average + (1 - keep) * loss
            smooth.append(average / (1 - keep**step))
        return np.array(smooth)

    @property
    def suggestion(self) -> float:
        """A third of the rate at which the smoothed loss was lowest: well before it rises."""
        return float(self.rates[int(self.smoothed.argmin())] / 3)


def range_test(
    model: nn.Module,
    batches: Iterable[Batch],
    criterion: nn.Module,
    optimizer: Optimizer,
    rates: tuple[float, float] = (1e-5, 10.0),
    steps: int = 100,
) -> RangeTest:
    """Train for `steps` batches while the rate rises from `rates[0]` to `rates[1]`, then put everything back.

    It stops early once the loss is four times its lowest. The network and the optimizer leave as they came.

    Raises:
        UserError: the rates do not rise, or there are too few steps to see anything.
    """
    low, high = rates
    if not (0 < low < high and steps >= 10):
        raise UserError(
            f"A range test from {low:g} to {high:g} in {steps} steps shows nothing; "
            "give two rising rates above 0 and at least 10 steps."
        )
    before = deepcopy(model.state_dict()), deepcopy(optimizer.state_dict())
    tried: list[float] = []
    losses: list[float] = []
    try:
        for step, batch in enumerate(islice(cycle(batches), steps)):
            tried.append(low * (high / low) ** (step / (steps - 1)))
            losses.append(train_epoch(model, [batch], criterion, optimizer, tried[-1:]).loss)
            if not losses[-1] <= 4 * min(losses):
                break
    finally:
        model.load_state_dict(before[0])
        optimizer.load_state_dict(before[1])
    return RangeTest(np.array(tried), np.nan_to_num(losses, nan=max(losses), posinf=1e4))
