"""The official files of MNIST and CIFAR-10: reading them, and refusing what they are not."""

import gzip
import hashlib
import io
import os
import pickle
import shutil
import struct
import tarfile
import warnings
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
import torchvision.datasets

from deepernets.data.datasets import load_dataset
from deepernets.data.official_files import read_cifar10, read_idx, read_mnist
from deepernets.errors import UserError
from deepernets.papers.datasets import OBJECTS

DATA = Path(os.environ.get("DEEPERNETS_DATA", ""))


def idx(values: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


def small_mnist(root: Path) -> Path:
    """Write four IDX files in MNIST's form: 12 training and 5 test images."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for split, count in (("train", 12), ("t10k", 5)):
        images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        (raw / f"{split}-images-idx3-ubyte").write_bytes(idx(images))
        (raw / f"{split}-labels-idx1-ubyte").write_bytes(idx(np.arange(count, dtype=np.uint8) % 10))
    return raw


@cache
def packed_mnist() -> dict[str, bytes]:
    """Return four IDX files with ``.gz``, and the same images as Keras' npz."""
    with TemporaryDirectory() as folder:
        raw = small_mnist(Path(folder))
        files = {f"{path.name}.gz": gzip.compress(path.read_bytes(), mtime=0) for path in raw.iterdir()}
        train, test = read_mnist(Path(folder))
    (x_train, y_train), (x_test, y_test) = (
        (images.pixels[:, 0].numpy(), images.labels.numpy().astype(np.uint8)) for images in (train, test)
    )
    npz = io.BytesIO()
    np.savez_compressed(npz, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return {**files, "mnist.npz": npz.getvalue()}


def small_cifar10(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write CIFAR-10's batches with 20 images each, and have torchvision expect their checksums.

    As in the official files, which Python 2 wrote, numpy's types are pickled with integers for booleans.
    """
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    kind = torchvision.datasets.CIFAR10

    def written(name: str, content: dict[str, object]) -> str:
        data = pickle.dumps(content, protocol=2).replace(b"\x89\x88\x87", b"K\x00K\x01\x87")
        (folder / name).write_bytes(data)
        return hashlib.md5(data).hexdigest()

    def batch() -> dict[str, object]:
        pixels = rng.integers(0, 256, (20, 3072), dtype=np.uint8)
        return {"data": pixels, "labels": rng.permutation(np.arange(20) % 10).tolist()}

    for listed in ("train_list", "test_list"):
        names = [name for name, _ in getattr(kind, listed)]
        monkeypatch.setattr(kind, listed, [[name, written(name, batch())] for name in names])
    checksum = written("batches.meta", {"label_names": list(OBJECTS)})
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": checksum})
    return folder


def refused(root: Path, name: str, match: str) -> None:
    """Assert that loading ends in one sentence that says `match`."""
    with pytest.raises(UserError, match=match) as caught:
        load_dataset(name, root)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_mnist_is_read_as_torchvision_reads_it(tmp_path: Path) -> None:
    small_mnist(tmp_path)
    for images, train in zip(read_mnist(tmp_path), (True, False), strict=True):
        expected = torchvision.datasets.MNIST(tmp_path, train=train)
        assert torch.equal(images.pixels.squeeze(1), expected.data)
        assert torch.equal(images.labels, expected.targets)


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
@pytest.mark.parametrize("cut", [-1, 3, 9])
def test_a_truncated_idx_file_is_refused(tmp_path: Path, name: str, cut: int) -> None:
    path = small_mnist(tmp_path) / name
    path.write_bytes(path.read_bytes()[:cut])
    refused(tmp_path, "mnist", f"{name} is (damaged|not an IDX file)")


def test_an_idx_file_that_is_too_long_or_another_is_refused(tmp_path: Path) -> None:
    path = small_mnist(tmp_path) / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes() + b"\x00")
    with pytest.raises(UserError, match="its header promises 9,424 bytes and it has 9,425"):
        read_idx(path, dimensions=3)
    path.write_bytes(b"<html>404</html>")
    refused(tmp_path, "mnist", "is not an IDX file of 3 dimensions")


def test_images_and_labels_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    path = small_mnist(tmp_path) / "train-labels-idx1-ubyte"
    path.write_bytes(idx(np.zeros(11, np.uint8)))
    refused(tmp_path, "mnist", "12 train images, and 11 labels")
    path.write_bytes(idx(np.full(12, 77, np.uint8)))
    refused(tmp_path, "mnist", "labels up to 77")


def test_a_missing_idx_file_is_named(tmp_path: Path) -> None:
    (small_mnist(tmp_path) / "t10k-images-idx3-ubyte").unlink()
    refused(
        tmp_path,
        "mnist",
        r"has no t10k-images-idx3-ubyte, plain or as \.gz; it holds t10k-labels-idx1-ubyte, t",
    )


def test_cifar10_is_read_as_torchvision_reads_it_but_sorted_by_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_cifar10(tmp_path, monkeypatch)
    train, test = read_cifar10(tmp_path)
    assert (train.per_class(10), test.per_class(10)) == ([10] * 10, [2] * 10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's, on old pickles; `read_cifar10` kept quiet about it
        expected = torchvision.datasets.CIFAR10(tmp_path)
    order = sorted(range(100), key=lambda index: expected.targets[index])
    assert train.labels.tolist() == sorted(expected.targets)
    np.testing.assert_array_equal(train.pixels.permute(0, 2, 3, 1).numpy(), expected.data[order])


def test_cifar3_is_the_first_three_classes_of_the_official_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_cifar10(tmp_path, monkeypatch)
    everything, three = load_dataset("cifar10", tmp_path), load_dataset("cifar3", tmp_path)
    assert (three.name, three.variant) == ("cifar3", "cifar10")
    assert three.classes == everything.classes[:3] == ("airplane", "automobile", "bird")
    assert torch.equal(three.train.pixels, everything.train.pixels[:30])
    assert torch.equal(three.test.labels, everything.test.labels[:6])


def test_of_a_cifar10_download_only_the_batches_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = small_cifar10(tmp_path / "server", monkeypatch)

    def fetched(url: str, download_root: Path, filename: str, md5: str) -> None:
        Path(download_root, filename).write_bytes(b"the archive")
        shutil.copytree(source, Path(download_root, source.name))

    monkeypatch.setattr(torchvision.datasets.cifar, "download_and_extract_archive", fetched)
    root = tmp_path / "root"
    assert len(load_dataset("cifar3", root).train) == 30
    assert [path.name for path in root.iterdir()] == ["cifar-10-batches-py"]


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch"])
def test_a_cifar10_file_with_a_wrong_checksum_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = small_cifar10(tmp_path, monkeypatch) / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    refused(tmp_path, "cifar3", f"{name} is not the official file .its MD5 should be [0-9a-f]{{32}}")
    path.unlink()
    refused(tmp_path, "cifar3", f"{name} is missing")


@pytest.mark.parametrize("place", [".", "MNIST", "MNIST/raw", "mnist"])
@pytest.mark.parametrize("form", ["gz", "dotted", "folders", "npz"])
def test_mnist_is_read_in_the_forms_and_places_that_people_have(
    tmp_path: Path, place: str, form: str
) -> None:
    raw = small_mnist(tmp_path / "plain")
    folder = tmp_path / "data" / place
    folder.mkdir(parents=True)
    for name, data in packed_mnist().items():
        if (form == "npz" and name == "mnist.npz") or (form == "gz" and name != "mnist.npz"):
            (folder / name).write_bytes(data)
    for path in raw.iterdir():
        if form == "dotted":
            shutil.copy(path, folder / path.name.replace("-idx", ".idx"))
        elif form == "folders":
            (folder / path.name).mkdir()
            shutil.copy(path, folder / path.name / path.name)
    for found, expected in zip(read_mnist(tmp_path / "data"), read_mnist(tmp_path / "plain"), strict=True):
        assert torch.equal(found.pixels, expected.pixels)
        assert torch.equal(found.labels, expected.labels)


def test_cifar10_is_read_from_its_archives_and_from_binary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pickled = small_cifar10(tmp_path / "plain", monkeypatch)
    expected = read_cifar10(tmp_path / "plain")
    binary = tmp_path / "binary" / "cifar-10-batches-bin"
    binary.mkdir(parents=True)
    for path in pickled.iterdir():
        if path.name != "batches.meta":
            batch = pickle.loads(path.read_bytes(), encoding="latin1")
            rows = np.column_stack([np.array(batch["labels"], np.uint8), batch["data"]])
            (binary / f"{path.name}.bin").write_bytes(rows.tobytes())
    places = [tmp_path / "binary"]
    for folder, name in ((pickled, "cifar-10-python.tar.gz"), (binary, "cifar-10-binary.tar.gz")):
        root = tmp_path / name.removesuffix(".tar.gz")
        root.mkdir()
        with tarfile.open(root / name, "w:gz") as archive:
            archive.add(folder, folder.name)
        refused(root, "cifar10", f"{name} is not the official file .its MD5 should be [0-9a-f]{{32}}")
        checksum = hashlib.md5((root / name).read_bytes()).hexdigest()
        if folder == pickled:
            monkeypatch.setattr(torchvision.datasets.CIFAR10, "tgz_md5", checksum)
        else:
            monkeypatch.setattr("deepernets.data.official_files.BINARY_MD5", checksum)
        places.append(root)
    for place in places:
        for found, known in zip(read_cifar10(place), expected, strict=True):
            assert torch.equal(found.pixels, known.pixels)
            assert torch.equal(found.labels, known.labels)


def test_a_pipe_and_a_link_to_itself_are_refused(tmp_path: Path) -> None:
    path = small_mnist(tmp_path) / "train-images-idx3-ubyte"
    path.unlink()
    os.mkfifo(path)
    refused(tmp_path, "mnist", "is a pipe or a device")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    refused(tmp_path, str(tmp_path / "loop"), "loop cannot be read")


@pytest.mark.skipif(not (DATA / "MNIST").is_dir(), reason="DEEPERNETS_DATA names no folder with MNIST")
def test_the_real_mnist() -> None:
    dataset = load_dataset("mnist", DATA)
    assert (len(dataset.train), len(dataset.test), dataset.variant) == (60_000, 10_000, "mnist")
    for images, train in ((dataset.train, True), (dataset.test, False)):
        expected = torchvision.datasets.MNIST(DATA, train=train)
        assert torch.equal(images.pixels.squeeze(1), expected.data)
        assert torch.equal(images.labels, expected.targets)
