"""Two processes measured at toy size: the shape of the results and the bytes, never any duration."""

import json

import pytest

import deepernets
from deepernets.analysis.performance import ring_bytes
from deepernets.benchmark import distributed
from deepernets.benchmark.distributed import MESSAGES, Scaling, StepTimes, measure
from deepernets.errors import UserError


def test_two_processes_send_four_bytes_per_parameter() -> None:
    found = measure(["vgg-mini-bn-cifar"], images=4, repeats=1)
    (step,) = found.steps
    model = deepernets.build_model("vgg-mini-bn-cifar", in_shape=(3, 32, 32), classes=10)
    assert step.parameters == deepernets.count_parameters(model)
    assert step.gradient_bytes == 4 * step.parameters == ring_bytes(step.parameters, processes=2)
    assert min(step.whole_alone, step.half_alone, step.half_at_once, step.shared) > 0
    assert tuple(found.messages) == MESSAGES
    assert min(found.messages.values()) > 0


def test_what_cannot_be_shared_or_built_is_refused() -> None:
    with pytest.raises(UserError, match="images is 3"):
        measure(["vgg-mini-bn-cifar"], images=3)
    with pytest.raises(UserError, match="depth 21"):
        measure(["resnet-21"])


def test_the_result_is_printed_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    step = StepTimes("net", 1000, 4000, whole_alone=5.0, half_alone=2.0, half_at_once=3.0, shared=4.0)
    monkeypatch.setattr(distributed, "measure", lambda networks: Scaling(32, {1000: 1.0, 2000: 1.5}, (step,)))
    distributed.main(["net"])
    assert json.loads(capsys.readouterr().out)["steps"][0]["shared"] == 4.0
