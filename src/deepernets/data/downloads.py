"""Download MNIST and CIFAR-10 with torchvision."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from tarfile import TarError
from tempfile import TemporaryDirectory

from deepernets.data.images import Images
from deepernets.data.official_files import find_cifar10, find_mnist, read_cifar10, read_mnist
from deepernets.errors import UserError

TIMEOUT = 20.0  # seconds without an answer, after which a connection is given up


@dataclass(frozen=True)
class Collection:
    """A published data set.

    Attributes:
        name: Its name in variants and for image folders; torchvision's name in lower case.
        folder: Folder below the root into which its files are downloaded.
        find: From the root to the folder or the archive of its official files, or None.
        read: From the root to the training and the test images.
    """

    name: str
    folder: str
    find: Callable[[Path], Path | None]
    read: Callable[[Path], tuple[Images, Images]]


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
        try:
            (Path(temporary) / collection.folder).rename(place)
        except OSError:
            if collection.find(root) is None:  # otherwise another process has been faster
                raise


@contextmanager
def _timeout() -> Iterator[None]:
    """Close connections that do not answer within `TIMEOUT`; torchvision sets no limit."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


MNIST = Collection("mnist", "MNIST/raw", find_mnist, read_mnist)
CIFAR10 = Collection("cifar10", "cifar-10-batches-py", find_cifar10, read_cifar10)
