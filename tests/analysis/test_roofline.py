import pytest
import torch
from torch import nn

import deepernets
from deepernets.analysis.roofline import Machine, traffic


def test_a_convolution_by_hand() -> None:
    table = traffic(nn.Sequential(nn.Conv2d(64, 64, 3, padding=1)), (64, 224, 224), batch_size=2)
    (row,) = table.to_dict("records")
    assert row["operations"] == 2 * 2 * 9 * 64 * 64 * 224**2
    assert row["bytes"] == 4 * (2 * 2 * 64 * 224**2 + 9 * 64 * 64 + 64)
    assert row["intensity"] == row["operations"] / row["bytes"]


def test_operations_are_twice_the_multiply_adds_and_half_the_bytes_in_bf16() -> None:
    with torch.device("meta"):
        network = deepernets.build_model("resnet-20")
    shape = (3, 32, 32)
    full, half = traffic(network, shape, 4), traffic(network, shape, 4, bytes_each=2)
    assert full["operations"].sum() == 2 * 4 * deepernets.count_multiply_adds(network, shape)
    assert (full["bytes"] == 2 * half["bytes"]).all()


def test_a_larger_batch_raises_the_intensity_of_a_linear_layer() -> None:
    layer = nn.Sequential(nn.Flatten(), nn.Linear(300, 100))
    low, high = (traffic(layer, (3, 10, 10), batch)["intensity"].iloc[0] for batch in (1, 64))
    assert low == pytest.approx(0.5, rel=0.02)
    assert high > 15


def test_a_roof_has_a_slope_and_a_ceiling() -> None:
    machine = Machine(operations_per_second=100.0, bytes_per_second=10.0)
    assert machine.ridge == 10
    assert [machine.reachable(intensity) for intensity in (1, 10, 50)] == [10, 100, 100]
    assert machine.least_seconds(operations=200, moved=5) == 2
    assert machine.least_seconds(operations=200, moved=50) == 5
