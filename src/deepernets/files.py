"""Write files atomically: a program that is killed leaves no incomplete file."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deepernets.errors import UserError


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a temporary file, and rename it to `path` when it is complete.

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
