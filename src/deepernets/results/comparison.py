"""The reports' results beside ours; nothing is averaged that was not run on equal terms."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import isnan
from statistics import fmean, stdev

from deepernets.analysis.statistics import Interval, binomial_interval
from deepernets.papers.datasets import DATASETS
from deepernets.papers.reports import REPORTED, Reported
from deepernets.recipes import get_recipe, list_recipes
from deepernets.recipes.recipe import Recipe, unequal_terms
from deepernets.training.records import Record

NOT_RUN = "not run"
PROFILES = ("laptop", "full")  # the better one last; quick runs are on other images
CUTS = ("epochs", "warm_up_epochs", "train_images")  # what a profile, or a short run, may change in a recipe
_KINDS = {"vgg": "VGG", "resnet": "ResNet", "plain": "plain"}
_STARTS = {"normal": "N(0, 0.01²)", "glorot": "Glorot", "he": "He"}  # initial weights


@dataclass(frozen=True)
class Measured:
    """What our runs of one recipe reached, all of them on equal terms.

    Attributes:
        recipe: Name of the recipe.
        accuracies: Test accuracy in per cent, one for each seed.
        seeds: The seeds, in the same order.
        epochs: Passes over the training images in each run.
        profile: laptop or full.
        variant: Where the images come from, such as ``cifar10-jpeg``.
        train_images: Images trained on.
        test_images: Images tested on.
        whole: Whether the recipe was run as it is written: no epoch and no image less.
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
        """Sample standard deviation over the seeds, in points; None of a single run."""
        return stdev(self.accuracies) if len(self.accuracies) > 1 else None

    @property
    def interval(self) -> Interval:
        """Wilson's 95 % interval for the mean on so many test images, in per cent; seeds are not in it."""
        return interval(self.mean, self.test_images)

    @property
    def particulars(self) -> str:
        """How it was measured, in words: ``1 seed, 3 epochs, full, mnist``."""
        seeds = f"{len(self.seeds)} seed{'s' * (len(self.seeds) > 1)}"
        epochs = f"{self.epochs} epoch{'s' * (self.epochs > 1)}"
        return f"{seeds}, {epochs}, {self.profile}, {self.variant}"

    def __str__(self) -> str:
        return f"{self.mean:.2f}" + (f" ± {self.sd:.2f}" if self.sd is not None else "")


@dataclass(frozen=True)
class Row:
    """One reported result beside ours.

    Attributes:
        report: Its letter, A to C, or ``paper``.
        model: Network, such as ``VGG-16``.
        data: Data set, as `deepernets.load_dataset` names it.
        what: Which of its recipes: ``rate 0.01``, ``scheduler``, ``Adam``, ``batch 32``, ``He``.
        reported: The result as printed.
        theirs: Our whole runs of the report's recipe; None where there is none.
        ours: Our whole runs of our recipe for the same network and data; None where there is none.
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
        """The reported accuracy in per cent, with the digits that the report prints, or its words."""
        accuracy = self.reported.test_accuracy
        figure = "" if isnan(accuracy) else f"{accuracy:g}" if self.report == "A" else f"{accuracy:.2f}"
        return f"{figure} {self.reported.words}".strip()

    @property
    def was_run(self) -> bool:
        """Whether the report's recipe or ours was run whole."""
        return self.theirs is not None or self.ours is not None

    @property
    def reported_interval(self) -> Interval:
        """Wilson's 95 % interval around the reported accuracy, in per cent; only where there is a figure."""
        return interval(self.reported.test_accuracy, DATASETS[self.data].test_images)


def interval(accuracy: float, images: int) -> Interval:
    """Return Wilson's 95 % interval of an accuracy in per cent, counted on so many images.

    >>> low, high = interval(91.2, 3000)
    >>> f"{low:.1f} to {high:.1f}"
    '90.1 to 92.2'
    """
    low, high = binomial_interval(round(images * accuracy / 100), images)
    return Interval(100 * low, 100 * high)


def rows(found: Sequence[Record], of: Mapping[str, Reported] = REPORTED) -> list[Row]:
    """Return reported results next to our whole runs of their recipes, and of ours.

    A run with fewer epochs or images than its recipe has counts as none; `measured` finds it.

    Args:
        found: All records that there are, such as `deepernets.load_records()`; those of other recipes are left out.
        of: The results, by their recipe's name; `deepernets.papers.reports.WANTED` are all, figure or not.

    Returns:
        One row for each result, in that order.

    >>> row = rows([])[0]
    >>> row.report, row.model, row.data, row.what, row.reported.test_accuracy, row.theirs
    ('A', 'VGG-16', 'cifar3', 'rate 0.01', 91.2, None)
    """
    return [_row(name, reported, found) for name, reported in of.items()]


def best_group(name: str, found: Iterable[Record]) -> list[Record]:
    """Return the best of a recipe's groups of runs on equal terms, a run per seed; empty where there is none.

    The full profile goes before laptop, runs of as many epochs as the recipe has before shorter ones, then more
    seeds before fewer, more epochs before fewer. A run in which anything else of the recipe was changed does
    not count, nor does a second run of the same seed, nor one whose precision was asked for by hand.

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


def measured(name: str, found: Iterable[Record]) -> Measured | None:
    """Sum up the `best_group` of a recipe's runs; None where there is none."""
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
        whole=one.profile == "full" and one.recipe == get_recipe(name),
    )


def ours(name: str) -> str:
    """Return the name of our recipe for the same network and data as a report's.

    >>> ours("report-a/vgg-16/as-reported")
    'report-a/vgg-16/ours'
    """
    return f"{name.rpartition('/')[0]}/ours"


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


def _what(chosen: Recipe) -> str:
    """Name a recipe by what sets it apart from those beside it."""
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
