"""The explorer of degradation: errors of the paper's plain and residual networks, and a quiz on pairs of runs.

What it shows is read from the records. A network that has not been run whole is named, and a pair of the quiz waits
until both of its runs are recorded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

from deepernets.analysis.depth import diagnosis
from deepernets.book.explorers import explorer
from deepernets.recipes import get_recipe
from deepernets.recipes.recipe import unequal_terms
from deepernets.results.comparison import largest_comparable_group, whole_run
from deepernets.training.records import Record, load_records

if TYPE_CHECKING:
    from IPython.display import HTML

NETWORKS = ("plain-20", "plain-56", "resnet-20", "resnet-56")
RULES = {
    "overfitting": (
        "Overfitting means that run B fits its training images no worse than run A, and that its validation error "
        "is higher by more than one percentage point."
    ),
    "degradation": (
        "Degradation means that both runs have converged, and that the training error of run B is higher by more "
        "than one percentage point."
    ),
    "not converged": "A pair has not converged if a training error ends above 20 %.",
    "neither": (
        "Neither means that both runs have converged, and that no error of run B is higher by more than one "
        "percentage point."
    ),
}
LIMITS = {"smoothing": 25, "tops": [100, 50, 20, 10]}
STATE = {"curves": [True, True, True], "smoothing": 1, "top": 20, "answer": 0}
_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 280, 40, 258, 10, 140  # of a static chart


@dataclass(frozen=True)
class Pair:
    """Two recipes whose runs are compared.

    Attributes:
        first: The recipe of run A.
        second: That of run B; in most pairs its network is the deeper one.
        whole: Whether whole runs are compared, or short ones of the laptop profile.
    """

    first: str
    second: str
    whole: bool = True

    def runs(self, found: Sequence[Record]) -> tuple[Record, Record] | None:
        """Return the runs A and B on the same images; None if one is missing."""
        names = self.first, self.second
        if self.whole:
            runs = [run for name in names if (run := whole_run(name, found))]
        else:
            short = [
                run for name in names for run in found if (run.recipe.name, run.profile) == (name, "laptop")
            ]
            runs = largest_comparable_group(short)
        if tuple(run.recipe.name for run in runs) != names or len({_images(run) for run in runs}) > 1:
            return None
        return runs[0], runs[1]


_B = "report-b/resnet-20-cifar10"
PAIRS = (  # an address names a pair by its place
    Pair("paper/plain-20", "paper/plain-56", whole=False),
    Pair(f"{_B}/ablation/nesterov-label-smoothing", f"{_B}/without-augmentation"),
    Pair("report-b/vgg-13-cifar10/ours", "report-b/vgg-16-cifar10/ours"),
    Pair("paper/plain-20", "paper/plain-56"),
    Pair("paper/resnet-20", "paper/resnet-56", whole=False),
    Pair("paper/resnet-20", "paper/resnet-56"),
    Pair(f"{_B}/as-reported-scheduler", f"{_B}/without-augmentation-scheduler"),
)


def degradation(found: Sequence[Record] | None = None) -> "HTML":
    """Return the explorer of the paper's plain and residual networks, and of the quiz.

    Args:
        found: Records of any runs; without them those of the course.
    """
    found = load_records() if found is None else found
    whole = {name: whole_run(f"paper/{name}", found) for name in NETWORKS}
    pairs = [question(number, pair, found) for number, pair in enumerate(PAIRS)]
    asked = [pair for pair in pairs if pair]
    first = asked[0]["number"] if asked else -1
    return explorer(
        "degradation", "Degradation or overfitting",
        "Choose networks and curves, and smooth or enlarge them. Then diagnose the pairs of runs in the quiz.",
        static=_static(whole, asked), names=NETWORKS, networks=[run and _network(run) for run in whole.values()],
        missing=missing_networks(whole), pairs=asked, waiting=waiting_pairs(found), rules=RULES, limits=LIMITS,
        start={**STATE, "shown": [run is not None for run in whole.values()], "pair": first},
    )  # fmt: skip


def missing_networks(whole: dict[str, Record | None]) -> str:
    """Return a sentence about the networks without a whole run; empty if there are none."""
    missing = [name for name, run in whole.items() if run is None]
    if len(missing) == len(whole):
        return f"None of {_listed(missing)} has been run whole yet, so there are no curves of them here."
    return f"Not run whole yet: {_listed(missing)}." if missing else ""


def waiting_pairs(found: Sequence[Record]) -> str:
    """Return a sentence about the pairs of the quiz without records; empty if there are none."""
    waiting = [pair for pair in PAIRS if not pair.runs(found)]
    if not waiting:
        return ""
    names = {name: None for pair in waiting for name in (pair.first, pair.second)}
    missing = [name for name in names if not whole_run(name, found)]
    return f"Pairs that wait for whole runs: {len(waiting)}. Not run yet: {_listed(missing)}."


def question(number: int, pair: Pair, found: Sequence[Record]) -> dict[str, Any] | None:
    """Return a pair's curves with the diagnosis and its reason; None if a run is missing."""
    runs = pair.runs(found)
    if runs is None:
        return None
    answer = diagnosis(runs[0].epochs, runs[1].epochs)
    return {
        "number": number,
        "runs": [_errors(run) for run in runs],
        "answer": answer,
        "reason": f"{_reason(answer, *runs)} {_disclosure(pair, *runs)}",
        "recipes": [pair.first, pair.second],
        "whole": pair.whole,
    }


def _errors(run: Record) -> dict[str, list[float]]:
    """Return errors by epoch, in per cent."""
    return {
        curve: [round(100 * (1 - accuracy), 4) for accuracy in run.by_epoch(f"{split}_accuracy")]
        for curve, split in (("training", "train"), ("validation", "validation"))
    }


def _network(run: Record) -> dict[str, Any]:
    return {**_errors(run), "test": round(100 * (1 - run.test["accuracy"]), 4), "label": run.label}


def _images(run: Record) -> tuple[Any, ...]:
    return tuple(run.data[key] for key in ("variant", "train", "validation"))


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _reason(answer: str, first: Record, second: Record) -> str:
    """Return why a diagnosis is right, with the errors after the last epoch."""
    (a, b), (val_a, val_b) = (
        [f"{100 * (1 - run.epochs[-1][f'{split}_accuracy']):.1f}\u00a0%" for run in (first, second)]
        for split in ("train", "validation")
    )
    return {
        "overfitting": (
            f"Overfitting: run B fits its training images no worse ({b} wrong against {a}), but its validation "
            f"error is higher, {val_b} against {val_a}."
        ),
        "degradation": (
            f"Degradation: run B has the higher training error, {b} against {a}. So the validation errors of "
            f"{val_b} and {val_a} do not come from overfitting."
        ),
        "not converged": (
            f"Not converged: the training errors end at {a} and {b}, and above 20 % a run shows only how fast its "
            "network learns."
        ),
        "neither": (
            f"Neither: run B is not worse by more than one point. The training errors are {b} and {a}, the "
            f"validation errors {val_b} and {val_a}."
        ),
    }[answer]


def _disclosure(pair: Pair, first: Record, second: Record) -> str:
    """Return which runs they are, how their recipes differ, and how long they are."""
    models = first.recipe.model, second.recipe.model
    differing = [field.replace("_", " ") for field in unequal_terms(first.recipe, second.recipe)]
    recipes = f"Their recipes differ in {_listed(differing)}." if differing else "The recipe is the same."
    who = (
        f"Both networks are {models[0]}."
        if len({*models}) == 1
        else f"Run A is {models[0]}, run B {models[1]}."
    )
    lengths = dict.fromkeys(str(len(run.epochs)) for run in (first, second))
    of = "" if pair.whole else f" of the recipe’s {get_recipe(pair.first).epochs}"
    kind = "whole" if pair.whole else "short"
    length = (
        f"Both runs are {kind}: {_listed([*lengths])}{of} epochs on {first.data['train']:,} training images."
    )
    return f"{who} {recipes} {length}"


def _static(whole: dict[str, Record | None], asked: Sequence[dict[str, Any]]) -> str:
    """Return what is shown without JavaScript and in print: the curves, and the quiz with its answers."""
    charts = [
        f"<div><strong>{name}, whole run</strong>{_chart(f'Errors of {name} by epoch.', {'': _errors(run)})}"
        f"<p>Test error after the last epoch: {100 * (1 - run.test['accuracy']):.2f} %.</p></div>"
        for name, run in whole.items()
        if run
    ]
    for place, pair in enumerate(asked, 1):
        runs = dict(zip("AB", pair["runs"], strict=True))
        title = (
            f"Errors of the two runs of pair {place} by epoch. The text below gives those after the last one."
        )
        charts.append(f"<div><strong>Pair {place}</strong>{_chart(title, runs)}<p>{pair['reason']}</p></div>")
    return (
        '<div class="explorer-static"><p>Training error bold, validation error thin and dashed, in per cent by '
        f'epoch. {missing_networks(whole)}</p><div class="explorer-charts">{"".join(charts)}</div></div>'
    )


def _chart(title: str, runs: dict[str, dict[str, list[float]]]) -> str:
    """Return a drawing of errors by epoch, each run with its letter at the end of its training error."""
    count = max(len(errors["training"]) for errors in runs.values())
    top = 10 * ceil(max(max(errors[curve]) for errors in runs.values() for curve in errors) / 10)

    def x(epoch: int) -> float:
        return _LEFT + (_RIGHT - _LEFT) * (epoch - 1) / max(count - 1, 1)

    def y(error: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * error / top

    parts = []
    for error in (0, top // 2, top):
        line = f'<line class="explorer-grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{y(error):.0f}" y2="{y(error):.0f}"/>'
        parts.append(f"{line}{_text(_LEFT - 4, y(error) + 5, 'end', error)}")
    parts += [_text(x(epoch), _BOTTOM + 20, "middle", epoch) for epoch in (1, count)]
    lowest = max(y(errors["training"][-1]) for errors in runs.values())
    for number, (letter, errors) in enumerate(runs.items()):
        for curve, values in errors.items():
            points = " ".join(f"{x(epoch):.1f},{y(error):.1f}" for epoch, error in enumerate(values, 1))
            line = f'<polyline class="explorer-error explorer-{curve}" points="{points}"/>'
            parts.append(f'<g class="explorer-run-{2 - number}">{line}</g>')
        end = y(errors["training"][-1])
        height = lowest + 2 if end == lowest else min(end + 4, lowest - 12)  # one letter above the other
        parts.append(_text(x(len(errors["training"])) + 4, height, "start", letter))
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_BOTTOM + 26}" role="img" aria-label="{title}">{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, anchor: str, text: object) -> str:
    return f'<text class="explorer-text" text-anchor="{anchor}" x="{x:.0f}" y="{y:.0f}">{text}</text>'
