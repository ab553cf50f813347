"""Compiling: with a compiler the same numbers under the same names, and without one a sentence."""

import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from deepernets.exceptions import UserError
from deepernets.training import hardware, runs
from deepernets.training.recipe import recipe


@pytest.mark.skipif(not hardware.can_compile(), reason="there is no compiler for torch.compile")
@pytest.mark.filterwarnings("ignore")  # of PyTorch's compiler, about itself
def test_a_compiled_network_computes_the_same_under_the_same_names(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU())  # two layers, since compiling takes seconds
    numbers = torch.randn(5, 4)
    expected, names = model(numbers), list(model.state_dict())
    hardware.compile_calls(model)
    with torch.no_grad():
        torch.testing.assert_close(model(numbers), expected)
    assert list(model.state_dict()) == names


def test_a_compiled_run_says_so_and_goes_on_uncompiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "can_compile", lambda: True)
    monkeypatch.setattr(nn.Module, "compile", _without_a_compiler)
    tiny = recipe("quick/vgg").changed(epochs=1, train_images=64, batch_size=32)
    uncompiled = runs.train(tiny, out=tmp_path / "plain", precision="fp32").record
    run = runs.train(tiny, out=tmp_path, precision="fp32", compile=True)
    compiled = run.record
    assert (uncompiled.compile, compiled.compile) == (False, True)
    assert compiled.test["loss"] == pytest.approx(uncompiled.test["loss"], rel=1e-4)
    assert run.evaluate().accuracy == compiled.test["accuracy"]


def _without_a_compiler(model: nn.Module) -> None:
    """Go the way of compiled calls, with what is called left as it is."""
    model._compiled_call_impl = torch.compile(model._call_impl, backend="eager")


def test_without_a_compiler_there_is_a_sentence_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert not hardware.can_compile()
    with pytest.raises(UserError, match=r"install g\+\+ or clang\+\+"):
        runs.train("quick/vgg", out=tmp_path, compile=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("threads", "words"), [(1, "(1 thread)"), (2, "(2 threads)")])
def test_a_processor_is_named_with_its_threads(
    threads: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert hardware.describe(torch.device("cpu")).endswith(words)
