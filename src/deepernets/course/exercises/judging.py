"""Exercises as data, and the judging that all of them share.

An exercise is a reference, inputs drawn from a seed, and the mistakes that students make, written as the wrong code
itself. The answer is called on fresh copies of the inputs. Where it differs from the reference, the first mistake
that gives the same on every input is named. Where none does, the hint shows an input that the answer gets wrong.
"""

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any, Protocol

from torch import Tensor

from deepernets.course.exercises.values import (
    NotAttempted,
    Raised,
    Reader,
    Stopped,
    Unsuitable,
    agree,
    attempt,
    difference,
    kind_of,
    number,
    show,
)

TRIES = 3  # draws of inputs that an answer is tried on: some mistakes do not show on every one
SEEDS_KEPT = 8  # whose inputs are kept, with what the reference and the known mistakes give on them
NUMBER_TOLERANCE = 0.005  # of a number that may be typed with two decimals


class AnswerError(Exception):
    """The student's own code raised an exception, which is the cause of this one."""


@dataclass(frozen=True)
class Finding:
    """What was found in an answer.

    Attributes:
        mistake: The key of the mistake, or one of the shared ones: ``kind``, ``exception``, ``changes inputs``,
            ``counter-example``.
        hint: What the student reads.
        refused: Whether the answer is wrong; a right one may come with a remark.
    """

    mistake: str
    hint: str
    refused: bool = True


@dataclass(frozen=True)
class Outcome:
    """What came of one call of an answer, as plain data.

    Attributes:
        value: What was observed, or a `Stopped`.
        changed: Position of the first argument that the call changed in place, from 1; 0 if none.
    """

    value: Any
    changed: int = 0


@dataclass(frozen=True)
class Mistake:
    """A mistake that is known by what it gives.

    Attributes:
        key: Its name, unique in the exercise.
        produces: The wrong code, with the signature of the reference, or several pieces of it in a list; for a
            `NumberExercise` the wrong number or numbers.
        hint: A sentence that names the mistake and leaves the last step to the student.
    """

    key: str
    produces: Any
    hint: str


@dataclass(frozen=True)
class Symptom:
    """A mistake that is known by a property of what came back.

    Attributes:
        key: Its name, unique in the exercise.
        shows: Takes the outcomes of the answer and of the reference, one for each input, and says whether the
            answer shows this mistake. An outcome is what `observe` returned, or a `Stopped`.
        hint: A sentence that names the mistake and leaves the last step to the student.
    """

    key: str
    shows: Callable[[list[Any], list[Any]], bool]
    hint: str


def fails(key: str) -> Callable[[list[Any], list[Any]], bool]:
    """Return what a `Symptom` shows where some outcome of an answer has False at a key."""
    return lambda given, right: not all(each[key] for each in given)


def every(shows: Callable[[Any], Any]) -> Callable[[list[Any], list[Any]], bool]:
    """Return what a `Symptom` shows where every outcome of an answer has a property."""
    return lambda given, right: all(map(shows, given))


class Exercise(Protocol):
    """What `check` needs of an exercise."""

    @property
    def name(self) -> str:
        """What `check` is called with, and what the answer is called in the lab."""

    @property
    def hints(self) -> dict[str, str]:
        """The hint for each mistake of its own."""

    @property
    def reference(self) -> Any:
        """The course's own answer."""

    def cases(self, seed: int) -> list[tuple[Any, ...]]:
        """Return the arguments of all calls of an answer, as plain data."""

    def outcome(self, answer: Any, case: tuple[Any, ...]) -> Outcome:
        """Return what comes of one call of an answer; this is all that runs a student's code."""

    def find(self, cases: list[tuple[Any, ...]], outcomes: list[Outcome]) -> Finding | None:
        """Return what is wrong with an answer, or to be remarked on; None where it is right."""


def judge(exercise: Exercise, answer: Any, seed: int) -> Finding | None:
    """Return what is wrong with an answer, or to be remarked on, for a seed; None where it is right.

    Raises:
        NotAttempted: the answer returned the stub's placeholder.
    """
    cases = exercise.cases(seed)
    return exercise.find(cases, [exercise.outcome(answer, case) for case in cases])


@dataclass(frozen=True)
class ValueExercise:
    """An exercise whose answer is a value.

    Attributes:
        name: What the answer is called in the lab.
        read: Reads the answer, as `number` does; it raises `Unsuitable` for what is of another kind.
        reference: The right value.
        mistake: Takes what was read and returns the key of its mistake, or None where it is right.
        hints: The hint for each mistake.
    """

    name: str
    read: Reader
    reference: Any
    mistake: Callable[[Any], str | None]
    hints: dict[str, str]

    def cases(self, seed: int) -> list[tuple[Any, ...]]:
        """Return one case without arguments: there is nothing to draw."""
        return [()]

    def outcome(self, answer: Any, case: tuple[Any, ...]) -> Outcome:
        """Return the answer as plain data."""
        return Outcome(_plainly(self.read, answer))

    def find(self, cases: list[tuple[Any, ...]], outcomes: list[Outcome]) -> Finding | None:
        """Return what is wrong with an answer; None where it is right."""
        value = outcomes[0].value
        if isinstance(value, Stopped):
            return Finding("kind", value.message)
        mistake = self.mistake(value)
        return Finding(mistake, self.hints[mistake]) if mistake else None


@dataclass(frozen=True)
class NumberExercise:
    """An exercise whose answer is a number.

    Attributes:
        name: What the answer is called in the lab.
        expected: What kind of number it is, as in "the side of the square, in pixels".
        reference: The right number; a number within 0.005 of it is right, too.
        mistakes: Wrong numbers and their hints.
        otherwise: A hint for any other number: a smaller question on the way to the answer.
    """

    name: str
    expected: str
    reference: float
    mistakes: Sequence[Mistake]
    otherwise: str

    @property
    def hints(self) -> dict[str, str]:
        """The hint for each mistake of its own."""
        return {mistake.key: mistake.hint for mistake in self.mistakes} | {"other": self.otherwise}

    def cases(self, seed: int) -> list[tuple[Any, ...]]:
        """Return one case without arguments: there is nothing to draw."""
        return [()]

    def outcome(self, answer: Any, case: tuple[Any, ...]) -> Outcome:
        """Return the answer as a float."""
        return Outcome(_plainly(number(self.expected), answer))

    def find(self, cases: list[tuple[Any, ...]], outcomes: list[Outcome]) -> Finding | None:
        """Return what is wrong with an answer; None where it is right."""
        given = outcomes[0].value
        if isinstance(given, Stopped):
            return Finding("kind", given.message)
        if abs(given - self.reference) <= NUMBER_TOLERANCE:
            return None
        # the nearest one, since small numbers are within reach of each other
        distances = [(abs(given - wrong), m) for m in self.mistakes for wrong in _several(m.produces)]
        distance, nearest = min(distances, key=lambda pair: pair[0])
        if distance <= NUMBER_TOLERANCE:
            return Finding(nearest.key, nearest.hint)
        return Finding("other", self.otherwise)


class _Cases(list[tuple[Any, ...]]):
    """The arguments of all calls for a seed, and what the exercise's own functions gave on them so far."""

    def __init__(self, cases: Iterable[tuple[Any, ...]]) -> None:
        super().__init__(cases)
        self.known: dict[tuple[int, int], Any] = {}  # by the function's id and the place of the case


@dataclass(frozen=True, eq=False)  # equal only to itself, so that its cases can be cached
class FunctionExercise:
    """An exercise whose answer is a function.

    Attributes:
        signature: As in ``field_size(layers)``; the part before the bracket is the exercise's name.
        returns: Reads what the function returned, as `number`, `numbers` and `tensor` do; it raises `Unsuitable`
            for what is of another kind.
        reference: The right code.
        inputs: Draws the arguments of several calls, the smallest first. They are plain data (numbers, strings,
            lists, dictionaries, tensors); what needs objects is built in `observe`.
        mistakes: Wrong code and its hints, the most telling first.
        observe: Takes a function and the arguments of one call, and returns what is compared. Without it the
            function is called once, and `returns` reads the result.
        derive: Takes what was observed and the arguments of one call, and returns what is compared instead, where
            that would be the same for all inputs. Graders derive it apart from the student's code, which could
            otherwise make it up.
        shown: Takes the arguments of one call and returns them as text for a hint; without it they are listed.
        tolerance: Two numbers agree up to this share of the larger one, or up to a tenth of it.
        keeps_inputs: Refuse an answer that changes its arguments; otherwise the verdict only says so.
        tries: How many times inputs are drawn; one is enough where the first draw shows every mistake.
    """

    signature: str
    returns: Reader
    reference: Callable[..., Any]
    inputs: Callable[[Random], Iterable[tuple[Any, ...]]]
    mistakes: Sequence[Mistake | Symptom]
    observe: Callable[..., Any] | None = None
    derive: Callable[..., Any] | None = None
    shown: Callable[..., str] | None = None
    tolerance: float = 1e-4
    keeps_inputs: bool = False
    tries: int = TRIES

    @property
    def name(self) -> str:
        """What `check` is called with, and what the answer is called in the lab."""
        return self.signature.partition("(")[0]

    @property
    def hints(self) -> dict[str, str]:
        """The hint for each mistake of its own."""
        return {mistake.key: mistake.hint for mistake in self.mistakes}

    @lru_cache(maxsize=SEEDS_KEPT)  # noqa: B019, since exercises are never deleted
    def cases(self, seed: int) -> list[tuple[Any, ...]]:
        """Return the arguments of all calls: those of several draws."""
        draws = (Random(f"{self.name} {seed} {attempt}") for attempt in range(self.tries))
        return _Cases(case for draw in draws for case in self.inputs(draw))

    def outcome(self, answer: Any, case: tuple[Any, ...]) -> Outcome:
        """Return what comes of one call of an answer.

        Raises:
            NotAttempted: the function returned the stub's placeholder.
        """
        if not callable(answer):
            expected = f"Expected a function {self.signature}, but got {kind_of(answer)}."
            return Outcome(Stopped(Unsuitable.__name__, expected))
        call = _Call(answer)
        return Outcome(_plainly(self._observe, call, case), call.changed)

    def find(self, cases: list[tuple[Any, ...]], outcomes: list[Outcome]) -> Finding | None:
        """Return what is wrong with an answer, or to be remarked on; None where it is right."""
        given = [self._derive(outcome.value, case) for outcome, case in zip(outcomes, cases, strict=True)]
        right = [self._own(self.reference, place, cases) for place in range(len(cases))]
        changed = next((outcome.changed for outcome in outcomes if outcome.changed), 0)
        different = [
            place for place, pair in enumerate(zip(given, right, strict=True)) if not self._same(*pair)
        ]
        if not different:
            return self._remark(changed)
        mistake = next((known for known in self.mistakes if self._is(known, given, right, cases)), None)
        if mistake:
            return Finding(mistake.key, mistake.hint)
        if changed and self.keeps_inputs:
            return self._remark(changed)
        first = different[0]
        always = all(isinstance(outcome, Stopped) and outcome.unsuitable for outcome in given)
        return self._counter_example(cases[first], given[first], right[first], always)

    def _observe(self, function: Callable[..., Any], case: tuple[Any, ...]) -> Any:
        arguments = deepcopy(case)
        if self.observe is not None:
            return self.observe(function, *arguments)
        return self.returns(function(*arguments))

    def _derive(self, observed: Any, case: tuple[Any, ...]) -> Any:
        if self.derive is None or isinstance(observed, Stopped):
            return observed
        return self.derive(observed, *deepcopy(case))

    def _own(self, function: Callable[..., Any], place: int, cases: list[tuple[Any, ...]]) -> Any:
        """Return what the reference or a known mistake gives on a case; that is kept with the seed's cases."""
        kept = cases.known if isinstance(cases, _Cases) else {}
        key = id(function), place
        if key not in kept:
            if function is self.reference:
                outcome = self._observe(function, cases[place])  # must not fail
            else:
                outcome = attempt(self._observe, function, cases[place])
            ended = Stopped.by(outcome.error) if isinstance(outcome, Raised) else outcome
            kept[key] = self._derive(ended, cases[place])
        return kept[key]

    def _is(self, known: Mistake | Symptom, given: list[Any], right: list[Any], cases: list[Any]) -> bool:
        """Whether an answer shows a known mistake on every input."""
        if isinstance(known, Symptom):
            return attempt(known.shows, given, right) is True  # it may meet what it does not expect
        return any(
            all(self._same(outcome, self._own(wrong, place, cases)) for place, outcome in enumerate(given))
            for wrong in _several(known.produces)
        )

    def _same(self, one: Any, other: Any) -> bool:
        return agree(one, other, self.tolerance)

    def _remark(self, changed: int) -> Finding | None:
        if not changed:
            return None
        what = f"changes its argument number {changed} in place"
        if self.keeps_inputs:
            return Finding("changes inputs", f"{self.name} {what}: work on a copy of it.")
        return Finding("changes inputs", f"It {what}.", refused=False)

    def _counter_example(self, case: tuple[Any, ...], given: Any, right: Any, always: bool) -> Finding:
        """Return the finding for one input; `always` is whether all inputs gave what is unsuitable."""
        arguments = ", ".join(map(show, case)) if self.shown is None else self.shown(*case)
        call = f"{self.name}({arguments})"
        if isinstance(given, Stopped) and given.unsuitable:
            return Finding("kind", given.message if always else f"For {call}: {given.message}")
        if isinstance(given, Stopped):
            return Finding("exception", f"{call} stopped with {given.message}.")
        place, expected, returned = difference(right, given, self.tolerance) or ("", right, given)
        if not place:
            return Finding("counter-example", f"{call} should return {expected}; yours returns {returned}.")
        return Finding("counter-example", f"For {call}, {place} should be {expected}; yours is {returned}.")


class _Call:
    """A student's function: tells the placeholder and exceptions of its own apart, and notes changed arguments."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.changed = 0  # position of the first argument that was changed in place, from 1

    def __call__(self, *arguments: Any) -> Any:
        before = [deepcopy(value) if _is_plain(value) else None for value in arguments]
        result = attempt(self._function, *arguments)
        if isinstance(result, Raised):
            raise AnswerError from result.error
        if result is ...:
            raise NotAttempted
        for place, (value, copy) in enumerate(zip(arguments, before, strict=True), 1):
            if copy is not None and not agree(copy, value, tolerance=0.0):
                self.changed = self.changed or place
        return result


def _plainly(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function returns; a `Stopped` for an exception of the student's, and for what is unsuitable."""
    try:
        return function(*arguments)
    except AnswerError as error:
        return Stopped.by(error.__cause__ or error)
    except Unsuitable as error:
        return Stopped.by(error)


def _several(produces: Any) -> Sequence[Any]:
    return produces if isinstance(produces, list) else [produces]


def _is_plain(value: Any) -> bool:
    return isinstance(value, list | dict | set | Tensor)
