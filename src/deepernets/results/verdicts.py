"""Measures of recorded runs that the chapter on the reports compares: Adam, the choice of an epoch, seeds."""

import math
from collections.abc import Sequence

from deepernets.recipes import get_recipe, list_recipes
from deepernets.results.comparison import PROFILES, Measured, measured
from deepernets.training.records import Record

LEARNED = 0.5  # of the loss of a guess


def adam_runs(found: Sequence[Record]) -> list[Record]:
    """Return the runs with Adam of the race and of report B, of any rate and length, the report's last."""
    return [
        record
        for record in sorted(found, key=lambda record: (record.recipe.name, record.recipe.learning_rate))
        if record.recipe.optimizer == "adam"
        and record.recipe.name.startswith(("race/", "report-b/"))
        and record.profile in PROFILES
        and record.requested_precision == "auto"
    ]


def has_learned(record: Record) -> bool:
    """Say whether a run ends at under half of the training loss of a guess, which is ln K for K classes."""
    return record.epochs[-1]["train_loss"] < LEARNED * math.log(len(record.data["classes"]))


def left_guess(record: Record) -> int | None:
    """Return the first epoch with a training loss under 99 % of that of a guess; None where there is none."""
    guess = math.log(len(record.data["classes"]))
    return next((epoch["epoch"] for epoch in record.epochs if epoch["train_loss"] < 0.99 * guess), None)


def best_epoch_gain(record: Record) -> float:
    """Return by how many points a run's best epoch lies above its last, on the images held out of training.

    It is what choosing the epoch on the images one reports adds to a result. NaN where none were held out.
    """
    held_out = [row["validation_accuracy"] for row in record.epochs if row["validation_accuracy"] is not None]
    return 100 * (max(held_out) - held_out[-1]) if held_out else float("nan")


def rate_dropped(record: Record) -> bool:
    """Say whether a run ended at a tenth of its highest learning rate or less, whatever its schedule is called."""
    rates = [epoch["learning_rate"] for epoch in record.epochs]
    return bool(rates[-1] <= 0.1 * max(rates))


def of_several_seeds(names: Sequence[str], found: Sequence[Record]) -> list[Measured]:
    """Return what was measured of those recipes that were run with two seeds or more, each profile on its own."""
    summed_up = [
        measured(name, [record for record in found if record.profile == profile])
        for name in names
        for profile in PROFILES
    ]
    return [group for group in summed_up if group is not None and group.sd is not None]


def train_and_test(group: Sequence[Record]) -> tuple[float, float]:
    """Return the mean training accuracy over the last epoch, and the mean test accuracy, in per cent."""
    last = [100 * run.epochs[-1]["train_accuracy"] for run in group]
    test = [100 * run.test["accuracy"] for run in group]
    return sum(last) / len(group), sum(test) / len(group)


def tried(found: Sequence[Record]) -> list[list[Record]]:
    """Return the runs between which the choices of our recipes were made: a list for each recipe with several.

    They are runs with seed 0 in the full profile, for as many epochs as the recipe has. The first is the recipe
    as it is, the others have changes.
    """
    by_name: dict[str, list[Record]] = {}
    for record in sorted(found, key=lambda record: len(record.changes)):
        name = record.recipe.name
        if name.startswith("report-") and name.endswith("/ours") and name in list_recipes():
            full = (record.profile, record.seed) == ("full", 0)
            if full and record.recipe.epochs == get_recipe(name).epochs:
                by_name.setdefault(name, []).append(record)
    groups = [by_name[name] for name in sorted(by_name)]
    return [runs for runs in groups if len(runs) > 1 and not runs[0].changes]
