"""Write files atomically, lock folders, and read files of unknown origin without surprises."""

import errno
import io
import os
import stat
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from safetensors import SafetensorError

from deepernets.errors import UserError

WRITE_ERRORS = (OSError, RuntimeError, SafetensorError)  # PyTorch and safetensors wrap the system's error
LOCK = ".lock"
BOXES = range(0xB0, 0xE0)  # bytes that are box-drawing characters in CP437, which no name has
EAST_ASIAN = (("euc_kr", "가", "힣"), ("gb2312", "一", "鿿"))  # encodings, first and last character
BUSY = {errno.EAGAIN, errno.EACCES, errno.EDEADLK}  # what a lock held by another process is reported as

if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[Any]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: IO[Any]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def write_atomically(
    path: Path,
    write: Callable[[Path], Any],
    remedy: str = "make room, or choose another folder with --out",
) -> None:
    """Let `write` fill a temporary file, and rename it to `path` when it is complete.

    A program that is killed leaves no incomplete file.

    Args:
        path: Where the file will be; its folder is created.
        write: Called with the path of the temporary file, which is in the same folder.
        remedy: What to do where it cannot be written, for the message.

    Raises:
        UserError: the folder cannot be written to.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        flush_to_disk(temporary)
        temporary.replace(path)
    except WRITE_ERRORS as error:
        raise UserError(f"{path} cannot be written ({reason(error)}); {remedy}.") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_text(path: Path, text: str) -> None:
    """Write text to a file as UTF-8, atomically; see `write_atomically`."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def require_writable(file: Path, option: str = "--out") -> None:
    """Raise an error unless a file can be written, before the work whose result it will hold; create nothing.

    Args:
        file: Where the file will be; its folder need not exist.
        option: What named the file or its folder, for the message.

    Raises:
        UserError: it is a folder, or no file can be created where it would be.
    """
    place = file.absolute()
    # the root has no parents, and a drive of Windows may not exist
    folder = next((parent for parent in place.parents if parent.exists()), Path(place.anchor))
    problem = "it is a folder" if file.is_dir() else ""
    try:
        with TemporaryFile(dir=folder):  # the permissions alone do not tell, as for the superuser
            pass
    except OSError as error:
        problem = reason(error)
    if problem:
        raise UserError(f"{file} cannot be written ({problem}); choose another {option}.")


def flush_to_disk(file: Path) -> None:
    """Let the system write a file to the disk now: after a power failure, a renamed file may else be empty."""
    with file.open("rb+") as opened:
        try:
            os.fsync(opened.fileno())
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):  # not every file system can
                raise


def reason(error: BaseException) -> str:
    """Return the system's words for an error, or the first line of its own.

    >>> reason(OSError(28, "No space left on device")), reason(RuntimeError())
    ('No space left on device', 'RuntimeError')
    """
    return getattr(error, "strerror", None) or next(iter(str(error).splitlines()), type(error).__name__)


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Keep other processes from locking an existing folder; the system ends the lock of a process that dies.

    Raises:
        UserError: another process has locked the folder, or it cannot be written to.
    """
    path = folder / LOCK
    try:
        file = path.open("ab")
    except OSError as error:
        raise UserError(
            f"The folder {folder} cannot be written to ({reason(error)}); choose another --out."
        ) from error
    with file:
        _require_lock(file, folder)
        if os.fstat(file.fileno()).st_nlink == 0:  # its last owner deleted it before this process locked it
            raise _busy(folder)
        try:
            yield
        finally:
            with suppress(OSError):
                path.unlink()


def _require_lock(file: IO[Any], folder: Path) -> None:
    try:
        _lock(file)
    except OSError as error:
        if error.errno in BUSY:
            raise _busy(folder) from error
        # another error means that this file system has no locks


def _busy(folder: Path) -> UserError:
    return UserError(
        f"Another process is working in {folder}; wait until it has ended, or choose another --out."
    )


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


class BoundedFile(io.BufferedReader):
    """A file whose `read` takes no memory for bytes that the file does not have.

    Readers of pickles ask for as many bytes as the file says, up to 4 GB, and Python allocates them first.
    """

    def __init__(self, path: Path) -> None:
        """Open a file for reading."""
        super().__init__(io.FileIO(path))

    def read(self, size: int | None = -1, /) -> bytes:
        """Return at most `size` bytes; all that are left for -1."""
        left = max(os.fstat(self.fileno()).st_size - self.tell(), 0)
        return super().read(left if size is None or size < 0 else min(size, left))


def decode_name(name: bytes) -> str | None:
    """Return a file name as text; None where its encoding cannot be told.

    Systems other than UTF-8 ones do not say which encoding they use. A name that is not UTF-8 is taken for a Korean
    one (CP949, of which EUC-KR is the common part) if it has bytes from 0xB0 to 0xDF and everything beyond ASCII is
    a Hangul syllable, and for a Chinese one (GBK, GB2312) if everything is an ideograph. Other names stay unknown:
    Japanese and Western European ones look alike.

    >>> decode_name("김.ipynb".encode("cp949"))
    '김.ipynb'
    """
    with suppress(UnicodeDecodeError):
        return name.decode()
    for encoding, first, last in EAST_ASIAN:
        text = name.decode(encoding, "replace")
        if any(byte in BOXES for byte in name) and all(c < "\x80" or first <= c <= last for c in text):
            return text
    return None


def zip_name(member: zipfile.ZipInfo) -> str:
    """Return the name of a file in a zip. Where the zip does not say that it is UTF-8, zipfile reads CP437."""
    if not member.flag_bits & 0x800:
        with suppress(UnicodeEncodeError):  # a newer field of the zip says which name it is
            return decode_name(member.filename.encode("cp437")) or member.filename
    return member.filename
