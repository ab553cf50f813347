"""Gradient noise: how far the gradient of a batch is from the gradient of all images."""

import torch
from torch import Tensor, nn

from deepernets.errors import UserError

CHUNK = 64  # images whose gradients are taken at a time; each needs as much memory as all parameters


def image_gradients(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return the gradient of each single image's cross-entropy with respect to all parameters.

    Batch normalisation must be absent or in evaluation mode: in training mode the gradient of an image depends on
    the others.

    Args:
        model: Maps (N, C, H, W) to logits (N, K); left unchanged.
        images: (N, C, H, W), float.
        labels: (N,), class indices.

    Returns:
        (N, P), float: one row per image, in the order of ``model.parameters()``. The mean of the rows is the
        gradient of the mean loss.

    >>> linear = nn.Linear(1, 2, bias=False)
    >>> _ = nn.init.zeros_(linear.weight)  # both classes have probability 1/2
    >>> image_gradients(linear, torch.tensor([[1.0], [3.0]]), torch.tensor([0, 1]))
    tensor([[-0.5000,  0.5000],
            [ 1.5000, -1.5000]])
    """
    from torch.func import functional_call, grad, vmap

    parameters = {name: value.detach() for name, value in model.named_parameters()}

    def loss(values: dict[str, Tensor], image: Tensor, label: Tensor) -> Tensor:
        logits = functional_call(model, values, (image[None],))
        return nn.functional.cross_entropy(logits, label[None])

    by_parameter = vmap(grad(loss), in_dims=(None, 0, 0), chunk_size=CHUNK)(parameters, images, labels)
    return torch.cat([gradient.flatten(1) for gradient in by_parameter.values()], dim=1)


def batch_noise(gradients: Tensor, batch_size: int, draws: int = 400, seed: int = 0) -> float:
    """Return the variance of the gradient of random batches, summed over all parameters.

    It is the mean squared distance from the gradient of all images. Images are drawn with replacement, so that the
    expected value is the variance of a single image's gradient divided by `batch_size`.

    Args:
        gradients: (N, P), as `image_gradients` returns them.
        batch_size: Images per batch.
        draws: Number of batches.
        seed: Seed of the random batches.

    Raises:
        UserError: there are no images or no batches, or the batches are empty.

    >>> gradients = torch.tensor([[1.0], [-1.0]])  # mean 0, variance 1
    >>> round(batch_noise(gradients, batch_size=4, draws=20_000), 2)
    0.25
    """
    if min(len(gradients), batch_size, draws) < 1:
        raise UserError(
            f"There are {len(gradients)} images and {draws} batches of {batch_size}; expected at least one of each."
        )
    images = len(gradients)
    from_mean = gradients - gradients.mean(dim=0)  # (N, P)
    products = from_mean @ from_mean.T  # (N, N): determines the length of each mixture of rows
    chosen = torch.randint(images, (draws, batch_size), generator=torch.Generator().manual_seed(seed))
    weights = nn.functional.one_hot(chosen, images).sum(dim=1).to(gradients.dtype) / batch_size  # (draws, N)
    return float(((weights @ products) * weights).sum(dim=1).mean())


def noise_scale(gradients: Tensor) -> float:
    """Return the simple noise scale: the batch size at which noise and gradient have the same size.

    It is the variance of a single image's gradient, summed over the parameters, divided by the squared length of
    the mean gradient. Larger batches improve the direction as long as they are far below it
    (McCandlish et al. 2018, arXiv:1812.06162, section 2.2).

    Args:
        gradients: (N, P), as `image_gradients` returns them.

    >>> noise_scale(torch.tensor([[3.0], [1.0]]))  # mean 2, variance 1
    0.25
    """
    variance = gradients.var(dim=0, correction=0).sum()
    return float(variance / gradients.mean(dim=0).square().sum())
