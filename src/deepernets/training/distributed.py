"""Several processes that train one network together: who is who, and what they know together.

`torchrun` and `accelerate launch` start the processes, Accelerate connects them. With a single process every
function here does nothing, so that the loop need not ask.
"""

import os
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import broadcast, gather, pad_across_processes
from torch import Tensor, nn

from deepernets.data.batches import Batches
from deepernets.errors import UserError


def state() -> PartialState:
    """Return Accelerate's account of the processes and of this one's device.

    Without GPUs, several processes have to be told that they are to talk to each other all the same.

    Raises:
        UserError: `WORLD_SIZE` is set, and not by a program that starts processes.
    """
    wanted = os.environ.get("WORLD_SIZE", "1")
    several = wanted != "1"
    if several and not (wanted.isdecimal() and "RANK" in os.environ):
        raise UserError(
            f"WORLD_SIZE is {wanted}, but no launcher started this process; start several with torchrun, or "
            "unset WORLD_SIZE."
        )
    return PartialState(cpu=several and not torch.cuda.is_available())


def count() -> int:
    """Return the number of processes."""
    return state().num_processes


def is_main() -> bool:
    """Whether this process is the one that writes files and shows the bar."""
    return state().is_main_process


def wait() -> None:
    """Wait until all processes have come this far."""
    state().wait_for_everyone()


def share(batches: Batches) -> Batches:
    """Return the part of all batches that is this process's own; see `Batches.share`."""
    return batches.share(state().process_index, count())


def total(numbers: Tensor) -> Tensor:
    """Return numbers, of any shape, summed over all processes."""
    return gather(numbers[None]).sum(dim=0) if count() > 1 else numbers


def gathered(rows: Tensor) -> Tensor:
    """Return the rows of all processes, those of the first one first.

    Args:
        rows: (n, ...), where n may differ from process to process.
    """
    if count() == 1:
        return rows
    lengths = gather(torch.tensor([len(rows)], device=rows.device)).tolist()
    padded = gather(pad_across_processes(rows)).split(max(lengths))
    return torch.cat([part[:length] for part, length in zip(padded, lengths, strict=True)])


def unwrap(model: nn.Module) -> nn.Module:
    """Return the network without what training in several processes wraps around it."""
    return model.module if isinstance(model, nn.parallel.DistributedDataParallel) else model


class SynchronisedBatchNorm(nn.BatchNorm2d):
    """Batch normalisation with the mean and the variance of the whole batch, whatever share of it is here.

    So several processes compute what one would. PyTorch's own `SyncBatchNorm` does so on GPUs alone; this one
    works wherever processes can add numbers up, at the price of one message per layer each in forward and
    backward.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Normalise (N, C, H, W) by channel, and take the batch's statistics into the running ones in training."""
        if not self.training or count() == 1:
            return super().forward(images)
        wide = images.to(torch.promote_types(images.dtype, torch.float32))
        mean, variance, numbers = _of_all_processes(wide)
        self._remember(mean.detach(), variance.detach() * numbers / (numbers - 1))
        scale = self.weight * (variance + self.eps).rsqrt()  # (C,)
        shift = self.bias - mean * scale
        return (wide * scale[:, None, None] + shift[:, None, None]).to(images.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, unbiased: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        share = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(unbiased, share)


class _Sum(torch.autograd.Function):
    """The sum over all processes; so is its gradient, since every process's loss depends on every summand."""

    @staticmethod
    def forward(ctx: Any, numbers: Tensor) -> Tensor:
        total = numbers.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return _Sum.apply(gradients[0].contiguous())


def _of_all_processes(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean and variance of each channel, (C,) each, over all processes' images, and how many numbers it has.

    Shares may differ in size. Moments are added up in double precision, since the variance is a small
    difference of them; what is returned has the precision of the images.
    """
    variance, mean = (part.double() for part in torch.var_mean(images, dim=(0, 2, 3), correction=0))
    numbers = torch.full_like(mean, images.numel() / images.shape[1])
    moments = torch.stack([numbers, numbers * mean, numbers * (variance + mean.square())])  # (3, C)
    numbers, first, second = _Sum.apply(moments)
    mean = first / numbers
    kind = images.dtype
    return mean.to(kind), (second / numbers - mean.square()).to(kind), numbers.to(kind)


def synchronise(model: nn.Module) -> bool:
    """Make all batch normalisation in a network synchronised, in place, where there are several processes.

    Parameters, running statistics and their names stay as they are.

    Returns:
        Whether there was anything to do.
    """
    layers = [module for module in model.modules() if type(module) is nn.BatchNorm2d]
    if count() > 1:
        for layer in layers:
            layer.__class__ = SynchronisedBatchNorm  # it has the same state, and only computes differently
    return count() > 1 and bool(layers)


def unwrap_for_evaluation(model: nn.Module) -> nn.Module:
    """Return the unwrapped network, with the first process's running statistics in every process.

    In training every process normalises with its own share of a batch (local batch normalisation; the other kind
    is `synchronise`), so that running statistics drift apart a little; weights never do.
    """
    network = unwrap(model)
    if count() > 1:
        for statistic in network.buffers():
            statistic.copy_(broadcast(statistic.clone()))
    return network
