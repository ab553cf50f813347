"""Device, precision, memory format and compiling, and how records describe them."""

import ctypes
import os
import platform
import shutil
import sys
from importlib.metadata import version
from importlib.util import find_spec

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn

from deepernets.errors import UserError
from deepernets.training import distributed
from deepernets.training.records import Precision

# Instruction sets to which PyTorch's CPU library, oneDNN, can be limited, and which have no units for bfloat16
WITHOUT_BF16 = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX512_CORE", "AVX512_CORE_VNNI")


def has_bf16_units(device: torch.device) -> bool:
    """Return whether a device has units for bfloat16: GPUs since 2020, and CPUs with AVX-512 BF16 or AMX.

    Units that PyTorch must not use because of `ONEDNN_MAX_CPU_ISA` do not count.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu" or os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() in WITHOUT_BF16:
        return False
    units = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # absent from some builds of PyTorch
    return any(getattr(torch.cpu, unit, lambda: False)() for unit in units)


def disable_tf32() -> None:
    """Compute float32 in full precision, in this process from now on.

    By default, PyTorch lets convolutions on GPUs since 2020 round their factors to TF32, which keeps 11 of the 24
    bits.
    """
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False


def accelerator(precision: Precision = "auto", *, keeps_memory: bool = True) -> Accelerator:
    """Return the accelerator that moves networks to the device and runs their forward pass in a precision.

    Operations in float32 are computed without TF32; see `disable_tf32`.

    Args:
        precision: auto chooses bf16 if the hardware has units for it.
        keeps_memory: Call `keep_memory` on a CPU, unless `DEEPERNETS_KEEP_MEMORY` is 0.

    Raises:
        UserError: there is no such precision.
    """
    if precision not in ("auto", "bf16", "fp32"):
        raise UserError(f"There is no precision {precision!r}; choose auto, bf16 or fp32.")
    mixed = precision == "bf16" or (precision == "auto" and has_bf16_units(distributed.state().device))
    on_cpu = distributed.state().device.type == "cpu"
    if on_cpu and keeps_memory and os.environ.get("DEEPERNETS_KEEP_MEMORY", "1") != "0":
        keep_memory()
    disable_tf32()
    AcceleratorState._reset_state()  # it outlives a run, and the next run may have another precision
    return Accelerator(cpu=on_cpu, mixed_precision="bf16" if mixed else "no")


def can_compile() -> bool:
    """Return whether networks can be compiled: with a C++ compiler, or on a GPU with Triton and a C compiler.

    On an x86 processor whose vector units PyTorch does not use, the code that `torch.compile` writes is not valid.
    """
    return not _obstacle_to_compiling()


def _obstacle_to_compiling() -> str:
    """Return why networks cannot be compiled here, and what to do; empty if they can."""
    gpu = distributed.state().device.type == "cuda"
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
    """Raise an error unless networks can be compiled here.

    Raises:
        UserError: there is no compiler, or PyTorch cannot compile for this processor.
    """
    if obstacle := _obstacle_to_compiling():
        raise UserError(obstacle)


def compile_calls(model: nn.Module) -> None:
    """Let PyTorch compile a network in its first call, and again for batches of another shape.

    The network is the same object, and its weights keep their names: checkpoints do not depend on compiling.

    Raises:
        UserError: there is no compiler.
    """
    require_compiler()
    model.compile()


def channels_last(chosen: Accelerator, compiled: bool = False) -> bool:
    """Return whether the memory format channels-last is used, which is the case where it is faster.

    A compiled network in float32 on a CPU is an exception: PyTorch's compiler chooses the layouts itself, and is
    slower if the images have channels-last.
    """
    if chosen.mixed_precision == "bf16" or chosen.device.type == "cuda":
        return True
    return torch.backends.mkldnn.is_available() and not compiled


def precision_of(chosen: Accelerator) -> str:
    """Return the accelerator's precision as in records: bf16 or fp32."""
    return "bf16" if chosen.mixed_precision == "bf16" else "fp32"


def describe(device: torch.device) -> str:
    """Return the name of the device, such as ``AMD EPYC (2 threads)``."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{_processor() or platform.machine()} ({threads} thread{'s' * (threads > 1)})"


def _processor() -> str:
    """Return the processor's name, which the standard library does not know on Linux."""
    return _field("/proc/cpuinfo", "model name") or platform.processor()


def _field(path: str, name: str) -> str:
    """Return the first value of a name in a file of ``name: value`` lines; empty if there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
    except OSError:
        return ""


# Parameters of mallopt, from glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4


def keep_memory() -> bool:
    """Let the C library reuse freed memory, instead of returning it to the system.

    Each training step allocates and frees the same large activations. By default glibc requests them from the
    system each time, which zeroes every page and takes a page fault for it. For large activations this takes
    longer than the arithmetic. The process then holds a little more memory. `DEEPERNETS_KEEP_MEMORY=0` switches
    this off.

    Returns:
        Whether it was possible, which takes glibc on Linux.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, 2**31 - 1))


def memory_in_use() -> float:
    """Return the memory of this process in megabytes: on the GPU if there is one, and else main memory."""
    if distributed.state().device.type == "cuda":
        return torch.cuda.memory_allocated() / 1e6
    return _status("VmRSS")


def peak_memory() -> float:
    """Return the largest memory of this process so far in megabytes; see `memory_in_use`."""
    if distributed.state().device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 1e6
    return _status("VmHWM")


def _status(field: str) -> float:
    """Return a field of Linux's status of this process, in megabytes; elsewhere its largest memory so far."""
    if kibibytes := _field("/proc/self/status", field).removesuffix("kB"):
        return int(kibibytes) * 1024 / 1e6
    if sys.platform == "win32":
        import psutil  # which Accelerate needs

        return psutil.Process().memory_info().peak_wset / 1e6
    import resource

    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held / 1e6 if sys.platform == "darwin" else held * 1024 / 1e6


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries on which a run's figures may depend, or unknown."""
    libraries = ("torch", "torchvision", "numpy", "accelerate", "deepernets")
    return {"python": platform.python_version(), **{name: _version(name) for name in libraries}}


def _version(name: str) -> str:
    try:
        return version(name) or "unknown"
    except Exception:  # damaged metadata raises many exceptions, and a finished training must get its record
        return "unknown"
