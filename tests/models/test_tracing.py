import pytest
import torch
from torch import nn

from deepernets.errors import UserError
from deepernets.models import tracing
from deepernets.models.counting import summary
from deepernets.models.registry import build_model
from tests.models.on_meta import laid_out


def test_a_trace_leaves_the_network_as_it_was() -> None:
    model = build_model("resnet-8", (3, 8, 8), 2)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    generator = torch.get_rng_state()
    for training in (True, False):
        model.train(training)
        summary(model, (3, 8, 8))
        assert all(module.training is training for module in model.modules())
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    assert all(not module._forward_hooks for module in model.modules())
    assert torch.equal(generator, torch.get_rng_state())


def test_traces_are_the_same_in_both_modes_and_any_precision() -> None:
    model = build_model("resnet-8", (3, 8, 8), 2)
    assert summary(model.train(), (3, 8, 8)).equals(summary(model.eval().double(), (3, 8, 8)))


def test_an_image_that_does_not_fit_is_refused_and_no_hook_stays() -> None:
    model = laid_out("vgg-16")
    with pytest.raises(UserError, match=r"takes no images of shape \(3, 28, 28\)"):
        summary(model, (3, 28, 28))
    assert all(not module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("in_shape", [(3, 32, 32), (5, 32, 32), (3, 4, 4)])
def test_inferred_shapes_are_pytorchs(
    in_shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def shapes(model: nn.Module) -> list[tuple[str, torch.Size]] | str:
        try:
            return [(call.name, call.output.shape) for call in tracing.trace_layers(model, in_shape)]
        except UserError as error:
            return str(error)

    for name in ("vgg-16", "resnet-50", "resnet-20"):
        ours = shapes(laid_out(name))
        with monkeypatch.context() as without:
            without.setattr(tracing, "_RULES", {})
            assert shapes(laid_out(name)) == ours
