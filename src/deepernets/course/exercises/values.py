"""What an answer gave: reading it as plain data, comparing it, and showing it in a hint."""

import math
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from traceback import extract_tb
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

LONGEST_LIST = 1_000  # entries that are read of an answer, so that one that never ends is refused
LONGEST_MESSAGE = 300  # characters of an exception's message
SHOWN_ENTRIES, SHOWN_CHARACTERS = 8, 70  # of a value in a hint

Reader = Callable[[Any], Any]


class NotAttempted(Exception):
    """The answer is still the stub's placeholder, `...`."""


class TooLong(BaseException):
    """Thrown into a check that does not end; not an `Exception`, so that answers do not catch it by accident."""


class Unsuitable(Exception):
    """An answer, or what it returned, is not of the kind that was asked for; the message is the hint."""


@dataclass(frozen=True)
class Raised:
    """What `attempt` returns for a call that raised an exception."""

    error: BaseException


@dataclass(frozen=True)
class Stopped:
    """The outcome of a call that raised an exception, as plain data; another one of the same kind is equal to it.

    Attributes:
        kind: Name of the exception's type.
        message: What the student reads: type, message and line of the exception; for `Unsuitable` the hint.
    """

    kind: str
    message: str = ""

    @classmethod
    def by(cls, error: BaseException) -> "Stopped":
        """Return the outcome of a call that raised this exception."""
        if isinstance(error, Unsuitable):
            return cls(Unsuitable.__name__, str(error))
        kind = attempt(lambda: type(error).__name__)
        return cls(kind if type(kind) is str else "an exception without a name", describe(error))

    @property
    def unsuitable(self) -> bool:
        """Whether what came back was of another kind than was asked for."""
        return self.kind == Unsuitable.__name__


def attempt(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function returns, or a `Raised` with what it raises; a placeholder and the end of time pass."""
    try:
        return function(*arguments)
    except (NotAttempted, TooLong):
        raise
    except BaseException as error:  # an answer may raise anything, SystemExit included
        return Raised(error)


# Readers of what came back -------------------------------------------------------------------------------------


def number(what: str) -> Reader:
    """Return a reader of one number; `what` says which, as in "the side of the field, in pixels"."""

    def read(value: Any) -> float:
        single = isinstance(value, int | float) or getattr(value, "shape", None) == ()
        result = attempt(_to_float, value) if single and not isinstance(value, bool) else None
        return result if isinstance(result, float) else _refuse(f"a number: {what}", value)

    return read


def _to_float(value: Any) -> float:
    return float(value.detach() if isinstance(value, Tensor) else value)


def numbers(what: str, length: int | None = None) -> Reader:
    """Return a reader of a list of numbers: a list, a tuple, or a tensor or array of one dimension.

    Args:
        what: What the numbers are.
        length: How many there must be; None for any number of them.
    """

    def read(value: Any) -> list[float]:
        expected = f"{'a list of' if length is None else length} number{'s' * (length != 1)}: {what}"
        entries = attempt(lambda: list(islice(value, LONGEST_LIST)))
        if not isinstance(value, list | tuple | range | np.ndarray | Tensor) or not isinstance(entries, list):
            return _refuse(expected, value)
        if length is not None and len(entries) != length:
            raise Unsuitable(f"Expected {expected}; got {len(entries)} of them.")
        results = [attempt(number(what), entry) for entry in entries]
        for entry, result in zip(entries, results, strict=True):
            if isinstance(result, Raised):
                raise Unsuitable(f"Expected {expected}; one entry is {kind_of(entry)}.")
        return results

    return read


def named(*names: str) -> Reader:
    """Return a reader of one number for each name; a hint names the one that is wrong.

    >>> named("the mean", "the range")((1, 2.5))
    {'the mean': 1.0, 'the range': 2.5}
    """
    read = numbers(" and ".join([", ".join(names[:-1]), names[-1]]), len(names))
    return lambda value: dict(zip(names, read(value), strict=True))


def array(what: str) -> Reader:
    """Return a reader of a tensor, a NumPy array or a nested list of numbers; it gives a tensor, as `tensor` does.

    >>> array("the weights")([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """

    def read(value: Any) -> Tensor:
        plain = attempt(torch.as_tensor, value) if type(value) in (list, tuple) else value
        return tensor(what, arrays=True)(value if isinstance(plain, Raised) else plain)

    return read


def tensor(what: str, arrays: bool = False) -> Reader:
    """Return a reader of a tensor, which is compared in double precision.

    Args:
        what: Which tensor it is.
        arrays: Read NumPy arrays as well.
    """

    def read(value: Any) -> Tensor:
        if arrays and type(value) is np.ndarray:
            made = attempt(torch.from_numpy, value.copy())  # arrays of text have no tensor
            value = made if isinstance(made, Tensor) else value
        known = type(value) in (Tensor, nn.Parameter)  # a class of its own could claim to equal everything
        real = known and not value.is_complex() and value.layout == torch.strided
        plain = attempt(_to_plain, value) if real else None
        return plain if isinstance(plain, Tensor) else _refuse(f"a tensor of real numbers: {what}", value)

    return read


def _to_plain(value: Tensor) -> Tensor:
    plain = value.detach().cpu().to_dense()
    return plain.double() if plain.is_floating_point() or plain.dtype == torch.bool else plain.long()


def _refuse(expected: str, value: Any) -> Any:
    raise Unsuitable(f"Expected {expected}; got {kind_of(value)}.")


def network(what: str) -> Reader:
    """Return a reader of a network; `what` says which."""
    return lambda value: value if isinstance(value, nn.Module) else _refuse(f"a network: {what}", value)


def run_network(model: nn.Module, images: Tensor, draw: Random, train: bool = False) -> dict[str, Any]:
    """Give a network weights and statistics that depend on their shapes alone, and run it.

    Args:
        model: The network; its parameters and running statistics are overwritten.
        images: What it is run on.
        draw: Where the numbers come from; networks with equal shapes get equal numbers from equal draws.
        train: Run it in training mode.

    Returns:
        The shapes of its parameters in order, and its output.

    Raises:
        Unsuitable: the network does not run on the images.
    """
    generator = torch.Generator().manual_seed(draw.getrandbits(32))

    def fill_and_run() -> tuple[list[list[int]], Any]:
        shapes = [list(parameter.shape) for parameter in model.parameters()]
        for name, values in model.state_dict().items():
            if values.is_floating_point():
                drawn = torch.randn(values.shape, generator=generator).to(values.dtype)
                values.copy_(drawn.abs() + 0.5 if name.endswith("running_var") else drawn)
        return shapes, model.train(train)(images)

    with torch.no_grad():
        result = attempt(fill_and_run)
    if isinstance(result, Raised):
        raise Unsuitable(
            f"The network does not run on images of shape {tuple(images.shape)}: {describe(result.error)}."
        )
    shapes, output = result
    seen = {"the list of parameter shapes": shapes}
    return seen | {"the output (all parameter shapes are right)": tensor("the network's output")(output)}


class FindCalls(TorchFunctionMode):
    """Notes whether functions of PyTorch are called whose names contain `word`.

    >>> with FindCalls("conv") as convolutions:
    ...     _ = torch.conv1d(torch.ones(1, 1, 3), torch.ones(1, 1, 2))
    >>> convolutions.found
    True
    """

    def __init__(self, word: str) -> None:
        super().__init__()
        self.word, self.found = word, False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.found |= self.word in getattr(func, "__name__", "")
        return func(*args, **(kwargs or {}))


def normal(draw: Random, *shape: int) -> Tensor:
    """Return a tensor of this shape from a normal distribution, float32, seeded from `draw`."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(draw.getrandbits(32)))


# Comparing and showing values ----------------------------------------------------------------------------------


def agree(one: Any, other: Any, tolerance: float = 1e-4) -> bool:
    """Return whether two outcomes agree; `difference` also says where they do not, which takes longer."""
    return _difference(one, other, tolerance) is None


def difference(one: Any, other: Any, tolerance: float = 1e-4) -> tuple[str, str, str] | None:
    """Return where two outcomes differ first: the place, and both values as text; None where they agree.

    >>> difference([1, [2, 3]], [1, [2, 4]])
    ('entry [1][1]', '3', '4')
    >>> difference(0.1 + 0.2, 0.3) is None
    True
    """
    found = _difference(one, other, tolerance)
    if found is None:
        return None
    path, left, right = found
    return path, *_shown_apart(left, right)


def _difference(one: Any, other: Any, tolerance: float) -> tuple[str, Any, Any] | None:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return _tensor_difference(one, other, tolerance)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        if one.keys() != other.keys():
            return "the list of keys", list(one), list(other)
        return _first(((str(key), one[key], other[key]) for key in one), tolerance, named=True)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        if len(one) != len(other):
            return "", one, other
        pairs = ((f"[{place}]", a, b) for place, (a, b) in enumerate(zip(one, other, strict=True)))
        return _first(pairs, tolerance)
    return None if _equal(one, other, tolerance) else ("", one, other)


def _equal(one: Any, other: Any, tolerance: float) -> bool:
    if isinstance(one, Stopped) and isinstance(other, Stopped):
        return one.kind == other.kind and (not one.unsuitable or one.message == other.message)
    if isinstance(one, int | float) and isinstance(other, int | float):
        both_nan = math.isnan(one) and math.isnan(other)
        return both_nan or math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance / 10)
    return type(one) is type(other) and bool(one == other)


def _first(
    pairs: Iterable[tuple[str, Any, Any]], tolerance: float, named: bool = False
) -> tuple[str, Any, Any] | None:
    for place, a, b in pairs:
        found = _difference(a, b, tolerance)
        if found is None:
            continue
        inside, *values = found
        index = inside.removeprefix("entry ")
        if named:
            path = f"{inside} of {place}" if inside else place
        elif not index or index.startswith("["):
            path = f"entry {place}{index}"
        else:
            path = f"{index} of {place}"
        return path, *values
    return None


def _tensor_difference(one: Tensor, other: Tensor, tolerance: float) -> tuple[str, Any, Any] | None:
    if one.shape != other.shape:
        return "the shape", tuple(one.shape), tuple(other.shape)
    a, b = one.double(), other.double()
    apart = ~torch.isclose(a, b, rtol=tolerance, atol=tolerance / 10, equal_nan=True)
    if not apart.any():
        return None
    place = tuple(apart.nonzero()[0].tolist())
    path = f"entry [{', '.join(map(str, place))}]" if place else ""
    return path, a[place].item(), b[place].item()


def _shown_apart(one: Any, other: Any) -> tuple[str, str]:
    """Return two values as text that tells them apart."""
    shown = show(one), show(other)
    return (repr(one), repr(other)) if shown[0] == shown[1] and isinstance(one, float) else shown


def show(value: Any) -> str:
    """Return a value as short text for a hint.

    >>> show(torch.zeros(2, 3)), show([1.23456789, "a"]), show(7.0)
    ('[[0, 0, 0], [0, 0, 0]]', "[1.23457, 'a']", '7')
    >>> show(torch.zeros(64, 3, 3, 3))
    'a tensor of shape (64, 3, 3, 3)'
    """
    if isinstance(value, Tensor):
        small = value.numel() <= SHOWN_ENTRIES
        return show(value.tolist()) if small else f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        entries = [show(entry) for entry in value[:SHOWN_ENTRIES]] + ["…"] * (len(value) > SHOWN_ENTRIES)
        text = ", ".join(entries)
        if isinstance(value, tuple):
            return f"({text}{',' * (len(value) == 1)})"
        return f"[{text}]"
    if isinstance(value, Stopped):
        return value.message
    return _cut(repr(value), SHOWN_CHARACTERS)


def kind_of(value: Any) -> str:
    """Return what kind of thing a value is, as text for a hint.

    >>> kind_of(None), kind_of([1]), kind_of([torch.ones(2)]), kind_of(torch.zeros(2, 3)), kind_of("7")
    ('None', 'a list', 'a list of tensors', 'a tensor of shape (2, 3)', "the string '7'")
    """
    if value is None:
        return "None"
    if type(value) is str:
        return f"the string {show(value)}"
    if type(value) in (Tensor, np.ndarray):
        return f"{'a tensor' if type(value) is Tensor else 'a NumPy array'} of shape {tuple(value.shape)}"
    if type(value) in (list, tuple) and any(type(entry) is Tensor for entry in value):
        return f"a {type(value).__name__} of tensors"
    name = attempt(lambda: type(value).__name__)
    if not isinstance(name, str):
        return "an object without a name"
    return f"{'an' if name[:1] in 'aeiou' else 'a'} {name}"


def describe(error: BaseException) -> str:
    """Return an exception as text: its type, its message, and the line of the student's code that it comes from."""
    message = attempt(lambda: f"{type(error).__name__}: {error}".rstrip(": ."))
    if not isinstance(message, str):
        message = "an exception that cannot be printed"
    message = _cut(message, LONGEST_MESSAGE).encode(errors="backslashreplace").decode()
    # generated code, as a data class has it, is of no file and has no line to show
    frames = [frame for frame in extract_tb(error.__traceback__) if not _is_library(frame.filename)]
    lines = [(frame.lineno, frame.line) for frame in frames if frame.line]
    if not lines:
        return message
    number, line = lines[-1]
    return f"{message}, in line {number}: `{_cut(line, SHOWN_CHARACTERS)}`"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


_LIBRARIES = tuple(
    {str(Path(__file__).parents[2]), str(Path(torch.__file__).parents[1]), sys.prefix, sys.base_prefix}
)


def _is_library(filename: str) -> bool:
    return filename.startswith((*_LIBRARIES, "<frozen")) or "site-packages" in filename
