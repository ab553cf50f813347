"""Every chapter has what a chapter of this book has; its own figures are tested in a file of its own."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
CHAPTERS = [
    chapter["file"]
    for part in TOC["parts"]
    if part["caption"] not in ("The two papers", "Labs", "Solutions", "Teaching", "Reference")
    for chapter in part["chapters"]
]


def source(page: str) -> str:
    return (ROOT / f"{page}.md").read_text(encoding="utf-8")


def test_the_first_page_lists_every_chapter() -> None:
    assert len(CHAPTERS) >= 15
    listed = re.findall(r"^\| \[\]\(([\w-]+)\.md\) \|", source("book/welcome"), re.MULTILINE)
    summaries = ["vgg-in-one-page", "resnet-in-one-page"]
    assert listed == [*summaries, *(page.removeprefix("book/") for page in CHAPTERS)]


PARTS = (
    r":class: tip",
    r"admonition\} Before you read on",
    r"\{dropdown\}",
    r":class: warning",
    r"\]\(\.\./labs/\d\d_\w+\.ipynb\)",
    r"\{cite:[pt]\}`",
    r"alt: ",
    r"\n## What people get wrong",
    r"\n## Exercises",
)


@pytest.mark.parametrize("page", CHAPTERS)
def test_a_chapter_has_all_its_parts(page: str) -> None:
    assert [part for part in PARTS if not re.search(part, source(page))] == []


@pytest.mark.parametrize("page", CHAPTERS)
def test_a_chapter_has_three_exercises_with_solutions_one_of_them_checked_by_a_cell(page: str) -> None:
    text = source(page)
    exercises = re.findall(r"\{exercise-start\}\n:label: (\S+)", text)
    assert len(exercises) >= 3
    assert re.findall(r"\{solution-start\} (\S+)\n:class: dropdown", text) == exercises
    solutions = text.split("{solution-start}")[1:]
    assert any("assert" in solution.split("{solution-end}")[0] for solution in solutions)


def test_every_chapter_has_a_test_file_of_its_own() -> None:
    names = [page.removeprefix("book/").replace("-", "_") for page in CHAPTERS]
    assert [name for name in names if not (ROOT / "tests" / "book" / f"test_{name}.py").is_file()] == []


def test_labels_of_exercises_are_unique_in_the_book() -> None:
    labels = [label for page in CHAPTERS for label in re.findall(r"\n:label: (\S+)", source(page))]
    assert len(labels) == len(set(labels))
