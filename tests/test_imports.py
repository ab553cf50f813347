"""Packages import downwards only, modules of a package not in cycles, and only `plots` draws."""

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "deepernets"
TOP = ("errors", "files", "progress")  # modules that every package may import
# Each imports only itself and those before it.
PACKAGES = (
    *("papers", "data", "models", "recipes", "training", "benchmark"),
    *("analysis", "results", "plots", "book", "course", "cli"),
)
DRAWING = {"matplotlib", "seaborn"}


def name_of(path: Path) -> str:
    """Return a module's name inside the package.

    >>> name_of(PACKAGE / "models" / "vgg.py"), name_of(PACKAGE / "plots" / "__init__.py")
    ('models.vgg', 'plots')
    """
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# The package itself offers names of all packages, and `python -m deepernets` is the command line.
MODULES = {
    name_of(path): ast.parse(path.read_text(encoding="utf-8"), str(path))
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.parent != PACKAGE or path.stem in TOP
}


def imports(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the full name of everything that is imported in some of the nodes of a module.

    >>> list(imports(ast.parse("import numpy as np; from deepernets import plots").body))
    ['numpy', 'deepernets.plots']
    """
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_modules(names: Iterable[str]) -> set[str]:
    """Return the modules of the package among imported names, or those that the names are imported from."""
    inside = [name.removeprefix("deepernets.") for name in names if name.startswith("deepernets.")]
    return {name if name in MODULES else name.rpartition(".")[0] for name in inside}


def rank(module: str) -> int:
    """Return the place of a module's package; 0 for the modules at the top.

    >>> rank("errors"), rank("papers.vgg"), rank("data.batches")
    (0, 1, 2)
    """
    return 0 if module in TOP else 1 + PACKAGES.index(module.split(".")[0])


@pytest.mark.parametrize("package", [*TOP, *PACKAGES])
def test_imports_point_to_the_same_package_or_one_before_it(package: str) -> None:
    upwards = {
        f"{module} imports {imported}"
        for module, tree in MODULES.items()
        if module.split(".")[0] == package
        for imported in imported_modules(imports(ast.walk(tree)))
        if rank(imported) > rank(module)
    }
    assert not upwards


def test_every_package_has_a_place() -> None:
    assert {module.split(".")[0] for module in MODULES} == {*TOP, *PACKAGES}


def test_no_modules_import_each_other_in_a_circle() -> None:
    """At their top level; an import inside a function, or for type checkers alone, may close a circle."""
    graph = {module: imported_modules(imports(tree.body)) for module, tree in MODULES.items()}
    order = list(TopologicalSorter(graph).static_order())
    assert set(order) == set(MODULES)


def test_an_import_inside_a_function_is_seen() -> None:
    tree = ast.parse(
        "def hidden():\n    from deepernets.models.registry import build_model\n    from deepernets import plots"
    )
    assert imported_modules(imports(ast.walk(tree))) == {"models.registry", "plots"}


def test_only_plots_draws() -> None:
    drawing = {
        module
        for module, tree in MODULES.items()
        if DRAWING & {name.split(".")[0] for name in imports(ast.walk(tree))}
    }
    assert {module.split(".")[0] for module in drawing} == {"plots"}


# The last two come with PyTorch's compiler, which each page, lab and command would pay for, a second of it.
HEAVY = {
    *("torch", "numpy", "accelerate", "torchvision", "pandas", "scipy", "sklearn", "matplotlib", "IPython"),
    *("torch._dynamo", "sympy"),
}
# Each does a little more than the one before it, in one process: importing PyTorch takes seconds.
STEPS: list[tuple[str, set[str]]] = [
    ("from deepernets.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass", set()),
    ("try: main(['train', '--help'])\nexcept SystemExit: pass", set()),
    ("import deepernets; deepernets.load_records()", set()),
    ("deepernets.build_model('resnet-8')", {"torch", "numpy"}),
    (
        "import torch\nfor name in ('resnet-50', 'vgg-d'):\n    with torch.device('meta'):\n"
        "        deepernets.count_multiply_adds(deepernets.build_model(name), (3, 224, 224))",
        {"torch", "numpy"},
    ),
    ("deepernets.train", {"torch", "numpy", "accelerate"}),
]


def test_import_stays_light() -> None:
    """A command or a function loads only the libraries that it needs; the help, and the package, none of these."""
    state = f"\nprint('loaded', *{HEAVY} & set(sys.modules))\n"
    code = "import sys\n" + "".join(step + state for step, _ in STEPS)
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    states = [set(line.split()[1:]) for line in result.stdout.splitlines() if line.startswith("loaded")]
    for (step, needed), loaded in zip(STEPS, states, strict=True):
        assert loaded <= needed, step
