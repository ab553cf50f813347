import ast
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.colors import is_color_like

import deepernets
from deepernets import plots
from deepernets.plots import style
from deepernets.training.records import Record


@pytest.fixture(scope="module")
def record() -> Record:
    return deepernets.load_records("report-a/vgg-16/as-reported")[0]


def test_all_texts_of_a_figure_are_measured_on_one_canvas(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A canvas of the figure's size for each class made 22 GB of a confusion matrix of 100 classes."""
    made: list[tuple[float, float]] = []
    initialise = RendererAgg.__init__

    def count(renderer: RendererAgg, width: float, height: float, dpi: float) -> None:
        made.append((width, height))
        initialise(renderer, width, height, dpi)

    monkeypatch.setattr(RendererAgg, "__init__", count)
    classes = [str(number) for number in range(12)]
    wide = replace(
        record,
        data={**record.data, "classes": classes},
        test={**record.test, "confusion": np.eye(12, dtype=int).tolist()},
    )
    figure = plots.confusion(wide)
    assert len(made) <= 1
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == classes


def test_save_writes_a_png(tmp_path: Path) -> None:
    figure, _ = style.single(1, 1)
    path = plots.save(figure, tmp_path / "new" / "empty.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    assert [left.name for left in path.parent.iterdir()] == ["empty.png"]


def test_the_palette_is_seaborns_colour_blind_one() -> None:
    import seaborn

    assert np.allclose(style.PALETTE, seaborn.color_palette("colorblind"), atol=1e-6)


MODULES = {
    path.stem: ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(Path(style.__file__).parent.glob("*.py"))
}


def test_no_module_but_style_names_a_colour() -> None:
    named = [
        f"{module}, line {node.lineno}: {node.value}"
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value != "none"
        if len(node.value) > 1 and (is_color_like(node.value) or node.value in colormaps)
    ]
    assert [name for name in named if not name.startswith("style,")] == []
    assert any("#0173b2" in name for name in named)


def test_no_two_figures_have_the_same_name() -> None:
    names = [
        node.name
        for tree in MODULES.values()
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    ]
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_a_legend_has_each_label_once() -> None:
    figure, axes = style.subplots(1, 2, 4, 2)
    for ax in axes[0]:
        ax.plot([0, 1], label="one")
    style.legend_outside(figure)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["one"]
