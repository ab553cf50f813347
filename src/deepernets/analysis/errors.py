"""Where a classifier goes wrong: its confusions and the mistakes it is surest of."""

from typing import Any

import numpy as np
from torch import Tensor


def confusion_matrix(predicted: Tensor, labels: Tensor, classes: int) -> np.ndarray:
    """Count how often each class was taken for each other.

    Args:
        predicted: (N,) class indices.
        labels: (N,) class indices.
        classes: Number of classes K.

    Returns:
        (K, K) integers; the row is the true class, the column the predicted one.

    >>> import torch
    >>> confusion_matrix(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]), classes=2)
    array([[1, 1],
           [0, 1]])
    """
    from sklearn import metrics

    return metrics.confusion_matrix(labels.numpy(), predicted.numpy(), labels=range(classes))


def confident_mistakes(logits: Tensor, labels: Tensor, most: int = 24) -> list[dict[str, Any]]:
    """List the wrong answers, the most confident first.

    Args:
        logits: (N, K), float.
        labels: (N,) class indices.
        most: How many to list at most.

    Returns:
        One dictionary each: index (into the N), label, predicted, confidence (softmax probability of the
        predicted class).

    >>> import torch
    >>> logits = torch.tensor([[4.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
    >>> [mistake["index"] for mistake in confident_mistakes(logits, torch.tensor([0, 0, 0]))]
    [2, 1]
    """
    confidence, predicted = logits.softmax(dim=1).max(dim=1)  # (N,), (N,)
    wrong = (predicted != labels).nonzero().flatten()
    surest = wrong[confidence[wrong].argsort(descending=True, stable=True)][:most]
    return [
        {
            "index": index,
            "label": int(labels[index]),
            "predicted": int(predicted[index]),
            "confidence": round(float(confidence[index]), 4),
        }
        for index in surest.tolist()
    ]


def recall_per_class(confusion: np.ndarray) -> np.ndarray:
    """Return, for each true class, the share of its images that were recognised: (K,), NaN where it has none.

    >>> recall_per_class(np.array([[3, 1], [0, 4]]))
    array([0.75, 1.  ])
    """
    images = confusion.sum(axis=1)
    return np.divide(confusion.diagonal(), images, out=np.full(len(images), np.nan), where=images > 0)
