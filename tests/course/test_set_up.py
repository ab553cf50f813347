"""The first cell of the labs, in Colab, on Kaggle and at home, with and without the course."""

import builtins
import sys
from types import ModuleType
from typing import Any

import pytest
import torch
from IPython.core.inputtransformer2 import TransformerManager

import deepernets
from deepernets.course.set_up import CELL, set_up

URL, REF = "https://github.com/a/b", "v2.0.0"
COURSE = f"git+{URL}@{REF}"


@pytest.fixture(autouse=True)
def _without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.delenv("KAGGLE_KERNEL_RUN_TYPE", raising=False)


@pytest.fixture
def in_colab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))


def run_cell() -> list[str]:
    """Run the set-up cell and return the magics that it called."""
    cell = CELL.substitute(url=URL, ref=REF, version=deepernets.__version__)
    called: list[str] = []

    class Shell:
        def run_line_magic(self, name: str, line: str) -> None:
            called.append(f"{name} {line}")

    exec(TransformerManager().transform_cell(cell), {"get_ipython": Shell})
    return called


def test_at_home_the_cell_installs_nothing_and_names_version_and_device(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_cell() == []
    expected = f"deepernets {deepernets.__version__}. There is no GPU here. The quick profile needs none.\n"
    assert capsys.readouterr().out == expected


@pytest.mark.usefixtures("in_colab")
def test_in_colab_the_cell_installs_the_course_and_says_how_to_get_a_gpu(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_cell() == ["pip install --quiet {COURSE}"]
    assert "Runtime, Change runtime type, T4 GPU" in capsys.readouterr().out


def test_on_kaggle_the_cell_installs_the_course_and_says_how_to_get_a_gpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    assert run_cell() == ["pip install --quiet {COURSE}"]
    assert "Settings, Accelerator" in capsys.readouterr().out


def test_without_the_course_the_cell_says_in_one_sentence_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    imported = builtins.__import__

    def without_the_course(name: str, *rest: Any) -> Any:
        if name.startswith("deepernets"):
            raise ModuleNotFoundError(name)
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_the_course)
    with pytest.raises(
        ImportError, match=rf"^The course is not installed. Run `%pip install git\+{URL}@{REF}`"
    ):
        run_cell()


def test_another_version_is_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("99.0", COURSE)
    said = capsys.readouterr().out
    assert f"is for deepernets 99.0, but {deepernets.__version__} is loaded" in said
    assert f"Run `%pip install {COURSE}`, then restart the kernel" in said


@pytest.mark.usefixtures("in_colab")
def test_in_colab_another_version_asks_for_a_restart(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("99.0", COURSE)
    assert "Restart the runtime (Runtime, Restart session)" in capsys.readouterr().out


def test_a_gpu_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla T4")
    set_up(deepernets.__version__, COURSE)
    assert capsys.readouterr().out == f"deepernets {deepernets.__version__}. GPU: Tesla T4.\n"
