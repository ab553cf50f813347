import pytest
import torch
from torch import nn

import deepernets
from deepernets.analysis.performance import (
    Link,
    Machine,
    central_bytes,
    compute_seconds,
    efficiency,
    fit_link,
    layer_traffic,
    ring_bytes,
    ring_seconds,
    step_seconds,
)
from deepernets.errors import UserError


def test_a_convolution_by_hand() -> None:
    table = layer_traffic(nn.Sequential(nn.Conv2d(64, 64, 3, padding=1)), (64, 224, 224), batch_size=2)
    (row,) = table.to_dict("records")
    assert row["operations"] == 2 * 2 * 9 * 64 * 64 * 224**2
    assert row["bytes"] == 4 * (2 * 2 * 64 * 224**2 + 9 * 64 * 64 + 64)
    assert row["intensity"] == row["operations"] / row["bytes"]


def test_operations_are_twice_the_multiply_adds_and_half_the_bytes_in_bf16() -> None:
    with torch.device("meta"):
        network = deepernets.build_model("resnet-20")
    shape = (3, 32, 32)
    full, half = layer_traffic(network, shape, 4), layer_traffic(network, shape, 4, bytes_each=2)
    assert full["operations"].sum() == 2 * 4 * deepernets.count_multiply_adds(network, shape)
    assert (full["bytes"] == 2 * half["bytes"]).all()


def test_a_larger_batch_raises_the_intensity_of_a_linear_layer() -> None:
    layer = nn.Sequential(nn.Flatten(), nn.Linear(300, 100))
    low, high = (layer_traffic(layer, (3, 10, 10), batch)["intensity"].iloc[0] for batch in (1, 64))
    assert low == pytest.approx(0.5, rel=0.02)
    assert high > 15


def test_a_roof_has_a_slope_and_a_ceiling() -> None:
    machine = Machine(operations_per_second=100.0, bytes_per_second=10.0)
    assert machine.ridge == 10
    assert [machine.reachable(intensity) for intensity in (1, 10, 50)] == [10, 100, 100]
    assert machine.least_seconds(operations=200, moved=5) == 2
    assert machine.least_seconds(operations=200, moved=50) == 5


@pytest.mark.parametrize("processes", [2, 3, 8, 64])
def test_a_ring_sends_what_playing_it_through_sends(processes: int) -> None:
    parameters = 4 * 3 * 64  # a multiple of every number of processes
    sent = 0
    for _ in range(2):  # once to add up, once to hand round
        for _ in range(processes - 1):
            sent += parameters // processes * 4
    assert ring_bytes(parameters, processes) == pytest.approx(sent)


def test_a_ring_never_sends_more_than_twice_and_bf16_half() -> None:
    for processes in (1, 2, 100, 10_000):
        assert ring_bytes(1000, processes) < 2 * 4 * 1000
        assert ring_bytes(1000, processes, bytes_each=2) == ring_bytes(1000, processes) / 2
    assert ring_bytes(1000, 2) == 4000


def test_one_process_in_the_middle_carries_more_the_more_there_are() -> None:
    assert central_bytes(1000, 64) == 63 * ring_bytes(1000, 2) * 2
    assert central_bytes(1000, 1) == 0


def test_time_is_bytes_and_latency() -> None:
    assert ring_seconds(1000, 1, Link(1.0, 1.0)) == 0
    assert ring_seconds(1000, 8, Link(7000.0)) == pytest.approx(1)
    assert ring_seconds(1000, 8, Link(7000.0, 0.1)) == pytest.approx(2.4)


def test_a_step_computes_three_forward_passes() -> None:
    assert compute_seconds(multiply_adds=5, images=2, operations_per_second=60) == 1


def test_efficiency_between_nothing_and_all_hidden() -> None:
    assert efficiency(1.0, 0.0) == 1
    assert efficiency(1.0, 1.0) == 0.5
    assert efficiency(1.0, 1.0, hidden=0.5) == pytest.approx(1 / 1.5)
    assert efficiency(1.0, 4.0, hidden=1.0) == 0.25  # no more can be hidden than is computed


@pytest.mark.parametrize("call", [lambda: ring_bytes(1, 0), lambda: central_bytes(1, 0)])
def test_no_processes_are_refused(call: object) -> None:
    assert callable(call)
    with pytest.raises(UserError, match="at least 1"):
        call()


def test_a_share_is_a_share() -> None:
    with pytest.raises(UserError, match="from 0 to 1"):
        efficiency(1.0, 1.0, hidden=1.5)


@pytest.mark.parametrize("processes", [2, 8])
def test_the_link_is_found_from_what_it_makes_of_messages(processes: int) -> None:
    link = Link(bytes_per_second=1e9, latency=20e-6)
    measured = {4 * count: ring_seconds(count, processes, link) for count in (100, 10_000, 1_000_000)}
    found = fit_link(measured, processes)
    assert found.bytes_per_second == pytest.approx(1e9)
    assert found.latency == pytest.approx(20e-6)


def test_noise_makes_no_negative_latency_and_no_negative_bandwidth() -> None:
    assert fit_link({1000: 0.1, 2000: 0.3}).latency == 0
    assert fit_link({1000: 0.3, 2000: 0.2}).bytes_per_second == float("inf")
    with pytest.raises(UserError, match="1 sizes of message"):
        fit_link({1000: 0.3})
    with pytest.raises(UserError, match="1 processes"):
        fit_link({1000: 0.3, 2000: 0.4}, processes=1)


def test_a_step_takes_between_the_longer_part_and_the_sum() -> None:
    assert step_seconds(3.0, 1.0) == 4.0
    assert step_seconds(3.0, 1.0, hidden=1.0) == 3.0
    assert step_seconds(1.0, 3.0, hidden=1.0) == 3.0
