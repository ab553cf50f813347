"""What a run runs on: device, precision, memory format, and the words a record uses for them."""

import ctypes
import os
import platform
import sys
from importlib.metadata import version
from typing import Literal

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from deepernets.exceptions import UserError
from deepernets.training import processes

Precision = Literal["auto", "bf16", "fp32"]


def has_bf16_units(device: torch.device) -> bool:
    """Whether the device has units for bfloat16: GPUs since 2020, and CPUs with AVX-512 BF16 or AMX."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    units = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # absent from some builds of PyTorch
    return any(getattr(torch.cpu, unit, lambda: False)() for unit in units)


def accelerator(precision: Precision = "auto") -> Accelerator:
    """Return the accelerator that places the network and wraps its forward pass in the wanted precision.

    Raises:
        UserError: the precision has no such name.
    """
    if precision not in ("auto", "bf16", "fp32"):
        raise UserError(f"There is no precision {precision!r}; choose auto, bf16 or fp32.")
    mixed = precision == "bf16" or (precision == "auto" and has_bf16_units(processes.state().device))
    if processes.state().device.type == "cpu" and os.environ.get("DEEPERNETS_KEEP_MEMORY", "1") != "0":
        keep_memory()
    AcceleratorState._reset_state()  # it outlives a run, and the next run may want another precision
    on_cpu = processes.state().device.type == "cpu"
    return Accelerator(cpu=on_cpu, mixed_precision="bf16" if mixed else "no")


def channels_last(chosen: Accelerator) -> bool:
    """Whether images and weights are to lie in memory with the channels innermost: where that is faster."""
    return chosen.mixed_precision == "bf16" or chosen.device.type == "cuda"


def precision_of(chosen: Accelerator) -> str:
    """Return what a record calls the accelerator's precision: bf16 or fp32."""
    return "bf16" if chosen.mixed_precision == "bf16" else "fp32"


def describe(device: torch.device) -> str:
    """Return the device in words, such as ``AMD EPYC (2 threads)``."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{_processor() or platform.machine()} ({torch.get_num_threads()} threads)"


def _processor() -> str:
    """Return the processor's name; on Linux the standard library does not know it."""
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    return platform.processor()


# Parameters of mallopt, from glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4


def keep_memory() -> bool:
    """Keep memory that tensors give back for those that come, instead of returning it to the system each time.

    A training step makes and drops the same large activations again and again. By default glibc fetches each of
    them from the system, which hands out every page zeroed, one page fault each; with large activations that takes
    longer than the arithmetic. What the process holds is then a little more. `DEEPERNETS_KEEP_MEMORY=0` leaves
    things as they are.

    Returns:
        Whether that could be arranged: with Linux's glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, 2**31 - 1))


def memory_in_use() -> float:
    """Return the megabytes that this process holds: on a GPU, where there is one, and else in main memory."""
    if torch.cuda.is_available():
        return torch.cuda.memory_allocated() / 1e6
    return _status("VmRSS")


def peak_memory() -> float:
    """Return the megabytes that this process has held at most; see `memory_in_use`."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e6
    return _status("VmHWM")


def _status(field: str) -> float:
    """Return a field of Linux's account of this process, in megabytes; elsewhere what it has held at most."""
    if os.path.exists("/proc/self/status"):
        with open("/proc/self/status", encoding="utf-8") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024 / 1e6
    import resource

    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held / 1e6 if sys.platform == "darwin" else held * 1024 / 1e6


def versions() -> dict[str, str]:
    """Return the versions that a run's figures may depend on."""
    libraries = ("torch", "torchvision", "numpy", "accelerate", "deepernets")
    return {"python": platform.python_version(), **{name: version(name) for name in libraries}}
