"""Loss and accuracy while a network is trained; confusion matrix and most confident mistakes afterwards."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from deepernets.training import distributed


class Meter:
    """Running loss and accuracy, kept on the device, since reading them makes the CPU wait for a GPU.

    Attributes:
        images: Number of images so far.
        sums: Sums of the losses and of the correct answers so far, (2,), float32, on the device.
    """

    def __init__(self) -> None:
        self.images = 0
        self.sums = torch.zeros(2)

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Count one batch: its mean `loss`, its `logits` (N, K) and its `labels` (N,)."""
        if self.images == 0:
            self.sums = torch.zeros(2, device=loss.device)  # made there, since a copy would be waited for
        self.images += len(labels)
        correct = (logits.detach().argmax(dim=1) == labels).sum()
        self.sums = self.sums + torch.stack([loss.detach().float() * len(labels), correct.float()])

    def sum_over_processes(self) -> None:
        """Add what the other processes of the run have counted."""
        if distributed.num_processes() > 1:
            counts = torch.cat([self.sums, self.sums.new_tensor([self.images])]).double()
            *sums, images = distributed.sum_over_processes(counts)
            self.sums, self.images = torch.stack(sums), int(images)

    @property
    def loss(self) -> float:
        """Mean loss per image, in nats."""
        return float(self.sums[0]) / max(self.images, 1)

    @property
    def accuracy(self) -> float:
        """Share of the images whose largest logit was that of their class."""
        return float(self.sums[1]) / max(self.images, 1)


def confusion_matrix(predicted: Tensor, labels: Tensor, classes: int) -> np.ndarray:
    """Count how often images of each class were classified as each class.

    Args:
        predicted: (N,) class indices.
        labels: (N,) class indices.
        classes: Number of classes K.

    Returns:
        (K, K) integers; the row is the true class, the column the predicted one.

    >>> confusion_matrix(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]), classes=2)
    array([[1, 1],
           [0, 1]])
    """
    pairs = labels.numpy() * classes + predicted.numpy()  # scikit-learn's own takes seconds to import
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def confident_mistakes(logits: Tensor, labels: Tensor, most: int = 24) -> list[dict[str, Any]]:
    """Return the wrong answers, the most confident first.

    Args:
        logits: (N, K), float.
        labels: (N,) class indices.
        most: Largest number of mistakes to return.

    Returns:
        One dictionary each: index (into the N), label, predicted, confidence (softmax probability of the
        predicted class).

    >>> logits = torch.tensor([[4.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
    >>> [mistake["index"] for mistake in confident_mistakes(logits, torch.tensor([0, 0, 0]))]
    [2, 1]
    """
    confidence, predicted = logits.softmax(dim=1).max(dim=1)  # (N,), (N,)
    wrong = (predicted != labels).nonzero().flatten()
    in_order = wrong[confidence[wrong].argsort(descending=True, stable=True)][:most]
    return [
        {
            "index": index,
            "label": int(labels[index]),
            "predicted": int(predicted[index]),
            "confidence": round(float(confidence[index]), 4),
        }
        for index in in_order.tolist()
    ]


def summarise(loss: float, logits: Tensor, labels: Tensor, classes: int) -> dict[str, Any]:
    """Return what a record states about the test: loss, accuracy, confusion matrix, most confident mistakes.

    Args:
        loss: Mean loss per image.
        logits: (N, K), float.
        labels: (N,) class indices.
        classes: Number of classes K.
    """
    predicted = logits.argmax(dim=1)  # (N,)
    return {
        "loss": loss,
        "accuracy": (predicted == labels).float().mean().item(),
        "confusion": confusion_matrix(predicted, labels, classes).tolist(),
        "mistakes": confident_mistakes(logits, labels),
    }


def recall_per_class(confusion: np.ndarray) -> np.ndarray:
    """Return the recall of each class: (K,), NaN for a class without images.

    >>> recall_per_class(np.array([[3, 1], [0, 4]]))
    array([0.75, 1.  ])
    """
    images = confusion.sum(axis=1)
    return np.divide(confusion.diagonal(), images, out=np.full(len(images), np.nan), where=images > 0)
