from typing import Any

import numpy as np
import pytest
import torch

from deepernets.analysis.interpretability import calibration
from deepernets.plots import reading


def test_batches_are_drawn_with_the_mean_of_their_epoch() -> None:
    ax = reading.batch_losses([2.0, 0.0, 3.0, 1.0], [2.0, 1.0, 2.0, 1.5], per_epoch=2).axes[0]
    assert np.asarray(ax.lines[0].get_ydata()).tolist() == [2, 0, 3, 1]
    steps: Any = next(patch for patch in ax.patches if patch.get_label() == "mean of the epoch")
    assert steps.get_data().values.tolist() == [1, 2]


def test_the_gap_tells_training_from_validation_by_dash() -> None:
    epoch = {"train_loss": 0.5, "train_accuracy": 0.8, "validation_loss": 0.7, "validation_accuracy": 0.7}
    loss, accuracy = reading.gap([epoch, epoch]).axes
    assert [str(line.get_label()) for line in loss.lines] == ["training", "validation"]
    assert len({line.get_linestyle() for line in accuracy.lines}) == 2


def test_reliability_leaves_empty_bins_out() -> None:
    found = calibration(torch.tensor([0.95, 0.91, 0.42]), torch.tensor([True, False, True]), bins=10)
    ax = reading.reliability({"one": found, "other": found}).axes[0]
    assert np.asarray(ax.collections[1].get_offsets()).shape == (2, 2)
    assert "one" in ax.get_title()


def test_seeds_are_joined_and_have_their_mean() -> None:
    ax = reading.seeds({"small": [80.0, 82.0], "large": [84.0, 83.0]}).axes[0]
    assert [np.asarray(line.get_xdata()).tolist() for line in ax.lines[:2]] == [[80, 84], [82, 83]]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["small", "large"]


@pytest.mark.parametrize("draw", [reading.luck, lambda lines: reading.images_wanted(lines, {"set": 300})])
def test_lines_differ_by_more_than_colour(draw) -> None:  # type: ignore[no-untyped-def]
    ax = draw({"one": {1: 3, 2: 4}, "other": {1: 5, 2: 6}}).axes[0]
    one, other = ax.lines[:2]
    assert (one.get_linestyle(), one.get_marker()) != (other.get_linestyle(), other.get_marker())
