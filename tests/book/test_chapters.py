"""Every chapter has what a chapter of this book has; its own figures are tested in a file of its own."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from tests.book.conftest import Book

ROOT = Path(__file__).parents[2]
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
CHAPTERS = [
    chapter["file"]
    for part in TOC["parts"]
    if part["caption"] not in ("Start", "The two papers", "Labs", "Solutions", "Teaching", "Reference")
    for chapter in part["chapters"]
]


SUMMARIES = [
    chapter["file"]
    for part in TOC["parts"]
    if part["caption"] == "The two papers"
    for chapter in part["chapters"]
]


def source(page: str) -> str:
    return (ROOT / f"{page}.md").read_text(encoding="utf-8")


def test_the_map_shows_every_chapter_with_its_reading_time(book: "Book") -> None:
    assert len(CHAPTERS) >= 15
    rows = {row[0]: row[1] for row in book.rows("book/map")}
    for page in (*SUMMARIES, *CHAPTERS):
        title = re.search(r"^# (.+)$", source(page), re.MULTILINE)
        minutes = re.search(READING_TIME, source(page))
        assert title
        assert minutes
        assert [time for row, time in rows.items() if row.startswith(f"{title[1]}:")] == [minutes[1]]


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


MOST_MINUTES = 45
READING_TIME = r"\A---\nfile_format: mystnb\n---\n\n# [^\n]+\n\n\*Reading time: about (\d+) minutes"


@pytest.mark.parametrize("page", [*SUMMARIES, *CHAPTERS])
def test_a_chapter_has_its_reading_time_at_the_top(page: str) -> None:
    found = re.match(READING_TIME, source(page))
    assert found is not None
    assert int(found[1]) <= MOST_MINUTES


@pytest.mark.parametrize("page", CHAPTERS)
def test_a_chapter_ends_with_a_summary_before_its_exercises(page: str) -> None:
    sections = re.findall(r"^## (.+)$", source(page), re.MULTILINE)
    assert sections[-3:] == ["What people get wrong", "In short", "Exercises"]
    summary = source(page).split("\n## In short\n")[1].split("\n## ")[0]
    assert 4 <= len(re.findall(r"^(?:-|\d\.) ", summary, re.MULTILINE)) <= 6


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


def test_every_term_of_the_glossary_is_linked_from_a_chapter() -> None:
    glossary = source("book/glossary").split("```{glossary}")[1]
    terms = re.findall(r"^(\S.*)$", glossary.split("\n```")[0], re.MULTILINE)
    assert len(terms) >= 40
    linked = {
        term
        for page in (*SUMMARIES, *CHAPTERS)
        for text, target in re.findall(r"\{term\}`([^`<]*?)(?: <([^`>]+)>)?`", source(page))
        for term in [target or text]
    }
    assert [term for term in terms if term not in linked] == []


@pytest.mark.parametrize("page", [*SUMMARIES, *CHAPTERS])
def test_a_chapter_links_a_term_once(page: str) -> None:
    linked = [
        (target or text).lower()
        for text, target in re.findall(r"\{term\}`([^`<]*?)(?: <([^`>]+)>)?`", source(page))
    ]
    assert len(linked) == len(set(linked))
