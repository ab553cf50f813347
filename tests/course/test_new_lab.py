"""`deepernets labs new`: what it writes passes the tests that every lab must pass."""

import shutil
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from deepernets.book.editions import for_students, read_toc
from deepernets.course.exercises.judging import judge
from deepernets.course.labs import Lab
from deepernets.course.masters import with_stubs
from deepernets.course.new_lab import new_lab
from deepernets.errors import UserError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "_toc.yml", tmp_path)
    for folder in ("solutions", "labs", "src/deepernets/course/exercises", "tests/course/answers"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def load(path: Path) -> ModuleType:
    spec = spec_from_file_location(f"new_{path.parent.name}_{path.stem}", path)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_answers_of_a_new_lab_are_judged_as_they_say(root: Path) -> None:
    exercises, answers = map(load, new_lab(root, "12_fine_tuning", "Fine-tuning")[1:])
    known = {exercise.name: exercise for exercise in exercises.EXERCISES}
    assert all(judge(known[name], answer, 0) is None for name, answer in answers.RIGHT)
    for name, mistake, answer in answers.WRONG:
        found = judge(known[name], answer, 0)
        assert found is not None
        assert found.mistake == mistake, name


def test_a_new_lab_has_stubs_and_its_solutions_are_right(root: Path) -> None:
    master, exercises, _ = new_lab(root, "12_fine_tuning", "Fine-tuning")
    cells = Lab(root, master).cells
    assert cells[0].source.startswith("# Lab 12: Fine-tuning")
    assert sum(with_stubs(cell.source) != cell.source for cell in cells) == 2
    names: dict[str, object] = {}
    for cell in cells[1:]:
        if cell.cell_type == "code" and "check(" not in cell.source and "import" not in cell.source:
            exec(cell.source, names)
    for exercise in load(exercises).EXERCISES:
        assert judge(exercise, names[exercise.name], 0) is None


def test_a_new_lab_is_the_last_one_in_the_contents(root: Path) -> None:
    before = (root / "_toc.yml").read_text()
    new_lab(root, "99_fine_tuning", "Fine-tuning")  # a number that no lab of a fork will have
    after = (root / "_toc.yml").read_text()
    added = [line.strip() for line in after.splitlines() if line not in before.splitlines()]
    assert added == [
        "- file: labs/99_fine_tuning",
        "- file: solutions/99_fine_tuning",
        'title: "Lab 99: the solution"',
    ]
    assert after.index("labs/11_") < after.index("labs/99_") < after.index("caption: Solutions")


@pytest.mark.parametrize(
    ("name", "title"), [("fine", "A"), ("12-a", "A"), ("12_A", "A"), ("12_a", " "), ("11_a", "A")]
)
def test_a_name_that_cannot_be_used_is_refused_and_nothing_is_written(
    name: str, title: str, root: Path
) -> None:
    (root / "solutions" / "11_taken.py").write_text("")
    with pytest.raises(UserError):
        new_lab(root, name, title)
    assert not list(root.glob("tests/course/answers/*"))


def test_in_a_hand_out_which_has_no_solutions_nothing_is_written(root: Path) -> None:
    toc = for_students(read_toc(root / "_toc.yml"))
    (root / "_toc.yml").write_text(yaml.safe_dump(toc, sort_keys=False))
    with pytest.raises(UserError, match="the repository with the solutions"):
        new_lab(root, "03_train_vgg", "Train VGG")
    assert not list(root.rglob("*.py"))
