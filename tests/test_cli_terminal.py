"""What the command line prints can be read in a terminal of 80 columns, and has no colours."""

import io
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from cyclopts import App

from deepernets import cli
from deepernets.cli.terminal import align, terminal_width, wrap
from deepernets.cli.trained import _table, report
from deepernets.training.records import load_record, results_folder

if TYPE_CHECKING:
    from tests.conftest import Run

LONG = "report-b/resnet-44-cifar10/without-augmentation-rate-0.001"


def _commands(app: App, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield words
    for name in app:
        if not name.startswith("-"):
            yield from _commands(app[name], (*words, name))


@pytest.mark.parametrize("words", list(_commands(cli.app)), ids=" ".join)
def test_every_help_fits_80_columns_and_has_no_colours(
    run: "Run", words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for setting in ("NO_COLOR", "FORCE_COLOR"):  # also where colours are asked for, as by a terminal
        monkeypatch.setenv(setting, "1")
        printed = "".join(run(*words, "--help")[1:])
        monkeypatch.delenv(setting)
        assert printed.startswith("Usage: deepernets")
        assert max(map(len, printed.splitlines())) <= 80
        assert "\x1b" not in printed


@pytest.mark.parametrize(
    "words",
    [
        ["recipes"],
        ["recipes", LONG],
        ["models"],
        ["data", "check", "--data-root", "/nowhere"],
        ["reproduce", "--dry-run", "--only", "report-b/resnet-44-cifar10/*"],
        ["retrain"],
        ["train", "quick/vg"],
        ["train", "--schedule", "linear"],
        ["train", "--data-root", "nowhere", "--data", "mnist", "--out", "/dev/null"],
        ["show", "nowhere"],
        ["export", "report-b/resnet-20-mnist/ours", "net.txt"],
    ],
    ids=" ".join,
)
def test_output_and_errors_fit_80_columns(
    run: "Run", words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FORCE_COLOR", "1")
    printed = "".join(run(*words)[1:])
    assert "\x1b" not in printed
    long = [line for line in printed.splitlines() if len(line) > 80]
    assert not [line for line in long if len(line.split()) > 1]  # a path alone is not broken


@pytest.mark.parametrize(("width", "words"), [(40, None), (70, 2), (80, 1)])
def test_the_report_of_a_run_with_ten_classes_fits_the_terminal(
    width: int, words: int | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`words` is how many a row of the matrix begins with: a name, after a number where names are too wide."""
    monkeypatch.setenv("COLUMNS", str(width))
    record = load_record(results_folder() / "report-b" / "resnet-20-cifar10" / "ours" / "full-seed0.json")
    report(record)
    lines = capsys.readouterr().out.splitlines()
    matrix = lines[-10:]
    if words is None:
        assert "too wide" in " ".join(matrix)
    else:
        assert max(map(len, matrix)) <= width
        counts = [[int(word) for word in line.split()[words:]] for line in matrix]
        assert counts == record.test["confusion"]


def test_a_wide_table_of_runs_becomes_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [["", "run 1", "run 2"], ["recipe", LONG, LONG + "-b"], ["epochs", "3", "4"]]
    monkeypatch.setenv("COLUMNS", "200")
    assert _table(rows) == align(rows)
    monkeypatch.setenv("COLUMNS", "80")
    assert _table(rows).splitlines() == [
        "recipe", f"  run 1: {LONG}", f"  run 2: {LONG}-b", "epochs", "  run 1: 3", "  run 2: 4",
    ]  # fmt: skip


def test_text_is_wrapped_for_a_terminal_and_not_for_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "one two three\nfour /a/long/path/in/one-piece five"
    monkeypatch.delenv("COLUMNS", raising=False)
    assert terminal_width(io.StringIO()) is None
    assert wrap(text, io.StringIO()) == text
    monkeypatch.setenv("COLUMNS", "10")
    assert wrap(text, indent=" ").splitlines() == [
        "one two", " three", "four", " /a/long/path/in/one-piece", " five",
    ]  # fmt: skip


def test_bash_completes_commands_and_options() -> None:
    script = cli.app.generate_completion(shell="bash")
    ask = (
        'f=$(complete -p deepernets | sed "s/.*-F \\([^ ]*\\).*/\\1/")\n'
        "for words in 'deepernets tr' 'deepernets train --prof' 'deepernets train --log t'; do\n"
        "  COMP_WORDS=($words); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=(); $f; echo ${COMPREPLY[*]}\n"
        "done\n"
    )
    try:
        done = subprocess.run(["bash", "-c", f"{script}\n{ask}"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no bash")
    assert done.stdout.split() == ["train", "--profile", "tensorboard"], done.stderr


def test_the_command_that_installs_completion_writes_the_script(
    run: "Run", tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    run("--install-completion", "--shell", "fish", "--output", str(home / "deepernets.fish"))
    assert "deepernets" in (home / "deepernets.fish").read_text(encoding="utf-8")
