"""The effect of each part of a recipe: runs with it compared with runs without it, seed by seed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from deepernets.recipes import list_recipes
from deepernets.results.comparison import Measured, best_group, measured
from deepernets.training.records import Record

WITHOUT = "/without-"
RESNET_20 = "report-b/resnet-20-cifar10"
PATH = {  # recipe for report B's ResNet-20: its change to the previous one
    "without-augmentation": "the report's, without crops and flips",
    "as-reported": "+ crops and flips: the report's recipe",
    "ablation/rate-0.1": "+ rate 0.1 in place of 0.01",
    "ablation/rate-0.1-one-cycle": "+ one cycle, which ends at zero",
    "ablation/nesterov-label-smoothing": "+ Nesterov and smoothed labels",
}
LAST = 5  # epochs; a run at a constant learning rate fluctuates over them


@dataclass(frozen=True)
class PartEffect:
    """The effect of one part of a recipe.

    Attributes:
        part: Its name, such as ``whitening``.
        without: The runs without it, or None.
        gains: For each seed with both runs, the test accuracy with the part less that without it, in points.
    """

    part: str
    without: Measured | None
    gains: tuple[float, ...]

    @property
    def mean(self) -> float | None:
        """Mean gain over the seeds, in points; None without runs to compare."""
        return fmean(self.gains) if self.gains else None

    @property
    def sd(self) -> float | None:
        """Sample standard deviation of the gains, in points; None for fewer than two."""
        return stdev(self.gains) if len(self.gains) > 1 else None


def ablation_effects(whole: str, found: Sequence[Record]) -> list[PartEffect]:
    """Return the effects of all parts that some recipe leaves out, the largest first, those not run last.

    Runs with the same seed have the same initial weights, split and order, and differ only in the part.

    Args:
        whole: Name of a recipe; those without a part are called ``<whole>/without-<part>``.
        found: Records, such as `deepernets.load_records()`.

    >>> [effect.part for effect in ablation_effects("cifar10/dash", [])][:2]
    ['whitening', 'identity']
    """
    prefix = whole + WITHOUT
    by_seed = _accuracies(whole, found)
    effects = []
    for name in list_recipes():
        if name.startswith(prefix):
            without = _accuracies(name, found)
            gains = tuple(by_seed[seed] - without[seed] for seed in sorted(by_seed.keys() & without))
            effects.append(PartEffect(name.removeprefix(prefix), measured(name, found), gains))
    return sorted(effects, key=lambda effect: -effect.mean if effect.mean is not None else float("inf"))


def _accuracies(name: str, found: Sequence[Record]) -> dict[int, float]:
    """Return the test accuracy of a recipe's runs, in per cent, by seed."""
    return {record.seed: 100 * record.test["accuracy"] for record in best_group(name, found)}


def path_runs(found: Iterable[Record]) -> list[list[Record]]:
    """Return the runs of each recipe of `PATH`, all in the full profile and for the same number of epochs.

    It is the largest number of epochs for which each recipe has a run; without one the list is empty.
    """
    full = [record for record in found if record.profile == "full"]
    for epochs in sorted({len(record.epochs) for record in full}, reverse=True):
        alike = [record for record in full if len(record.epochs) == epochs]
        groups = [best_group(f"{RESNET_20}/{name}", alike) for name in PATH]
        if all(groups):
            return groups
    return []


def last_epochs(run: Record) -> tuple[float, float]:
    """Return the lowest and the highest validation accuracy of a run's last `LAST` epochs, in per cent."""
    last = [100 * accuracy for accuracy in run.by_epoch("validation_accuracy")[-LAST:]]
    return min(last), max(last)
