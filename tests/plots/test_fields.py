import numpy as np
import torch
from matplotlib.patches import Rectangle
from torch import nn

import deepernets
from deepernets.plots import fields


def test_growth_draws_every_layer_of_every_network() -> None:
    rows = {
        name: deepernets.receptive_field(deepernets.build_model(name, (3, 32, 32), 10), (3, 32, 32))
        for name in ("resnet-20", "vgg-mini-cifar")
    }
    ax = fields.growth(rows, image_side=32).axes[0]
    drawn = {str(line.get_label()): np.asarray(line.get_ydata()).tolist() for line in ax.lines}
    for name, frame in rows.items():
        assert drawn[name] == frame["receptive_field"].cummax().tolist()
    assert 32 in np.asarray(ax.lines[-1].get_ydata())
    assert len({(line.get_linestyle(), line.get_color()) for line in ax.lines}) == 3


def test_seen_draws_the_field_where_the_gradient_is() -> None:
    gradient = torch.zeros(9, 9)
    gradient[2:7, 3:8] = 2.0
    ax = fields.seen({"five": gradient}, {"five": 5}).axes[0]
    (square,) = (patch for patch in ax.patches if isinstance(patch, Rectangle))
    assert (square.get_x(), square.get_y(), square.get_width()) == (2.5, 1.5, 5)
    assert np.asarray(ax.images[0].get_array()).max() == 1
    assert ax.get_title() == "five: 5 pixels"


def test_gradient_map_of_one_convolution_is_its_kernel_summed_over_channels() -> None:
    network = nn.Conv2d(3, 4, 3, stride=2, padding=1)
    gradient = fields.gradient_map(network, 11)  # maps of 6x6, their unit (3, 3) over pixel (6, 6)
    expected = torch.zeros(11, 11)
    expected[5:8, 5:8] = network.weight.detach().sum(dim=0).abs().sum(dim=0)
    torch.testing.assert_close(gradient, expected)
