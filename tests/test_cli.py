import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import pytest

from deepernets import cli
from deepernets.errors import ImagesChangedWarning
from deepernets.recipes import list_recipes
from deepernets.recipes.recipe import Recipe
from deepernets.training.options import RunOptions

TINY = ["--epochs", "1", "--train-images", "128", "--batch-size", "32", "--precision", "fp32"]


def _run(
    *words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    """Run the command line in this process; return its exit status, stdout and stderr."""
    monkeypatch.setenv("DEEPERNETS_PROFILE", "full")
    status = 0
    try:
        cli.main(list(words))
    except SystemExit as end:
        status = int(end.code or 0)
    printed = capsys.readouterr()
    return status, printed.out, printed.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["train", "quick/vg"], "There is no recipe 'quick/vg'; did you mean quick/vgg"),
        (["train", "--epochs", "many"], 'unable to convert "many" into int'),
        (["train", "--epochs", "-3"], "epochs is -3; it must be at least 1"),
        (["train", "--model", "vgg-61"], "vgg-16"),
        (["train", "--data", "cifar11"], "cifar10"),
        (["train", "--speed", "11"], "--speed"),
        (["trin"], 'Did you mean "train"?'),
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
        (["evaluate", "nowhere"], "cannot be read"),
        (["recipes", "none"], "There is no recipe 'none'"),
        (["train", "report-a/vgg-16/ours", "--data-root", "nowhere", "--precision", "int8"], "int8"),
        (["find-lr", "--steps", "2"], "shows nothing"),
        (["train", "quick/vgg", "--profile", "full", "--epochs", "1", "--keep-weights"], "cannot be kept"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(
    words: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, error = _run(*words, monkeypatch=monkeypatch, capsys=capsys)
    assert status == 2
    assert sentence in error
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_run_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, _ = _run("train", *TINY, monkeypatch=monkeypatch, capsys=capsys)
    folder = next(Path("runs/quick/vgg").iterdir())
    record = json.loads((folder / "record.json").read_text())
    assert status == 0
    assert f"test accuracy {record['test']['accuracy']:.2%}" in out
    table = [line.split() for line in out.splitlines() if line.startswith(("airplane", "automobile", "bird"))]
    assert [[int(count) for count in row[1:]] for row in table] == record["test"]["confusion"]
    for picture in ("curves", "confusion", "mistakes"):
        assert f"{folder / picture}.png" in out
        assert (folder / f"{picture}.png").stat().st_size > 5_000

    status, out, _ = _run("train", *TINY, monkeypatch=monkeypatch, capsys=capsys)
    assert (status, "This run is finished; --fresh trains it again" in out) == (0, True)

    status, out, _ = _run("evaluate", str(folder), monkeypatch=monkeypatch, capsys=capsys)
    recorded, measured = (line.split()[-1] for line in out.splitlines()[-2:])
    assert (status, recorded) == (0, measured)

    (folder / "curves.png").unlink()
    status, out, _ = _run("show", str(folder), "--out", "seen", monkeypatch=monkeypatch, capsys=capsys)
    assert status == 0
    assert sorted(path.name for path in Path("seen").iterdir()) == [
        "confusion.png",
        "curves.png",
        "mistakes.png",
    ]


def test_find_lr_suggests_a_rate_and_draws_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "find-lr",
        "--train-images",
        "128",
        "--batch-size",
        "32",
        "--steps",
        "20",
        "--out",
        str(tmp_path),
    ]
    status, out, _ = _run(*words, monkeypatch=monkeypatch, capsys=capsys)
    assert status == 0
    assert 1e-5 < float(out.split("Suggested learning rate: ")[1].split()[0]) < 10
    assert Path(out.splitlines()[-1]).is_file()


def test_lists_and_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert "resnet-1202" in _run("models", monkeypatch=monkeypatch, capsys=capsys)[1].splitlines()
    listed = _run("recipes", monkeypatch=monkeypatch, capsys=capsys)[1].splitlines()
    assert [line.split()[0] for line in listed] == list_recipes()
    shown = _run("recipes", "quick/vgg", monkeypatch=monkeypatch, capsys=capsys)[1]
    helped = _run("train", "--help", monkeypatch=monkeypatch, capsys=capsys)[1]
    for field in fields(Recipe):
        assert field.name in shown
        assert field.name == "name" or f"--{field.name.replace('_', '-')}" in helped
    for option in fields(RunOptions):
        assert f"--{option.name.replace('_', '-')}" in helped


def test_data_check_names_every_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["data", "check", "--data-root", str(tmp_path)]
    status, out, _ = _run(*words, monkeypatch=monkeypatch, capsys=capsys)
    assert status == 0
    for name in ("mnist", "cifar10", "cifar3", "digits", "sketches"):
        assert name in out


def test_a_bad_profile_in_the_environment_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DEEPERNETS_PROFILE", "slow")
    with pytest.raises(SystemExit, match="2"):
        cli.main(["train"])
    error = capsys.readouterr().err
    assert all(word in error for word in ("slow", "DEEPERNETS_PROFILE", "quick", "laptop", "full"))
    assert len(error.splitlines()) == 1


def test_help_does_not_wait_for_pytorch() -> None:
    code = (
        "import sys; sys.argv = ['deepernets', '--help']\n"
        "from deepernets.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_ctrl_c_keeps_a_checkpoint_that_the_same_command_goes_on_from(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "deepernets",
        "train",
        "--epochs",
        "400",
        *TINY[2:],
        "--out",
        str(tmp_path),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    deadline = time.monotonic() + 900  # far above what it takes, also beside other work
    while not list(tmp_path.rglob("epoch-*")) and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, error = running.communicate(timeout=900)
    assert running.returncode == 130
    assert "the same command goes on from there" in error
    assert "Traceback" not in error
    kept = [path.name for path in tmp_path.rglob("epoch-*")]
    assert len(kept) == 1


def test_changed_images_are_announced_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    cli._show_warning(ImagesChangedWarning("3 images were turned."), ImagesChangedWarning, "file.py", 1)
    assert capsys.readouterr().err == "deepernets: 3 images were turned.\n"
