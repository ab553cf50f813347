"""A run that was killed, or found its folder in another state, ends with the same bits or with one sentence."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from torch import nn

from deepernets.data.images import Dataset, Images
from deepernets.errors import UserError
from deepernets.files import lock_folder
from deepernets.recipes.recipe import Recipe
from deepernets.training import checkpoints, preparation
from deepernets.training import run as run_module
from deepernets.training.callbacks import Progress
from deepernets.training.checkpoints import list_checkpoints, require_room
from deepernets.training.options import RunOptions
from deepernets.training.run import Run, train

TINY = Recipe(
    "tiny",
    data="drawn",
    model="vgg-mini-bn-cifar",
    epochs=2,
    batch_size=16,
    image_size=8,
    validation_fraction=0.2,
    flip=True,
)
FULL = OSError(28, "No space left on device")


def drawn(seed: int = 0) -> Dataset:
    """Return a data set of 50 images of noise in two classes."""
    pixels = torch.randint(0, 256, (50, 3, 8, 8), generator=torch.manual_seed(seed)).to(torch.uint8)
    images = Images(pixels, torch.arange(50) % 2)
    halves = images.select(torch.arange(40)), images.select(torch.arange(40, 50))
    return Dataset("drawn", "noise", ("even", "odd"), *halves)


@pytest.fixture(autouse=True)
def _data(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(preparation, "load_dataset", lambda *args: drawn())


def _train(out: Path, recipe: Recipe = TINY, **options: Any) -> Run:
    return train(recipe, out=out, precision="fp32", **options)


def _folder(out: Path) -> Path:
    return RunOptions(out=out, precision="fp32").folder(TINY)


def _stop_after_first_epoch(out: Path, **options: Any) -> Path:
    """Train one epoch, and return the folder of the run."""

    def stop(self: Progress, training: Any) -> None:
        checkpoints.save_checkpoint(self.folder, training)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Progress, "after_epoch", stop)
        with pytest.raises(KeyboardInterrupt):
            _train(out, **options)
    return _folder(out)


def _content(folder: Path) -> tuple[dict[str, Any], bytes]:
    """Return the record of a run without its times, and the bytes of its weights; require no other files."""
    assert sorted(os.listdir(folder)) == ["model.safetensors", "record.json"]
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    for name in ("started", "finished", "seconds"):
        del record[name]
    for epoch in record["epochs"]:
        del epoch["seconds"], epoch["validation_seconds"]
    return record, (folder / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], bytes]:
    out = tmp_path_factory.mktemp("unbroken")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(preparation, "load_dataset", lambda *args: drawn())
        return _content(_train(out).folder)


class Snapshots:
    """Copies of a run's folder before each file operation, and with a file half written: what a kill leaves."""

    def __init__(self, patched: pytest.MonkeyPatch, source: Path, target: Path) -> None:
        self.source, self.target, self.taken = source, target, list[Path]()
        self.copying = False
        for name in ("mkdir", "rename", "replace", "unlink", "rmdir"):
            patched.setattr(os, name, self._wrap(getattr(os, name)))
        patched.setattr(Path, "write_text", self._wrap(Path.write_text, written=0))
        patched.setattr(checkpoints.torch, "save", self._wrap(torch.save, written=1))
        patched.setattr(checkpoints, "save_model", self._wrap(checkpoints.save_model, written=1))

    def _wrap(self, operation: Callable[..., Any], written: int | None = None) -> Callable[..., Any]:
        def observed(*args: Any, **options: Any) -> Any:
            if self.copying:
                return operation(*args, **options)
            self._take()
            result = operation(*args, **options)
            if written is not None:
                half = self._take() / Path(args[written]).relative_to(self.source)
                os.truncate(half, half.stat().st_size // 2)
            return result

        return observed

    def _take(self) -> Path:
        self.taken.append(self.target / str(len(self.taken)))
        self.copying = True
        shutil.copytree(self.source, self.taken[-1])
        self.copying = False
        return self.taken[-1]


def test_a_run_killed_at_any_file_operation_ends_with_the_same_bits(
    unbroken: tuple[dict[str, Any], bytes], tmp_path: Path
) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    with pytest.MonkeyPatch.context() as patched:
        snapshots = Snapshots(patched, whole, tmp_path)
        _train(whole)
    assert len(snapshots.taken) > 40
    for out in snapshots.taken:
        assert _content(_train(out).folder) == unbroken, f"killed at operation {out.name}"


@pytest.mark.parametrize("name", ["mkdir", "save_model", "save", "write_text", "fsync", "rename"])
def test_a_full_disk_is_one_sentence_and_keeps_the_last_whole_epoch(
    name: str, unbroken: tuple[dict[str, Any], bytes], tmp_path: Path
) -> None:
    """PyTorch and safetensors report a full disk in their own ways."""
    folder = _stop_after_first_epoch(tmp_path)
    errors = {
        "save_model": SafetensorError("I/O error: No space left"),
        "save": RuntimeError("No space left"),
    }

    def full(*args: Any, **options: Any) -> None:
        for place in args:
            if isinstance(place, str | Path) and Path(place).suffix in (".safetensors", ".pt", ".json"):
                Path(place).write_bytes(b"half")
        raise errors.get(name, FULL)

    owner = {"save_model": checkpoints, "save": torch, "write_text": Path}.get(name, os)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(owner, name, full)
        with pytest.raises(
            UserError, match=r"epoch-002 cannot be written \(.*No space left.*epoch-001 is kept"
        ):
            _train(tmp_path)
    assert os.listdir(folder) == ["epoch-001"]
    assert _content(_train(tmp_path).folder) == unbroken


@pytest.mark.parametrize("what", ["weights", "record"])
def test_a_disk_that_is_full_after_the_last_epoch_keeps_its_checkpoint(
    what: str, unbroken: tuple[dict[str, Any], bytes], tmp_path: Path
) -> None:
    write: Any = checkpoints.save_model if what == "weights" else Path.write_text

    def full(*args: Any, **options: Any) -> Any:
        place = next(Path(arg) for arg in args if isinstance(arg, str | Path))
        if place.parent.name.startswith(".epoch"):
            return write(*args, **options)
        place.write_bytes(b"half")
        raise (
            SafetensorError("I/O error: No space left on device (os error 28)") if what == "weights" else FULL
        )

    with pytest.MonkeyPatch.context() as patched:
        if what == "weights":
            patched.setattr(checkpoints, "save_model", full)
        else:
            patched.setattr(Path, "write_text", full)
        with pytest.raises(UserError, match=r"cannot be written \(.*No space left"):
            _train(tmp_path)
    left = ["epoch-002"] if what == "weights" else ["epoch-002", "model.safetensors"]
    assert sorted(os.listdir(_folder(tmp_path))) == left
    assert _content(_train(tmp_path).folder) == unbroken


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt", "progress.json", "checksums.json"])
def test_a_flipped_bit_in_a_checkpoint_is_found(name: str, tmp_path: Path) -> None:
    file = _stop_after_first_epoch(tmp_path) / "epoch-001" / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"epoch-001 is damaged \(.*\); delete it, and train again"):
        _train(tmp_path)
    assert file.read_bytes() == content


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda run: run["recipe"].update(learning_rate=0.5), "learning_rate=0.5 and not 0.01"),
        (lambda run: run.update(seed=1), "seed=1 and not 0"),
        (lambda run: run.update(precision="bf16"), "precision=bf16 and not fp32"),
        (lambda run: run.update(sync_batch_norm=True), "sync_batch_norm=True and not False"),
        (lambda run: run.update(images="0"), "other images"),
    ],
)
def test_a_checkpoint_of_another_run_is_not_continued(
    change: Callable[[dict[str, Any]], None], sentence: str, tmp_path: Path
) -> None:
    checkpoint = _stop_after_first_epoch(tmp_path) / "epoch-001"
    progress = json.loads((checkpoint / "progress.json").read_text())
    change(progress["run"])
    (checkpoint / "progress.json").write_text(json.dumps(progress))
    (checkpoint / "checksums.json").write_text(json.dumps(checkpoints._checksums(checkpoint)))
    with pytest.raises(UserError, match=f"epoch-001 is of another run, with {sentence}; rename or delete"):
        _train(tmp_path)
    assert len(_train(tmp_path, fresh=True).record.epochs) == 2


def test_a_run_is_not_continued_with_the_images_of_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stop_after_first_epoch(tmp_path)
    monkeypatch.setattr(preparation, "load_dataset", lambda *args: drawn(seed=1))
    with pytest.raises(UserError, match="of another run, with other images"):
        _train(tmp_path)


def test_a_finished_run_of_other_images_is_not_handed_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = _train(tmp_path)
    for dataset in (drawn(), None):  # the same images, and none: a finished run does not need its data
        monkeypatch.setattr(run_module, "load_dataset", lambda *args, found=dataset: found or _fail())
        assert _train(tmp_path).record == run.record
    monkeypatch.setattr(run_module, "load_dataset", lambda *args: drawn(seed=1))
    with pytest.raises(UserError, match="is finished, and was trained on other images; rename or delete"):
        _train(tmp_path)


def _fail() -> Dataset:
    raise UserError("The data are not available.")


def test_a_run_states_the_versions_of_all_its_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = preparation.hardware.versions()
    with monkeypatch.context() as patched:
        patched.setattr(preparation.hardware, "versions", lambda: {**now, "torch": "1.0"})
        _stop_after_first_epoch(tmp_path)
    assert _train(tmp_path).record.versions == {**now, "torch": f"1.0, {now['torch']}"}


def test_a_checkpoint_of_a_version_with_other_fields_is_of_another_run(tmp_path: Path) -> None:
    checkpoint = _stop_after_first_epoch(tmp_path) / "epoch-001"
    progress = json.loads((checkpoint / "progress.json").read_text(encoding="utf-8"))
    del progress["run"]["recipe"]["whiten"]
    (checkpoint / "progress.json").write_text(json.dumps(progress), encoding="utf-8")
    checksums = json.dumps(checkpoints._checksums(checkpoint))
    (checkpoint / "checksums.json").write_text(checksums, encoding="utf-8")
    with pytest.raises(UserError, match="epoch-001 is of another run, with whiten=None and not False"):
        _train(tmp_path)


def test_a_checkpoint_under_the_name_of_another_epoch_is_refused(tmp_path: Path) -> None:
    folder = _stop_after_first_epoch(tmp_path)
    (folder / "epoch-001").rename(folder / "epoch-002")
    with pytest.raises(UserError, match=r"epoch-002 is damaged \(it was written after epoch 1\)"):
        _train(tmp_path)


def test_checkpoints_are_in_the_order_of_their_epochs_and_other_names_are_ignored(tmp_path: Path) -> None:
    for name in (
        "epoch-999",
        "epoch-1000",
        "epoch-old",
        "epoch-",
        "epoch-1",
        "epoch-099 (copy)",
        ".epoch-1001.part",
    ):
        (tmp_path / name).mkdir()
    (tmp_path / "epoch-1002").write_text("a file")
    assert [path.name for path in list_checkpoints(tmp_path)] == ["epoch-999", "epoch-1000"]


def _link_checkpoint(folder: Path) -> None:
    (folder / "epoch-001").rename(folder.parent / "elsewhere")
    (folder / "epoch-001").symlink_to(folder.parent / "elsewhere")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_link_checkpoint, "epoch-001 has a checkpoint's name and is not one"),
        (lambda folder: (folder / "epoch-002").write_text("x"), "epoch-002 has a checkpoint's name"),
        (lambda folder: (folder / "record.json").mkdir(), "record.json is not a file"),
        (lambda folder: (folder / "model.safetensors").mkdir(), "model.safetensors is not a file"),
    ],
)
def test_what_is_not_the_runs_own_is_neither_followed_nor_overwritten(
    change: Callable[[Path], Any], sentence: str, tmp_path: Path
) -> None:
    folder = _stop_after_first_epoch(tmp_path)
    change(folder)
    before = sorted(folder.parent.rglob("*"))
    for fresh in (False, True):
        with pytest.raises(UserError, match=sentence):
            _train(tmp_path, fresh=fresh)
    assert sorted(folder.parent.rglob("*")) == before


def test_two_runs_do_not_work_in_one_folder(unbroken: tuple[dict[str, Any], bytes], tmp_path: Path) -> None:
    folder = _stop_after_first_epoch(tmp_path)
    with lock_folder(folder):
        for fresh in (False, True):
            with pytest.raises(UserError, match=r"Another process is working in .*; wait until it has ended"):
                _train(tmp_path, fresh=fresh)
        assert sorted(os.listdir(folder)) == [".lock", "epoch-001"]
    assert _content(_train(tmp_path).folder) == unbroken


def test_a_folder_that_cannot_be_written_to_is_refused_before_the_first_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests may run as root, who may write everywhere."""
    folder = _stop_after_first_epoch(tmp_path)
    opened = Path.open

    def read_only(path: Path, mode: str = "r", **options: Any) -> Any:
        if mode.startswith(("w", "a")):
            raise OSError(30, "Read-only file system")
        return opened(path, mode, **options)

    monkeypatch.setattr(Path, "open", read_only)
    with pytest.raises(
        UserError, match=r"cannot be written to \(Read-only file system\); choose another --out"
    ):
        _train(tmp_path)
    assert os.listdir(folder) == ["epoch-001"]


def test_a_record_without_weights_is_not_a_finished_run(
    unbroken: tuple[dict[str, Any], bytes], tmp_path: Path
) -> None:
    """Older versions wrote the record first."""
    record = _train(tmp_path / "whole").record
    folder = _stop_after_first_epoch(tmp_path)
    replace(record, seed=1).save(folder / "record.json")
    with pytest.raises(UserError, match=r"another one \(seed=1 and not 0\)"):
        _train(tmp_path)
    record.save(folder / "record.json")
    assert _content(_train(tmp_path).folder) == unbroken
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match="has a record and no weights; train it with --fresh"):
        _train(tmp_path)
    assert _content(_train(tmp_path, fresh=True).folder) == unbroken


def test_an_existing_run_is_deleted_only_when_its_successor_can_start(
    unbroken: tuple[dict[str, Any], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _train(tmp_path).folder
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=0))
    with pytest.raises(UserError, match="MB free"):
        _train(tmp_path, fresh=True)
    assert _content(folder) == unbroken


def test_a_flipped_bit_in_the_weights_of_a_finished_run_is_found(tmp_path: Path) -> None:
    run = _train(tmp_path)
    weights = run.folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-100] ^= 1
    weights.write_bytes(content)
    with pytest.raises(UserError, match=r"are damaged \(their checksum differs\)"):
        _ = run.model


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    usage = SimpleNamespace(free=16_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    return usage


def test_a_disk_without_room_for_two_checkpoints_is_refused(tmp_path: Path, free: SimpleNamespace) -> None:
    """A million weights, a momentum for each, four bytes a number, twice: 16 MB."""
    model = nn.Linear(1000, 1000, bias=False)
    require_room(tmp_path / "run", model, "sgd")
    for optimizer, much in (("sgd", "16"), ("adam", "24"), ("lookahead", "24")):
        free.free = 15_999_999
        with pytest.raises(UserError, match=f"two checkpoints take {much} MB"):
            require_room(tmp_path / "run", model, optimizer)
    (tmp_path / "run" / "epoch-001").mkdir()
    free.free = 8_000_000
    require_room(tmp_path / "run", model, "sgd")
    with pytest.raises(UserError, match="another checkpoint takes 12 MB"):
        require_room(tmp_path / "run", model, "adam")


def test_a_folder_that_cannot_be_created_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("not a folder")
    with pytest.raises(UserError, match="cannot be created"):
        require_room(tmp_path / "runs" / "run", nn.Linear(2, 2), "sgd")
