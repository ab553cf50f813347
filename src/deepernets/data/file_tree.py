"""The files below a folder or inside a zip, under the same names for both."""

import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from deepernets.data.official_files import read_member
from deepernets.errors import UserError
from deepernets.files import read_file, require_regular, zip_name

SYSTEM_FILES = ("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r")  # hidden ones apart
DEPTH = 16  # folders inside each other
MOST_FILES = 2_000_000
LARGEST_FILE = 2**28  # bytes of an image file
LARGEST_ZIP = 2**37  # bytes


@dataclass(frozen=True)
class FileTree:
    """The files below a folder or inside a zip, under names as a zip has them.

    Attributes:
        place: The folder or zip, for messages.
        names: Sorted; parts are separated by ``/``, and a folder's name ends in one.
        read: From a name to the file's bytes.
    """

    place: Path
    names: list[str]
    read: Callable[[str], bytes]

    def below(self, folder: str) -> "FileTree":
        """Return the files in one of its folders."""
        prefix = f"{folder}/"
        inside = [name.removeprefix(prefix) for name in self.names if name.startswith(prefix)]
        named = [name for name in inside if name]
        return FileTree(self.place / folder, named, lambda name: self.read(prefix + name))

    def within_top_folders(self, stop: Sequence[str] = ()) -> "FileTree":
        """Step into a single top folder as long as there is one that holds only folders and is none of `stop`."""
        tree = self
        for _ in range(DEPTH):
            tops = {name.partition("/")[0] for name in tree.names}
            if len(tops) != 1 or (top := tops.pop()) in stop or top in tree.names:
                break
            inner = tree.below(top)
            if any("/" not in name for name in inner.names) or not inner.names:
                break
            tree = inner
        return tree


def is_visible(name: str) -> bool:
    """Return whether a file is none of those that operating systems leave behind, such as ``.DS_Store``."""
    parts = PurePosixPath(name).parts
    return not any(part.startswith((".", "__MACOSX")) or part.lower() in SYSTEM_FILES for part in parts)


@contextmanager
def open_tree(place: Path) -> Iterator[FileTree]:
    """Open a folder or a zip, and turn the many exceptions of reading one into a `UserError`.

    Of a zip only the list of its files is read, until a file is.
    """
    try:
        if place.is_dir():
            names = sorted(filter(is_visible, _walk(place)))
            yield FileTree(place, names, lambda name: read_file(place / name, LARGEST_FILE))
            return
        require_regular(place, LARGEST_ZIP)
        with zipfile.ZipFile(place) as archive:
            yield _zip_tree(place, archive)
    except UserError:
        raise
    except OSError as error:
        raise UserError(
            f"{place} cannot be read ({error.strerror or error}); check that it may be read."
        ) from error
    except Exception as error:  # zipfile, zlib and struct each have exceptions of their own
        raise UserError(
            f"{place} is truncated, damaged or no plain zip ({error or type(error).__name__}); "
            "make or download it again."
        ) from error


def _zip_tree(place: Path, archive: zipfile.ZipFile) -> FileTree:
    """Return the files in a zip. Programs on Windows have written names with backslashes, and in CP949."""
    _require_few(place, len(archive.infolist()))
    members = {}
    for member in archive.infolist():
        name = zip_name(member).replace("\\", "/").removeprefix("./").lstrip("/")
        if name.count("/") > DEPTH:
            raise UserError(f"{place} has folders more than {DEPTH} deep; expected train/<class>/<image>.")
        if is_visible(name):
            members[name] = member

    def read(name: str) -> bytes:
        return read_member(place, archive, members[name], LARGEST_FILE)

    return FileTree(place, sorted(members), read)


def _walk(folder: Path) -> Iterator[str]:
    """Yield the names of all files and folders below `folder`, as a zip would list them."""

    def refuse(error: OSError) -> None:
        raise error

    count = 0
    for path, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        here = Path(path).relative_to(folder)
        count += len(folders) + len(files)
        _require_few(folder, count)
        if len(here.parts) > DEPTH:
            raise UserError(
                f"{folder / here.parts[0]} has folders more than {DEPTH} deep, or a link to a folder above it; "
                "expected one folder of images per class."
            )
        yield from ((here / name).as_posix() + "/" for name in folders)
        yield from ((here / name).as_posix() for name in files)


def _require_few(place: Path, count: int) -> None:
    if count > MOST_FILES:
        raise UserError(
            f"{place} has more than {MOST_FILES:,} files and folders; give a folder with fewer images."
        )
