"""The judging that all exercises share: what is right, which mistake is named, and what a counter-example says."""

from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from deepernets.course.exercises.judging import (
    TRIES,
    FunctionExercise,
    Mistake,
    NumberExercise,
    Symptom,
    judge,
)
from deepernets.course.exercises.values import (
    NotAttempted,
    Unsuitable,
    describe,
    difference,
    named,
    network,
    normal,
    number,
    numbers,
    run_network,
    show,
    tensor,
)

LARGEST = FunctionExercise(
    "largest(values)",
    returns=number("the largest of the values"),
    reference=max,
    inputs=lambda draw: [([3],), ([draw.randint(1, 9), -20, 12],), ([-5, -7],)],
    mistakes=[
        Mistake("smallest", min, "That is the smallest value."),
        Mistake(
            "first", [lambda values: values[0], lambda values: next(iter(values))], "That is the first value."
        ),
        Mistake("beyond", lambda values: values[len(values)], "The last value is at len(values) - 1."),
        Symptom(
            "doubled", lambda given, right: given == [2 * value for value in right], "That is twice as much."
        ),
    ],
)


def judged(answer: Any) -> tuple[str, str]:
    found = judge(LARGEST, answer, seed=0)
    return (found.mistake, found.hint) if found else ("", "")


@pytest.mark.parametrize(
    ("answer", "mistake"),
    [
        (max, ""),
        (lambda values: np.max(values), ""),
        (lambda values: torch.tensor(values, dtype=torch.float64).max(), ""),
        (min, "smallest"),
        (lambda values: values[0], "first"),
        (lambda values: [*values][len(values)], "beyond"),
        (lambda values: 2 * max(values), "doubled"),
        (lambda values: max(values) + 1, "counter-example"),
        (lambda values: [max(values)], "kind"),
        (lambda values: str(max(values)), "kind"),
        (lambda values: True, "kind"),
        (lambda values: None, "kind"),
        (lambda: 3, "exception"),
        (lambda values: values["a"], "exception"),
        (7, "kind"),
    ],
)
def test_an_answer_is_right_or_its_mistake_is_named(answer: Any, mistake: str) -> None:
    assert judged(answer)[0] == mistake


def test_a_counter_example_is_the_first_input_that_differs() -> None:
    assert (
        judged(lambda values: max(0, *values, -1))[1]
        == "largest([-5, -7]) should return -5; yours returns 0."
    )


def test_an_exception_is_shown_with_its_line_and_the_input() -> None:
    def largest(values: list[int]) -> int:
        return values.index("the largest")  # type: ignore[arg-type]

    hint = judged(largest)[1]
    assert hint.startswith("largest([3]) stopped with ValueError: ")
    assert '`return values.index("the largest")' in hint


def test_an_exception_in_generated_code_is_shown_with_the_line_that_leads_there() -> None:
    def largest(values: list[int]) -> int:
        Symptom("frozen", bool, "").key = "changed"  # type: ignore[misc, arg-type]
        return 0

    assert 'Symptom("frozen"' in judged(largest)[1]


def test_the_full_stop_and_the_end_of_an_exceptions_message_fit_into_the_hint() -> None:
    assert describe(ValueError("Give a list.")) == "ValueError: Give a list"
    assert describe(ValueError("x" * 999)).endswith("x…")


def test_a_result_of_another_kind_is_said_with_the_input_if_others_give_what_was_expected() -> None:
    expected = "Expected a number: the largest of the values; got"
    assert judged(lambda values: print(end=""))[1] == f"{expected} None."
    assert (
        judged(lambda values: max(values) if max(values) > 0 else "none")[1]
        == f"For largest([-5, -7]): {expected} the string 'none'."
    )


def test_a_placeholder_is_not_attempted() -> None:
    with pytest.raises(NotAttempted):
        judge(LARGEST, lambda values: ..., seed=0)


def test_a_changed_input_is_said_and_refused_where_the_exercise_keeps_its_inputs() -> None:
    def largest(values: list[int]) -> int:
        values.sort()
        return values[-1]

    found = judge(LARGEST, largest, seed=0)
    assert found
    assert (found.mistake, found.refused) == ("changes inputs", False)
    strict = FunctionExercise(
        LARGEST.signature, LARGEST.returns, LARGEST.reference, LARGEST.inputs, (), keeps_inputs=True
    )
    found = judge(strict, largest, seed=0)
    assert found
    assert (found.mistake, found.refused) == ("changes inputs", True)


def test_every_answer_is_tried_on_several_draws_of_the_seed() -> None:
    seen: list[list[int]] = []

    def largest(values: list[int]) -> int:
        seen.append(values)
        return max(values)

    judged(largest)
    assert len(seen) == 3 * TRIES
    first = list(seen)
    seen.clear()
    judged(largest)
    assert seen == first


def test_inputs_and_known_mistakes_are_computed_once_for_a_seed_whatever_an_answer_does_to_them() -> None:
    calls: list[list[int]] = []

    def smallest(values: list[int]) -> int:
        calls.append(values)
        return min(values)

    exercise = FunctionExercise(
        LARGEST.signature, LARGEST.returns, max, LARGEST.inputs, [Mistake("smallest", smallest, "Smallest.")]
    )
    drawn = [[*case[0]] for case in exercise.cases(0)]
    for _ in range(3):
        found = judge(exercise, lambda values: [min(values), values.clear()][0], seed=0)
        assert found
        assert found.mistake == "smallest"
    assert calls == [case[0] for case in exercise.cases(0)] == drawn


def test_a_fault_of_the_reference_is_not_the_students() -> None:
    broken = FunctionExercise("half(x)", number("half"), lambda x: x / 0, lambda draw: [(1,)], ())
    with pytest.raises(ZeroDivisionError):
        judge(broken, lambda x: x / 2, seed=0)


def test_a_number_is_right_to_two_decimals_and_has_a_hint_otherwise() -> None:
    exercise = NumberExercise(
        "third", "a share", 1 / 3, [Mistake("percent", [33, 33.3], "A share.")], "One of three?"
    )
    found = [judge(exercise, answer, 0) for answer in (0.33, 33.3, 0.5, "0.33")]
    assert [one and one.mistake for one in found] == [None, "percent", "other", "kind"]


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (number("n"), "7"),
        (number("n"), torch.zeros(2)),
        (number("n"), 1j),
        (numbers("n"), "123"),
        (numbers("n"), 5),
        (numbers("n"), [1, "2"]),
        (numbers("n", length=2), [1, 2, 3]),
        (tensor("t"), [1.0]),
        (tensor("t"), np.zeros(3)),
        (tensor("t", arrays=True), np.array(["a"])),
        (tensor("t"), torch.zeros(3, dtype=torch.complex64)),
        (numbers("n"), iter([1, 2])),
        (network("a net"), nn.ReLU),
    ],
)
def test_what_is_of_another_kind_is_refused_with_a_sentence(read: Any, value: Any) -> None:
    with pytest.raises(Unsuitable, match=r"^Expected .*\.$"):
        read(value)


def test_an_entry_of_another_kind_is_said_with_what_was_expected() -> None:
    with pytest.raises(Unsuitable) as refusal:
        named("the mean", "the median", "the share")([1, 2, "3 %"])
    expected = "Expected 3 numbers: the mean, the median and the share; one entry is the string '3 %'."
    assert str(refusal.value) == expected


def test_arrays_are_read_where_they_will_do() -> None:
    assert torch.equal(tensor("t", arrays=True)(np.eye(2)[::-1]), torch.eye(2, dtype=torch.float64).flip(0))


def test_outcomes_differ_at_a_place_that_the_hint_names() -> None:
    assert difference(
        {"loss": 1.0, "weights": torch.ones(2)}, {"loss": 1.0, "weights": torch.tensor([1.0, 2.0])}
    ) == ("entry [1] of weights", "1", "2")
    assert difference(torch.ones(2, 3), torch.ones(3, 2)) == ("the shape", "(2, 3)", "(3, 2)")
    assert difference(float("nan"), float("nan")) is None
    assert difference(torch.ones(2, dtype=torch.float64), torch.ones(2)) is None
    assert difference([1, 2], [1, 2, 3]) == ("", "[1, 2]", "[1, 2, 3]")
    assert difference(0.1234561, 0.1234562, tolerance=1e-9) == ("", "0.1234561", "0.1234562")


def test_long_values_are_shown_in_short() -> None:
    assert show(list(range(100))) == "[0, 1, 2, 3, 4, 5, 6, 7, …]"
    assert len(show("x" * 1000)) <= 70


def test_networks_of_equal_shapes_get_equal_weights_and_one_that_does_not_run_is_refused() -> None:
    images = normal(Random(0), 2, 3, 5, 5)
    one = run_network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), images, Random(1))
    nested = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3)), nn.BatchNorm2d(4))
    assert difference(one, run_network(nested.double().float(), images, Random(1))) is None
    with pytest.raises(Unsuitable, match="does not run on images of shape"):
        run_network(nn.Conv2d(4, 4, 3), images, Random(1))


def test_what_is_derived_from_an_outcome_is_compared_and_needs_no_answer() -> None:
    half = FunctionExercise(
        "factor(product)",
        returns=number("a factor"),
        reference=lambda product: product,
        inputs=lambda draw: [(6,), (10,)],
        derive=lambda factor, product: product % factor,
        mistakes=[Mistake("by five", lambda product: 5, "That is 5.")],
    )
    assert judge(half, lambda product: 2, 0) is None
    found = [judge(half, answer, 0) for answer in (lambda product: 5, lambda product: 4, lambda product: "2")]
    assert [one and one.mistake for one in found] == ["by five", "counter-example", "kind"]
    cases = half.cases(0)
    outcomes = [half.outcome(half.reference, case) for case in cases]
    assert [outcome.value for outcome in outcomes[:2]] == [6.0, 10.0]  # not what is compared
