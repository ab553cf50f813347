import threading
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch

from deepernets.course import checks
from deepernets.course.checks import check, exercises
from deepernets.course.exercises.judging import FunctionExercise


class Hostile:
    """Raises at whatever is done with it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise SystemExit("bye")

    def __float__(self) -> float:
        raise KeyboardInterrupt

    def __eq__(self, other: object) -> bool:
        raise ValueError

    def __repr__(self) -> str:
        raise ValueError

    __hash__ = None  # type: ignore[assignment]


class Unprintable(Exception):
    """An exception whose message cannot be had."""

    def __str__(self) -> str:
        raise ValueError


def _raise_faceless(*args: Any) -> None:
    class Nameless(type):
        @property
        def __name__(cls) -> str:  # type: ignore[override]
            raise ValueError

    class Faceless(Exception, metaclass=Nameless):
        def __str__(self) -> str:
            raise ValueError

    raise Faceless


def _raise_what_no_terminal_prints(*args: Any) -> None:
    raise ValueError("\ud800")


def _raise_unprintable(*args: Any) -> None:
    raise Unprintable


@pytest.mark.parametrize(
    "make",
    [
        Hostile,
        lambda: _raise_unprintable,
        lambda: _raise_faceless,
        lambda: _raise_what_no_terminal_prints,
        lambda: None,
        object,
        str,
        list,
        lambda: len,
        lambda: 1e400,
    ],
)
def test_every_judge_survives_any_object_and_refuses_it(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # one draw of inputs is enough for what is refused on every input
    monkeypatch.setattr(FunctionExercise, "cases", lambda self, seed: list(self.inputs(Random(seed))))
    for name in exercises():
        verdict = check(name, make())
        assert verdict.status == "wrong", name
        assert verdict.hint, name


def test_a_stub_is_not_attempted(capsys: pytest.CaptureFixture[str]) -> None:
    for name in exercises():
        assert check(name, ...).status == "not attempted"
        assert capsys.readouterr().out.startswith(f"{name}: not attempted.")


def _compute_for_ever(*args: Any) -> None:
    while True:
        pass


def _wait_for_ever(*args: Any) -> None:
    while True:
        time.sleep(0.001)


@pytest.mark.parametrize(
    ("limit", "endless"), [("SECONDS", _compute_for_ever), ("WALL_CLOCK_SECONDS", _wait_for_ever)]
)
def test_an_answer_that_never_ends_is_ended(
    limit: str, endless: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = set(threading.enumerate())
    monkeypatch.setattr(checks, limit, 0.2)
    verdict = check("evaluate", endless)
    assert verdict.status == "wrong"
    assert "never end" in verdict.hint
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
        assert not thread.is_alive()


def test_waiting_for_the_processor_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "SECONDS", 1.0)
    waits = iter([1.1])

    def on_a_busy_machine(*args: Any) -> None:
        time.sleep(next(waits, 0.0))
        raise KeyError("as slow as it is wrong")

    assert "as slow as it is wrong" in check("evaluate", on_a_busy_machine).hint


def test_an_answer_is_not_charged_for_what_it_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "as_large_as_pytorchs_compiler"
    package.mkdir()
    slow = (
        "from time import process_time\nend = process_time() + 0.3\nwhile process_time() < end:\n    pass\n"
    )
    for name in ("a", "b", "c", "d"):
        (package / f"{name}.py").write_text(slow)
    (package / "__init__.py").write_text("from as_large_as_pytorchs_compiler import a, b, c, d\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(checks, "SECONDS", 0.8)

    def with_an_import(*args: Any) -> None:
        import as_large_as_pytorchs_compiler  # type: ignore[import-not-found]

        raise KeyError(as_large_as_pytorchs_compiler.__name__)

    assert "KeyError: 'as_large_as_pytorchs_compiler'" in check("evaluate", with_an_import).hint


def test_an_answer_that_raises_is_told_why() -> None:
    def broken(model: Any, batches: Any) -> None:
        raise KeyError("labels")

    assert "KeyError: 'labels'" in check("evaluate", broken).hint


def test_a_message_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "WALL_CLOCK_SECONDS", 0.2)

    class Endless(Exception):
        def __str__(self) -> str:
            while True:
                time.sleep(0.001)

    def broken(*args: Any) -> None:
        raise Endless

    assert "never end" in check("evaluate", broken).hint


def test_a_long_message_is_cut() -> None:
    def broken(*args: Any) -> None:
        raise ValueError("x" * 10**6)

    assert len(check("evaluate", broken).hint) < 500


def test_a_check_leaves_random_numbers_as_they_were() -> None:
    before = torch.get_rng_state()
    for name in exercises():
        check(name, lambda *args: torch.rand(3))
        assert torch.equal(torch.get_rng_state(), before), name


@pytest.mark.parametrize("name", ["no_such_exercise", 3, None, ["evaluate"]])
def test_an_unknown_exercise_is_named_without_raising(name: Any) -> None:
    verdict = check(name, 1)
    assert verdict.status == "wrong"
    assert "train_step" in verdict.hint


def test_names_are_unique_and_every_hint_is_a_sentence() -> None:
    modules = list(exercises().values())
    assert len(modules) >= 5
    for exercise in modules:
        assert len(set(exercise.hints.values())) == len(exercise.hints) >= 3
        assert all(hint.endswith((".", "?")) for hint in exercise.hints.values())


def test_a_lab_goes_on_with_the_reference_where_an_answer_is_not_right() -> None:
    def right(layers: Any) -> Any:
        return exercises()["field_size"].reference(layers)

    assert check("field_size", right).or_reference() is right
    for answer in (sum, ...):
        assert check("field_size", answer).or_reference()([(3, 1), (3, 1)]) == 5
