"""Pages of HTML for instructors and students; what students wrote is shown as text and never interpreted."""

import html
from pathlib import Path
from string import Template

from deepernets.course.grading.submissions import Submission, printable, truncate
from deepernets.files import write_text

LONGEST_ANSWER = 20_000  # characters
PAGE = Template("""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
body { overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid #999; }
th, td:nth-child(2) { white-space: nowrap; }
td:first-child { min-width: 11rem; }
.answer { white-space: pre-wrap; }
input { font: inherit; width: 4rem; }
@media (max-width: 30rem) { tr, td { display: block; } th { display: none; } td { border: 0; padding: .1rem 0; }
  tr { border-bottom: 1px solid #999; padding: .4rem 0; } }
</style></head>
<body>
<h1>$title</h1>
<p>$summary</p>
$table
$remarks
</body></html>
""")


def explanations_path(out: Path) -> Path:
    """Return where the answers to a lab's questions are written, next to the table of grades."""
    return out.with_name(f"{out.stem}-explain.html")


def write_explanations(submissions: list[Submission], lab: str, out: Path) -> None:
    """Write a page with all answers to a lab's questions, by question, with room for points.

    Args:
        submissions: What was handed in; those of other labs are left out.
        lab: The lab, such as ``lab03``.
        out: The table of grades, which the page is written next to.
    """
    answers = by_question([one for one in submissions if one.lab == lab])
    parts = [
        f"<h2>Question {number}</h2><p>{html.escape(question)}</p>{_table(number, given)}"
        for number, (question, given) in enumerate(answers.items(), 1)
    ]
    students = sum(one.lab == lab for one in submissions)
    page = PAGE.substitute(
        title=html.escape(f"{lab}: answers to the questions"),
        summary=f"Questions: {len(answers)}. Students: {students}. Points that you type here are not saved: print "
        "the page, or save it as PDF.",
        table="\n".join(parts),
        remarks="",
    )
    write_text(explanations_path(out), page)


def by_question(submissions: list[Submission]) -> dict[str, dict[str, str]]:
    """Return for each question the answer of each student, in the order of the lab.

    An answer may have been written into the cell of its question.
    """
    asked = sorted({question for one in submissions for question, _ in one.answers}, key=len)
    shortest = {text: next(q for q in asked if text.startswith(q)) for text in asked}
    found: dict[str, dict[str, str]] = {}
    for one in sorted(submissions, key=lambda one: -len(one.answers)):
        for text, answer in one.answers:
            question = shortest[text]
            whole = f"{text[len(question) :].strip()}\n\n{answer}".strip()
            found.setdefault(question, {})[one.student] = whole
    return {
        question: {one.student: given[one.student] for one in submissions if one.student in given}
        for question, given in found.items()
    }


def _table(number: int, given: dict[str, str]) -> str:
    rows = [
        f'<tr><td>{_text(student)}</td><td><input type="number" min="0" step="0.5" '
        f'aria-label="Points of {_text(student)} for question {number}"></td>'
        f'<td class="answer">{_text(answer) or "(no answer)"}</td></tr>'
        for student, answer in given.items()
    ]
    return f"<table><tr><th>student</th><th>points</th><th>answer</th></tr>{''.join(rows)}</table>"


def _text(words: str) -> str:
    lines = truncate(words, LONGEST_ANSWER).splitlines()
    return html.escape("\n".join(map(printable, lines)))
