"""Weights from elsewhere give the outputs that they gave there."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

import deepernets
from deepernets.errors import UserError
from deepernets.models.layers import ZeroPad
from deepernets.models.pretrained import load_weights
from deepernets.models.resnet import ResNetSpec

PEERS = Path(__file__).parents[3] / "shared" / "peers"
IMAGES = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def resnet(name: str = "resnet-20") -> nn.Sequential:
    return deepernets.build_model(name, in_shape=(3, 32, 32), classes=10)


class PadOnBothSides(ZeroPad):
    """Option A as a widely copied implementation has it: half of the zeros before the old channels."""

    def forward(self, x: Tensor) -> Tensor:
        half = self.padding_channels // 2
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, half))


def padded_on_both_sides(name: str) -> nn.Sequential:
    """Return a network in evaluation mode with such shortcuts, and statistics of its own in every normalisation."""
    model = resnet(name)
    for module in model.modules():
        if isinstance(module, ZeroPad):
            module.__class__ = PadOnBothSides
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                assert tensor is not None
                nn.init.uniform_(tensor, 0.5, 1.5)
            for tensor in (module.bias, module.running_mean):
                assert tensor is not None
                nn.init.normal_(tensor, std=0.2)
    return model.eval()


def under_their_names(model: nn.Module) -> dict[str, Tensor]:
    """Return a state dict as the copied implementation names it, in order."""
    return {
        "module.linear.weight" if name == "head.fc.weight" else f"module.layer.{number}": tensor
        for number, (name, tensor) in enumerate(model.state_dict().items())
    }


@pytest.mark.parametrize("name", ["resnet-8", "resnet-20"])
def test_padding_on_both_sides_is_the_same_function_after_a_permutation(name: str, tmp_path: Path) -> None:
    theirs = padded_on_both_sides(name).double()
    torch.save({"state_dict": under_their_names(theirs)}, tmp_path / "theirs.th")
    ours = load_weights(resnet(name).double(), tmp_path / "theirs.th").eval()
    images = IMAGES.double()
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images))
        ours.load_state_dict(theirs.state_dict())
        assert not torch.allclose(ours(images), theirs(images), atol=0.1)


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_the_weights_of_a_network_without_such_shortcuts_are_left_as_they_are(
    block: str, tmp_path: Path
) -> None:
    """Options B and C have a convolution there, which learned its own channels."""
    spec = ResNetSpec(block=block, repeats=(1, 2), widths=(4, 8), stem="cifar", classes=10)
    theirs = spec.build()
    torch.save(under_their_names(theirs), tmp_path / "theirs.th")
    loaded = load_weights(spec.build(), tmp_path / "theirs.th").state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in theirs.state_dict().items())


@pytest.mark.parametrize("depth", [18, 50])
def test_torchvisions_weights_give_torchvisions_logits(depth: int, tmp_path: Path) -> None:
    """VGG's are matched in the same way, and its layers come in the same order: `test_against_torchvision`."""
    theirs = getattr(torchvision.models, f"resnet{depth}")(num_classes=5).eval()
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")
    ours = deepernets.build_model(f"resnet-{depth}", (3, 32, 32), classes=5, stride_in="3x3")
    load_weights(ours, tmp_path / "weights.pth").eval()
    with torch.no_grad():
        torch.testing.assert_close(ours(IMAGES), theirs(IMAGES))


def test_bottlenecks_with_another_stride_are_refused(tmp_path: Path) -> None:
    torch.save(torchvision.models.resnet50(num_classes=5).state_dict(), tmp_path / "weights.pth")
    with pytest.raises(UserError, match='build yours with stride_in="3x3"'):
        load_weights(deepernets.build_model("resnet-50", (3, 32, 32), classes=5), tmp_path / "weights.pth")


def test_our_own_weights_are_loaded_by_name(tmp_path: Path) -> None:
    trained = resnet()
    save_file(dict(reversed(list(trained.state_dict().items()))), tmp_path / "model.safetensors")
    loaded = load_weights(resnet(), tmp_path / "model.safetensors").state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in trained.state_dict().items())


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"nonsense", "cannot be read"),
        ([1, 2], "has no state dict"),
        ({"state_dict": {"epoch": 3}}, "has no state dict"),
        (
            {"conv1.weight": torch.zeros(16, 1, 3, 3)},
            r"conv1.weight is \(16, 1, 3, 3\) where stem.conv.weight is",
        ),
    ],
)
def test_what_is_no_network_of_this_kind_is_refused_in_a_sentence(
    content: object, sentence: str, tmp_path: Path
) -> None:
    file = tmp_path / "weights.th"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        torch.save(content, file)
    with pytest.raises(UserError, match=sentence):
        load_weights(resnet(), file)
    with pytest.raises(UserError, match=r"absent\.th cannot be read \(No such file"):
        load_weights(resnet(), tmp_path / "absent.th")


@pytest.mark.skipif(not PEERS.is_dir(), reason="the peer's weights are not here")
def test_a_peers_weights_reach_their_accuracy_and_do_not_without_the_permutation() -> None:
    sample = np.load(PEERS / "cifar10-original-500.npz")
    pixels = torch.from_numpy(sample["images"]).permute(0, 3, 1, 2).float() / 255
    mean, sd = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    images, labels = (pixels - mean) / sd, torch.from_numpy(sample["labels"])
    file = PEERS / "resnet20-12fca82f.th"

    def accuracy(model: nn.Module) -> float:
        with torch.no_grad():
            return (model.eval()(images).argmax(dim=1) == labels).float().mean().item()

    assert accuracy(load_weights(resnet(), file)) == pytest.approx(0.910, abs=0.004)
    unpermuted = resnet()
    names = [name for name, tensor in unpermuted.state_dict().items() if tensor.dim() > 0]
    tensors = torch.load(file, map_location="cpu", weights_only=True)["state_dict"].values()
    unpermuted.load_state_dict(dict(zip(names, tensors, strict=True)), strict=False)
    assert accuracy(unpermuted) < 0.4
