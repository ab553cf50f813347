"""Read images from class folders, ``{train,test}/<class>/*``, in a folder or in a zip."""

import os
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import torch

from deepernets.data.file_tree import DEPTH, FileTree, is_visible, open_tree
from deepernets.data.image_files import decode
from deepernets.data.images import Images, resize, resize_pixels
from deepernets.data.official_files import MNIST_FOLDERS, found_in
from deepernets.errors import ImagesChangedWarning, UserError
from deepernets.files import reading
from deepernets.progress import tqdm

SPLITS = ("train", "test")
MOST_BYTES = 4_000_000_000  # of all images of a split, as pixels
ENDINGS = {".jpg": "jpeg", ".jpe": "jpeg", ".tif": "tiff"}  # that are not the name of the format
RESIZE = "bring all images to one size, or give an image_size to resize them to"


class Split(NamedTuple):
    """One split: its images, its classes, and the formats of its files, such as ``jpeg``."""

    images: Images
    classes: tuple[str, ...]
    formats: set[str]


def is_image_folder(place: Path) -> bool:
    """Return whether `place` is a folder with a training or a test split in it, or a zip of one."""
    return _is_zip(place) or any(_split_at(_inner(place), split) for split in SPLITS)


def require_utf8(name: str, what: str) -> None:
    """Raise an error unless a name can be written into a record.

    Raises:
        UserError: the name holds bytes that are not UTF-8.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        raise UserError(f"The name of {what}, {os.fsencode(name)!r}, is not UTF-8; rename it.") from None


def read_image_folder(
    place: Path, classes: Sequence[str] = (), image_size: int | None = None
) -> tuple[Split, Split]:
    """Read the training and the test split of an image folder.

    Photographs are turned as their EXIF data states, transparent images are laid on white, and colours are
    converted to RGB. One warning states what was changed.

    Args:
        place: A folder that holds ``train`` and ``test``, each a folder or a zip of class folders; or a zip
            of such a folder. They may be inside a single top folder.
        classes: Only these classes, in this order; without it all classes, sorted by name. Within a class,
            images are sorted by name.
        image_size: Height and width in pixels to which all images are resized if they differ in size.

    Raises:
        UserError: a split or a class is missing, a class is empty, a file is no image, damaged or too large, or
            the images differ in size and there is no `image_size`.
    """
    changes: Counter[str] = Counter()
    train, test = (_read_split(place, split, tuple(classes), image_size, changes) for split in SPLITS)
    if train.classes != test.classes:
        odd = ", ".join(sorted(set(train.classes) ^ set(test.classes)))
        raise UserError(f"{place} has different classes in train and test ({odd}); give both the same.")
    if train.images.pixels.shape[2:] != test.images.pixels.shape[2:]:
        if image_size is None:
            raise UserError(
                f"{place} has training images of {_size(train.images)} and test images of {_size(test.images)} "
                f"(channels × height × width); {RESIZE}."
            )
        for split in (train, test):
            if split.images.pixels.shape[2:] != (image_size, image_size):
                changes[f"resized to {image_size}×{image_size} pixels"] += len(split.images)
        train, test = (split._replace(images=resize(split.images, image_size)) for split in (train, test))
    if train.images.pixels.shape[1] != test.images.pixels.shape[1]:  # one split has only grey images
        train, test = (split._replace(images=_in_colour(split.images)) for split in (train, test))
    if changes:
        done = ", ".join(f"{count:,} {change}" for change, count in changes.items())
        warnings.warn(
            f"Images in {place} were changed on reading: {done}.", ImagesChangedWarning, stacklevel=2
        )
    return train, test


def count_image_folder(place: Path, classes: Sequence[str] = ()) -> tuple[list[dict[str, int]], set[str]]:
    """Count the images of an image folder from the names of its files; no image is read.

    Args:
        place: As for `read_image_folder`.
        classes: Only these classes; without it all of them.

    Returns:
        By class, the numbers of training and of test images; and the formats that the names end in, such as
        ``jpeg``.

    Raises:
        UserError: a split or a class is missing, or a class is empty.
    """
    counts, formats = [], set()
    for split in SPLITS:
        with _open_split(place, split) as tree:
            files = _files_of(tuple(classes), tree)
        counts.append({label: len(names) for label, names in files.items()})
        endings = {PurePosixPath(name).suffix.lower() for names in files.values() for name in names}
        formats |= {ENDINGS.get(ending, ending.removeprefix(".")) for ending in endings}
    return counts, formats


def _in_colour(images: Images) -> Images:
    return Images(images.pixels.expand(-1, 3, -1, -1).contiguous(), images.labels)


def _inner(place: Path) -> Path:
    """Return the folder that holds the splits: `place`, or what is inside its single top folders."""
    folder = place
    for _ in range(DEPTH):
        if not folder.is_dir() or any(_split_at(folder, split) for split in SPLITS):
            return folder
        visible = [path for path in folder.iterdir() if is_visible(path.name)]
        if len(visible) != 1 or not visible[0].is_dir():
            return place
        folder = visible[0]
    return place


def _split_at(place: Path, split: str) -> Path | None:
    """Return the folder or zip of a split, or None."""
    folder, archive = place / split, place / f"{split}.zip"
    if folder.is_dir():
        return folder
    return archive if archive.is_file() else None


def _read_split(
    place: Path, split: str, classes: tuple[str, ...], image_size: int | None, changes: Counter[str]
) -> Split:
    """Read one split, and count in `changes` what was done to its images; labels are positions of the classes."""
    with _open_split(place, split) as tree:
        files = _files_of(classes, tree)
        names = [name for of_class in files.values() for name in of_class]
        labels = [label for label, of_class in enumerate(files.values()) for _ in of_class]
        pixels, formats = _decode_all(tree, names, image_size, changes)
    return Split(Images(pixels, torch.tensor(labels)), tuple(files), formats)


@contextmanager
def _open_split(place: Path, split: str) -> Iterator[FileTree]:
    """Open the class folders of one split."""
    with reading(place, "give another folder"):
        place = _inner(place)
        is_folder = place.is_dir()
    if is_folder:
        path = _split_at(place, split)
        if path is None:
            raise UserError(
                f"{place} has no {split} images; {found_in(place)}. Put them into {split}/<class>/ there, or into "
                f"{split}.zip."
            )
        with open_tree(path) as tree:
            yield tree if path.is_dir() else tree.within_top_folders()
        return
    with open_tree(place) as tree:
        found = tree.within_top_folders(stop=SPLITS)
        tops = sorted({name.partition("/")[0] for name in found.names})
        if split not in tops and any("-ubyte" in name for name in found.names):
            raise UserError(
                f"{place} holds IDX files, as MNIST's are, and they are not read from a zip; unpack it into "
                f"{MNIST_FOLDERS[0]} in the data folder, and load mnist."
            )
        if split not in tops:
            raise UserError(
                f"{place} has no folder {split}, and so no class folder at all; it holds "
                f"{', '.join(tops[:4]) or 'nothing'}. Expected {split}/<class>/ in it."
            )
        yield found.below(split)


def _files_of(classes: tuple[str, ...], tree: FileTree) -> dict[str, list[str]]:
    """Return the names of the files of some classes, in this order, or of all."""
    files = _files_by_class(tree)
    missing = [name for name in classes if name not in files]
    if missing or not files:
        raise UserError(
            f"{tree.place} has no class folder {' or '.join(missing) or 'at all'}; "
            "it must hold one folder of images per class."
        )
    for name in classes or files:
        require_utf8(name, f"a class folder in {tree.place}")
    return {name: files[name] for name in classes or files}


def _files_by_class(tree: FileTree) -> dict[str, list[str]]:
    """Return the names of each class's files; classes and names are sorted."""
    files: dict[str, list[str]] = {}
    for name in tree.names:
        label, slash, rest = name.partition("/")
        if not slash:
            raise UserError(
                f"{tree.place / name} is next to the class folders; move it into one of them, or away."
            )
        files.setdefault(label, [])
        if rest and not rest.endswith("/"):
            files[label].append(name)
    for label, names in files.items():
        if not names:
            raise UserError(f"{tree.place / label} is empty; put images into it, or remove the folder.")
    return files


def _decode_all(
    tree: FileTree, names: list[str], image_size: int | None, changes: Counter[str]
) -> tuple[torch.Tensor, set[str]]:
    """Return images as uint8 (N, C, H, W), C = 1 if all are grey, and the formats of their files.

    They are resized to `image_size` if they differ in size or would take too much memory as they are.
    """
    images: list[np.ndarray] = []  # (H, W, C)
    formats = set()
    resizing, total = False, 0
    for name in tqdm(names, desc=f"reading {tree.place.name}", unit="img", delay=1, leave=False):
        image, file_format = decode(tree.read(name), tree.place / name, changes)
        formats.add(file_format)
        total += image.nbytes
        differs = bool(images) and image.shape[:2] != images[0].shape[:2]
        if image_size is not None:
            if not resizing and (differs or total > MOST_BYTES):
                images, resizing = [_resized(each, image_size, changes) for each in images], True
            if resizing:
                image = _resized(image, image_size, changes)
        elif differs:
            raise UserError(
                f"{tree.place / name} is {_sides(image)} pixels, but {names[0]} is {_sides(images[0])}; {RESIZE}."
            )
        elif total > MOST_BYTES:
            raise UserError(
                f"The images in {tree.place} take more than {MOST_BYTES / 1e9:.0f} GB as pixels; {RESIZE}."
            )
        images.append(image)
    channels = max(image.shape[2] for image in images)
    stacked = np.empty((len(images), *images[0].shape[:2], channels), np.uint8)  # (N, H, W, C)
    for row, image in zip(stacked, images, strict=True):
        row[:] = image  # a grey image among coloured ones fills all three channels
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).contiguous(), formats


def _resized(image: np.ndarray, size: int, changes: Counter[str]) -> np.ndarray:
    if image.shape[:2] == (size, size):
        return image
    changes[f"resized to {size}×{size} pixels"] += 1
    pixels = torch.from_numpy(image.copy()).permute(2, 0, 1)[None]
    return resize_pixels(pixels, size)[0].permute(1, 2, 0).numpy()


def _sides(image: np.ndarray) -> str:
    height, width = image.shape[:2]
    return f"{width}×{height}"


def _is_zip(place: Path) -> bool:
    return place.suffix.lower() == ".zip" and place.is_file()


def _size(images: Images) -> str:
    return "×".join(map(str, images.pixels.shape[1:]))
