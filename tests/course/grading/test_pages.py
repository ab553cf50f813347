"""The answers of a class to a lab's questions, on one page."""

from pathlib import Path

from bs4 import BeautifulSoup

from deepernets.course.grading.pages import LONGEST_ANSWER, by_question, explanations_path, write_explanations
from deepernets.course.grading.submissions import Submission

WHY, HOW = "Explain. Why three?", "Explain. How many?"


def _of(student: str, *answers: tuple[str, str], lab: str = "lab03") -> Submission:
    return Submission(student, {1: "1"}, lab, answers=answers)


def test_answers_are_grouped_by_question_in_the_order_of_the_lab() -> None:
    class_ = [
        _of("ada", (HOW, "Two.")),  # the other question was deleted
        _of("bob", (WHY, "Because."), (HOW, "")),
        _of("eve", (f"{WHY} I think so.", "See above."), (HOW, "3")),
    ]
    assert by_question(class_) == {
        WHY: {"bob": "Because.", "eve": "I think so.\n\nSee above."},
        HOW: {"ada": "Two.", "bob": "", "eve": "3"},
    }


def test_the_page_shows_what_students_wrote_as_text_with_room_for_points(tmp_path: Path) -> None:
    script = "<script>alert(1)</script> & **bold**\nnext line\x1b[31m"
    class_ = [
        _of("<b>eve</b>", (WHY, script)),
        _of("long", (WHY, "x" * 2 * LONGEST_ANSWER)),
        _of("lazy", (WHY, "")),
        _of("other", (WHY, "of another lab"), lab="lab04"),
    ]
    out = tmp_path / "grades.csv"
    write_explanations(class_, "lab03", out)
    text = explanations_path(out).read_text(encoding="utf-8")
    page = BeautifulSoup(text, "html.parser")
    assert not page.find_all(["script", "b"])
    students, points, answers = zip(*(row.find_all("td") for row in page.find_all("tr")[1:]), strict=True)
    assert [cell.text for cell in students] == ["<b>eve</b>", "long", "lazy"]
    assert answers[0].text == script.replace("\x1b", "\\x1b")
    assert len(answers[1].text) == LONGEST_ANSWER + 1
    assert answers[2].text == "(no answer)"
    assert points[0].input["aria-label"] == "Points of <b>eve</b> for question 1"
    assert "of another lab" not in text


def test_a_lab_without_questions_gets_a_page_that_says_so(tmp_path: Path) -> None:
    write_explanations([_of("ada")], "lab03", tmp_path / "grades.csv")
    assert "Questions: 0. Students: 1." in explanations_path(tmp_path / "grades.csv").read_text(
        encoding="utf-8"
    )
