"""The training loop: one epoch of it, evaluation, and the loop over epochs.

Nothing here knows about devices, precisions or processes. `deepernets.training.preparation` hands the network
and its optimizer to Accelerate, which wraps their `forward` and `step`; the loop stays the one on the
blackboard.
"""

from collections.abc import Callable, Iterable, Iterator
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
from deepernets.training.schedules import Schedule, constant, reduce_on_plateau

Batch = tuple[Tensor, Tensor]  # images (N, C, H, W), labels (N,)


class Meter:
    """Running loss and accuracy, kept on the device: reading them is what makes the processor wait for a GPU.

    Attributes:
        images: Images seen so far.
    """

    def __init__(self) -> None:
        self.images = 0
        self._loss: Tensor | float = 0.0
        self._correct: Tensor | float = 0.0

    def sum_over_processes(self) -> None:
        """Count what the other processes of the run have met as well."""
        if distributed.count() > 1:
            counts = [
                torch.as_tensor(float(self.images)),
                torch.as_tensor(self._loss),
                torch.as_tensor(self._correct),
            ]
            device = counts[1].device
            images, self._loss, self._correct = distributed.total(
                torch.stack([count.double().to(device) for count in counts])
            )
            self.images = int(images)

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Count one batch: its mean `loss`, its `logits` (N, K) and its `labels` (N,)."""
        self.images += len(labels)
        self._loss += loss.detach() * len(labels)
        self._correct += (logits.detach().argmax(dim=1) == labels).sum()

    def sums(self) -> Tensor:
        """Return the sums of losses and of right answers so far, (2,), on the device, without waiting for it."""
        device = self._loss.device if isinstance(self._loss, Tensor) else torch.device("cpu")
        loss, correct = (torch.as_tensor(number, device=device) for number in (self._loss, self._correct))
        return torch.stack([loss.float(), correct.float()])

    @property
    def loss(self) -> float:
        """Mean loss per image, in nats."""
        return float(self._loss) / max(self.images, 1)

    @property
    def accuracy(self) -> float:
        """Share of the images whose largest logit was the right one."""
        return float(self._correct) / max(self.images, 1)


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


def train_epoch(  # noqa: PLR0913, since a loop has so many parts
    model: nn.Module,
    batches: Iterable[Batch],
    criterion: nn.Module,
    optimizer: Optimizer,
    learning_rates: Iterable[float],
    after_step: Callable[[Meter], Any] = lambda meter: None,
    step: Step = train_step,
) -> Meter:
    """Take one optimizer step per batch and return the loss and accuracy met on the way.

    These are measured while the weights change and while images are augmented: an epoch's training loss is a
    mean over the epoch, not the loss of the network that comes out of it.

    Args:
        model: The network; it is left in training mode.
        batches: Images (N, C, H, W) and labels (N,).
        criterion: From logits (N, K) and labels (N,) to a scalar loss.
        optimizer: Its gradients are zeroed before each backward pass.
        learning_rates: One for each step, or `itertools.repeat(rate)`.
        after_step: Called with the meter after each step.
        step: What takes the steps, where it is not `train_step` itself.
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
        if isinstance(group["lr"], Tensor):  # where a captured step reads it
            group["lr"].fill_(learning_rate)
        else:
            group["lr"] = learning_rate


@dataclass(frozen=True)
class Evaluation:
    """What a network said about a set of images.

    Attributes:
        loss: Mean cross-entropy per image, in nats, without label smoothing.
        accuracy: Share of images classified rightly.
        logits: (N, K), float32, on the CPU.
        labels: (N,), on the CPU.
    """

    loss: float
    accuracy: float
    logits: Tensor
    labels: Tensor


@torch.no_grad()
def evaluate(model: nn.Module, batches: Iterable[Batch]) -> Evaluation:
    """Run the network over `batches` in evaluation mode, without changing it."""
    was_training = model.training
    model.eval()
    outputs = [(model(images), labels) for images, labels in batches]
    model.train(was_training)
    logits = distributed.gathered(torch.cat([logits for logits, _ in outputs]).float()).cpu()  # (N, K)
    labels = distributed.gathered(torch.cat([labels for _, labels in outputs])).cpu()  # (N,)
    loss = nn.functional.cross_entropy(logits, labels).item()
    accuracy = (logits.argmax(dim=1) == labels).float().mean().item()
    return Evaluation(loss, accuracy, logits, labels)


@contextmanager
def evaluation_weights(optimizer: Optimizer) -> Iterator[None]:
    """Let the network have the weights it is to be evaluated with; only Lookahead trains with others.

    Its training weights are restored whatever happens meanwhile.
    """
    try:
        if hasattr(optimizer, "eval"):
            optimizer.eval()
        yield
    finally:
        if hasattr(optimizer, "train"):
            optimizer.train()


@dataclass
class Training:
    """All that a training consists of; what changes during it is in a checkpoint.

    Attributes:
        learning_rate: What the schedule's factor is multiplied by.
        schedule: Factor of the learning rate as a function of the share of training done.
        on_plateau: Divide the learning rate by ten when the validation error has stopped improving.
        step: What takes the steps.
        started: When the first step was taken, in UTC, as ISO 8601; empty before that.
        history: One dictionary per finished epoch: epoch, learning_rate (of its first step), train_loss,
            train_accuracy, validation_loss, validation_accuracy (None without a validation split), seconds (of
            training), validation_seconds.
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
    watcher: "Watcher | None" = None,
) -> None:
    """Train until `epochs` epochs are in the history, going on from those that are there.

    Every epoch draws its randomness (order, augmentation, dropout) from `seed` and its own number, so that a
    run that was cut off between two epochs goes on exactly as it would have.

    Raises:
        UserError: the loss is no longer a number.
    """
    watcher = watcher or Watcher()
    training.started = training.started or datetime.now(UTC).isoformat(timespec="seconds")
    for epoch in range(len(training.history) + 1, epochs + 1):
        torch.manual_seed(torch_seed(seed * 10_007 + epoch))
        rates = training.learning_rates(epoch, epochs, len(train))
        start = perf_counter()
        met = train_epoch(
            training.model,
            train.epoch(epoch),
            training.criterion,
            training.optimizer,
            rates,
            watcher.after_step,
            training.step,
        )
        met.sum_over_processes()
        trained = perf_counter()
        if not met.loss < float("inf"):
            raise UserError(
                f"The training loss became {met.loss} in epoch {epoch}: the network has diverged; "
                f"try a lower --learning-rate than {rates[0]:g}, or a warm-up."
            )
        held_out = _evaluate_held_out(training, validation, epoch)
        figures = {
            "learning_rate": rates[0],
            "train_loss": met.loss,
            "train_accuracy": met.accuracy,
            "validation_loss": held_out.loss if held_out else None,
            "validation_accuracy": held_out.accuracy if held_out else None,
            "seconds": trained - start,
            "validation_seconds": perf_counter() - trained if held_out else 0.0,
        }
        training.history.append({"epoch": epoch} | {name: _rounded(value) for name, value in figures.items()})
        watcher.after_epoch(training)


def _evaluate_held_out(training: Training, validation: Batches | None, epoch: int) -> Evaluation | None:
    if validation is None:
        return None
    with evaluation_weights(training.optimizer):
        return evaluate(distributed.unwrap_for_evaluation(training.model), validation.epoch(epoch))


def _rounded(value: float | None) -> float | None:
    """Return a figure with six significant digits."""
    return value if value is None else float(f"{value:.6g}")


class Watcher:
    """Whoever wants to know how a run is going: a bar, a checkpoint writer. This one does nothing."""

    def after_step(self, meter: Meter) -> None:
        """Called after each optimizer step."""

    def after_epoch(self, training: Training) -> None:
        """Called after each epoch, once its figures are in the history."""
