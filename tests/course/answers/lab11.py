"""The answers that students of lab 11 give."""

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from deepernets.course.exercises.lab11 import CASES, FAULTS

KEY = {letter: FAULTS[place] for letter, place in CASES.items()}


def overfit(case: Any, images: Any, labels: Any, steps: int) -> list[float]:
    losses = []
    for _ in range(steps):
        losses.append(case.step(case.network, images, labels, case.optimizer))
    return losses


def one_at_a_time(case: Any, images: Any, labels: Any, steps: int) -> list[float]:
    return [
        case.step(case.network, images[n % len(images)][None], labels[n % len(images)][None], case.optimizer)
        for n in range(steps)
    ]


def called_once(case: Any, images: Any, labels: Any, steps: int) -> list[float]:
    return [case.step(case.network, images, labels, case.optimizer)] * steps


def measured_afterwards(case: Any, images: Any, labels: Any, steps: int) -> list[float]:
    losses = []
    for _ in range(steps):
        case.step(case.network, images, labels, case.optimizer)
        losses.append(F.cross_entropy(case.network(images), labels).item())
    return losses


def own_step(case: Any, images: Any, labels: Any, steps: int, optimizer: Any = None) -> list[float]:
    losses = []
    for _ in range(steps):
        case.optimizer.zero_grad()
        losses.append(F.cross_entropy(case.network(images), labels))
        losses[-1].backward()
        (optimizer or case.optimizer).step()
    return [loss.item() for loss in losses]


def step_with_cleared_gradients(case: Any, images: Any, labels: Any, steps: int) -> list[float]:
    losses = []
    for _ in range(steps):
        case.optimizer.zero_grad()
        losses += overfit(case, images, labels, 1)
    return losses


def gradients(network: Any, images: Any, labels: Any, clear: bool = True, loss: Any = F.cross_entropy) -> Any:
    if clear:
        network.zero_grad()
    loss(network(images), labels).backward()
    return {name: parameter.grad for name, parameter in network.named_parameters()}


def silent(network: Any, images: Any, labels: Any) -> list[str]:
    found = gradients(network, images, labels)
    return [name for name, gradient in found.items() if gradient is None or (gradient == 0).all()]


def silent_by_autograd(network: Any, images: Any, labels: Any) -> tuple[str, ...]:
    names, parameters = zip(*network.named_parameters(), strict=True)
    loss = nn.CrossEntropyLoss()(network(images), labels)
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    return tuple(n for n, g in zip(names, found, strict=True) if g is None or float(g.abs().sum()) == 0)


def silent_after_a_step(network: Any, images: Any, labels: Any) -> list[str]:
    names = silent(network, images, labels)
    torch.optim.SGD(network.parameters(), lr=0.1).step()
    return names


def silent_where(select: Any, **how: Any) -> Any:
    return lambda *call: [name for name, g in gradients(*call, **how).items() if g is None or select(g)]


def forgotten(network: Any, optimizer: Any) -> list[str]:
    known = [p for group in optimizer.param_groups for p in group["params"]]
    return [name for name, p in network.named_parameters() if not any(p is q for q in known)]


def forgotten_ids(network: Any, optimizer: Any) -> set[str]:
    known = {p.data_ptr() for group in optimizer.param_groups for p in group["params"]}
    return {name for name, p in network.named_parameters() if p.data_ptr() not in known}


def mixed(network: Any, images: Any) -> bool:
    images = images.clone().requires_grad_()
    network(images)[0].sum().backward()
    return bool((images.grad[1:] != 0).any())


def mixed_alone(network: Any, images: Any) -> Any:
    with torch.no_grad():
        return not torch.allclose(network(images)[:1], network(images[[0, 0, 0, 0, 0]])[:1], atol=1e-4)


def mixed_with(change: Any) -> Any:
    """Return a `mixes_images` that changes the batch in its own way."""
    return lambda network, x: not torch.allclose(network(x)[0], network(change(x.clone()))[0], atol=1e-5)


def mixed_in_place(network: Any, images: Any) -> bool:
    before = network(images)[0].clone()
    images[1:] = 0
    return not torch.allclose(before, network(images)[0])


def forgotten_and_added(network: Any, optimizer: Any) -> list[str]:
    names = forgotten(network, optimizer)
    optimizer.add_param_group({"params": [network.get_parameter(name) for name in names]})
    return names


def forgotten_by_number(network: Any, optimizer: Any) -> list[str]:
    known = [p for group in optimizer.param_groups for p in group["params"]]
    return [name for name, p in network.named_parameters() if not any(torch.equal(p, q) for q in known)]


def alike_where(select: Any, kind: Any = nn.Conv2d) -> Any:
    return lambda n: [x for x, m in n.named_modules() if isinstance(m, kind) and select(m.weight.detach())]


def alike(network: Any) -> list[str]:
    found = []
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d) and all(
            torch.equal(layer.weight[0], filter) for filter in layer.weight
        ):
            found.append(name)
    return found


def alike_by_spread(network: Any) -> list[str]:
    layers = {name: layer for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d)}
    return [name for name, layer in layers.items() if layer.weight.double().std(dim=0).max() < 1e-9]


RIGHT: list[tuple[str, Any]] = [
    ("overfit_one_batch", overfit),
    ("overfit_one_batch", lambda case, x, y, steps: torch.tensor(overfit(case, x, y, steps))),
    ("without_gradient", silent),
    ("without_gradient", silent_by_autograd),
    ("not_in_optimizer", forgotten),
    ("not_in_optimizer", forgotten_ids),
    ("mixes_images", mixed),
    ("mixes_images", mixed_alone),
    ("mixes_images", lambda *call: np.bool_(mixed(*call))),
    ("equal_filters", alike),
    ("equal_filters", alike_by_spread),
    ("diagnosis", KEY),
    ("diagnosis", dict(reversed(KEY.items()))),
]
WRONG: list[tuple[str, str, Any]] = [
    ("overfit_one_batch", "one image each", one_at_a_time),
    ("overfit_one_batch", "no training", called_once),
    ("overfit_one_batch", "losses after", measured_afterwards),
    ("overfit_one_batch", "one step more", lambda case, x, y, steps: overfit(case, x, y, steps + 1)[:-1]),
    ("overfit_one_batch", "kind", lambda case, x, y, steps: overfit(case, x, y, steps)[-1]),
    ("overfit_one_batch", "kind", lambda case, x, y, steps: overfit(case, x, y, steps + 1)),
    ("overfit_one_batch", "step of your own", own_step),
    ("overfit_one_batch", "step of your own", step_with_cleared_gradients),
    (
        "overfit_one_batch",
        "other step",
        lambda case, x, y, steps: own_step(
            case, x, y, steps, torch.optim.SGD(case.network.parameters(), lr=0.1)
        ),
    ),
    (
        "overfit_one_batch",
        "counter-example",
        lambda case, x, y, steps: [loss / len(x) for loss in overfit(case, x, y, steps)],
    ),
    ("overfit_one_batch", "exception", lambda case, x, y: overfit(case, x, y, 3)),
    ("without_gradient", "none only", lambda *call: [n for n, g in gradients(*call).items() if g is None]),
    (
        "without_gradient",
        "zero only",
        lambda *call: [n for n, g in gradients(*call).items() if g is not None and not g.any()],
    ),
    (
        "without_gradient",
        "with gradient",
        lambda *call: [n for n, g in gradients(*call).items() if g is not None and g.any()],
    ),
    (
        "without_gradient",
        "before backward",
        lambda network, *batch: [n for n, p in network.named_parameters() if p.grad is None],
    ),
    ("without_gradient", "accumulated", silent_where(lambda g: not g.any(), clear=False)),
    ("without_gradient", "some zeros", silent_where(lambda g: (g == 0).any())),
    ("without_gradient", "small gradients", silent_where(lambda g: g.norm() < 1e-3)),
    ("without_gradient", "sum of the entries", silent_where(lambda g: abs(g.sum()) < 1e-6)),
    ("without_gradient", "sum of the entries", silent_where(lambda g: g.sum() == 0)),
    ("without_gradient", "other loss", silent_where(lambda g: not g.any(), loss=lambda z, _: z.sum())),
    ("without_gradient", "takes a step", silent_after_a_step),
    ("without_gradient", "kind", lambda *call: len(silent(*call))),
    ("without_gradient", "exception", lambda *call: [n for n, g in gradients(*call).items() if not g.any()]),
    (
        "not_in_optimizer",
        "in the optimizer",
        lambda n, o: [x for x, _ in n.named_parameters() if x not in forgotten(n, o)],
    ),
    (
        "not_in_optimizer",
        "first group",
        lambda n, o: [
            x for x, p in n.named_parameters() if id(p) not in map(id, o.param_groups[0]["params"])
        ],
    ),
    (
        "not_in_optimizer",
        "compared by value",
        lambda n, o: [x for x, p in n.named_parameters() if p not in o.param_groups[0]["params"]],
    ),
    ("not_in_optimizer", "compared by value", forgotten_by_number),
    (
        "not_in_optimizer",
        "trainable only",
        lambda n, o: [x for x in forgotten(n, o) if n.get_parameter(x).requires_grad],
    ),
    ("not_in_optimizer", "changes the optimizer", forgotten_and_added),
    ("not_in_optimizer", "counter-example", lambda n, o: [x for x in forgotten(n, o) if "weight" in x]),
    ("not_in_optimizer", "children", lambda n, o: [x for x in forgotten(n, o) if not x.startswith("1.")]),
    ("not_in_optimizer", "kind", lambda n, o: "2.weight"),
    ("not_in_optimizer", "counter-example", lambda n, o: forgotten(n, o)[:1]),
    ("mixes_images", "the reverse", lambda *call: not mixed(*call)),
    ("mixes_images", "always true", lambda n, x: True),
    ("mixes_images", "always false", lambda n, x: False),
    ("mixes_images", "always true", lambda n, x: not torch.equal(n(x), n(x.flip(0)))),
    ("mixes_images", "always false", lambda n, x: mixed_with(lambda copy: x)(n, x)),
    ("mixes_images", "one other image", mixed_with(lambda x: torch.cat([x[:1], x[1:2] + 1, x[2:]]))),
    ("mixes_images", "one other image", mixed_with(lambda x: torch.cat([x[:-1], x[-1:] + 1]))),
    ("mixes_images", "other order", mixed_with(lambda x: torch.cat([x[:1], x[1:].flip(0)]))),
    ("mixes_images", "changes inputs", mixed_in_place),
    ("mixes_images", "kind", lambda n, x: n(x)),
    ("mixes_images", "kind", lambda n, x: "no"),
    (
        "equal_filters",
        "first two",
        lambda n: [
            x for x, m in n.named_modules() if type(m) is nn.Conv2d and (m.weight[0] == m.weight[1]).all()
        ],
    ),
    (
        "equal_filters",
        "constant only",
        lambda n: [
            x for x, m in n.named_modules() if type(m) is nn.Conv2d and m.weight.min() == m.weight.max()
        ],
    ),
    ("equal_filters", "first two", alike_where(lambda w: torch.equal(w[0], w[-1]))),
    ("equal_filters", "linear layers", alike_where(lambda w: (w == w[0]).all(), (nn.Conv2d, nn.Linear))),
    ("equal_filters", "sums or norms", alike_where(lambda w: w.sum((1, 2, 3)).std() < 1e-5)),
    ("equal_filters", "counter-example", lambda n: alike(n)[:1]),
    ("equal_filters", "children", lambda n: [x for x in alike(n) if "." not in x]),
    (
        "equal_filters",
        "input channels",
        lambda n: [
            x for x, m in n.named_modules() if type(m) is nn.Conv2d and (m.weight == m.weight[:, :1]).all()
        ],
    ),
    ("equal_filters", "kind", lambda n: len(alike(n))),
    ("diagnosis", "kind", list(KEY.values())),
    ("diagnosis", "kind", {**KEY, "A": "softmax"}),
    ("diagnosis", "A", {**KEY, "A": KEY["B"], "B": KEY["A"]}),
    ("diagnosis", "F", {**KEY, "F": KEY["C"]}),
    ("diagnosis", "C", {**KEY, "C": KEY["D"], "D": KEY["C"]}),
    ("diagnosis", "E", {**KEY, "E": KEY["F"]}),
    ("diagnosis", "kind", {**KEY, "G": FAULTS[0]}),
]
