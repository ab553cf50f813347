"""Damaged files are read, or refused in one sentence; nothing else is raised, and memory stays bounded."""

import io
import os
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some
from PIL import Image
from safetensors.torch import save_file

from deepernets.data.image_folder import read_image_folder
from deepernets.data.images import Images
from deepernets.data.official_files import read_cifar10, read_mnist
from deepernets.errors import UserError
from deepernets.models.pretrained import load_weights
from deepernets.models.registry import build_model
from deepernets.training.records import Record, load_record, results_folder
from tests.data.test_official_files import idx, packed_mnist, small_mnist

EXAMPLES = int(os.environ.get("DEEPERNETS_EXAMPLES", "15"))  # of each kind of file; `make fuzz` sets more
DAMAGING = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],  # a failure is printed as it was found: shrinking takes minutes
    suppress_health_check=list(HealthCheck),
)
MOST_MEMORY = 600_000_000  # bytes that Python and numpy may take for one file
EXTREMES = [b"\x00" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x01\x00\x00", b"["]


def image_bytes(file_format: str, mode: str = "RGB") -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(file, file_format)
    return file.getvalue()


def official(name: str, read: Callable[[Path], tuple[Images, Images]]) -> Callable[[Path, bytes], object]:
    """Return a function that reads a data set of which the file `name` is damaged."""

    def with_damaged(folder: Path, data: bytes) -> object:
        if "raw" in name:
            small_mnist(folder)
        path = folder / name.removesuffix(".gz")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        (folder / name).write_bytes(data)
        return read(folder)

    return with_damaged


def read_binary(folder: Path, data: bytes) -> object:
    batches = folder / "cifar-10-batches-bin"
    batches.mkdir()
    for name in (
        "data_batch_1",
        "data_batch_2",
        "data_batch_3",
        "data_batch_4",
        "data_batch_5",
        "test_batch",
    ):
        (batches / f"{name}.bin").write_bytes(data)
    return read_cifar10(folder)


def read_zip(folder: Path, data: bytes) -> object:
    (folder / "pets.zip").write_bytes(data)
    return read_image_folder(folder / "pets.zip", image_size=4)


def read_picture(folder: Path, data: bytes) -> object:
    for split in ("train", "test"):
        (folder / split / "cat").mkdir(parents=True)
        (folder / split / "cat" / "0.png").write_bytes(data)
    return read_image_folder(folder, image_size=4)


def read_record(folder: Path, data: bytes) -> object:
    (folder / "record.json").write_bytes(data)
    return load_record(folder / "record.json")


def read_weights(name: str) -> Callable[[Path, bytes], object]:
    def read(folder: Path, data: bytes) -> object:
        (folder / name).write_bytes(data)
        return load_weights(NETWORK, folder / name)

    return read


def zip_bytes() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for split in ("train", "test"):
            archive.writestr(f"{split}/cat/0.png", image_bytes("PNG"))
    return file.getvalue()


def weights_bytes(name: str) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        state = {key: tensor.contiguous() for key, tensor in NETWORK.state_dict().items()}
        save_file(state, path) if path.suffix == ".safetensors" else torch.save(state, path)
        return path.read_bytes()


NETWORK = build_model("vgg-mini-bn-cifar", (3, 32, 32), 2)
PLAIN = "MNIST/raw/train-images-idx3-ubyte"
KINDS: dict[str, tuple[bytes, Callable[[Path, bytes], object]]] = {
    "idx": (idx(np.zeros((12, 28, 28), np.uint8)), official(PLAIN, read_mnist)),
    "gz": (packed_mnist()["train-images-idx3-ubyte.gz"], official(f"{PLAIN}.gz", read_mnist)),
    "npz": (packed_mnist()["mnist.npz"], official("mnist.npz", read_mnist)),
    "cifar10 for Python": (b"\x80\x02}q\x00.", official("cifar-10-batches-py/data_batch_1", read_cifar10)),
    "cifar10 in its archive": (packed_mnist()["mnist.npz"], official("cifar-10-python.tar.gz", read_cifar10)),
    "cifar10 as binary files": (bytes(3073 * 2), read_binary),
    "zip": (zip_bytes(), read_zip),
    **{
        kind: (image_bytes(kind, mode), read_picture)
        for kind, mode in (("PNG", "RGBA"), ("JPEG", "RGB"), ("BMP", "RGB"), ("GIF", "P"), ("TIFF", "RGB"),
                           ("WEBP", "RGBA"), ("PPM", "RGB"), ("EPS", "RGB"))
    },
    "record": (next(results_folder().rglob("full-seed0.json")).read_bytes(), read_record),
    "safetensors": (weights_bytes("model.safetensors"), read_weights("model.safetensors")),
    "state dict": (weights_bytes("model.pt"), read_weights("model.pt")),
}  # fmt: skip


@some.composite
def damages(draw: some.DrawFn, data: bytes) -> bytes:
    """Flip, overwrite, cut, repeat, nest or replace parts of a file, near its ends more often than inside."""
    for _ in range(draw(some.integers(1, 4))):
        size = len(data)
        near_start, near_end = some.integers(0, min(64, size)), some.integers(max(0, size - 64), size)
        at = draw(near_start | near_end | some.integers(0, size))
        length = draw(some.integers(1, 8) | some.integers(0, max(size, 1)))
        new = draw(some.sampled_from(EXTREMES) | some.binary(max_size=8))
        data = draw(
            some.sampled_from(
                (
                    data[:at] + new + data[at + len(new) :],
                    data[:at] + new + data[at:],
                    data[:at],
                    data[at:],
                    data[:at] + data[at : at + length] * 2 + data[at + length :],
                    data[:at] + data[at + length :],
                    new * 5000,
                )
            )
        )
    return data


def test_a_length_that_a_pickle_states_takes_no_memory(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(b"\x80\x02X\xff\xff\xff\x7f")  # a string of 2 GB
    tracemalloc.start()
    with pytest.raises(UserError, match="cannot be read"):
        load_weights(NETWORK, tmp_path / "model.pt")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < MOST_MEMORY


@pytest.mark.filterwarnings("ignore::deepernets.errors.ImagesChangedWarning")
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_read_or_refused_in_one_sentence(kind: str, tmp_path: Path) -> None:
    sound, read = KINDS[kind]

    @settings(DAMAGING)
    @given(damages(sound))
    def attempt(data: bytes) -> None:
        sentence = None
        tracemalloc.start()
        with TemporaryDirectory() as folder:
            try:
                result = read(Path(folder), data)
            except UserError as error:
                sentence = str(error)
            except BaseException as error:
                (tmp_path / "damaged").write_bytes(data)
                pytest.fail(f"{tmp_path / 'damaged'}, read as {kind}, raised {error!r}", pytrace=False)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < MOST_MEMORY
        if sentence is None:
            assert isinstance(result, Record | torch.nn.Module | tuple)
        else:
            assert sentence.endswith(".")
            assert "\n" not in sentence

    attempt()
