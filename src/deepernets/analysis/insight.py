"""Looking inside a trained network: maps, heat maps, calibration, the loss around the weights."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from deepernets.training.loop import Batch, evaluate


def feature_maps(model: nn.Module, images: Tensor, layer: str) -> Tensor:
    """Return what a layer makes of some images: (N, C, H, W) for a convolution.

    Args:
        model: Run in evaluation mode, and left as it was.
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
    """Return a layer's maps, and the gradients of each image's class logit with respect to them.

    Args:
        model: Run in evaluation mode, and left as it was.
        images: (N, C, H, W).
        layer: Name of a layer that gives maps.
        classes: (N,) the class of each image whose logit is followed back.

    Returns:
        Maps and gradients, (N, C, h, w) each.
    """
    with torch.enable_grad():
        maps, logits = _maps_and_logits(model, images.detach().clone().requires_grad_(), layer)
        chosen = logits.gather(1, classes[:, None]).sum()  # an image's logit depends on its own maps alone
        (gradients,) = torch.autograd.grad(chosen, maps)
    return maps.detach(), gradients


def grad_cam(model: nn.Module, images: Tensor, layer: str, classes: Tensor) -> Tensor:
    """Return where a layer's maps speak for a class (Selvaraju et al. 2017, equations 1 and 2).

    The arguments are those of `maps_and_gradients`.

    Returns:
        Heat maps (N, h, w) of the layer's own size, 0 where nothing speaks for the class.
    """
    maps, gradients = maps_and_gradients(model, images, layer, classes)
    weights = gradients.mean(dim=(2, 3), keepdim=True)  # (N, C, 1, 1)
    return (weights * maps).sum(dim=1).relu()  # (N, h, w)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode, and back into the mode it was in."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def _maps_and_logits(model: nn.Module, images: Tensor, layer: str) -> tuple[Tensor, Tensor]:
    kept: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        kept.append(output)
        return output.clone()  # a ReLU in place after the layer must not change what was kept

    handle = model.get_submodule(layer).register_forward_hook(keep)
    try:
        with _evaluating(model):
            logits = model(images)
    finally:
        handle.remove()
    return kept[0], logits


@torch.no_grad()
def occlusion(model: nn.Module, image: Tensor, label: int, size: int, stride: int) -> Tensor:
    """Return the probability of a class while a grey square wanders over the image (Zeiler & Fergus 2014).

    Args:
        model: Run in evaluation mode, and left as it was.
        image: (C, H, W), normalised, so that 0 is the mean colour.
        label: The class whose probability is watched.
        size: Side of the square in pixels.
        stride: Pixels from one place to the next.

    Returns:
        (rows, columns) probabilities, one for each place of the square.
    """
    _, height, width = image.shape
    rows, columns = range(0, height - size + 1, stride), range(0, width - size + 1, stride)
    covered = image.repeat(len(rows) * len(columns), 1, 1, 1)
    places = ((row, column) for row in rows for column in columns)
    for picture, (row, column) in zip(covered, places, strict=True):
        picture[:, row : row + size, column : column + size] = 0
    with _evaluating(model):
        probabilities = model(covered).softmax(dim=1)[:, label]
    return probabilities.view(len(rows), len(columns))


@dataclass(frozen=True)
class Calibration:
    """How far confidence can be believed.

    Attributes:
        confidence: (bins,) mean confidence of each bin; NaN where it is empty.
        accuracy: (bins,) share of right answers in each bin; NaN where it is empty.
        count: (bins,) images in each bin.
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray

    @property
    def error(self) -> float:
        """Expected calibration error: the mean gap, each bin weighted by its images (Guo et al. 2017, eq. 3)."""
        filled = self.count > 0
        gaps = np.abs(self.accuracy - self.confidence)[filled]
        return float((gaps * self.count[filled]).sum() / self.count.sum())


def calibration(confidence: Tensor, right: Tensor, bins: int = 10) -> Calibration:
    """Compare confidence with accuracy, in bins of equal width from 0 to 1.

    Args:
        confidence: (N,) softmax probability of the predicted class.
        right: (N,) whether the prediction was right.
        bins: Number of bins.

    >>> calibration(torch.tensor([0.9, 0.9, 0.6]), torch.tensor([True, False, True]), bins=2).error
    0.13333332538604736
    """
    sure, hit = confidence.double().cpu().numpy(), right.double().cpu().numpy()
    place = np.minimum(sure * bins, bins - 1).astype(int)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean_confidence = np.bincount(place, sure, minlength=bins) / count
        accuracy = np.bincount(place, hit, minlength=bins) / count
    return Calibration(mean_confidence, accuracy, count)


def interpolated(start: Mapping[str, Tensor], end: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """Return weights on the straight line from `start` (share 0) to `end` (share 1).

    Counters, which are whole numbers, are taken from `end`.
    """
    return {
        name: (1 - share) * tensor + share * end[name] if tensor.is_floating_point() else end[name]
        for name, tensor in start.items()
    }


def loss_with(model: nn.Module, weights: Mapping[str, Tensor], batches: Iterable[Batch]) -> float:
    """Return the mean loss of a network with other weights than its own, which stay.

    Args:
        model: The network.
        weights: A state dictionary, running statistics included.
        batches: Pairs of images and labels.
    """
    return evaluate(_With(model, dict(weights)), batches).loss


def losses_between(
    model: nn.Module,
    start: Mapping[str, Tensor],
    end: Mapping[str, Tensor],
    batches: Iterable[Batch],
    shares: Iterable[float],
) -> list[float]:
    """Return the loss along the line from one set of weights to another (Goodfellow et al. 2015).

    Args:
        model: The network; its own weights are not used, and stay.
        start: State dictionary at share 0.
        end: State dictionary at share 1.
        batches: Pairs of images and labels; all are seen at each share.
        shares: Where to measure.
    """
    seen = list(batches)
    return [loss_with(model, interpolated(start, end, share), seen) for share in shares]


class _With(nn.Module):
    """A network run with other weights than its own."""

    def __init__(self, model: nn.Module, state: dict[str, Tensor]) -> None:
        super().__init__()
        self.model, self.state = model, state
        self.training = model.training  # what evaluation comes back to

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = functional_call(self.model, self.state, images)
        return logits


def principal_components(features: Tensor, k: int = 2) -> Tensor:
    """Project features (N, D) on their k directions of largest variance: (N, k).

    >>> line = torch.tensor([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])
    >>> principal_components(line, k=1).abs().flatten().tolist()
    [1.4142135381698608, 0.0, 1.4142135381698608]
    """
    centred = features - features.mean(dim=0)
    _, _, directions = torch.linalg.svd(centred, full_matrices=False)  # (min(N, D), D)
    return centred @ directions[:k].T
