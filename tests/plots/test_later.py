"""The sketches of later blocks name the layers that the blocks have."""

import re

import numpy as np
import pytest
from torch import nn

from deepernets.models.modern_blocks import LATER_BLOCKS, ORIGINAL_BLOCKS
from deepernets.plots import later

ALL = {**ORIGINAL_BLOCKS, **LATER_BLOCKS}


def test_every_block_has_a_sketch() -> None:
    assert set(later.SKETCHES) == set(ALL)
    titles = [ax.get_title() for ax in later.later_blocks().axes]
    assert titles == list(later.SKETCHES)


@pytest.mark.parametrize("name", later.SKETCHES)
def test_its_boxes_are_the_blocks_layers_with_weights(name: str) -> None:
    drawn = [step for branch in later.SKETCHES[name].branches for step in branch if step.startswith("[")]
    kernels = sorted(int(match[1]) for step in drawn if (match := re.search(r"(\d)×", step)))
    built = [module for module in ALL[name](64).modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    sides = [layer.kernel_size[0] if isinstance(layer, nn.Conv2d) else 1 for layer in built]
    if name == "squeeze-and-excitation":  # the gate's two layers are one box
        sides = [*sides[:3]]
        assert len(drawn) == len(sides) + 1
    assert kernels == sorted(sides)


@pytest.mark.parametrize("name", later.SKETCHES)
def test_what_is_new_is_marked_in_later_blocks_only(name: str) -> None:
    steps = [step for branch in later.SKETCHES[name].branches for step in branch]
    assert any(step.endswith("*") for step in steps) == (name in LATER_BLOCKS)


def test_groups_share_out_the_kernels() -> None:
    axes = later.channel_links(8, (1, 4, 8)).axes
    titles = [ax.get_title() for ax in axes]
    assert titles == ["one group: all\n64 kernels", "4 groups\n16 kernels", "8 groups: depthwise\n8 kernels"]
    drawn = np.asarray(axes[1].images[0].get_array())
    assert drawn[0].tolist() == [1, 1, 0, 0, 0, 0, 0, 0]
