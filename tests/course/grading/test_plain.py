"""Plain data: what an outcome holds survives the way through a pipe, and nothing else can be written or read."""

import math
from typing import Any

import pytest
import torch

from deepernets.course.checks import exercises
from deepernets.course.exercises.judging import Outcome
from deepernets.course.exercises.values import Stopped, difference
from deepernets.course.grading.plain import LENGTH, NotPlainError, from_plain, pack, to_plain, unpack


def there_and_back(value: Any) -> Any:
    return from_plain(unpack(pack(to_plain(value))[LENGTH.size :]))


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, -3, 2**90, 0.1, math.inf, "text \ud800 ü\x00", [], (), set(), {}),
        [(1, [2.5, {"a"}]), {1: "x", "y": {2.5: None}}],
        Outcome({"a": [Stopped("ValueError", "no")]}, 2),
    ],
    ids=repr,
)
def test_plain_data_comes_back_as_it_was(value: Any) -> None:
    assert there_and_back(value) == value
    assert type(there_and_back(value)) is type(value)


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "int64", "uint8", "bool"])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)], ids=str)
def test_tensors_come_back_as_they_were(dtype: str, shape: tuple[int, ...]) -> None:
    value = (torch.arange(math.prod(shape)) % 3).reshape(shape).to(getattr(torch, dtype))
    back = there_and_back(value)
    assert (back.dtype, back.shape) == (value.dtype, value.shape)
    assert torch.equal(back, value)


def test_subclasses_of_an_answer_become_the_plain_value() -> None:
    class Yes(float):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

    assert type(there_and_back(Yes(2.0))) is float


@pytest.mark.parametrize("name", ["convolve", "mean_and_sd", "unequal_terms", "residual_forward", "shard"])
def test_inputs_and_outcomes_of_exercises_are_plain_data(name: str) -> None:
    exercise = exercises()[name]
    case = exercise.cases(3)[0]
    assert difference(list(there_and_back(case)), list(case), tolerance=0) is None
    outcome = exercise.outcome(exercise.reference, case)
    assert difference(there_and_back(outcome).value, outcome.value, tolerance=0) is None


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [object(), lambda: 1, torch.nn.ReLU(), 1j, b"", _nested(30), torch.zeros(2, dtype=torch.complex64)],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_plain_data_is_refused(value: Any) -> None:
    with pytest.raises(NotPlainError):
        to_plain(value)


@pytest.mark.parametrize(
    "plain",
    [
        *([], {}, {"list": []}, 3, ["list"], ["list", 3], ["list", [], 1], ["object", 1], [["list"], []]),
        *(["int", 3], ["int", "x"], ["int", "f" * 5000], ["dict", [[1]]], ["dict", [[["list", []], 1]]]),
        *(
            ["set", [["list", []]]],
            ["stopped", 1, 2],
            ["outcome", None, -1],
            ["outcome", None, "1"],
            ["outcome"],
        ),
        *(["set", [["int", hex(n)] for n in range(2_000)]], ["dict", [[float(n), n] for n in range(2_000)]]),
        *(["tensor", "int64", [1], ""], ["tensor", "int64", [-1], "AAAAAAAAAAA="], ["tensor", "x", [], ""]),
        *(["tensor", "int8", [10**12], ""], ["tensor", "int8", [1], "?"], ["tensor", "int8", [True], "AA=="]),
    ],
    ids=lambda plain: repr(plain)[:60],
)
def test_frames_that_were_made_up_are_refused(plain: Any) -> None:
    with pytest.raises(NotPlainError):
        from_plain(plain)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 10**5, b"9" * 10**5])
def test_what_is_not_json_is_refused(content: bytes) -> None:
    with pytest.raises(NotPlainError):
        unpack(content)


def test_a_long_message_is_refused() -> None:
    with pytest.raises(NotPlainError, match="more than 1 MB"):
        pack("x" * 2**21, largest=2**20)
