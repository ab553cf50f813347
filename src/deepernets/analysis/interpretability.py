"""What a trained network has learned: feature maps, heat maps, similar features, calibration, loss landscape."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from deepernets.models.tracing import trace_layers
from deepernets.training.loop import Batch, evaluate, evaluation_mode

SMALLEST_HEAT = 4  # units along the side of a heat map


def feature_maps(model: nn.Module, images: Tensor, layer: str) -> Tensor:
    """Return the output of a layer: (N, C, H, W) for a convolution.

    Args:
        model: Runs in evaluation mode; left unchanged.
        images: (N, C, H, W).
        layer: Its name in ``model.named_modules()``.

    >>> network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten())
    >>> feature_maps(network, torch.zeros(2, 1, 8, 8), "0").shape
    torch.Size([2, 4, 6, 6])
    """
    with torch.no_grad():
        return _maps_and_logits(model, images, layer)[0]


def maps_and_gradients(
    model: nn.Module, images: Tensor, layer: str, classes: Tensor
) -> tuple[Tensor, Tensor]:
    """Return a layer's feature maps, and the gradients of each image's class logit with respect to them.

    Args:
        model: Runs in evaluation mode; left unchanged.
        images: (N, C, H, W).
        layer: Name of a layer that outputs feature maps.
        classes: (N,), the class of each image's logit.

    Returns:
        Feature maps and gradients, (N, C, h, w) each.
    """
    with torch.enable_grad():
        maps, logits = _maps_and_logits(model, images.detach().clone().requires_grad_(), layer)
        # an image's logit depends only on its own feature maps, so the sum mixes no gradients
        chosen = logits.gather(1, classes[:, None]).sum()
        (gradients,) = torch.autograd.grad(chosen, maps)
    return maps.detach(), gradients


def grad_cam(model: nn.Module, images: Tensor, layer: str, classes: Tensor) -> Tensor:
    """Return Grad-CAM heat maps (N, h, w): where feature maps support a class (Selvaraju et al. 2017, eq. 1 and 2).

    The arguments are those of `maps_and_gradients`. Heat is 0 where nothing supports the class.
    """
    maps, gradients = maps_and_gradients(model, images, layer, classes)
    weights = gradients.mean(dim=(2, 3), keepdim=True)  # (N, C, 1, 1)
    return (weights * maps).sum(dim=1).relu()  # (N, h, w)


def last_map_layer(model: nn.Module, in_shape: tuple[int, int, int]) -> str:
    """Return the name of the last layer whose feature maps are large enough for a heat map to show a place.

    They have at least `SMALLEST_HEAT` units along each side. If no layer has such maps, the first one is taken.

    Args:
        model: A network for images.
        in_shape: Channels, height and width of an image.

    >>> last_map_layer(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1)), (1, 8, 8))
    '1'
    """
    maps = [call for call in trace_layers(model, in_shape) if call.output.ndim == 4]
    large = [call for call in maps if min(call.output.shape[2:]) >= SMALLEST_HEAT]
    return (large or maps[:1])[-1].name


def _maps_and_logits(model: nn.Module, images: Tensor, layer: str) -> tuple[Tensor, Tensor]:
    outputs: list[Tensor] = []

    def save(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        outputs.append(output)
        return output.clone()  # so that an in-place ReLU after the layer does not change the saved output

    handle = model.get_submodule(layer).register_forward_hook(save)
    try:
        with evaluation_mode(model):
            logits = model(images)
    finally:
        handle.remove()
    return outputs[0], logits


@torch.no_grad()
def occlusion(model: nn.Module, image: Tensor, label: int, size: int, stride: int) -> Tensor:
    """Return the probability of a class while a grey square covers each part of the image (Zeiler & Fergus 2014).

    Args:
        model: Runs in evaluation mode; left unchanged.
        image: (C, H, W), normalised, so that 0 is the mean colour.
        label: The class.
        size: Side of the square in pixels.
        stride: Pixels between neighbouring positions of the square.

    Returns:
        (rows, columns): the probability for each position of the square.
    """
    _, height, width = image.shape
    rows, columns = range(0, height - size + 1, stride), range(0, width - size + 1, stride)
    covered = image.repeat(len(rows) * len(columns), 1, 1, 1)
    positions = ((row, column) for row in rows for column in columns)
    for each, (row, column) in zip(covered, positions, strict=True):
        each[:, row : row + size, column : column + size] = 0
    with evaluation_mode(model):
        probabilities = model(covered).softmax(dim=1)[:, label]
    return probabilities.view(len(rows), len(columns))


def mask_coverage(masks: Tensor, size: int, stride: int) -> Tensor:
    """Return the masked share of each square of `size` pixels, at the positions of `occlusion`.

    Args:
        masks: (N, H, W), bool.
        size: Side of a square in pixels.
        stride: Pixels between neighbouring squares.

    Returns:
        (N, rows, columns), from 0 to 1.

    >>> mask_coverage(torch.tensor([[[True, False], [False, False]]]), size=2, stride=2)
    tensor([[[0.2500]]])
    """
    return F.avg_pool2d(masks[:, None].float(), size, stride)[:, 0]


def heat_inside_mask(heat: Tensor, masks: Tensor) -> Tensor:
    """Return the share of each heat map that is inside a mask.

    Args:
        heat: (N, h, w), not negative.
        masks: (N, H, W), bool; H and W are multiples of h and w.

    Returns:
        (N,), from 0 to 1; NaN for a heat map that is 0 everywhere.

    >>> left = torch.tensor([[[True, False]] * 2])
    >>> heat_inside_mask(torch.tensor([[[3.0, 1.0], [0.0, 0.0]]]), left)
    tensor([0.7500])
    """
    size = masks.shape[1] // heat.shape[1]
    return (heat * mask_coverage(masks, size, size)).sum(dim=(1, 2)) / heat.sum(dim=(1, 2))


def rank_correlation(one: Tensor, other: Tensor) -> Tensor:
    """Return Spearman's rank correlation of each pair of heat maps (N, h, w): (N,); NaN where a map is constant.

    >>> found = rank_correlation(torch.tensor([[[1.0, 2.0, 9.0]]]), torch.tensor([[[0.0, 5.0, 6.0]]]))
    >>> round(found.item(), 4)
    1.0
    """
    from scipy.stats import rankdata

    first, second = (
        torch.from_numpy(rankdata(maps.flatten(1).cpu().numpy(), axis=1)).float() for maps in (one, other)
    )
    centred = [ranks - ranks.mean(dim=1, keepdim=True) for ranks in (first, second)]
    lengths = [ranks.norm(dim=1) for ranks in centred]
    return (centred[0] * centred[1]).sum(dim=1) / (lengths[0] * lengths[1])


def linear_cka(one: Tensor, other: Tensor) -> float:
    """Return the linear CKA of two layers' features of the same images (Kornblith et al. 2019, section 3).

    It compares which images have similar features: 1 where the two agree up to a rotation and a common scale, 0
    where they have nothing in common. With fewer images than features it is too high.

    Args:
        one: (N, D).
        other: (N, E); E may differ from D.

    >>> features = torch.tensor([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]])
    >>> round(linear_cka(features, 3 * features.flip(1)), 4)
    1.0
    """
    one, other = (features - features.mean(dim=0) for features in (one, other))
    gram, other_gram = one @ one.T, other @ other.T  # (N, N)
    return float((gram * other_gram).sum() / (gram.norm() * other_gram.norm()))


def principal_components(features: Tensor, k: int = 2) -> Tensor:
    """Project features (N, D) on their k directions of largest variance: (N, k).

    >>> line = torch.tensor([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])
    >>> principal_components(line, k=1).abs().flatten().tolist()
    [1.4142135381698608, 0.0, 1.4142135381698608]
    """
    centred = features - features.mean(dim=0)
    _, _, directions = torch.linalg.svd(centred, full_matrices=False)  # (min(N, D), D)
    return centred @ directions[:k].T


def neighbour_agreement(points: Tensor, labels: Tensor) -> float:
    """Return the share of points (N, D) whose nearest other point has the same label, one of (N,).

    >>> neighbour_agreement(torch.tensor([[0.0], [1.0], [5.0]]), torch.tensor([0, 0, 1]))
    0.6666666865348816
    """
    distances = torch.cdist(points, points)  # (N, N)
    distances.fill_diagonal_(float("inf"))
    nearest = distances.argmin(dim=1)
    return float((labels[nearest] == labels).float().mean())


@dataclass(frozen=True)
class Calibration:
    """Confidence and accuracy, by bins of confidence.

    Attributes:
        confidence: (bins,) mean confidence; NaN for an empty bin.
        accuracy: (bins,) share of correct predictions; NaN for an empty bin.
        count: (bins,) number of images.
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray

    @property
    def error(self) -> float:
        """Expected calibration error: the mean difference, weighted by images (Guo et al. 2017, eq. 3)."""
        filled = self.count > 0
        differences = np.abs(self.accuracy - self.confidence)[filled]
        return float((differences * self.count[filled]).sum() / self.count.sum())


def calibration(confidence: Tensor, right: Tensor, bins: int = 10) -> Calibration:
    """Compare confidence with accuracy, in bins of equal width from 0 to 1.

    Args:
        confidence: (N,) softmax probability of the predicted class.
        right: (N,) whether the prediction is correct.
        bins: Number of bins.

    >>> calibration(torch.tensor([0.9, 0.9, 0.6]), torch.tensor([True, False, True]), bins=2).error
    0.13333332538604736
    """
    probability, correct = confidence.double().cpu().numpy(), right.double().cpu().numpy()
    index = np.minimum(probability * bins, bins - 1).astype(int)
    count = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean_confidence = np.bincount(index, probability, minlength=bins) / count
        accuracy = np.bincount(index, correct, minlength=bins) / count
    return Calibration(mean_confidence, accuracy, count)


def interpolate_weights(
    start: Mapping[str, Tensor], end: Mapping[str, Tensor], share: float
) -> dict[str, Tensor]:
    """Return the state dictionary on the straight line from `start` (share 0) to `end` (share 1).

    Integers, such as counters, are those of `end`.
    """
    return {
        name: (1 - share) * tensor + share * end[name] if tensor.is_floating_point() else end[name]
        for name, tensor in start.items()
    }


def losses_along_line(
    model: nn.Module,
    start: Mapping[str, Tensor],
    end: Mapping[str, Tensor],
    batches: Iterable[Batch],
    shares: Iterable[float],
) -> list[float]:
    """Return the mean loss at points on the line between two sets of weights (Goodfellow et al. 2015).

    Args:
        model: The network; its own weights are not used, and stay unchanged.
        start: State dictionary at share 0, running statistics included.
        end: State dictionary at share 1.
        batches: Pairs of images and labels; all are used at each share.
        shares: Points on the line.
    """
    all_batches = list(batches)
    networks = (_WithWeights(model, interpolate_weights(start, end, share)) for share in shares)
    return [evaluate(network, all_batches).loss for network in networks]


class _WithWeights(nn.Module):
    """A network that is called with other weights than its own."""

    def __init__(self, model: nn.Module, state: dict[str, Tensor]) -> None:
        super().__init__()
        self.model, self.state = model, state
        self.training = model.training  # `evaluate` restores this mode

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = functional_call(self.model, self.state, images)
        return logits
