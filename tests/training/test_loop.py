import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LambdaLR

from deepernets.data.batches import Batches, Transform
from deepernets.data.sources import Images
from deepernets.exceptions import UserError
from deepernets.training.loop import Meter, Training, evaluate, fit, train_epoch
from deepernets.training.schedules import on_plateau


def _batches(sizes: tuple[int, ...] = (8, 8, 3)) -> list[tuple[Tensor, Tensor]]:
    return [(torch.randn(size, 3, 4, 4), torch.randint(3, (size,))) for size in sizes]


def _model() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))


def test_an_epoch_is_the_loop_on_the_blackboard() -> None:
    batches, ours = _batches(), _model()
    theirs = copy.deepcopy(ours)
    optimizer = torch.optim.SGD(ours.parameters(), lr=0.1, momentum=0.9)
    met = train_epoch(ours, batches, nn.CrossEntropyLoss(), optimizer)

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


def test_the_scheduler_moves_once_per_step_and_the_callback_sees_each() -> None:
    model = _model()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    scheduler = LambdaLR(optimizer, lambda step: 1 / (1 + step))
    seen: list[int] = []
    train_epoch(
        model, _batches(), nn.CrossEntropyLoss(), optimizer, scheduler, lambda m: seen.append(m.images)
    )
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1 / 4)
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


def _training(rate: float, factor: Any = None) -> Training:
    model = _model()
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    return Training(
        model, nn.CrossEntropyLoss(), optimizer, LambdaLR(optimizer, factor or (lambda step: 1.0))
    )


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


def test_on_plateau_lowers_the_rate_of_a_real_run() -> None:
    training = _training(1e-9)  # too low a rate to improve anything
    errors = training.history

    def factor(step: int) -> float:
        return on_plateau(0.0, [1 - row["validation_accuracy"] for row in errors], patience=2)

    training.scheduler = LambdaLR(training.optimizer, factor)
    training.model.eval()[1].requires_grad_(False)  # type: ignore[index]
    fit(training, _images(24), _images(9), epochs=6)
    rates = [row["learning_rate"] for row in training.history]
    assert training.optimizer.param_groups[0]["lr"] < 0.5e-9
    assert len(rates) == 6
