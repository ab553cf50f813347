"""The map of the course agrees with its pages."""

import re
from pathlib import Path

import pytest
import yaml

from deepernets.book.course_map import MAP, Course, Minutes, before, in_hours, total
from deepernets.book.editions import INSTRUCTOR_PARTS
from deepernets.errors import UserError

ROOT = Path(__file__).parents[2]
PARTS = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))["parts"]
LABS = [name for name in MAP if name[0].isdigit()]


@pytest.fixture(scope="module")
def course() -> Course:
    return Course(ROOT)


def lab_text(name: str) -> str:
    return (ROOT / "solutions" / f"{name}.py").read_text(encoding="utf-8")


def test_every_page_of_the_book_is_on_the_map_in_its_order() -> None:
    listed = [
        Path(page["file"]).name
        for part in PARTS
        if part["caption"] != "Solutions"
        for page in part["chapters"]
    ]
    assert list(MAP) == listed


def test_prerequisites_point_backwards() -> None:
    order = list(MAP)
    for name, entry in MAP.items():
        assert all(order.index(page) < order.index(name) for page in entry.needs), name
        assert all(MAP.keys() & {page} for page in before(name))


@pytest.mark.parametrize("name", LABS)
def test_a_lab_needs_what_it_says_that_it_needs(name: str) -> None:
    text = " ".join(lab_text(name).replace("\n# ", " ").split())
    said = re.search(r"\*\*You need\*\* (.+?) \*\*You get\*\*", text)
    assert said
    numbers = {f"{int(number):02}" for number in re.findall(r"lab (\d+)", said[1])}
    labs = {lab for lab in LABS if lab[:2] in numbers}
    assert len(labs) == len(numbers)
    chapters = set(re.findall(r"\]\(book:([\w-]+)\)", said[1]))
    assert set(MAP[name].needs) == labs | chapters


def test_labs_of_chapters_exist(course: Course) -> None:
    numbers = {int(name[:2]) for name in LABS}
    assert {lab for entry in MAP.values() for lab in entry.labs} == numbers
    assert course.short_link(1) == "[1](../labs/01_receptive_fields.ipynb)"


def test_times_are_those_that_the_pages_state(course: Course) -> None:
    assert course.minutes("vgg-in-one-page") == Minutes(10, 10)
    assert "It takes 75 to 90 minutes" in " ".join(
        lab_text("01_receptive_fields").replace("\n# ", " ").split()
    )
    assert course.minutes("01_receptive_fields") == Minutes(75, 90)
    assert course.minutes("glossary") is None
    assert len(course.timed("labs")) == len(LABS)


def test_every_chapter_and_lab_is_a_row_with_its_time(course: Course) -> None:
    rows = [row for row in course.chapters() if row["minutes"]]
    assert [row["minutes"] for row in rows] == [str(time) for time in course.timed("book")]
    assert all(row["minutes"] for row in course.labs())
    shown = " ".join(str(row) for row in (*rows, *course.labs(), *course.reference()))
    teaching = next(part["chapters"] for part in PARTS if part["caption"] == "Teaching")
    missing = [name for name in MAP if f"{name}." not in shown]
    assert missing == ["map", *(Path(page["file"]).name for page in teaching)]
    assert set(INSTRUCTOR_PARTS) <= {part["caption"] for part in PARTS}


def test_a_page_that_is_not_on_the_map_is_named(tmp_path: Path) -> None:
    (tmp_path / "_toc.yml").write_text("parts: [{caption: Labs, chapters: [{file: labs/12_new}]}]")
    with pytest.raises(UserError, match="no entry for 12_new; add it to MAP"):
        Course(tmp_path)


def test_the_time_before_a_lab_is_that_of_all_it_needs(course: Course) -> None:
    assert before("02_build_vgg") == ["convolution", "vgg-configurations", "01_receptive_fields"]
    earlier = [time for page in before("02_build_vgg") if (time := course.minutes(page))]
    assert course.labs()[1]["hours before it"] == in_hours(total(earlier))
