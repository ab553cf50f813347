"""VGG's deeper nets can start from net A's first four convolutions and its classifier (section 3.1)."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import deepernets
from deepernets.errors import UserError
from deepernets.models.vgg import start_from
from deepernets.recipes import RECIPES
from deepernets.training import run as run_module
from deepernets.training.run import train

TINY = deepernets.get_recipe("quick/vgg").changed(epochs=1, train_images=128, batch_size=32, image_size=8)
DEEP = TINY.changed(name="from-a", start_from="quick/vgg")


def small(name: str) -> torch.nn.Module:
    return deepernets.build_model(name, in_shape=(3, 32, 32), classes=3)


def test_four_convolutions_and_the_classifier_are_copied_and_nothing_else() -> None:
    deep, shallow = small("vgg-d-cifar"), small("vgg-a-cifar")
    before = {name: tensor.clone() for name, tensor in deep.state_dict().items()}
    copied = start_from(deep, shallow)
    layers = sorted({name.rsplit(".", 1)[0] for name in copied})
    assert layers == ["block1.conv1", "block2.conv1", "block3.conv1", "block3.conv2", "head.fc1"]
    for name, tensor in deep.state_dict().items():
        source = shallow.state_dict() if name in copied else before
        assert torch.equal(tensor, source[name])


def test_the_papers_three_fully_connected_layers_are_copied() -> None:
    with torch.device("meta"):
        deep, shallow = (deepernets.build_model(name) for name in ("vgg-d", "vgg-a"))
    connected = {name for name in start_from(deep, shallow) if name.startswith("head.")}
    assert connected == {f"head.fc{n}.{kind}" for n in (1, 2, 3) for kind in ("weight", "bias")}


def test_networks_without_common_layers_are_refused() -> None:
    with pytest.raises(UserError, match="no layers in common"):
        start_from(small("resnet-20"), small("vgg-a-cifar"))


@pytest.fixture
def shallow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let quick/vgg take one short epoch, train it, and return its folder."""
    monkeypatch.setitem(RECIPES, "quick/vgg", TINY)
    return train(TINY, profile="quick", out=tmp_path, precision="fp32").folder


def test_a_recipe_starts_where_another_ended(
    shallow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: dict[str, torch.Tensor] = {}
    fit = run_module.fit

    def note(training: run_module.Training, *args: object, **options: object) -> None:
        started.update({name: value.clone() for name, value in training.model.state_dict().items()})
        fit(training, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(run_module, "fit", note)
    run = train(DEEP, profile="quick", out=tmp_path, precision="fp32")
    assert run.record.recipe.start_from == "quick/vgg"
    trained = load_file(shallow / "model.safetensors")
    assert torch.equal(started["block3.conv2.weight"], trained["block3.conv2.weight"])
    assert not torch.equal(started["block1.conv2.weight"], trained["block1.conv2.weight"])
    initial = run.initial_model().state_dict()
    assert all(torch.equal(initial[name], value) for name, value in started.items())


@pytest.mark.usefixtures("shallow")
def test_a_finished_run_to_start_from_may_have_been_made_without_compiling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A queue compiles long runs alone, and the shallower network trains faster."""
    monkeypatch.setattr(run_module.hardware, "require_compiler", lambda: None)
    monkeypatch.setattr(run_module.hardware, "compile_calls", lambda model: None)
    run = train(DEEP, profile="quick", out=tmp_path, precision="fp32", compile=True)
    assert run.record.compile


@pytest.mark.usefixtures("shallow")
def test_no_run_starts_from_a_recipe_that_was_changed_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RECIPES, "quick/vgg", TINY.changed(learning_rate=0.2))
    with pytest.raises(UserError, match="of the recipe quick/vgg before it was changed"):
        train(DEEP, profile="quick", out=tmp_path, precision="fp32")
