import copy
from itertools import repeat
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deepernets.data.batches import Batches, Transform
from deepernets.data.images import Images
from deepernets.errors import UserError
from deepernets.training import loop
from deepernets.training.loop import Evaluation, Training, evaluate, fit, train_epoch
from deepernets.training.metrics import Meter
from deepernets.training.schedules import cosine, one_cycle


def _batches(sizes: tuple[int, ...] = (8, 8, 3)) -> list[tuple[Tensor, Tensor]]:
    return [(torch.randn(size, 3, 4, 4), torch.randint(3, (size,))) for size in sizes]


def _model() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))


def test_an_epoch_is_the_loop_on_the_blackboard() -> None:
    batches, ours = _batches(), _model()
    theirs = copy.deepcopy(ours)
    optimizer = torch.optim.SGD(ours.parameters(), lr=0.1, momentum=0.9)
    met = train_epoch(ours, batches, nn.CrossEntropyLoss(), optimizer, repeat(0.1))

    velocity = [torch.zeros_like(p) for p in theirs.parameters()]
    total = 0.0
    for images, labels in batches:
        loss = F.cross_entropy(theirs(images), labels)
        gradients = torch.autograd.grad(loss, list(theirs.parameters()))
        with torch.no_grad():
            for p, v, g in zip(theirs.parameters(), velocity, gradients, strict=True):
                v.mul_(0.9).add_(g)
                p.sub_(0.1 * v)
        total += loss.item() * len(labels)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p, q)
    assert met.images == 19
    assert met.loss == pytest.approx(total / 19)


class _Noting(torch.optim.SGD):
    """SGD that notes the learning rate of each of its steps."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, lr=1.0)
        self.rates: list[float] = []

    def step(self, closure: Any = None) -> Any:
        self.rates.append(self.param_groups[0]["lr"])
        return super().step(closure)


def test_each_step_is_taken_at_its_own_learning_rate_and_the_callback_sees_each() -> None:
    model = _model()
    optimizer = _Noting(model.parameters())
    rates, seen = [0.3, 0.2, 0.1], list[int]()
    train_epoch(
        model, _batches(), nn.CrossEntropyLoss(), optimizer, rates, lambda meter: seen.append(meter.images)
    )
    assert optimizer.rates == rates
    assert seen == [8, 16, 19]


def test_evaluation_changes_nothing_and_weighs_images_alike() -> None:
    model, batches = _model(), _batches()
    before = copy.deepcopy(model.state_dict())
    result = evaluate(model, batches)
    assert model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    images, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    with torch.no_grad():
        logits = model.eval()(images)
    torch.testing.assert_close(result.logits, logits)
    assert result.loss == pytest.approx(F.cross_entropy(logits, labels).item())
    assert result.accuracy == pytest.approx((logits.argmax(1) == labels).double().mean().item())
    assert not evaluate(model, batches).logits.requires_grad
    assert not model.training


def test_the_meter_weighs_batches_by_their_size() -> None:
    meter = Meter()
    meter.add(torch.tensor(1.0), torch.eye(3), torch.tensor([0, 1, 0]))
    meter.add(torch.tensor(5.0), torch.eye(3)[:1], torch.tensor([0]))
    assert (meter.images, meter.loss, meter.accuracy) == (4, 2.0, 0.75)


def _training(rate: float, **options: Any) -> Training:
    model = _model()
    return Training(model, nn.CrossEntropyLoss(), _Noting(model.parameters()), rate, **options)


def _images(count: int) -> Batches:
    images = Images(torch.randint(256, (count, 3, 4, 4), dtype=torch.uint8), torch.arange(count) % 3)
    plain = Transform(torch.full((3,), 0.5), torch.full((3,), 0.25))
    return Batches(images, 8, plain, shuffle_seed=0)


def test_fit_writes_one_row_per_epoch_and_lowers_the_loss() -> None:
    training = _training(0.05)
    fit(training, _images(24), _images(9), epochs=6)
    assert [row["epoch"] for row in training.history] == [1, 2, 3, 4, 5, 6]
    assert training.history[-1]["train_loss"] < training.history[0]["train_loss"]
    assert all(0 <= row["validation_accuracy"] <= 1 for row in training.history)


def test_without_a_validation_split_its_columns_are_empty() -> None:
    training = _training(0.05)
    fit(training, _images(24), None, epochs=1)
    assert training.history[0]["validation_loss"] is None


def test_a_loss_that_is_no_number_ends_the_run_with_advice() -> None:
    training = _training(float("inf"))
    with pytest.raises(UserError, match="diverged; try a lower --learning-rate"):
        fit(training, _images(24), None, epochs=2)
    assert training.history == []


def test_the_record_has_the_learning_rate_that_was_used_when_it_is_reduced_on_a_plateau(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The validation error does not improve for five epochs after the first, and the next step is a smaller one."""
    training = _training(1e-9, on_plateau=True)
    monkeypatch.setattr(loop, "evaluate", lambda *args: Evaluation(1.0, 0.5, torch.empty(0), torch.empty(0)))
    fit(training, _images(24), _images(9), epochs=8)
    assert [row["learning_rate"] for row in training.history] == pytest.approx(
        [1e-9] * 6 + [1e-10] * 2, rel=1e-6, abs=0
    )
    steps = training.optimizer.rates  # type: ignore[attr-defined]
    assert steps == pytest.approx([1e-9] * 6 * 3 + [1e-10] * 2 * 3, rel=1e-6, abs=0)


def test_the_schedule_runs_over_all_steps_of_all_epochs() -> None:
    training = _training(0.5, schedule=one_cycle)
    fit(training, _images(24), None, epochs=4)
    expected = [0.5 * one_cycle(step / 12) for step in range(12)]
    assert training.optimizer.rates == expected  # type: ignore[attr-defined]
    assert [row["learning_rate"] for row in training.history] == pytest.approx(expected[::3], rel=1e-5)


def test_a_resumed_training_has_the_same_learning_rates() -> None:
    whole, resumed = (_training(0.1, schedule=cosine) for _ in range(2))
    fit(whole, _images(24), None, epochs=4)
    resumed.history[:] = whole.history[:2]
    fit(resumed, _images(24), None, epochs=4)
    assert resumed.optimizer.rates == whole.optimizer.rates[6:]  # type: ignore[attr-defined]


def test_figures_keep_six_significant_digits_however_small() -> None:
    training = _training(1.23456789e-9)
    fit(training, _images(24), _images(9), epochs=1)
    assert training.history[0]["learning_rate"] == 1.23457e-9
    assert training.history[0]["validation_seconds"] > 0
    assert training.started.endswith("+00:00")
