from deepernets.plots.ablation import worths
from deepernets.results.ablation import PartEffect


def test_each_part_with_runs_has_a_row_of_dots_and_its_mean() -> None:
    figure = worths(
        [
            PartEffect("whitening", None, (1.0, 3.0)),
            PartEffect("both-ways", None, (0.5,)),
            PartEffect("crops", None, ()),
        ]
    )
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["whitening", "both ways"]
    dots = [line.get_xdata().tolist() for line in ax.lines if line.get_marker() == "o"]  # type: ignore[union-attr]
    assert dots == [[1.0, 3.0], [0.5]]
    bars = [container.lines[0].get_xdata().tolist() for container in ax.containers]  # type: ignore[attr-defined]
    assert bars == [[2.0], [0.5]]


def test_small_gains_can_be_told_apart_beside_a_large_one() -> None:
    (ax,) = worths([PartEffect("one-cycle", None, (13.0, 14.0)), PartEffect("crops", None, (-0.5, 0.5))]).axes
    low, high = ax.get_xlim()
    assert low < -0.5
    assert high > 14.0
    left, right = (ax.transData.transform((gain, 0))[0] for gain in (-0.5, 0.5))
    assert (right - left) / ax.bbox.width > 0.15


def test_a_picture_of_nothing_says_so() -> None:
    (ax,) = worths([]).axes
    assert "Nothing has been recorded" in ax.texts[0].get_text()
