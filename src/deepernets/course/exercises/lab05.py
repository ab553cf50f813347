"""Exercises of lab 5: terms that are equal, and the spread over seeds; `lab05_chance` has the rest."""

from collections.abc import Sequence
from itertools import islice
from math import isclose
from statistics import fmean, median, pstdev, stdev
from typing import Any

import torch

from deepernets.course.exercises.judging import JudgedExercise as Exercise
from deepernets.course.exercises.lab05_chance import BINOMIAL_INTERVAL, MCNEMAR
from deepernets.course.exercises.numbers import close, draws, number
from deepernets.recipes.recipe import Recipe, unequal_terms

# Of one 32×32 image and three classes: VGG-16 and ResNet-50 as in report A.
MULTIPLY_ADDS = (313_198_080, 1_222_318_080)
PARAMETERS = (14_724_675, 23_506_499)
EPOCHS = 20  # what the report gave VGG-16


def judge_equal_cost_epochs(answer: Any, seed: int) -> str | None:
    """The whole epochs of ResNet-50 that cost no more than VGG-16's twenty; nothing is drawn from the seed."""
    try:
        epochs = number(answer)
    except (TypeError, ValueError, RuntimeError):
        return "no number"
    exact = EPOCHS * MULTIPLY_ADDS[0] / MULTIPLY_ADDS[1]
    by_parameters = EPOCHS * PARAMETERS[0] / PARAMETERS[1]
    mistakes: dict[str, list[float]] = {
        "not whole": [exact],
        "too many": [exact // 1 + 1],
        "the report": [15],
        "as many": [EPOCHS],
        "upside down": _roundings(EPOCHS**2 / exact),
        "parameters": _roundings(by_parameters) + _roundings(EPOCHS**2 / by_parameters),
        "three": [*_roundings(exact / 3), exact * 3],
    }
    if isclose(epochs, exact // 1, abs_tol=1e-6):
        return None
    near = (name for name, wrong in mistakes.items() if any(abs(epochs - value) <= 0.005 for value in wrong))
    return next(near, "other")


def _roundings(value: float) -> list[float]:
    return [value, value // 1, value // 1 + 1]


EQUAL_COST_EPOCHS = Exercise(
    "equal_cost_epochs",
    judge_equal_cost_epochs,
    {
        "no number": "A number is wanted: how many epochs?",
        "not whole": "The ratio is right; an epoch that is not finished does not count. Which whole number is it?",
        "too many": "Rounded up, the last epoch would go over the budget.",
        "the report": "That is what the report gave it. What did these epochs cost, beside VGG-16's 20?",
        "as many": "Does an epoch of ResNet-50 cost as much as one of VGG-16?",
        "upside down": "The ratio is upside down: the network that costs more per image gets fewer epochs.",
        "parameters": "Those are equal in parameters; how often is each of them used on one image?",
        "three": "The factor of three is the same for both networks: what becomes of it in the ratio?",
        "other": "Equate epochs x images x 3 x multiply-adds of the two networks, and solve for the epochs.",
    },
)

ORDINARY = Recipe("one", data="cifar3", model="vgg-16-bn-cifar", pad=4, flip=True)
CHANGES: dict[str, Any] = {
    "epochs": 15,
    "batch_size": 64,
    "learning_rate": 0.1,
    "momentum": 0.5,
    "nesterov": True,
    "weight_decay": 0.0,
    "schedule": "cosine",
    "label_smoothing": 0.1,
    "pad": 0,
    "flip": False,
    "train_images": 5_000,
}


def _pairs(seed: int) -> list[tuple[Recipe, Recipe]]:
    """Return pairs of recipes: different in some terms, in none, and in one that is zero in either."""
    drawn = torch.randperm(len(CHANGES), generator=draws(seed, 51)).tolist()[:4]
    some = {list(CHANGES)[position]: list(CHANGES.values())[position] for position in drawn}
    other = ORDINARY.changed(name="other", model="resnet-50-cifar")
    smooth = other.changed(label_smoothing=0.1)
    return [(ORDINARY, other.changed(**some)), (ORDINARY, other), (ORDINARY, smooth), (smooth, ORDINARY)]


def judge_unequal_terms(answer: Any, seed: int) -> str | None:
    """The fields in which two recipes differ, name and model left out, in any order."""
    if not callable(answer):
        return "no function"
    for one, other in _pairs(seed):
        right = set(unequal_terms(one, other))
        names = _names(answer(one, other))
        if names is None:
            return "no names"
        if names != right:
            return _mistaken_terms(names, right, set(one.__dataclass_fields__))
    return None


def _names(value: Any) -> set[str] | None:
    """Return what an answer lists as a set of plain strings, None if it lists anything else."""
    if isinstance(value, str):
        return None
    try:
        names = list(islice(value, 100))  # what never ends is no list
    except TypeError:
        return None
    return {str.__str__(name) for name in names} if all(isinstance(name, str) for name in names) else None


def _mistaken_terms(names: set[str], right: set[str], fields: set[str]) -> str:
    compared = {"name", "model"}
    if not names <= fields:
        return "no field"
    if names - compared == right:
        return "compared"
    if names - compared == fields - right - compared:
        return "equal ones"
    if names < right:
        return "only one" if len(names) == 1 else "missing"
    return "other"


UNEQUAL_TERMS = Exercise(
    "unequal_terms",
    judge_unequal_terms,
    {
        "no function": "A function is wanted: unequal_terms(one, other).",
        "no names": "A list of names is wanted, such as ['epochs', 'pad']; an empty list where nothing differs.",
        "no field": "Something in your list is no field of a recipe: names are wanted, not values.",
        "compared": "Name and model are what you mean to compare: leave both of them out.",
        "equal ones": "Those are the fields that agree; is the comparison the wrong way round?",
        "only one": "There are more: does a `return` inside the loop end it at the first difference?",
        "missing": "Some differences are not seen. Compare with !=, as 0, 0.0 and False are values like any other.",
        "other": "Go through all fields of `asdict(one)`; keep those whose values differ in the two recipes.",
    },
)


def _accuracies(seed: int) -> list[list[float]]:
    """Return test accuracies of three and of six runs, shuffled, and skewed so that mean and median differ."""
    generator = draws(seed, 52)
    lists = []
    for runs in (3, 6):
        skewed = 0.7 + 0.25 * torch.linspace(0, 1, runs, dtype=torch.double) ** 2
        noisy = skewed + 0.03 * torch.rand(runs, generator=generator, dtype=torch.double)
        lists.append(noisy[torch.randperm(runs, generator=generator)].tolist())
    return lists


def judge_mean_and_sd(answer: Any, seed: int) -> str | None:
    """The mean and the standard deviation over runs, with n - 1."""
    if not callable(answer):
        return "no function"
    for runs in _accuracies(seed):
        try:
            mean, sd = (number(value) for value in answer(list(runs)))
        except (TypeError, ValueError, RuntimeError):
            return "not two numbers"
        mistake = _mistaken_spread(mean, sd, runs)
        if mistake:
            return mistake
    return None


def _mistaken_spread(mean: float, sd: float, runs: Sequence[float]) -> str | None:
    right_mean, right_sd = fmean(runs), stdev(runs)
    if close(mean, right_mean) and close(sd, right_sd):
        return None
    if close(mean, right_sd) and close(sd, right_mean):
        return "swapped"
    if close(mean, 100 * right_mean):
        return "percent"
    if close(mean, median(runs)):
        return "median"
    if not close(mean, right_mean):
        return "mean"
    usual = {
        "population": pstdev(runs),
        "variance": right_sd**2,
        "population variance": pstdev(runs) ** 2,
        "standard error": right_sd / len(runs) ** 0.5,
        "range": max(runs) - min(runs),
    }
    return next((mistake for mistake, wrong in usual.items() if close(sd, wrong)), "other")


MEAN_AND_SD = Exercise(
    "mean_and_sd",
    judge_mean_and_sd,
    {
        "no function": "A function is wanted: mean_and_sd(accuracies).",
        "not two numbers": "Return two numbers: the mean, and the standard deviation.",
        "swapped": "Both are right, in the other order: the mean first.",
        "percent": "The accuracies are shares between 0 and 1: leave them so.",
        "median": "That is the median, not the mean.",
        "mean": "The mean is off: add all runs up, and divide by how many there are.",
        "population": "You divide by n, as if these few runs were all there could be, and their own mean the true "
        "one. Which divisor makes up for that, and what does numpy call it?",
        "variance": "That is the variance, in squared shares; what brings it back to shares?",
        "population variance": "That is a variance, and divided by n: two things are left to do.",
        "standard error": "That says how well the mean is known; how far single runs lie apart is wanted.",
        "range": "That is the range: it only grows with more runs.",
        "other": "The mean is right. For the spread: squared distances from it, their sum over n - 1, the root.",
    },
)


EXERCISES = (EQUAL_COST_EPOCHS, UNEQUAL_TERMS, MEAN_AND_SD, BINOMIAL_INTERVAL, MCNEMAR)
