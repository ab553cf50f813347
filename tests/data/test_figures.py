import numpy as np
import torch

from deepernets.data.figures import figure_masks
from deepernets.data.sketches import draw


def test_masks_lie_on_the_pictures_of_the_same_seed() -> None:
    masks, pixels = figure_masks(60, seed=1), draw(60, seed=1).pixels.float()
    assert masks.shape == pixels.shape[::2][:1] + pixels.shape[2:]
    assert masks.dtype == torch.bool
    brightness = pixels.mean(dim=1)  # figures are lighter or darker than what is behind them
    inside = torch.stack([b[m].mean() for b, m in zip(brightness, masks, strict=True)])
    outside = torch.stack([b[~m].mean() for b, m in zip(brightness, masks, strict=True)])
    contrast = (inside - outside).abs()
    wrong = torch.stack(
        [(b[m].mean() - b[~m].mean()).abs() for b, m in zip(brightness, masks.roll(1, 0), strict=True)]
    )
    assert contrast.mean() > 1.5 * wrong.mean()


def test_figures_fill_a_good_part_of_a_picture_and_never_all() -> None:
    shares = figure_masks(30, seed=0).float().mean(dim=(1, 2)).numpy()
    assert np.all((shares > 0.03) & (shares < 0.7))


def test_the_first_masks_do_not_depend_on_how_many_are_asked_for() -> None:
    assert torch.equal(figure_masks(5, seed=3), figure_masks(9, seed=3)[:5])
