"""The official files of MNIST and CIFAR-10, in the layout in which torchvision downloads them."""

import socket
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from tarfile import TarError
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from deepernets.data.images import Images
from deepernets.errors import UserError

TIMEOUT = 20.0  # seconds without an answer, after which a connection is given up


@dataclass(frozen=True)
class Collection:
    """A published data set.

    Attributes:
        name: Its name in variants and for image folders; torchvision's name in lower case.
        folder: Folder of its files below the root.
        read: From the root to the training and the test images.
    """

    name: str
    folder: str
    read: Callable[[Path], tuple[Images, Images]]


def read_mnist(root: Path) -> tuple[Images, Images]:
    """Read the four IDX files below ``root/MNIST/raw``, in their own order.

    Raises:
        UserError: a file is missing, truncated or no IDX file, or images and labels differ in number.
    """
    train, test = (_read_idx_pair(root / "MNIST" / "raw", split) for split in ("train", "t10k"))
    return train, test


def _read_idx_pair(folder: Path, split: str) -> Images:
    pixels = read_idx(folder / f"{split}-images-idx3-ubyte", dimensions=3)  # (N, 28, 28)
    labels = read_idx(folder / f"{split}-labels-idx1-ubyte", dimensions=1)  # (N,)
    if len(pixels) != len(labels) or labels.max(initial=0) > 9:
        raise UserError(
            f"{folder} has {len(pixels)} {split} images, and {len(labels)} labels up to "
            f"{labels.max(initial=0)}, which do not belong together; delete the folder and load again."
        )
    return Images(torch.from_numpy(pixels).unsqueeze(1), torch.from_numpy(labels.astype(np.int64)))


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Read an IDX file of unsigned bytes: a magic number, the shape, then the values.

    The magic number is two zero bytes, 8 for "unsigned byte", and the number of dimensions; the shape is as
    many big-endian 32-bit integers.

    Raises:
        UserError: the file cannot be read, is not of that kind, or its length does not fit its shape.
    """
    with _readable(path):
        data = path.read_bytes()
    header = 4 + 4 * dimensions
    if len(data) < header or data[:4] != bytes((0, 0, 8, dimensions)):
        raise UserError(
            f"{path} is not an IDX file of {dimensions} dimensions; delete its folder and load again."
        )
    shape = struct.unpack(f">{dimensions}I", data[4:header])
    expected = header + int(np.prod(shape, dtype=np.int64))
    if len(data) != expected:
        raise UserError(
            f"{path} is damaged: its header promises {expected:,} bytes and it has {len(data):,}; "
            "delete its folder and load again."
        )
    return np.frombuffer(bytearray(data), np.uint8, offset=header).reshape(shape)


def read_cifar10(root: Path) -> tuple[Images, Images]:
    """Read the official batches below ``root/cifar-10-batches-py``, after comparing their checksums.

    Images are sorted by class, and within a class they keep the order of the batches. They then have the same
    order as in an image folder of the data set, and a seeded split gives the same images.

    Raises:
        UserError: a file is missing, cannot be read, or has a wrong checksum.
    """
    from torchvision.datasets import CIFAR10
    from torchvision.datasets.utils import check_integrity

    folder = root / CIFAR10.base_folder
    meta = (CIFAR10.meta["filename"], CIFAR10.meta["md5"])
    for name, checksum in [*CIFAR10.train_list, *CIFAR10.test_list, meta]:
        with _readable(folder / name):
            intact = check_integrity(folder / name, checksum)
        if not intact:
            raise UserError(
                f"{folder / name} is missing or not the official file (its MD5 should be {checksum}); "
                "delete the folder and load again."
            )
    with warnings.catch_warnings():
        # numpy 2.4.0 warns of how Python 2 pickled its types
        warnings.simplefilter("ignore", np.exceptions.VisibleDeprecationWarning)
        train, test = (CIFAR10(root, train=train) for train in (True, False))
    return _by_class(train.data, train.targets), _by_class(test.data, test.targets)


def _by_class(pixels: np.ndarray, targets: list[int]) -> Images:
    """Return images from (N, H, W, C) pixels, sorted by class and otherwise as they were."""
    labels = torch.tensor(targets)
    in_order: Tensor = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    images = Images(in_order, labels).select(labels.argsort(stable=True))
    return Images(images.pixels.contiguous(), images.labels)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn the system's error into one sentence.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror or error}); check that it is there and may be read, "
            "or delete its folder and load again."
        ) from error


def download(collection: Collection, root: Path) -> None:
    """Download a collection below `root` with torchvision, which shows a progress bar and compares checksums.

    The files are downloaded into a temporary folder, which is renamed when all of them are complete and readable.

    Raises:
        OSError: `root` cannot be written to, or there is no network.
    """
    import torchvision.datasets

    kind = getattr(torchvision.datasets, collection.name.upper())
    root.mkdir(parents=True, exist_ok=True)
    place = root / collection.folder
    with TemporaryDirectory(prefix=".download-", dir=root) as temporary, _timeout():
        try:
            kind(temporary, download=True)  # training and test files
            collection.read(Path(temporary))
        except (RuntimeError, HTTPException, TarError, EOFError, UserError) as error:
            raise OSError(" ".join(str(error).split())) from error  # torchvision's runs over several lines
        place.parent.mkdir(exist_ok=True)
        (Path(temporary) / collection.folder).rename(place)


@contextmanager
def _timeout() -> Iterator[None]:
    """Close connections that do not answer within `TIMEOUT`; torchvision sets no limit."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


MNIST = Collection("mnist", "MNIST/raw", read_mnist)
CIFAR10 = Collection("cifar10", "cifar-10-batches-py", read_cifar10)
