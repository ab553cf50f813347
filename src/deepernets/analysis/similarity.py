"""How alike two pictures of the inside are: heat maps and masks, features of layers, neighbours in a drawing."""

import torch
from scipy.stats import rankdata
from torch import Tensor
from torch.nn import functional


def coverage(masks: Tensor, size: int, stride: int) -> Tensor:
    """Return which share of each square is masked, for squares of `size` pixels set `stride` apart.

    Args:
        masks: (N, H, W), bool.
        size: Side of a square in pixels.
        stride: Pixels from one square to the next.

    Returns:
        (N, rows, columns), from 0 to 1: the places are those of `deepernets.analysis.insight.occlusion`.

    >>> coverage(torch.tensor([[[True, False], [False, False]]]), size=2, stride=2)
    tensor([[[0.2500]]])
    """
    return functional.avg_pool2d(masks[:, None].float(), size, stride)[:, 0]


def share_on(heat: Tensor, masks: Tensor) -> Tensor:
    """Return which share of each heat map falls on a mask of the image's own size.

    Args:
        heat: (N, h, w), nowhere negative.
        masks: (N, H, W), bool, where H and W are multiples of h and w.

    Returns:
        (N,), from 0 to 1; NaN for a map that is 0 everywhere.

    >>> left = torch.tensor([[[True, False]] * 2])
    >>> share_on(torch.tensor([[[3.0, 1.0], [0.0, 0.0]]]), left)
    tensor([0.7500])
    """
    below = coverage(masks, masks.shape[1] // heat.shape[1], masks.shape[1] // heat.shape[1])
    return (heat * below).sum(dim=(1, 2)) / heat.sum(dim=(1, 2))


def rank_correlation(one: Tensor, other: Tensor) -> Tensor:
    """Return Spearman's rank correlation of each pair of maps (N, h, w): (N,); NaN where a map is constant.

    Ranks compare where two maps are warm and cold, and not how warm. Equal values share their mean rank.

    >>> found = rank_correlation(torch.tensor([[[1.0, 2.0, 9.0]]]), torch.tensor([[[0.0, 5.0, 6.0]]]))
    >>> round(found.item(), 4)
    1.0
    """
    centred = []
    for maps in (one, other):
        ranks = torch.from_numpy(rankdata(maps.flatten(1).cpu().numpy(), axis=1)).float()
        centred.append(ranks - ranks.mean(dim=1, keepdim=True))
    left, right = centred
    return (left * right).sum(dim=1) / (left.norm(dim=1) * right.norm(dim=1))


def linear_cka(one: Tensor, other: Tensor) -> float:
    """Return the linear CKA of two layers' features of the same images (Kornblith et al. 2019, section 3).

    It compares which images a layer finds alike: 1 where both agree up to a rotation and one common scale, 0
    where they have nothing in common. With fewer images than features it comes out too high.

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


def neighbours_agree(points: Tensor, labels: Tensor) -> float:
    """Return the share of points (N, D) whose nearest other point has the same label, one of (N,).

    >>> neighbours_agree(torch.tensor([[0.0], [1.0], [5.0]]), torch.tensor([0, 0, 1]))
    0.6666666865348816
    """
    distances = torch.cdist(points, points)  # (N, N)
    distances.fill_diagonal_(float("inf"))
    nearest = distances.argmin(dim=1)
    return float((labels[nearest] == labels).float().mean())
