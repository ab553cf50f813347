"""Values as plain data, for the pipes between the judge and a sandbox.

A frame is a length and that many bytes of JSON. Only numbers, text, containers, tensors and outcomes of calls can
be written in it, so what comes out of a sandbox is never an object with methods of its own, and never code.
"""

import base64
import json
import math
import struct
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from deepernets.course.exercises.judging import Outcome
from deepernets.course.exercises.values import Stopped

DEEPEST = 20  # containers inside containers
LARGEST_FRAME = 8 * 2**20  # bytes
LONGEST_INTEGER = 1_000  # hexadecimal digits
# Entries of a set or dictionary: integers can be chosen so that each is compared with all others.
MOST_KEYS = 1_000
LENGTH = struct.Struct(">I")
DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
        *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
    )
}
CONTAINERS: dict[str, Any] = {"list": list, "tuple": tuple, "set": set}


class NotPlainError(ValueError):
    """A value cannot be written as plain data, or a frame does not hold any."""


def pack(message: Any, largest: int | None = None) -> bytes:
    """Return a message as a frame.

    Args:
        message: What JSON can hold; other values go through `to_plain` first.
        largest: Bytes of the message; without it there is no limit.

    Raises:
        NotPlainError: it is longer.
    """
    content = json.dumps(message).encode()
    if largest is not None and len(content) > largest:
        raise NotPlainError(f"It takes more than {largest // 2**20} MB.")
    return LENGTH.pack(len(content)) + content


def unpack(content: bytes) -> Any:
    """Return the message of a frame.

    Raises:
        NotPlainError: it is not JSON, or nested too deeply.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise NotPlainError(f"The frame cannot be read ({type(error).__name__}).") from error


def to_plain(value: Any, depth: int = 0) -> Any:
    """Return a value in a form that JSON can hold and `from_plain` reads.

    >>> from_plain(to_plain({1: (2.5, {"a"}), "b": [None, 2**70]}))
    {1: (2.5, {'a'}), 'b': [None, 1180591620717411303424]}

    Raises:
        NotPlainError: it is of a kind that has no such form, or nested too deeply.
    """
    if depth > DEEPEST:
        raise NotPlainError(f"It is nested more than {DEEPEST} levels deep.")
    if value is None or type(value) is bool:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, int):
        return ["int", hex(int.__int__(value))]
    if CONTAINERS.get(kind := type(value).__name__) is type(value):
        return [kind, [to_plain(entry, depth + 1) for entry in value]]
    if isinstance(value, dict):
        return ["dict", [[to_plain(k, depth + 1), to_plain(v, depth + 1)] for k, v in dict.items(value)]]
    if isinstance(value, Tensor):
        return ["tensor", *_tensor_to_plain(value)]
    if isinstance(value, Stopped):
        return ["stopped", str(value.kind), str(value.message)]
    if isinstance(value, Outcome):
        return ["outcome", to_plain(value.value, depth + 1), int(value.changed)]
    raise NotPlainError(f"{type(value).__name__} is not plain data.")


def from_plain(plain: Any, depth: int = 0) -> Any:
    """Return the value that `to_plain` wrote.

    Raises:
        NotPlainError: it was not written by `to_plain`.
    """
    if depth > DEEPEST + 1:
        raise NotPlainError(f"It is nested more than {DEEPEST} levels deep.")
    if plain is None or isinstance(plain, bool | str | float):
        return plain
    try:
        kind, *content = plain
        if kind in CONTAINERS:
            (entries,) = content
            most = MOST_KEYS if kind == "set" else None
            return CONTAINERS[kind](from_plain(entry, depth + 1) for entry in _listed(entries, most))
        return READERS[kind](depth + 1, *content)
    except NotPlainError:
        raise
    except (KeyError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise NotPlainError(f"The frame holds what is not plain data ({type(error).__name__}).") from error


def _tensor_to_plain(value: Tensor) -> tuple[str, list[int], str]:
    dtype = str(value.dtype).removeprefix("torch.")
    if dtype not in DTYPES or value.layout != torch.strided or value.numel() * value.itemsize > LARGEST_FRAME:
        raise NotPlainError(f"A tensor of {dtype} and {value.numel()} entries is not plain data.")
    flat = value.detach().cpu().contiguous().flatten().view(torch.uint8) if value.numel() else b""
    content = flat.numpy().tobytes() if isinstance(flat, Tensor) else flat
    return dtype, list(value.shape), base64.b64encode(content).decode()


def _read_tensor(depth: int, dtype: str, shape: list[int], text: str) -> Tensor:
    sizes = [size for size in _listed(shape) if type(size) is int and 0 <= size < 2**31]
    content = base64.b64decode(text, validate=True)
    if len(sizes) != len(shape) or len(sizes) > DEEPEST:
        raise NotPlainError("The shape of a tensor is not a list of sizes.")
    if math.prod(sizes) * DTYPES[dtype].itemsize != len(content):
        raise NotPlainError("A tensor has another size than its shape says.")
    if not content:
        return torch.empty(sizes, dtype=DTYPES[dtype])
    flat = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    if DTYPES[dtype] is torch.bool:
        return flat.ne(0).reshape(sizes)
    return flat.view(DTYPES[dtype]).reshape(sizes)


def _read_integer(depth: int, text: str) -> int:
    if len(text) > LONGEST_INTEGER:
        raise NotPlainError("An integer is too long.")
    return int(text, 16)


def _read_dict(depth: int, items: list[Any]) -> dict[Any, Any]:
    read = [(from_plain(key, depth), from_plain(value, depth)) for key, value in _listed(items, MOST_KEYS)]
    if not all(isinstance(key, str | int | float | bool | None) for key, _ in read):
        raise NotPlainError("A key is neither text nor a number.")
    return dict(read)


def _read_stopped(depth: int, kind: str, message: str) -> Stopped:
    if type(kind) is not str or type(message) is not str:
        raise NotPlainError("An exception is not described as text.")
    return Stopped(kind, message)


def _read_outcome(depth: int, value: Any, changed: int) -> Outcome:
    if type(changed) is not int or not 0 <= changed < 100:
        raise NotPlainError("The position of a changed argument is not a number.")
    return Outcome(from_plain(value, depth), changed)


def _listed(entries: Any, most: int | None = None) -> list[Any]:
    if type(entries) is not list or (most is not None and len(entries) > most):
        raise NotPlainError(f"Expected a list{f' of at most {most} entries' if most else ''}.")
    return entries


READERS: dict[str, Callable[..., Any]] = {
    "int": _read_integer,
    "tensor": _read_tensor,
    "dict": _read_dict,
    "stopped": _read_stopped,
    "outcome": _read_outcome,
}
