from math import sqrt

import pytest
import torch

from deepernets.analysis.simulation import (
    accuracy_with_wrong_labels,
    better_wins,
    correct_counts,
    replace_labels,
)
from deepernets.analysis.statistics import expected_best
from deepernets.errors import UserError


def test_counts_have_the_mean_and_spread_of_independent_answers() -> None:
    counts = correct_counts(torch.full((1000,), 0.9), networks=2000).double()
    assert counts.mean().item() == pytest.approx(900, abs=1)
    assert counts.std().item() == pytest.approx(sqrt(90), rel=0.1)


def test_counts_are_the_same_for_a_seed_and_differ_between_seeds() -> None:
    chances = torch.full((100,), 0.5)
    assert torch.equal(correct_counts(chances, 5, seed=1), correct_counts(chances, 5, seed=1))
    assert not torch.equal(correct_counts(chances, 5, seed=1), correct_counts(chances, 5, seed=2))


def test_the_best_of_several_equal_networks_is_as_good_as_the_formula_says() -> None:
    counts = correct_counts(torch.full((1000,), 0.9), networks=4000).view(400, 10)
    best = counts.amax(dim=1).double().mean().item() / 1000
    assert best == pytest.approx(expected_best(0.9, 1000, 10), abs=0.0015)


@pytest.mark.parametrize("accuracy", [0.5, 0.9, 1.0])
def test_the_formula_for_wrong_labels_is_what_is_counted(accuracy: float) -> None:
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(0, 3, (200_000,), generator=generator)
    labels = replace_labels(truth, 0.1, 3, generator)
    answers = replace_labels(truth, 1 - accuracy, 3, generator)
    assert (labels != truth).double().mean().item() == pytest.approx(0.1, abs=0.005)
    counted = (answers == labels).double().mean().item()
    assert counted == pytest.approx(accuracy_with_wrong_labels(accuracy, 0.1, 3), abs=0.005)


def test_a_replaced_label_is_never_the_old_one() -> None:
    labels = torch.arange(10)
    assert (replace_labels(labels, 1.0, 10, torch.Generator().manual_seed(0)) != labels).all()


@pytest.mark.parametrize(("accuracy", "wrong", "classes"), [(1.1, 0, 3), (0.5, -0.1, 3), (0.5, 0.1, 1)])
def test_shares_that_cannot_be_are_refused(accuracy: float, wrong: float, classes: int) -> None:
    with pytest.raises(UserError, match="expected"):
        accuracy_with_wrong_labels(accuracy, wrong, classes)


def test_wrong_labels_make_the_better_network_come_out_ahead_less_often() -> None:
    clean, noisy = (better_wins(0.92, 0.90, 1000, wrong, 3) for wrong in (0.0, 0.3))
    assert 0.9 < clean < 1
    assert 0.5 < noisy < clean - 0.1
    assert better_wins(0.9, 0.9, 1000, 0.0, 3) == pytest.approx(0.5, abs=0.05)
