"""What every test run shares: one thread, a seed, and how notebooks are compared with what they store."""

import base64
import os
import random
import struct
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

# One thread to a process: results do not depend on the machine's cores, and parallel tests do not fight over
# them.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["DEEPERNETS_PROFILE"] = "quick"

# Text notebooks are run as notebooks, not read for doctests.
collect_ignore_glob = ["solutions/*.py"]


def pytest_configure(config: pytest.Config) -> None:
    """Compare notebooks with what varies from run to run taken out, wherever pytest was started."""
    config.option.nbval_sanitize_with = str(Path(__file__).parent / "tests" / "sanitize.cfg")


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Compare a notebook's text, and not its markup and progress bars; of pictures see `pytest_runtest_call`."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("stderr", "text/html", "image/svg+xml")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: Any) -> Generator[None, None, None]:
    """Start the kernels of notebooks without progress bars, as those that are stored were made."""
    with pytest.MonkeyPatch.context() as patch:
        if hasattr(item, "test_outputs"):
            patch.setenv("TQDM_DISABLE", "1")
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: Any) -> Generator[None, None, None]:
    """Compare the pictures of a notebook's cell in number, kind and size, also where its text is not compared.

    Their pixels depend on the version of the library that draws them, and on the processor.
    """
    yield
    if getattr(item, "test_outputs", None) is not None and item.parent.compare_outputs:
        stored, drawn = _pictures(item.cell.outputs), _pictures(item.test_outputs)
        if not _same_size(stored, drawn):
            pytest.fail(
                f"The notebook stores the pictures {stored}, and the cell draws {drawn}.", pytrace=False
            )


def _pictures(outputs: Sequence[dict[str, Any]]) -> list[tuple[str, int, int]]:
    """Return kind, width and height of each picture; the latter are 0 for others than PNG."""
    return [
        (kind, *(_png_size(data) if kind == "image/png" else (0, 0)))
        for output in outputs
        for kind, data in sorted(output.get("data", {}).items())
        if kind.startswith("image/")
    ]


def _png_size(encoded: str) -> tuple[int, int]:
    """Return width and height from the header of a PNG in base64; 0 if it is none."""
    header = base64.b64decode(encoded)[:24]
    width, height = struct.unpack(">8x8x2I", header) if header[:4] == b"\x89PNG" else (0, 0)
    return width, height


def _same_size(stored: list[tuple[str, int, int]], drawn: list[tuple[str, int, int]]) -> bool:
    """Return whether pictures are alike; their margins are cut, so numbers in them change the size a little."""
    return [kind for kind, *_ in stored] == [kind for kind, *_ in drawn] and all(
        abs(one - other) <= 0.1 * max(one, other)
        for before, now in zip(stored, drawn, strict=True)
        for one, other in zip(before[1:], now[1:], strict=True)
    )


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no width of a terminal be stated, as pytest-xdist does; what commands print is then not wrapped."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(autouse=True)
def _seed() -> None:
    """Give every test the same random numbers, whichever tests ran before."""
    import numpy as np
    import torch

    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture
def in_double_precision() -> Iterator[None]:
    """Compute in double precision.

    For tests in which two ways must give the same: in single precision the order of a sum, which depends on the
    processor, may be seen in the result.
    """
    import torch

    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)
