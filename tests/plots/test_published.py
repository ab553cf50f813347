"""The charts of VGG's published tables draw every row of them."""

import numpy as np
import torch
from matplotlib.patches import Rectangle

from deepernets.papers.vgg import MULTI_SCALE, SINGLE_SCALE, STATE_OF_THE_ART
from deepernets.plots import published


def test_both_tables_are_drawn_and_labelled() -> None:
    (ax,) = published.error_by_scale().axes
    drawn = [np.asarray(line.get_xdata()).item() for line in ax.lines if line.get_label() == "one test scale"]
    assert drawn == [row.top1 for row in SINGLE_SCALE]
    drawn = [
        np.asarray(line.get_xdata()).item() for line in ax.lines if line.get_label() == "three test scales"
    ]
    assert drawn == [row.top1 for row in MULTI_SCALE]
    written = [text.get_text() for text in ax.texts]
    assert len(written) == len(SINGLE_SCALE) + len(MULTI_SCALE)
    assert "24.8" in written
    assert len({line.get_marker() for line in ax.lines if not str(line.get_label()).startswith("_")}) == 2


def test_table_7_is_drawn_from_the_best_to_the_worst() -> None:
    (ax,) = published.state_of_the_art().axes
    bars = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    lengths = [bar.get_width() for bar in bars]
    assert len(lengths) == len(STATE_OF_THE_ART)
    assert lengths == sorted(lengths)
    assert ax.yaxis_inverted()
    hatched = [bar.get_width() for bar in bars if bar.get_hatch()]
    assert hatched == [6.7, 7.9, 14.2, 18.2]  # given on the validation images alone
    assert sum("(validation)" in text.get_text() for text in ax.texts) == 4
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels[:3] == [
        "GoogLeNet, 7 nets",
        "VGG, multi-crop & dense, 2 nets",
        "VGG, multi-crop & dense, 1 net",
    ]


def test_crops_cover_less_of_a_larger_image() -> None:
    figure = published.crop_windows(torch.zeros(3, 32, 32, dtype=torch.uint8), (256, 512), places=2)
    assert [ax.get_title() for ax in figure.axes] == [
        "S = 256\n77% of the image",
        "S = 512\n19% of the image",
    ]
    frames = [patch for patch in figure.axes[1].patches if isinstance(patch, Rectangle)]
    assert {round(frame.get_width(), 3) for frame in frames} == {14.0}
    corners = {round(frame.get_x(), 3) for frame in frames}
    assert corners == {-0.5, 17.5}
