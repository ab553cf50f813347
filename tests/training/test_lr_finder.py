import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from weakref import ReferenceType, ref

import pytest
import torch
from torch import nn

from deepernets.data.batches import Batches, Transform
from deepernets.data.images import Images
from deepernets.errors import UserError
from deepernets.training.hardware import Precision, accelerator, precision_of
from deepernets.training.lr_finder import range_test


class _Bowl(nn.Module):
    """A quadratic bowl of curvature 1: gradient descent diverges at rates above 2."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((1,), 3.0))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.weight.expand(len(images), 1)


class _Half(nn.Module):
    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return (logits**2 / 2).mean()


PIXELS = torch.arange(12, dtype=torch.uint8).reshape(12, 1, 1, 1)
BATCHES = Batches(
    Images(PIXELS, torch.zeros(12, dtype=torch.long)),
    4,
    Transform(torch.zeros(1), torch.ones(1)),
    shuffle_seed=0,
)  # three an epoch


def test_the_range_test_stops_where_descent_diverges_and_suggests_a_rate_below() -> None:
    model = _Bowl()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.0)
    before = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    test = range_test(model, BATCHES, _Half(), optimizer, rates=(1e-3, 1e3), steps=120)
    assert 2 < test.rates[-1] < 1e3
    assert 0.01 < test.suggestion < 2
    assert len(test.rates) == len(test.losses) == len(test.smoothed) < 120
    assert torch.equal(model.state_dict()["weight"], before[0]["weight"])
    assert optimizer.state_dict() == before[1]


def test_rates_rise_geometrically() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(1, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    test = range_test(model, BATCHES, nn.CrossEntropyLoss(), optimizer, rates=(1e-4, 1e-2), steps=21)
    assert test.rates == pytest.approx([1e-4 * 10 ** (step / 10) for step in range(21)])


@dataclass(frozen=True, eq=False)
class _Watched(Batches):
    """Batches that count how many of those they have handed out are still in memory."""

    handed_out: list[ReferenceType[torch.Tensor]] = field(default_factory=list)
    alive: list[int] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)

    def epoch(self, number: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        self.epochs.append(number)
        for images, labels in super().epoch(number):
            self.handed_out.append(ref(images))
            self.alive.append(sum(batch() is not None for batch in self.handed_out))
            yield images, labels


def test_the_range_test_draws_epoch_after_epoch_and_keeps_no_batch() -> None:
    batches = _Watched(BATCHES.images, 4, BATCHES.transform, shuffle_seed=0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(1, 3)).eval()
    range_test(model, batches, nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters()), (1e-4, 1e-2), 30)
    assert batches.epochs == list(range(1, 11))
    assert len(batches.handed_out) == 30
    assert max(batches.alive) <= 2
    assert not model.training


@pytest.mark.parametrize(("rates", "steps"), [((1.0, 0.1), 50), ((0.0, 1.0), 50), ((0.1, 1.0), 3)])
def test_a_range_that_shows_nothing_is_refused(rates: tuple[float, float], steps: int) -> None:
    model = nn.Linear(1, 3)
    with pytest.raises(UserError, match="shows nothing"):
        range_test(model, BATCHES, nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters()), rates, steps)


def test_one_process_may_train_in_one_precision_after_the_other() -> None:
    names: tuple[Precision, ...] = ("bf16", "fp32", "bf16")
    chosen = [precision_of(accelerator(name)) for name in names]
    assert chosen == ["bf16", "fp32", "bf16"]
    with pytest.raises(UserError, match="no precision 'fp8'"):
        accelerator("fp8")  # type: ignore[arg-type]
