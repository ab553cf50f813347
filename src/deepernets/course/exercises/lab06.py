"""Exercises of lab 6: MNIST four ways. Those about numbers stand here, the others in `lab06_…`."""

from typing import Any

import torch

from deepernets.analysis import baselines
from deepernets.course.exercises.judging import JudgedExercise as Exercise
from deepernets.course.exercises.lab06_features import STANDARDISE_PIXELS
from deepernets.course.exercises.lab06_images import PAD_TO_32
from deepernets.course.exercises.lab06_means import RIGHT_IN_LAST_EPOCH
from deepernets.course.exercises.lab06_pairs import CONFUSED_PAIRS
from deepernets.course.exercises.numbers import close, draws, nearest, number


def judge_images_apart(answer: Any, seed: int) -> str | None:
    """99.65 % against 99.37 % of 10,000 images are 28 images."""
    try:
        value = number(answer)
    except (TypeError, ValueError, RuntimeError):
        return "no number"
    usual = {"percentage points": 0.28, "share": 0.0028, "thousand": 2.8, "hundredfold": 280.0, "sign": -28.0}
    usual |= {"wrong of one": 35.0, "wrong of other": 63.0, "right of one": 9965.0, "right of other": 9937.0}
    mistake = nearest(value, 28.0, usual, otherwise="other")
    if mistake is not None and mistake.split()[0] in ("wrong", "right"):
        return mistake.split()[0]
    return mistake


IMAGES_APART = Exercise(
    "images_apart",
    judge_images_apart,
    {
        "no number": "A number is wanted: a count of test images.",
        "percentage points": "That is the difference in percentage points; how many of the test images is it?",
        "share": "That is the difference as a share; of how many test images?",
        "thousand": "That would be the count of 1,000 test images; MNIST has more.",
        "hundredfold": "Too many by a factor of ten: one per cent of the test images are how many?",
        "sign": "A count of images is wanted, without a sign.",
        "wrong": "That many images one of the two gets wrong; how many more does the other?",
        "right": "That many images one of the two gets right; by how many do they differ?",
        "other": "How many images does each of the two get wrong? The answer is the difference of the two counts.",
    },
)


def _pairs_of_accuracies(seed: int) -> list[tuple[float, float]]:
    """Return accuracies before and after, as shares; in the last pair the second is the worse one."""
    generator = draws(seed, 61)
    errors = 0.002 + 0.03 * torch.rand(3, 2, generator=generator, dtype=torch.double)
    errors[:2, 0] += errors[:2, 1]
    errors[2, 1] += errors[2, 0]
    return [(1 - before, 1 - after) for before, after in errors.tolist()]


def judge_relative_error_reduction(answer: Any, seed: int) -> str | None:
    """The share of the mistakes that is gone, negative where there are more than before."""
    if not callable(answer):
        return "no function"
    pairs = _pairs_of_accuracies(seed)
    try:
        values = [number(answer(before, after)) for before, after in pairs]
    except (TypeError, ValueError, RuntimeError):
        return "no number"
    right = [baselines.relative_error_reduction(before, after) for before, after in pairs]
    usual = {
        "percent": [100 * value for value in right],
        "sign": [-value for value in right],
        "always positive": [abs(value) for value in right],
        "never negative": [max(0.0, value) for value in right],
        "absolute": [after - before for before, after in pairs],
        "of the accuracy": [(after - before) / before for before, after in pairs],
        "of the new errors": [(after - before) / (1 - after) for before, after in pairs],
        "what is left": [(1 - after) / (1 - before) for before, after in pairs],
        "percent in": [(after - before) / (100 - before) for before, after in pairs],
    }
    if all(map(close, values, right)):
        return None
    return next((mistake for mistake, wrong in usual.items() if all(map(close, values, wrong))), "other")


RELATIVE_ERROR_REDUCTION = Exercise(
    "relative_error_reduction",
    judge_relative_error_reduction,
    {
        "no function": "A function is wanted: relative_error_reduction(before, after).",
        "no number": "Return one number: the share of the mistakes that is gone.",
        "percent": "A share is wanted, with 1 for all mistakes gone; percent are for showing.",
        "sign": "The sign is the other way round: fewer mistakes than before count as positive.",
        "always positive": "Right where the second network is better; where it is worse, there is no reduction.",
        "never negative": "Where the second network is worse, say so with a negative number instead of 0.",
        "absolute": "That is the absolute difference; how large is it beside the mistakes there were before?",
        "of the accuracy": "You compare with the right answers; the mistakes before are what can be reduced.",
        "of the new errors": "You divide by the mistakes there are after; compare with those there were before.",
        "what is left": "That share of the mistakes is left; which share is gone?",
        "percent in": "The accuracies come as shares between 0 and 1, not in percent: what is the error rate then?",
        "other": "Turn both accuracies into error rates first. By which share of the first is the second smaller?",
    },
)


def judge_linear_parameters(answer: Any, seed: int) -> str | None:
    """One weight for each pixel and class, and one bias for each class: 7,850."""
    try:
        value = number(answer)
    except (TypeError, ValueError, RuntimeError):
        return "no number"
    usual = {
        "no biases": 7840.0,
        "one bias": 7841.0,
        "a bias per pixel": 7840.0 + 784,
        "one class": 785.0,
        "32": 10250.0,
        "32 and no biases": 10240.0,
        "sum": 794.0,
        "pixels": 784.0,
    }
    mistake = nearest(value, 7850.0, usual, otherwise="other")
    return {"32 and no biases": "32", "pixels": "one class"}.get(mistake or "", mistake)


LINEAR_PARAMETERS = Exercise(
    "linear_parameters",
    judge_linear_parameters,
    {
        "no number": "A number is wanted: how many parameters the model learns.",
        "no biases": "All weights are there; what does each class add to its sum, whatever the image?",
        "one bias": "One bias for all classes would change no decision: how many does the model have?",
        "a bias per pixel": "Biases belong to what comes out, not to what goes in: one to each class.",
        "one class": "That is for one class only: every class has weights of its own.",
        "32": "That would be for images of 32×32; the linear model has no pools and takes 28×28.",
        "sum": "Pixels and classes are added there; every class weighs every pixel.",
        "other": "Each of ten classes has a weight for each pixel of 28×28, and one more number: how many in all?",
    },
)

EXERCISES = (
    IMAGES_APART,
    RELATIVE_ERROR_REDUCTION,
    PAD_TO_32,
    LINEAR_PARAMETERS,
    STANDARDISE_PIXELS,
    CONFUSED_PAIRS,
    RIGHT_IN_LAST_EPOCH,
)
