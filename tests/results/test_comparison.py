from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from math import isnan
from pathlib import Path

import pytest

import deepernets
from deepernets.papers.datasets import DATASETS
from deepernets.papers.reports import ALL_RESULTS, REPORTED
from deepernets.recipes import get_recipe
from deepernets.recipes.recipe import Profile
from deepernets.results.comparison import (
    NOT_RUN,
    Row,
    best_epoch_gain,
    best_of_each_network,
    compare_reported,
    count_steps,
    largest_comparable_group,
    measured,
    on_equal_terms,
    rate_dropped,
    results_table,
    tuning_runs,
    wrong_images,
)
from deepernets.training.records import Record, load_records

NAME = "report-a/vgg-16/as-reported"
Make = Callable[..., Record]


@pytest.fixture(scope="module")
def make() -> Make:
    """Return a maker of records: a real one with another accuracy, seed, profile and number of epochs."""
    real = deepernets.load_records(NAME)[0]

    def made(
        accuracy: float, seed: int = 0, profile: Profile = "full", epochs: int = 20, **data: object
    ) -> Record:
        chosen = deepernets.get_recipe(NAME).at(profile).changed(epochs=epochs)
        history = [{**real.epochs[0], "epoch": epoch} for epoch in range(1, epochs + 1)]
        return replace(
            real,
            recipe=chosen,
            seed=seed,
            profile=profile,
            epochs=history,
            data={**real.data, **data},
            test={**real.test, "accuracy": accuracy},
        )

    return made


def _row(found: list[Record], name: str = NAME) -> Row:
    return next(row for row in compare_reported(found) if row.reported.recipe == name)


def test_every_reported_result_has_its_row() -> None:
    assert [row.reported.recipe for row in compare_reported([])] == list(REPORTED)
    assert all(row.theirs is None and row.ours is None for row in compare_reported([]))
    assert [row.report for row in compare_reported([])] == ["A"] * 2 + ["B"] * 24 + ["C"] * (3 + 2)


def test_a_row_says_which_network_data_and_recipe() -> None:
    row = _row([], "report-b/resnet-44-cifar10/as-reported-rate-0.001")
    assert (row.model, row.data, row.what) == ("ResNet-44", "cifar10", "rate 0.001")
    assert _row([], "report-b/vgg-13-mnist/as-reported-scheduler").what == "scheduler"
    assert _row([], "report-c/resnet-50-mnist/as-reported").what == "Adam"
    assert _row([], "report-c/vgg-16-mnist/as-reported").what == "rate 0.01, momentum 0"
    assert _row([], "report-c/vgg-16-mnist/as-stated-momentum-0.9").what == "rate 0.01, momentum 0.9"


@pytest.mark.parametrize(
    ("name", "model", "what", "printed"),
    [
        ("report-b/vgg-13-cifar10/as-reported-adam", "VGG-13", "Adam", "did not converge"),
        ("report-b/resnet-20-mnist/as-reported-batch-32", "ResNet-20", "batch 32", "worse or no convergence"),
        ("paper/plain-56", "plain-56", "step", "only drawn"),
        ("paper/resnet-20-b", "ResNet-20 B", "step", "only on ImageNet"),
        ("paper/vgg-16/normal", "VGG-16", "N(0, 0.01²)", "only on ImageNet"),
        ("paper/vgg-16/from-a", "VGG-16", "from A, else N(0, 0.01²)", "only on ImageNet"),
    ],
)
def test_what_is_told_in_words_has_its_row_as_well(name: str, model: str, what: str, printed: str) -> None:
    row = next(row for row in compare_reported([], ALL_RESULTS) if row.reported.recipe == name)
    assert (row.model, row.what, row.printed) == (model, what, printed)


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("report-a/resnet-50/as-reported", "85.8333"),
        ("report-b/resnet-44-mnist/as-reported-rate-0.001", "99.00"),
        ("report-c/vgg-16-mnist/as-reported", "98.98"),
    ],
)
def test_a_figure_keeps_the_digits_of_its_report(name: str, printed: str) -> None:
    assert _row([], name).printed == printed


def test_seeds_are_averaged(make: Make) -> None:
    found = measured(NAME, [make(accuracy, seed) for seed, accuracy in enumerate((0.90, 0.92, 0.94))])
    assert found is not None
    assert (found.mean, found.sd) == (pytest.approx(92), pytest.approx(2))
    assert (found.seeds, found.epochs, found.profile, found.whole) == ((0, 1, 2), 20, "full", True)
    assert str(found) == "92.00 ± 2.00"
    assert found.particulars == "3 seeds, 20 epochs, full, cifar10-jpeg"


def test_one_run_has_no_spread(make: Make) -> None:
    found = measured(NAME, [make(0.912)])
    assert found is not None
    assert found.sd is None
    assert str(found) == "91.20"
    assert found.interval == pytest.approx((90.13, 92.16), abs=0.01)


@pytest.mark.parametrize(
    "worse",
    [
        {"profile": "laptop", "epochs": 4},
        {"profile": "laptop"},
        {"epochs": 5},
    ],
)
def test_the_full_recipe_goes_before_several_shorter_runs(make: Make, worse: dict[str, object]) -> None:
    shorter = [make(0.5, seed, **worse) for seed in range(3)]
    found = measured(NAME, [*shorter, make(0.9)])
    assert found is not None
    assert str(found) == "90.00"
    only = measured(NAME, shorter)
    assert only is not None
    assert (str(only), only.whole) == ("50.00 ± 0.00", False)


def test_of_equals_the_group_with_more_seeds_is_taken(make: Make) -> None:
    found = measured(NAME, [make(0.8), make(0.9, 0, train=9_000), make(0.9, 1, train=9_000)])
    assert found is not None
    assert (found.train_images, found.mean) == (9_000, pytest.approx(90))


@pytest.mark.parametrize("other", [{"train": 5_000}, {"validation": 0}, {"variant": "cifar10"}])
def test_runs_on_other_images_are_never_averaged(make: Make, other: dict[str, object]) -> None:
    found = measured(NAME, [make(0.8), make(0.9, 1, **other)])
    assert found is not None
    assert len(found.seeds) == 1


def test_runs_of_other_lengths_are_never_averaged(make: Make) -> None:
    found = measured(NAME, [make(0.8, epochs=5), make(0.9, 1, epochs=6)])
    assert found is not None
    assert found.particulars == "1 seed, 6 epochs, full, cifar10-jpeg"


def test_the_same_seed_counts_once(make: Make) -> None:
    found = measured(NAME, [make(0.8), make(0.9)])
    assert found is not None
    assert str(found) == "80.00"


def test_what_is_not_the_recipe_does_not_count(make: Make) -> None:
    changed = replace(make(0.9), recipe=deepernets.get_recipe(NAME).changed(learning_rate=0.1))
    assert measured(NAME, [changed]) is None
    assert measured(NAME, [make(0.9, profile="quick")]) is None
    assert measured(NAME, [make(0.9, name="sketches")]) is None
    assert measured("no/such/recipe", [make(0.9)]) is None


def test_a_row_has_whole_runs_only(make: Make) -> None:
    short = [make(0.9, epochs=5), make(0.8, profile="laptop", epochs=4)]
    assert _row(short).theirs is None
    assert not _row(short).was_run
    whole = _row([*short, make(0.7)])
    assert str(whole.theirs) == "70.00"
    assert whole.was_run


def test_our_recipe_stands_beside_all_three_of_report_bs() -> None:
    ours = [run for run in deepernets.load_records() if run.recipe.name == "report-b/resnet-44-mnist/ours"]
    shown = [row.ours for row in compare_reported(ours) if row.model == "ResNet-44"]
    assert [group is not None for group in shown] == [True] * 3 + [False] * 3


def test_the_table_says_what_was_not_run(make: Make) -> None:
    frame = results_table(compare_reported([make(0.9)]))
    first, second = frame.iloc[0], frame.iloc[1]
    assert (first["reported"], first["epochs"]) == ("91.2", 20)
    assert first["their recipe"] == "90.00"
    assert first["how measured"] == "1 seed, 20 epochs, full, cifar10-jpeg"
    assert first["our recipe"] == NOT_RUN
    assert second["their recipe"] == NOT_RUN
    assert (second["reported"], second["how measured"]) == ("85.8333", "")


def test_the_table_can_be_written_and_read(make: Make) -> None:
    import pandas as pd

    frame = results_table(compare_reported([make(0.9)]))
    again = pd.read_csv(StringIO(frame.to_csv(index=False)), dtype=str, keep_default_na=False)
    assert (again == frame.astype(str)).all(axis=None)


def test_a_report_has_as_many_test_images_as_its_data() -> None:
    for row in compare_reported(deepernets.load_records()):
        for group in (row.theirs, row.ours):
            assert group is None or group.test_images == DATASETS[row.data].test_images


def test_a_cost_stands_where_nothing_was_run(make: Make) -> None:
    frame = results_table(compare_reported([make(0.9)]), cost=lambda name: f"a day for {name}")
    first = frame.iloc[0]
    assert first["their recipe"] == "90.00"
    assert (first["our recipe"], first["how ours was"]) == (NOT_RUN, "a day for report-a/vgg-16/ours")


def test_the_readme_has_the_best_result_of_each_reported_network_beside_ours() -> None:
    rows = best_of_each_network(compare_reported(load_records()))
    best = {(row.report, row.model, row.data): row for row in rows}
    expected = []
    for (report, model, data), row in best.items():
        ours = f"{row.ours} | {row.ours.epochs} |" if row.ours else "not run yet | |"
        expected.append(f"| {report} | {model} | {data} | {row.printed} | {row.reported.epochs} | {ours}")
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert [line for line in readme.splitlines() if line in expected] == expected
    odd = best["B", "VGG-16", "cifar10"]
    assert odd.ours
    assert odd.theirs
    assert f"our run of the report's recipe ends at {odd.theirs} %" in readme
    lower = [row for row in best.values() if row.ours and row.ours.mean < row.reported.test_accuracy]
    close, *_ = lower
    assert lower == [close, odd]
    assert (close.model, close.data) == ("VGG-13", "mnist")
    assert close.ours
    assert close.reported.test_accuracy < close.ours.interval.high


def test_terms_are_equal_only_where_all_but_the_network_is(make: Make) -> None:
    one_run = make(90.0)
    other = replace(one_run, recipe=one_run.recipe.changed(model="resnet-8"))
    faster = replace(one_run, recipe=one_run.recipe.changed(learning_rate=1.0))
    other_seed = replace(one_run, seed=1)
    fewer = replace(other, data={**one_run.data, "train": 10})
    mixed = [faster, one_run, other_seed, other, fewer]
    assert largest_comparable_group(mixed) == [one_run, other]
    assert largest_comparable_group([]) == []


def test_of_equally_large_groups_the_longer_training_is_taken(make: Make) -> None:
    one_run = make(90.0)
    other = replace(one_run, recipe=one_run.recipe.changed(model="resnet-8"))
    longer = replace(one_run, seed=1, epochs=one_run.epochs * 2)
    assert count_steps(longer) == 2 * count_steps(one_run)
    assert (
        largest_comparable_group([one_run, longer]) == largest_comparable_group([longer, one_run]) == [longer]
    )
    assert largest_comparable_group([one_run, longer, other]) == [one_run, other]


def _run(name: str, seed: int = 0) -> Record:
    """Return a record of a recipe run completely."""
    real, recipe = load_records("report-a/vgg-16/as-reported")[0], get_recipe(name)
    epochs = [{**real.epochs[0], "epoch": number} for number in range(1, recipe.epochs + 1)]
    return replace(real, recipe=recipe, epochs=epochs, seed=seed, data={**real.data, "name": recipe.data})


def test_tuning_runs_are_grouped_with_the_recipe_itself_first() -> None:
    chosen = _run("report-a/resnet-50/ours")
    changed = replace(chosen, recipe=chosen.recipe.changed(batch_size=128), changes={"batch_size": 128})
    short = replace(chosen, recipe=chosen.recipe.changed(epochs=3), changes={"epochs": 3})
    others = [replace(chosen, seed=1), replace(chosen, profile="laptop"), short]
    others.append(_run("report-a/vgg-16/as-reported"))
    assert tuning_runs([changed, *others, chosen]) == [[chosen, changed]]
    assert tuning_runs([chosen, *others]) == []
    assert tuning_runs([changed, *others]) == []


def test_the_best_epoch_is_compared_with_the_last() -> None:
    run = _run("report-a/vgg-16/as-reported")
    epochs = [{**run.epochs[0], "validation_accuracy": accuracy} for accuracy in (0.5, 0.8, 0.75, 0.7)]
    assert best_epoch_gain(replace(run, epochs=epochs)) == pytest.approx(10)
    assert isnan(best_epoch_gain(replace(run, epochs=[{**run.epochs[0], "validation_accuracy": None}])))


def test_a_learning_rate_has_dropped_if_it_ends_at_a_tenth() -> None:
    run = _run("report-a/vgg-16/as-reported")
    constant = [{**epoch, "learning_rate": 0.1} for epoch in run.epochs]
    assert not rate_dropped(replace(run, epochs=constant))
    assert rate_dropped(replace(run, epochs=[*constant[:-1], {**constant[-1], "learning_rate": 0.01}]))


@pytest.fixture(scope="module")
def mnist_run() -> Record:
    return deepernets.load_records("report-b/resnet-20-mnist/ours")[0]


def test_wrong_images_are_the_accuracys_complement(mnist_run: Record) -> None:
    share = wrong_images(mnist_run) / mnist_run.data["test"]
    assert share == pytest.approx(1 - mnist_run.test["accuracy"], abs=1e-6)


def test_the_largest_group_on_equal_terms_is_taken(mnist_run: Record) -> None:
    vgg = replace(mnist_run, recipe=mnist_run.recipe.changed(name="vgg"))
    short = replace(mnist_run, epochs=mnist_run.epochs[:1])
    laptop = replace(mnist_run, profile="laptop")
    other_data = replace(mnist_run, data={**mnist_run.data, "variant": "mnist-png"})
    precise = replace(mnist_run, precision="fp64")
    assert on_equal_terms([short, mnist_run, precise, laptop, vgg, other_data]) == [mnist_run, vgg]
    # another seed is another run, and not another network
    assert on_equal_terms([short, replace(short, seed=1), mnist_run, vgg]) == [mnist_run, vgg]
    assert on_equal_terms([short, mnist_run]) == [mnist_run]
    assert on_equal_terms([]) == []
