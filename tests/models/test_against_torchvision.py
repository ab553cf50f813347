"""The builders against an independent implementation: the same weights give the same logits."""

import pytest
import torch
import torchvision
from torch import nn

from deepernets.models.registry import build_model


def randomised(model: nn.Module) -> nn.Module:
    """Give a network on the meta device its memory, and values in the range of trained ones."""
    generator = torch.Generator().manual_seed(0)
    model.to_empty(device="cpu")
    for name, tensor in model.state_dict().items():
        if tensor.ndim > 1:
            bound = (6 / tensor[0].numel()) ** 0.5  # uniform with He's variance
            tensor.uniform_(-bound, bound, generator=generator)
        elif name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5, generator=generator)
        elif tensor.is_floating_point():
            tensor.uniform_(-0.5, 0.5, generator=generator)
    return model.eval()


def assert_same_logits(theirs: nn.Module, ours: nn.Module, side: int) -> None:
    """Copy the weights across in order, and compare the logits of one image."""
    weights = randomised(theirs).state_dict()
    ours.load_state_dict(dict(zip(ours.state_dict(), weights.values(), strict=True)), assign=True)
    images = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits = theirs(images)
        assert logits.std() > 0.01
        torch.testing.assert_close(ours.eval()(images), logits)


@pytest.mark.parametrize(("depth", "suffix"), [(11, ""), (13, "-bn"), (16, ""), (19, "-bn")])
def test_vgg(depth: int, suffix: str) -> None:
    with torch.device("meta"):
        theirs = getattr(torchvision.models, f"vgg{depth}{suffix.replace('-', '_')}")(init_weights=False)
        ours = build_model(f"vgg-{depth}{suffix}")
    assert_same_logits(theirs, ours, side=224)


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_resnet(depth: int) -> None:
    with torch.device("meta"):
        theirs = getattr(torchvision.models, f"resnet{depth}")()
        ours = build_model(f"resnet-{depth}", stride_in="3x3")
    assert_same_logits(theirs, ours, side=64)
