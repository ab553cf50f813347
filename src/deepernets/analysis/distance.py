"""Why report B's ResNet-20 lies so far under its paper: the distance, and the recipes between its two ends.

As in `deepernets.analysis.verdicts`, sentences follow from the records there are.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from deepernets.analysis.reproduction import Row, best_group, rows
from deepernets.analysis.verdicts import train_and_test
from deepernets.published.resnet import CIFAR_10, CIFAR_ITERATIONS
from deepernets.training.recipe import recipe
from deepernets.training.records import Record

CIFAR_TRAIN_IMAGES = 50_000
LAST = 5  # epochs over which a run that does not rest moves up and down
MISSING = "The report's recipes for it are **not run yet**."
RESNET_20 = "report-b/resnet-20-cifar10"
WALK = {  # recipe: what it changes in the one before it
    "as-reported": "the report's recipe",
    "augmented": "+ crops and flips",
    "augmented-rate-0.1": "+ rate 0.1 in place of 0.01",
    "augmented-rate-0.1-falling": "+ one cycle, that ends at zero",
    "ours": "+ Nesterov and smoothed labels: ours",
}


def behind_its_paper(shown: Sequence[Row], depth: int) -> str:
    """Say how far report B's ResNets lie under the paper's on CIFAR-10, and what was run of it.

    Args:
        shown: Rows of report B.
        depth: 20 or 44.
    """
    of_depth = [row for row in shown if (row.model, row.data) == (f"ResNet-{depth}", "cifar10")]
    paper = 100 - CIFAR_10[depth].error
    accuracies = [row.reported.test_accuracy for row in of_depth]
    chosen = recipe(of_depth[0].reported.recipe)
    steps = chosen.epochs * -(-CIFAR_TRAIN_IMAGES // chosen.batch_size)
    said = (
        f"The paper's ResNet-{depth} reaches {paper:.2f} %; the report has {accuracies[0]:.2f} % at "
        f"{chosen.learning_rate:g}, {paper - accuracies[0]:.1f} points less, and {max(accuracies):.2f} % at best, "
        f"{paper - max(accuracies):.1f} points less. Its {chosen.epochs} epochs of batches of {chosen.batch_size} "
        f"are {steps:,} steps, {100 * steps / CIFAR_ITERATIONS:.0f} % of the paper's {CIFAR_ITERATIONS:,}. "
    )
    ran = [row.theirs for row in of_depth if row.theirs is not None]
    if not ran:
        return said + MISSING
    in_part = sum(not group.whole for group in ran)
    said += f"Of its recipes for this network, {len(ran)} of {len(of_depth)} were run here"
    return said + (f", {in_part} of them in part." if in_part else ".")


def parts_of_the_distance(found: Sequence[Record]) -> str:
    """Cut the distance from report B's ResNet-20 to its paper in three, where its recipe and ours were run in full.

    The first part is what the report's recipe, as far as it is stated, does not explain; the second is what other
    training for as many epochs is worth; the third is left to the paper's longer training, and to the images.
    """
    row = next(row for row in rows(found) if row.reported.recipe == f"{RESNET_20}/as-reported")
    if not (row.theirs and row.ours and row.theirs.whole and row.ours.whole):
        return "The report's recipe and ours have not both been run in full: the distance stays in one piece."
    paper = 100 - CIFAR_10[20].error
    ends = (row.reported.test_accuracy, row.theirs.mean, row.ours.mean, paper)
    stated, training, rest = (after - before for before, after in pairwise(ends))
    runs = best_group(row.reported.recipe, found)
    train, test = train_and_test(runs)
    return (
        f"Our runs cut the {paper - ends[0]:.1f} points in three. From the report's {row.printed} % to our run "
        f"of its recipe, {row.theirs} % ({row.theirs.particulars}), it is {_signed(stated)} points. "
        f"{_repeated(stated, runs[0])} From there to our recipe, {row.ours} % ({row.ours.particulars}), it is "
        f"{_signed(training)}, for the same network, images and epochs. And {_signed(rest)} are left between ours "
        f"and the paper's {paper:.2f} %, which took {recipe('paper/resnet-20').epochs} epochs and the original "
        "images.\n\n"
        f"With the report's recipe our run ends at {train:.1f} % on its training images and {test:.1f} % on the "
        f"test images, {train - test:.1f} points apart."
    )


def _repeated(points: float, run: Record) -> str:
    """Say whether our run of a recipe lies as far from the reported figure as from itself an epoch earlier."""
    low, high = last_epochs(run)
    said = (
        f"Over the last {LAST} epochs of that run its accuracy on held-out images moved between {low:.1f} and "
        f"{high:.1f} %, so that "
    )
    if abs(points) <= high - low:
        return said + "an epoch more or less is worth as much: the report's figure can be repeated."
    return (
        said + "no choice of an epoch explains them: the recipe, as far as it is stated, does not hold them."
    )


def last_epochs(run: Record) -> tuple[float, float]:
    """Return the lowest and the highest validation accuracy of a run's last `LAST` epochs, in per cent."""
    last = [100 * epoch["validation_accuracy"] for epoch in run.epochs[-LAST:]]
    return min(last), max(last)


def _signed(points: float) -> str:
    return f"{points:+.1f}".replace("-", "−")


def walk(found: Iterable[Record]) -> list[list[Record]]:
    """Return the runs of each of the recipes of `WALK`, all of them at full size and for the same number of epochs.

    Of several such numbers the largest is taken; the list is empty where there is none.
    """
    full = [record for record in found if record.profile == "full"]
    for epochs in sorted({len(record.epochs) for record in full}, reverse=True):
        alike = [record for record in full if len(record.epochs) == epochs]
        groups = [best_group(f"{RESNET_20}/{name}", alike) for name in WALK]
        if all(groups):
            return groups
    return []
