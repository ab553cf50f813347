"""What students really answer: right answers pass, and each wrong one gets the hint that fits its mistake.

The answers of each lab are in ``answers/labNN.py``: RIGHT holds (exercise, answer), WRONG holds (exercise, mistake,
answer), where the mistake is the key of the hint.
"""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from deepernets.course.checks import check, exercises, judge, labs

HIDDEN_SEEDS = (1, 2, 2026)  # what a grader may draw


def _load(path: Path) -> ModuleType:
    spec = spec_from_file_location(f"answers_{path.stem}", path)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ANSWERS = {path.stem: _load(path) for path in sorted((Path(__file__).parent / "answers").glob("lab*.py"))}
RIGHT = [row for module in ANSWERS.values() for row in module.RIGHT]
WRONG = [row for module in ANSWERS.values() for row in module.WRONG]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_right_answers_pass(name: str, answer: Any) -> None:
    assert repr(check(name, answer)) == f"{name}: right."


@pytest.mark.parametrize(("name", "mistake", "answer"), WRONG)
def test_each_mistake_gets_its_own_hint(name: str, mistake: str, answer: Any) -> None:
    verdict = check(name, answer)
    assert verdict.status == "wrong"
    assert verdict.hint == exercises()[name].hints[mistake]


@pytest.mark.parametrize("seed", HIDDEN_SEEDS)
@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_right_answers_pass_on_hidden_inputs(name: str, answer: Any, seed: int) -> None:
    assert judge(name, answer, seed).status == "right"


@pytest.mark.parametrize(("name", "mistake", "answer"), WRONG)
def test_wrong_answers_are_refused_on_hidden_inputs(name: str, mistake: str, answer: Any) -> None:
    assert {judge(name, answer, seed).status for seed in HIDDEN_SEEDS} == {"wrong"}


@pytest.mark.parametrize("name", sorted({name for name, answer in RIGHT if callable(answer)}))
def test_a_function_that_returns_the_placeholder_is_not_attempted(name: str) -> None:
    assert check(name, lambda *args: ...).status == "not attempted"


@pytest.mark.parametrize("lab", labs())
def test_every_exercise_has_two_right_answers_and_four_kinds_of_mistake(lab: str) -> None:
    for name in labs()[lab]:
        assert sum(name == tried for tried, _ in ANSWERS[lab].RIGHT) >= 2, name
        assert len({mistake for tried, mistake, _ in ANSWERS[lab].WRONG if tried == name}) >= 4, name


def test_every_answer_belongs_to_an_exercise_of_its_lab() -> None:
    for lab, module in ANSWERS.items():
        assert {row[0] for row in (*module.RIGHT, *module.WRONG)} == set(labs()[lab])
