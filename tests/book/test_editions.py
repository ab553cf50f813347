from pathlib import Path

import pytest

from deepernets.book import editions

ROOT = Path(__file__).parents[2]
TOC = editions.read_toc(ROOT / "_toc.yml")


def test_the_student_edition_is_the_whole_list_without_solutions_and_teaching() -> None:
    assert editions.edition_of(TOC) == "instructor"
    students = editions.for_students(TOC)
    assert editions.edition_of(students) == "student"
    missing = editions.instructor_pages(TOC)
    assert "book/teaching" in missing
    assert {page for page in editions.pages_in(TOC) if page.startswith("solutions/")} < missing
    assert [page for page in editions.pages_in(TOC) if page not in missing] == editions.pages_in(students)
    assert editions.for_students(students) == students


@pytest.mark.parametrize("page", editions.pages_in(editions.for_students(TOC)))
def test_a_page_for_students_keeps_no_link_to_an_instructor_page(page: str) -> None:
    path = ROOT / f"{page}.md"
    text = (path if path.is_file() else path.with_suffix(".ipynb")).read_text(encoding="utf-8")
    kept = editions.without_links(text, page, editions.instructor_pages(TOC)) if path.is_file() else text
    assert "teaching.md" not in kept, "a link to it needs a text of its own"
    assert "](../solutions/" not in kept


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("[the plans](teaching.md)", "the plans (instructor edition)"),
        ("[the answer](../solutions/01_a.ipynb#top)", "the answer (instructor edition)"),
        ("[data](data.md), ![a picture](teaching.md)", "[data](data.md), ![a picture](teaching.md)"),
        ("[the web](https://example.org/teaching.md)", "[the web](https://example.org/teaching.md)"),
    ],
)
def test_only_links_to_missing_pages_become_text(text: str, changed: str) -> None:
    assert editions.without_links(text, "book/welcome", {"book/teaching", "solutions/01_a"}) == changed


def test_pages_of_the_other_edition_are_deleted_and_others_are_kept(tmp_path: Path) -> None:
    (tmp_path / "_toc.yml").write_text((ROOT / "_toc.yml").read_text(encoding="utf-8"), encoding="utf-8")
    page = tmp_path / "_build" / "html" / "solutions.html"
    for edition, stays in (
        ("student", False),
        ("student", True),
        ("instructor", False),
        ("instructor", True),
    ):
        page.parent.mkdir(parents=True, exist_ok=True)
        page.touch()
        editions.write_toc(edition, tmp_path)
        assert page.exists() is stays, edition
        assert editions.edition_of(editions.read_toc(tmp_path / "_build" / "toc.yml")) == edition
