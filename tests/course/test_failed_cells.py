"""Cells that fail: an answer that never ran is not taken for a missing one."""

from types import SimpleNamespace
from typing import Any

import pytest

from deepernets.course import checks, failed_cells
from deepernets.course.checks import check
from deepernets.course.failed_cells import bound_names, describe_failure


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_cells, "_failures", {})
    monkeypatch.setattr(checks, "_statuses", {})


def ran(source: str, before: BaseException | None = None, during: BaseException | None = None) -> None:
    """Tell as IPython does that a cell was run, and how it failed."""
    failed_cells._note(
        SimpleNamespace(info=SimpleNamespace(raw_cell=source), error_before_exec=before, error_in_exec=during)
    )


def syntax_error(source: str) -> SyntaxError:
    with pytest.raises(SyntaxError) as raised:
        compile(source, "cell", "exec")
    return raised.value


def right(z: Any, y: Any, k: int) -> Any:
    return (z.topk(k).indices != y[:, None]).all(1).double().mean()


BROKEN = "def top_k_error(logits, labels, k)\n    return 0"


@pytest.mark.parametrize(
    "answer", [..., lambda *args: ..., right], ids=["stub", "stub of a function", "earlier"]
)
def test_a_syntax_error_is_shown_as_what_it_is(answer: Any) -> None:
    ran(BROKEN, before=syntax_error(BROKEN))
    verdict = check("top_k_error", answer)
    assert verdict.status == "wrong"
    assert "SyntaxError in line 1: expected ':'" in verdict.hint
    assert verdict.or_reference() is verdict.reference
    ran("def top_k_error(logits, labels, k):\n    return ...")
    assert check("top_k_error", ...).status == "not attempted"


def test_an_answer_whose_cell_stopped_is_not_one_that_was_not_attempted() -> None:
    ran("he_std = 1 / zero", during=NameError("name 'zero' is not defined"))
    assert "NameError: name 'zero' is not defined" in check("he_std", ...).hint
    ran("top_k_error = right\n1 / 0", during=ZeroDivisionError("division by zero"))
    assert check("top_k_error", right).status == "right", "it was defined before the cell stopped"


def test_a_cell_that_fails_elsewhere_changes_no_verdict() -> None:
    ran('error = check("top_k_error", top_k_error)\nx == top_k_error', during=NameError("x"))
    assert check("top_k_error", ...).status == "not attempted"


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("a, b = 1, 2", {"a", "b"}),
        ("rate: float = 0.1", {"rate"}),
        ("async def run():\n    inner = 1", {"run"}),
        ("class Block(nn.Module):\n    size = 1", {"Block"}),
        ("a == 1\nprint(b, c=1)", set()),
        ("table = [\n" + "1,\n" * 300_000 + "]", {"table"}),  # read once, and not once for each line
    ],
)
def test_the_names_that_a_cell_binds(source: str, names: set[str]) -> None:
    assert bound_names(source) == names


def test_an_exception_without_a_message_does_no_harm() -> None:
    class Unprintable(Exception):
        def __str__(self) -> str:
            raise ValueError

    ran("he_std = f()", during=Unprintable())
    assert "cannot be printed" in check("he_std", ...).hint
    assert describe_failure(IndentationError("unexpected indent")) == "IndentationError: unexpected indent"


def test_in_a_notebook_a_verdict_has_mark_colour_and_count_and_a_sentence_to_read_aloud(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[dict[str, str]] = []
    shell = SimpleNamespace(kernel=object(), display_pub=SimpleNamespace(publish=shown.append))
    monkeypatch.setattr(checks, "ipython_shell", lambda: shell)
    check("top_k_error", right)
    check("confusion", lambda *args: "<b>")
    check("confusion", ...)
    first, second, third = shown
    assert first["text/plain"] == "✓ top_k_error: right. 1 of 7 exercises are right."
    assert '<span aria-hidden="true">✓</span> top_k_error: right. 1 of 7' in first["text/html"]
    assert second["text/plain"].startswith("✗ confusion: wrong. ")
    assert "<b>" not in second["text/html"]
    assert third["text/plain"].startswith("– confusion: not attempted. ")
    assert len({page["text/html"].split("solid ")[1][:7] for page in shown}) == 3
    assert capsys.readouterr().out == ""


def test_in_a_terminal_with_ipython_a_verdict_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checks, "ipython_shell", SimpleNamespace)
    check("top_k_error", right)
    assert capsys.readouterr().out == "top_k_error: right. 1 of 7 exercises are right.\n"


def test_a_verdict_that_changes_changes_the_count(capsys: pytest.CaptureFixture[str]) -> None:
    for answer, count in ((right, 1), (..., 0), (right, 1)):
        check("top_k_error", answer)
        assert capsys.readouterr().out.endswith(f"{count} of 7 exercises are right.\n")
    check("no_such_exercise", 1)
    assert "exercises are right" not in capsys.readouterr().out
