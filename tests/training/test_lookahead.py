import pytest
import torch
from torch import nn
from torch.optim import SGD

from deepernets.training.lookahead import Lookahead

pytestmark = pytest.mark.usefixtures("in_double_precision")


def descend(optimizer: torch.optim.Optimizer, weight: nn.Parameter, steps: int) -> list[float]:
    """Take steps down the slope of w² / 2 and return the weight after each."""
    path = []
    for _ in range(steps):
        optimizer.zero_grad()
        (weight**2 / 2).sum().backward()
        optimizer.step()
        path.append(weight.item())
    return path


def test_slow_weights_follow_half_of_the_way_every_k_steps() -> None:
    weight = nn.Parameter(torch.tensor([1.0]))
    path = descend(Lookahead([weight], every=3, share=0.5, lr=0.1), weight, 6)
    slow = (1 + 0.9**3) / 2
    assert path[:2] == pytest.approx([0.9, 0.81])
    assert path[2] == pytest.approx(slow)
    assert path[5] == pytest.approx((slow + slow * 0.9**3) / 2)


def test_with_a_share_of_one_it_is_sgd() -> None:
    options = {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}
    one, other = (nn.Parameter(torch.tensor([1.0])) for _ in range(2))
    assert descend(Lookahead([one], every=2, share=1.0, **options), one, 7) == pytest.approx(
        descend(SGD([other], **options), other, 7)  # type: ignore[arg-type]
    )


def test_its_state_goes_on_where_it_was_left() -> None:
    whole = nn.Parameter(torch.tensor([1.0]))
    expected = descend(Lookahead([whole], every=3, lr=0.1, momentum=0.9), whole, 8)
    first = nn.Parameter(torch.tensor([1.0]))
    broken_off = Lookahead([first], every=3, lr=0.1, momentum=0.9)
    begun = descend(broken_off, first, 4)
    second = nn.Parameter(first.detach().clone())
    resumed = Lookahead([second], every=3, lr=0.1, momentum=0.9)
    resumed.load_state_dict(broken_off.state_dict())
    assert begun + descend(resumed, second, 4) == pytest.approx(expected)
