"""The optimizers of the recipes: SGD, Adam and AdamW from PyTorch, and Lookahead."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from deepernets.recipes.recipe import Recipe


class Lookahead(SGD):
    """SGD with a second set of slow weights, which average the fast ones (Zhang et al. 2019, arXiv:1907.08610).

    Every few steps the slow weights move part of the way to the fast ones, and the fast ones are set to them
    (algorithm 1). The average has less noise, which permits a larger learning rate. Slow weights are part of the
    optimizer's state, and so of its checkpoints. The network is evaluated with its slow weights: `eval` puts
    them into the network, and `train` the fast ones.

    Args:
        parameters: Parameters to train.
        every: Steps of the fast weights for each step of the slow ones: k in the paper.
        share: How far the slow weights follow the fast ones: α in the paper.
        **options: Those of `torch.optim.SGD`.

    >>> weight = torch.nn.Parameter(torch.tensor([0.0]))
    >>> optimizer = Lookahead([weight], every=2, share=0.5, lr=1.0)
    >>> weight.grad = torch.tensor([-1.0])
    >>> for _ in range(2):
    ...     optimizer.step()
    >>> weight.item()  # two steps of 1, then half of the way back
    1.0
    """

    def __init__(self, parameters: Any, *, every: int = 5, share: float = 0.5, **options: Any) -> None:
        super().__init__(parameters, **options)
        for group in self.param_groups:
            group.update(every=every, share=share, taken=0, evaluating=False)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Take a step of the fast weights, and after every few of them a step of the slow ones."""
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
        """Put the slow weights into the network, until `train` is called."""
        self._exchange(evaluating=True)

    def train(self) -> None:
        """Put the fast weights back into the network."""
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
                    fast = weight.clone()
                    weight.copy_(slow)
                    slow.copy_(fast)


def build_optimizer(recipe: Recipe, model: nn.Module, device: torch.device | str = "cpu") -> Optimizer:
    """Return the recipe's optimizer over all trainable parameters of a network.

    On a GPU its steps can be captured; see `CapturedStep`. (Those of Lookahead cannot, since they differ.)

    Args:
        recipe: Names the optimizer and its options.
        model: The network; it may be moved to `device` later.
        device: Where the network will be trained.

    >>> from deepernets.recipes import get_recipe
    >>> type(build_optimizer(get_recipe("race/adamw"), nn.Linear(2, 2))).__name__
    'AdamW'
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    rate: float | Tensor = recipe.learning_rate
    options: dict[str, Any] = {"weight_decay": recipe.weight_decay}
    if capturable := torch.device(device).type == "cuda" and recipe.optimizer != "lookahead":
        rate = torch.tensor(rate, device=device)  # a captured step reads it on the GPU
        options["fused"] = True
    if recipe.optimizer in ("adam", "adamw"):
        kind = Adam if recipe.optimizer == "adam" else AdamW
        return kind(parameters, lr=rate, capturable=capturable, **options)
    descent = Lookahead if recipe.optimizer == "lookahead" else SGD
    return descent(parameters, lr=rate, momentum=recipe.momentum, nesterov=recipe.nesterov, **options)
