"""Where `load_dataset` looks, what it downloads, and what it and `check_datasets` say of missing data."""

import os
import shutil
import socket
import urllib.request
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision.datasets.mnist
from PIL import Image

from deepernets.data.datasets import STAND_INS, check_datasets, default_root, load_dataset
from deepernets.data.image_folder import read_image_folder
from deepernets.data.official_files import read_mnist
from deepernets.errors import UserError
from deepernets.papers.datasets import DATASETS, OBJECTS

DATA = Path(os.environ.get("DEEPERNETS_DATA", ""))
needs_cifar10 = pytest.mark.skipif(
    not (DATA / "cifar10").is_dir(), reason="DEEPERNETS_DATA names no folder with CIFAR-10 as an image folder"
)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every connection fails, and at once."""

    def unreachable(*args: Any, **kwargs: Any) -> None:
        raise URLError(OSError(101, "Network is unreachable"))

    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    monkeypatch.setattr(socket, "create_connection", unreachable)


def cifar10_folder(root: Path, classes: tuple[str, ...] = OBJECTS) -> Path:
    """Make an image folder in CIFAR-10's form: two training images and one test image per class."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 2), ("test", 1)):
        for name in classes:
            folder = root / "cifar10" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number:04}.png")
    return root


def mnist_download(monkeypatch: pytest.MonkeyPatch, spoil: str = "") -> None:
    """Have torchvision download four small IDX files, of which the one called `spoil` is cut off."""

    def fetched(url: str, download_root: str, filename: str, md5: str) -> None:
        name = filename.removesuffix(".gz")
        shape = (20, 28, 28) if "images" in name else (20,)
        header = bytes((0, 0, 8, len(shape))) + b"".join(side.to_bytes(4, "big") for side in shape)
        data = header + bytes(index % 10 for index in range(int(np.prod(shape))))
        Path(download_root, name).write_bytes(data[:-5] if name == spoil else data)

    monkeypatch.setattr(torchvision.datasets.mnist, "download_and_extract_archive", fetched)


def refused(name: str, root: Path) -> str:
    """Assert that loading ends in one sentence, and return it."""
    with pytest.raises(UserError) as caught:
        load_dataset(name, root)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", STAND_INS)
def test_without_files_and_network_the_error_lists_what_was_tried(tmp_path: Path, name: str) -> None:
    told = refused(name, tmp_path)
    official = "MNIST/raw" if name == "mnist" else "cifar-10-batches-py"
    images = "mnist" if name == "mnist" else "cifar10"
    for part in (
        str(tmp_path / official),
        f"{tmp_path / images}/{{train,test}}[.zip]",
        "Network is unreachable",
        "--data-root",
        "DEEPERNETS_DATA",
        "profile quick",
        f"data set {STAND_INS[name]},",
    ):
        assert part in told
    assert list(tmp_path.rglob("*")) == [], "nothing is left behind"


def test_a_download_gets_its_place_when_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mnist_download(monkeypatch)
    root = tmp_path / "new" / "root"
    patience = socket.getdefaulttimeout()
    dataset = load_dataset("mnist", root)
    assert (dataset.name, dataset.variant, len(dataset.train)) == ("mnist", "mnist", 20)
    assert [path.name for path in root.iterdir()] == ["MNIST"]
    assert socket.getdefaulttimeout() == patience
    monkeypatch.setattr(torchvision.datasets, "MNIST", None)  # the second time nothing is downloaded
    assert torch.equal(load_dataset("mnist", root).test.pixels, dataset.test.pixels)


def test_a_download_that_another_process_finishes_first_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mnist_download(monkeypatch)
    fetch = torchvision.datasets.mnist.download_and_extract_archive

    def fetch_for_both(url: str, download_root: str, **names: str) -> None:
        fetch(url, download_root, **names)
        shutil.copytree(download_root, tmp_path / "MNIST/raw", dirs_exist_ok=True)

    monkeypatch.setattr(torchvision.datasets.mnist, "download_and_extract_archive", fetch_for_both)
    assert len(load_dataset("mnist", tmp_path).train) == 20
    assert [path.name for path in tmp_path.iterdir()] == ["MNIST"]


def test_a_damaged_download_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mnist_download(monkeypatch, spoil="t10k-images-idx3-ubyte")
    assert "the download failed" in refused("mnist", tmp_path)
    assert list(tmp_path.rglob("*")) == []


def test_an_interrupted_download_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(url: str, download_root: str, **kwargs: Any) -> None:
        Path(download_root, "half").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torchvision.datasets.mnist, "download_and_extract_archive", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_dataset("mnist", tmp_path)
    assert list(tmp_path.rglob("*")) == []


def test_a_root_that_may_not_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: Path, **kwargs: Any) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", forbidden)
    assert "the download failed ([Errno 13] Permission denied" in refused("mnist", tmp_path / "data")


def test_a_root_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: Path, **kwargs: Any) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_dir", forbidden)
    assert f"{tmp_path} cannot be read (Permission denied)" in refused("cifar10", tmp_path)


def test_official_files_come_before_an_image_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mnist_download(monkeypatch)
    load_dataset("mnist", tmp_path)
    (tmp_path / "mnist" / "train").mkdir(parents=True)
    assert torch.equal(load_dataset("mnist", tmp_path).train.pixels, read_mnist(tmp_path)[0].pixels)


def test_an_image_folder_serves_cifar10_and_cifar3_under_a_label_of_its_own(tmp_path: Path) -> None:
    cifar10_folder(tmp_path)
    everything, three = load_dataset("cifar10", tmp_path), load_dataset("cifar3", tmp_path)
    assert (everything.name, everything.variant) == ("cifar10", "cifar10-png")
    assert (three.name, three.variant) == ("cifar3", "cifar10-png")
    assert everything.classes == OBJECTS
    assert three.classes == ("airplane", "automobile", "bird")
    assert torch.equal(three.train.pixels, everything.train.pixels[:6])


def test_an_image_folder_without_a_class_is_not_cifar10(tmp_path: Path) -> None:
    cifar10_folder(tmp_path, OBJECTS[:9])
    assert "has no class folder truck" in refused("cifar10", tmp_path)
    assert len(load_dataset("cifar3", tmp_path).train) == 6


@pytest.mark.parametrize("name", STAND_INS)
def test_quick_loads_the_stand_in_under_its_own_name(tmp_path: Path, name: str) -> None:
    stand_in = load_dataset(name, tmp_path, profile="quick")
    assert stand_in.name == stand_in.variant == STAND_INS[name]


@pytest.mark.parametrize("profile", [None, "laptop", "full"])
def test_no_other_profile_swaps_data(tmp_path: Path, profile: str | None) -> None:
    with pytest.raises(UserError, match="cifar3 is not available"):
        load_dataset("cifar3", tmp_path, profile)


def test_an_unknown_name_or_profile_is_refused(tmp_path: Path) -> None:
    assert "did you mean 'cifar10'" in refused("cifar-10", tmp_path)
    with pytest.raises(UserError, match="There is no profile 'fast'; choose one of quick, laptop, full"):
        load_dataset("mnist", tmp_path, profile="fast")


def test_the_root_is_the_argument_else_the_variable_else_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPERNETS_DATA", str(tmp_path / "named"))
    assert default_root() == tmp_path / "named"
    cifar10_folder(tmp_path / "named")
    assert load_dataset("cifar3").variant == "cifar10-png"
    assert str(tmp_path / "argument") in refused("cifar3", tmp_path / "argument")
    monkeypatch.delenv("DEEPERNETS_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert default_root() == tmp_path / "cache" / "deepernets"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_root() == Path.home() / ".cache" / "deepernets"


def test_the_report_has_a_row_for_each_data_set_and_downloads_nothing(tmp_path: Path) -> None:
    cifar10_folder(tmp_path)
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    rows = {row.name: row for row in check_datasets(tmp_path)}
    assert list(rows) == list(DATASETS)
    assert rows["cifar3"].train == {"airplane": 2, "automobile": 2, "bird": 2}
    assert rows["cifar10"].test == dict.fromkeys(OBJECTS, 1)
    assert rows["cifar10"].variant == "cifar10-png"
    assert rows["cifar10"].place == str(tmp_path / "cifar10")
    assert "20 training images (10 classes of 2)" in str(rows["cifar10"])
    assert rows["mnist"].train is None
    assert "has no train-images-idx3-ubyte" in str(rows["mnist"])
    assert "built in" in str(rows["sketches"])


def test_the_report_of_an_image_folder_reads_no_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cifar10_folder(tmp_path)
    read = {name: load_dataset(name, tmp_path).variant for name in ("cifar10", "cifar3")}
    monkeypatch.delattr("deepernets.data.image_folder.decode")
    rows = {row.name: row for row in check_datasets(tmp_path)}
    assert {name: rows[name].variant for name in read} == read
    next((tmp_path / "cifar10" / "train" / "bird").iterdir()).rename(tmp_path / "bird.png")
    for left in (tmp_path / "cifar10" / "train" / "bird").iterdir():
        left.unlink()
    rows = {row.name: row for row in check_datasets(tmp_path)}
    assert "bird is empty" in rows["cifar3"].problem


def test_the_report_of_an_empty_root_says_what_is_missing(tmp_path: Path) -> None:
    row = next(row for row in check_datasets(tmp_path / "nothing") if row.name == "cifar3")
    assert f"no official files in {tmp_path / 'nothing' / 'cifar-10-batches-py'}" in str(row)
    assert not (tmp_path / "nothing").exists()


@needs_cifar10
def test_the_real_cifar10_as_jpeg() -> None:
    """One of the ten classes is decoded."""
    train, test = read_image_folder(DATA / "cifar10", ("bird",))
    assert train.images.pixels.shape == (DATASETS["cifar10"].train_images // 10, 3, 32, 32)
    assert test.images.pixels.shape == (DATASETS["cifar10"].test_images // 10, 3, 32, 32)
    assert train.formats == test.formats == {"jpeg"}
    for split in ("train", "test"):  # the other classes are counted
        with zipfile.ZipFile(DATA / "cifar10" / f"{split}.zip") as archive:
            counts = Counter(name.split("/")[0] for name in archive.namelist() if name.endswith(".jpg"))
        assert counts == dict.fromkeys(OBJECTS, 5000 if split == "train" else 1000)


@pytest.mark.parametrize("name", ["digits", "sketches"])
def test_the_table_describes_what_is_loaded(name: str) -> None:
    dataset, info = load_dataset(name), DATASETS[name]
    assert (len(dataset.train), len(dataset.test)) == (info.train_images, info.test_images)
    assert (dataset.train.pixels.shape[1:], dataset.classes) == (info.in_shape, info.classes)
