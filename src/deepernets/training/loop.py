"""The training loop: a step, an epoch, evaluation, and the loop over epochs.

Nothing here depends on device or precision: `deepernets.training.preparation` passes the network and its optimizer
to Accelerate, which wraps their `forward` and `step`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from deepernets.data.batches import Batches
from deepernets.data.images import torch_seed
from deepernets.errors import UserError
from deepernets.training import distributed
from deepernets.training.metrics import Meter
from deepernets.training.schedules import Schedule, constant, reduce_on_plateau

Batch = tuple[Tensor, Tensor]  # images (N, C, H, W), labels (N,)
Step = Callable[[nn.Module, Tensor, Tensor, nn.Module, Optimizer], tuple[Tensor, Tensor]]


def train_step(
    model: nn.Module, images: Tensor, labels: Tensor, criterion: nn.Module, optimizer: Optimizer
) -> tuple[Tensor, Tensor]:
    """Take one step of the optimizer on a batch: images (N, C, H, W) and labels (N,).

    Returns:
        The loss, a scalar, and the logits (N, K), of the weights before the step.
    """
    logits = model(images)  # (N, K)
    loss = criterion(logits, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss, logits


def train_epoch(  # noqa: PLR0913, the parts of a training loop
    model: nn.Module,
    batches: Iterable[Batch],
    criterion: nn.Module,
    optimizer: Optimizer,
    learning_rates: Iterable[float],
    after_step: Callable[[Meter], Any] = lambda meter: None,
    step: Step = train_step,
) -> Meter:
    """Take one optimizer step per batch, and return the loss and accuracy on these batches.

    Both are measured while the weights change and with augmented images. An epoch's training loss is thus a
    mean over the epoch, and not the loss of the network at its end.

    Args:
        model: The network; it is left in training mode.
        batches: Images (N, C, H, W) and labels (N,).
        criterion: From logits (N, K) and labels (N,) to a scalar loss.
        optimizer: Its gradients are zeroed before each backward pass.
        learning_rates: One for each step, or `itertools.repeat(rate)`.
        after_step: Called with the meter after each step.
        step: Takes a step; see `train_step`.
    """
    model.train()
    meter = Meter()
    for (images, labels), learning_rate in zip(batches, learning_rates, strict=False):  # (N, C, H, W), (N,)
        set_learning_rate(optimizer, learning_rate)
        loss, logits = step(model, images, labels, criterion, optimizer)
        meter.add(loss, logits, labels)
        after_step(meter)
    return meter


def set_learning_rate(optimizer: Optimizer, learning_rate: float) -> None:
    """Give every parameter group of the optimizer the same learning rate."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):  # a captured step reads it on the GPU
            group["lr"].fill_(learning_rate)
        else:
            group["lr"] = learning_rate


@dataclass(frozen=True)
class Evaluation:
    """A network's outputs for a set of images, with loss and accuracy.

    Attributes:
        loss: Mean cross-entropy per image, in nats, without label smoothing.
        accuracy: Share of images classified correctly.
        logits: (N, K), float32, on the CPU.
        labels: (N,), on the CPU.
    """

    loss: float
    accuracy: float
    logits: Tensor
    labels: Tensor


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode, and back into the mode in which it was."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


@torch.no_grad()
def evaluate(model: nn.Module, batches: Iterable[Batch]) -> Evaluation:
    """Evaluate a network on `batches`, in evaluation mode and without gradients; it is left as it was."""
    with evaluation_mode(model):
        outputs = [(model(images), labels) for images, labels in batches]
    logits = distributed.gather_rows(torch.cat([logits for logits, _ in outputs]).float()).cpu()  # (N, K)
    labels = distributed.gather_rows(torch.cat([labels for _, labels in outputs])).cpu()  # (N,)
    loss = nn.functional.cross_entropy(logits, labels).item()
    accuracy = (logits.argmax(dim=1) == labels).float().mean().item()
    return Evaluation(loss, accuracy, logits, labels)


@contextmanager
def evaluation_weights(optimizer: Optimizer) -> Iterator[None]:
    """Put the weights into the network with which it is evaluated; only Lookahead trains with others."""
    try:
        if hasattr(optimizer, "eval"):
            optimizer.eval()
        yield
    finally:
        if hasattr(optimizer, "train"):
            optimizer.train()


@dataclass
class Training:
    """The parts of a training; those that change during it are in its checkpoints.

    Attributes:
        model: The network.
        criterion: From logits (N, K) and labels (N,) to a scalar loss.
        optimizer: Over the parameters of the network.
        learning_rate: Learning rate, by which the schedule's factor is multiplied.
        schedule: Factor of the learning rate as a function of the share of training done.
        on_plateau: Divide the learning rate by ten when the validation error has stopped improving.
        step: Takes a step; see `train_step`.
        started: When the first step was taken, in UTC, as ISO 8601; empty before that.
        history: One dictionary per finished epoch: epoch, learning_rate (of its first step), train_loss,
            train_accuracy, validation_loss, validation_accuracy (None without a validation split), seconds (of
            training), validation_seconds.
        identity: What the run is, for its checkpoints; see `deepernets.training.preparation.identify`.
    """

    model: nn.Module
    criterion: nn.Module
    optimizer: Optimizer
    learning_rate: float
    schedule: Schedule = constant
    on_plateau: bool = False
    step: Step = train_step
    started: str = ""
    history: list[dict[str, Any]] = field(default_factory=list)
    identity: dict[str, Any] = field(default_factory=dict)

    def learning_rates(self, epoch: int, epochs: int, steps: int) -> list[float]:
        """Return the learning rate of each of the `steps` of an epoch, the first of which has number 1."""
        rate = self.learning_rate
        if self.on_plateau:
            rate *= reduce_on_plateau([1 - past["validation_accuracy"] for past in self.history])
        first = (epoch - 1) * steps
        return [rate * self.schedule(step / (epochs * steps)) for step in range(first, first + steps)]


def fit(
    training: Training,
    train: Batches,
    validation: Batches | None,
    epochs: int,
    seed: int = 0,
    callbacks: Sequence["Callback"] = (),
) -> None:
    """Train until `epochs` epochs are in the history, continuing after those that are there.

    All randomness of an epoch (order, augmentation, dropout) depends on `seed` and the number of the epoch
    alone. A run that was interrupted between two epochs thus continues exactly as it would have.

    Args:
        training: Changed in place; its history gets an entry per epoch.
        train: Training batches.
        validation: Batches on which the network is evaluated after each epoch; None for no validation.
        epochs: Number of epochs in the end.
        seed: Seed of the run.
        callbacks: Called after each step and each epoch, in this order.

    Raises:
        UserError: the loss is not a finite number.
    """

    def after_step(meter: Meter) -> None:
        for callback in callbacks:
            callback.after_step(meter)

    training.started = training.started or datetime.now(UTC).isoformat(timespec="seconds")
    for epoch in range(len(training.history) + 1, epochs + 1):
        torch.manual_seed(torch_seed(seed * 10_007 + epoch))
        rates = training.learning_rates(epoch, epochs, len(train))
        start = perf_counter()
        meter = train_epoch(
            training.model,
            train.epoch(epoch),
            training.criterion,
            training.optimizer,
            rates,
            after_step,
            training.step,
        )
        meter.sum_over_processes()
        trained = perf_counter()
        if not meter.loss < float("inf"):
            raise UserError(
                f"The training loss became {meter.loss} in epoch {epoch}: the network has diverged; "
                f"try a lower --learning-rate than {rates[0]:g}, or a warm-up."
            )
        held_out = _evaluate_held_out(training, validation, epoch)
        figures = {
            "learning_rate": rates[0],
            "train_loss": meter.loss,
            "train_accuracy": meter.accuracy,
            "validation_loss": held_out.loss if held_out else None,
            "validation_accuracy": held_out.accuracy if held_out else None,
            "seconds": trained - start,
            "validation_seconds": perf_counter() - trained if held_out else 0.0,
        }
        training.history.append({"epoch": epoch} | {name: _rounded(value) for name, value in figures.items()})
        for callback in callbacks:
            callback.after_epoch(training)


def _evaluate_held_out(training: Training, validation: Batches | None, epoch: int) -> Evaluation | None:
    if validation is None:
        return None
    with evaluation_weights(training.optimizer):
        return evaluate(distributed.unwrap_for_evaluation(training.model), validation.epoch(epoch))


def _rounded(value: float | None) -> float | None:
    """Return a figure with six significant digits."""
    return value if value is None else float(f"{value:.6g}")


class Callback:
    """Called during a training, as to show a progress bar or write checkpoints; this one does nothing."""

    def after_step(self, meter: Meter) -> None:
        """Called after each optimizer step."""

    def after_epoch(self, training: Training) -> None:
        """Called after each epoch, once its figures are in the history."""
