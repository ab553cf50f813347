"""The learning-rate range test: raise the learning rate in every step and record the loss (Smith 2017, 3.3)."""

from copy import deepcopy
from dataclasses import dataclass
from itertools import chain, count

import numpy as np
from torch import nn
from torch.optim import Optimizer

from deepernets.data.batches import Batches
from deepernets.errors import UserError
from deepernets.training.loop import set_learning_rate, train_step


@dataclass(frozen=True)
class RangeTest:
    """The losses of a range test.

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
        """A third of the learning rate at which the smoothed loss was lowest, where it still falls."""
        return float(self.rates[int(self.smoothed.argmin())] / 3)


def range_test(
    model: nn.Module,
    batches: Batches,
    criterion: nn.Module,
    optimizer: Optimizer,
    rates: tuple[float, float] = (1e-5, 10.0),
    steps: int = 100,
) -> RangeTest:
    """Train for `steps` batches while the learning rate rises from `rates[0]` to `rates[1]`.

    The test ends early when the loss is four times its lowest value. The network and the optimizer are restored.

    Args:
        model: The network.
        batches: Training batches; after an epoch of them follows the next.
        criterion: From logits and labels to a scalar loss.
        optimizer: Over the network's parameters.
        rates: First and last learning rate.
        steps: Number of steps.

    Raises:
        UserError: the learning rates do not rise, or there are too few steps.
    """
    low, high = rates
    if not (0 < low < high and steps >= 10):
        raise UserError(
            f"A range test from {low:g} to {high:g} in {steps} steps shows nothing; "
            "give two rising rates above 0 and at least 10 steps."
        )
    weights, state = deepcopy(model.state_dict()), deepcopy(optimizer.state_dict())
    was_training = model.training
    learning_rates = np.geomspace(low, high, steps)
    losses: list[float] = []
    model.train()
    try:
        endless = chain.from_iterable(map(batches.epoch, count(1)))
        for rate, (images, labels) in zip(learning_rates, endless, strict=False):
            set_learning_rate(optimizer, float(rate))
            loss, _ = train_step(model, images, labels, criterion, optimizer)
            losses.append(loss.item())
            if not losses[-1] <= 4 * min(losses):
                break
    finally:
        model.load_state_dict(weights)
        optimizer.load_state_dict(state)
        model.train(was_training)
    return RangeTest(learning_rates[: len(losses)], np.nan_to_num(losses, nan=max(losses), posinf=1e4))
