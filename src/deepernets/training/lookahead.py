"""Lookahead (Zhang et al. 2019, arXiv:1907.08610): quick weights explore, slow ones follow half of the way."""

from typing import Any

import torch
from torch.optim import SGD


class Lookahead(SGD):
    """SGD whose weights are, every few steps, set half of the way back to where they were (algorithm 1).

    The slow weights are a running average of where the quick ones have been: noise across the path cancels, and a
    larger learning rate can be borne. They are part of the optimizer's state, and so of its checkpoints. The
    network is evaluated with its slow weights: `eval` puts them in, `train` puts the quick ones back.

    Args:
        parameters: What to train.
        every: Steps of the quick weights to one of the slow ones: k in the paper.
        share: How far the slow weights follow: α in the paper.
        **options: Those of `torch.optim.SGD`.

    >>> weight = torch.nn.Parameter(torch.tensor([0.0]))
    >>> optimizer = Lookahead([weight], every=2, share=0.5, lr=1.0)
    >>> weight.grad = torch.tensor([-1.0])
    >>> for _ in range(2):
    ...     optimizer.step()
    >>> weight.item()  # two steps of 1, and half of the way back
    1.0
    """

    def __init__(self, parameters: Any, *, every: int = 5, share: float = 0.5, **options: Any) -> None:
        super().__init__(parameters, **options)
        for group in self.param_groups:
            group.update(every=every, share=share, taken=0, evaluating=False)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Take one step of the quick weights, and where one is due, a step of the slow ones."""
        for group in self.param_groups:
            if group["taken"] == 0:
                for weight in group["params"]:
                    self.state[weight]["slow"] = weight.clone()
        loss = super().step(closure)
        for group in self.param_groups:
            group["taken"] += 1
            if group["taken"] % group["every"] == 0:
                for weight in group["params"]:
                    slow = self.state[weight]["slow"]
                    slow.lerp_(weight, group["share"])
                    weight.copy_(slow)
        return loss

    def eval(self) -> None:
        """Give the network its slow weights, until `train` is called."""
        self._exchange(evaluating=True)

    def train(self) -> None:
        """Give the network its quick weights back."""
        self._exchange(evaluating=False)

    @torch.no_grad()
    def _exchange(self, evaluating: bool) -> None:
        for group in self.param_groups:
            if group["evaluating"] == evaluating:
                continue
            group["evaluating"] = evaluating
            for weight in group["params"]:
                if "slow" in self.state[weight]:
                    slow = self.state[weight]["slow"]
                    quick = weight.clone()
                    weight.copy_(slow)
                    slow.copy_(quick)
