"""VGG's deeper nets can start from net A's first four convolutions and its classifier (section 3.1)."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import deepernets
from deepernets.errors import UserError
from deepernets.models.vgg import start_from
from deepernets.training import run as run_module
from deepernets.training.options import RunOptions
from deepernets.training.run import train

TINY = deepernets.get_recipe("quick/vgg").changed(epochs=1, train_images=128, batch_size=32, image_size=8)


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


def _train_shallow(out: Path) -> Path:
    """Train for one epoch, and put the run where that of quick/vgg would be; return the place."""
    run = train(TINY, profile="quick", out=out / "short", precision="fp32")
    place = RunOptions(profile="quick", out=out, precision="fp32").folder(deepernets.get_recipe("quick/vgg"))
    place.parent.mkdir(parents=True)
    return run.folder.rename(place)


def test_a_recipe_starts_where_another_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = _train_shallow(tmp_path)
    started: dict[str, torch.Tensor] = {}
    fit = run_module.fit

    def note(training: run_module.Training, *args: object, **options: object) -> None:
        started.update({name: value.clone() for name, value in training.model.state_dict().items()})
        fit(training, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(run_module, "fit", note)
    chosen = TINY.changed(name="from-a", start_from="quick/vgg")
    run = train(chosen, profile="quick", out=tmp_path, precision="fp32")
    assert run.record.recipe.start_from == "quick/vgg"
    trained = load_file(place / "model.safetensors")
    assert torch.equal(started["block3.conv2.weight"], trained["block3.conv2.weight"])
    assert not torch.equal(started["block1.conv2.weight"], trained["block1.conv2.weight"])
    initial = run.initial_model().state_dict()
    assert all(torch.equal(initial[name], value) for name, value in started.items())


def test_a_finished_run_to_start_from_may_have_been_made_without_compiling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A queue compiles long runs alone, and the shallower network trains faster."""
    _train_shallow(tmp_path)
    monkeypatch.setattr(run_module.hardware, "require_compiler", lambda: None)
    monkeypatch.setattr(run_module.hardware, "compile_calls", lambda model: None)
    chosen = TINY.changed(name="from-a", start_from="quick/vgg")
    run = train(chosen, profile="quick", out=tmp_path, precision="fp32", compile=True)
    assert run.record.compile
