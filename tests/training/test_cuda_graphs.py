import copy

import pytest
import torch
from torch import nn

import deepernets
from deepernets.recipes import get_recipe
from deepernets.training.cuda_graphs import CapturedStep, can_capture
from deepernets.training.loop import Training, train_epoch
from deepernets.training.optimizers import build_optimizer


def _training(model: nn.Module, optimizer: str) -> Training:
    chosen = get_recipe("quick/resnet").changed(optimizer=optimizer)
    return Training(model, nn.CrossEntropyLoss(), build_optimizer(chosen, model, "cuda"), 0.1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("steps_before", [0, 2])
def test_captured_steps_train_the_same_network(optimizer: str, steps_before: int) -> None:
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
    captured.step = CapturedStep(captured, *batches[0])
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
