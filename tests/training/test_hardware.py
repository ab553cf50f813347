"""Compiling: with a compiler the same numbers under the same names, and without one a sentence."""

import os
import shutil
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import torch
from torch import nn

from deepernets.benchmark import variants
from deepernets.benchmark.run import matrix_peak
from deepernets.errors import UserError
from deepernets.recipes import get_recipe
from deepernets.training import hardware
from deepernets.training import run as run_module


@pytest.mark.skipif(not hardware.can_compile(), reason="torch.compile does not work here")
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
    monkeypatch.setattr(hardware, "require_compiler", lambda: None)
    monkeypatch.setattr(nn.Module, "compile", _without_a_compiler)
    tiny = get_recipe("quick/vgg").changed(epochs=1, train_images=64, batch_size=32, image_size=8)
    uncompiled = run_module.train(tiny, out=tmp_path / "plain", precision="fp32").record
    run = run_module.train(tiny, out=tmp_path, precision="fp32", compile=True)
    compiled = run.record
    assert (uncompiled.compile, compiled.compile) == (False, True)
    assert compiled.channels_last == (hardware.accelerator("fp32").device.type == "cuda")
    assert compiled.test["loss"] == pytest.approx(uncompiled.test["loss"], rel=1e-4)
    assert run.evaluate().accuracy == compiled.test["accuracy"]


def _without_a_compiler(model: nn.Module) -> None:
    """Go the way of compiled calls, with what is called left as it is."""
    model._compiled_call_impl = model._call_impl


def test_without_a_compiler_there_is_a_sentence_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert not hardware.can_compile()
    with pytest.raises(UserError, match=r"install g\+\+ or clang\+\+"):
        run_module.train("quick/vgg", out=tmp_path, compile=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(torch.cuda.is_available(), reason="the network would be compiled for the GPU")
@pytest.mark.parametrize(
    ("machine", "capability", "possible"),
    [("x86_64", "DEFAULT", False), ("AMD64", "AVX2", True), ("arm64", "DEFAULT", True)],
)
def test_on_x86_without_vector_units_nothing_is_compiled(
    machine: str, capability: str, possible: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(hardware.platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert hardware.can_compile() == possible
    if not possible:
        with pytest.raises(UserError, match="train without --compile"):
            hardware.require_compiler()


@pytest.mark.parametrize(
    ("limit", "expected"), [("", True), ("AVX512_CORE_BF16", True), ("AVX512_CORE", False), ("avx2", False)]
)
def test_units_that_may_not_be_used_do_not_count(
    limit: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    assert hardware.has_bf16_units(torch.device("cpu")) is expected


@pytest.mark.parametrize(("threads", "words"), [(1, "(1 thread)"), (2, "(2 threads)")])
def test_a_processor_is_named_with_its_threads(
    threads: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert hardware.describe(torch.device("cpu")).endswith(words)


@pytest.mark.parametrize("error", [PackageNotFoundError("torchvision"), KeyError("Version"), None])
def test_a_missing_package_is_recorded_as_unknown(
    error: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a whole training nothing may fail that only describes it; metadata without a version reads None."""

    def version(name: str) -> str | None:
        if error is not None and name in ("torchvision", "deepernets"):
            raise error
        return None if name in ("torchvision", "deepernets") else "1.2.3"

    monkeypatch.setattr(hardware, "version", version)
    found = hardware.versions()
    assert (found["torch"], found["deepernets"]) == ("1.2.3", "unknown")
    assert all(isinstance(text, str) for text in found.values())


def test_a_processor_that_cannot_be_read_gets_the_name_of_its_architecture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr(hardware.platform, "processor", lambda: "")
    assert hardware.describe(torch.device("cpu")).startswith(hardware.platform.machine())


def _uses_tf32() -> tuple[bool, str]:
    return torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()


@pytest.fixture
def tf32_allowed() -> Iterator[None]:
    """Allow TF32 wherever PyTorch can use it, and restore what was set before."""
    before = _uses_tf32()
    torch.backends.cudnn.allow_tf32 = True
    torch.set_float32_matmul_precision("high")
    yield
    torch.backends.cudnn.allow_tf32 = before[0]
    torch.set_float32_matmul_precision(before[1])


TOY = variants.Size(batch_size=4, steps=1, rounds=1)
COMPUTES_IN_FP32: dict[str, Callable[[], object]] = {
    "fp32": lambda: hardware.accelerator("fp32"),
    "bf16": lambda: hardware.accelerator("bf16"),
    "the plain loop": lambda: variants.plain("vgg-mini-bn-cifar", TOY, "fp32"),
    "the peak": lambda: matrix_peak("fp32", side=24),
}


@pytest.mark.parametrize("what", COMPUTES_IN_FP32)
@pytest.mark.usefixtures("tf32_allowed")
def test_what_is_recorded_as_fp32_is_not_computed_in_tf32(what: str) -> None:
    COMPUTES_IN_FP32[what]()
    assert _uses_tf32() == (False, "highest")


@pytest.mark.parametrize("way", ["whole batches", "memory kept", "channels last"])
def test_no_way_of_the_benchmark_changes_the_environment(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[str] = []
    monkeypatch.delenv("DEEPERNETS_KEEP_MEMORY", raising=False)
    monkeypatch.setattr(hardware, "keep_memory", lambda: kept.append(way))
    before = dict(os.environ)
    variants.VARIANTS[way]("vgg-mini-bn-cifar", TOY, "fp32")
    ours = {name: value for name, value in os.environ.items() if name.startswith("DEEPERNETS")}
    assert ours == {name: value for name, value in before.items() if name.startswith("DEEPERNETS")}
    assert kept == ([] if way == "whole batches" or torch.cuda.is_available() else [way])
