"""Two processes on one machine do what one does, and what they leave behind goes on with any number."""

import json
import os
import socket
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch

from deepernets.data.batches import Batches, Transform
from deepernets.data.images import Images
from deepernets.errors import UserError
from deepernets.training import distributed

sys.path.insert(0, str(Path(__file__).parent))
import two_processes  # type: ignore[import-not-found]  # which both processes run as a script

LOOPBACK = "lo" if sys.platform == "linux" else "lo0"
ENVIRONMENT = {**os.environ, "GLOO_SOCKET_IFNAME": LOOPBACK, "OMP_NUM_THREADS": "1"}
Found = dict[str, Any]


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Train in two processes, as torchrun would start them, and return their folder and what they printed.

    The second one dies in the last run; a process that hangs says where, and ends, before the time is up.
    """
    out = tmp_path_factory.mktemp("together")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": "2"}
    both = [
        subprocess.Popen(
            [sys.executable, two_processes.__file__, out, "none", "local", "synchronised", "cut-off"],
            env={**ENVIRONMENT, **meeting, "RANK": rank, "LOCAL_RANK": rank},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    errors = [process.communicate(timeout=two_processes.HUNG + 100)[1] for process in both]
    assert [process.returncode for process in both] == [2, 1], errors
    return out, errors


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Found]:
    """Train in this process."""
    out = tmp_path_factory.mktemp("alone")
    return {norm: in_this_process(norm, out / norm) for norm in ("none", "local")}


def in_this_process(norm: str, out: Path) -> Found:
    with pytest.MonkeyPatch.context() as patched:
        two_processes.replace_parts(patched)
        return two_processes.trained(norm, out)


def found(out: Path, norm: str) -> Found:
    return json.loads((out / f"{norm}.json").read_text())


def assert_same_training(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Compare the losses of all steps and epochs, which a record rounds to six significant digits."""
    assert len(ours["losses"]) == len(theirs["losses"]) == 15  # 240 images in batches of 48, three times
    assert ours["losses"] == pytest.approx(theirs["losses"], rel=1e-6)
    for name in ("train_loss", "validation_loss"):
        figures = [[epoch[name] for epoch in run["epochs"]] for run in (ours, theirs)]
        assert figures[0] == pytest.approx(figures[1], rel=1e-5, abs=2e-6)
    assert ours["accuracy"] == pytest.approx(theirs["accuracy"])


def test_two_processes_meet_the_losses_of_one(
    alone: dict[str, Found], together: tuple[Path, list[str]]
) -> None:
    ours = found(together[0], "none")
    assert ours["processes"] == 2
    assert_same_training(ours, alone["none"])


def test_synchronised_batch_normalisation_meets_the_losses_of_one_process(
    alone: dict[str, Found], together: tuple[Path, list[str]]
) -> None:
    one, local, synchronised = alone["local"], found(together[0], "local"), found(together[0], "synchronised")
    assert [run["sync_batch_norm"] for run in (one, local, synchronised)] == [False, False, True]
    assert_same_training(synchronised, one)
    assert local["losses"] != pytest.approx(one["losses"], rel=1e-3)  # or the test would show nothing


def test_what_a_run_leaves_whose_other_process_died_goes_on_with_another_number_of_processes(
    alone: dict[str, Found], together: tuple[Path, list[str]]
) -> None:
    out, (errors, _) = together
    assert "Another process of this run has ended" in errors
    assert "goes on from the last whole epoch" in errors
    assert [path.name for path in out.rglob("epoch-*")] == ["epoch-002"]
    resumed = in_this_process("cut-off", out / "cut-off")
    assert resumed["processes"] == 1
    assert resumed["losses"] == pytest.approx(alone["none"]["losses"][-5:], rel=1e-6)  # one epoch was left


def shares(count: int, batch_size: int, world: int, shuffled: bool) -> list[list[list[int]]]:
    images = Images(torch.zeros(count, 1, 2, 2, dtype=torch.uint8), torch.arange(count))
    plain = Transform(torch.zeros(1), torch.ones(1), pad=1)
    whole = Batches(images, batch_size, plain, shuffle_seed=3 if shuffled else None)
    parts = [whole.share(rank, world) for rank in range(world)]
    return [[labels.tolist() for _, labels in part.epoch(1)] for part in parts]


@pytest.mark.parametrize("world", [2, 3, 4])
def test_shares_of_training_batches_are_equal_and_repeat_nothing(world: int) -> None:
    parts = shares(50, 12, world, shuffled=True)
    assert len({len(part) for part in parts}) == 1
    for batch in zip(*parts, strict=True):
        assert len({len(labels) for labels in batch}) == 1
    seen = [label for part in parts for labels in part for label in labels]
    assert len(seen) == len(set(seen)) == 50 - 50 % 12 % world


def test_the_shares_of_a_batch_are_the_batch_of_one_process() -> None:
    (whole,) = shares(48, 12, 1, shuffled=True)
    parts = shares(48, 12, 3, shuffled=True)
    for batch, *pieces in zip(whole, *parts, strict=True):
        assert sorted(batch) == sorted(chain(*pieces))


def test_evaluation_shares_laid_end_to_end_are_all_images_in_order() -> None:
    parts = shares(50, 12, 4, shuffled=False)
    assert [label for part in parts for labels in part for label in labels] == list(range(50))


def test_more_processes_than_images_of_a_batch_are_refused() -> None:
    with pytest.raises(UserError, match="3 processes cannot share batches of 2 images"):
        shares(10, 2, 3, shuffled=True)


@pytest.mark.parametrize("left_over", ["4", "many", ""])
def test_a_world_size_without_a_launcher_is_refused(left_over: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", left_over)
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(UserError, match="but no launcher started this process"):
        distributed.state()


def test_a_device_is_used_until_another_is_named() -> None:
    usual = distributed.state().device
    distributed.use_device("cpu")
    try:
        assert distributed.state().device == torch.device("cpu")
        for name in ("meta", "cuda:99", "gpu"):
            with pytest.raises(UserError, match=f"There is no device '{name}' here; expected auto, cpu"):
                distributed.use_device(name)
        assert distributed.state().device == torch.device("cpu")
    finally:
        distributed.use_device("auto")
    assert distributed.state().device == usual


def test_several_processes_take_no_named_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "num_processes", lambda: 2)
    with pytest.raises(UserError, match="--device is cpu, and several processes take one device each"):
        distributed.use_device("cpu")
