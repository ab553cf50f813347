"""Several processes that train one network together: their number, and communication between them.

`torchrun` and `accelerate launch` start the processes, and Accelerate connects them. With a single process the
functions here return their argument or do nothing.
"""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import broadcast, gather, pad_across_processes
from torch import Tensor, nn

from deepernets.data.batches import Batches
from deepernets.errors import UserError

DEVICES = ("cpu", "cuda", "mps", "xpu")
_chosen = "auto"


def local_connection() -> dict[str, str]:
    """Return the environment variables with which processes of one machine find each other, without a network."""
    try:
        interfaces = {name for _, name in socket.if_nameindex()}
    except OSError:
        interfaces = set()
    found = {}
    if loopback := {"lo", "lo0"} & interfaces:  # without it, Gloo chooses an interface itself
        found["GLOO_SOCKET_IFNAME"] = loopback.pop()
    if sys.platform == "win32":
        found["USE_LIBUV"] = "0"  # PyTorch for Windows is built without it
    return found


def state() -> PartialState:
    """Return Accelerate's state: the number of processes, and the rank and the device of this one.

    Raises:
        UserError: `WORLD_SIZE` is set, but not by a program that starts processes.
    """
    size = os.environ.get("WORLD_SIZE", "1")
    several = size != "1"
    if several and not (size.isdecimal() and "RANK" in os.environ):
        raise UserError(
            f"WORLD_SIZE is {size}, but no launcher started this process; start several with torchrun, or "
            "unset WORLD_SIZE."
        )
    # without GPUs, Accelerate does not connect several processes unless it is told to use the CPU
    return PartialState(cpu=several and not torch.cuda.is_available())


def use_device(name: str) -> None:
    """Compute on a device from now on.

    Args:
        name: As PyTorch names it, such as cpu, cuda, cuda:1 or mps; auto for a GPU if there is one.

    Raises:
        UserError: there is no such device here, or there are several processes, which take one device each.
    """
    global _chosen
    if name == _chosen:
        return
    device = None if name == "auto" else _require_device(name)
    if num_processes() > 1:
        raise UserError(f"--device is {name}, and several processes take one device each; leave it out.")
    PartialState._reset_state()
    if device is not None:
        PartialState(cpu=device.type == "cpu").device = device
        if device.type == "cuda":
            torch.cuda.set_device(device)  # for streams and graphs, which PyTorch makes on the current one
    _chosen = name


def _require_device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        if device.type not in DEVICES:
            raise RuntimeError
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError):  # the latter from builds of PyTorch without CUDA
        available = torch.cuda.is_available() * ["cuda"] + torch.backends.mps.is_available() * ["mps"]
        raise UserError(
            f"There is no device {name!r} here; expected {', '.join(['auto', 'cpu', *available])}."
        ) from None
    return device


def num_processes() -> int:
    """Return the number of processes."""
    return state().num_processes


def is_main() -> bool:
    """Return whether this process is the one that writes files and shows the progress bar."""
    return state().is_main_process


def wait() -> None:
    """Wait until all processes have called this."""
    state().wait_for_everyone()


def share(batches: Batches) -> Batches:
    """Return this process's share of the batches; see `Batches.share`."""
    return batches.share(state().process_index, num_processes())


def sum_over_processes(numbers: Tensor) -> Tensor:
    """Return the sum of tensors of one shape over all processes."""
    return gather(numbers[None]).sum(dim=0) if num_processes() > 1 else numbers


def gather_rows(rows: Tensor) -> Tensor:
    """Return the rows of all processes, concatenated in the order of their ranks.

    Args:
        rows: (n, ...), where n may differ from process to process.
    """
    if num_processes() == 1:
        return rows
    lengths = gather(torch.tensor([len(rows)], device=rows.device)).tolist()
    padded = gather(pad_across_processes(rows)).split(max(lengths))
    return torch.cat([part[:length] for part, length in zip(padded, lengths, strict=True)])


def unwrap(model: nn.Module) -> nn.Module:
    """Return the network without the wrapper that distributed training puts around it."""
    return model.module if isinstance(model, nn.parallel.DistributedDataParallel) else model


@contextmanager
def explain_lost_processes(folder: Path) -> Iterator[None]:
    """Replace the network library's error after the death of another process by one that says what to do.

    Raises:
        UserError: another process of the run has ended.
    """
    try:
        yield
    except RuntimeError as error:
        if num_processes() == 1 or "peer" not in str(error):
            raise
        raise UserError(
            f"Another process of this run has ended, so this one stops, too. The same command, with any number of "
            f"processes, goes on from the last whole epoch in {folder}."
        ) from error


class SynchronisedBatchNorm(nn.BatchNorm2d):
    """Batch normalisation with the mean and the variance of the whole batch, over all processes.

    Several processes then compute what one would. PyTorch's own `SyncBatchNorm` does so on GPUs alone; this one
    works on CPUs, too. It costs one message per layer in the forward pass and one in the backward pass.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Normalise (N, C, H, W) by channel; in training, update the running statistics."""
        if not self.training or num_processes() == 1:
            return super().forward(images)
        promoted = images.to(torch.promote_types(images.dtype, torch.float32))
        mean, variance, numbers = _statistics_over_processes(promoted)
        self._update_running(mean.detach(), variance.detach() * numbers / (numbers - 1))
        scale = self.weight * (variance + self.eps).rsqrt()  # (C,)
        shift = self.bias - mean * scale
        return (promoted * scale[:, None, None] + shift[:, None, None]).to(images.dtype)

    @torch.no_grad()
    def _update_running(self, mean: Tensor, unbiased: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        share = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(unbiased, share)


class _Sum(torch.autograd.Function):
    """The sum over all processes; its gradient is, too, since every process's loss depends on every summand."""

    @staticmethod
    def forward(ctx: Any, numbers: Tensor) -> Tensor:
        total = numbers.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return _Sum.apply(gradients[0].contiguous())


def _statistics_over_processes(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean, variance and number of values of each channel, (C,) each, over the images of all processes.

    Shares may differ in size. Moments are summed in double precision, since the variance is a small difference of
    them, and then converted to the precision of the images.
    """
    variance, mean = (part.double() for part in torch.var_mean(images, dim=(0, 2, 3), correction=0))
    numbers = torch.full_like(mean, images.numel() / images.shape[1])
    moments = torch.stack([numbers, numbers * mean, numbers * (variance + mean.square())])  # (3, C)
    numbers, first, second = _Sum.apply(moments)
    mean = first / numbers
    kind = images.dtype
    return mean.to(kind), (second / numbers - mean.square()).to(kind), numbers.to(kind)


def synchronise_batch_norm(model: nn.Module) -> None:
    """Synchronise all batch normalisation in a network, in place, if there are several processes.

    Parameters, running statistics and their names are unchanged.
    """
    if num_processes() > 1:
        for module in model.modules():
            if type(module) is nn.BatchNorm2d:
                module.__class__ = SynchronisedBatchNorm  # the subclass has the same state


def has_synchronised_batch_norm(model: nn.Module) -> bool:
    """Return whether the batch normalisation in a network is synchronised."""
    return any(isinstance(module, SynchronisedBatchNorm) for module in model.modules())


def unwrap_for_evaluation(model: nn.Module) -> nn.Module:
    """Return the unwrapped network, with the first process's running statistics in every process.

    Without `synchronise_batch_norm` each process normalises with the statistics of its own share of a batch,
    and the running statistics of the processes differ. Their weights are the same.
    """
    network = unwrap(model)
    if num_processes() > 1:
        for statistic in network.buffers():
            statistic.copy_(broadcast(statistic.clone()))
    return network
