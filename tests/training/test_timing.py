import pytest
import torch
from torch import nn

import deepernets
from deepernets.training import timing


class Clock:
    """A clock that moves only when it is told to, so that no test waits for a real one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(timing, "perf_counter", lambda: self.now)

    def pass_on(self, seconds: float) -> None:
        self.now += seconds


def test_the_median_leaves_warm_up_and_hiccups_out(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, naps = Clock(monkeypatch), iter([50.0, 1.0, 20.0, 3.0, 1.0])
    assert timing.median_seconds(lambda: clock.pass_on(next(naps)), warm_up=1, repeats=3) == 3.0
    assert len(list(naps)) == 1


def test_phases_train_and_leave_the_first_batch_out(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, model = Clock(monkeypatch), nn.Linear(4, 2)
    before = model.weight.detach().clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.register_forward_pre_hook(lambda *_: clock.pass_on(3.0))
    model.weight.register_hook(lambda _: clock.pass_on(5.0))
    optimizer.register_step_pre_hook(lambda *_: clock.pass_on(7.0))

    def batches():  # type: ignore[no-untyped-def]
        for pause in (100.0, 2.0, 4.0):
            clock.pass_on(pause)
            yield torch.randn(10, 4), torch.randint(2, (10,))

    spent = timing.measure_phases(model, batches(), nn.CrossEntropyLoss(), optimizer)
    assert spent == pytest.approx({"data": 0.3, "forward": 0.3, "backward": 0.5, "step": 0.7})
    assert tuple(spent) == timing.PHASES
    assert not torch.equal(model.weight, before)


def test_steps_are_timed_with_the_recipes_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network is called with batches of the recipe's size and shape, as often as it is warmed up and timed."""
    shapes: list[tuple[int, ...]] = []
    prepare = timing.prepare

    def watched(*args: object) -> object:
        training = prepare(*args)  # type: ignore[arg-type]
        training.model.register_forward_pre_hook(lambda module, inputs: shapes.append(tuple(inputs[0].shape)))
        return training

    monkeypatch.setattr(timing, "prepare", watched)
    assert timing.step_seconds(deepernets.get_recipe("quick/digits").changed(batch_size=4)) > 0
    assert shapes == [(4, 1, 32, 32)] * (timing.WARM_UP + timing.TIMED_STEPS)
