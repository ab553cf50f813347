"""The judge: what a sandbox makes up instead of calling an answer is refused, in every exercise."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import cycle
from math import nan
from typing import Any

import pytest
import torch
from torch import Tensor

from deepernets.course.checks import exercises
from deepernets.course.exercises.judging import FunctionExercise, Outcome
from deepernets.course.exercises.values import Stopped, Unsuitable
from deepernets.course.grading import judge
from deepernets.course.grading.isolation import Limits
from deepernets.course.grading.plain import to_plain

SEED, OTHER_SEEDS = 1, (2, 3)


class MadeUp:
    """Stands in for the process of a sandbox, and answers each call with the next of some messages."""

    def __init__(self, messages: Iterable[Any]) -> None:
        self._messages = cycle(messages)

    def send(self, message: Any) -> None:
        """Ignore what the judge sends."""

    def receive(self) -> Any:
        return next(self._messages)


def status(name: str, messages: Iterable[Any]) -> str:
    """Return what the judge makes of these messages; mistakes only matter for the hint."""
    judging = judge._Judging([name], [SEED], Limits())
    exercise = judging.exercises[name]
    if isinstance(exercise, FunctionExercise):
        judging.exercises[name] = replace(exercise, mistakes=[])
    process: Any = MadeUp(messages)
    return judging._judge(process, name)[0]


def outcomes(name: str, seed: int) -> list[Outcome]:
    """Return the right outcomes on the inputs of a seed."""
    exercise = exercises()[name]
    return [exercise.outcome(exercise.reference, case) for case in exercise.cases(seed)]


def message(outcome: Outcome) -> dict[str, Any]:
    return {"outcome": to_plain(outcome)}


def filled(value: Any, number: float, yes: bool) -> Any:
    """Return a value of the same form with other numbers, truth values and texts in it."""
    if isinstance(value, dict):
        return {key: filled(entry, number, yes) for key, entry in value.items()}
    if isinstance(value, list | tuple | set):
        return type(value)(filled(entry, number, yes) for entry in value)
    if isinstance(value, Tensor):
        return torch.full(value.shape, number, dtype=torch.float64)
    if isinstance(value, bool):
        return yes
    return number if isinstance(value, int | float) else ""


VALUES: list[Any] = [
    None,
    True,
    0.0,
    "right",
    [],
    (),
    {},
    [[]],
    {"right": True},
    torch.ones(()),
    Stopped("ValueError"),
]
MESSAGES: list[Any] = [{}, {"outcome": None}, {"outcome": True}, {"status": "right", "outcome": []}]


def forgeries(name: str) -> Iterator[tuple[str, list[Any]]]:
    """Yield messages that a notebook can send without an answer."""
    right = outcomes(name, SEED)
    yield from ((f"the value {value!r}", [message(Outcome(value))]) for value in VALUES)
    yield from ((f"the message {plain}", [plain]) for plain in MESSAGES)
    for number, yes in ((0, False), (0.0, True), (1, True), (nan, True)):
        other = [Outcome(filled(one.value, number, yes)) for one in right]
        yield f"{number} and {yes} everywhere", list(map(message, other))
    if isinstance(exercises()[name], FunctionExercise):  # others have no inputs
        yield "the first outcome for every case", [message(right[0])]
        yield "the outcome of the next case", list(map(message, [*right[1:], right[0]]))
        for seed in OTHER_SEEDS:
            yield f"the outcomes of seed {seed}", list(map(message, outcomes(name, seed)))


@pytest.fixture
def observed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw the inputs of each seed once, call each reference once on them, and send them nowhere."""
    monkeypatch.setattr(judge, "to_plain", lambda case: None)
    draw, observe = FunctionExercise.cases, FunctionExercise._observe
    drawn: dict[int, list[tuple[Any, ...]]] = {}
    observed: dict[int, Any] = {}

    def cases(self: FunctionExercise, seed: int) -> list[tuple[Any, ...]]:
        if seed not in drawn:
            drawn[seed] = draw(self, seed)
        return drawn[seed]

    def outcome(self: FunctionExercise, function: Any, case: tuple[Any, ...]) -> Any:
        if id(case) not in observed:
            observed[id(case)] = observe(self, function, case)
        return observed[id(case)]

    monkeypatch.setattr(FunctionExercise, "cases", cases)
    monkeypatch.setattr(FunctionExercise, "_observe", outcome)


@pytest.mark.parametrize("name", ["uncorrelated_filters", "whitening"])
def test_a_made_up_matrix_of_many_rows_is_not_multiplied(name: str) -> None:
    exercise: Any = exercises()[name]
    with pytest.raises(Unsuitable, match=r"the shape \(3, 3\); got a tensor of shape \(10000000, 3\)"):
        exercise.derive(torch.zeros(3).expand(10**7, 3), torch.eye(3))


@pytest.mark.usefixtures("observed_once")
@pytest.mark.parametrize("name", exercises())
def test_only_outcomes_that_fit_the_drawn_inputs_are_right(name: str) -> None:
    with torch.random.fork_rng(devices=[]):
        assert status(name, map(message, outcomes(name, SEED))) == "right"
        accepted = [how for how, messages in forgeries(name) if status(name, messages) != "wrong"]
    assert accepted == []
