"""Commands about trained networks: evaluate, show and compare them, classify images, export."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from deepernets.cli.terminal import align, terminal_width, wrap
from deepernets.errors import UserError
from deepernets.files import require_writable
from deepernets.progress import format_duration
from deepernets.training.records import RECORD, Record, load_record

if TYPE_CHECKING:
    from torch import Tensor

    from deepernets.training.run import Run

PRETRAINED = "report-b/resnet-20-cifar10/ours"

app = App()


@app.command
def evaluate(run: Path, /, *, data_root: Path | None = None, device: str = "auto") -> None:
    """Measure a run's weights on its test images again, and compare with its record.

    Args:
        run: Folder of a finished run, or the name of a recipe whose trained weights ship with the course.
        data_root: Folder that holds the data.
        device: What to evaluate on, such as cpu, cuda, cuda:1 or mps; auto takes a GPU if there is one.
    """
    from deepernets.training import distributed

    distributed.use_device(device)
    finished = _open(run, data_root)
    measured = finished.evaluate().accuracy
    print(wrap(finished.record.label))
    print(f"recorded  {finished.record.test['accuracy']:.2%}\nmeasured  {measured:.2%}")


def _open(run: Path, data_root: Path | None = None) -> "Run":
    """Return the run in a folder, or the pretrained one of this name."""
    from deepernets.training.pretrained import list_pretrained, load_pretrained
    from deepernets.training.run import load_run

    if run.exists():
        return load_run(run, data_root)
    if (name := run.as_posix()) in (shipped := list_pretrained()):
        return load_pretrained(name, data_root)
    raise UserError(
        f"There is no run {name}; give the folder of a finished run, or one of the networks that ship with the "
        f"course: {', '.join(shipped)}."
    )


@app.command
def predict(
    *images: Path,
    run: Path = Path(PRETRAINED),
    top: int = 3,
    grad_cam: Annotated[Path | None, Parameter(name="--grad-cam")] = None,
) -> None:
    """Classify images with a trained network: the most probable classes, with their probabilities.

    The central square of each image is resized to the size on which the network was trained. MNIST's digits are
    white on black.

    Args:
        images: Image files.
        run: Folder of a finished run, or the name of a recipe whose trained weights ship with the course.
        top: Number of classes to print for each image.
        grad_cam: File for a picture, as PNG: each image with its Grad-CAM heat map, of the most probable class.
    """
    if not images:
        raise UserError("There is nothing to classify; give one or more image files.")
    if top < 1:
        raise UserError(f"--top is {top}; expected at least 1.")
    if grad_cam:
        require_writable(grad_cam, "--grad-cam")
    from deepernets.training.prediction import predict as probabilities_of
    from deepernets.training.prediction import read_images

    trained = _open(run)
    pixels = read_images(images, trained.record)
    probabilities = probabilities_of(trained, pixels)
    classes = trained.record.data["classes"]
    rows = []
    for image, row in zip(images, probabilities, strict=True):
        best = row.topk(min(top, len(classes)))
        named = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        rows.append([str(image), *chain.from_iterable((classes[k], f"{share:.1%}") for k, share in named)])
    print(wrap(align(rows, left=2, width=terminal_width()), indent="  "))
    if grad_cam:
        print(_draw_heat(trained, pixels, probabilities, grad_cam))


def _draw_heat(trained: "Run", pixels: "Tensor", probabilities: "Tensor", file: Path) -> Path:
    """Draw the images with their heat maps into a file."""
    from deepernets import plots
    from deepernets.analysis.interpretability import grad_cam, last_map_layer
    from deepernets.plots.interpretability import heat_maps
    from deepernets.training.prediction import normalised, without_wrapper

    images, model = normalised(pixels, trained.record), without_wrapper(trained.model)
    best = probabilities.max(dim=1)
    _, channels, height, width = images.shape
    layer = last_map_layer(model, (channels, height, width))
    heat = grad_cam(model, images, layer, best.indices)
    classes = trained.record.data["classes"]
    titles = [
        f"{classes[label]}, {share:.0%}"
        for label, share in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]
    return plots.save(heat_maps(pixels, {"Grad-CAM": list(heat)}, titles), file)


@app.command
def export(run: Path, file: Path, /) -> None:
    """Write a trained network to a file that other programs read: its graph as ONNX, or its weights alone.

    The graph maps pixels from 0 to 1, (N, C, H, W), to logits; the normalisation is part of it.

    Args:
        run: Folder of a finished run, or the name of a recipe whose trained weights ship with the course.
        file: The file to write, which ends in .onnx or .safetensors.
    """
    from deepernets.training.prediction import export as write

    require_writable(file, "file")
    write(_open(run), file)
    print(file)


@app.command
def show(*runs: Path, data_root: Path | None = None, out: Path | None = None) -> None:
    """Draw a run as PNG: curves, confusion matrix, most confident mistakes. Of several, compare curves and recipes.

    Args:
        runs: Folders of finished runs, or records.
        data_root: Folder that holds the data; the mistakes are drawn from it.
        out: Folder for the figures; without it the run's own, and for several runs/compared.
    """
    if not runs:
        raise UserError("There is nothing to show; give the folder of a run, or several.")
    paths = [run / RECORD if run.is_dir() else run for run in runs]
    records = [load_record(path) for path in paths]
    folder = out or (Path("runs/compared") if len(runs) > 1 else paths[0].parent)
    require_writable(folder / "curves.png")
    if len(runs) > 1:
        _compare(records, folder)
        return
    report(records[0])
    for figure in draw(records[0], folder, data_root):
        print(figure)


def _compare(records: Sequence[Record], folder: Path) -> None:
    """Print where several runs differ, and draw their curves together."""
    from deepernets import plots

    names = [f"run {number}" for number in range(1, len(records) + 1)]
    figure = plots.curves(records, names)
    for name, record in zip(names, records, strict=True):
        print(wrap(f"{name}: {record.label}", indent="  "))
    rows = [["", *names]]
    for field, values in _fields(records).items():
        if len(set(values)) > 1:
            rows.append([field, *values])
    print(f"\n{_table(rows)}\n" if len(rows) > 1 else "\nThe runs have the same recipe and result.\n")
    print(plots.save(figure, folder / "curves.png"))


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a table, or, where the terminal is too narrow for it, as a list."""
    table = align(rows)
    if _fits(table):
        return table
    (_, *names), *fields = rows
    return "\n".join(
        wrap("\n".join([field, *(f"  {name}: {value}" for name, value in zip(names, values, strict=True))]))
        for field, *values in fields
    )


def _fits(table: str) -> bool:
    """Return whether no line of a table is longer than the terminal is wide."""
    width = terminal_width()
    return width is None or max(map(len, table.splitlines())) <= width


def _fields(records: Sequence[Record]) -> dict[str, list[str]]:
    """Return the fields of the recipes, and those of the runs and their results, each as text for every run."""
    recipes = [asdict(record.recipe) for record in records]
    fields = {field: [str(recipe[field]) for recipe in recipes] for field in recipes[0] if field != "name"}
    return fields | {
        "recipe": [record.recipe.name for record in records],
        "profile": [record.profile for record in records],
        "seed": [str(record.seed) for record in records],
        "precision": [record.precision for record in records],
        "images": [record.data["variant"] for record in records],
        "parameters": [f"{record.model['parameters']:,}" for record in records],
        "training loss": [f"{record.epochs[-1]['train_loss']:.4f}" for record in records],
        "test loss": [f"{record.test['loss']:.4f}" for record in records],
        "test accuracy": [f"{record.test['accuracy']:.2%}" for record in records],
        "training time": [format_duration(record.seconds["training"]) for record in records],
        "device": [record.device for record in records],
    }


def report(record: Record) -> None:
    """Print a record's label, its accuracy and its confusion matrix."""
    print(wrap(record.label))
    print(
        f"test accuracy {record.test['accuracy']:.2%}, loss {record.test['loss']:.4f}; "
        "rows: true, columns: predicted"
    )
    print(_confusion_table(record.data["classes"], record.test["confusion"]))


def _confusion_table(classes: Sequence[str], confusion: Sequence[Sequence[int]]) -> str:
    """Return a confusion matrix as a table whose columns have numbers where the names are too wide."""
    numbers = [str(number) for number in range(len(classes))]
    numbered = [f"{number} {name}" for number, name in zip(numbers, classes, strict=True)]
    for heads, names in ((classes, classes), (numbers, numbered)):
        rows = [[name, *map(str, counts)] for name, counts in zip(names, confusion, strict=True)]
        table = align([["", *heads], *rows])
        if _fits(table):
            return table
    return wrap(
        f"The confusion matrix of {len(classes)} classes is too wide for this terminal; see its figure."
    )


def draw(record: Record, folder: Path, data_root: Path | None) -> list[Path]:
    """Draw a record's figures into `folder`; the mistakes only if the test images are available."""
    from deepernets import plots
    from deepernets.data.datasets import load_dataset

    paths = [
        plots.save(plots.curves(record), folder / "curves.png"),
        plots.save(plots.confusion(record), folder / "confusion.png"),
    ]
    try:
        recipe = record.recipe
        test = load_dataset(recipe.data, data_root, record.profile, recipe.image_size).test
        paths.append(plots.save(plots.mistakes(record, test), folder / "mistakes.png"))
    except UserError as error:
        print(f"The mistakes are not drawn: {error}", file=sys.stderr)
    return paths
