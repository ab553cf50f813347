"""What the records settle of the reports' open questions, in sentences that follow from the records there are.

Each function takes the records and returns a paragraph in Markdown; where a run is missing, it says so. So a page
that shows them stays true when a run is added.
"""

import math
from collections.abc import Sequence

from deepernets.analysis.reproduction import PROFILES, Measured, Row, best_group, measured
from deepernets.published.reports import REPORT_B_WORDS
from deepernets.training.recipe import recipe
from deepernets.training.records import Record

LEARNS = 0.5  # of a guess's loss


def placed(row: Row) -> str:
    """Say where our runs lie beside a reported result.

    >>> from deepernets.analysis.reproduction import rows
    >>> placed(rows([])[0])
    'VGG-16 on cifar3, rate 0.01: reported 91.2 %; their recipe not run yet; our recipe not run yet.'
    """
    parts = [f"reported {row.printed} %"]
    for whose, group in (("their", row.theirs), ("our", row.ours)):
        if group is None:
            parts.append(f"{whose} recipe not run yet")
            continue
        apart = group.mean - row.reported.test_accuracy
        parts.append(
            f"{whose} recipe {group} % ({group.particulars}), {_points(apart)} it"
            + ("" if group.whole else ", which is not the whole recipe")
        )
    return f"{row.model} on {row.data}, {row.what}: {'; '.join(parts)}."


def size_or_schedule(found: Sequence[Record]) -> str:
    """Say what the records tell of report A's reading: is ResNet-50 worse because of its size?"""
    vgg, resnet = (best_group(f"report-a/{name}/as-reported", found) for name in ("vgg-16", "resnet-50"))
    if not (vgg and resnet):
        return "The report's two recipes have not both been run yet, so that nothing can be said."
    (vgg_train, vgg_test), (train, test) = train_and_test(vgg), train_and_test(resnet)
    gap, vgg_gap = train - test, vgg_train - vgg_test
    fits_worse = train < vgg_train
    said = (
        f"In our runs ResNet-50 is right on {train:.1f} % of the training images and {test:.1f} % of the test "
        f"images, {gap:.1f} points apart; VGG-16 on {vgg_train:.1f} % and {vgg_test:.1f} %, {vgg_gap:.1f} apart. "
    )
    if fits_worse and gap <= vgg_gap + 1:
        said += (
            "ResNet-50 is behind on the images it was trained on, too, and its gap is hardly wider: a network "
            "with too many parameters for its images would show the opposite. It has not been trained to its end. "
        )
    elif fits_worse:
        said += "ResNet-50 is behind on its training images, too, but its gap is the wider one. "
    else:
        said += "ResNet-50 fits its training images at least as well, which leaves the report's reading standing. "
    return said + _what_the_schedule_is_worth(vgg, resnet, found)


def _what_the_schedule_is_worth(
    vgg: Sequence[Record], resnet: Sequence[Record], found: Sequence[Record]
) -> str:
    theirs = measured("report-a/resnet-50/as-reported", found)
    ours = measured("report-a/resnet-50/ours", found)
    behind = train_and_test(vgg)[1] - train_and_test(resnet)[1]
    if ours is None or theirs is None or ours.epochs != theirs.epochs or not ours.whole:
        return (
            "What would settle it is the same network, on the same images and for as many epochs, with a rate that "
            "falls to zero: `report-a/resnet-50/ours`, **not run yet**. " + _constant_against_falling(found)
        )
    gain = ours.mean - theirs.mean
    said = (
        f"With our recipe, {ours.particulars}, the same network reaches {ours} %, {_points(gain)} its result "
        "with the report's recipe. Parameters and images are the same in both runs. "
    )
    if gain <= 0:
        return said + "So the constant rate is not what holds it back here. "
    return said + (
        f"So training alone is worth {gain:.1f} points to it, {'more' if gain > behind else 'no more'} than the "
        f"{behind:.1f} that it lay behind VGG-16 with the report's recipe. " + _what_is_left(ours, found)
    )


def _what_is_left(resnet: Measured, found: Sequence[Record]) -> str:
    """Say how far VGG-16 is ahead of ResNet-50 when both are trained with our recipe."""
    vgg = measured("report-a/vgg-16/ours", found)
    if vgg is None or not vgg.whole:
        return "What VGG-16 gains by our recipe is **not run yet**. "
    return (
        f"With our recipe VGG-16 reaches {vgg} % ({vgg.particulars}), {_points(vgg.mean - resnet.mean)} ResNet-50, "
        f"in {vgg.epochs} epochs against {resnet.epochs}; whether size has a part in that, these runs do not tell. "
    )


def _constant_against_falling(found: Sequence[Record]) -> str:
    runs = {name: measured(f"race/{name}", found) for name in ("constant", "cosine")}
    constant, cosine = runs["constant"], runs["cosine"]
    if constant is None or cosine is None or constant.particulars != cosine.particulars:
        return ""
    return (
        "A smaller relative answers in part: ResNet-20 on the same three classes "
        f"({cosine.particulars} each) ends at {constant} % with a constant rate of "
        f"{recipe('race/constant').learning_rate:g}, and at {cosine} % when the same rate falls along a cosine. "
        f"Its parameters are the same {best_group('race/cosine', found)[0].model['parameters']:,} both times."
    )


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


def learns(record: Record) -> bool:
    """Say whether a run ends at under half of the training loss of a guess, which is ln K for K classes."""
    return record.epochs[-1]["train_loss"] < LEARNS * math.log(len(record.data["classes"]))


def adam(found: Sequence[Record]) -> str:
    """Say whether Adam converges, and at which rates, as far as there are runs."""
    runs = adam_runs(found)
    said = []
    if runs:
        rates = ", ".join(f"{rate:g}" for rate in sorted({run.recipe.learning_rate for run in runs}))
        failed = ", ".join(
            f"{run.recipe.model} on {run.recipe.data} at {run.recipe.learning_rate:g}"
            for run in runs
            if not learns(run)
        )
        said.append(
            f"Of {len(runs)} recorded runs with Adam, at rates of {rates}, {sum(map(learns, runs))} end at under "
            "half of the training loss of a guess" + (f"; the exceptions: {failed}." if failed else ".")
        )
    sgd = measured("race/cosine", found)
    if sgd and any(run.recipe.name.startswith("race/") for run in runs):
        rate = recipe(sgd.recipe).learning_rate
        said.append(
            f"In the race on three classes SGD at {rate:g}, along the same cosine as Adam, reaches {sgd} % "
            f"({sgd.particulars})."
        )
    ran = {run.recipe.name for run in runs}
    missing = [name for name in _adam_recipes() if name not in ran]
    if missing:
        said.append(
            f"Of the report's own networks with Adam, {len(missing)} of {len(_adam_recipes())} are "
            "**not run yet** (`report-b/…/as-reported-adam`)."
        )
    return " ".join(said)


def _adam_recipes() -> list[str]:
    return [row.recipe for row in REPORT_B_WORDS if row.recipe.endswith("adam")]


def best_epoch_gain(record: Record) -> float:
    """Return by how many points a run's best epoch lies above its last, on the images held out of training.

    It is what choosing the epoch on the images one reports adds to a result. NaN where none were held out.
    """
    held_out = [row["validation_accuracy"] for row in record.epochs if row["validation_accuracy"] is not None]
    return 100 * (max(held_out) - held_out[-1]) if held_out else float("nan")


def fell(record: Record) -> bool:
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


def _points(apart: float) -> str:
    """Return a difference in words.

    >>> _points(-2.63)
    '2.6 points under'
    """
    return f"{abs(apart):.1f} points {'above' if apart >= 0 else 'under'}"
