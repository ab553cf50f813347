"""Read the files in which MNIST and CIFAR-10 are published and passed around."""

import gzip
import hashlib
import io
import math
import pickle
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from deepernets.data.images import Images
from deepernets.errors import UserError
from deepernets.files import read_file, reading, require_regular

LIMIT = 2**28  # bytes of one file, unpacked; the largest of MNIST and CIFAR-10 has 47 MB
MNIST_FOLDERS = ("MNIST/raw", "MNIST", "mnist", ".")  # below the root; torchvision's comes first
MNIST_ARCHIVE = "mnist.npz"  # Keras'
IDX_DIMENSIONS = {"images": 3, "labels": 1}  # of the arrays in MNIST's files, which are named after it
CIFAR10_FOLDERS = ("cifar-10-batches-py", "cifar10/cifar-10-batches-py", "cifar-10-batches-bin",
                   "cifar10/cifar-10-batches-bin")  # fmt: skip
CIFAR10_ARCHIVES = ("cifar-10-python.tar.gz", "cifar-10-binary.tar.gz")
BINARY_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"  # of the latter, from the page of the data set
CIFAR10_ROW = 1 + 3 * 32 * 32  # bytes of an image in the binary version: its label, then its pixels
REMEDY = "delete it and load again"


def find_mnist(root: Path) -> Path | None:
    """Return the folder or the npz below `root` from which `read_mnist` reads, or None."""
    folders = [root / name for name in MNIST_FOLDERS]
    for folder in folders:
        if any(_idx_names(folder, split, kind) for split in ("train", "t10k") for kind in IDX_DIMENSIONS):
            return folder
        if (folder / MNIST_ARCHIVE).exists():
            return folder / MNIST_ARCHIVE
    return folders[0] if folders[0].is_dir() else None


def read_mnist(root: Path) -> tuple[Images, Images]:
    """Read MNIST's four IDX files, each plain or with ``.gz``, or Keras' npz, in their own order.

    Raises:
        UserError: a file is missing, damaged or another one, or images and labels differ in number.
    """
    place = find_mnist(root) or root / MNIST_FOLDERS[0]
    if place.name == MNIST_ARCHIVE:
        return _read_npz(place)
    train, test = (_read_idx_pair(place, split) for split in ("train", "t10k"))
    return train, test


def _read_idx_pair(folder: Path, split: str) -> Images:
    pixels, labels = (
        read_idx(_idx_file(folder, split, kind), dimensions) for kind, dimensions in IDX_DIMENSIONS.items()
    )
    return _mnist_images(folder, split, pixels, labels)


def _idx_names(folder: Path, split: str, kind: str) -> list[Path]:
    """Return the existing files of a name, the plain ones first; unpacked by Kaggle, they are in folders of it."""
    stems = [f"{split}-{kind}{dot}idx{IDX_DIMENSIONS[kind]}-ubyte" for dot in "-."]
    paths = [folder / name for stem in stems for name in (stem, f"{stem}/{stem}", f"{stem}.gz")]
    return [path for path in paths if path.exists() and not path.is_dir()]


def _idx_file(folder: Path, split: str, kind: str) -> Path:
    if found := _idx_names(folder, split, kind):
        return found[0]
    name = f"{split}-{kind}-idx{IDX_DIMENSIONS[kind]}-ubyte"
    raise UserError(
        f"{folder} has no {name}, plain or as .gz; {found_in(folder)}. Put the file there, or delete the folder "
        "and load again."
    )


def found_in(folder: Path) -> str:
    """Return what a folder holds, for a message: ``it holds a.txt, b and 3 more``."""
    with reading(folder, "replace it"):
        names = sorted(path.name.encode(errors="replace").decode() for path in folder.iterdir())
    if not names:
        return "it is empty"
    more = f" and {len(names) - 4:,} more" if len(names) > 4 else ""
    return f"it holds {', '.join(names[:4])}{more}"


def _mnist_images(place: Path, split: str, pixels: np.ndarray, labels: np.ndarray) -> Images:
    """Return images from pixels (N, H, W) and labels (N,), which must belong together."""
    if len(pixels) != len(labels) or labels.max(initial=0) > 9:
        raise UserError(
            f"{place} has {len(pixels)} {split} images, and {len(labels)} labels up to "
            f"{labels.max(initial=0)}, which do not belong together; {REMEDY}."
        )
    if pixels.shape[1:] != (28, 28) or len(pixels) == 0:
        raise UserError(
            f"{place} has {len(pixels)} {split} images of {pixels.shape[2]}×{pixels.shape[1]} pixels; expected "
            f"MNIST's 28×28. {REMEDY.capitalize()}."
        )
    return Images(torch.from_numpy(pixels).unsqueeze(1), torch.from_numpy(labels.astype(np.int64)))


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Read an IDX file of unsigned bytes, gzipped or not: a magic number, the shape, then the values.

    The magic number is two zero bytes, 8 for "unsigned byte", and the number of dimensions; the shape is as
    many big-endian 32-bit integers.

    Raises:
        UserError: the file cannot be read, is not of that kind, or its length does not fit its shape.
    """
    data = read_file(path, LIMIT)
    if data[:2] == b"\x1f\x8b":  # some browsers unpack a .gz and keep its name
        with reading(path, REMEDY), gzip.open(io.BytesIO(data)) as packed:
            data = packed.read(LIMIT)
    header = 4 + 4 * dimensions
    if len(data) < header or data[:4] != bytes((0, 0, 8, dimensions)):
        raise UserError(f"{path} is not an IDX file of {dimensions} dimensions; {REMEDY}.")
    shape = struct.unpack(f">{dimensions}I", data[4:header])
    return _array(path, data[header:], shape, header)


def _array(path: Path, values: bytes, shape: tuple[int, ...], header: int) -> np.ndarray:
    """Return bytes as an array of a shape that a header states; its product is one of Python's integers."""
    expected = math.prod(shape)
    if len(values) != expected:
        raise UserError(
            f"{path} is damaged: its header promises {header + expected:,} bytes and it has "
            f"{header + len(values):,}; {REMEDY}."
        )
    return np.frombuffer(bytearray(values), np.uint8).reshape(shape)


def _read_npz(path: Path) -> tuple[Images, Images]:
    """Read the arrays x_train, y_train, x_test and y_test; nothing in the file is unpickled."""
    require_regular(path, LIMIT)
    with reading(path, REMEDY), zipfile.ZipFile(path) as archive:
        arrays = {name: _read_npy(path, archive, name) for name in ("x_train", "y_train", "x_test", "y_test")}
    train, test = (
        _mnist_images(path, split, arrays[f"x_{split}"], arrays[f"y_{split}"]) for split in ("train", "test")
    )
    return train, test


def _read_npy(path: Path, archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """Read one array of bytes from an npz; its header is compared with its size before memory is taken."""
    if f"{name}.npy" not in archive.namelist():
        held = ", ".join(archive.namelist()[:6]) or "nothing"
        raise UserError(f"{path} has no array {name}; it holds {held}. Expected Keras' mnist.npz.")
    member = archive.getinfo(f"{name}.npy")
    data = read_member(path, archive, member, LIMIT)
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    read_header = (
        np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    )
    shape, by_columns, dtype = read_header(stream)
    if dtype != np.uint8 or by_columns or len(shape) != (3 if name[0] == "x" else 1) or min(shape) < 0:
        raise UserError(
            f"{path} has an array {name} of {dtype} and shape {shape}; expected bytes, as in Keras' mnist.npz."
        )
    return _array(path, data[stream.tell() :], shape, stream.tell())


def read_member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, limit: int) -> bytes:
    """Return a file in a zip, of at most `limit` bytes when it is unpacked.

    Raises:
        UserError: it is larger, has a password, or is packed by a method whose memory has no bound.
    """
    if member.flag_bits & 1:
        raise UserError(f"{path} is protected by a password; unpack it, and give the folder.")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UserError(
            f"{path} is not packed by the usual method of zips, deflate; unpack it, and give the folder."
        )
    if member.file_size > limit:
        raise UserError(
            f"{path} has a file {member.filename} of {member.file_size / 1e6:,.0f} MB; expected at most "
            f"{limit / 1e6:,.0f} MB. Take it out."
        )
    with archive.open(member) as file:
        return file.read(member.file_size)  # without the size, whatever is packed would be unpacked first


def find_cifar10(root: Path) -> Path | None:
    """Return the folder or the archive below `root` from which `read_cifar10` reads, or None."""
    folders = [root / name for name in CIFAR10_FOLDERS]
    archives = [folder / name for folder in (root, root / "cifar10") for name in CIFAR10_ARCHIVES]
    # the folder that torchvision would use comes first, even if it is empty
    return next((place for place in folders + archives if place.exists()), None)


def read_cifar10(root: Path) -> tuple[Images, Images]:
    """Read CIFAR-10's official batches, for Python or as binary files, unpacked or in their archive.

    Batches for Python are pickles. They are read only after their checksums have been compared, since a pickle
    can run any code. Images are sorted by class, and within a class they keep the order of the batches. They then
    have the same order as in an image folder of the data set, and a seeded split gives the same images.

    Raises:
        UserError: a file is missing, cannot be read, or has a wrong checksum.
    """
    from torchvision.datasets import CIFAR10

    place = find_cifar10(root) or root / CIFAR10.base_folder
    binary = "bin" in place.name
    read = _folder_reader(place)
    if place.name in CIFAR10_ARCHIVES:
        read = _archive_reader(place, BINARY_MD5 if binary else CIFAR10.tgz_md5)
    batches = _read_binary if binary else _read_pickles
    train = batches(place, read, [name for name, _ in CIFAR10.train_list])
    return train, batches(place, read, [name for name, _ in CIFAR10.test_list])


def _folder_reader(folder: Path) -> Callable[[str], bytes]:
    """Return a function that reads a batch from a folder."""

    def read(name: str) -> bytes:
        if not (folder / name).exists():
            raise UserError(
                f"{folder / name} is missing; {found_in(folder)}. Delete the folder and load again."
            )
        return read_file(folder / name, LIMIT)

    return read


def _archive_reader(path: Path, checksum: str) -> Callable[[str], bytes]:
    """Return a function that reads a batch from an archive, which must be the official one."""
    data = read_file(path, LIMIT)
    _require_checksum(path, data, checksum)
    batches = {}
    with reading(path, REMEDY), tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        for member in archive:
            if member.isfile() and (file := archive.extractfile(member)):
                batches[Path(member.name).name] = file.read()

    def read(name: str) -> bytes:
        if name not in batches:
            raise UserError(f"{path} has no {name}; {REMEDY}.")
        return batches[name]

    return read


def _require_checksum(path: Path, data: bytes, checksum: str) -> None:
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != checksum:
        raise UserError(f"{path} is not the official file (its MD5 should be {checksum}); {REMEDY}.")


def _read_pickles(place: Path, read: Callable[[str], bytes], names: list[str]) -> Images:
    from torchvision.datasets import CIFAR10

    checksums = dict([*CIFAR10.train_list, *CIFAR10.test_list])
    pixels, labels = [], []
    for name in names:
        data = read(name)
        _require_checksum(place / name, data, checksums[name])
        with warnings.catch_warnings(), reading(place / name, REMEDY):
            # numpy 2.4.0 warns of how Python 2 pickled its types
            warnings.simplefilter("ignore", np.exceptions.VisibleDeprecationWarning)
            batch = pickle.loads(data, encoding="latin1")
        pixels.append(batch["data"])
        labels += batch["labels"]
    return _by_class(np.concatenate(pixels), labels)


def _read_binary(place: Path, read: Callable[[str], bytes], names: list[str]) -> Images:
    rows = []
    for name in names:
        data = read(f"{name}.bin")
        batch = np.frombuffer(data[: len(data) // CIFAR10_ROW * CIFAR10_ROW], np.uint8).reshape(
            -1, CIFAR10_ROW
        )
        if len(data) % CIFAR10_ROW or len(data) == 0 or batch[:, 0].max() > 9:
            raise UserError(
                f"{place / name}.bin is damaged: expected {CIFAR10_ROW:,} bytes per image, each with a label up "
                f"to 9; {REMEDY}."
            )
        rows.append(batch)
    whole = np.concatenate(rows)
    return _by_class(whole[:, 1:], whole[:, 0].tolist())


def _by_class(pixels: np.ndarray, targets: list[int]) -> Images:
    """Return images from (N, 3072) pixels, channel by channel, sorted by class and otherwise as they were."""
    labels = torch.tensor(targets)
    order = labels.argsort(stable=True)
    rows: Tensor = torch.from_numpy(pixels.reshape(-1, 3, 32, 32))
    return Images(rows[order], labels[order])
