"""What students really answer: right answers pass, and each wrong one gets the hint that fits its mistake.

The answers of each lab are in ``answers/labNN.py``: RIGHT holds (exercise, answer), WRONG holds (exercise, mistake,
answer), where the mistake is the key of the hint.
"""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

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


@pytest.mark.parametrize("name", exercises())
def test_right_answers_pass_on_the_labs_and_on_hidden_inputs(name: str) -> None:
    for number, answer in enumerate(answer for tried, answer in RIGHT if tried == name):
        assert repr(check(name, answer)).startswith(f"{name}: right."), number
        for seed in HIDDEN_SEEDS:
            assert judge(name, answer, seed).status == "right", (number, seed)


@pytest.mark.parametrize("name", exercises())
def test_each_mistake_gets_its_own_hint_and_is_refused_on_hidden_inputs(name: str) -> None:
    for number, (_, mistake, answer) in enumerate(row for row in WRONG if row[0] == name):
        verdict = check(name, answer)
        assert verdict.status == "wrong", (number, mistake)
        assert verdict.mistake == mistake, (number, verdict)
        assert judge(name, answer, HIDDEN_SEEDS[-1]).status == "wrong", (number, mistake)


def test_a_function_that_returns_the_placeholder_is_not_attempted() -> None:
    for name in {name for name, answer in RIGHT if callable(answer)}:
        assert check(name, lambda *args: ...).status == "not attempted", name


@pytest.mark.parametrize("lab", labs())
def test_every_exercise_has_two_right_answers_and_four_kinds_of_mistake(lab: str) -> None:
    for name in labs()[lab]:
        assert sum(name == tried for tried, _ in ANSWERS[lab].RIGHT) >= 2, name
        assert len({mistake for tried, mistake, _ in ANSWERS[lab].WRONG if tried == name}) >= 4, name


def test_every_answer_belongs_to_an_exercise_of_its_lab() -> None:
    for lab, module in ANSWERS.items():
        assert {row[0] for row in (*module.RIGHT, *module.WRONG)} == set(labs()[lab])
