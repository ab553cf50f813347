import json
import os
import signal
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deepernets import cli
from deepernets.errors import ImagesChangedWarning
from deepernets.recipes import list_recipes
from deepernets.recipes.recipe import Recipe
from deepernets.training.callbacks import Progress
from deepernets.training.loop import Training
from deepernets.training.options import RunOptions

if TYPE_CHECKING:
    from tests.conftest import Run

SMALL = ["--train-images", "128", "--batch-size", "32", "--image-size", "16", "--precision", "fp32"]
TINY = ["--epochs", "1", *SMALL]


@pytest.fixture(autouse=True)
def _full_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPERNETS_PROFILE", "full")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["train", "quick/vg"], "There is no recipe 'quick/vg'; did you mean quick/vgg"),
        (["train", "--epochs", "many"], 'unable to convert "many" into int'),
        (["train", "--epochs", "none"], 'unable to convert "none" into int'),
        (["train", "--schedule", "none"], 'Invalid value "none" for --schedule'),
        (["train", "--epochs", "-3"], "epochs is -3; it must be at least 1"),
        (["train", "--model", "vgg-61"], "vgg-16"),
        (["train", "--data", "cifar11"], "cifar10"),
        (["train", "--speed", "11"], "--speed"),
        (["trin"], 'Did you mean "train"?'),
        (["table", "a", "b"], "deepernets table does not expect a b; see deepernets table --help."),
        (["train", "--device", "gpu"], "There is no device 'gpu' here; expected auto, cpu"),
        (["train", "--out", os.devnull], f"{os.devnull}/quick/vgg/full-seed0/record.json cannot be written"),
        (["find-lr", "--out", os.devnull], "cannot be written (Not a directory)"),
        (["train", "none.toml"], "none.toml cannot be read"),
        (["models", "nope"], "expected a name such as vgg-16"),
        (["models", "resnet20"], "did you mean resnet-20"),
        (["predict"], "give one or more image files"),
        (["predict", "none.png"], "none.png cannot be read"),
        (["predict", "none.png", "--top", "0"], "--top is 0"),
        (["export", "report-b/resnet-20-mnist/ours", "net.txt"], "expected .onnx or .safetensors"),
        (["show"], "give the folder of a run, or several"),
        (["show", "nowhere"], "nowhere cannot be read"),
        (["show", "n" * 300], "cannot be used (File name too long)"),
        (["verify", "n" * 300], "(File name too long)"),
        (["table", "--results", "nowhere"], "There is no folder of records nowhere"),
        (["evaluate", "nowhere"], "There is no run nowhere; give the folder of a finished run"),
        (["models", "resnet-20", "--classes", "0"], "classes is 0"),
        (["models", "resnet-20", "--image-size", "0"], "in_shape is (3, 0, 0)"),
        (["predict", "https://example.org/a.png"], "is an address; download the image"),
        (["recipes", "none"], "There is no recipe 'none'"),
        (["train", "report-a/vgg-16/ours", "--data-root", "nowhere", "--precision", "int8"], "int8"),
        (["find-lr", "--steps", "2"], "shows nothing"),
        (["train", "quick/vgg", "--profile", "full", "--epochs", "1", "--keep-weights"], "cannot be kept"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(
    run: "Run", words: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, error = run(*words)
    assert status == 2
    assert sentence in error
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_run_from_the_command_line(run: "Run", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, _ = run("train", *TINY)
    folder = next(Path("runs/quick/vgg").iterdir())
    record = json.loads((folder / "record.json").read_text())
    assert status == 0
    assert f"test accuracy {record['test']['accuracy']:.2%}" in out
    table = [line.split() for line in out.splitlines() if line.startswith(("airplane", "automobile", "bird"))]
    assert [[int(count) for count in row[1:]] for row in table] == record["test"]["confusion"]
    for picture in ("curves", "confusion", "mistakes"):
        assert f"{folder / picture}.png" in out
        assert (folder / f"{picture}.png").stat().st_size > 5_000

    status, out, _ = run("train", *TINY)
    assert (status, "This run is finished; --fresh trains it again" in out) == (0, True)

    status, out, _ = run("evaluate", str(folder))
    recorded, measured = (line.split()[-1] for line in out.splitlines()[-2:])
    assert (status, recorded) == (0, measured)

    (folder / "curves.png").unlink()
    status, out, _ = run("show", str(folder), "--out", "seen")
    assert status == 0
    assert sorted(path.name for path in Path("seen").iterdir()) == [
        "confusion.png",
        "curves.png",
        "mistakes.png",
    ]


def test_find_lr_suggests_a_rate_and_draws_it(run: "Run", tmp_path: Path) -> None:
    status, out, _ = run("find-lr", *SMALL[:6], "--steps", 20, "--out", tmp_path)
    assert status == 0
    assert 1e-5 < float(out.split("Suggested learning rate: ")[1].split()[0]) < 10
    assert Path(out.splitlines()[-1]).is_file()


def test_lists_and_help(run: "Run") -> None:
    assert "resnet-1202" in run("models")[1].splitlines()
    listed = run("recipes")[1].splitlines()
    assert [line.split()[0] for line in listed] == list_recipes()
    shown = run("recipes", "quick/vgg")[1]
    helped = run("train", "--help")[1]
    for field in fields(Recipe):
        assert field.name in shown
        assert field.name == "name" or f"--{field.name.replace('_', '-')}" in helped
    for option in fields(RunOptions):
        assert f"--{option.name.replace('_', '-')}" in helped


def test_data_check_names_every_data_set(run: "Run", tmp_path: Path) -> None:
    status, out, _ = run("data", "check", "--data-root", tmp_path)
    assert status == 0
    for name in ("mnist", "cifar10", "cifar3", "digits", "sketches"):
        assert name in out


def test_a_bad_profile_in_the_environment_is_named(run: "Run", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPERNETS_PROFILE", "slow")
    status, _, error = run("train")
    assert status == 2
    assert all(word in error for word in ("slow", "DEEPERNETS_PROFILE", "quick", "laptop", "full"))
    assert len(error.splitlines()) == 1


def test_ctrl_c_keeps_a_checkpoint_that_the_same_command_goes_on_from(
    run: "Run", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["train", "--epochs", "2", *SMALL, "--out", tmp_path]

    def press(progress: Progress, training: Training) -> None:
        after_epoch(progress, training)
        signal.raise_signal(signal.SIGINT)

    after_epoch = Progress.after_epoch
    with monkeypatch.context() as patched:
        patched.setattr(Progress, "after_epoch", press)
        status, _, error = run(*words)
    assert status == 130
    assert "the same command goes on from there" in error
    assert "Traceback" not in error
    assert [path.name for path in tmp_path.rglob("epoch-*")] == ["epoch-001"]
    assert run(*words)[0] == 0
    (record,) = tmp_path.rglob("record.json")
    assert len(json.loads(record.read_text())["epochs"]) == 2


def test_changed_images_are_announced_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    cli._show_warning(ImagesChangedWarning("3 images were turned."), ImagesChangedWarning, "file.py", 1)
    assert capsys.readouterr().err == "deepernets: 3 images were turned.\n"
