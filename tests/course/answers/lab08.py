"""Answers to lab 8 that students give: depth and degradation, identities, gradients, initial weights."""

import math
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def end_errors(epochs: Any, place: int = -1) -> tuple[float, float]:
    return 1 - epochs[place]["train_accuracy"], 1 - epochs[place]["validation_accuracy"]


def diagnose_as_in_the_solution(shallow: Any, deep: Any, tolerance: float = 0.01, far: float = 0.2) -> str:
    (train, validation), (deep_train, deep_validation) = end_errors(shallow), end_errors(deep)
    if train > far or deep_train > far:
        return "not converged"
    if deep_train > train + tolerance:
        return "degradation"
    return "overfitting" if deep_validation > validation + tolerance else "neither"


def diagnose_by_accuracies(shallow: Any, deep: Any, tolerance: float = 0.01, far: float = 0.2) -> str:
    if min(epochs[-1]["train_accuracy"] for epochs in (shallow, deep)) < 1 - far:
        return "not converged"
    last = {key: deep[-1][key] - shallow[-1][key] for key in ("train_accuracy", "validation_accuracy")}
    worse = "overfitting" if last["validation_accuracy"] < -tolerance else "neither"
    return "degradation" if last["train_accuracy"] < -tolerance else worse


def diagnosis(
    place: int = -1, first: int = 0, reverse: bool = False, both: bool = False, gap: bool = False
) -> Callable[..., str]:
    """Return a `diagnose_depth` with a mistake built in."""

    def diagnose(shallow: Any, deep: Any, tolerance: float = 0.01, far: float = 0.2) -> str:
        one, other = end_errors(shallow, place), end_errors(deep, place)
        if max(one[0], other[0]) > far:
            return "not converged"
        if reverse:
            one, other = other, one
        if other[first] > one[first] + tolerance and (not both or other[1] > one[1] + tolerance):
            return "degradation"
        if other[0] > one[0] + tolerance and both:
            return "neither"
        worse = other[1] > other[0] + tolerance if gap else other[1 - first] > one[1 - first] + tolerance
        return "overfitting" if worse else "neither"

    return diagnose


def diagnose_at_best(shallow: Any, deep: Any, tolerance: float = 0.01, far: float = 0.2) -> str:
    best = [max(epochs, key=lambda epoch: epoch["validation_accuracy"]) for epochs in (shallow, deep)]
    return diagnose_as_in_the_solution([best[0]], [best[1]], tolerance, far)


def diagnose_validation_alone(shallow: Any, deep: Any, tolerance: float = 0.01, far: float = 0.2) -> str:
    if max(end_errors(shallow)[0], end_errors(deep)[0]) > far:
        return "not converged"
    return "degradation" if end_errors(deep)[1] > end_errors(shallow)[1] + tolerance else "neither"


def diagnose_one_run(place: int) -> Callable[..., str]:
    """Ask only one of the two runs whether it has converged."""

    def diagnose(shallow: Any, deep: Any, tolerance: float = 0.01, far: float = 0.2) -> str:
        if end_errors((shallow, deep)[place])[0] > far:
            return "not converged"
        return diagnose_as_in_the_solution(shallow, deep, tolerance, far=1)

    return diagnose


def diagnose_convergence_last(shallow: Any, deep: Any, tolerance: float = 0.01, far: float = 0.2) -> str:
    found = diagnose_as_in_the_solution(shallow, deep, tolerance, far=1)
    return diagnose_as_in_the_solution(shallow, deep, tolerance, far) if found == "neither" else found


def identity_as_in_the_solution(channels: int) -> Any:
    weights = torch.zeros(channels, channels, 3, 3)
    for channel in range(channels):
        weights[channel, channel, 1, 1] = 1
    return weights


def identity_in_numpy(channels: int) -> Any:
    centre = np.zeros((3, 3))
    centre[1, 1] = 1
    return np.einsum("oi,hw->oihw", np.eye(channels), centre)


def dirac(channels: int) -> Any:
    return nn.init.dirac_(nn.Parameter(torch.empty(channels, channels, 3, 3)))


def identity_at(row: int, column: int) -> Callable[[int], Any]:
    return lambda channels: identity_as_in_the_solution(channels).roll((row - 1, column - 1), (2, 3))


def centre_of_all(channels: int) -> Any:
    return F.pad(torch.ones(channels, channels, 1, 1), (1, 1, 1, 1))


def eye_everywhere(channels: int) -> Any:
    return torch.eye(channels)[..., None, None].expand(-1, -1, 3, 3)


def mean_loss(network: Any, images: Any, labels: Any) -> Any:
    return F.cross_entropy(network(images), labels)


def weights_of(network: Any, *kinds: Any) -> list[Any]:
    return [
        layer.get_parameter("weight") for layer in network.modules() if isinstance(layer, kinds or nn.Conv2d)
    ]


def norms_as_in_the_solution(network: Any, images: Any, labels: Any) -> Any:
    gradients = torch.autograd.grad(mean_loss(network, images, labels), weights_of(network))
    return [gradient.norm().item() for gradient in gradients]


def norms_by_backward(network: Any, images: Any, labels: Any) -> Any:
    network.zero_grad()
    mean_loss(network, images, labels).backward()
    found = [weights.grad.numpy().ravel() for weights in weights_of(network)]
    return np.array([np.sqrt(np.square(gradient).sum()) for gradient in found])


def norms_cleared_afterwards(network: Any, images: Any, labels: Any) -> Any:
    (-F.log_softmax(network(images), dim=1)[range(len(labels)), labels]).mean().backward()
    norms = torch.stack([weights.grad.norm() for weights in weights_of(network)])
    network.zero_grad()
    return norms


def norms_accumulated(network: Any, images: Any, labels: Any) -> Any:
    mean_loss(network, images, labels).backward()
    return [weights.grad.norm().item() for weights in weights_of(network)]


def norms_added_up(network: Any, images: Any, labels: Any) -> Any:
    norms = norms_accumulated(network, images, labels)
    for weights in weights_of(network):
        weights.grad *= 0.5
    return norms


def norms_of(read: Any = torch.norm, kinds: tuple[Any, ...] = (), loss: Any = F.cross_entropy) -> Any:
    """Return a `gradient_norms` with a mistake built in."""

    def gradient_norms(network: Any, images: Any, labels: Any) -> Any:
        found = torch.autograd.grad(loss(network(images), labels), weights_of(network, *kinds))
        return [float(read(gradient)) for gradient in found]

    return gradient_norms


def norms_with_biases(network: Any, images: Any, labels: Any) -> Any:
    network.zero_grad()
    norms_accumulated(network, images, labels)
    layers: list[Any] = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    return [torch.cat([value.grad.flatten() for value in layer.parameters()]).norm() for layer in layers]


def norms_of_all_parameters(network: Any, images: Any, labels: Any) -> Any:
    gradients = torch.autograd.grad(mean_loss(network, images, labels), list(network.parameters()))
    return [gradient.norm() for gradient in gradients]


def norms_asleep(network: Any, images: Any, labels: Any) -> Any:
    network.eval()
    return norms_as_in_the_solution(network, images, labels)


def norms_in_mode(mode: bool) -> Any:
    """Set a mode, and put back the one that there was."""

    def gradient_norms(network: Any, images: Any, labels: Any) -> Any:
        before = network.training
        norms = norms_as_in_the_solution(network.train(mode), images, labels)
        network.train(before)
        return norms

    return gradient_norms


def norms_of_children(network: Any, images: Any, labels: Any) -> Any:
    weights = [layer.weight for layer in network.children() if isinstance(layer, nn.Conv2d)]
    return [slope.norm() for slope in torch.autograd.grad(mean_loss(network, images, labels), weights)]


def norms_after_a_step(network: Any, images: Any, labels: Any) -> Any:
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    norms = norms_accumulated(network, images, labels)
    optimizer.step()
    return norms


def off_as_in_the_solution(block: Any) -> None:
    for parameter in block.branch[-1].parameters():
        nn.init.zeros_(parameter)


def off_by_data(block: Any) -> Any:
    last = block.branch[len(block.branch) - 1]
    last.weight.data[:] = 0
    last.bias.data.fill_(0)
    return block


def off_by_multiplying(block: Any) -> None:
    with torch.no_grad():
        block.branch.norm2.weight *= 0
        block.branch.norm2.bias -= block.branch.norm2.bias.clone()


def off(*names: str, value: float = 0.0) -> Callable[[Any], None]:
    """Return a `switch_off` that fills these parameters of the branch."""

    def switch_off(block: Any) -> None:
        for name in names:
            nn.init.constant_(block.branch.get_parameter(name), value)

    return switch_off


def off_all_parameters(block: Any) -> None:
    for parameter in block.branch.parameters():
        parameter.data.zero_()


def off_by_replacing(block: Any) -> None:
    block.branch[-1] = nn.Identity()


def off_by_new_parameters(block: Any) -> None:
    off_as_in_the_solution(block)
    for parameter in block.branch[-1].parameters():
        parameter.requires_grad = False


def off_without_no_grad(block: Any) -> None:
    block.branch[-1].weight.zero_()


def off_by_statistics(block: Any) -> None:
    off_as_in_the_solution(block)
    block.branch[-1].reset_running_stats()


def off_asleep(block: Any) -> None:
    block.eval()
    off_as_in_the_solution(block)
    for module in block.modules():
        module.training = False


def off_a_copy(block: Any) -> Any:
    block = deepcopy(block)
    off_as_in_the_solution(block)
    return block


RIGHT: list[tuple[str, Any]] = [
    ("diagnose_depth", diagnose_as_in_the_solution),
    ("diagnose_depth", diagnose_by_accuracies),
    ("identity_convolution", identity_as_in_the_solution),
    ("identity_convolution", identity_in_numpy),
    ("identity_convolution", dirac),
    ("switch_off", off_as_in_the_solution),
    ("switch_off", off_by_data),
    ("switch_off", off_by_multiplying),
    ("gradient_norms", norms_as_in_the_solution),
    ("gradient_norms", norms_by_backward),
    ("gradient_norms", norms_cleared_afterwards),
    ("he_std", lambda c_in, c_out, kernel: math.sqrt(2 / (kernel * kernel * c_in))),
    ("he_std", lambda c_in, c_out, kernel: torch.tensor(2.0).div(c_in).sqrt() / kernel),
]
WRONG: list[tuple[str, str, Any]] = [
    ("diagnose_depth", "validation", diagnosis(first=1)),
    ("diagnose_depth", "validation", diagnose_validation_alone),
    ("diagnose_depth", "reversed", diagnosis(reverse=True)),
    ("diagnose_depth", "first epoch", diagnosis(place=0)),
    ("diagnose_depth", "best epoch", diagnose_at_best),
    (
        "diagnose_depth",
        "same epoch",
        lambda s, d, *limits: diagnose_as_in_the_solution(s[: len(d)], d[: len(s)], *limits),
    ),
    ("diagnose_depth", "both", diagnosis(both=True)),
    ("diagnose_depth", "gap", diagnosis(gap=True)),
    (
        "diagnose_depth",
        "no tolerance",
        lambda s, d, tolerance=0, far=0.2: diagnose_as_in_the_solution(s, d, 0, far),
    ),
    (
        "diagnose_depth",
        "never unconverged",
        lambda s, d, tolerance=0.01, far=0.2: diagnose_as_in_the_solution(s, d, tolerance, 1),
    ),
    ("diagnose_depth", "never unconverged", lambda s, d, *limits: diagnose_as_in_the_solution(s, d, 0, 1)),
    ("diagnose_depth", "one run", diagnose_one_run(0)),
    ("diagnose_depth", "one run", diagnose_one_run(1)),
    ("diagnose_depth", "convergence last", diagnose_convergence_last),
    ("diagnose_depth", "kind", lambda shallow, deep, *limits: end_errors(deep)[0] > end_errors(shallow)[0]),
    ("diagnose_depth", "fixed limits", lambda s, d: diagnose_as_in_the_solution(s, d)),
    ("diagnose_depth", "fixed limits", lambda s, d, *limits: diagnose_as_in_the_solution(s, d)),
    ("diagnose_depth", "counter-example", lambda shallow, deep, *limits: "degradation"),
    ("diagnose_depth", "always unconverged", lambda shallow, deep, *limits: "not converged"),
    ("diagnose_depth", "kind", "degradation"),
    ("identity_convolution", "off centre", identity_at(0, 0)),
    ("identity_convolution", "off centre", identity_at(2, 2)),
    ("identity_convolution", "off centre", identity_at(1, 0)),
    ("identity_convolution", "across channels", centre_of_all),
    ("identity_convolution", "across channels", lambda channels: centre_of_all(channels) / channels),
    ("identity_convolution", "every tap", eye_everywhere),
    ("identity_convolution", "every tap", lambda channels: eye_everywhere(channels) / 9),
    ("identity_convolution", "ones", lambda channels: torch.ones(channels, channels, 3, 3)),
    ("identity_convolution", "zeros", lambda channels: torch.zeros(channels, channels, 3, 3)),
    ("identity_convolution", "one map each", lambda channels: identity_as_in_the_solution(channels)[:, :1]),
    ("identity_convolution", "no side", lambda channels: torch.eye(channels)),
    ("identity_convolution", "no side", lambda channels: torch.eye(channels)[..., None, None]),
    ("identity_convolution", "kind", lambda channels: nn.Conv2d(channels, channels, 3)),
    ("identity_convolution", "counter-example", lambda channels: 2 * identity_as_in_the_solution(channels)),
    ("identity_convolution", "kind", torch.eye(3)),
    ("switch_off", "scale only", off("norm2.weight")),
    ("switch_off", "shift only", off("norm2.bias")),
    ("switch_off", "first normalisation", off("norm1.weight", "norm1.bias")),
    ("switch_off", "first normalisation", off("norm1.weight")),
    ("switch_off", "convolutions", off("conv2.weight")),
    ("switch_off", "convolutions", off("conv1.weight", "conv2.weight")),
    ("switch_off", "too much", off_all_parameters),
    ("switch_off", "too much", off("conv2.weight", "norm2.weight", "norm2.bias")),
    ("switch_off", "replaced", off_by_replacing),
    ("switch_off", "replaced", lambda block: setattr(block, "branch", nn.Sequential())),
    ("switch_off", "frozen", off_by_new_parameters),
    ("switch_off", "exception", off_without_no_grad),
    ("switch_off", "statistics", off_by_statistics),
    ("switch_off", "changes mode", off_asleep),
    ("switch_off", "nothing", off_a_copy),
    ("switch_off", "counter-example", lambda block: setattr(block.branch[-1], "weight", None)),
    ("switch_off", "nothing", lambda block: block.shortcut),
    ("switch_off", "counter-example", off("norm2.weight", "norm2.bias", value=0.5)),
    ("switch_off", "kind", 0),
    ("gradient_norms", "accumulated", norms_accumulated),
    ("gradient_norms", "counter-example", norms_added_up),
    ("gradient_norms", "evaluation mode", norms_in_mode(False)),
    ("gradient_norms", "training mode", norms_in_mode(True)),
    (
        "gradient_norms",
        "changes mode",
        lambda network, *batch: norms_as_in_the_solution(network.train(), *batch),
    ),
    ("gradient_norms", "too few", norms_of_children),
    ("gradient_norms", "kind", lambda *batch: iter(norms_as_in_the_solution(*batch))),
    ("gradient_norms", "counter-example", lambda *batch: sorted(norms_as_in_the_solution(*batch))),
    (
        "diagnose_depth",
        "changes inputs",
        lambda s, d, *limits: diagnose_as_in_the_solution([s.pop()], d, *limits),
    ),
    ("identity_convolution", "kind", lambda channels: identity_as_in_the_solution(channels).tolist()),
    ("identity_convolution", "counter-example", lambda channels: identity_as_in_the_solution(3)),
    ("he_std", "half a root", lambda c_in, c_out, kernel: 2 / math.sqrt(kernel**2 * c_in)),
    ("gradient_norms", "changes weights", norms_after_a_step),
    ("gradient_norms", "bias", norms_with_biases),
    ("gradient_norms", "other layers", norms_of_all_parameters),
    ("gradient_norms", "other layers", norms_of(kinds=(nn.Conv2d, nn.Linear))),
    ("gradient_norms", "too few", lambda *batch: norms_as_in_the_solution(*batch)[:1]),
    ("gradient_norms", "too few", lambda *batch: ()),
    ("gradient_norms", "kind", lambda *batch: sum(norms_as_in_the_solution(*batch))),
    ("gradient_norms", "kind", lambda *batch: dict(enumerate("abc", 1)).values()),
    ("gradient_norms", "reversed", lambda *batch: norms_as_in_the_solution(*batch)[::-1]),
    ("gradient_norms", "sum", norms_of(torch.sum)),
    ("gradient_norms", "sum", norms_of(lambda gradient: gradient.abs().sum())),
    ("gradient_norms", "mean", norms_of(lambda gradient: gradient.abs().mean())),
    ("gradient_norms", "mean", norms_of(lambda gradient: gradient.square().mean().sqrt())),
    ("gradient_norms", "largest", norms_of(lambda gradient: gradient.abs().max())),
    ("gradient_norms", "squared", norms_of(lambda gradient: gradient.square().sum())),
    ("gradient_norms", "weights", lambda network, *batch: [w.norm() for w in weights_of(network)]),
    ("gradient_norms", "softmax", norms_of(loss=lambda x, y: F.cross_entropy(x.softmax(dim=1), y))),
    ("gradient_norms", "summed loss", norms_of(loss=nn.CrossEntropyLoss(reduction="sum"))),
    ("gradient_norms", "changes mode", norms_asleep),
    ("gradient_norms", "other loss", norms_of(loss=lambda x, y: x.sum())),
    ("gradient_norms", "counter-example", norms_of(loss=lambda x, y: -x[range(len(y)), y].mean())),
    ("gradient_norms", "kind", [1.0, 2.0, 3.0]),
    ("he_std", "fan out", lambda c_in, c_out, kernel: math.sqrt(2 / (kernel**2 * c_out))),
    ("he_std", "variance", lambda c_in, c_out, kernel: 2 / (kernel**2 * c_in)),
    ("he_std", "factor 1", lambda c_in, c_out, kernel: 1 / (kernel * math.sqrt(c_in))),
    ("he_std", "glorot", lambda c_in, c_out, kernel: math.sqrt(2 / (c_in + c_out)) / kernel),
    ("he_std", "kernel not squared", lambda c_in, c_out, kernel: math.sqrt(2 / (kernel * c_in))),
    ("he_std", "no kernel", lambda c_in, c_out, kernel: math.sqrt(2 / c_in)),
    ("he_std", "upside down", lambda c_in, c_out, kernel: math.sqrt(c_in / 2) * kernel),
    ("he_std", "uniform", lambda c_in, c_out, kernel: math.sqrt(6 / c_in) / kernel),
    ("he_std", "counter-example", lambda c_in, c_out, kernel: 0.0589),
    ("he_std", "kind", lambda c_in, c_out, kernel: "small"),
    ("he_std", "kind", 0.059),
]
