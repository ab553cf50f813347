from dataclasses import replace

import pytest

import deepernets
from deepernets.papers.datasets import DATASETS
from deepernets.results import costs
from deepernets.training.records import Record


def record() -> Record:
    return deepernets.load_records("report-a/vgg-16/as-reported")[0]


def test_work_is_epochs_times_images_times_three_forward_passes() -> None:
    wanted = deepernets.get_recipe("report-a/vgg-16/as-reported")
    with_classes = deepernets.build_model(wanted.model, in_shape=(3, 32, 32), classes=3)
    forward = deepernets.count_multiply_adds(with_classes, (3, 32, 32))
    assert costs.training_multiply_adds(wanted) == 3 * 20 * 14_000 * forward
    assert costs.training_multiply_adds(wanted.at("laptop")) == 3 * 4 * 5_000 * forward


def test_counts_of_images_are_those_of_the_records() -> None:
    for found in deepernets.load_records():
        if found.profile == "full":
            held = found.data["train"] + found.data["validation"]
            assert DATASETS[found.recipe.data].train_images == held


def test_the_pace_is_that_of_the_same_network_where_it_was_run() -> None:
    slow = replace(record(), epochs=[{**epoch, "seconds": 100.0} for epoch in record().epochs])
    other = replace(slow, recipe=slow.recipe.changed(model="resnet-20"))
    own = costs.median_speed([slow, other], "vgg-16-bn-cifar")
    assert own == pytest.approx(costs.training_multiply_adds(slow.recipe) / (100 * len(slow.epochs)))
    assert costs.median_speed([], "resnet-20") is None
    assert costs.median_speed([other], "vgg-16-bn-cifar") == costs.median_speed([other])


def test_the_pace_of_a_gpu_is_left_out() -> None:
    gpu = replace(record(), device="NVIDIA H200")
    assert costs.median_speed([gpu]) is None
    assert costs.median_speed([gpu, record()]) == costs.median_speed([record()])


def test_an_epoch_beside_other_work_does_not_slow_the_estimate() -> None:
    steady = replace(record(), epochs=[{**epoch, "seconds": 10.0} for epoch in record().epochs])
    disturbed = replace(steady, epochs=[*steady.epochs[:-1], {**steady.epochs[-1], "seconds": 500.0}])
    assert costs.median_speed([disturbed]) == costs.median_speed([steady])


def test_a_gpu_takes_as_long_as_its_arithmetic_or_its_calls_whichever_is_more() -> None:
    deep, wide = "report-b/resnet-20-mnist/as-reported", "report-c/vgg-16-cifar10/as-reported"
    smaller = deepernets.get_recipe(f"{deep}-batch-32")
    assert costs.gpu_seconds(smaller) == pytest.approx(
        4 * costs.gpu_seconds(deepernets.get_recipe(deep)), rel=0.01
    )
    arithmetic = (
        costs.training_multiply_adds(deepernets.get_recipe(wide).changed(batch_size=1_000))
        / costs.ASSUMED_GPU
    )
    assert costs.gpu_seconds(deepernets.get_recipe(wide).changed(batch_size=1_000)) == arithmetic


def test_an_estimate_names_both_machines_and_no_cpu_without_a_record() -> None:
    assert costs.estimated_time("report-a/vgg-16/ours", [record()]).startswith("CPU ")
    assert costs.estimated_time("report-a/vgg-16/ours", []).startswith("GPU ")
