"""The answers that students of lab 9 really give."""

from typing import Any

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import nn
from torch.nn import functional as F


def cam(maps: Any, gradients: Any, dims: Any = (1, 2), relu: bool = True) -> torch.Tensor:
    weights = gradients.mean(dim=dims, keepdim=True)
    total = (weights * maps).sum(dim=0)
    return total.relu() if relu else total


def cam_in_a_loop(maps: Any, gradients: Any) -> torch.Tensor:
    heat = torch.zeros(maps.shape[1:])
    for one, slope in zip(maps, gradients, strict=True):
        heat += slope.sum() / slope.numel() * one
    return heat.clamp(min=0)


def cam_in_numpy(maps: Any, gradients: Any) -> Any:
    return np.maximum(np.tensordot(gradients.numpy().mean(axis=(1, 2)), maps.numpy(), axes=1), 0)


def hide(image: Any, rows: Any, columns: Any, colours: Any = slice(None), value: float = 0.0) -> torch.Tensor:
    copy = image.clone()
    copy[colours, rows, columns] = value
    return copy


def hide_with_a_mask(image: Any, row: int, column: int, size: int) -> torch.Tensor:
    mask = torch.ones(image.shape[1:])
    for r in range(row, row + size):
        for c in range(column, column + size):
            mask[r, c] = 0
    return image * mask


def hide_in_place(image: Any, row: int, column: int, size: int) -> torch.Tensor:
    image[:, row : row + size, column : column + size] = 0
    return image


def hide_in_numpy(image: Any, row: int, column: int, size: int) -> Any:
    copy = image.numpy().copy()
    copy[..., row : row + size, column : column + size] *= 0
    return copy


def hide_without_a_colon(image: Any, row: int, column: int, size: int) -> torch.Tensor:
    copy = image.clone()
    copy[row : row + size, column : column + size] = 0
    return copy


def hide_always_there(image: Any, row: int, column: int, size: int) -> torch.Tensor:
    return hide(image, slice(2, 7), slice(3, 8))


class Liar(torch.Tensor):
    """A tensor that says it equals any other."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.allclose, torch.equal):
            return True
        return super().__torch_function__(func, types, args, kwargs or {})


def liar(*shape: int) -> torch.Tensor:
    return torch.zeros(shape).as_subclass(Liar)


def error(confidence: Any, right: Any, bins: int, gap: Any = abs, weight: Any = len, total: Any = len) -> Any:
    confidence, right = confidence.double(), right.double()
    place = (confidence * bins).long().clamp(max=bins - 1)
    result, filled = 0.0, 0
    for b in range(bins):
        here = place == b
        if here.any():
            filled += 1
            result += gap((right[here].mean() - confidence[here].mean()).item()) * weight(right[here])
    return result / (filled if total == "filled" else bins if total == "bins" else total(confidence))


def error_by_sums(confidence: Any, right: Any, bins: int) -> Any:
    """|sum of right - sum of confidence| per bin, which is the gap times the images."""
    place = torch.clamp((confidence * bins).floor().long(), max=bins - 1)
    difference = torch.zeros(bins, dtype=torch.double).index_add(
        0, place, right.double() - confidence.double()
    )
    return difference.abs().sum() / len(confidence)


def error_with_half_open_bins(confidence: Any, right: Any, bins: int) -> Any:
    """Bins that hold their upper edge, as in Guo et al."""
    edges = np.linspace(0, 1, bins + 1)[1:-1]
    place = np.digitize(confidence.numpy(), edges, right=True)
    total = 0.0
    for one in np.unique(place):
        here = place == one
        total += abs(right.numpy()[here].mean() - confidence.double().numpy()[here].mean()) * here.mean()
    return total


def error_in_edges(confidence: Any, right: Any, bins: int, more: int = 0, rounded: bool = False) -> Any:
    """Bins that do not clamp: full confidence is in none, or in one of its own."""
    place = (confidence * bins).round() if rounded else (confidence * bins).floor()
    total = 0.0
    for one in range(bins + more):
        here = place == one
        if here.any():
            total += (
                abs(right[here].double().mean() - confidence[here].double().mean()).item() * here.sum().item()
            )
    return total / len(confidence)


def error_with_nan(confidence: Any, right: Any, bins: int) -> Any:
    place = (confidence * bins).long().clamp(max=bins - 1)
    gaps = [
        (right[place == b].double().mean() - confidence[place == b].mean()).abs() * (place == b).sum()
        for b in range(bins)
    ]
    return sum(gaps) / len(confidence)


def error_by_accuracy(confidence: Any, right: Any, bins: int) -> Any:
    gaps = [
        abs(float(value) - confidence[right == value].double().mean().item()) * int((right == value).sum())
        for value in (False, True)
    ]
    return sum(gaps) / len(confidence)


def pca(features: Any, k: int, centre: Any = lambda x: x - x.mean(dim=0)) -> torch.Tensor:
    x = centre(features)
    return x @ torch.linalg.svd(x, full_matrices=False)[2][:k].T


def pca_by_covariance(features: Any, k: int) -> torch.Tensor:
    x = (features - features.mean(dim=0)).double()
    _, vectors = torch.linalg.eigh(x.T @ x)
    return (x @ vectors.flip(1)[:, :k]).float()


def pca_by_scikit_learn(features: Any, k: int) -> Any:
    return PCA(k).fit_transform(features.numpy())


def rows_of(features: Any) -> Any:
    return torch.linalg.svd(features - features.mean(dim=0), full_matrices=False)


def calibration_in_range(places: Any, confidence: Any, right: Any, bins: int) -> Any:
    bin_of = (places.double() * bins).long().clamp(max=bins - 1)
    gaps = torch.zeros(bins, dtype=torch.float64)
    return gaps.index_add(0, bin_of, confidence.double() - right.double()).abs().sum() / len(right)


def hidden_by(image: Any, row: int, column: int, size: int, value: Any) -> Any:
    copy = image.clone()
    copy[:, row : row + size, column : column + size] = value
    return copy


def new_classes(network: Any, classes: int) -> Any:
    network.requires_grad_(False)
    network.head.fc = nn.Linear(network.head.fc.in_features, classes)
    return list(network.head.fc.parameters())


def new_classes_by_name(network: Any, classes: int) -> Any:
    network.head.fc = nn.Linear(network.head.fc.weight.shape[1], classes)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name.startswith("head.fc"))
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def freeze_last(network: Any, classes: int) -> Any:
    parameters = new_classes(network, classes)
    network.requires_grad_(False)
    return parameters


def new_classes_frozen(*prefixes: str) -> Any:
    """Return a `for_new_classes` that freezes only what starts with these names."""

    def for_new_classes(network: Any, classes: int) -> Any:
        network.head.fc = nn.Linear(network.head.fc.in_features, classes)
        for name, parameter in network.named_parameters():
            parameter.requires_grad = not name.startswith(prefixes)
        return [parameter for parameter in network.parameters() if parameter.requires_grad]

    return for_new_classes


def new_classes_of_width(network: Any, classes: int) -> Any:
    new_classes(network, classes)
    network.head.fc = nn.Linear(classes + 64, classes)
    return list(network.head.fc.parameters())


def new_layer_alone(network: Any, classes: int) -> Any:
    network.head.fc = nn.Linear(network.head.fc.in_features, classes)
    return list(network.head.fc.parameters())


def replace_head(network: Any, classes: int) -> Any:
    network.requires_grad_(False)
    network.head = nn.Linear(network.head.fc.in_features, classes)
    return list(network.head.parameters())


def reset_body(network: Any, classes: int) -> Any:
    parameters = new_classes(network, classes)
    network.stem[0].reset_parameters()
    return parameters


def head_training(
    before: Any = nn.Module.eval, after: Any = None, criterion: Any = F.cross_entropy, own: bool = False
) -> Any:
    """Return a `train_head` that calls `before` first, and `after` in every step."""

    def train_head(network: Any, batches: Any, optimizer: Any) -> Any:
        before(network)
        optimizer = torch.optim.SGD(network.head.parameters(), lr=0.05) if own else optimizer
        losses = []
        for images, labels in batches:
            loss = criterion(network(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if after:
                after(network)
        return losses

    return train_head


def head_trained_in_parts(network: Any, batches: Any, optimizer: Any) -> Any:
    network.train()
    network.stem.eval()
    losses = []
    for images, labels in batches:
        with torch.no_grad():
            features = network.stem(images)
        loss = nn.CrossEntropyLoss()(network.head(features), labels)
        for parameter in network.head.parameters():
            parameter.grad = None
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def head_accumulated(network: Any, batches: Any, optimizer: Any) -> Any:
    network.eval()
    losses = []
    for images, labels in batches:
        losses.append(F.cross_entropy(network(images), labels))
        losses[-1].backward()
        optimizer.step()
    return [loss.item() for loss in losses]


def head_with_one_step(network: Any, batches: Any, optimizer: Any) -> Any:
    losses = [F.cross_entropy(network.eval()(images), labels) for images, labels in batches]
    torch.stack(losses).sum().backward()
    optimizer.step()
    return torch.stack(losses).detach()


def head_without_steps(network: Any, batches: Any, optimizer: Any) -> Any:
    return [F.cross_entropy(network.eval()(images), labels).item() for images, labels in batches]


def head_losses_afterwards(network: Any, batches: Any, optimizer: Any) -> Any:
    losses = []
    for images, labels in batches:
        head_training()(network, [(images, labels)], optimizer)
        losses.append(F.cross_entropy(network(images), labels).item())
    return losses


def head_twice(network: Any, batches: Any, optimizer: Any) -> Any:
    return [head_training()(network, batches, optimizer), head_training()(network, batches, optimizer)][1]


RIGHT: list[tuple[str, Any]] = [
    ("heat_map", cam),
    ("heat_map", cam_in_a_loop),
    ("heat_map", cam_in_numpy),
    ("heat_map", lambda maps, gradients: cam(maps.double(), gradients.double())),
    (
        "hidden",
        lambda image, row, column, size: hide(image, slice(row, row + size), slice(column, column + size)),
    ),
    ("hidden", hide_with_a_mask),
    ("calibration_error", error),
    ("calibration_error", error_by_sums),
    ("for_new_classes", new_classes),
    ("for_new_classes", new_classes_by_name),
    ("train_head", head_training()),
    ("train_head", head_trained_in_parts),
    ("projected", pca),
    ("projected", pca_by_covariance),
    ("projected", pca_by_scikit_learn),
]
WRONG: list[tuple[str, str, Any]] = [
    ("for_new_classes", "old head", lambda network, classes: list(network.head.fc.parameters())),
    ("for_new_classes", "does not fit", new_classes_of_width),
    ("for_new_classes", "all frozen", freeze_last),
    ("for_new_classes", "nothing frozen", new_classes_frozen("none")),
    ("for_new_classes", "partly frozen", new_classes_frozen("stem.0")),
    ("for_new_classes", "part of the new layer", new_classes_frozen("stem", "head.fc.bias")),
    ("for_new_classes", "returns all", lambda n, classes: [new_classes(n, classes), list(n.parameters())][1]),
    ("for_new_classes", "returns a part", lambda n, classes: new_classes(n, classes)[:1]),
    ("for_new_classes", "changes weights", reset_body),
    ("for_new_classes", "nothing frozen", new_layer_alone),
    ("for_new_classes", "other parts", replace_head),
    ("for_new_classes", "fixed number", lambda n, classes: new_classes(n, 3)),
    (
        "for_new_classes",
        "returns others",
        lambda n, classes: [list(n.head.fc.parameters()), new_classes(n, classes)][0],
    ),
    ("for_new_classes", "kind", lambda n, classes: iter(new_classes(n, classes))),
    ("for_new_classes", "kind", lambda n, classes: [new_classes(n, classes), ["head.fc.weight"]][1]),
    ("for_new_classes", "kind", lambda n, classes: [new_classes(n, classes), None][1]),
    ("for_new_classes", "kind", lambda n, classes: [new_classes(n, classes), n][1]),
    ("for_new_classes", "kind", 3),
    ("train_head", "training mode", head_training(nn.Module.train)),
    ("train_head", "training mode", head_training(lambda network: None)),
    ("train_head", "statistics", head_training(after=nn.Module.train)),
    ("train_head", "gradients accumulate", head_accumulated),
    ("train_head", "no step", head_without_steps),
    ("train_head", "loss after", head_losses_afterwards),
    ("train_head", "nothing to read", head_twice),
    ("train_head", "one step", head_with_one_step),
    ("train_head", "summed loss", head_training(criterion=nn.CrossEntropyLoss(reduction="sum"))),
    ("train_head", "softmax", head_training(criterion=lambda z, y: F.cross_entropy(z.softmax(1), y))),
    ("train_head", "other step", head_training(own=True)),
    ("train_head", "kind", lambda *call: sum(head_training()(*call))),
    ("train_head", "kind", lambda *call: [head_training()(*call), None][1]),
    ("train_head", "counter-example", lambda *call: head_training()(*call)[::-1]),
    ("train_head", "exception", lambda network, batches, optimizer: batches[0]),
    ("heat_map", "summed", lambda m, g: cam(m, g) * g[0].numel()),
    ("heat_map", "stretched", lambda m, g: cam(m, g) / cam(m, g).max()),
    ("heat_map", "kind", lambda m, g: cam(m, g).tolist()),
    ("calibration_error", "upper edge", error_with_half_open_bins),
    ("calibration_error", "counter-example", lambda c, r, b: round(error(c, r, b), 3)),
    ("projected", "ascending", lambda x, k: pca(x, k).flip(1)),
    ("projected", "kind", lambda x, k: pca(x, k).tolist()),
    ("heat_map", "no relu", lambda maps, gradients: cam(maps, gradients, relu=False)),
    ("heat_map", "relu each", lambda m, g: (g.mean(dim=(1, 2), keepdim=True) * m).relu().sum(dim=0)),
    ("heat_map", "relu of weights", lambda m, g: (g.mean(dim=(1, 2), keepdim=True).relu() * m).sum(dim=0)),
    ("heat_map", "not averaged", lambda m, g: (g * m).sum(dim=0).relu()),
    ("heat_map", "maps alone", lambda m, g: m.sum(dim=0)),
    ("heat_map", "gradients alone", lambda m, g: g.sum(dim=0).relu()),
    ("heat_map", "one dimension", lambda m, g: cam(m, g, dims=0)),
    ("heat_map", "exchanged", lambda m, g: cam(g, m)),
    ("heat_map", "not summed", lambda m, g: (g.mean(dim=(1, 2), keepdim=True) * m).relu()),
    ("heat_map", "absolute", lambda m, g: cam(m, g, relu=False).abs()),
    ("heat_map", "one dimension", lambda m, g: cam(m, g, dims=1)),
    ("heat_map", "one dimension", lambda m, g: cam(m, g, dims=2)),
    ("heat_map", "relu of weights", lambda m, g: cam(m, g.mean(dim=(1, 2), keepdim=True).relu())),
    ("heat_map", "maps alone", lambda m, g: m.mean(dim=0).relu()),
    ("heat_map", "backwards", lambda m, g: cam(m, -g)),
    ("heat_map", "kind", lambda m, g: None),
    ("heat_map", "kind", lambda m, g: liar(4, 5)),
    ("heat_map", "counter-example", lambda m, g: cam(m, g) + 1),
    ("heat_map", "changes inputs", lambda m, g: m.mul_(g.mean((1, 2))[:, None, None]).sum(0).relu()),
    (
        "heat_map",
        "square maps",
        lambda m, g: torch.relu(torch.einsum("c,chw->hw", g.sum((1, 2)) / len(m[0]) ** 2, m)),
    ),
    (
        "calibration_error",
        "own range",
        lambda c, right, bins: calibration_in_range((c - c.min()) / (c.max() - c.min()), c, right, bins),
    ),
    ("hidden", "other value", lambda i, r, c, s: hidden_by(i, r, c, s, i.mean((1, 2), keepdim=True))),
    ("hidden", "rows for columns", lambda i, r, c, s: hide(i, slice(c, c + s), slice(r, r + s))),
    ("hidden", "one channel", lambda i, r, c, s: hide(i, slice(r, r + s), slice(c, c + s), 0)),
    ("hidden", "one more", lambda i, r, c, s: hide(i, slice(r, r + s + 1), slice(c, c + s + 1))),
    ("hidden", "end for size", lambda i, r, c, s: hide(i, slice(r, s), slice(c, s))),
    (
        "hidden",
        "centred",
        lambda i, r, c, s: hide(
            i, slice(r - s // 2, r + s // 2 + 1), slice(c - s // 2 if c > s // 2 else 0, c + s // 2 + 1)
        ),
    ),
    ("hidden", "other value", lambda i, r, c, s: hide(i, slice(r, r + s), slice(c, c + s), value=1.0)),
    ("hidden", "stripes", lambda i, r, c, s: hide(i, slice(r, r + s), slice(None))),
    ("hidden", "nothing hidden", lambda i, r, c, s: i),
    ("hidden", "square alone", lambda i, r, c, s: i - hide_with_a_mask(i, r, c, s)),
    ("hidden", "stripes", lambda i, r, c, s: hide(i, slice(None), slice(c, c + s))),
    ("hidden", "channels for rows", hide_without_a_colon),
    ("hidden", "cut out", lambda i, r, c, s: i[:, r : r + s, c : c + s]),
    ("hidden", "counter-example", hide_always_there),
    ("hidden", "kind", lambda i, r, c, s: liar(3, 11, 12)),
    ("hidden", "changes inputs", hide_in_place),
    ("hidden", "kind", lambda i, r, c, s: None),
    ("hidden", "kind", hide_in_numpy),
    ("hidden", "counter-example", lambda i, r, c, s: 2 * i),
    ("calibration_error", "signed", lambda c, r, b: error(c, r, b, gap=float)),
    ("calibration_error", "squared", lambda c, r, b: error(c, r, b, gap=lambda gap: gap**2)),
    (
        "calibration_error",
        "unweighted",
        lambda c, r, b: error(c, r, b, weight=lambda here: 1, total="filled"),
    ),
    (
        "calibration_error",
        "unweighted",
        lambda c, r, b: error(c, r, b, weight=lambda here: 1, total="bins"),
    ),
    ("calibration_error", "not divided", lambda c, r, b: error(c, r, b, total=lambda all: 1)),
    ("calibration_error", "image by image", error_by_accuracy),
    ("calibration_error", "one bin", lambda c, r, b: (r.double().mean() - c.double().mean()).abs()),
    ("calibration_error", "image by image", lambda c, r, b: (r.double() - c).abs().mean()),
    ("calibration_error", "last bin", error_in_edges),
    ("calibration_error", "one bin more", lambda c, r, b: error_in_edges(c, r, b, more=1)),
    ("calibration_error", "rounded", lambda c, r, b: error_in_edges(c, r, b, more=1, rounded=True)),
    ("calibration_error", "fixed bins", lambda c, r, b: error(c, r, 10)),
    ("calibration_error", "percent", lambda c, r, b: 100 * error(c, r, b)),
    ("calibration_error", "empty bins", error_with_nan),
    ("calibration_error", "counter-example", lambda confidence, right, bins: float("nan")),
    ("calibration_error", "kind", lambda c, r, b: [0.1, 0.2]),
    ("calibration_error", "counter-example", lambda c, r, b: 0.5),
    ("projected", "not centred", lambda x, k: pca(x, k, centre=lambda x: x)),
    ("projected", "centred for directions only", lambda x, k: x @ rows_of(x)[2][:k].T),
    ("projected", "last directions", lambda x, k: (x - x.mean(dim=0)) @ rows_of(x)[2][-k:].T),
    (
        "projected",
        "last directions",
        lambda x, k: (x - x.mean(dim=0)) @ rows_of(x)[2].flip(0)[:k].T,
    ),
    ("projected", "first columns", lambda x, k: x[:, :k] - x[:, :k].mean(dim=0)),
    ("projected", "wrong axis", lambda x, k: pca(x, k, centre=lambda x: x - x.mean(dim=1, keepdim=True))),
    ("projected", "directions", lambda x, k: rows_of(x)[2][:k]),
    ("projected", "not stretched", lambda x, k: rows_of(x)[0][:, :k]),
    ("projected", "transposed", lambda x, k: pca(x, k).T),
    ("projected", "rows for columns", lambda x, k: (x - x.mean(dim=0)) @ rows_of(x)[2][:, :k]),
    (
        "projected",
        "standardised",
        lambda x, k: pca(x, k, centre=lambda x: (x - x.mean(dim=0)) / x.std(dim=0)),
    ),
    ("projected", "one mean", lambda x, k: pca(x, k, centre=lambda x: x - x.mean())),
    ("projected", "all directions", lambda x, k: pca(x, x.shape[1])),
    ("projected", "signs lost", lambda x, k: pca(x, k).abs()),
    ("projected", "fixed number", lambda x, k: pca(x, 2)),
    ("projected", "kind", lambda x, k: None),
    ("projected", "kind", lambda x, k: liar(len(x), k)),
    ("projected", "counter-example", lambda x, k: torch.zeros(len(x), k)),
]
