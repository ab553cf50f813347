"""Write files atomically, and read files of unknown origin without surprises."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deepernets.errors import UserError


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a temporary file, and rename it to `path` when it is complete.

    A program that is killed leaves no incomplete file.

    Args:
        path: Where the file will be; its folder is created.
        write: Called with the path of the temporary file, which is in the same folder.

    Raises:
        UserError: the folder cannot be written to.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        temporary.replace(path)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror}); choose another folder with --out."
        ) from error
    finally:
        if temporary.is_file():
            temporary.unlink()


@contextmanager
def reading(path: Path, remedy: str) -> Iterator[None]:
    """Turn whatever goes wrong while a file is read or parsed into one sentence.

    Parsers of damaged files raise more than they document: recursion, memory, overflow, and their own exceptions.

    Args:
        path: The file, for the message.
        remedy: What to do about a damaged file, such as ``delete it and load again``.

    Raises:
        UserError: the file cannot be read, or is damaged.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.strerror:  # the system's; libraries raise OSError without it
            raise UserError(
                f"{path} cannot be read ({error.strerror}); check that it is there and may be read."
            ) from error
        text = "".join(letter for letter in " ".join(str(error).split()) if letter.isprintable())
        reason = text[:200].rstrip(".") or type(error).__name__
        raise UserError(f"{path} is damaged ({reason}); {remedy}.") from error


def require_regular(path: Path, limit: int) -> None:
    """Raise an error unless `path` is a regular file of at most `limit` bytes.

    Opening a pipe would wait forever, and a device may never end.

    Raises:
        UserError: it is something else, is larger, or cannot be found.
    """
    with reading(path, "replace it"):
        status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or a device"
        raise UserError(f"{path} is {what}; expected a file. Give another path, or remove it.")
    if status.st_size > limit:
        raise UserError(
            f"{path} has {status.st_size / 1e6:,.0f} MB; expected at most {limit / 1e6:,.0f} MB. "
            "Give another file, or remove it."
        )


def read_file(path: Path, limit: int) -> bytes:
    """Return the bytes of a regular file.

    Args:
        path: The file; links are followed.
        limit: The largest number of bytes that is read.

    Raises:
        UserError: it is no regular file, is larger, or cannot be read.
    """
    require_regular(path, limit)
    with reading(path, "replace it"):
        return path.read_bytes()
