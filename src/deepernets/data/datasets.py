"""Find and load the data sets of the course by name."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from deepernets.data.downloads import CIFAR10, MNIST, download
from deepernets.data.image_folder import (
    SPLITS,
    count_image_folder,
    is_image_folder,
    read_image_folder,
    require_utf8,
)
from deepernets.data.images import Dataset, Images
from deepernets.data.synthetic import digits, sketches
from deepernets.errors import UserError
from deepernets.files import reading
from deepernets.papers.datasets import DATASETS

COLLECTIONS = {"mnist": MNIST, "cifar10": CIFAR10, "cifar3": CIFAR10}
EMBEDDED: dict[str, Callable[[], Dataset]] = {"digits": digits, "sketches": sketches}
STAND_INS = {"mnist": "digits", "cifar3": "sketches", "cifar10": "sketches"}
PROFILES = ("quick", "laptop", "full")


def _expand(path: str | Path) -> Path:
    """Return a path with its ``~`` replaced; one of an unknown user stays as it is."""
    return Path(os.path.expanduser(path))


def default_root() -> Path:
    """Return the folder of the data: `DEEPERNETS_DATA`, or ``deepernets`` in the user's cache."""
    if named := os.environ.get("DEEPERNETS_DATA"):
        return _expand(named)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "deepernets"


def load_dataset(
    name: str, root: str | Path | None = None, profile: str | None = None, image_size: int | None = None
) -> Dataset:
    """Load a data set by its name or from an image folder.

    Looks for the official files below `root`, then for an image folder ``root/<name>/{train,test}[.zip]``, and
    otherwise downloads the official files. It loads no other data set instead, except under the profile quick.
    CIFAR-3 is CIFAR-10's airplanes, automobiles and birds.

    Args:
        name: One of `DATASETS`, or the path of an image folder, or of a zip of one.
        root: Folder of the data; without it `default_root()`.
        profile: ``quick`` loads the embedded stand-in (`STAND_INS`), under its own name.
        image_size: Height and width in pixels to which the images of a folder are resized if they differ in size.

    Returns:
        The data set. Its `variant` states where the images come from: ``cifar10`` are the official ones,
        ``cifar10-jpeg`` were read from JPEG files.

    Raises:
        UserError: the data set is unknown, damaged or not available.

    >>> load_dataset("cifar3", profile="quick").name
    'sketches'
    >>> load_dataset("digits").train.pixels.shape
    torch.Size([1438, 1, 28, 28])
    """
    if profile not in (None, *PROFILES):
        raise UserError(f"There is no profile {profile!r}; choose one of {', '.join(PROFILES)}.")
    if profile == "quick":
        name = STAND_INS.get(name, name)
    if name in EMBEDDED:
        return EMBEDDED[name]()
    if name in COLLECTIONS:
        place = default_root() if root is None else _expand(root)
        return _find(name, place, image_size) or _download(name, place)
    with reading(Path(name), "give another path"):
        path = _expand(name).absolute()
        there = path.is_symlink() or path.exists()
    if there:
        require_utf8(name, "the data folder")
        require_utf8(path.name, "the data folder")
        own_name = path.name.removesuffix(".zip")
        return _read_folder(own_name, own_name, path, image_size=image_size)
    near = get_close_matches(name, DATASETS, n=1, cutoff=0.4) or list(DATASETS)
    raise UserError(
        f"There is no data set and no folder {name!r}; did you mean {near[0]!r}? "
        f"Choose one of {', '.join(DATASETS)}, or the path of an image folder."
    )


def _possible_folders(name: str, root: Path) -> tuple[Path, Path]:
    """Return the folder for the official files of a data set, and the one for an image folder of it."""
    collection = COLLECTIONS[name]
    return root / collection.folder, root / collection.name


def _existing_places(name: str, root: Path) -> tuple[Path | None, Path | None]:
    """Return the folder or archive of the official files, or else the image folder; None for what is not there."""
    _, folder = _possible_folders(name, root)
    try:
        if official := COLLECTIONS[name].find(root):
            return official, None
        return None, folder if is_image_folder(folder) else None
    except OSError as error:
        raise UserError(f"{root} cannot be read ({error.strerror}); check that it may be read.") from error


def _find(name: str, root: Path, image_size: int | None) -> Dataset | None:
    """Load a named data set from below `root`; None if it is not there."""
    official, folder = _existing_places(name, root)
    if official:
        return _read_official(name, root)
    if folder:
        return _read_folder(name, COLLECTIONS[name].name, folder, DATASETS[name].classes, image_size)
    return None


def _read_official(name: str, root: Path) -> Dataset:
    collection, classes = COLLECTIONS[name], DATASETS[name].classes
    train, test = (_first_classes(images, len(classes)) for images in collection.read(root))
    return Dataset(name, collection.name, classes, train, test)


def _first_classes(images: Images, count: int) -> Images:
    return images.select((images.labels < count).nonzero().flatten())


def _read_folder(
    name: str, origin: str, place: Path, classes: tuple[str, ...] = (), image_size: int | None = None
) -> Dataset:
    """Read an image folder, and add the format of its files to the variant: a JPEG is not the original."""
    train, test = read_image_folder(place, classes, image_size)
    variant = _variant(origin, train.formats | test.formats)
    return Dataset(name, variant, train.classes, train.images, test.images)


def _variant(origin: str, formats: set[str]) -> str:
    return f"{origin}-{'+'.join(sorted(formats))}"


def _download(name: str, root: Path) -> Dataset:
    try:
        download(COLLECTIONS[name], root)
    except OSError as error:
        raise UserError(
            f"{name} is not available: {_missing(name, root)}, and the download failed ({error}); put the "
            "files there, name another folder with --data-root or DEEPERNETS_DATA, go online and allow "
            f"writing there, or use the profile quick or the data set {STAND_INS[name]}, which need no "
            "network."
        ) from error
    return _read_official(name, root)


def _missing(name: str, root: Path) -> str:
    official, folder = _possible_folders(name, root)
    splits = f"{{{','.join(SPLITS)}}}[.zip]"
    return f"there are no official files in {official} and no image folder or zip {folder / splits}"


@dataclass(frozen=True)
class Availability:
    """Whether a data set can be loaded without a download.

    Attributes:
        name: Name of the data set.
        variant: What was found, such as ``cifar10-jpeg``; empty if nothing was.
        place: Where it was found.
        train: Training images per class.
        test: Test images per class.
        problem: Why it cannot be loaded; empty if it can.
    """

    name: str
    variant: str = ""
    place: str = ""
    train: dict[str, int] | None = None
    test: dict[str, int] | None = None
    problem: str = ""

    def __str__(self) -> str:
        if not (self.train and self.test):
            return f"{self.name:9} not available: {self.problem}"
        train, test = (sum(counts.values()) for counts in (self.train, self.test))
        least, most = min(self.train.values()), max(self.train.values())
        each = f"{least:,}" if least == most else f"{least:,} to {most:,}"
        classes = f"{len(self.train)} classes of {each}"
        return (
            f"{self.name:9} {self.variant:13} {train:6,} training images ({classes}), {test:6,} test images, "
            f"{self.place}"
        )


def check_datasets(root: str | Path | None = None) -> list[Availability]:
    """Return whether each data set in `DATASETS` is available; nothing is downloaded.

    Official files are read in full. Of an image folder or zip only the names of the files are read.
    """
    place = default_root() if root is None else _expand(root)
    return [_availability(name, place) for name in DATASETS]


def _availability(name: str, root: Path) -> Availability:
    try:
        if name in EMBEDDED:
            return _availability_of(EMBEDDED[name](), "built in")
        official, folder = _existing_places(name, root)
        if official:
            return _availability_of(_read_official(name, root), str(official))
        if folder:
            (train, test), formats = count_image_folder(folder, DATASETS[name].classes)
            return Availability(name, _variant(COLLECTIONS[name].name, formats), str(folder), train, test)
        problem = f"{_missing(name, root)}; it will be downloaded when first used."
        return Availability(name, problem=problem)
    except UserError as error:
        return Availability(name, problem=str(error))


def _availability_of(found: Dataset, place: str) -> Availability:
    counts = [images.per_class(len(found.classes)) for images in (found.train, found.test)]
    train, test = (dict(zip(found.classes, each, strict=True)) for each in counts)
    return Availability(found.name, found.variant, place, train, test)
