"""A log has each epoch of a run once, whenever the run was interrupted."""

import csv
from pathlib import Path
from typing import Any

import pytest

from deepernets.errors import UserError
from deepernets.recipes import get_recipe
from deepernets.training import logs
from deepernets.training.logs import CSV, EVENTS, EpochLog, require_log
from deepernets.training.run import train

TINY = get_recipe("quick/vgg").changed(epochs=2, train_images=64, batch_size=32)


def _epochs(number: int, validation: float | None = 0.5) -> list[dict[str, Any]]:
    return [
        {
            "epoch": epoch,
            "learning_rate": 0.1,
            "train_loss": 1 / epoch,
            "train_accuracy": 0.25,
            "validation_loss": validation,
            "validation_accuracy": validation,
        }
        for epoch in range(1, number + 1)
    ]


class Killed(Exception):
    """Stands for a kill."""


def test_a_run_that_was_killed_and_went_on_has_a_line_for_each_epoch(tmp_path: Path) -> None:
    def kill(*_: object) -> None:
        raise Killed

    patch = pytest.MonkeyPatch()
    patch.setattr(EpochLog, "after_epoch", kill)  # after the checkpoint, before the line
    with pytest.raises(Killed):
        train(TINY, out=tmp_path, log="csv", precision="fp32")
    patch.undo()
    run = train(TINY, out=tmp_path, log="csv", precision="fp32")
    with (run.folder / CSV).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [1, 2]
    assert [float(row["train_loss"]) for row in rows] == [epoch["train_loss"] for epoch in run.record.epochs]
    (run.folder / CSV).unlink()
    train(TINY, out=tmp_path, precision="fp32")
    assert not (run.folder / CSV).exists()
    train(TINY, out=tmp_path, precision="fp32", log="csv")  # a finished run gets its log without training
    assert len((run.folder / CSV).read_text(encoding="utf-8").splitlines()) == 3


def test_an_epoch_without_validation_has_empty_cells_and_logs_are_deleted_with_their_run(
    tmp_path: Path,
) -> None:
    with EpochLog(tmp_path, "csv", _epochs(2, None)) as log:
        log.write(_epochs(3, None))
    head, *lines = (tmp_path / CSV).read_text(encoding="utf-8").splitlines()
    assert head.split(",")[-1] == "validation_accuracy"
    assert lines == ["1,0.1,1.0,0.25,,", "2,0.1,0.5,0.25,,", f"3,0.1,{1 / 3},0.25,,"]
    logs.delete_logs(tmp_path)
    with EpochLog(tmp_path, None, _epochs(3)):
        assert not list(tmp_path.iterdir())


def test_event_files_have_each_epoch_once(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for history in (_epochs(2), _epochs(1)):  # the second start has lost an epoch
        with EpochLog(tmp_path, "tensorboard", history) as log:
            log.write(_epochs(3))
    events = EventAccumulator(str(tmp_path / EVENTS)).Reload()
    assert [event.step for event in events.Scalars("loss/training")] == [1, 2, 3]
    assert [event.value for event in events.Scalars("accuracy/validation")] == [0.5] * 3


def test_a_log_that_cannot_be_written_is_found_before_data_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="run pip install tensorboard, or choose --log csv"):
        train("report-b/vgg-13-mnist/ours", out=tmp_path, data_root=tmp_path / "none", log="tensorboard")
    kind: Any = "json"
    with pytest.raises(UserError, match="expected csv or tensorboard"):
        require_log(kind)
    assert not list(tmp_path.iterdir())
