"""Decode one image file."""

import io
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image, ImageMode, ImageOps

from deepernets.errors import UserError
from deepernets.files import reading

# Pillow knows others, and for some of them, such as EPS, it starts programs
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
ORIENTATION = 0x0112  # the EXIF tag
MOST_PIXELS = 64_000_000  # of one image: 256 MB as RGBA


def decode(
    data: bytes, path: Path, changes: Counter[str], remedy: str = "replace it, or move it away"
) -> tuple[np.ndarray, str]:
    """Decode an image, and count in `changes` what was done to its pixels.

    Args:
        data: The bytes of its file.
        path: The file, for messages.
        changes: Is added to: an image turned, laid on white, or converted from other colours.
        remedy: What to do about a file that is no image or damaged, for messages.

    Returns:
        uint8 (H, W, 1) if it is grey, else (H, W, 3), and the file's format, such as ``jpeg``.

    Raises:
        UserError: it is no image, damaged or too large, or has more than 8 bits per channel.
    """
    with reading(path, remedy), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of slips in files that can be read nevertheless
        try:
            image: Image.Image = Image.open(io.BytesIO(data), formats=FORMATS)
        except Image.UnidentifiedImageError:
            raise UserError(f"{path} is not an image of {', '.join(FORMATS)}; {remedy}.") from None
        _require_small(path, image.size)
        file_format = "jpeg" if image.format == "MPO" else str(image.format).lower()
        turned = _orientation(image) != 1
        if getattr(image, "is_animated", False) and image.format in ("GIF", "WEBP"):
            changes["reduced to their first frame"] += 1
        image.load()
        _require_small(path, image.size)
        if ImageMode.getmode(image.mode).typestr not in ("|u1", "|b1"):
            raise UserError(f"{path} has more than 8 bits per channel; convert it to 8 bits.")
        if turned:
            image = ImageOps.exif_transpose(image)
            changes["turned as their EXIF data states"] += 1
        if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
            image = _on_white(image, changes)
        elif image.mode not in ("1", "L", "P", "RGB"):
            changes["converted to RGB"] += 1
        pixels = np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))
        return np.atleast_3d(pixels), file_format


def _require_small(path: Path, size: tuple[int, int]) -> None:
    if size[0] * size[1] > MOST_PIXELS:
        raise UserError(
            f"{path} has {size[0]}×{size[1]} pixels; expected at most {MOST_PIXELS / 1e6:.0f} million. "
            "Make it smaller."
        )


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8, or 1 if there is none that can be read."""
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged EXIF data does not make the pixels wrong
        return 1
    return found if found in range(1, 9) else 1


def _on_white(image: Image.Image, changes: Counter[str]) -> Image.Image:
    """Return an image without transparency, grey if it was grey and transparent."""
    layers = image.convert("RGBA")
    if np.asarray(layers.getchannel("A")).min(initial=255) < 255:
        changes["laid on white where transparent"] += 1
        white = Image.new("RGBA", layers.size, "white")
        layers = Image.alpha_composite(white, layers)
    return layers.convert("L" if image.mode in ("1", "L", "LA", "La") else "RGB")
