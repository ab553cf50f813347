"""The bar reads what a GPU has worked out without ever waiting for it."""

import signal
from itertools import chain, repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from deepernets import progress as bars
from deepernets.data.batches import Batches, Transform
from deepernets.data.images import Images
from deepernets.progress import tqdm
from deepernets.recipes import get_recipe
from deepernets.training import callbacks, distributed, hardware
from deepernets.training.callbacks import Progress, Reading
from deepernets.training.loop import train_epoch
from deepernets.training.metrics import Meter
from deepernets.training.options import RunOptions
from deepernets.training.preparation import prepare, prepare_data

TINY = get_recipe("quick/vgg").changed(epochs=3, train_images=128, batch_size=16)


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (bars, callbacks):
        monkeypatch.setattr(module, "writes_log", lambda: False)


def _half_right() -> Meter:
    meter = Meter()
    meter.add(torch.tensor(0.5), torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 1]))
    return meter


def test_a_reading_shows_the_meters_figures() -> None:
    reading = Reading(_half_right())
    assert reading.is_ready()
    assert reading.as_text() == {"loss": "0.500", "accuracy": "50.0%"}
    assert Reading(Meter()).as_text()["loss"] == "0.000"


def test_the_bar_does_not_show_a_reading_that_is_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = False
    monkeypatch.setattr(Reading, "is_ready", lambda reading: ready)
    with Progress(tmp_path, TINY, 2, 0) as progress:
        for ready in (False, False, True, False):
            progress.shown -= 1  # a second later
            before = progress.reading
            progress.after_step(_half_right())
            assert (progress.reading is None) == ready
            assert ready or before is None or progress.reading is before


def test_an_interrupt_is_not_lost_when_no_step_is_left(tmp_path: Path) -> None:
    """As in the last look at the test images: in a queue of runs the next one must not begin."""
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), Progress(tmp_path, TINY, 2, 0):
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_an_error_goes_before_an_interrupt(tmp_path: Path) -> None:
    def interrupted_and_broken() -> None:
        with Progress(tmp_path, TINY, 2, 0):
            signal.raise_signal(signal.SIGINT)
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        interrupted_and_broken()


@pytest.mark.parametrize(("setting", "silent"), [("1", True), ("0", False), ("", False)])
def test_tqdm_disable_silences_every_bar(
    setting: str,
    silent: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TQDM_DISABLE", setting)
    with Progress(tmp_path, TINY, 2, 0) as progress:
        progress.after_step(_half_right())
    assert (capsys.readouterr().err == "") == silent
    assert sum(tqdm(range(3), desc="another")) == 3
    assert (capsys.readouterr().err == "") == silent


@pytest.mark.parametrize("main", [True, False])
def test_only_the_main_process_shows_a_bar(
    main: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(distributed, "is_main", lambda: main)
    with Progress(tmp_path, TINY, 2, 0) as progress:
        progress.after_step(_half_right())
    assert (capsys.readouterr().err != "") == main


@pytest.mark.parametrize("world", [1, 3])
def test_the_bar_only_moves_forward_and_ends_each_epoch_at_a_whole_one(
    world: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """50 images in batches of 12 leave a last batch of 2, which three processes cannot share."""
    monkeypatch.setattr(distributed, "num_processes", lambda: world)
    monkeypatch.setattr(callbacks, "save_checkpoint", lambda *_: None)
    images = Images(torch.zeros(50, 1, 2, 2, dtype=torch.uint8), torch.zeros(50, dtype=torch.long))
    batches = Batches(images, 12, Transform(torch.zeros(1), torch.ones(1)), shuffle_seed=0).share(0, world)
    training: Any = SimpleNamespace(history=[{}])  # one epoch is done
    places = [50.0]
    with Progress(tmp_path, TINY, len(images), len(training.history)) as progress:
        for epoch in (2, 3):
            meter = Meter()
            for _, labels in batches.epoch(epoch):
                meter.add(torch.tensor(0.0), torch.zeros(len(labels), 2), labels)
                progress.after_step(meter)
                places.append(progress.bar.n)
            training.history.append({})
            progress.after_epoch(training)
            assert progress.bar.n == 50 * epoch
    assert places == sorted(places)
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("setting", ["0", "1"])
def test_a_log_gets_a_line_for_each_epoch_and_no_bar(
    setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in (bars, callbacks):
        monkeypatch.setattr(module, "writes_log", lambda: True)
    monkeypatch.setattr(callbacks, "save_checkpoint", lambda *_: None)
    monkeypatch.setenv("TQDM_DISABLE", setting)
    figures = {"train_loss": 0.5, "train_accuracy": 0.75, "seconds": 3.0, "validation_seconds": 1.0}
    training: Any = SimpleNamespace(history=[])
    with Progress(tmp_path, TINY, 2, 0) as progress:
        for epoch, held_out in ((1, 0.25), (2, None)):
            progress.after_step(_half_right())
            validation = {"validation_loss": held_out, "validation_accuracy": held_out}
            training.history.append({"epoch": epoch, **figures, **validation})
            progress.after_epoch(training)
    lines = [
        "quick/vgg: epoch 1 of 3: training loss 0.500, accuracy 75.0%; validation loss 0.250, accuracy 25.0%; 4 s",
        "quick/vgg: epoch 2 of 3: training loss 0.500, accuracy 75.0%; 4 s",
    ]
    assert capsys.readouterr().err.splitlines() == ([] if setting == "1" else lines)


def test_a_file_is_a_log_and_a_terminal_or_a_notebook_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    stream = SimpleNamespace(isatty=lambda: False)
    monkeypatch.setattr(bars.sys, "stderr", stream)
    monkeypatch.delitem(bars.sys.modules, "IPython", raising=False)
    assert bars.writes_log()
    for shell, is_log in ((None, True), (object(), False)):
        monkeypatch.setitem(bars.sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))  # noqa: B023
        assert bars.writes_log() == is_log
    monkeypatch.setitem(bars.sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    stream.isatty = lambda: True
    assert not bars.writes_log()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_an_epoch_on_a_gpu_never_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a first epoch, in which libraries choose their kernels; order and moves go over before the second."""
    monkeypatch.setattr(callbacks, "REFRESH", 0.0)
    accelerator = hardware.accelerator("auto")
    splits = prepare_data(TINY, RunOptions(), accelerator)
    training = prepare(TINY, splits, accelerator, 0)
    parts = (training.model, training.criterion, training.optimizer, training.learning_rate)
    with Progress(tmp_path, TINY, len(splits.train.images), 0) as progress:
        for epoch in (1, 2):
            model, criterion, optimizer, rate = parts
            batches = splits.train.epoch(epoch)
            batches = chain([next(batches)], batches)
            torch.cuda.set_sync_debug_mode("error" if epoch == 2 else "default")
            try:
                met = train_epoch(model, batches, criterion, optimizer, repeat(rate), progress.after_step)
            finally:
                torch.cuda.set_sync_debug_mode("default")
            assert met.loss < float("inf")


@pytest.mark.parametrize(("widgets", "place"), [(None, "out"), (object(), "err")])
def test_in_a_notebook_without_widgets_a_bar_is_not_shown_like_an_error(
    widgets: Any, place: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bars, "ipython_shell", object)
    monkeypatch.setattr(bars, "find_spec", lambda name: widgets)
    assert sum(tqdm(range(3))) == 3
    shown = capsys.readouterr()
    assert "3/3" in getattr(shown, place)
    assert shown.out == "" or shown.err == ""
