import pytest
from matplotlib.patches import Rectangle

from deepernets.models.registry import build_model
from deepernets.plots import deepening


def boxes(shallow: str, deep: str) -> list[Rectangle]:
    networks = [build_model(name, in_shape=(3, 32, 32), classes=3) for name in (shallow, deep)]
    (ax,) = deepening.containment(networks[0], networks[1], (shallow, deep)).axes
    return [patch for patch in ax.patches if isinstance(patch, Rectangle)]


@pytest.mark.parametrize(
    ("shallow", "deep", "layers"), [("plain-8", "plain-20", (8, 20)), ("plain-20",) * 2 + ((20, 20),)]
)
def test_there_is_a_box_per_layer_and_the_added_ones_are_hatched(
    shallow: str, deep: str, layers: tuple[int, int]
) -> None:
    drawn = boxes(shallow, deep)
    rows = [[box for box in drawn if box.get_y() == row] for row in (1, 0)]
    assert tuple(map(len, rows)) == layers
    assert sum(bool(box.get_hatch()) for box in rows[0]) == 0
    assert sum(bool(box.get_hatch()) for box in rows[1]) == layers[1] - layers[0]


def test_a_copied_layer_stands_above_its_namesake() -> None:
    drawn = boxes("plain-8", "plain-20")
    above = {box.get_x() for box in drawn if box.get_y() == 1}
    assert above == {box.get_x() for box in drawn if box.get_y() == 0 and not box.get_hatch()}


def test_the_picture_names_both_networks() -> None:
    networks = [build_model(name, in_shape=(3, 32, 32), classes=3) for name in ("plain-8", "plain-14")]
    (ax,) = deepening.containment(networks[0], networks[1], ("plain-8", "plain-14")).axes
    written = " ".join(text.get_text() for text in ax.texts)
    assert "plain-8\n8 layers" in written
    assert "plain-14\n14 layers" in written
