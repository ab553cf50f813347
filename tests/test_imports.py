"""The package's floors: a module imports from its own floor and from those below, never from above."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "deepernets"

# A module stands on the floor of its longest prefix here; one without a floor fails.
FLOORS = {
    "errors": 0,
    "analysis.depth": 0,
    "analysis.gradient_noise": 0,
    "analysis.performance": 0,
    "analysis.simulation": 0,
    "analysis.statistics": 0,
    "data": 0,
    "models.layers": 0,
    "models.tracing": 0,
    "models.counting": 0,
    "models.receptive_field": 0,
    "progress": 0,
    "papers": 0,
    "training.hardware": 0,
    "training.distributed": 0,
    "recipes": 0,
    "training.records": 0,
    "training.schedules": 0,
    "results.ablation": 2,
    "results.comparison": 1,
    "results.tables": 1,
    "models.speedrun": 1,
    "models.vgg": 1,
    "models.resnet": 1,
    "models.report_c": 1,
    "models.pretrained": 1,
    "training.checkpoints": 1,
    "training.cuda_graphs": 1,
    "training.lookahead": 0,
    "training.loop": 1,
    "training.lr_finder": 1,
    "training.timing": 1,
    "analysis.baselines": 2,
    "analysis.errors": 2,
    "analysis.interpretability": 2,
    "models.fully_convolutional": 2,
    "models.modern_blocks": 2,
    "models.registry": 2,
    "training.preflight": 3,
    "training.pretrained": 3,
    "training.preparation": 3,
    "benchmark.run": 3,
    "training.pace": 3,
    "benchmark.distributed": 3,
    "benchmark.variants": 3,
    "training.runs": 3,
    "training.watching": 2,
    "training.queue": 4,
    "training.verification": 4,
    "results.costs": 2,
    "plots": 4,
    "course": 4,
    "": 5,  # the package itself, which offers the names of all floors
    "cli": 5,
    "__main__": 5,
}
DRAWING = {"matplotlib", "seaborn"}


def name_of(path: Path) -> str:
    """Return a module's name inside the package; the package itself is ``""``.

    >>> name_of(PACKAGE / "models" / "vgg.py")
    'models.vgg'
    """
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def floor_of(module: str) -> int | None:
    """Return the floor of a module, or of the package it lies in."""
    parts = module.split(".") if module else []
    prefixes = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return FLOORS[""] if not module else next((FLOORS[name] for name in prefixes if name in FLOORS), None)


MODULES = {
    name_of(path): ast.parse(path.read_text(encoding="utf-8"), str(path))
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.name != "__init__.py" or path.parent in (PACKAGE, PACKAGE / "plots")
}


def imports(tree: ast.Module) -> Iterator[str]:
    """Yield the full name of everything a module imports, at its head or inside a function.

    >>> list(imports(ast.parse("import numpy as np; from deepernets import plots")))
    ['numpy', 'deepernets.plots']
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute here"
            for alias in node.names:
                yield f"{node.module}.{alias.name}" if node.module else alias.name


def imported_modules(tree: ast.Module) -> set[str]:
    """Return the modules of the package that a module imports, or imports something from."""
    inside = [
        name.removeprefix("deepernets").lstrip(".")
        for name in imports(tree)
        if name.split(".")[0] == "deepernets"
    ]
    return {name if name in MODULES else name.rpartition(".")[0] for name in inside}


@pytest.mark.parametrize("package", sorted({name.split(".")[0] for name in MODULES}))
def test_every_module_has_a_floor_and_imports_point_down(package: str) -> None:
    for module in (name for name in MODULES if name.split(".")[0] == package):
        floor = floor_of(module)
        assert floor is not None, f"give {module} a floor in this test"
        reached = {name: floor_of(name) or 0 for name in imported_modules(MODULES[module])}
        above = {name: its_floor for name, its_floor in reached.items() if its_floor > floor}
        assert not above, f"{module} (floor {floor}) imports from above: {above}"


def test_an_import_that_points_up_is_seen() -> None:
    tree = ast.parse(
        "def hidden():\n    from deepernets.models.registry import build\n    from deepernets import plots"
    )
    assert imported_modules(tree) == {"models.registry", "plots"}
    assert {floor_of(name) for name in imported_modules(tree)} == {2, 4}


def test_only_plots_draws() -> None:
    drawing = {
        module for module, tree in MODULES.items() if DRAWING & {name.split(".")[0] for name in imports(tree)}
    }
    assert {module.split(".")[0] for module in drawing} == {"plots"}


HEAVY = {"torch", "numpy", "accelerate", "torchvision", "pandas", "scipy", "sklearn", "matplotlib", "IPython"}
HELP = "from deepernets.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass"


@pytest.mark.parametrize(
    ("code", "needed"),
    [
        ("import deepernets", set()),
        ("import deepernets.cli", set()),
        (HELP, set()),
        (HELP.replace("--help", "train', '--help"), set()),
        ("import deepernets; deepernets.load_records()", set()),
        ("import deepernets; deepernets.build_model", {"torch", "numpy"}),
        ("import deepernets; deepernets.train", {"torch", "numpy", "accelerate"}),
    ],
    ids=["package", "cli", "help", "help of train", "records", "build", "train"],
)
def test_import_stays_light(code: str, needed: set[str]) -> None:
    """What is imported makes what it costs: help answers before PyTorch could be loaded, and pictures come last."""
    code = f"import sys\n{code}\nprint(*sorted({HEAVY} & set(sys.modules)), sep=',')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(result.stdout.splitlines()[-1].split(",")) - {""} <= needed
