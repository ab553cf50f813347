import time

import torch
from torch import nn

from deepernets.training import timing


def test_the_median_leaves_warm_up_and_hiccups_out() -> None:
    naps = iter([0.2, 0.01, 0.2, 0.01, 0.01])
    seconds = timing.median_seconds(lambda: time.sleep(next(naps)), warm_up=1, repeats=3)
    assert 0.01 <= seconds < 0.1
    assert len(list(naps)) == 1


def test_phases_train_and_leave_the_first_batch_out() -> None:
    model = nn.Linear(4, 2)
    before = model.weight.detach().clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def batches():  # type: ignore[no-untyped-def]
        for pause in (0.2, 0.02, 0.02):
            time.sleep(pause)
            yield torch.randn(10, 4), torch.randint(2, (10,))

    spent = timing.phases(model, batches(), nn.CrossEntropyLoss(), optimizer)
    assert tuple(spent) == timing.PHASES
    assert all(seconds > 0 for seconds in spent.values())
    assert 0.002 <= spent["data"] < 0.01
    assert not torch.equal(model.weight, before)
