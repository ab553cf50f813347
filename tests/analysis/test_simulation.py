import pytest
import torch

from deepernets.analysis.simulation import accuracy_with_wrong_labels, better_wins, replace_labels
from deepernets.errors import UserError


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
