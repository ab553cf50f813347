"""The commands about trained networks, as they are typed, with weights and records that ship with the course."""

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from deepernets.benchmark.run import Benchmark, Measurement
from deepernets.benchmark.variants import Size
from deepernets.cli.bench import _print as print_benchmark
from deepernets.errors import ImagesChangedWarning
from deepernets.models.registry import list_models
from deepernets.training.prediction import predict, read_images
from deepernets.training.pretrained import load_pretrained
from deepernets.training.records import results_folder
from deepernets.training.timing import PHASES

if TYPE_CHECKING:
    from tests.conftest import Run

PRETRAINED = "report-b/resnet-20-mnist/ours"  # of one channel


@pytest.fixture
def ones(tmp_path: Path) -> list[Path]:
    """Write the digit 1, white on black: grey, in colour and wide, and larger."""
    grey = np.zeros((28, 28), np.uint8)
    grey[5:23, 13:15] = 255
    wide = np.zeros((28, 60, 3), np.uint8)
    wide[5:23, 29:31] = 255
    paths = [tmp_path / name for name in ("grey.png", "wide.png", "large.png")]
    for path, pixels in zip(paths, (grey, wide, grey.repeat(4, 0).repeat(4, 1)), strict=True):
        Image.fromarray(pixels).save(path)
    return paths


def test_images_of_any_shape_are_classified_and_their_heat_is_drawn(
    run: "Run", ones: list[Path], tmp_path: Path
) -> None:
    heat = tmp_path / "heat.png"
    status, printed, _ = run("predict", *ones, "--run", PRETRAINED, "--top", 2, "--grad-cam", heat)
    *rows, last = printed.splitlines()
    assert (status, last) == (0, str(heat))
    assert [row.split()[:2] for row in rows] == [[str(path), "1"] for path in ones]
    shares = [float(share) for share in re.findall(r"([\d.]+)%", rows[0])]
    assert len(shares) == 2
    assert 50 < shares[0] <= sum(shares) <= 100.1
    with Image.open(heat) as drawn:
        width, height = drawn.size
    assert width > height > 100  # three columns of two pictures


def test_probabilities_are_those_of_the_network_in_evaluation_mode(ones: list[Path]) -> None:
    trained = load_pretrained(PRETRAINED)
    pixels = read_images(ones, trained.record)
    assert pixels.shape == (3, 1, trained.record.recipe.image_size, trained.record.recipe.image_size)
    together = predict(trained, pixels)
    assert torch.allclose(together.sum(dim=1), torch.ones(3))
    assert torch.allclose(predict(trained, pixels[:1]), together[:1], atol=1e-5)


def test_a_transparent_image_is_announced_and_a_damaged_one_refused(run: "Run", tmp_path: Path) -> None:
    clear, damaged = tmp_path / "clear.png", tmp_path / "damaged.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 50, 4), dtype=np.uint8)).save(clear)
    damaged.write_bytes(clear.read_bytes()[:500])
    trained = load_pretrained(PRETRAINED)
    with pytest.warns(ImagesChangedWarning, match=r"clear.png was changed on reading: laid on white"):
        read_images([clear], trained.record)
    status, _, error = run("predict", damaged, "--run", PRETRAINED)
    assert status == 2
    assert "give another file" in error


def test_exported_weights_state_what_they_need_and_are_those_of_the_run(run: "Run", tmp_path: Path) -> None:
    file = tmp_path / "net.safetensors"
    assert run("export", PRETRAINED, file)[:2] == (0, f"{file}\n")
    trained = load_pretrained(PRETRAINED)
    with safe_open(file, "pt") as weights:
        stated = weights.metadata()
        names = set(weights.keys())
        assert all(
            torch.equal(weights.get_tensor(name), tensor)
            for name, tensor in trained.model.state_dict().items()
        )
    assert names == set(trained.model.state_dict())
    assert json.loads(stated["classes"]) == trained.record.data["classes"]
    assert json.loads(stated["mean"]) == trained.record.data["mean"]


def test_an_exported_graph_takes_pixels_and_gives_the_same_logits(
    run: "Run", ones: list[Path], tmp_path: Path
) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    file = tmp_path / "net.onnx"
    assert run("export", PRETRAINED, file)[0] == 0
    trained = load_pretrained(PRETRAINED)
    pixels = read_images(ones, trained.record)
    (logits,) = runtime.InferenceSession(file).run(None, {"pixels": (pixels / 255).numpy()})
    assert torch.allclose(torch.tensor(logits).softmax(dim=1), predict(trained, pixels), atol=1e-4)


def test_without_the_packages_for_onnx_one_sentence_names_them(
    run: "Run", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deepernets.training.prediction.find_spec", lambda name: None)
    status, _, error = run("export", PRETRAINED, tmp_path / "net.onnx")
    assert (status, list(tmp_path.iterdir())) == (2, [])
    assert "run pip install onnx onnxscript" in error


def test_several_runs_are_drawn_together_and_only_their_differences_listed(
    run: "Run", tmp_path: Path
) -> None:
    folder = results_folder() / "report-b" / "resnet-20-cifar10" / "ours"
    records = [folder / f"full-seed0{changes}.json" for changes in ("", "-learning_rate=0.1")]
    status, printed, _ = run("show", *records, "--out", tmp_path)
    lines = printed.splitlines()
    table = {line[:15].strip(): line.split()[-2:] for line in lines}
    assert status == 0
    assert table["learning_rate"][1] == "0.1"
    assert table["learning_rate"][0] != "0.1"
    assert all(share.endswith("%") for share in table["test accuracy"])
    assert "momentum" not in table
    assert lines[-1] == str(tmp_path / "curves.png")
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]
    status, printed, _ = run("show", records[0], records[0], "--out", tmp_path)
    assert "The runs have the same recipe and result." in printed
    status, _, error = run("show", *[records[0]] * 40, "--out", tmp_path / "none")
    assert (status, (tmp_path / "none").exists()) == (2, False)
    assert "40 runs cannot be distinguished" in error


@pytest.mark.parametrize("name", ["vgg-a-lrn", "resnet-152", "resnet-20", "dash", "plain-18-cifar"])
def test_the_layers_of_a_network_fit_a_terminal_and_add_up(run: "Run", name: str) -> None:
    status, printed, _ = run("models", name)
    _, _, _, *rows, last = printed.splitlines()
    assert status == 0
    assert max(map(len, printed.splitlines())) <= 80
    *_, parameters, multiply_adds = last.split()
    counts = [
        [int(word.replace(",", "")) for word in row.split() if re.fullmatch(r"[\d,]+", word)] for row in rows
    ]
    costs = [row[0] for row in counts if len(row) == 3]  # parameters, multiply-adds, receptive field
    assert int(parameters.replace(",", "")) >= sum(costs) > 0
    assert int(multiply_adds.replace(",", "")) > 0


def test_the_sizes_of_a_network_are_those_that_were_asked_for(run: "Run") -> None:
    words = ("models", "resnet-20", "--image-size", 28, "--channels", 1, "--classes", 7)
    printed = run(*words)[1]
    assert printed.startswith("images of 1×28×28, 7 classes\n")
    assert re.search(r"^stem\.conv +16×28×28 +144 +112,896 +3$", printed, re.MULTILINE)
    assert re.search(r"^head\.fc +7 +455 +448$", printed, re.MULTILINE)


def test_the_columns_of_the_benchmark_stay_apart_for_the_longest_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    longest = max(list_models(), key=len)
    row = Measurement(longest, "channels last", "fp32", dict.fromkeys(PHASES, 123456.7), 1e5, 0.5)
    ours = Measurement(longest, "ours", "bf16", dict.fromkeys(PHASES, 1.0), 1e5, 0.5)
    plain = Measurement(longest, "plain", "fp32", dict.fromkeys(PHASES, 2.0), 1e5, 0.5)
    print_benchmark(
        Benchmark("a machine", "2026-01-01", Size(1, 1, 1), {"fp32": 1e9}, (row, plain, ours), {})
    )
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith(f"{longest} ")]
    cells = [re.split(" {2,}", line) for line in lines]
    variants = [[longest, "channels last", "fp32"], [longest, "plain", "fp32"], [longest, "ours", "bf16"]]
    assert [row[:3] for row in cells] == 2 * variants
    assert [len(row) for row in cells] == 3 * [3 + len(PHASES) + 1] + 3 * [3 + 3]


def test_an_unusable_chart_is_found_before_anything_is_timed(
    run: "Run", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "deepernets.benchmark.run", None)  # would be imported to measure
    (tmp_path / "file").touch()
    for words in (["bench", "--chart"], ["predict", tmp_path / "file", "--grad-cam"]):
        status, _, error = run(*words, tmp_path / "file" / "chart.png")
        assert status == 2
        assert f"cannot be written (Not a directory); choose another {words[-1]}." in error
