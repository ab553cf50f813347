"""Trained weights that ship with the course: loaded without data, and as good as their record says."""

import hashlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import deepernets
from deepernets.cli import main
from deepernets.data.images import sample
from deepernets.errors import UserError
from deepernets.training.loop import Evaluation, evaluate
from deepernets.training.pretrained import PretrainedRun, keep_weights, load_pretrained
from deepernets.training.records import results_folder
from deepernets.training.run import train

DIGITS = "report-b/resnet-20-mnist/ours"
NAMES = deepernets.list_pretrained()
CARD = (results_folder() / "weights.md").read_text(encoding="utf-8")
LARGEST = 4_000_000  # bytes: they travel with every installation


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_loaded_without_data_and_leave_random_numbers_alone(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DEEPERNETS_DATA", str(tmp_path))
    state = torch.random.get_rng_state()
    run = load_pretrained(name)
    side, channels = run.record.recipe.image_size, len(run.record.data["mean"])
    with torch.no_grad():
        logits = run.model(torch.zeros(2, channels, side, side))  # (2, K)
    assert logits.shape == (2, len(run.record.data["classes"]))
    assert logits.isfinite().all()
    assert not run.model.training
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("name", NAMES)
def test_the_model_card_names_them_with_checksum_and_accuracy(name: str) -> None:
    run = load_pretrained(name)
    content = run.weights.read_bytes()
    row = next(line for line in CARD.splitlines() if line.startswith(f"| `{name}` |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert f"`{hashlib.sha256(content).hexdigest()}`" == cells[-1]
    assert f"{100 * run.record.test['accuracy']:.2f}" == cells[3]
    assert len(content) < LARGEST


def test_on_the_test_images_they_reach_what_record_and_card_say() -> None:
    """The same mistakes, and right on others; all 10,000 images would take too long here."""
    run = load_pretrained(DIGITS)
    try:
        test = run.data.test
    except UserError:
        pytest.skip("MNIST is not available")
    row = next(line for line in CARD.splitlines() if line.startswith(f"| `{DIGITS}` |"))
    assert float(row.split("|")[5]) == pytest.approx(100 * run.record.test["accuracy"], abs=0.1)
    mistakes = run.record.test["mistakes"]
    index = torch.tensor([mistake["index"] for mistake in mistakes])
    found = evaluate(run.model, replace(test, images=test.images.select(index)).epoch(0))
    assert found.labels.tolist() == [mistake["label"] for mistake in mistakes]
    repeated = found.logits.argmax(dim=1) == torch.tensor([mistake["predicted"] for mistake in mistakes])
    assert repeated.float().mean() > 0.8  # rounding to float16 may turn one or the other
    others = replace(test, images=sample(test.images, 300, 0))
    assert evaluate(run.model, others.epoch(0)).accuracy > 0.98


def test_unknown_weights_are_refused_with_the_names_of_those_that_exist() -> None:
    with pytest.raises(UserError, match=r"report-b/resnet-20-mnist/ours.*--keep-weights"):
        load_pretrained("paper/resnet-1000")


def test_only_whole_runs_of_a_recipe_as_written_are_kept(tmp_path: Path) -> None:
    tiny = deepernets.get_recipe("quick/vgg").changed(epochs=1, train_images=64, batch_size=32, image_size=8)
    run = train(tiny, profile="quick", out=tmp_path)
    with pytest.raises(UserError, match="a recipe as it is written"):
        keep_weights(run, tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_kept_weights_are_those_of_the_run_rounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "of-my-own"
    tiny = deepernets.get_recipe("quick/resnet").changed(name=name, epochs=1, train_images=64, batch_size=32)
    run = train(tiny, out=tmp_path / "runs")
    kept = keep_weights(run, tmp_path / "results")
    assert deepernets.list_pretrained(tmp_path / "results") == [name]
    loaded = load_pretrained(name, results=tmp_path / "results")
    assert loaded.record == run.record
    for tensor, original in zip(
        kept.model.state_dict().values(), run.model.state_dict().values(), strict=True
    ):
        half = original.half().to(original.dtype) if original.is_floating_point() else original
        assert torch.equal(tensor, half)
    images = torch.rand(8, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(loaded.model(images), run.model(images), rtol=0.02, atol=0.05)


def test_evaluate_takes_the_name_of_a_recipe_with_weights(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = Evaluation(0.01, 0.9876, torch.empty(0), torch.empty(0))
    monkeypatch.setattr(PretrainedRun, "evaluate", lambda run: answer)
    with suppress(SystemExit):
        main(["evaluate", DIGITS])
    shown = capsys.readouterr().out
    assert load_pretrained(DIGITS).record.label in shown
    assert "98.76%" in shown
