"""Exercises of lab 3, second part: where the network goes wrong."""

from typing import Any

import torch
from torch import Tensor

from deepernets.course.exercises.judging import JudgedExercise as Exercise
from deepernets.course.exercises.numbers import draws

CLASSES = 3


def _answers(seed: int) -> tuple[Tensor, Tensor]:
    """Return made-up logits (30, 3) and labels (30,): about half are right, and no row is symmetric."""
    generator = draws(seed, 7)
    logits = 2 * torch.randn(30, CLASSES, generator=generator) * torch.rand(30, 1, generator=generator)
    logits += 5 * torch.randn(30, 1, generator=generator)  # softmax does not see this, and raw logits do
    return logits, torch.randint(CLASSES, (30,), generator=generator)


def _as_tensor(value: Any) -> Tensor | None:
    try:
        return torch.as_tensor(value).double()
    except (TypeError, ValueError, RuntimeError):
        return None


def judge_confusion(answer: Any, seed: int) -> str | None:
    """Counts of (true, predicted) pairs, one row per true class."""
    if not callable(answer):
        return "no function"
    logits, labels = _answers(seed)
    predicted = logits.argmax(dim=1)
    right = torch.bincount(labels * CLASSES + predicted, minlength=CLASSES**2).view(CLASSES, CLASSES).double()
    matrix = _as_tensor(answer(predicted, labels, CLASSES))
    if matrix is None or matrix.shape != right.shape:
        return "shape"
    usual = {
        "transposed": right.T,
        "shares": right / right.sum(dim=1, keepdim=True),
        "mistakes only": right - right.diag().diag(),
        "hits only": right.diag().diag(),
        "once": (right > 0).double(),
    }
    if torch.equal(matrix, right):
        return None
    return next((mistake for mistake, wrong in usual.items() if torch.allclose(matrix, wrong)), "other")


CONFUSION = Exercise(
    "confusion",
    judge_confusion,
    {
        "no function": "A function is wanted: confusion(predicted, labels, classes).",
        "shape": "A square table is wanted: one row and one column per class.",
        "transposed": "Rows and columns are exchanged: a row belongs to a true class, a column to a prediction.",
        "shares": "Those are shares of each row; counts are wanted, so that small classes show as small.",
        "mistakes only": "The diagonal is empty: right answers are counted too.",
        "hits only": "Only the diagonal is filled: the mistakes are what the table is for.",
        "once": "Each pair is counted once at most. With repeated indices, `table[i, j] += 1` adds only one; "
        "add in a loop, or use index_put_ with accumulate=True.",
        "other": "The counts are off. Each image adds one to the cell in row label, column predicted.",
    },
)


def judge_confident_mistakes(answer: Any, seed: int) -> str | None:
    """The positions of the wrong answers, by falling softmax probability of what was predicted."""
    if not callable(answer):
        return "no function"
    logits, labels = _answers(seed)
    chosen = _as_tensor(answer(logits, labels, 5))
    if chosen is None or chosen.shape != (5,):
        return "shape"
    confidence, predicted = logits.softmax(dim=1).max(dim=1)
    wrong = (predicted != labels).nonzero().flatten()
    of_truth = logits.softmax(dim=1).gather(1, labels[:, None]).flatten()

    def surest(score: Tensor, among: Tensor) -> Tensor:
        return among[score[among].argsort(descending=True)][:5]

    usual = {
        "ascending": surest(-confidence, wrong),
        "right ones": surest(confidence, torch.arange(len(labels))),
        "only right ones": surest(confidence, (predicted == labels).nonzero().flatten()),
        "logits": surest(logits.max(dim=1).values, wrong),
        "positions": confidence[wrong].argsort(descending=True)[:5],
        "probability of the truth": surest(of_truth, wrong),
        "not sorted": wrong[:5],
    }
    if torch.equal(chosen, surest(confidence, wrong).double()):
        return None
    return next((mistake for mistake, other in usual.items() if torch.equal(chosen, other.double())), "other")


CONFIDENT_MISTAKES = Exercise(
    "confident_mistakes",
    judge_confident_mistakes,
    {
        "no function": "A function is wanted: confident_mistakes(logits, labels, most).",
        "shape": "A tensor of `most` positions is wanted, one per mistake.",
        "ascending": "Those are the least confident mistakes; sort the other way, descending=True.",
        "right ones": "Right answers are among them: keep only those where predicted != labels.",
        "only right ones": "Those are the right answers: the comparison is the wrong way round.",
        "logits": "Logits of different images cannot be compared: confidence is a softmax probability.",
        "positions": "Those positions count within the mistakes; the positions among all images are wanted: "
        "index the positions of the mistakes with the sorted order.",
        "probability of the truth": "That is the probability of the true class; take the predicted one's.",
        "not sorted": "Those are the first mistakes, in order of position; the most confident ones are wanted.",
        "other": "Softmax over dim=1, its maximum is the confidence; keep the wrong ones, then sort descending.",
    },
)
