"""Exercises of lab 11: why does it not train? And six trainings, each with one fault, to find it in."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import SGD, Optimizer

from deepernets.course.exercises.judging import FunctionExercise, Mistake, Symptom, ValueExercise
from deepernets.course.exercises.values import Unsuitable, normal, numbers

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


def train_step(network: nn.Module, images: Tensor, labels: Tensor, optimizer: Optimizer) -> float:
    """Take one step on a batch, and return its loss before the step."""
    optimizer.zero_grad()
    loss = F.cross_entropy(network(images), labels)
    loss.backward()
    optimizer.step()
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
    step: Step = field(default=train_step)


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
    step = _step_without_zero_grad if fault == "gradients accumulate" else train_step
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


def _observe_overfitting(function: Callable[..., Any], seed: int, steps: int) -> dict[str, Any]:
    case = training_case(seed=seed)
    losses = numbers("the loss before each step", length=steps)(function(case, *_batch(seed), steps))
    weights = torch.cat([parameter.detach().flatten() for parameter in case.network.parameters()])
    return {"the list of losses": losses, "the weights after the last step": weights}


def _one_image_each(case: TrainingCase, images: Tensor, labels: Tensor, steps: int) -> list[float]:
    places = [torch.tensor([place % len(images)]) for place in range(steps)]
    return [case.step(case.network, images[place], labels[place], case.optimizer) for place in places]


def _one_step_more(case: TrainingCase, images: Tensor, labels: Tensor, steps: int) -> list[float]:
    return overfit_one_batch(case, images, labels, steps + 1)[:steps]


OVERFIT_ONE_BATCH = FunctionExercise(
    "overfit_one_batch(case, images, labels, steps)",
    returns=numbers("the loss before each step"),
    reference=overfit_one_batch,
    inputs=lambda draw: [(draw.getrandbits(16), 1), (draw.getrandbits(16), 7)],
    observe=_observe_overfitting,
    shown=lambda seed, steps: f"case, images, labels, steps={steps}",
    mistakes=[
        Mistake("one image each", _one_image_each, "Give each step the whole batch, not one image of it."),
        Symptom(
            "no training",
            lambda given, right: all(len(set(outcome["the list of losses"])) == 1 for outcome in given[1::2]),
            "The losses are all equal: is `case.step` called once for each of them?",
        ),
        Mistake(
            "one step more",
            lambda *call: [
                overfit_one_batch(*call),
                call[0].step(call[0].network, *call[1:3], call[0].optimizer),
            ][0],
            "You take one step more than you return losses.",
        ),
        Symptom(
            "losses after",
            lambda given, right: all(
                abs(one["the list of losses"][0] - other["the list of losses"][1]) < 1e-6
                for one, other in zip(given[1::2], right[1::2], strict=True)
            ),
            "Your list starts with the loss after the first step. `case.step` returns the loss before its step.",
        ),
    ],
)


def without_gradient(network: nn.Module, images: Tensor, labels: Tensor) -> list[str]:
    """Return the names of the parameters whose gradient is None, or zero throughout."""
    network.zero_grad()
    F.cross_entropy(network(images), labels).backward()
    return [
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]


def _names(what: str) -> Callable[[Any], list[str]]:
    """Return a reader of a list of names, in any order."""

    def read(value: Any) -> list[str]:
        if isinstance(value, str | bytes | dict) or not hasattr(value, "__iter__"):
            raise Unsuitable(f"Expected a list of {what}.")
        entries = list(value)[:1000]
        if not all(type(entry) is str for entry in entries):
            raise Unsuitable(f"Expected a list of {what}, each a string.")
        return sorted(entries)

    return read


class _Frozen(nn.Module):
    """A network with a parameter that is not used, one that is used and detached, and one behind a dead ReLU."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU())
        self.side = nn.Linear(12, 5)
        self.unused = nn.Linear(2, 2)
        self.head = nn.Linear(5, CLASSES)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.rand(parameter.shape, generator=generator))
        self.detached = bool(seed % 2)
        if not self.detached:
            nn.init.constant_(self.body[1].bias, -1000.0)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 3)."""
        side = self.side(images.flatten(1))
        logits: Tensor = self.head(self.body(images) + (side.detach() if self.detached else side))
        return logits


def _observe_frozen(function: Callable[..., Any], seed: int) -> dict[str, Any]:
    network, draw = _Frozen(seed), Random(seed)
    images, labels = normal(draw, 4, 3, 2, 2).abs(), torch.tensor([0, 1, 2, 1])
    before = [parameter.detach().clone() for parameter in network.parameters()]
    names = _names("names of parameters")(function(network, images, labels))
    again = _names("names of parameters")(function(network, images, labels))
    kept = all(map(torch.equal, before, [parameter.detach() for parameter in network.parameters()]))
    return {"the list of names": names, "the list at a second call": again, "weights kept": kept}


WITHOUT_GRADIENT = FunctionExercise(
    "without_gradient(network, images, labels)",
    returns=_names("names of parameters"),
    reference=without_gradient,
    inputs=lambda draw: [(2 * draw.randrange(1000),), (2 * draw.randrange(1000) + 1,)],
    observe=_observe_frozen,
    shown=lambda seed: "network, images, labels",
    mistakes=[
        Mistake(
            "none only",
            lambda network, images, labels: [
                name
                for name, parameter in network.named_parameters()
                if without_gradient(network, images, labels) and parameter.grad is None
            ],
            "You find the gradients that are None. A gradient can also be a tensor of zeros.",
        ),
        Mistake(
            "zero only",
            lambda network, images, labels: [
                name
                for name, parameter in network.named_parameters()
                if without_gradient(network, images, labels)
                and parameter.grad is not None
                and not parameter.grad.any()
            ],
            "You find gradients of zeros. A parameter that the loss does not reach has a gradient of None.",
        ),
        Mistake(
            "with gradient",
            lambda network, images, labels: [
                name
                for name, _ in network.named_parameters()
                if name not in without_gradient(network, images, labels)
            ],
            "Those are the parameters that do have a gradient.",
        ),
        Mistake(
            "before backward",
            lambda network, images, labels: [name for name, _ in network.named_parameters()],
            "You list every parameter: is loss.backward() called before you look at the gradients?",
        ),
        Symptom(
            "takes a step",
            lambda given, right: not any(outcome["weights kept"] for outcome in given),
            "Your function changes the weights. Compute gradients, but take no step.",
        ),
    ],
)


def not_in_optimizer(network: nn.Module, optimizer: Optimizer) -> list[str]:
    """Return the names of the parameters that the optimizer does not change."""
    known = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    return [name for name, parameter in network.named_parameters() if id(parameter) not in known]


def _observe_optimizer(function: Callable[..., Any], groups: list[list[str]]) -> list[str]:
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)), nn.Linear(4, 4)
    )
    named = dict(network.named_parameters())
    optimizer = SGD([{"params": [named[name] for name in group]} for group in groups], lr=0.1)
    return _names("names of parameters")(function(network, optimizer))


def _groups(draw: Random) -> list[tuple[list[list[str]]]]:
    names = ["0.weight", "0.bias", "1.0.weight", "1.0.bias", "1.1.weight", "1.1.bias", "2.weight", "2.bias"]
    some = draw.sample(names, 5)
    return [([names],), ([names[:6]],), ([some[:2], some[2:]],)]


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
            lambda network, optimizer: [
                name
                for name, _ in network.named_parameters()
                if name not in not_in_optimizer(network, optimizer)
            ],
            "Those are the parameters that the optimizer has.",
        ),
        Mistake(
            "compared by value",
            lambda network, optimizer: [
                name
                for name, parameter in network.named_parameters()
                if parameter in [known for group in optimizer.param_groups for known in group["params"]]
            ],
            "`in` and == compare tensors by their values, entry by entry. Compare objects, with `is` or id().",
        ),
        Mistake(
            "children",
            lambda network, optimizer: [
                name for name in not_in_optimizer(network, optimizer) if name.count(".") < 2
            ],
            "Parameters of nested modules are missing: named_parameters() finds them all.",
        ),
    ],
)


def mixes_images(network: nn.Module, images: Tensor) -> bool:
    """Return whether the output for one image depends on the other images of the batch."""
    return _first_logits_change(network, images, slice(1, None))


def _first_logits_change(network: nn.Module, images: Tensor, others: slice) -> bool:
    """Return whether the logits of the first image change when some other images are made black."""
    changed = images.clone()
    changed[others] = 0
    with torch.no_grad():
        return not torch.allclose(network(images)[0], network(changed)[0], atol=1e-5)


class _Batchwise(nn.Module):
    """A linear network that mixes no images, or each with the one after it, or the first with the last."""

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
        logits: Tensor = self.linear(rows)
        return logits


def _observe_mixing(function: Callable[..., Any], kind: str, seed: int) -> bool:
    value = function(_Batchwise(kind).eval(), normal(Random(seed), 5, 3, 2, 2))
    if isinstance(value, Tensor) and value.numel() == 1 and value.dtype == torch.bool:
        value = bool(value)
    if type(value) is not bool:
        raise Unsuitable("Expected True or False.")
    return value


MIXES_IMAGES = FunctionExercise(
    "mixes_images(network, images)",
    returns=bool,
    reference=mixes_images,
    inputs=lambda draw: [(kind, draw.getrandbits(16)) for kind in ("alone", "next", "reshaped", "last")],
    observe=_observe_mixing,
    shown=lambda kind, seed: f"a network in which the images are: {kind}, images",
    keeps_inputs=True,
    mistakes=[
        Mistake("the reverse", lambda *call: not mixes_images(*call), "Return True where images are mixed."),
        Mistake(
            "its own image",
            lambda network, images: True,
            "Every output depends on its own image. Change the *other* images of the batch.",
        ),
        Mistake("always false", lambda network, images: False, "You return False for every network."),
        Mistake(
            "neighbour only",
            lambda network, images: (
                _Batchwise.__name__ == type(network).__name__ and network.kind in ("next", "reshaped")
            ),
            "You look at the first images only. Any image of the batch may be mixed in, the last one too.",
        ),
        Mistake(
            "shape",
            lambda network, images: network(images).shape[0] != images.shape[0],
            "The shape of the output does not tell. Change one image, and see whose logits change.",
        ),
    ],
)


def equal_filters(network: nn.Module) -> list[str]:
    """Return the names of the convolutions whose filters are all equal."""
    return [
        name
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv2d) and bool((layer.weight == layer.weight[:1]).all())
    ]


def _observe_filters(function: Callable[..., Any], kinds: list[str], seed: int) -> list[str]:
    generator = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    for kind in kinds:
        layer = nn.Conv2d(3, 4, 3)
        with torch.no_grad():
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator))
            if kind == "equal":
                layer.weight.copy_(layer.weight[:1].expand_as(layer.weight))
            if kind == "two equal":
                layer.weight[1] = layer.weight[0]
            if kind == "random and grey":
                layer.weight.copy_(layer.weight[:, :1].expand_as(layer.weight))
            if kind == "constant":
                layer.weight.fill_(0.1)
        layers.append(layer)
    nested = nn.Sequential(layers[0], nn.Sequential(*layers[1:]), nn.Linear(2, 2))
    return _names("names of layers")(function(nested))


EQUAL_FILTERS = FunctionExercise(
    "equal_filters(network)",
    returns=_names("names of layers"),
    reference=equal_filters,
    inputs=lambda draw: [
        (["constant", "random"], draw.getrandbits(16)),
        (["random and grey", "equal", "two equal", "constant"], draw.getrandbits(16)),
    ],
    observe=_observe_filters,
    shown=lambda kinds, seed: (
        f"convolutions with filters that are: {', '.join(kinds)}; all but the first nested"
    ),
    mistakes=[
        Mistake(
            "constant only",
            lambda network: [
                name
                for name, layer in network.named_modules()
                if isinstance(layer, nn.Conv2d) and layer.weight.unique().numel() == 1
            ],
            "You find layers in which every weight is the same. Filters are equal if each is a copy of the first.",
        ),
        Mistake(
            "first two",
            lambda network: [
                name
                for name, layer in network.named_modules()
                if isinstance(layer, nn.Conv2d) and torch.equal(layer.weight[0], layer.weight[1])
            ],
            "You compare two of the filters. All of them must be equal.",
        ),
        Mistake(
            "children",
            lambda network: [name for name in equal_filters(network) if "." not in name],
            "Layers inside other modules are missing: named_modules() finds them all.",
        ),
        Mistake(
            "input channels",
            lambda network: [
                name
                for name, layer in network.named_modules()
                if isinstance(layer, nn.Conv2d) and bool((layer.weight == layer.weight[:, :1]).all())
            ],
            "You compare along the input channels. The first dimension of a weight counts the filters.",
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
