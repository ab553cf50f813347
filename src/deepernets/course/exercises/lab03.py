"""Exercises of lab 3: train VGG-16 on CIFAR-3.

Each judge runs the answer on small random inputs and, where the result is off, compares it with what the usual
mistakes give on the same inputs.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deepernets.course.exercises.judging import JudgedExercise as Exercise
from deepernets.course.exercises.lab03_errors import CONFIDENT_MISTAKES, CONFUSION
from deepernets.course.exercises.numbers import close, draws, nearest, number

CLASSES = 3
STEPS = 3


def judge_first_loss(answer: Any, seed: int) -> str | None:
    """The cross-entropy of a network that finds three classes equally likely: ln 3."""
    try:
        value = float(answer)
    except (TypeError, ValueError):
        return "no number"
    usual = {"base 2": math.log2(3), "base 10": math.log10(3), "probability": 1 / 3, "sign": -math.log(3)}
    usual["ten classes"] = math.log(10)
    return nearest(value, math.log(3), usual, otherwise="other")


FIRST_LOSS = Exercise(
    "first_loss",
    judge_first_loss,
    {
        "no number": "A number is wanted: the mean cross-entropy per image, in nats.",
        "base 2": "That is the loss in bits; PyTorch's cross-entropy uses the natural logarithm.",
        "base 10": "That is the logarithm to base 10; PyTorch's cross-entropy uses the natural one.",
        "probability": "That is the probability of the right class; the loss is its negative logarithm.",
        "sign": "The logarithm of a probability is negative; the loss is its negative, so it is positive.",
        "ten classes": "That is the loss for ten classes; CIFAR-3 has three.",
        "other": "Which probability does an untrained network give to each of three classes? Take -ln of it.",
    },
)


def _linear_model(seed: int) -> nn.Module:
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, CLASSES))
    generator = draws(seed, 3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return model


def _step(
    model: nn.Module, images: Tensor, labels: Tensor, criterion: nn.Module, optimizer: torch.optim.Optimizer
) -> float:
    """The right answer, in the order that most people write it."""
    loss = criterion(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def _without_zero_grad(model: Any, images: Any, labels: Any, criterion: Any, optimizer: Any) -> None:
    criterion(model(images), labels).backward()
    optimizer.step()


def _with_softmax(model: Any, images: Any, labels: Any, criterion: Any, optimizer: Any) -> float:
    return _step(lambda x: model(x).softmax(dim=1), images, labels, criterion, optimizer)  # type: ignore[arg-type]


def _step_before_backward(model: Any, images: Any, labels: Any, criterion: Any, optimizer: Any) -> None:
    loss = criterion(model(images), labels)
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()


def _weights_after(step: Callable[..., Any], seed: int) -> tuple[Tensor, list[Any]]:
    """Return the weights after a few steps on fixed data, and what each step returned."""
    model = _linear_model(seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    generator = draws(seed, 4)
    returned = []
    for _ in range(STEPS):
        images = torch.randn(8, 3, 2, 2, generator=generator)
        labels = torch.randint(CLASSES, (8,), generator=generator)
        returned.append(step(model, images, labels, nn.CrossEntropyLoss(), optimizer))
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()]), returned


def judge_train_step(answer: Any, seed: int) -> str | None:
    """Three steps on a linear model must leave the weights that forward, loss, backward, step leave."""
    if not callable(answer):
        return "no function"
    weights, returned = _weights_after(answer, seed)
    right, losses = _weights_after(_step, seed)
    start = torch.cat([parameter.detach().flatten() for parameter in _linear_model(seed).parameters()])
    if torch.allclose(weights, right, atol=1e-6):
        return _about(returned, losses)
    if torch.allclose(weights, start):
        return "no step"
    usual = {
        "no zero_grad": _without_zero_grad,
        "softmax": _with_softmax,
        "step before backward": _step_before_backward,
    }
    for mistake, step in usual.items():
        if torch.allclose(weights, _weights_after(step, seed)[0], atol=1e-6):
            return mistake
    return "other"


def _about(returned: list[Any], losses: list[Any]) -> str | None:
    try:
        numbers = [number(loss) for loss in returned]
    except (TypeError, ValueError, RuntimeError):
        return "returns no loss"
    if not all(map(close, numbers, losses)):
        return "returns no loss"
    return "keeps the graph" if any(getattr(loss, "requires_grad", False) for loss in returned) else None


TRAIN_STEP = Exercise(
    "train_step",
    judge_train_step,
    {
        "no function": "A function is wanted: train_step(model, images, labels, criterion, optimizer).",
        "returns no loss": "The weights are right; now return the loss of the batch, as a number.",
        "keeps the graph": "All is right, but the tensor you return keeps its graph in memory: loss.item().",
        "no step": "The weights did not change: compute gradients with loss.backward(), then optimizer.step(); "
        "clearing the gradients in between would undo the work.",
        "no zero_grad": "The first step is right and the later ones are not: gradients of earlier batches are "
        "still there. Which call clears them?",
        "softmax": "nn.CrossEntropyLoss takes logits and applies the softmax itself; yours is applied twice.",
        "step before backward": "The step is taken with the gradients of the batch before: call backward first.",
        "other": "The weights differ from those that forward, loss, zero_grad, backward, step give. "
        "Is each called exactly once per batch?",
    },
)


class _Watched(nn.Module):
    """A network whose answers betray the mode it is in, and that notes whether a graph was recorded."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        linear = nn.Linear(12, CLASSES)
        self.body = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(12), linear)
        generator = draws(seed, 5)
        with torch.no_grad():
            linear.weight.copy_(torch.randn(CLASSES, 12, generator=generator))
            linear.bias.copy_(torch.tensor([0.5, 0.0, -0.5]))
        self.recorded = False

    def forward(self, images: Tensor) -> Tensor:
        self.recorded |= torch.is_grad_enabled()
        return self.body(images)


def _uneven_batches(seed: int) -> list[tuple[Tensor, Tensor]]:
    generator = draws(seed, 6)
    sizes = (8, 8, 3)
    return [
        (
            torch.randn(size, 3, 2, 2, generator=generator) * 2 + 1,
            torch.randint(CLASSES, (size,), generator=generator),
        )
        for size in sizes
    ]


def _expected(reduce: str, seed: int) -> tuple[float, float]:
    """Return loss and accuracy over the uneven batches; `reduce` says how, rightly or not."""
    model = _Watched(seed)
    model.train(reduce == "train mode")
    with torch.no_grad():
        outputs = [(model(images), labels) for images, labels in _uneven_batches(seed)]
    if reduce == "softmax":
        outputs = [(logits.softmax(dim=1), labels) for logits, labels in outputs]
    losses = [F.cross_entropy(logits, labels).item() for logits, labels in outputs]
    hits = [(logits.argmax(dim=1) == labels).float().mean().item() for logits, labels in outputs]
    sizes = [1] * len(outputs) if reduce == "batch mean" else [len(labels) for _, labels in outputs]
    total = sum(sizes)

    def mean(values: list[float]) -> float:
        return sum(value * size for value, size in zip(values, sizes, strict=True)) / total

    return mean(losses), mean(hits)


def judge_evaluate(answer: Any, seed: int) -> str | None:
    """Loss and accuracy over uneven batches, in evaluation mode, without a graph."""
    if not callable(answer):
        return "no function"
    model = _Watched(seed)
    result = answer(model, _uneven_batches(seed))
    try:
        loss, accuracy = (number(value) for value in result)
    except (TypeError, ValueError):
        return "not two numbers"
    right_loss, right_accuracy = _expected("", seed)
    if close(loss, right_loss) and close(accuracy, right_accuracy):
        return "records gradients" if model.recorded else None
    if close(loss, right_accuracy) and close(accuracy, right_loss):
        return "swapped"
    if close(accuracy, 100 * right_accuracy):
        return "percent"
    if close(accuracy, sum(len(labels) for _, labels in _uneven_batches(seed)) * right_accuracy):
        return "count"
    for mistake in ("train mode", "softmax", "batch mean"):
        if close(loss, _expected(mistake, seed)[0]):
            return mistake
    return "accuracy" if close(loss, right_loss) else "other"


EVALUATE = Exercise(
    "evaluate",
    judge_evaluate,
    {
        "no function": "A function is wanted: evaluate(model, batches).",
        "not two numbers": "Return two numbers: the mean loss per image and the share classified rightly.",
        "records gradients": "The figures are right, but gradients are recorded for nothing: torch.no_grad().",
        "swapped": "Both figures are right, in the other order: loss first, then accuracy.",
        "percent": "Accuracy is a share between 0 and 1 here; percent are for showing.",
        "count": "That is the number of right answers; divide it by the number of images.",
        "train mode": "Batch normalisation still uses the batch's own statistics: which mode is the model in?",
        "softmax": "F.cross_entropy takes logits and applies the softmax itself; yours is applied twice.",
        "batch mean": "The last batch is smaller, yet it counts as much as the others: weight by images.",
        "accuracy": "The loss is right; the accuracy is not. The class is the largest logit of each row, dim=1.",
        "other": "Neither figure is right yet. Sum loss x images and right answers over all batches, "
        "then divide by the number of images.",
    },
)


EXERCISES = (FIRST_LOSS, TRAIN_STEP, EVALUATE, CONFUSION, CONFIDENT_MISTAKES)
