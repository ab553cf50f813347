"""What a run runs on: device, precision, memory format, and the words a record uses for them."""

import os
import platform
from importlib.metadata import version
from typing import Literal

import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState

from deepernets.exceptions import UserError

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
    mixed = precision == "bf16" or (precision == "auto" and has_bf16_units(PartialState().device))
    AcceleratorState._reset_state()  # it outlives a run, and the next run may want another precision
    return Accelerator(mixed_precision="bf16" if mixed else "no")


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


def versions() -> dict[str, str]:
    """Return the versions that a run's figures may depend on."""
    libraries = ("torch", "torchvision", "numpy", "accelerate", "deepernets")
    return {"python": platform.python_version(), **{name: version(name) for name in libraries}}
