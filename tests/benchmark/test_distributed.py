"""Two processes measured at toy size: the shape of what they find and the bytes, never how long anything took."""

import json

import pytest

import deepernets
from deepernets.analysis.scaling import Link, ring_bytes
from deepernets.benchmark import distributed
from deepernets.benchmark.distributed import MESSAGES, Scaling, Shared, measure
from deepernets.errors import UserError


def test_two_processes_measure_and_hand_over_four_bytes_for_each_parameter() -> None:
    found = measure(["vgg-mini-bn-cifar"], images=4, repeats=1)
    (step,) = found.steps
    model = deepernets.build_model("vgg-mini-bn-cifar", in_shape=(3, 32, 32), classes=10)
    assert step.parameters == deepernets.count_parameters(model)
    assert step.gradient_bytes == 4 * step.parameters == ring_bytes(step.parameters, processes=2)
    assert min(step.whole, step.part, step.beside, step.together) > 0
    assert tuple(found.messages) == MESSAGES
    assert min(found.messages.values()) > 0
    assert found.link.bytes_per_second > 0
    assert step.predicted(found.link, step.part) > step.part


def test_the_prediction_is_computing_and_then_sending() -> None:
    step = Shared("net", 1000, 4000, whole=5.0, part=2.0, beside=3.0, together=4.0)
    link = Link(bytes_per_second=8000, latency=0.25)
    assert step.predicted(link, step.part) == pytest.approx(2 + 0.5 + 2 * 0.25)
    found = Scaling(32, {size: 2 * 0.25 + size / 8000 for size in MESSAGES}, (step,))
    assert found.link.latency == pytest.approx(0.25)


def test_what_cannot_be_shared_or_built_is_told() -> None:
    with pytest.raises(UserError, match="cannot share 3 images"):
        measure(["vgg-mini-bn-cifar"], images=3)
    with pytest.raises(UserError, match="depth 21"):
        measure(["resnet-21"])


def test_it_is_told_as_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    step = Shared("net", 1000, 4000, whole=5.0, part=2.0, beside=3.0, together=4.0)
    found = Scaling(32, {1000: 1.0, 2000: 1.5}, (step,))
    monkeypatch.setattr(distributed, "measure", lambda networks: found)
    distributed.main(["net"])
    told = json.loads(capsys.readouterr().out)
    assert told["predicted"]["net"] == pytest.approx(2 + 2 * 0.25 + 2)
