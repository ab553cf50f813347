"""Reported results and ours; only runs on equal terms are averaged."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, isnan, nan
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from deepernets.analysis.statistics import Interval, binomial_interval
from deepernets.papers.datasets import DATASETS
from deepernets.papers.reports import REPORTED, Reported
from deepernets.recipes import get_recipe, list_recipes
from deepernets.recipes.recipe import Recipe, unequal_terms
from deepernets.training.records import Record

if TYPE_CHECKING:
    from pandas import DataFrame

NOT_RUN = "not run"
PROFILES = ("laptop", "full")  # the better one last; the quick profile has other images
CUTS = ("epochs", "warm_up_epochs", "train_images")  # what a profile or a short run may change in a recipe
_KINDS = {"vgg": "VGG", "resnet": "ResNet", "plain": "plain"}
_STARTS = {"normal": "N(0, 0.01²)", "glorot": "Glorot", "he": "He"}  # initial weights


@dataclass(frozen=True)
class Measured:
    """Test accuracies of our runs of one recipe, all on equal terms.

    Attributes:
        recipe: Name of the recipe.
        accuracies: Test accuracy in per cent, one for each seed.
        seeds: The seeds, in the same order.
        epochs: Passes over the training images in each run.
        profile: laptop or full.
        variant: Source of the images, such as ``cifar10-jpeg``.
        train_images: Number of training images.
        test_images: Number of test images.
        whole: Whether the recipe was run completely, with all its epochs and images.
    """

    recipe: str
    accuracies: tuple[float, ...]
    seeds: tuple[int, ...]
    epochs: int
    profile: str
    variant: str
    train_images: int
    test_images: int
    whole: bool

    @property
    def mean(self) -> float:
        """Mean over the seeds, in per cent."""
        return fmean(self.accuracies)

    @property
    def sd(self) -> float | None:
        """Sample standard deviation over the seeds, in points; None for a single run."""
        return stdev(self.accuracies) if len(self.accuracies) > 1 else None

    @property
    def interval(self) -> Interval:
        """Wilson's 95 % interval of the mean, in per cent: sampling error of the test images, not of the seeds."""
        return interval(self.mean, self.test_images)

    @property
    def particulars(self) -> str:
        """How it was measured, such as ``1 seed, 3 epochs, full, mnist``."""
        seeds = f"{len(self.seeds)} seed{'s' * (len(self.seeds) > 1)}"
        epochs = f"{self.epochs} epoch{'s' * (self.epochs > 1)}"
        return f"{seeds}, {epochs}, {self.profile}, {self.variant}"

    def __str__(self) -> str:
        return f"{self.mean:.2f}" + (f" ± {self.sd:.2f}" if self.sd is not None else "")


@dataclass(frozen=True)
class Row:
    """One reported result and ours.

    Attributes:
        report: Its letter, A to C, or ``paper``.
        model: Network, such as ``VGG-16``.
        data: Data set, as `deepernets.load_dataset` names it.
        what: What distinguishes the recipe: ``rate 0.01``, ``scheduler``, ``Adam``, ``batch 32``, ``He``.
        reported: The result as printed.
        theirs: Our complete runs of the report's recipe, or None.
        ours: Our complete runs of our recipe for the same network and data, or None.
    """

    report: str
    model: str
    data: str
    what: str
    reported: Reported
    theirs: Measured | None
    ours: Measured | None

    @property
    def printed(self) -> str:
        """The reported accuracy in per cent with the report's digits, or its words."""
        accuracy = self.reported.test_accuracy
        figure = "" if isnan(accuracy) else f"{accuracy:g}" if self.report == "A" else f"{accuracy:.2f}"
        return f"{figure} {self.reported.words}".strip()

    @property
    def was_run(self) -> bool:
        """Whether the report's recipe or ours was run completely."""
        return self.theirs is not None or self.ours is not None

    @property
    def reported_interval(self) -> Interval:
        """Wilson's 95 % interval of the reported accuracy, in per cent; only if there is a figure."""
        return interval(self.reported.test_accuracy, DATASETS[self.data].test_images)


def interval(accuracy: float, images: int) -> Interval:
    """Return Wilson's 95 % interval of an accuracy in per cent on so many images.

    >>> low, high = interval(91.2, 3000)
    >>> f"{low:.1f} to {high:.1f}"
    '90.1 to 92.2'
    """
    low, high = binomial_interval(round(images * accuracy / 100), images)
    return Interval(100 * low, 100 * high)


def compare_reported(found: Sequence[Record], reported: Mapping[str, Reported] = REPORTED) -> list[Row]:
    """Return reported results together with our complete runs of their recipes and of ours.

    Runs with fewer epochs or images than their recipe are left out; `measured` includes them.

    Args:
        found: Records, such as `deepernets.load_records()`; those of other recipes are ignored.
        reported: The results, by recipe; `deepernets.papers.reports.ALL_RESULTS` also has those without a figure.

    Returns:
        One row per result, in the same order.

    >>> row = compare_reported([])[0]
    >>> row.report, row.model, row.data, row.what, row.reported.test_accuracy, row.theirs
    ('A', 'VGG-16', 'cifar3', 'rate 0.01', 91.2, None)
    """
    return [_row(name, result, found) for name, result in reported.items()]


def results_table(rows: Iterable[Row], cost: Callable[[str], str] | None = None) -> "DataFrame":
    """Return a table of reported results and ours, to print as text, Markdown or CSV.

    Args:
        rows: As `compare_reported` returns them.
        cost: Returns the cost of a recipe that was not run, as text; None to leave it out.

    Returns:
        One row each: report, model, data, recipe, reported (accuracy in per cent) and epochs (the report's); then,
        for our complete runs of their recipe and of ours, the accuracy and how it was measured, or ``not run`` and
        the cost. The papers' rows have no recipe of ours.

    >>> results_table(compare_reported([]))[["model", "reported", "their recipe"]].head(1).to_dict("records")
    [{'model': 'VGG-16', 'reported': '91.2', 'their recipe': 'not run'}]
    """
    from pandas import DataFrame

    def result_and_remark(name: str, group: Measured | None) -> tuple[str, str]:
        if group:
            return str(group), group.particulars
        if name not in list_recipes():
            return "", ""
        return NOT_RUN, cost(name) if cost else ""

    lines = []
    for row in rows:
        their_recipe, how_measured = result_and_remark(row.reported.recipe, row.theirs)
        our_recipe, how_ours_was = result_and_remark(ours(row.reported.recipe), row.ours)
        lines.append(
            {
                "report": row.report,
                "model": row.model,
                "data": row.data,
                "recipe": row.what,
                "reported": row.printed,
                "epochs": row.reported.epochs,
                "their recipe": their_recipe,
                "how measured": how_measured,
                "our recipe": our_recipe,
                "how ours was": how_ours_was,
            }
        )
    return DataFrame(lines)


def best_of_each_network(rows: Iterable[Row]) -> list[Row]:
    """Return, for each report, network and data, the row with the best reported accuracy."""
    best: dict[tuple[str, str, str], Row] = {}
    for row in rows:
        key = row.report, row.model, row.data
        if key not in best or row.reported.test_accuracy > best[key].reported.test_accuracy:
            best[key] = row
    return list(best.values())


def best_group(name: str, found: Iterable[Record]) -> list[Record]:
    """Return the best group of a recipe's runs on equal terms, one run per seed; empty if there is none.

    The full profile is preferred to laptop, then runs of as many epochs as the recipe has, then more seeds, then
    more epochs. Ignored are runs with other changes to the recipe, second runs of a seed, and runs whose precision
    was set explicitly.

    Args:
        name: Name of the recipe.
        found: Records of any recipes.
    """
    if name not in list_recipes():
        return []
    written = get_recipe(name)
    groups: dict[tuple[object, ...], dict[int, Record]] = {}
    for record in found:
        if _counts(record, written):
            groups.setdefault(_terms(record), {}).setdefault(record.seed, record)
    return max((list(runs.values()) for runs in groups.values()), key=partial(_rank, written), default=[])


def whole_run(name: str, found: Iterable[Record]) -> Record | None:
    """Return the first run of the `best_group` of a recipe if it is complete: all epochs and images, no changes."""
    group = best_group(name, found)
    return group[0] if group and _is_whole(group[0]) else None


def measured(name: str, found: Iterable[Record]) -> Measured | None:
    """Return the accuracies of the `best_group` of a recipe's runs; None if there is none."""
    group = best_group(name, found)
    if not group:
        return None
    one = group[0]
    return Measured(
        recipe=name,
        accuracies=tuple(100 * record.test["accuracy"] for record in group),
        seeds=tuple(record.seed for record in group),
        epochs=len(one.epochs),
        profile=one.profile,
        variant=one.data["variant"],
        train_images=one.data["train"],
        test_images=one.data["test"],
        whole=_is_whole(one),
    )


def ours(name: str) -> str:
    """Return the name of our recipe for the network and data of a report's recipe.

    >>> ours("report-a/vgg-16/as-reported")
    'report-a/vgg-16/ours'
    """
    return f"{name.rpartition('/')[0]}/ours"


def on_equal_terms(found: Sequence[Record]) -> list[Record]:
    """Return the records with the same data, profile, training images, epochs and precision.

    Of several such groups it is the one with the most recipes; of equals, the one trained for longest.

    Args:
        found: Records of any runs.

    Returns:
        The group, in the order of `found`; empty if there are no records.
    """
    groups: dict[tuple[str, str, int, int, str], list[Record]] = {}
    for record in found:
        data, epochs = record.data, len(record.epochs)
        terms = data["variant"], record.profile, data["train"], epochs, record.precision
        groups.setdefault(terms, []).append(record)

    def rank(terms: tuple[str, str, int, int, str]) -> tuple[object, ...]:
        _, _, images, epochs, _ = terms
        return len({record.recipe.name for record in groups[terms]}), images * epochs, terms

    return groups[max(groups, key=rank)] if groups else []


def tuning_runs(found: Sequence[Record]) -> list[list[Record]]:
    """Return the runs that the choices of our recipes are based on: one list per recipe with several.

    They have seed 0, the full profile, and as many epochs as the recipe. The first one is the recipe itself; the
    others have changes.
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


def best_epoch_gain(record: Record) -> float:
    """Return by how many points a run's best epoch exceeds its last, on held-out images; NaN without such images.

    This is what a result gains if the epoch is chosen on the images that are reported.
    """
    held_out = [accuracy for accuracy in record.by_epoch("validation_accuracy") if accuracy is not None]
    return 100 * (max(held_out) - held_out[-1]) if held_out else nan


def rate_dropped(record: Record) -> bool:
    """Return whether a run's last learning rate is at most a tenth of its highest."""
    rates = record.by_epoch("learning_rate")
    return bool(rates[-1] <= 0.1 * max(rates))


def wrong_images(record: Record) -> int:
    """Return how many test images a recorded run misclassified."""
    counts = record.test["confusion"]
    return sum(map(sum, counts)) - sum(row[label] for label, row in enumerate(counts))


def _row(name: str, reported: Reported, found: Sequence[Record]) -> Row:
    chosen = get_recipe(name)
    group, model, *_ = name.split("/")
    kind, depth, *option = model.removesuffix(f"-{chosen.data}").split("-")
    return Row(
        report=group.removeprefix("report-").upper() if group != "paper" else group,
        model=" ".join([f"{_KINDS[kind]}-{depth}", *map(str.upper, option)]),
        data=chosen.data,
        what=_what(chosen),
        reported=reported,
        theirs=_whole(name, found),
        ours=_whole(ours(name), found),
    )


def _whole(name: str, found: Iterable[Record]) -> Measured | None:
    group = measured(name, found)
    return group if group and group.whole else None


def _is_whole(record: Record) -> bool:
    return record.profile == "full" and record.recipe == get_recipe(record.recipe.name)


def _what(chosen: Recipe) -> str:
    """Return what distinguishes a recipe from the others for the same network."""
    if chosen.name.startswith("paper/vgg-13"):
        return chosen.name.rpartition("/")[2].replace("x", "×")
    if chosen.name.endswith("no-warm-up"):
        return f"{chosen.schedule}, no warm-up"
    if chosen.name.startswith("paper/vgg"):
        start = _STARTS[chosen.initialisation]
        return f"from A, else {start}" if chosen.start_from else start
    if "-batch-" in chosen.name:
        return f"batch {chosen.batch_size}"
    if chosen.schedule != "constant":
        return "scheduler" if chosen.name.startswith("report") else chosen.schedule
    if chosen.optimizer == "adam":
        return "Adam"
    momentum = f", momentum {chosen.momentum:g}" * chosen.name.startswith("report-c/")
    return f"rate {chosen.learning_rate:g}{momentum}"


def _counts(record: Record, written: Recipe) -> bool:
    return (
        record.recipe.name == written.name
        and record.requested_precision == "auto"
        and record.profile in PROFILES
        and record.data["name"] == written.data
        and not unequal_terms(record.recipe, written, compared=CUTS)
    )


def _terms(record: Record) -> tuple[object, ...]:
    sizes = tuple(record.data[split] for split in ("variant", "train", "validation", "test"))
    return record.recipe, record.profile, record.precision, len(record.epochs), sizes


def _rank(written: Recipe, group: Sequence[Record]) -> tuple[int, bool, int, int]:
    epochs = len(group[0].epochs)
    return PROFILES.index(group[0].profile), epochs == written.epochs, len(group), epochs


def largest_comparable_group(records: Iterable[Record]) -> list[Record]:
    """Return the runs that differ only in the network: the largest such group; of equal ones, the longest."""
    groups: dict[object, list[Record]] = {}
    for record in records:
        images = record.data["variant"], record.data["train"]
        terms = record.recipe.changed(name="any", model=""), images, record.profile, record.seed
        groups.setdefault(terms, []).append(record)
    return max(groups.values(), key=lambda group: (len(group), count_steps(group[0])), default=[])


def count_steps(record: Record) -> int:
    """Return how many steps a run took: epochs times batches, the last batch of an epoch included."""
    return len(record.epochs) * ceil(record.data["train"] / record.recipe.batch_size)
