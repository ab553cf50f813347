"""A training step on a GPU, captured and launched as one CUDA graph."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from deepernets.models.layers import Residual
from deepernets.training import distributed
from deepernets.training.loop import Training, train_step

WARM_UP = 3  # steps in which libraries choose their kernels


class CapturedStep:
    """`train_step` for batches of one shape, captured once and then launched as a whole.

    A small network on a fast GPU otherwise waits for the CPU, which launches a dozen kernels for each layer of a
    step. For batches of another shape, such as an epoch's last one, the step is not captured. The kernels are the
    same; cuDNN's are chosen by timing them.

    The optimizer has to keep its learning rate in a tensor on the GPU, where the graph reads it.

    Args:
        training: Its network, its running statistics and its optimizer's state are left as they are.
        images: A batch as the training will see it, (N, C, H, W), on the GPU; its values do not matter.
        labels: Likewise, (N,).
        compiled: Let PyTorch compile the network's blocks for the captured step, and for nothing else.
    """

    def __init__(self, training: Training, images: Tensor, labels: Tensor, compiled: bool = False) -> None:
        with compiled_blocks(training.model) if compiled else nullcontext():
            self._capture(training, images, labels)

    def _capture(self, training: Training, images: Tensor, labels: Tensor) -> None:
        model, criterion, optimizer = training.model.train(), training.criterion, training.optimizer
        self.images, self.labels = images.clone(), labels.clone()
        before = {id(tensor): tensor.detach().clone() for tensor in _state(model, optimizer)}
        benchmark, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, True
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                train_step(model, self.images, self.labels, criterion, optimizer)
        torch.cuda.current_stream().wait_stream(stream)
        torch.backends.cudnn.benchmark = benchmark
        optimizer.zero_grad()  # so that gradients are allocated in the graph's own memory
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, stream=stream):
            loss, logits = train_step(model, self.images, self.labels, criterion, optimizer)
        self.loss, self.logits = loss.detach(), logits.detach()
        with torch.no_grad():
            # state that an optimizer creates in its first step starts at 0
            for tensor in _state(model, optimizer):
                tensor.copy_(before[id(tensor)]) if id(tensor) in before else tensor.zero_()

    def __call__(
        self, model: nn.Module, images: Tensor, labels: Tensor, criterion: nn.Module, optimizer: Optimizer
    ) -> tuple[Tensor, Tensor]:
        """Take the step; see `train_step`. What is returned is overwritten by the next step."""
        if images.shape != self.images.shape:
            return train_step(model, images, labels, criterion, optimizer)
        self.images.copy_(images)
        self.labels.copy_(labels)
        self.graph.replay()
        return self.loss, self.logits


def can_capture(training: Training) -> bool:
    """Return whether steps can be captured: in one process, with the learning rate in a tensor on a GPU."""
    rates = [group["lr"] for group in training.optimizer.param_groups]
    return distributed.num_processes() == 1 and all(
        isinstance(rate, Tensor) and rate.is_cuda for rate in rates
    )


@contextmanager
def compiled_blocks(network: nn.Module) -> Iterator[None]:
    """Let PyTorch compile each block of a network, until the end of the ``with`` statement.

    Equal blocks are compiled once, so that a deep network does not take longer than a shallow one.
    """
    blocks = [block for child in network.children() for block in _blocks(child)]
    for block in blocks:
        block.forward = torch.compile(block.forward, dynamic=False)
    try:
        yield
    finally:
        for block in blocks:
            del block.forward


def _blocks(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the residual blocks in a module, and other modules whose children are all layers."""
    children = list(module.children())
    if isinstance(module, Residual) or (children and not any(list(child.children()) for child in children)):
        yield module
        return
    for child in children:
        yield from _blocks(child)


def _state(model: nn.Module, optimizer: Optimizer) -> Iterator[Tensor]:
    """Yield all tensors that a training step changes."""
    yield from model.parameters()
    yield from model.buffers()
    for state in optimizer.state.values():
        yield from (value for value in state.values() if isinstance(value, Tensor))
