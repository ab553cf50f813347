"""Classify images outside the data set with a trained network, and write the network for other programs."""

import json
import re
import warnings
from collections import Counter, OrderedDict
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import torch
from safetensors.torch import save_model
from torch import Tensor, nn
from torchvision.transforms.functional import center_crop, rgb_to_grayscale

from deepernets.data.batches import Transform
from deepernets.data.file_tree import LARGEST_FILE
from deepernets.data.image_files import decode
from deepernets.data.images import resize_pixels
from deepernets.errors import ImagesChangedWarning, UserError
from deepernets.files import read_file, write_atomically
from deepernets.models.speedrun import FlipAveraged
from deepernets.training.records import Record
from deepernets.training.run import Run

BATCH = 100  # images


def read_images(files: Sequence[Path], record: Record) -> Tensor:
    """Return image files as a run's network takes them: the central square, resized, in its number of channels.

    Returns:
        (N, C, H, W), uint8.

    Raises:
        UserError: a file is no image, or cannot be read.

    Warns:
        ImagesChangedWarning: an image was turned, laid on white, or converted from other colours.
    """
    channels, size = len(record.data["mean"]), record.recipe.image_size
    images = []
    for file in files:
        if re.match(r"\w{2,}:/", file.as_posix()):  # a path has one slash where an address has two
            raise UserError(f"{file} is an address; download the image, and give its file.")
        changes: Counter[str] = Counter()
        pixels, _ = decode(read_file(file, LARGEST_FILE), file, changes, "give another file")
        if changes:
            warnings.warn(
                f"{file} was changed on reading: {', '.join(changes)}.", ImagesChangedWarning, stacklevel=2
            )
        image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None]  # (1, C, H, W)
        image = center_crop(image, [min(image.shape[2:])] * 2)
        if channels == 1 and image.shape[1] == 3:
            image = rgb_to_grayscale(image)
        images.append(resize_pixels(image.expand(-1, channels, -1, -1), size))
    return torch.cat(images)


def normalised(pixels: Tensor, record: Record) -> Tensor:
    """Return pixels (N, C, H, W), uint8, normalised with the statistics of a run's training images."""
    return _transform(record).normalise(pixels)


def _transform(record: Record) -> Transform:
    mean, std = (torch.tensor(record.data[name]) for name in ("mean", "std"))
    return Transform(mean, std)


def without_wrapper(model: nn.Module) -> nn.Module:
    """Return the network itself where its logits are averaged over an image and its mirror image."""
    return nn.Sequential(OrderedDict(model.named_children())) if isinstance(model, FlipAveraged) else model


@torch.no_grad()
def predict(run: Run, pixels: Tensor) -> Tensor:
    """Return the probability of each class, (N, classes), for images as `read_images` returns them."""
    logits = [run.model(batch) for batch in normalised(pixels, run.record).split(BATCH)]
    return torch.cat(logits).softmax(dim=1)


def export(run: Run, file: Path) -> None:
    """Write a trained network to ``.onnx``, its graph, or to ``.safetensors``, its weights with their names.

    The graph maps pixels from 0 to 1, (N, C, H, W), to logits. Both files state recipe, classes, image size, and
    mean and standard deviation of the training images.

    Raises:
        UserError: the file ends in something else or cannot be written, or a package that writes ONNX is missing.
    """
    kind = file.suffix.lower()
    if kind not in (".onnx", ".safetensors"):
        raise UserError(f"{file} ends in {kind or 'nothing'}; expected .onnx or .safetensors.")
    if kind == ".onnx" and (missing := [name for name in ("onnx", "onnxscript") if find_spec(name) is None]):
        raise UserError(
            f"Writing ONNX needs a package that is not installed; run pip install {' '.join(missing)}."
        )
    record = run.record
    stated = {
        "recipe": record.recipe.name,
        "classes": json.dumps(record.data["classes"]),
        "image_size": str(record.recipe.image_size),
        "mean": json.dumps(record.data["mean"]),
        "std": json.dumps(record.data["std"]),
    }
    if kind == ".onnx":
        write_atomically(file, lambda part: _write_onnx(run, stated, part))
    else:
        write_atomically(file, lambda part: save_model(run.model, str(part), metadata=stated))


class _FromPixels(nn.Module):
    """A network that normalises its input itself."""

    def __init__(self, record: Record, model: nn.Module) -> None:
        super().__init__()
        self.model, self.transform = model, _transform(record)

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.model(self.transform.normalise(255 * pixels))
        return logits


def _write_onnx(run: Run, stated: dict[str, str], file: Path) -> None:
    """Write the graph for any number of images."""
    network = _FromPixels(run.record, run.model).eval()
    size = run.record.recipe.image_size
    images = torch.zeros(2, len(run.record.data["mean"]), size, size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, of its own parts that will change
        program = torch.onnx.export(
            network, (images,), input_names=["pixels"], output_names=["logits"], dynamo=True, verbose=False,
            dynamic_shapes=({0: torch.export.Dim("images")},),
        )  # fmt: skip
    assert program is not None
    program.model.metadata_props.update(stated)
    program.save(str(file))
