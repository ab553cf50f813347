"""Exercises of lab 9: heat maps, occlusion, calibration, principal components, fine-tuning."""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import SGD

from deepernets.analysis import interpretability
from deepernets.course.exercises.judging import FunctionExercise, Mistake, Symptom, every, fails
from deepernets.course.exercises.values import (
    Raised,
    Stopped,
    Unsuitable,
    attempt,
    difference,
    kind_of,
    normal,
    number,
    numbers,
    tensor,
)


def _heat(
    maps: Tensor, gradients: Tensor, dim: Any = (1, 2), last: Callable[[Tensor], Tensor] = torch.relu
) -> Tensor:
    """Return Grad-CAM's heat map; or one with gradients averaged over other dimensions, or another last step."""
    return last((gradients.mean(dim=dim, keepdim=True) * maps).sum(dim=0))


def _weights(gradients: Tensor) -> Tensor:
    return gradients.mean(dim=(1, 2), keepdim=True)  # (C, 1, 1)


def _of_weights(change: Callable[[Tensor], Tensor], **last: Any) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda maps, gradients: _heat(maps, change(_weights(gradients)), **last)


def _maps_and_gradients(draw: Random) -> list[tuple[Tensor, Tensor]]:
    """Return maps and gradients of which every other channel speaks against the class."""
    small = torch.tensor([[[3.0, 0.0], [0.0, 1.0]], [[0.0, 2.0], [0.0, 5.0]]])
    cases = [(small, torch.tensor([2.0, -1.0])[:, None, None].expand(2, 2, 2).clone())]
    for channels, after_relu in ((6, True), (4, False)):
        maps, gradients = normal(draw, channels, 4, 5), normal(draw, channels, 4, 5)
        signs = torch.tensor([1.0, -1.0] * (channels // 2))[:, None, None]
        cases.append((maps.relu() if after_relu else maps, gradients - _weights(gradients) + 0.7 * signs))
    return cases


HEAT_MAP = FunctionExercise(
    "heat_map(maps, gradients)",
    returns=tensor("the heat map, (h, w)", arrays=True),
    reference=_heat,
    inputs=_maps_and_gradients,
    keeps_inputs=True,
    mistakes=[
        Mistake("no relu", partial(_heat, last=torch.clone), "What speaks against the class is still in it."),
        Mistake("summed", lambda m, g: _heat(m, g) * m[0].numel(), "You sum gradients. α is their mean."),
        Mistake(
            "square maps",
            [
                lambda m, g: _heat(m, g) * m.shape[2] / m.shape[1],
                lambda m, g: _heat(m, g) * m.shape[1] / m.shape[2],
            ],
            "Right for square maps only. A mean divides by the number of places, which is h·w.",
        ),
        Mistake(
            "stretched",
            [lambda m, g: _heat(m, g) / _heat(m, g).max(), lambda m, g: _heat(m, g) / len(m)],
            "Right up to a factor: do not divide by the largest value or the number of channels.",
        ),
        Mistake(
            "relu each",
            lambda m, g: (_weights(g) * m).relu().sum(dim=0),
            "Channels may speak against each other: first add them up, then take the ReLU.",
        ),
        Mistake(
            "relu of weights",
            [_of_weights(torch.relu), _of_weights(torch.relu, last=torch.clone)],
            "Channels with a negative weight belong to the sum. The ReLU comes after it.",
        ),
        Mistake(
            "relu of gradients", lambda m, g: _heat(m, g.relu()), "Average all gradients, negative ones too."
        ),
        Mistake(
            "not averaged",
            [lambda m, g: (g * m).sum(dim=0), lambda m, g: (g * m).sum(dim=0).relu()],
            "Each channel has one weight, the mean of its gradients over rows and columns.",
        ),
        Mistake(
            "maps alone",
            [lambda m, _: m.sum(0), lambda m, _: m.sum(0).relu(), lambda m, _: m.mean(0).relu()],
            "The maps are not weighted yet. How much does each channel matter for the class?",
        ),
        Mistake("gradients alone", lambda m, g: g.sum(dim=0).relu(), "Those are gradients without maps."),
        Mistake(
            "one dimension",
            [partial(_heat, dim=dim) for dim in range(3)],
            "You average over one dimension only. Each channel has one number: which two go?",
        ),
        Mistake("exchanged", lambda m, g: _heat(g, m), "The gradients weight the maps, not vice versa."),
        Mistake(
            "not summed",
            [lambda m, g: (_weights(g) * m).relu(), lambda m, g: _weights(g) * m],
            "One map per channel is left. Add them up.",
        ),
        Mistake(
            "absolute",
            partial(_heat, last=torch.abs),
            "You take absolute values. What speaks against the class must become 0.",
        ),
        Mistake("backwards", lambda m, g: _heat(m, -g), "That is what speaks against the class."),
    ],
)


ALL = slice(None)


def _hide(image: Tensor, rows: slice, columns: slice, channels: Any = ALL, value: Any = 0.0) -> Tensor:
    copy = image.clone()
    copy[channels, rows, columns] = value
    return copy


def _hidden(image: Tensor, row: int, column: int, size: int, **changes: Any) -> Tensor:
    return _hide(image, slice(row, row + size), slice(column, column + size), **changes)


def _around(image: Tensor, row: int, column: int, size: int, odd: int) -> Tensor:
    rows, columns = (slice(max(at - size // 2, 0), at + size // 2 + odd) for at in (row, column))
    return _hide(image, rows, columns)


def _images_and_squares(draw: Random) -> list[tuple[Tensor, int, int, int]]:
    return [
        (torch.ones(1, 2, 3), 0, 1, 1),
        (normal(draw, 3, 11, 12) + 0.5, 2, 3 + draw.randrange(2), 5),
        (normal(draw, 3, 11, 12) + 0.5, 4, draw.randrange(2), 3),
        (normal(draw, 3, 12, 9) + 0.5, 8, 5, 4),  # up to the last row and column
    ]


HIDDEN = FunctionExercise(
    "hidden(image, row, column, size)",
    returns=tensor("the changed copy of the image"),
    reference=_hidden,
    inputs=_images_and_squares,
    keeps_inputs=True,
    mistakes=[
        Mistake("rows for columns", lambda i, r, c, s: _hidden(i, c, r, s), "You exchange row and column."),
        Mistake(
            "one channel",
            [partial(_hidden, channels=0), partial(_hidden, channels=-1)],
            "Only one channel is hidden. The square covers all of them.",
        ),
        Mistake(
            "channels for rows",
            lambda i, r, c, s: _hide(i, slice(c, c + s), ALL, slice(r, r + s)),
            "The first dimension is the channel. The row comes second.",
        ),
        Mistake("one more", lambda i, r, c, s: _hidden(i, r, c, s + 1), "The square is one pixel too large."),
        Mistake(
            "one less",
            [lambda i, r, c, s: _hidden(i, r, c, s - 1), lambda i, r, c, s: _hidden(i, r + 1, c + 1, s - 1)],
            "The square is one pixel too small: a slice includes its start, and ends before its end.",
        ),
        Mistake(
            "end for size",
            lambda i, r, c, s: _hide(i, slice(r, s), slice(c, s)),
            "A slice ends at its end, not after `size` entries.",
        ),
        Mistake(
            "centred",
            [partial(_around, odd=0), partial(_around, odd=1)],
            "Your square is around the given place. It starts there.",
        ),
        Mistake(
            "other value",
            [
                partial(_hidden, value=1.0),
                lambda i, *square: _hidden(i, *square, value=i.mean()),
                lambda i, *square: _hidden(i, *square, value=i.mean(dim=(1, 2), keepdim=True)),
            ],
            "The square has another value than 0, the mean colour of a normalised image.",
        ),
        Mistake(
            "stripes",
            [
                lambda i, r, c, s: _hide(i, slice(r, r + s), ALL),
                lambda i, r, c, s: _hide(i, ALL, slice(c, c + s)),
            ],
            "Whole rows or columns are hidden. Only `size` pixels of each should be.",
        ),
        Mistake("nothing hidden", lambda i, *square: i, "Nothing has changed in the copy that you return."),
        Mistake("square alone", lambda i, *square: i - _hidden(i, *square), "Only the square is left."),
        Mistake(
            "cut out",
            lambda i, r, c, s: i[:, r : r + s, c : c + s],
            "You cut the square out. Return the whole image.",
        ),
    ],
)


Places = Callable[[Tensor, int], Tensor]


def _place(confidence: Tensor, bins: int) -> Tensor:
    return (confidence * bins).floor().clamp(max=bins - 1)


def _gaps(confidence: Tensor, right: Tensor, bins: int, place: Places) -> tuple[Tensor, Tensor]:
    """Return, for each bin that is not empty, accuracy less confidence, and its number of images."""
    places = place(confidence, bins)
    found = [places == bin_ for bin_ in range(bins) if (places == bin_).any()]
    gaps = [(right[here].double() - confidence[here].double()).mean() for here in found]
    return torch.stack(gaps), torch.stack([here.sum() for here in found])


def _calibration(
    confidence: Tensor, right: Tensor, bins: int, place: Places = _place, more: int = 0
) -> float:
    """Return the calibration error; or one with bins of another kind, and `more` of them at the end."""
    gaps, images = _gaps(confidence, right, bins + more, lambda c, _: place(c, bins))
    return float((gaps.abs() * images).sum()) / len(confidence)


def _by(rule: Callable[[Tensor, Tensor, int], Tensor]) -> Callable[[Tensor, Tensor, int], float]:
    """Return a `calibration_error` by a rule on gaps, images of each bin that is not empty, and number of bins."""
    return lambda confidence, right, bins: float(rule(*_gaps(confidence, right, bins, _place), bins))


def _answers(draw: Random) -> list[tuple[Tensor, Tensor, int]]:
    """Return confidences, whether the answers were right, and a number of bins; some confidences are 0 or 1."""
    cases = [([0.9375, 0.9375, 0.4375], [True, False, True], 2)]
    for bins in (10, draw.choice((5, 7, 8, 12))):
        drawn = [draw.randrange(1, 256, 2) / 256 for _ in range(40)]  # never at the edge of a bin
        cases.append((drawn, [confidence > 0.9 or draw.random() < 0.55 for confidence in drawn], bins))
    ends = [1.0, 1.0, 0.0, *cases[1][0]], [True, False, True, *cases[1][1]], 10
    edges = [0.5, 0.375, 0.75, 0.625], [False, True, True, False], 4
    return [(torch.tensor(sure), torch.tensor(right), bins) for sure, right, bins in (*cases, ends, edges)]


def _is_undefined(outcome: Any) -> bool:
    return outcome.kind == "ZeroDivisionError" if isinstance(outcome, Stopped) else outcome != outcome


CALIBRATION_ERROR = FunctionExercise(
    "calibration_error(confidence, right, bins)",
    returns=number("the expected calibration error, from 0 to 1"),
    reference=_calibration,
    inputs=_answers,
    tolerance=1e-5,
    mistakes=[
        Symptom(
            "empty bins",
            lambda given, right: (
                len({_is_undefined(one) for one in given}) == 2
            ),  # the first has no empty bin
            "A bin without images has no mean, and gives nan or a division by 0: leave it out.",
        ),
        Mistake(
            "signed",
            [_by(lambda g, n, _: (g * n).sum() / n.sum()), _by(lambda g, n, _: -(g * n).sum() / n.sum())],
            "Gaps of different sign cancel. Take their size in each bin.",
        ),
        Mistake("squared", _by(lambda g, n, _: (g**2 * n).sum() / n.sum()), "You square the gaps."),
        Mistake(
            "unweighted",
            [_by(lambda g, n, bins: g.abs().mean()), _by(lambda g, n, bins: g.abs().sum() / bins)],
            "A bin with one image counts as much as one with twenty: weight each gap with its images.",
        ),
        Mistake(
            "not divided",
            [_by(lambda g, n, _: (g.abs() * n).sum()), _by(lambda g, n, bins: (g.abs() * n).sum() / bins)],
            "Divide the weighted gaps by the number of all images.",
        ),
        Mistake("sum", _by(lambda gaps, n, _: gaps.abs().sum()), "That is the sum of all gaps."),
        Mistake("largest", _by(lambda gaps, n, _: gaps.abs().max()), "That is the largest gap only."),
        Mistake(
            "last bin",
            partial(_calibration, place=lambda c, bins: (c * bins).floor()),
            "Images with a confidence of exactly 1 are in no bin of yours. Where do they belong?",
        ),
        Mistake(
            "one bin more",
            partial(_calibration, place=lambda c, bins: (c * bins).floor(), more=1),
            "Images with a confidence of exactly 1 have a bin of their own. They belong to the last one.",
        ),
        Mistake(
            "first bin",
            partial(_calibration, place=lambda c, bins: _place(c, bins) - 1),
            "Bins count from 0.",
        ),
        Mistake(
            "upper edge",
            [
                partial(_calibration, place=lambda c, bins: (c * bins).ceil() - 1),
                partial(_calibration, place=lambda c, bins: ((c * bins).ceil() - 1).clamp(min=0)),
            ],
            "A confidence at the edge of two bins, such as 0.5 with four bins, belongs to the upper one.",
        ),
        Mistake(
            "rounded",
            [
                partial(_calibration, place=lambda c, bins: (c * bins).round(), more=1),
                partial(_calibration, place=lambda c, bins: (c * bins).round().clamp(max=bins - 1)),
            ],
            "You round to the nearest bin. A bin reaches from its lower edge up to the next.",
        ),
        Mistake(
            "own range",
            partial(
                _calibration, place=lambda c, bins: _place((c.double() - c.min()) / (c.max() - c.min()), bins)
            ),
            "Your bins reach from the smallest confidence to the largest. They always reach from 0 to 1.",
        ),
        Mistake("one bin", lambda c, r, bins: _calibration(c, r, 1), "That is one gap over all images."),
        Mistake(
            "image by image",
            lambda c, r, bins: (r.double() - c).abs().mean(),
            "A single image is right or wrong: compare shares, in bins of similar confidence.",
        ),
        Mistake("percent", lambda *answers: 100 * _calibration(*answers), "Return a share, not percent."),
        Mistake(
            "fixed bins",
            [lambda c, r, bins: _calibration(c, r, 10), lambda c, r, bins: _calibration(c, r, 15)],
            "You always use the same number of bins. Where is `bins` used?",
        ),
    ],
)


def _features_and_counts(draw: Random) -> list[tuple[Tensor, int]]:
    """Return features far from 0 whose principal directions are clear; once more features than images."""
    cases = [(torch.tensor([[0.0, 1.0], [1.0, 2.0], [3.0, 4.0]]), 1)]
    for images, features, k in ((30, 5, 2), (20, 5, 3), (4, 6, 2)):
        spread = 2.0 ** torch.arange(3, 3 - features, -1)
        turned, _ = torch.linalg.qr(normal(draw, features, features))
        cases.append((normal(draw, images, features) * spread @ turned + 5 * normal(draw, features), k))
    return cases


def _observe_points(function: Callable[..., Any], features: Tensor, k: int) -> dict[str, Tensor]:
    """Return the coordinates along directions turned so that the farthest image is on the positive side."""
    points = tensor("the coordinates, (N, k)", arrays=True)(function(features, k))
    if points.dim() == 2 and points.numel():
        farthest = points.gather(0, points.abs().argmax(dim=0, keepdim=True))
        points = points * torch.where(farthest < 0, -1.0, 1.0)
    return {"the coordinates (up to signs)": points}


def _rows(features: Tensor) -> Tensor:
    """Return the principal directions of features that are centred already."""
    return torch.linalg.svd(features, full_matrices=False)[2]


def _centred(features: Tensor) -> Tensor:
    return features - features.mean(dim=0)


def _along_own(features: Tensor, k: int) -> Tensor:
    return features @ _rows(features)[:k].T


def _standardised(features: Tensor, k: int, correction: int) -> Tensor:
    return _along_own(_centred(features) / features.std(dim=0, correction=correction), k)


_right = interpretability.principal_components
PROJECTED = FunctionExercise(
    "projected(features, k)",
    returns=tensor("the coordinates, (N, k)", arrays=True),
    reference=_right,
    inputs=_features_and_counts,
    observe=_observe_points,
    tolerance=0.01,  # single and double precision differ in the fourth decimal where features are far from 0
    mistakes=[
        Mistake(
            "not centred",
            _along_own,
            "The features are not centred, so your first direction points at the mean.",
        ),
        Mistake(
            "centred for directions only",
            lambda x, k: x @ _rows(_centred(x))[:k].T,
            "Project the centred features, too.",
        ),
        Mistake(
            "centred too late",
            [lambda x, k: _centred(x) @ _rows(x)[:k].T, lambda x, k: _centred(_along_own(x, k))],
            "Subtract the mean before the decomposition, or the first direction points at the mean.",
        ),
        Mistake(
            "last directions",
            [
                lambda x, k: _centred(x) @ _rows(_centred(x))[-k:].T,
                lambda x, k: _right(x, min(x.shape)).flip(1)[:, :k],
                lambda x, k: _centred(x) @ torch.linalg.eigh(_centred(x).T @ _centred(x))[1][:, :k],
            ],
            "Those are the directions of least variance. svd gives the largest first.",
        ),
        Mistake("ascending", lambda x, k: _right(x, k).flip(1), "The first column has the largest variance."),
        Mistake(
            "first columns",
            [lambda x, k: _centred(x)[:, :k], lambda x, k: x[:, :k]],
            "Those are the first features. The directions of largest variance are mixtures of all.",
        ),
        Mistake(
            "wrong axis",
            lambda x, k: _along_own(x - x.mean(dim=1, keepdim=True), k),
            "You take the mean of each image. Take each feature's mean over the images.",
        ),
        Mistake("one mean", lambda x, k: _along_own(x - x.mean(), k), "Each feature has a mean of its own."),
        Mistake(
            "directions",
            [lambda x, k: _rows(_centred(x))[:k], lambda x, k: _rows(_centred(x))[:k].T],
            "Project the features on these directions.",
        ),
        Mistake(
            "not stretched",
            lambda x, k: torch.linalg.svd(_centred(x), full_matrices=False)[0][:, :k],
            "Right but for the lengths: each column still lacks its singular value.",
        ),
        Mistake("transposed", lambda x, k: _right(x, k).T, "Transposed: return one row per image."),
        Mistake(
            "rows for columns",
            [
                lambda x, k: _centred(x) @ _rows(_centred(x))[:, :k],
                lambda x, k: _centred(x) @ torch.linalg.svd(_centred(x))[2][:, :k],
            ],
            "svd's third result has one direction per row. You take columns.",
        ),
        Mistake(
            "standardised",
            [partial(_standardised, correction=0), partial(_standardised, correction=1)],
            "Only subtract the mean. Dividing by the standard deviation changes the directions.",
        ),
        Mistake("all directions", lambda x, k: _right(x, x.shape[1]), "Return the first k columns only."),
        Mistake("signs lost", lambda x, k: _right(x, k).abs(), "Each image must keep its side of the mean."),
        Mistake(
            "fixed number",
            [lambda x, k: _right(x, 2), lambda x, k: _right(x, 3)],
            "You always return the same number of columns. Where is `k` used?",
        ),
    ],
)


class _Classifier(nn.Module):
    """A small network with the parts of our ResNets: a body with batch normalisation, and `head.fc`."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        parts = {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten(), "fc": nn.Linear(4, 5)}
        self.head = nn.Sequential(OrderedDict[str, nn.Module](parts))
        draw = Random(seed)
        with torch.no_grad():
            for name, values in self.state_dict().items():
                if values.is_floating_point():
                    drawn = normal(draw, *values.shape)
                    values.copy_(drawn.abs() + 0.5 if name.endswith("running_var") else drawn)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, K)."""
        logits: Tensor = self.head(self.stem(images))
        return logits


FC = ("head.fc.weight", "head.fc.bias")


def _for_new_classes(network: Any, classes: int) -> list[nn.Parameter]:
    """Replace the last layer, freeze all others, and return the parameters that are trained."""
    for parameter in network.parameters():
        parameter.requires_grad = False
    network.head.fc = nn.Linear(network.head.fc.in_features, classes)
    return list(network.head.fc.parameters())


def _observe_new_classes(function: Callable[..., Any], seed: int, classes: int) -> dict[str, Any]:
    network = _Classifier(seed).eval()
    before = {name: values.clone() for name, values in network.state_dict().items()}
    returned = function(network, classes)
    if not isinstance(returned, list | tuple | set) or not all(isinstance(one, Tensor) for one in returned):
        inside = " of other things" * isinstance(returned, list | tuple | set)
        raise Unsuitable(f"Expected a list of parameters; got {kind_of(returned)}{inside}.")
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    draw = Random(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name in FC:
                parameter.copy_(normal(draw, *parameter.shape))
    logits = attempt(lambda: network(normal(draw, 2, 2, 5, 5)))
    if isinstance(logits, Tensor) and logits.requires_grad:
        logits.square().sum().backward()
    return {
        "the number of logits per image": None if isinstance(logits, Raised) else logits.shape[-1],
        "the list of all parameters": list(names.values()),
        "the list of parameters that require a gradient": [
            name for name, parameter in network.named_parameters() if parameter.requires_grad
        ],
        "the list of returned parameters": sorted(names.get(id(one), "unknown") for one in returned),
        "whether the other weights are as before": all(
            torch.equal(values, before[name])
            for name, values in network.state_dict().items()
            if name in before and name not in FC
        ),
        "the logits": None if isinstance(logits, Raised) else logits.detach(),
        "the gradients": {name: parameter.grad for name, parameter in network.named_parameters()},
    }


def _returning(read: Callable[[Any, list[nn.Parameter]], Any]) -> Callable[[Any, int], Any]:
    """Return a `for_new_classes` that is right but for what it returns."""
    return lambda network, classes: read(network, _for_new_classes(network, classes))


def _trained(outcome: dict[str, Any]) -> set[str]:
    return set(outcome["the list of parameters that require a gradient"])


FOR_NEW_CLASSES = FunctionExercise(
    "for_new_classes(network, classes)",
    returns=lambda value: value,
    reference=_for_new_classes,
    inputs=lambda draw: [(draw.getrandbits(16), 3), (draw.getrandbits(16), draw.randint(6, 9))],
    observe=_observe_new_classes,
    shown=lambda _, classes: f"network, {classes}",
    tries=1,
    mistakes=[
        Symptom(
            "old head",
            every(lambda one: one["the number of logits per image"] == 5),
            "The network still has its old classes. Assign a new layer to `network.head.fc`.",
        ),
        Symptom(
            "other parts",
            lambda given, right: all(
                one["the list of all parameters"] != other["the list of all parameters"]
                for one, other in zip(given, right, strict=True)
            ),
            "The network has other parts than before. Replace `network.head.fc` alone, by one `torch.nn.Linear` "
            "with weights and biases.",
        ),
        Symptom(
            "does not fit",
            every(lambda one: one["the number of logits per image"] is None),
            "The network no longer runs. Does the new layer have as many inputs as the old one?",
        ),
        Symptom(
            "fixed number",
            lambda given, right: len({one["the number of logits per image"] for one in given}) == 1,
            "You always make the same number of outputs. Where is `classes` used?",
        ),
        Symptom(
            "all frozen",
            every(lambda one: not _trained(one)),
            "No parameter requires a gradient, not even those of the new layer. In which order do you freeze and "
            "replace?",
        ),
        Symptom(
            "nothing frozen",
            every(lambda one: len(_trained(one)) == len(one["the list of all parameters"])),
            "Nothing is frozen: which parameters should not be trained? `requires_grad` is a setting of each "
            "parameter, not of a layer.",
        ),
        Symptom(
            "partly frozen",
            every(lambda one: bool(_trained(one) - set(FC))),
            "Some layers before the new one can still be trained. Batch normalisations have parameters, too.",
        ),
        Symptom(
            "part of the new layer",
            every(lambda one: _trained(one) < set(FC)),
            "A part of the new layer is frozen: it has weights and biases.",
        ),
        Symptom(
            "returns others",
            every(lambda one: "unknown" in one["the list of returned parameters"]),
            "You return parameters that the network does not have. Are they those of the old layer?",
        ),
        Mistake(
            "returns all",
            _returning(lambda network, _: list(network.parameters())),
            "You return frozen parameters, too. Return those that are to be trained.",
        ),
        Mistake(
            "returns a part",
            [_returning(lambda _, new: new[:1]), _returning(lambda _, new: new[1:])],
            "The new layer has two parameters. Return both.",
        ),
        Symptom(
            "changes weights",
            fails("whether the other weights are as before"),
            "Weights before the new layer have changed. Freezing keeps them as they are.",
        ),
    ],
)


def _train_head(network: nn.Module, batches: Any, optimizer: SGD) -> list[float]:
    """Train for one pass over the batches in evaluation mode, and return the loss of each before its step."""
    return _head_steps(network, batches, optimizer)


def _head_steps(
    network: nn.Module,
    batches: Any,
    optimizer: SGD,
    wrong: str = "",
    criterion: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
) -> list[float]:
    """Train as `train_head` does, or with a mistake."""
    network.train(wrong == "training mode")
    losses = []
    for images, labels in batches:
        if wrong not in ("gradients accumulate", "one step"):
            optimizer.zero_grad()
        loss = criterion(network(images), labels)
        loss.backward()
        if wrong not in ("no step", "one step"):
            optimizer.step()
        losses.append((criterion(network(images), labels) if wrong == "loss after" else loss).item())
    if wrong == "one step":
        optimizer.step()
    return losses


def _observe_head_training(function: Callable[..., Any], seed: int, size: int) -> dict[str, Any]:
    network, draw = _Classifier(seed).train(), Random(seed)
    optimizer = SGD(_for_new_classes(network, 3), lr=0.1, momentum=0.9)
    with torch.no_grad():
        for name in FC:
            network.get_parameter(name).copy_(normal(draw, *network.get_parameter(name).shape))
    body = {name: values.clone() for name, values in network.stem.state_dict().items()}
    batches = [
        (normal(draw, size, 2, 5, 5), torch.tensor([draw.randrange(3) for _ in range(size)]))
        for _ in range(3)
    ]
    read = numbers("the loss of each batch before its step", length=3)
    losses = read(function(network, iter(batches), optimizer))
    same = {name: torch.equal(values, body[name]) for name, values in network.stem.state_dict().items()}
    return {
        "whether the running statistics are as before": all(
            equal for name, equal in same.items() if "running" in name or "num" in name
        ),
        "whether the frozen weights are as before": all(same[name] for name in ("0.weight", "1.weight")),
        "the list of losses": losses,
        "the weights of the new layer": torch.cat(
            [network.get_parameter(name).detach().flatten() for name in FC]
        ),
    }


TRAIN_HEAD = FunctionExercise(
    "train_head(network, batches, optimizer)",
    returns=numbers("the loss of each batch before its step"),
    reference=_train_head,
    inputs=lambda draw: [(draw.getrandbits(16), 2), (draw.getrandbits(16), 6)],
    observe=_observe_head_training,
    shown=lambda _, size: f"network, 3 batches of {size} images, optimizer",
    tries=1,
    mistakes=[
        Symptom(
            "nothing to read",
            every(lambda one: isinstance(one, Stopped) and "got 0" in one.message),
            "You return no losses. `batches` can be read only once: is it read, or counted, before the loop?",
        ),
        Mistake(
            "training mode",
            partial(_head_steps, wrong="training mode"),
            "The body is in training mode: its normalisations use the statistics of the batch and update their "
            "running statistics, although the weights are frozen.",
        ),
        Symptom(
            "statistics",
            fails("whether the running statistics are as before"),
            "Running statistics of the body have changed. Is it in evaluation mode before the first batch, and "
            "does it stay there?",
        ),
        Mistake(
            "gradients accumulate",
            partial(_head_steps, wrong="gradients accumulate"),
            "The gradients of earlier batches are still there. Clear them in every step.",
        ),
        Mistake(
            "no step",
            partial(_head_steps, wrong="no step"),
            "The weights do not change: the optimizer takes no step.",
        ),
        Mistake(
            "loss after",
            partial(_head_steps, wrong="loss after"),
            "Those are the losses after each step. Return the one that each step starts from.",
        ),
        Mistake(
            "one step",
            partial(_head_steps, wrong="one step"),
            "You take one step after all batches. Take one for every batch.",
        ),
        Mistake(
            "summed loss",
            partial(_head_steps, criterion=partial(F.cross_entropy, reduction="sum")),
            "You sum the loss over the images of a batch. Take its mean.",
        ),
        Mistake(
            "softmax",
            partial(_head_steps, criterion=lambda logits, labels: F.cross_entropy(logits.softmax(1), labels)),
            "Cross-entropy takes logits and applies the softmax itself. Yours is applied twice.",
        ),
        Symptom(
            "other step",
            lambda given, right: all(
                abs(one["the list of losses"][0] - other["the list of losses"][0]) < 1e-5
                and difference(one["the weights of the new layer"], other["the weights of the new layer"])
                for one, other in zip(given, right, strict=True)
            ),
            "The first loss is right, but the steps are not. Does `optimizer` take one for each batch?",
        ),
    ],
)

EXERCISES = (HEAT_MAP, HIDDEN, CALIBRATION_ERROR, PROJECTED, FOR_NEW_CLASSES, TRAIN_HEAD)
