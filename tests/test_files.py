"""Files are written whole or not at all, and one process works in a folder at a time."""

import subprocess
import sys
from pathlib import Path

import pytest
from safetensors import SafetensorError

from deepernets import files
from deepernets.errors import UserError
from deepernets.files import decode_name, lock_folder, require_writable, write_atomically


@pytest.mark.parametrize(
    "error",
    [OSError(28, "No space left on device"), RuntimeError("No space left"), SafetensorError("No space left")],
)
def test_nothing_half_written_is_left(error: Exception, tmp_path: Path) -> None:
    path = tmp_path / "figure.png"
    path.write_text("old")

    def fail(temporary: Path) -> None:
        temporary.write_text("ne")
        raise error

    with pytest.raises(UserError, match=r"figure.png cannot be written \(No space left.*make room"):
        write_atomically(path, fail)
    assert [(left.name, left.read_text()) for left in tmp_path.iterdir()] == [("figure.png", "old")]


def test_a_lock_is_held_against_another_process_and_ends_with_its_own(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from deepernets.files import lock_folder\n"
        "with lock_folder(Path(sys.argv[1])): print('locked', flush=True); os._exit(0)"
    )

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True)

    with lock_folder(tmp_path):
        assert "Another process is working in" in run().stderr
    assert not list(tmp_path.iterdir())
    assert run().stdout == "locked\n"
    assert [path.name for path in tmp_path.iterdir()] == [
        ".lock"
    ]  # it died with the lock, which now is nobody's
    with lock_folder(tmp_path), pytest.raises(UserError, match="Another process"), lock_folder(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_a_lock_file_is_never_followed_into_another_file(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("content")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").symlink_to(precious)
    with lock_folder(tmp_path / "run"):
        pass
    assert precious.read_text() == "content"


def test_whether_a_file_can_be_written_is_told_before_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    for place in ("file", "new", "new/folder/file"):
        require_writable(tmp_path / place)
    for place, problem in (("", "it is a folder"), ("file/new", "Not a directory")):
        with pytest.raises(UserError, match=rf"cannot be written \({problem}\); choose another --chart\."):
            require_writable(tmp_path / place, "--chart")
    assert [(left.name, left.read_text()) for left in tmp_path.iterdir()] == [("file", "kept")]


def test_the_root_and_a_drive_that_does_not_exist_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(dir: Path) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    with pytest.raises(UserError, match="it is a folder"):
        require_writable(Path(Path.cwd().anchor))
    monkeypatch.setattr(Path, "exists", lambda path: False)
    monkeypatch.setattr(files, "TemporaryFile", absent)
    with pytest.raises(UserError, match="No such file or directory"):
        require_writable(Path("Z:/runs/record.json"))


@pytest.mark.parametrize(
    ("name", "encoding", "decoded"),
    [
        ("과제 3_김.ipynb", "cp949", True),
        ("李小明.ipynb", "utf-8", True),
        ("王小明.zip", "gbk", True),
        ("Müller", "utf-8", True),
        ("Müller Créée", "cp437", False),
        ("Müller Ärzte Ößter", "latin-1", False),
        ("山田.zip", "cp932", False),
    ],
)
def test_names_are_decoded_where_their_encoding_can_be_told(name: str, encoding: str, decoded: bool) -> None:
    assert decode_name(name.encode(encoding)) == (name if decoded else None)
