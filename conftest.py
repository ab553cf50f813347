"""What every test run shares: one thread, a seed, and how notebooks are compared with what they store."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

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
    """Compare a notebook's text, and not its pictures, markup and progress bars."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("stderr", "text/html", "image/svg+xml")


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
