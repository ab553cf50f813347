from deepernets.analysis.ablation import Worth
from deepernets.plots.ablation import worths


def test_each_part_with_runs_has_a_row_of_dots_and_its_mean() -> None:
    figure = worths(
        [Worth("whitening", None, (1.0, 3.0)), Worth("both-ways", None, (0.5,)), Worth("crops", None, ())]
    )
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["whitening", "both ways"]
    dots = [line.get_xdata().tolist() for line in ax.lines if line.get_marker() == "o"]  # type: ignore[union-attr]
    assert dots == [[1.0, 3.0], [0.5]]
    bars = [container.lines[0].get_xdata().tolist() for container in ax.containers]  # type: ignore[attr-defined]
    assert bars == [[2.0], [0.5]]


def test_a_picture_of_nothing_says_so() -> None:
    (ax,) = worths([]).axes
    assert "Nothing has been recorded" in ax.texts[0].get_text()
