import pytest
import torch
from torch import nn
from torch.optim import SGD

from deepernets.data.batches import Batches, Transform
from deepernets.data.images import Images
from deepernets.training import loop
from deepernets.training.loop import Evaluation, Training, evaluation_weights, fit
from deepernets.training.optimizers import Lookahead

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


def test_the_network_is_evaluated_with_its_slow_weights() -> None:
    weight = nn.Parameter(torch.tensor([1.0]))
    optimizer = Lookahead([weight], every=3, share=0.5, lr=0.1)
    quick = descend(optimizer, weight, 5)[-1]
    slow = (1 + 0.9**3) / 2
    assert quick == pytest.approx(slow * 0.9**2)
    for _ in range(2):  # twice, as in an evaluation within an evaluation
        optimizer.eval()
        assert weight.item() == pytest.approx(slow)
    for _ in range(2):
        optimizer.train()
        assert weight.item() == quick
    assert descend(optimizer, weight, 1) == pytest.approx([(slow + slow * 0.9**3) / 2])


def test_an_interrupted_evaluation_leaves_the_quick_weights() -> None:
    weight = nn.Parameter(torch.tensor([1.0]))
    optimizer = Lookahead([weight], every=3, lr=0.1)
    quick = descend(optimizer, weight, 5)[-1]
    seen = []

    def interrupted() -> None:
        with evaluation_weights(optimizer):
            seen.append(weight.item())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert seen != [quick]
    assert weight.item() == quick


def test_evaluation_between_synchronisations_uses_the_slow_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of four steps, the slow weights of which follow after the third."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    optimizer = Lookahead(model.parameters(), every=3, lr=0.1)
    images = Images(torch.arange(32, dtype=torch.uint8).view(8, 1, 2, 2), torch.arange(8) % 2)
    batches = Batches(images, 2, Transform(torch.zeros(1), torch.ones(1)), shuffle_seed=0)
    seen: list[torch.Tensor] = []

    def note(network: nn.Module, batches: object) -> Evaluation:
        seen.append(network.state_dict()["1.weight"].clone())
        return Evaluation(1.0, 0.5, torch.empty(0), torch.empty(0))

    monkeypatch.setattr(loop, "evaluate", note)
    fit(Training(model, nn.CrossEntropyLoss(), optimizer, 0.1), batches, batches, epochs=1)
    assert torch.equal(seen[0], optimizer.state[next(model.parameters())]["slow"])
    assert not torch.equal(seen[0], model.state_dict()["1.weight"])
