"""The noise of the gradient: how far the gradient of a batch lies from the gradient of all images."""

import torch
from torch import Tensor, nn

from deepernets.errors import UserError

CHUNK = 64  # images whose gradients are taken at a time; each needs as much memory as all parameters


def image_gradients(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return the gradient of the cross-entropy of each image by itself, with respect to all parameters.

    The model is used as it stands. Where it normalises over the batch, images have no gradients of their own
    in training mode: give a network without batch normalisation, or one in evaluation mode.

    Args:
        model: Maps (N, C, H, W) to logits (N, K); it is left unchanged.
        images: (N, C, H, W), float.
        labels: (N,), class indices.

    Returns:
        (N, P), float: a row per image, in the order of ``model.parameters()``. Its mean over the rows is the
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
    """Measure how far the gradients of random batches lie from the gradient of all images.

    The distance is squared, and its mean over the batches is the variance of a batch's gradient, added up over
    all parameters. Images are drawn with replacement, so that it is that of one image divided by `batch_size`.

    Args:
        gradients: (N, P), of one image each, as `image_gradients` gives them.
        batch_size: Images per batch.
        draws: Batches to draw.
        seed: Of the drawing.

    Raises:
        UserError: there are no images, no batches, or empty ones.

    >>> gradients = torch.tensor([[1.0], [-1.0]])  # mean 0, variance 1
    >>> round(batch_noise(gradients, batch_size=4, draws=20_000), 2)
    0.25
    """
    if min(len(gradients), batch_size, draws) < 1:
        raise UserError("The noise of a batch needs at least one image, one image a batch and one batch.")
    images = len(gradients)
    from_mean = gradients - gradients.mean(dim=0)  # (N, P)
    products = from_mean @ from_mean.T  # (N, N); distances of any mixture of rows follow from it
    chosen = torch.randint(images, (draws, batch_size), generator=torch.Generator().manual_seed(seed))
    weights = nn.functional.one_hot(chosen, images).sum(dim=1).to(gradients.dtype) / batch_size  # (draws, N)
    return float(((weights @ products) * weights).sum(dim=1).mean())


def noise_scale(gradients: Tensor) -> float:
    """Return the batch size at which the noise is as large as the gradient itself.

    It is the variance of one image's gradient, added up over the parameters, over the squared length of their mean.
    Far below it a larger batch makes the direction better, far above it the direction is known already
    (McCandlish et al. 2018, arXiv:1812.06162, section 2.2, there the simple noise scale).

    Args:
        gradients: (N, P), of one image each.

    >>> noise_scale(torch.tensor([[3.0], [1.0]]))  # mean 2, variance 1
    0.25
    """
    variance = gradients.var(dim=0, correction=0).sum()
    return float(variance / gradients.mean(dim=0).square().sum())
