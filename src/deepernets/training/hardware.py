"""What a run runs on: device, precision, memory format, and the words a record uses for them."""

import ctypes
import os
import platform
import shutil
import sys
from importlib.metadata import version
from importlib.util import find_spec
from typing import Literal, TypedDict

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn

from deepernets.errors import UserError
from deepernets.training import distributed

Precision = Literal["auto", "bf16", "fp32"]

# Instruction sets to which PyTorch's CPU library, oneDNN, can be limited, and which have no units for bfloat16
WITHOUT_BF16 = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX512_CORE", "AVX512_CORE_VNNI")


class How(TypedDict, total=False):
    """Options of a run that are not part of its recipe.

    Attributes:
        precision: auto, the default, takes bf16 where the hardware has units for it.
        sync_batch_norm: Let several processes normalise with statistics of the whole batch, and not each with
            those of its own share.
        compile: Let PyTorch compile the network; see `compile_calls`.
    """

    precision: Precision
    sync_batch_norm: bool
    compile: bool


def has_bf16_units(device: torch.device) -> bool:
    """Whether the device has units for bfloat16: GPUs since 2020, and CPUs with AVX-512 BF16 or AMX.

    Units that `ONEDNN_MAX_CPU_ISA` forbids PyTorch to use do not count.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu" or os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() in WITHOUT_BF16:
        return False
    units = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # absent from some builds of PyTorch
    return any(getattr(torch.cpu, unit, lambda: False)() for unit in units)


def disable_tf32() -> None:
    """Compute what is float32 in float32, in this process from now on, whatever was set before.

    On GPUs since 2020 PyTorch by default lets convolutions round their factors to TF32, which keeps 11 of the 24
    bits.
    """
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False


def accelerator(precision: Precision = "auto", *, keeps_memory: bool = True) -> Accelerator:
    """Return the accelerator that places the network and wraps its forward pass in the wanted precision.

    Whatever the precision, what is left in float32 is computed without TF32; see `disable_tf32`.

    Args:
        precision: auto takes bf16 where the hardware has units for it.
        keeps_memory: Call `keep_memory` on a CPU, unless `DEEPERNETS_KEEP_MEMORY` is 0.

    Raises:
        UserError: the precision has no such name.
    """
    if precision not in ("auto", "bf16", "fp32"):
        raise UserError(f"There is no precision {precision!r}; choose auto, bf16 or fp32.")
    mixed = precision == "bf16" or (precision == "auto" and has_bf16_units(distributed.state().device))
    on_cpu = distributed.state().device.type == "cpu"
    if on_cpu and keeps_memory and os.environ.get("DEEPERNETS_KEEP_MEMORY", "1") != "0":
        keep_memory()
    disable_tf32()
    AcceleratorState._reset_state()  # it outlives a run, and the next run may want another precision
    return Accelerator(cpu=on_cpu, mixed_precision="bf16" if mixed else "no")


def can_compile() -> bool:
    """Whether there is what `torch.compile` needs: a C++ compiler, and on a GPU Triton and a C compiler.

    On an x86 processor whose vector units PyTorch does not use, the code that `torch.compile` writes is not valid.
    """
    return not _obstacle_to_compiling()


def _obstacle_to_compiling() -> str:
    """Return what keeps `torch.compile` from working here, and what to do; empty where nothing does."""
    gpu = torch.cuda.is_available()
    usual = (
        (os.environ.get("CC", "cc"), "gcc", "clang")
        if gpu
        else (os.environ.get("CXX", "c++"), "g++", "clang++", "cl")
    )
    if not any(map(shutil.which, usual)) or (gpu and find_spec("triton") is None):
        return (
            "There is no compiler to compile the network with; install g++ or clang++ (and Triton for a GPU), "
            "or train without --compile."
        )
    on_x86 = platform.machine().lower() in ("x86_64", "amd64")
    if on_x86 and not gpu and torch.backends.cpu.get_cpu_capability() == "DEFAULT":
        return (
            "PyTorch cannot compile a network for an x86 processor without vector units, or with "
            "ATEN_CPU_CAPABILITY=default; train without --compile."
        )
    return ""


def require_compiler() -> None:
    """Raise unless networks can be compiled here.

    Raises:
        UserError: there is no compiler, or PyTorch cannot compile for this processor.
    """
    if obstacle := _obstacle_to_compiling():
        raise UserError(obstacle)


def compile_calls(model: nn.Module) -> None:
    """Let PyTorch compile a network when it is first called, and again for batches of another shape.

    The network stays the object that it is, so that its weights keep their names, and a checkpoint can be loaded
    with and without compiling.

    Raises:
        UserError: there is no compiler.
    """
    require_compiler()
    model.compile()


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
    threads = torch.get_num_threads()
    return f"{_processor() or platform.machine()} ({threads} thread{'s' * (threads > 1)})"


def _processor() -> str:
    """Return the processor's name; on Linux the standard library does not know it."""
    return _field("/proc/cpuinfo", "model name") or platform.processor()


def _field(path: str, name: str) -> str:
    """Return the first value of a name in one of Linux's lists of ``name: value``; empty if there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
    except OSError:
        return ""


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
    if kibibytes := _field("/proc/self/status", field).removesuffix("kB"):
        return int(kibibytes) * 1024 / 1e6
    import resource

    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held / 1e6 if sys.platform == "darwin" else held * 1024 / 1e6


def versions() -> dict[str, str]:
    """Return the versions that a run's figures may depend on; unknown where a package is not installed as one."""
    libraries = ("torch", "torchvision", "numpy", "accelerate", "deepernets")
    return {"python": platform.python_version(), **{name: _version(name) for name in libraries}}


def _version(name: str) -> str:
    try:
        return version(name) or "unknown"
    except Exception:  # damaged metadata raises many kinds, and a finished training must get its record
        return "unknown"
