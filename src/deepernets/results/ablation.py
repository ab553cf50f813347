"""What each part of a recipe is worth: runs of the whole against runs without the part, seed by seed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from deepernets.recipes import list_recipes
from deepernets.results.comparison import Measured, best_group, measured
from deepernets.training.records import Record

WITHOUT = "/without-"
RESNET_20 = "report-b/resnet-20-cifar10"
PATH = {  # recipe for report B's ResNet-20: what it changes in the one before it
    "without-augmentation": "the report's, without crops and flips",
    "as-reported": "+ crops and flips: the report's recipe",
    "ablation/rate-0.1": "+ rate 0.1 in place of 0.01",
    "ablation/rate-0.1-one-cycle": "+ one cycle, which ends at zero",
    "ablation/nesterov-label-smoothing": "+ Nesterov and smoothed labels",
}
LAST = 5  # epochs over which a run at a constant rate moves up and down


@dataclass(frozen=True)
class Worth:
    """A part of a recipe, and what its absence costs.

    Attributes:
        part: Its name, such as ``whitening``.
        without: The runs that lack it; None where there are none.
        gains: For each seed that was run both ways, the test accuracy of the whole less that without the part, in
            points.
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
        """Sample standard deviation of the gains, in points; None of fewer than two."""
        return stdev(self.gains) if len(self.gains) > 1 else None


def parts(whole: str, found: Sequence[Record]) -> list[Worth]:
    """Return every part that some recipe leaves out of `whole`, the most valuable first, what was not run last.

    Runs of one seed share first weights, split and order, so that what is taken from each other differs in the part
    alone.

    Args:
        whole: Name of a recipe; those without a part are called ``<whole>/without-<part>``.
        found: All records that there are, such as `deepernets.load_records()`.

    >>> [worth.part for worth in parts("cifar10/dash", [])][:2]
    ['whitening', 'identity']
    """
    prefix = whole + WITHOUT
    by_seed = _accuracies(whole, found)
    worths = []
    for name in list_recipes():
        if name.startswith(prefix):
            lacking = _accuracies(name, found)
            gains = tuple(by_seed[seed] - lacking[seed] for seed in sorted(by_seed.keys() & lacking))
            worths.append(Worth(name.removeprefix(prefix), measured(name, found), gains))
    return sorted(worths, key=lambda worth: -worth.mean if worth.mean is not None else float("inf"))


def _accuracies(name: str, found: Sequence[Record]) -> dict[int, float]:
    """Return the test accuracy of a recipe's runs, in per cent, by seed."""
    return {record.seed: 100 * record.test["accuracy"] for record in best_group(name, found)}


def path_runs(found: Iterable[Record]) -> list[list[Record]]:
    """Return the runs of each recipe of `PATH`, all of them in the full profile and for the same number of epochs.

    Of several such numbers the largest is taken; the list is empty where there is none.
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
    last = [100 * epoch["validation_accuracy"] for epoch in run.epochs[-LAST:]]
    return min(last), max(last)
