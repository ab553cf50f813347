"""The options of a run, and the folder that belongs to them."""

import os
import sys
from pathlib import Path

import pytest

from deepernets.errors import UserError
from deepernets.recipes import get_recipe
from deepernets.training.options import RunOptions, require_folder_name

TINY = get_recipe("quick/vgg").changed(epochs=3, train_images=128, batch_size=32)


def test_every_change_gets_a_folder_of_its_own() -> None:
    folders = {
        RunOptions().folder(TINY),
        RunOptions().folder(TINY.changed(epochs=4)),
        RunOptions(profile="quick").folder(TINY),
        RunOptions(seed=1).folder(TINY),
        RunOptions().folder(get_recipe("quick/vgg")),
        RunOptions(precision="fp32").folder(TINY),
        RunOptions(precision="bf16").folder(TINY),
    }
    assert len(folders) == 7


@pytest.mark.parametrize("data", ["birds/small", "C:\\birds\\small", 'a*b?<c>|"d"'])
def test_a_run_on_an_image_folder_has_one_folder_whatever_the_system(data: str) -> None:
    folder = RunOptions(out=Path("runs")).folder(TINY.changed(data=data))
    assert folder.parent == Path("runs/quick/vgg")
    assert not set(folder.name) & set('\\/:*?"<>|')


@pytest.mark.parametrize("name", ["x" * 300, "é" * 200])
def test_a_name_that_is_too_long_is_refused_before_its_folder_exists(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "quick" / name
    with pytest.raises(UserError, match="cannot be used"):
        require_folder_name(folder)
    assert not list(tmp_path.iterdir())
    require_folder_name(tmp_path / "runs" / "quick" / "full-seed0")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are Unicode")
def test_a_folder_whose_name_is_not_utf8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"M\\xfcller.* is not UTF-8"):
        require_folder_name(tmp_path / os.fsdecode(b"M\xfcller") / "full-seed0")


def test_every_seed_from_0_is_accepted_and_no_negative_one() -> None:
    for seed in (0, 1_764_155_132_123_456_789, 2**64, 10**30):
        RunOptions(seed=seed)
    with pytest.raises(UserError, match="--seed is -1; expected a whole number of at least 0"):
        RunOptions(seed=-1)


@pytest.mark.parametrize("letter", ["\n", "\0", "\x1b"])
def test_a_folder_with_control_characters_is_refused(letter: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has control characters in its name") as refused:
        require_folder_name(tmp_path / f"a{letter}b" / "full-seed0")
    assert letter not in str(refused.value)


def test_a_run_has_a_folder_and_neither_a_file_nor_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name, sentence in (("file", "is a file"), ("link", "symbolic link"), ("dangling", "symbolic link")):
        with pytest.raises(UserError, match=sentence):
            require_folder_name(tmp_path / name)
    require_folder_name(tmp_path / "link" / "full-seed0")


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/x", "", "."])
def test_a_recipe_has_a_name_that_stays_in_the_folder_of_runs(name: str) -> None:
    with pytest.raises(UserError, match=r"it must be a name without \.\."):
        TINY.changed(name=name)
