"""Baselines, and results close to 100 %."""

import numpy as np
import pytest
import torch
from torch import nn

import deepernets
from deepernets.analysis import baselines
from deepernets.training.loop import evaluate
from deepernets.training.metrics import confusion_matrix


def test_the_frame_is_as_black_as_the_image() -> None:
    pixels = torch.randint(256, (3, 1, 28, 28), dtype=torch.uint8)
    pixels[:, :, 0, 0] = 0
    padded = baselines.pad_and_normalise(pixels, mean=0.1307, std=0.3081)
    assert padded.shape == (3, 1, 32, 32)
    frame = torch.ones(32, 32, dtype=torch.bool)
    frame[2:30, 2:30] = False
    assert torch.equal(padded[:, :, frame].unique(), padded[0, 0, 2, 2][None])
    torch.testing.assert_close(padded[:, :, 2:30, 2:30], (pixels / 255 - 0.1307) / 0.3081)


def test_a_linear_baseline_learns_digits_the_same_way_every_time() -> None:
    dataset = deepernets.load_dataset("digits")
    train, test = baselines.standardise(
        dataset.train.pixels.flatten(1) / 255, dataset.test.pixels.flatten(1) / 255
    )
    results = []
    for _ in range(2):
        torch.manual_seed(0)
        model = nn.Linear(784, 10)
        baselines.train_baseline(model, train, dataset.train.labels, epochs=5)
        results.append(evaluate(model, [(test, dataset.test.labels)]))
    assert results[0].accuracy > 0.9
    assert torch.equal(results[0].logits, results[1].logits)


def test_pairs_count_both_directions_and_never_the_diagonal() -> None:
    counts = np.random.default_rng(0).integers(0, 50, size=(10, 10)) + 1000 * np.eye(10, dtype=int)
    listed = baselines.confused_pairs(counts, most=45)
    assert len({(a, b) for a, b, *_ in listed}) == 45
    assert all(a < b and (forth, back) == (counts[a, b], counts[b, a]) for a, b, forth, back in listed)
    sums = [forth + back for *_, forth, back in listed]
    assert sums == sorted(sums, reverse=True)
    assert sum(sums) == counts.sum() - counts.trace()
    assert baselines.confused_pairs(counts, most=3) == listed[:3]


def test_pairs_keep_the_row_for_the_true_class() -> None:
    labels, predicted = torch.tensor([4, 9, 9, 9, 4]), torch.tensor([9, 4, 4, 9, 4])
    assert baselines.confused_pairs(confusion_matrix(predicted, labels, 10), most=1) == [(4, 9, 1, 2)]


@pytest.mark.parametrize(
    ("before", "after", "share"), [(0.9937, 0.9965, 28 / 63), (0.9, 0.9, 0), (0.99, 0.98, -1), (0.5, 1, 1)]
)
def test_the_share_of_mistakes_that_is_gone(before: float, after: float, share: float) -> None:
    """The first pair is report B's best of ResNet-20 and VGG-13."""
    assert baselines.relative_error_reduction(before, after) == pytest.approx(share)
