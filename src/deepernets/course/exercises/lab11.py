"""Exercises of lab 11: why does it not train? And six trainings, each with one fault, to find it in."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import SGD, Optimizer

from deepernets.course.exercises.judging import (
    FunctionExercise,
    Mistake,
    Symptom,
    ValueExercise,
    every,
    fails,
)
from deepernets.course.exercises.values import Unsuitable, difference, kind_of, normal, numbers
from deepernets.training.loop import train_step

FAULTS = (
    "softmax before the loss",
    "gradients accumulate",
    "no gradient",
    "images are mixed",
    "parameters missing from the optimizer",
    "equal filters",
)
CLASSES, SIDE = 3, 16

Step = Callable[[nn.Module, Tensor, Tensor, Optimizer], float]


def _step(network: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> float:
    """Take one step on a batch, and return its loss before the step."""
    loss, _ = train_step(network, images, labels, nn.CrossEntropyLoss(), optimizer)
    return loss.item()


@dataclass(frozen=True)
class TrainingCase:
    """A network with all that trains it.

    Attributes:
        network: Maps images (N, 3, 16, 16) to logits (N, 3).
        optimizer: SGD with momentum.
        step: Takes network, images, labels and optimizer, takes one step, and returns the loss.
    """

    network: nn.Module
    optimizer: Optimizer
    step: Step = field(default=_step)


class SmallNetwork(nn.Module):
    """Two convolutions and two linear layers; `fault` plants one of the faults that a forward pass can have."""

    def __init__(self, fault: str = "") -> None:
        super().__init__()
        self.fault = fault
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.hidden = nn.Linear(16 * (SIDE // 4) ** 2, 32)
        self.head = nn.Linear(32, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (N, 3) of images (N, 3, 16, 16)."""
        maps = F.relu(self.first(images))
        if self.fault == "no gradient":
            maps = maps.detach()
        maps = F.max_pool2d(F.relu(self.second(maps)), 2)
        if self.fault == "images are mixed":
            maps = maps.transpose(0, 1)
        logits: Tensor = self.head(F.relu(self.hidden(maps.reshape(len(images), -1))))
        return logits.softmax(dim=1) if self.fault == "softmax before the loss" else logits


def _step_without_zero_grad(
    network: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer
) -> float:
    loss = F.cross_entropy(network(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def training_case(fault: str = "", seed: int = 0) -> TrainingCase:
    """Return a network, its optimizer and its step, with one of the `FAULTS`, or with none.

    >>> losses = training_case().network(torch.zeros(2, 3, 16, 16)).shape
    >>> losses
    torch.Size([2, 3])
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = SmallNetwork(fault)
        if fault == "equal filters":
            for layer in (network.first, network.second):
                nn.init.constant_(layer.weight, 0.02)
        optimizer = SGD(network.parameters(), lr=0.05, momentum=0.9)
        if fault == "parameters missing from the optimizer":
            network.head = nn.Linear(
                32, CLASSES
            )  # a new head, as for a new task, after the optimizer was made
    step = _step_without_zero_grad if fault == "gradients accumulate" else _step
    return TrainingCase(network, optimizer, step)


CASES = dict(zip("ABCDEF", (2, 0, 5, 3, 1, 4), strict=True))  # places in `FAULTS`


def training_cases() -> dict[str, TrainingCase]:
    """Return the six trainings of the lab, by their letters."""
    return {letter: training_case(FAULTS[place]) for letter, place in CASES.items()}


def overfit_one_batch(case: TrainingCase, images: Tensor, labels: Tensor, steps: int) -> list[float]:
    """Train on the same batch again and again, and return the loss before each step."""
    return [case.step(case.network, images, labels, case.optimizer) for _ in range(steps)]


def _batch(seed: int, images: int = 6) -> tuple[Tensor, Tensor]:
    draw = Random(seed)
    return normal(draw, images, 3, SIDE, SIDE), torch.tensor([draw.randrange(CLASSES) for _ in range(images)])


def _observe_overfitting(function: Callable[..., Any], seed: int, steps: int, fault: str) -> dict[str, Any]:
    case = training_case(fault, seed)
    losses = numbers("the loss before each step", length=steps)(function(case, *_batch(seed), steps))
    weights = torch.cat([parameter.detach().flatten() for parameter in case.network.parameters()])
    return {"the list of losses": losses, "the weights after the last step": weights}


def _one_image_each(case: TrainingCase, images: Tensor, labels: Tensor, steps: int) -> list[float]:
    places = [torch.tensor([place % len(images)]) for place in range(steps)]
    return [case.step(case.network, images[place], labels[place], case.optimizer) for place in places]


def _same_first_loss(one: dict[str, Any], other: dict[str, Any], place: int = 0) -> bool:
    return abs(one["the list of losses"][0] - other["the list of losses"][place]) < 1e-6


OVERFIT_ONE_BATCH = FunctionExercise(
    "overfit_one_batch(case, images, labels, steps)",
    returns=numbers("the loss before each step"),
    reference=overfit_one_batch,
    inputs=lambda draw: [
        (draw.getrandbits(16), steps, fault) for steps, fault in ((1, ""), (4, ""), (5, FAULTS[1]))
    ],
    observe=_observe_overfitting,
    shown=lambda _, steps, fault: f"case{f' with the fault: {fault}' * bool(fault)}, images, labels, {steps}",
    tries=1,
    mistakes=[
        Mistake("one image each", _one_image_each, "Give each step the whole batch, not one image of it."),
        Symptom(
            "no training",
            every(lambda one: len(set(one["the list of losses"])) == 1),
            "The losses are all equal: is `case.step` called once for each of them?",
        ),
        Mistake(
            "step of your own",
            lambda case, x, y, steps: overfit_one_batch(
                TrainingCase(case.network, case.optimizer), x, y, steps
            ),
            "Take each step with `case.step` alone: the fault of a training may be in its step, and clearing "
            "gradients or a step of your own hides it.",
        ),
        Mistake(
            "one step more",
            lambda case, x, y, steps: overfit_one_batch(case, x, y, steps + 1)[:-1],
            "You take one step more than you return losses.",
        ),
        Symptom(
            "losses after",
            lambda given, right: all(map(_same_first_loss, given[1:], right[1:], (1, 1))),
            "Your list starts with the loss after the first step. `case.step` returns the loss before its step.",
        ),
        Symptom(
            "other step",
            lambda given, right: (
                all(map(_same_first_loss, given, right)) and difference(given[0], right[0]) is not None
            ),
            "The first loss is right, but the step after it is not. Call `case.step` with `case.optimizer`.",
        ),
    ],
)


def _unreached(gradient: Tensor | None) -> bool:
    return gradient is None or not gradient.any()


def _below(most: float, read: Callable[[Tensor], Tensor]) -> Callable[[Any], bool]:
    return lambda gradient: gradient is None or bool(read(gradient).abs() < most)


def _by_gradient(
    select: Callable[[Any], Any] = _unreached,
    loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
    clear: bool = True,
) -> Callable[[nn.Module, Tensor, Tensor], list[str]]:
    """Return a `without_gradient`, or one that selects gradients, takes the loss or starts in its own way."""

    def without_gradient(network: nn.Module, images: Tensor, labels: Tensor) -> list[str]:
        if clear:
            network.zero_grad()
        loss(network(images), labels).backward()
        return [name for name, parameter in network.named_parameters() if select(parameter.grad)]

    return without_gradient


def _names(what: str) -> Callable[[Any], list[str]]:
    """Return a reader of a list of names, in any order."""

    def read(value: Any) -> list[str]:
        if isinstance(value, str | bytes | dict) or not hasattr(value, "__iter__"):
            raise Unsuitable(f"Expected a list of {what}; got {kind_of(value)}.")
        entries = list(value)[:1000]
        if not all(type(entry) is str for entry in entries):
            raise Unsuitable(f"Expected a list of {what}, each a string.")
        return sorted(entries)

    return read


class _PartlyReached(nn.Module):
    """A network with parameters of all kinds that `without_gradient` must tell apart, in layers of drawn names.

    One is not used, one is detached or behind dead ReLUs (by seed), one is behind ReLUs that are dead for negative
    images only, one has a tiny gradient, one has a gradient that a sum of the logits does not have and whose two
    entries cancel.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.tilt = nn.Parameter(torch.empty(2))
        self.layers = {
            "body": nn.Linear(12, 5),
            "positive": nn.Linear(12, 5, bias=False),
            "side": nn.Linear(12, 5),
            "unused": nn.Linear(2, 2),
            "faint": nn.Linear(12, CLASSES),
            "head": nn.Linear(5, CLASSES),
        }
        self.detached = bool(seed % 2)
        order = Random(seed).sample(list(self.layers.values()), len(self.layers))
        for number, layer in enumerate(order, 1):
            self.add_module(f"layer{number}", layer)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(0.1 * torch.rand(parameter.shape, generator=generator))
            self.layers["body"].bias.fill_(2.0 if self.detached else -1000.0)
            self.layers["body"].bias[0] = -1000.0  # a dead unit in a layer that is alive

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 3)."""
        pixels, layers = images.flatten(1), self.layers
        side = layers["side"](pixels)
        hidden = layers["body"](pixels).relu() + layers["positive"](pixels).relu()
        logits: Tensor = layers["head"](hidden + (side.detach() if self.detached else side))
        tilt = (self.tilt[0] - self.tilt[1]) * torch.tensor([1.0, -1.0, 0.0])
        return logits + 1e-6 * layers["faint"](pixels) + tilt


def _observe_gradients(function: Callable[..., Any], seed: int) -> dict[str, Any]:
    network, draw = _PartlyReached(seed), Random(seed)
    images, labels = normal(draw, 4, 3, 2, 2).abs(), torch.tensor([0, 1, 2, 1])
    before = [parameter.detach().clone() for parameter in network.parameters()]
    read = _names("names of parameters")
    first, second = (read(function(network, batch, labels)) for batch in (images, -images))
    kept = all(map(torch.equal, before, [parameter.detach() for parameter in network.parameters()]))
    return {
        "the list of names": first,
        "the list at a second call (other images)": second,
        "whether the weights are as before": kept,
    }


WITHOUT_GRADIENT = FunctionExercise(
    "without_gradient(network, images, labels)",
    returns=_names("names of parameters"),
    reference=_by_gradient(),
    inputs=lambda draw: [(2 * draw.getrandbits(16),), (2 * draw.getrandbits(16) + 1,)],
    observe=_observe_gradients,
    shown=lambda seed: "network, images, labels",
    tries=1,
    mistakes=[
        Mistake(
            "none only",
            _by_gradient(lambda gradient: gradient is None),
            "You find the gradients that are None. A gradient can also be a tensor of zeros.",
        ),
        Mistake(
            "zero only",
            _by_gradient(lambda gradient: gradient is not None and not gradient.any()),
            "You find gradients of zeros. A parameter that the loss does not reach has a gradient of None.",
        ),
        Mistake(
            "some zeros",
            _by_gradient(lambda gradient: gradient is None or not gradient.all()),
            "You list parameters of which some entries have a gradient of 0. All of them must.",
        ),
        Mistake(
            "small gradients",
            [_by_gradient(_below(10**-power, torch.norm)) for power in range(2, 6)],
            "You list parameters with a small gradient, too. The loss reaches them: ask for exactly 0.",
        ),
        Mistake(
            "sum of the entries",
            [
                _by_gradient(lambda gradient: gradient is None or not gradient.sum()),
                *(_by_gradient(_below(10**-power, torch.sum)) for power in range(4, 8)),
            ],
            "Entries of a gradient can cancel in their sum. Look at each of them.",
        ),
        Mistake(
            "accumulated",
            _by_gradient(clear=False),
            "At a second call, the gradients of the first one are still there. Clear them first.",
        ),
        Mistake(
            "other loss",
            [_by_gradient(loss=lambda logits, _: logits.sum()), _by_gradient(loss=lambda z, _: z.mean())],
            "Take the gradient of the cross-entropy. The sum of the logits does not depend on the same parameters.",
        ),
        Mistake(
            "with gradient",
            _by_gradient(lambda gradient: not _unreached(gradient)),
            "Those are the parameters that do have a gradient.",
        ),
        Mistake(
            "before backward",
            _by_gradient(lambda gradient: True),
            "You list every parameter: is loss.backward() called before you look at the gradients?",
        ),
        Symptom(
            "takes a step",
            fails("whether the weights are as before"),
            "Your function changes the weights. Compute gradients, but take no step.",
        ),
    ],
)


def not_in_optimizer(network: nn.Module, optimizer: Optimizer) -> list[str]:
    """Return the names of the parameters that the optimizer does not change."""
    known = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    return [name for name, parameter in network.named_parameters() if id(parameter) not in known]


def _observe_optimizer(function: Callable[..., Any], groups: list[list[str]]) -> dict[str, Any]:
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)), nn.Linear(4, 4)
    )
    named = dict(network.named_parameters())
    for name in ("0.bias", "2.bias", "1.1.weight", "1.1.bias"):  # equal numbers, other objects
        nn.init.constant_(named[name], int(name[0]) % 2)
    named["0.weight"].requires_grad_(False)  # an optimizer may lack it all the same
    optimizer = SGD([{"params": [named[name] for name in group]} for group in groups], lr=0.1)
    names = _names("names of parameters")(function(network, optimizer))
    sizes = [len(group["params"]) for group in optimizer.param_groups]
    return {"the list of names": names, "the sizes of the optimizer's groups": sizes}


def _groups(draw: Random) -> list[tuple[list[list[str]]]]:
    names = ["0.weight", "0.bias", "1.0.weight", "1.0.bias", "1.1.weight", "1.1.bias", "2.weight", "2.bias"]
    some = draw.sample(names, 5)
    return [([names],), ([names[:6]],), ([[*names[1:4], *names[5:]]],), ([some[:2], some[2:]],)]


def _lacking(
    lacks: Callable[[nn.Parameter, list[nn.Parameter]], bool],
) -> Callable[[nn.Module, Optimizer], list[str]]:
    """Return a `not_in_optimizer` that asks in its own way whether the optimizer lacks a parameter."""

    def names(network: nn.Module, optimizer: Optimizer) -> list[str]:
        known = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        return [name for name, parameter in network.named_parameters() if lacks(parameter, known)]

    return names


NOT_IN_OPTIMIZER = FunctionExercise(
    "not_in_optimizer(network, optimizer)",
    returns=_names("names of parameters"),
    reference=not_in_optimizer,
    inputs=_groups,
    observe=_observe_optimizer,
    shown=lambda groups: f"network, SGD with the groups {groups}",
    mistakes=[
        Mistake(
            "first group",
            lambda network, optimizer: [
                name
                for name, parameter in network.named_parameters()
                if all(parameter is not known for known in optimizer.param_groups[0]["params"])
            ],
            "An optimizer may have several groups of parameters. You look at the first one only.",
        ),
        Mistake(
            "in the optimizer",
            _lacking(lambda one, known: any(one is other for other in known)),
            "Those are the parameters that the optimizer has.",
        ),
        Mistake(
            "compared by value",
            [
                _lacking(lambda one, known: one not in known),
                _lacking(lambda one, known: one in known),
                _lacking(lambda one, known: not any(map(one.equal, known))),
            ],
            "You compare tensors by their values, as `in` and == do. Two may have equal numbers: compare objects, "
            "with `is` or id().",
        ),
        Mistake(
            "trainable only",
            _lacking(lambda one, known: one.requires_grad and all(one is not other for other in known)),
            "You leave out parameters that require no gradient. The optimizer does not have them, either.",
        ),
        Mistake(
            "children",
            lambda network, optimizer: [
                name for name in not_in_optimizer(network, optimizer) if name.count(".") < 2
            ],
            "Parameters of nested modules are missing: named_parameters() finds them all.",
        ),
        Symptom(
            "changes the optimizer",
            lambda given, right: any(
                one["the sizes of the optimizer's groups"] != other["the sizes of the optimizer's groups"]
                for one, other in zip(given, right, strict=True)
            ),
            "The optimizer has other parameters after your function than before it. Only look at them.",
        ),
    ],
)


def mixes_images(network: nn.Module, images: Tensor) -> bool:
    """Return whether the output for one image depends on the other images of the batch."""
    return _first_logits_change(network, images, slice(1, None))


def _first_logits_change(
    network: nn.Module, images: Tensor, others: slice, change: Callable[[Tensor], Tensor] = torch.zeros_like
) -> bool:
    """Return whether the logits of the first image change when some other images are made black, or changed."""
    changed = images.clone()
    changed[others] = change(images[others])
    with torch.no_grad():
        return not torch.allclose(network(images)[0], network(changed)[0], atol=1e-5)


MIXTURES = {
    "alone": "no image is mixed with others",
    "next": "each image is mixed with the next one",
    "reshaped": "a reshape mixes the images",
    "last": "the first image is mixed with the last one",
    "mean": "each image is mixed with the mean of the batch",
}


class _Batchwise(nn.Module):
    """A linear network that mixes images in one of the ways of `MIXTURES`."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.linear = nn.Linear(12, CLASSES)
        with torch.no_grad():
            self.linear.weight.copy_(
                torch.linspace(0.1, 1, self.linear.weight.numel()).view_as(self.linear.weight)
            )

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 3)."""
        rows = images.flatten(1)
        if self.kind == "next":
            rows = rows + rows.roll(-1, dims=0)
        if self.kind == "reshaped":
            rows = rows.T.reshape(len(images), -1)
        if self.kind == "last":
            rows = torch.cat([rows[:1] + rows[-1:], rows[1:]])
        if self.kind == "mean":
            rows = rows + rows.mean(dim=0)
        logits: Tensor = self.linear(rows)
        return logits


def _observe_mixing(function: Callable[..., Any], kind: str, seed: int) -> bool:
    value = function(_Batchwise(kind).eval(), normal(Random(seed), 5, 3, 2, 2))
    single = isinstance(value, Tensor) and value.numel() == 1 and value.dtype == torch.bool
    if single or type(value) is np.bool_:
        value = bool(value)
    if type(value) is not bool:
        raise Unsuitable(f"Expected True or False; got {kind_of(value)}.")
    return value


MIXES_IMAGES = FunctionExercise(
    "mixes_images(network, images)",
    returns=bool,
    reference=mixes_images,
    inputs=lambda draw: [
        (kind, draw.getrandbits(16)) for kind in draw.sample(list(MIXTURES) + ["alone"] * 3, 8)
    ],
    observe=_observe_mixing,
    shown=lambda kind, seed: f"a network in which {MIXTURES[kind]}, images",
    keeps_inputs=True,
    mistakes=[
        Mistake("the reverse", lambda *call: not mixes_images(*call), "Return True where images are mixed."),
        Mistake(
            "always true",
            lambda network, images: True,
            "You return True for every network. Compare the logits of the first image only, up to rounding, and do "
            "not change that image: its logits always depend on it.",
        ),
        Mistake(
            "always false",
            lambda network, images: False,
            "You return False for every network. Are the other images different in the second batch? It must be a "
            "copy (`clone`), or both batches are the same.",
        ),
        Mistake(
            "one other image",
            [
                lambda network, images: _first_logits_change(network, images, slice(1, 2)),
                lambda network, images: _first_logits_change(network, images, slice(-1, None)),
            ],
            "You change one other image. Any image of the batch may be mixed in: change all but the first.",
        ),
        Mistake(
            "other order",
            [
                lambda network, images: _first_logits_change(
                    network, images, slice(1, None), lambda others: others.flip(0)
                ),
                lambda network, images: _first_logits_change(
                    network, images, slice(1, None), lambda others: others.roll(1, 0)
                ),
            ],
            "You only put the other images in another order, which a mean over the batch does not notice. Change "
            "their pixels.",
        ),
        Mistake(
            "shape",
            lambda network, images: network(images).shape[0] != images.shape[0],
            "The shape of the output does not tell. Change one image, and see whose logits change.",
        ),
    ],
)


def _layers_where(
    equal: Callable[[Tensor], Any], kind: type[nn.Module] | tuple[type[nn.Module], ...] = nn.Conv2d
) -> Callable[[nn.Module], list[str]]:
    """Return an `equal_filters` that asks in its own way whether the filters of a weight are equal."""
    return lambda network: [
        name
        for name, layer in network.named_modules()
        if isinstance(layer, kind) and equal(layer.weight.detach())  # type: ignore[operator]
    ]


def _all_equal(weight: Tensor) -> bool:
    return bool((weight == weight[:1]).all())


def _equal_after(read: Callable[[Tensor], Tensor]) -> Callable[[Tensor], bool]:
    return lambda weight: bool((read(weight) - read(weight[:1])).abs().max() < 1e-5)


FILTERS: dict[str, Callable[[Tensor], Tensor]] = {
    "random": lambda weight: weight,
    "equal only in the first two": lambda weight: weight[[0, 0, 2, 3]],
    "equal": lambda weight: weight[:1].expand_as(weight),
    "all of one number": lambda weight: torch.full_like(weight, 0.1),
    "equal only in the first and the last": lambda weight: weight[[0, 1, 2, 0]],
    "random, with equal input channels": lambda weight: weight[:, :1].expand_as(weight),
    "the first one, shifted by pixels": lambda weight: torch.stack(
        [weight[0].roll(by, dims=-1) for by in (0, 1, 2, 1)]
    ),
}


def _observe_filters(function: Callable[..., Any], kinds: list[str], seed: int) -> list[str]:
    draw = Random(seed)
    layers: list[nn.Module] = [nn.Conv2d(3, 4, 3) for _ in kinds]
    linear = nn.Linear(2, 2)
    with torch.no_grad():
        nn.init.ones_(linear.weight)  # equal rows, but no convolution
        for layer, kind in zip(layers, kinds, strict=True):
            layer.weight.copy_(FILTERS[kind](normal(draw, 4, 3, 3, 3)))  # type: ignore[operator]
    return _names("names of layers")(function(nn.Sequential(layers[0], nn.Sequential(*layers[1:]), linear)))


EQUAL_FILTERS = FunctionExercise(
    "equal_filters(network)",
    returns=_names("names of layers"),
    reference=_layers_where(_all_equal),
    inputs=lambda draw: [
        (draw.sample(["all of one number", "random"], 2), draw.getrandbits(16)),
        (draw.sample(list(FILTERS)[1:], len(FILTERS) - 1), draw.getrandbits(16)),
    ],
    observe=_observe_filters,
    shown=lambda kinds, seed: (
        f"a linear layer, and convolutions with filters that are: {'; '.join(kinds)}; all but the first nested"
    ),
    mistakes=[
        Mistake(
            "constant only",
            _layers_where(lambda weight: weight.unique().numel() == 1),
            "You find layers in which every weight is the same. Filters are equal if each is a copy of the first.",
        ),
        Mistake(
            "first two",
            [
                _layers_where(lambda weight: torch.equal(weight[0], weight[1])),
                _layers_where(lambda weight: torch.equal(weight[0], weight[-1])),
                _layers_where(lambda weight: len(weight.unique(dim=0)) < len(weight)),
                _layers_where(lambda weight: bool((weight[1:] == weight[:-1]).all(-1).any())),
            ],
            "Two equal filters are enough for you. All of them must be equal.",
        ),
        Mistake(
            "children",
            lambda network: [name for name in _layers_where(_all_equal)(network) if "." not in name],
            "Layers inside other modules are missing: named_modules() finds them all.",
        ),
        Mistake(
            "input channels",
            _layers_where(lambda weight: _all_equal(weight.transpose(0, 1))),
            "You compare along the input channels. The first dimension of a weight counts the filters.",
        ),
        Mistake(
            "linear layers",
            _layers_where(_all_equal, (nn.Conv2d, nn.Linear)),
            "You list linear layers, too. Only convolutions are asked for.",
        ),
        Mistake(
            "sums or norms",
            [
                _layers_where(_equal_after(lambda weight: weight.sum((1, 2, 3)))),
                _layers_where(_equal_after(lambda weight: weight.flatten(1).norm(dim=1))),
                _layers_where(_equal_after(lambda weight: weight.mean((2, 3)))),
            ],
            "Filters with equal sums, means or norms need not be equal. Compare their entries.",
        ),
    ],
)

POINTERS = {
    "softmax before the loss": "look at its output before training: what does each row sum up to?",
    "gradients accumulate": "take two steps with a learning rate of 0, and compare the norms of the gradients.",
    "no gradient": "which of your tools asks what the loss reaches?",
    "images are mixed": "does the output for one image depend on the others?",
    "parameters missing from the optimizer": "are all parameters changed by a step?",
    "equal filters": "look at the weights themselves.",
}


def _read_diagnosis(answer: Any) -> dict[str, str]:
    if not isinstance(answer, dict) or set(answer) != set(CASES):
        raise Unsuitable("Expected a dictionary with one entry for each of the letters A to F.")
    if not all(type(fault) is str and fault in FAULTS for fault in answer.values()):
        raise Unsuitable(f"Each entry is one of these strings: {'; '.join(FAULTS)}.")
    return dict(answer)


def _first_wrong(diagnosis: dict[str, str]) -> str | None:
    return next((letter for letter, place in CASES.items() if diagnosis[letter] != FAULTS[place]), None)


DIAGNOSIS = ValueExercise(
    "diagnosis",
    read=_read_diagnosis,
    reference={letter: FAULTS[place] for letter, place in CASES.items()},
    mistake=_first_wrong,
    hints={
        letter: f"Training {letter} has another fault: {POINTERS[FAULTS[place]]}"
        for letter, place in CASES.items()
    },
)

EXERCISES = (OVERFIT_ONE_BATCH, WITHOUT_GRADIENT, NOT_IN_OPTIMIZER, MIXES_IMAGES, EQUAL_FILTERS, DIAGNOSIS)
