import copy
import functools

import pytest
import torch
from torch import nn

import deepernets
from deepernets.recipes import get_recipe
from deepernets.training.cuda_graphs import CapturedStep, can_capture, compiled_blocks
from deepernets.training.loop import Training, train_epoch
from deepernets.training.optimizers import build_optimizer


def _training(model: nn.Module, optimizer: str) -> Training:
    chosen = get_recipe("quick/resnet").changed(optimizer=optimizer)
    return Training(model, nn.CrossEntropyLoss(), build_optimizer(chosen, model, "cuda"), 0.1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.filterwarnings("ignore")  # of PyTorch's compiler, about itself
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("steps_before", [0, 2])
@pytest.mark.parametrize("compiled", [False, True])
def test_captured_steps_train_the_same_network(optimizer: str, steps_before: int, compiled: bool) -> None:
    """In float64, so that other kernels for the same sums change nothing that could be seen."""
    model = deepernets.build_model("resnet-8", in_shape=(3, 32, 32), classes=3).double().cuda()
    plain, captured = _training(copy.deepcopy(model), optimizer), _training(model, optimizer)
    sizes = [8] * steps_before + [8, 8, 5, 8]
    batches = [
        (torch.rand(size, 3, 32, 32, device="cuda").double(), torch.arange(size, device="cuda") % 3)
        for size in sizes
    ]
    rates = [0.1 / (1 + step) for step in range(len(sizes))]
    for training in (plain, captured):
        parts = training.criterion, training.optimizer
        train_epoch(training.model, batches[:steps_before], *parts, rates[:steps_before])
    assert can_capture(captured)
    before = copy.deepcopy(captured.model.state_dict())
    captured.step = CapturedStep(captured, *batches[0], compiled)
    for name, tensor in captured.model.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)
    losses = []
    for training in (plain, captured):
        parts = training.criterion, training.optimizer
        left = batches[steps_before:], *parts, rates[steps_before:]
        losses.append(train_epoch(training.model, *left, step=training.step).loss)
    assert losses[1] == pytest.approx(losses[0], rel=1e-6)
    for name, tensor in captured.model.state_dict().items():
        torch.testing.assert_close(tensor, plain.model.state_dict()[name], rtol=1e-6, atol=1e-9)


@pytest.mark.filterwarnings("ignore")  # of PyTorch's compiler, about itself
def test_equal_blocks_are_compiled_once_and_only_inside_the_with_statement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    graphs = []

    def backend(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> nn.Module:
        graphs.append(graph)  # which takes seconds to compile, and is called as it is
        return graph

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))
    torch.manual_seed(0)
    model = deepernets.build_model("resnet-20", in_shape=(3, 8, 8), classes=3).double()
    plain, images = copy.deepcopy(model), torch.rand(4, 3, 8, 8, dtype=torch.float64)
    with compiled_blocks(model):
        torch.testing.assert_close(model(images), plain(images))
    # the stem, the head, blocks of three widths, and those that begin the second and the third stage
    assert len(graphs) == 7
    torch.testing.assert_close(model(images[:3]), plain(images[:3]))
    assert len(graphs) == 7
    torch.testing.assert_close(model.state_dict(), plain.state_dict())
