import json
from dataclasses import FrozenInstanceError, asdict, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from deepernets.errors import UserError
from deepernets.models.registry import build_model
from deepernets.papers.datasets import DATASETS
from deepernets.recipes import get_recipe, list_recipes, load_recipe
from deepernets.recipes.recipe import Recipe
from deepernets.recipes.speedrun import PARTS
from deepernets.training.optimizers import build_optimizer
from deepernets.training.options import RunOptions

EXAMPLE = Recipe("example", data="sketches", model="vgg-mini-bn-cifar")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("batch_size", 1),
        ("optimizer", "adagrad"),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("momentum", 1.0),
        ("weight_decay", -1e-4),
        ("schedule", "zigzag"),
        ("warm_up_epochs", 20),
        ("label_smoothing", 1.0),
        ("pad", -1),
        ("image_size", 1),
        ("validation_fraction", 1.0),
        ("hold_out", "first"),
        ("train_images", -5),
    ],
)
def test_a_value_that_cannot_be_trained_with_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(UserError, match=rf"^Recipe 'example': {field} is .*; it must be .*\. Change {field}"):
        EXAMPLE.changed(**{field: value})


def test_combinations_that_cannot_work_are_refused() -> None:
    with pytest.raises(UserError, match="nesterov"):
        EXAMPLE.changed(nesterov=True, momentum=0.0)
    with pytest.raises(UserError, match="on-plateau"):
        EXAMPLE.changed(schedule="on-plateau", validation_fraction=0.0)
    with pytest.raises(UserError, match="no field 'rate'"):
        EXAMPLE.changed(rate=1)


def test_a_recipe_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        EXAMPLE.epochs = 3  # type: ignore[misc]


def test_an_unknown_recipe_suggests_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean report-a/vgg-16/ours"):
        get_recipe("report-a/vgg16/ours")


def test_profiles_cut_down_and_keep_the_shape() -> None:
    whole = get_recipe("report-a/vgg-16/ours").changed(warm_up_epochs=2)
    laptop, quick = whole.at("laptop"), whole.at("quick")
    assert (laptop.epochs, laptop.train_images, laptop.warm_up_epochs) == (4, 5_000, pytest.approx(0.4))
    assert (quick.epochs, quick.train_images) == (2, 512)
    assert replace(laptop, epochs=20, train_images=0, warm_up_epochs=2) == whole
    assert whole.at("full") is whole
    assert get_recipe("quick/vgg").at("quick") == get_recipe("quick/vgg")
    with pytest.raises(UserError, match="no profile 'slow'"):
        whole.at("slow")


def test_every_recipe_can_be_built_on_its_data() -> None:
    networks = set()
    for name in list_recipes():
        chosen = get_recipe(name)
        assert chosen.name == name
        assert chosen.data in DATASETS
        shape = (DATASETS[chosen.data].in_shape[0], chosen.image_size, chosen.image_size)
        networks.add((chosen.model, shape, len(DATASETS[chosen.data].classes), chosen.initialisation))
    for network, shape, classes, initialisation in networks:
        with torch.device("meta"):
            model = build_model(network, shape, classes, initialisation=initialisation)
            assert model.eval()(torch.empty(2, *shape)).shape == (2, classes), network


@pytest.mark.parametrize(("model", "epochs"), [("vgg-16", 20), ("resnet-50", 15)])
def test_report_a_is_carried_exactly(model: str, epochs: int) -> None:
    """Facts, section 3, report A; but for the validation images, which it did not hold out."""
    chosen = get_recipe(f"report-a/{model}/as-reported")
    assert (chosen.optimizer, chosen.momentum, chosen.nesterov) == ("sgd", 0.9, False)
    assert (chosen.learning_rate, chosen.schedule, chosen.warm_up_epochs) == (1e-2, "constant", 0)
    assert (chosen.weight_decay, chosen.batch_size, chosen.epochs) == (5e-4, 128, epochs)
    assert (chosen.initialisation, chosen.pad, chosen.flip) == ("pytorch", 4, True)
    assert (chosen.data, chosen.label_smoothing, chosen.train_images) == ("cifar3", 0, 0)
    assert get_recipe(f"report-a/{model}/ours").epochs == epochs


@pytest.mark.parametrize("name", ["paper/resnet-20", "paper/plain-56", "paper/resnet-110"])
def test_the_resnet_papers_recipe_is_carried_exactly(name: str) -> None:
    """He et al. 2016, section 4.2; the milestones are the schedule's own and tested there."""
    chosen = get_recipe(name)
    assert (chosen.batch_size, chosen.momentum, chosen.weight_decay) == (128, 0.9, 1e-4)
    assert (chosen.learning_rate, chosen.schedule, chosen.initialisation) == (0.1, "step", "he")
    assert (chosen.pad, chosen.flip, chosen.validation_fraction) == (4, True, 5_000 / 50_000)
    iterations = chosen.epochs * -(-45_000 // chosen.batch_size)
    assert iterations == pytest.approx(64_000, rel=0.005)
    assert (chosen.warm_up_epochs > 0) == (name == "paper/resnet-110")


COLUMNS = ("", "-rate-0.001", "-scheduler", "-adam")


@pytest.mark.parametrize("data", ["mnist", "cifar10"])
@pytest.mark.parametrize("model", ["vgg-13", "vgg-16", "resnet-20", "resnet-44"])
def test_report_b_has_its_three_columns_adam_and_ours(model: str, data: str) -> None:
    """Facts, section 3, report B: batches of 128, crops and flips on CIFAR-10 alone."""
    names = [f"as-reported{column}" for column in COLUMNS]
    rows = [get_recipe(f"report-b/{model}-{data}/{name}") for name in (*names, "ours")]
    assert {(row.epochs, row.batch_size) for row in rows[:4]} == {(50, 128)}
    assert rows[4].epochs == (15 if data == "cifar10" else 5)
    assert {(row.pad, row.flip) for row in rows[:4]} == {(4, True) if data == "cifar10" else (0, False)}
    assert [row.learning_rate for row in rows[:2]] == [0.01, 0.001]
    assert [row.optimizer for row in rows] == ["sgd", "sgd", "sgd", "adam", "sgd"]


@pytest.mark.parametrize("name", [name for name in list_recipes() if "/without-augmentation" in name])
def test_without_augmentation_report_bs_recipes_lack_crops_and_flips_alone(name: str) -> None:
    reported = get_recipe(name.replace("without-augmentation", "as-reported"))
    assert get_recipe(name) == reported.changed(name=name, pad=0, flip=False)


@pytest.mark.parametrize("data", ["mnist", "cifar10"])
def test_report_cs_code_and_its_text_differ_in_momentum_alone(data: str) -> None:
    """Facts, section 3, report C: plain SGD at the library's default rate, the last fifth held out."""
    code, text = (
        get_recipe(f"report-c/vgg-16-{data}/{name}") for name in ("as-reported", "as-stated-momentum-0.9")
    )
    assert (code.optimizer, code.learning_rate, code.momentum) == ("sgd", 0.01, 0)
    assert (code.batch_size, code.epochs, code.initialisation) == (128, 50, "glorot")
    assert code.validation_fraction == 0.2
    assert code.hold_out == ("last" if data == "mnist" else "stratified")  # CIFAR-10 may be sorted
    assert text == code.changed(name=text.name, momentum=0.9)


def test_report_b_tried_three_batch_sizes_with_one_network() -> None:
    row = "report-b/resnet-20-mnist/as-reported"
    sizes = [get_recipe(name).batch_size for name in (f"{row}-batch-32", f"{row}-batch-64", row)]
    assert sizes == [32, 64, 128]
    assert get_recipe(f"{row}-batch-32").changed(name=row, batch_size=128) == get_recipe(row)


def test_on_the_ablation_path_one_thing_changes_at_a_time() -> None:
    row = "report-b/resnet-20-cifar10"
    names = (
        "without-augmentation",
        "as-reported",
        "ablation/rate-0.1",
        "ablation/rate-0.1-one-cycle",
        "ablation/nesterov-label-smoothing",
    )
    steps = [asdict(get_recipe(f"{row}/{name}")) for name in names]
    changed = [
        {field for field in before if before[field] != after[field]} - {"name"}
        for before, after in pairwise(steps)
    ]
    assert changed == [{"pad", "flip"}, {"learning_rate"}, {"schedule"}, {"nesterov", "label_smoothing"}]


def test_vggs_d_starts_from_three_draws_and_with_two_of_them_from_a_as_well() -> None:
    names = ("normal", "glorot", "he", "from-a", "from-a-glorot")
    rows = [get_recipe(f"paper/vgg-16/{name}") for name in names]
    assert [row.initialisation for row in rows] == ["normal", "glorot", "he", "normal", "glorot"]
    assert [row.start_from for row in rows] == ["", "", "", "paper/vgg-11/glorot", "paper/vgg-11/glorot"]
    assert get_recipe("paper/vgg-11/glorot").model == "vgg-11-cifar"
    assert {row.model for row in rows} == {"vgg-16-cifar"}


def test_the_recipes_options_reach_the_optimizer() -> None:
    model = torch.nn.Linear(2, 2)
    sgd = build_optimizer(EXAMPLE.changed(nesterov=True, learning_rate=0.3, weight_decay=0.2), model)
    assert isinstance(sgd, torch.optim.SGD)
    assert {key: sgd.defaults[key] for key in ("lr", "momentum", "nesterov", "weight_decay")} == {
        "lr": 0.3,
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 0.2,
    }
    for name, kind in (("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)):
        optimizer = build_optimizer(EXAMPLE.changed(optimizer=name, weight_decay=0.2), model)
        assert type(optimizer) is kind
        assert optimizer.defaults["weight_decay"] == 0.2


@pytest.mark.parametrize("size", ["cifar10/dash", "cifar10/dash-narrow"])
@pytest.mark.parametrize("part", PARTS)
def test_a_dash_without_a_part_differs_from_the_whole_in_that_part_alone(size: str, part: str) -> None:
    whole, less = asdict(get_recipe(size)), asdict(get_recipe(f"{size}/without-{part}"))
    assert {field: less[field] for field in less if less[field] != whole[field] and field != "name"} == PARTS[
        part
    ]


def test_alternating_needs_flips() -> None:
    with pytest.raises(UserError, match="used with flip"):
        get_recipe("quick/digits").changed(alternate=True)


def test_a_file_states_a_recipe_or_the_changes_of_one(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('\ufeffdata = "sketches"\nmodel = "resnet-20"\nlearning-rate = 1\nflip = true\n')
    assert load_recipe(file) == Recipe("mine", "sketches", "resnet-20", learning_rate=1.0, flip=True)
    file.write_text('based-on = "quick/vgg"\nbatch_size = 32\n')
    assert load_recipe(file) == get_recipe("quick/vgg").changed(batch_size=32)
    file.write_text('based-on = "quick/vgg"\nname = "mine"\n')
    assert load_recipe(file) == get_recipe("quick/vgg").changed(name="mine")


def test_numbers_of_numpy_and_pytorch_become_pythons_which_json_can_hold() -> None:
    chosen = EXAMPLE.changed(
        epochs=np.int64(3),
        learning_rate=np.float32(0.5),
        weight_decay=torch.tensor(0.25),
        momentum=0,
        pad=np.uint8(1),
    )
    assert chosen == EXAMPLE.changed(epochs=3, learning_rate=0.5, weight_decay=0.25, momentum=0.0, pad=1)
    assert "0.5" in json.dumps(asdict(chosen))
    assert RunOptions(seed=np.int64(3)).folder(chosen) == RunOptions(seed=3).folder(chosen)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("epochs", 2.5, "a whole number"),
        ("epochs", "3", "a whole number"),
        ("epochs", np.array([1, 2]), "a whole number"),
        ("learning_rate", float("nan"), "a finite number"),
        ("learning_rate", 10**400, "a finite number"),
        ("flip", 1, "true or false"),
        ("data", Path("birds"), "text"),
        ("model", None, "text"),
    ],
)
def test_a_field_of_another_type_is_refused_before_the_run(field: str, value: object, kind: str) -> None:
    with pytest.raises(UserError, match=f": {field} is .*; it must be {kind}"):
        EXAMPLE.changed(**{field: value})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            'based-on = "quick/vgg"\nlearning-rate = inf',
            "mine.toml: Recipe 'quick/vgg': learning_rate is inf; it must be a finite",
        ),
        ("epoch = 3", "has an unknown key 'epoch'; did you mean epochs"),
        ("zzz = 3", "has an unknown key 'zzz'; the keys are based-on, name, data, model"),
        ('based-on = "quick/vgg"\nepochs = "three"', "epochs is 'three'; it must be a whole number"),
        ('based-on = "quick/vgg"\nepochs = true', "epochs is True; it must be a whole number"),
        (
            'based-on = "quick/vgg"\nlearning-rate = "low"',
            "learning_rate is 'low'; it must be a finite number",
        ),
        ('based-on = "quick/vgg"\nflip = 1', "flip is 1; it must be true or false"),
        ('data = 3\nmodel = "vgg-16"', "data is 3; it must be text"),
        ("epochs = 3", "does not state data and model"),
        ('based-on = "quick/vg"', "There is no recipe 'quick/vg'; did you mean quick/vgg"),
        ('based-on = "quick/vgg"\nepochs = 0', "epochs is 0; it must be at least 1"),
        ('data = "mnist"\nmodel = "vgg-16"\nname = "../up"', "a name without .."),
        ("epochs =", "is damaged"),
        ("\x00", "is damaged"),
        ("model = '\udcff'", "is not UTF-8; save it in this encoding"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused_in_one_sentence(text: str, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UserError) as refused:
        load_recipe(file)
    assert problem in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
