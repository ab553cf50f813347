"""Several processes that train one network together: who is who, and what they know together.

`torchrun` and `accelerate launch` start the processes, Accelerate connects them. With a single process every
function here does nothing, so that the loop need not ask.
"""

import os

import torch
from accelerate import PartialState
from accelerate.utils import broadcast, gather, pad_across_processes
from torch import Tensor, nn

from deepernets.data.batches import Batches


def state() -> PartialState:
    """Return Accelerate's account of the processes and of this one's device.

    Without GPUs, several processes have to be told that they are to talk to each other all the same.
    """
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
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


def bare(model: nn.Module) -> nn.Module:
    """Return the network without what training in several processes wraps around it."""
    return model.module if isinstance(model, nn.parallel.DistributedDataParallel) else model


def agreed(model: nn.Module) -> nn.Module:
    """Return the bare network, with the first process's running statistics everywhere.

    In training every process normalises with its own share of a batch (local batch normalisation), so that running
    statistics drift apart a little; weights never do.
    """
    network = bare(model)
    if count() > 1:
        for statistic in network.buffers():
            statistic.copy_(broadcast(statistic.clone()))
    return network
