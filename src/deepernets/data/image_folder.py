"""Read images from class folders, ``{train,test}/<class>/*``, in a folder or in a zip."""

import io
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageMode

from deepernets.data.images import Images
from deepernets.errors import UserError
from deepernets.progress import tqdm

SPLITS = ("train", "test")


class Split(NamedTuple):
    """One split: its images, its classes, and the formats of its files, such as ``jpeg``."""

    images: Images
    classes: tuple[str, ...]
    formats: set[str]


def is_image_folder(place: Path) -> bool:
    """Return whether `place` is a folder with a training or a test split in it, or a zip of one."""
    return _is_zip(place) or any(_split_at(place, split) for split in SPLITS)


def require_utf8(name: str, what: str) -> None:
    """Raise an error unless a name can be written into a record.

    Raises:
        UserError: the name holds bytes that are not UTF-8.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        raise UserError(f"The name of {what}, {os.fsencode(name)!r}, is not UTF-8; rename it.") from None


def read_image_folder(place: Path, classes: Sequence[str] = ()) -> tuple[Split, Split]:
    """Read the training and the test split of an image folder.

    Args:
        place: A folder that holds ``train`` and ``test``, each a folder or a zip of class folders; or a zip
            of such a folder.
        classes: Only these classes, in this order; without it all classes, sorted by name. Within a class,
            images are sorted by name.

    Raises:
        UserError: a split or a class is missing, a class is empty, a file is no image or damaged, or the
            images differ in size.
    """
    train, test = (_read_split(place, split, tuple(classes)) for split in SPLITS)
    if train.classes != test.classes:
        odd = ", ".join(sorted(set(train.classes) ^ set(test.classes)))
        raise UserError(f"{place} has different classes in train and test ({odd}); give both the same.")
    if train.images.pixels.shape[1:] != test.images.pixels.shape[1:]:
        raise UserError(
            f"{place} has training images of {_size(train.images)} and test images of {_size(test.images)} "
            "(channels × height × width); bring all to one size."
        )
    return train, test


@dataclass(frozen=True)
class _Store:
    """The files below a folder or inside a zip, under names as a zip has them.

    Attributes:
        place: The folder or zip, for messages.
        names: Sorted; parts are separated by ``/``, and a folder's name ends in one.
        read: From a name to the file's bytes.
    """

    place: Path
    names: list[str]
    read: Callable[[str], bytes]

    def below(self, folder: str) -> "_Store":
        """Return the files in one of its folders."""
        prefix = f"{folder}/"
        inside = [name.removeprefix(prefix) for name in self.names if name.startswith(prefix)]
        named = [name for name in inside if name]
        return _Store(self.place / folder, named, lambda name: self.read(prefix + name))


def _visible(name: str) -> bool:
    """Return whether a file is none of those that operating systems leave behind, such as ``.DS_Store``."""
    return not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)


@contextmanager
def _open(place: Path) -> Iterator[_Store]:
    """Open a folder or a zip, and turn the many exceptions of reading one into a `UserError`."""
    try:
        if place.is_dir():
            names = sorted(filter(_visible, _walk(place)))
            yield _Store(place, names, lambda name: (place / name).read_bytes())
            return
        with zipfile.ZipFile(place) as archive:
            store = _Store(place, sorted(filter(_visible, archive.namelist())), archive.read)
            # zip programs often wrap everything in a folder with the name of the archive
            wrapped = all(name.startswith(f"{place.stem}/") for name in store.names)
            yield store.below(place.stem) if wrapped else store
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UserError(
            f"{place} is truncated, damaged or no plain zip ({error}); make or download it again."
        ) from error
    except OSError as error:
        raise UserError(
            f"{place} cannot be read ({error.strerror or error}); check that it may be read."
        ) from error


def _walk(folder: Path) -> Iterator[str]:
    """Yield the names of all files and folders below `folder`, as a zip would list them."""

    def refuse(error: OSError) -> None:
        raise error

    for path, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        here = Path(path).relative_to(folder)
        yield from ((here / name).as_posix() + "/" for name in folders)
        yield from ((here / name).as_posix() for name in files)


def _split_at(place: Path, split: str) -> Path | None:
    """Return the folder or zip of a split, or None."""
    folder, archive = place / split, place / f"{split}.zip"
    if folder.is_dir():
        return folder
    return archive if archive.is_file() else None


def _read_split(place: Path, split: str, classes: tuple[str, ...]) -> Split:
    if place.is_dir():
        path = _split_at(place, split)
        if path is None:
            raise UserError(
                f"{place} has no {split} images; put them into {split}/<class>/ there, or into {split}.zip."
            )
        with _open(path) as store:
            return _read_classes(store, classes)
    with _open(place) as store:
        return _read_classes(store.below(split), classes)


def _read_classes(store: _Store, classes: tuple[str, ...]) -> Split:
    """Decode the images of some classes, or of all; the label of a class is its position among them."""
    files = _files_by_class(store)
    missing = [name for name in classes if name not in files]
    if missing or not files:
        raise UserError(
            f"{store.place} has no class folder {' or '.join(missing) or 'at all'}; "
            "it must hold one folder of images per class."
        )
    classes = classes or tuple(files)
    for name in classes:
        require_utf8(name, f"a class folder in {store.place}")
    names = [name for label in classes for name in files[label]]
    labels = [label for label, name in enumerate(classes) for _ in files[name]]
    pixels, formats = _decode_all(store, names)
    return Split(Images(pixels, torch.tensor(labels)), classes, formats)


def _files_by_class(store: _Store) -> dict[str, list[str]]:
    """Return the names of each class's files; classes and names are sorted."""
    files: dict[str, list[str]] = {}
    for name in store.names:
        label, slash, rest = name.partition("/")
        if not slash:
            raise UserError(
                f"{store.place / name} is next to the class folders; move it into one of them, or away."
            )
        files.setdefault(label, [])
        if rest and not rest.endswith("/"):
            files[label].append(name)
    for label, names in files.items():
        if not names:
            raise UserError(f"{store.place / label} is empty; put images into it, or remove the folder.")
    return files


def _decode_all(store: _Store, names: list[str]) -> tuple[torch.Tensor, set[str]]:
    """Return the images as uint8 (N, C, H, W), C = 1 if all are grey, and the formats of their files."""
    images: list[np.ndarray] = []
    formats = set()
    for name in tqdm(names, desc=f"reading {store.place.name}", unit="img", delay=1, leave=False):
        image, file_format = _decode(store.read(name), store.place / name)
        images.append(image)
        formats.add(file_format)
        (height, width, _), (first_height, first_width, _) = image.shape, images[0].shape
        if (height, width) != (first_height, first_width):
            raise UserError(
                f"{store.place / name} is {width}×{height} pixels, but {names[0]} is "
                f"{first_width}×{first_height}; bring all images to one size."
            )
    channels = max(image.shape[2] for image in images)
    stacked = np.empty((len(images), *images[0].shape[:2], channels), np.uint8)  # (N, H, W, C)
    for row, image in zip(stacked, images, strict=True):
        row[:] = image  # a grey image among coloured ones fills all three channels
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).contiguous(), formats


def _decode(data: bytes, path: Path) -> tuple[np.ndarray, str]:
    """Return an image as uint8 (H, W, 1) if it is grey, else (H, W, 3), and its file's format."""
    try:
        image: Image.Image = Image.open(io.BytesIO(data))
        image.load()
    except Image.UnidentifiedImageError as error:
        raise UserError(f"{path} is not an image; move it away.") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} is damaged ({error}); replace it, or move it away.") from error
    if ImageMode.getmode(image.mode).typestr not in ("|u1", "|b1"):
        raise UserError(f"{path} has more than 8 bits per channel; convert it to 8 bits.")
    pixels = np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))
    return np.atleast_3d(pixels), str(image.format).lower()


def _is_zip(place: Path) -> bool:
    return place.suffix.lower() == ".zip" and place.is_file()


def _size(images: Images) -> str:
    return "×".join(map(str, images.pixels.shape[1:]))
