"""The benchmark at toy size: the shape of what it finds, never how long anything took."""

import json
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any
from unittest.mock import MagicMock

import pytest
import torch

from deepernets.benchmark import run, variants
from deepernets.benchmark.run import Benchmark, Measurement
from deepernets.benchmark.variants import Size
from deepernets.cli import main
from deepernets.errors import UserError
from deepernets.training import hardware
from deepernets.training.timing import PHASES

TOY = Size(batch_size=4, steps=1, rounds=1)


def made(way: str, milliseconds: float) -> Measurement:
    return Measurement("net", way, "fp32", {"data": 0.0, "forward": milliseconds}, 1.0, 0.5)


def test_the_ratio_is_plain_time_over_ours() -> None:
    found = Benchmark("machine", "2026-01-01", TOY, {}, (made("plain", 6.0), made("ours", 2.0)), {})
    assert found.ratio("net") == pytest.approx(3.0)
    assert found.as_dict()["ratios"] == {"net": 3.0}


class Worker(Thread):
    """A thread in place of a process, which would import PyTorch and torchvision for 15 seconds."""

    def terminate(self) -> None:
        """Do nothing: it has ended when its last result is received."""


class End:
    """One end of a line within a process."""

    def __init__(self, incoming: SimpleQueue[Any], outgoing: SimpleQueue[Any]) -> None:
        self.recv, self.send = incoming.get, outgoing.put

    def close(self) -> None:
        """Leave the other side's copy open, as closing it in the parent process does."""


class InOneProcess:
    """What the benchmark uses of a multiprocessing context."""

    Process = Worker

    def __init__(self, method: str) -> None:
        assert method == "spawn"

    def Pipe(self) -> tuple[End, End]:
        """Return the two ends of a line."""
        there, back = SimpleQueue[Any](), SimpleQueue[Any]()
        return End(back, there), End(there, back)


def test_a_bench_measures_both_ways_and_writes_figures_and_chart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "matrix_peak", partial(run.matrix_peak, side=96))
    monkeypatch.setattr(run, "get_context", InOneProcess)
    # A process that is forked while another thread holds a lock waits for that lock forever.
    monkeypatch.setattr(variants.plain_loop(), "WORKERS", 0)
    figures, chart = tmp_path / "bench.json", tmp_path / "bench.png"
    command = ["bench", "vgg-mini-bn-cifar", "--batch-size", "4", "--steps", "1", "--rounds", "1"]
    with pytest.raises(SystemExit) as end:
        main([*command, "--json", str(figures), "--chart", str(chart)])
    assert not end.value.code
    found = json.loads(figures.read_text(encoding="utf-8"))
    assert [row["way"] for row in found["measurements"]] == list(variants.DEFAULT_VARIANTS)
    for row in found["measurements"]:
        assert set(row["milliseconds"]) == set(PHASES)
        assert row["share_of_peak"] > 0
    assert found["measurements"][0]["precision"] == "fp32"
    assert found["ratios"]["vgg-mini-bn-cifar"] > 0
    assert set(found["multiply_adds_per_second"]) == {"fp32", "bf16"}
    assert chart.stat().st_size > 1000
    assert "times as fast as the plain loop" in capsys.readouterr().out


class Line:
    """The parent's end of a line to a process, in the same process."""

    def __init__(self, *requests: str) -> None:
        self.recv = iter(requests).__next__
        self.sent: list[dict[str, Any]] = []
        self.send = self.sent.append


@pytest.mark.parametrize("way", list(variants.VARIANTS)[:-1])  # the last is compiled, which takes a minute
def test_every_variant_times_a_turn_and_describes_itself(way: str) -> None:
    line = Line("turn", "end")
    run._serve(line, way, "vgg-mini-bn-cifar", TOY, "auto")  # type: ignore[arg-type]
    turn, end = line.sent
    assert set(turn) == set(PHASES)
    assert min(turn.values()) >= 0
    assert sum(turn.values()) > 0
    assert end["precision"] in ("fp32", "bf16")
    assert end["multiply_adds"] > 0


def test_ours_is_compiled_last_and_only_with_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "can_compile", lambda: True)
    assert variants.available_variants()[-2:] == ("ours", "compiled")
    compiled: list[torch.nn.Module] = []
    monkeypatch.setattr(hardware, "compile_calls", compiled.append)
    ready = variants.compiled("vgg-mini-bn-cifar", TOY, "fp32")
    assert compiled == [ready.model]
    monkeypatch.setattr(hardware, "can_compile", lambda: False)
    assert variants.available_variants()[-1] == "ours"


def test_what_cannot_be_measured_is_refused_before_anything_starts() -> None:
    with pytest.raises(UserError, match="steps is 0; expected at least 1"):
        run.run(["resnet-20"], Size(steps=0))
    with pytest.raises(UserError, match="depth 21"):
        run.run(["resnet-21"], TOY)


@pytest.mark.parametrize("error", [EOFError, BrokenPipeError, ConnectionResetError])
def test_a_process_that_ends_early_is_named_whether_it_is_sent_to_or_received_from(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = MagicMock()
    context.Pipe.return_value = MagicMock(send=MagicMock(side_effect=error)), MagicMock()
    monkeypatch.setattr(run, "get_context", lambda method: context)
    with pytest.raises(UserError, match="measured resnet-20 ended early; is there memory for it"):
        run._compare("resnet-20", ["plain"], TOY, "auto", lambda: None)


def test_the_plain_loop_normalises_and_augments_image_by_image() -> None:
    pixels = torch.full((6, 3, 8, 8), 255, dtype=torch.uint8)
    plain = variants.plain_loop().Pictures(pixels, torch.arange(6))
    image, label = plain[2]
    assert label == 2
    assert image.shape == (3, 8, 8)
    assert image.max().item() == pytest.approx((1 - 0.5) / 0.25)


def test_memory_is_counted_in_megabytes() -> None:
    in_use = hardware.memory_in_use()
    assert 50 < in_use < 100_000  # Python with PyTorch
    assert hardware.peak_memory() >= in_use - 1
