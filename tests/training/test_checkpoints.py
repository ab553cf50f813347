"""Room for the checkpoints of a run, which is required before its first step."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from torch import nn

from deepernets.errors import UserError
from deepernets.training.checkpoints import require_room


def test_a_disk_without_room_for_two_checkpoints_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million weights, a momentum for each, four bytes a number, twice: 16 MB."""
    model, free = nn.Linear(1000, 1000, bias=False), 16_000_000
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=free))
    require_room(tmp_path / "run", model, "sgd")
    for optimizer, much in (("sgd", "16"), ("adam", "24"), ("lookahead", "24")):
        free = 15_999_999
        with pytest.raises(UserError, match=f"two checkpoints take {much} MB"):
            require_room(tmp_path / "run", model, optimizer)
    (tmp_path / "run" / "epoch-001").mkdir()
    free = 8_000_000
    require_room(tmp_path / "run", model, "sgd")
    with pytest.raises(UserError, match="another checkpoint takes 12 MB"):
        require_room(tmp_path / "run", model, "adam")


def test_a_folder_that_cannot_be_created_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("not a folder")
    with pytest.raises(UserError, match="cannot be created"):
        require_room(tmp_path / "runs" / "run", nn.Linear(2, 2), "sgd")
