"""The figures of the chapter on degradation."""

from typing import TYPE_CHECKING

import pytest

import deepernets
from deepernets.analysis.depth import diagnosis
from deepernets.results.comparison import count_steps, largest_comparable_group, whole_run
from deepernets.training.records import Record

if TYPE_CHECKING:
    from tests.book.conftest import Book

PAGE = "book/when-depth-hurts"
RUNS = ("plain-20", "plain-56", "resnet-20", "resnet-56")

FIGURES = {
    "plain-18 in the question": "gets 27.94 % of the validation images wrong",
    "plain-34 in the question": "it is 28.54 %",
    "sixteen more plain layers": "rises by 0.60 points",
    "sixteen more residual layers": "falls by 2.85 points",
    "ResNet-20 in the paper": "ResNet-20 reaches 8.75 % test error",
    "ResNet-56 in the paper": "ResNet-56 6.97 %",
    "the paper's steps": "The paper takes 64,000 steps. Our recipes round this to 182 epochs on 45,000 images",
    "the paper's rate": "the paper’s at 0.1",
    "parameters of plain-20": "plain-20: 269,722 parameters",
    "parameters of plain-56": "plain-56: 853,018 parameters",
    "of which could do nothing": "583,296 more",
    "the same function": "36 convolutions added; same logits: True",
    "the trained plain-20 made deeper": "a plain-56 made of it: same logits: True",
    "another plain-56": "a plain-56 with weights of its own: same logits: False",
    "the factor at 512 channels": "predicted 23.04",
}


@pytest.mark.parametrize("what", FIGURES)
def test_it_shows_the_figures(book: "Book", what: str) -> None:
    assert FIGURES[what] in book.text(PAGE)


def test_it_shows_the_papers_table_of_plain_and_residual_networks(book: "Book") -> None:
    rows = book.rows(PAGE)
    assert ["18", "27.94", "27.88"] in rows
    assert ["34", "28.54", "25.03"] in rows


@pytest.mark.parametrize(
    ("scheme", "predicted"), [("He", "1.000"), ("Glorot", "0.500"), ("constant, 0.01²", "0.029")]
)
def test_predicted_and_measured_factors_agree(book: "Book", scheme: str, predicted: str) -> None:
    (row,) = [row for row in book.rows(PAGE) if row[:1] == [scheme]]
    assert row[1] == predicted
    assert float(row[2]) == pytest.approx(float(predicted), rel=0.3)


def test_gradients_grow_with_depth_in_plain_networks_only(book: "Book") -> None:
    ratios = {row[0]: row[1:] for row in book.rows(PAGE) if row[0] in {"8", "20", "32", "44", "56"}}
    plain = [float(ratios[layers][0]) for layers in ("8", "20", "32", "44", "56")]
    assert plain == sorted(plain)
    assert plain[-1] > 100
    assert float(ratios["56"][1]) < 20


FOUND = [run for name in RUNS for run in deepernets.load_records(f"paper/{name}")]


@pytest.fixture(scope="module")
def whole() -> dict[str, Record]:
    """Return the runs with the paper's recipe."""
    runs = {name: whole_run(f"paper/{name}", FOUND) for name in RUNS}
    return {name: run for name, run in runs.items() if run}


@pytest.fixture(scope="module")
def short() -> dict[str, Record]:
    """Return the runs of a few steps."""
    runs = largest_comparable_group(run for run in FOUND if run.profile == "laptop")
    return {run.recipe.model: run for run in runs}


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize(("kind", "decimals"), [("whole", 2), ("short", 1)])
def test_it_shows_what_the_records_say(
    book: "Book", request: pytest.FixtureRequest, name: str, kind: str, decimals: int
) -> None:
    run = request.getfixturevalue(kind)[name]
    last = run.epochs[-1]
    errors = (1 - last["train_accuracy"], 1 - last["validation_accuracy"], 1 - run.test["accuracy"])
    row = [name, f"{run.model['parameters']:,}", *(f"{100 * error:.{decimals}f}" for error in errors)]
    assert row in book.rows(PAGE)


@pytest.mark.parametrize(("kind", "found"), [("plain", "degradation"), ("resnet", "neither")])
def test_the_whole_runs_show_degradation_in_plain_networks_only(
    book: "Book", whole: dict[str, Record], kind: str, found: str
) -> None:
    shallow, deep = (whole[f"{kind}-{layers}"].epochs for layers in (20, 56))
    assert diagnosis(shallow, deep) == found
    errors = [f"{100 * (1 - epochs[-1]['train_accuracy']):.2f} %" for epochs in (shallow, deep)]
    stated = book.text(PAGE).partition(f"ends with a training error of {errors[1]}")[2]
    assert stated.replace(" ,", ",").startswith(f", {kind}-20 with {errors[0]}: {found}.")


def test_it_says_when_the_deeper_network_has_the_higher_training_error(
    book: "Book", whole: dict[str, Record]
) -> None:
    above = {
        kind: [
            deep["train_accuracy"] < shallow["train_accuracy"]
            for shallow, deep in zip(whole[f"{kind}-20"].epochs, whole[f"{kind}-56"].epochs, strict=True)
        ]
        for kind in ("plain", "resnet")
    }
    assert all(above["plain"])
    first = sum(above["resnet"])
    assert above["resnet"] == [True] * first + [False] * (len(above["resnet"]) - first)
    text = book.text(PAGE)
    assert f"Plain-56 has the higher training error in {len(above['plain'])} of 182 epochs" in text
    assert f"ResNet-56 has the higher training error in the first {first} epochs only" in text
    errors = [f"{100 * (1 - whole[name].test['accuracy']):.2f} %" for name in ("plain-20", "plain-56")]
    stated = f"a plain-56 with {errors[0]} test error, and the plain-56 that we trained has {errors[1]}"
    assert stated in text
    best = min(whole.values(), key=lambda run: 1 - run.test["accuracy"])
    assert best.recipe.model == "resnet-56"  # which "ends with the lowest errors of all four"
    for split in ("train_accuracy", "validation_accuracy"):
        assert max(whole, key=lambda name: whole[name].epochs[-1][split]) == "resnet-56"


@pytest.mark.parametrize("kind", ["plain", "resnet"])
def test_short_runs_are_diagnosed_too(book: "Book", short: dict[str, Record], kind: str) -> None:
    shallow, deep = (short[f"{kind}-{layers}"].epochs for layers in (20, 56))
    assert f"{kind}-56 and {kind}-20: {diagnosis(shallow, deep)}." in book.text(PAGE)


def test_runs_far_from_fitting_their_images_are_not_called_degraded(book: "Book") -> None:
    shown = book.text(PAGE)
    assert "training 55.0%, validation 56.0%: not converged" in shown
    assert "training 18.0%, validation 20.0%: degradation" in shown


def test_it_says_how_long_the_recorded_runs_are(book: "Book", short: dict[str, Record]) -> None:
    run = short["plain-56"]
    shown = book.text(PAGE)
    for words in (
        f"{run.data['train']:,} training images (variant",
        run.data["variant"],
        f"{len(run.epochs)} epochs, which is {count_steps(run):,} steps",
        f"starts at {run.recipe.learning_rate:g}",
        f"Profile {run.profile}, seed {run.seed}, {run.precision} on {run.device}, {run.date}",
    ):
        assert words in shown


def test_from_short_runs_it_draws_conclusions_about_speed_only(
    book: "Book", short: dict[str, Record]
) -> None:
    shown = book.text(PAGE)
    assert "182 epochs on 45,000 images, of 352 steps each, that is 64,064 steps" in shown
    assert "not recorded" not in shown.lower()
    assert "the deep plain network learns much more slowly" in shown
    error = {name: 1 - run.epochs[-1]["train_accuracy"] for name, run in short.items()}
    assert error["plain-56"] > error["plain-20"] + 0.2
    assert abs(error["resnet-56"] - error["resnet-20"]) < 0.05
