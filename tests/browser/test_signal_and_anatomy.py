"""The explorers of signals and of whole networks: their numbers are PyTorch's and the package's; their tasks."""

import re
from itertools import pairwise
from math import pi, sqrt
from typing import TYPE_CHECKING, Any

import pytest
import torch
from scipy.stats import norm

from deepernets.book.explorers import ANATOMY_PRESETS, SIGNAL_NETWORK
from deepernets.models.counting import activation_bytes, count_multiply_adds, count_parameters, summary
from deepernets.models.layers import he_std
from deepernets.models.registry import build_model
from tests.browser.conftest import Reader
from tests.browser.test_explorers import EVERYWHERE, FIELDS, KERNELS, explorer, run_its_python, set_field

if TYPE_CHECKING:
    from pandas import DataFrame
    from playwright.sync_api import Page

SIGNAL, ANATOMY = "book/when-depth-hurts", "book/resnet-family"
START = {"depth": 30, "sigma": 0.1, "batch": False, "shortcut": False, "gamma": 1, "seed": 1}
DEEP = {**START, "depth": 50, "sigma": 0.2}
BUILT = {"head": "paper", "stem": "imagenet", "shortcut": "B", "stride": "1x1", "n": 3}


def tasks_solved(page: "Page") -> list[bool]:
    return ["Solved" in text for text in explorer(page).locator(".explorer-tasks li").all_inner_texts()]


def compute(page: "Page", what: str, state: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(
        f"([state, network]) => deepernets.signal.{what}(state, network)", [state, SIGNAL_NETWORK]
    )
    return found


def address(state: dict[str, Any]) -> str:
    batch, shortcut = "batch" if state["batch"] else "none", int(state["shortcut"])
    return f"{state['depth']}_{state['sigma']}_{batch}_{shortcut}_{state['gamma']}_{state['seed']}"


@pytest.mark.parametrize(
    "changes",
    [
        {"sigma": 0.1, "depth": 30},
        {"batch": True},
        {"shortcut": True, "gamma": 0.2, "seed": 7, "depth": 20},
        {"batch": True, "shortcut": True, "gamma": 0.5, "depth": 20},
        {"sigma": 0.01, "depth": 40},
    ],
)
def test_signals_and_gradients_are_those_of_pytorch_with_the_same_weights(
    read: Reader, changes: dict[str, Any]
) -> None:
    """Sums of n products of doubles, in another order, in `depth` layers; no gradient grows faster than 1.22."""
    state = {**DEEP, **changes}
    page = read.open(SIGNAL, f"#explorer-signal:{address(state)}")
    names, printed = run_its_python(page)
    drawn = torch.cat([weight.detach().flatten() for weight in names["weights"]]) / state["sigma"]
    before = SIGNAL_NETWORK["images"] * SIGNAL_NETWORK["units"]
    ours = page.evaluate(
        "([seed, from, count]) => [...deepernets.signal.draw(seed, count)].slice(from, count)",
        [state["seed"], before, before + len(drawn)],
    )
    # logarithms and cosines may differ in the last digit
    torch.testing.assert_close(torch.tensor(ours, dtype=torch.float64), drawn, rtol=1e-12, atol=1e-14)

    ulp = torch.finfo(torch.float64).eps
    tolerance = (
        state["depth"] * SIGNAL_NETWORK["units"] * ulp * (1.22 ** state["depth"] if state["batch"] else 1)
    )
    layers = compute(page, "measure", state)
    assert len(layers) == len(printed) - 1 == state["depth"]
    for layer, response, weight in zip(layers, names["responses"], names["weights"], strict=True):
        expected = (response.std(correction=0), response.grad.norm(), weight.grad.norm())
        assert list(layer.values()) == pytest.approx([each.item() for each in expected], rel=tolerance, abs=0)


def test_the_table_and_the_chart_show_what_was_computed(read: Reader) -> None:
    page = read.open(SIGNAL)
    layers = compute(page, "measure", START)
    explorer(page).get_by_text("The numbers of every layer").click()
    rows = explorer(page).locator("tbody tr").all_inner_texts()
    raised = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    for number, (row, layer) in enumerate(zip(rows, layers, strict=True), 1):
        cells = [float(cell.replace("·10", "e").translate(raised)) for cell in row.split() if cell != "–"]
        shown = [cells[0], cells[1], cells[3], cells[-1]]
        assert shown == pytest.approx([number, *layer.values()], rel=6e-3)  # three digits
    assert (
        explorer(page).locator("circle.explorer-mark-measured").count() == 2 * len(layers) + 1
    )  # and the legend's


@pytest.mark.parametrize("sigma", [0.1, 0.2, 0.25])
def test_without_normalisation_the_predicted_factor_is_he_and_others(read: Reader, sigma: float) -> None:
    predicted = compute(read.open(SIGNAL), "predict", {**START, "sigma": sigma})
    factor = sigma / he_std(50, 50, kernel=1)
    for before, after in pairwise(predicted[:-1]):
        assert after["std"] / before["std"] == pytest.approx(factor)
        assert before["byResponses"] / after["byResponses"] == pytest.approx(factor)


def test_with_batch_normalisation_the_gradient_grows_as_predicted_by_yang_and_others(read: Reader) -> None:
    predicted = compute(read.open(SIGNAL), "predict", {**DEEP, "batch": True})
    for before, after in pairwise(predicted[1:-1]):
        assert after["std"] == pytest.approx(1)
        assert before["byResponses"] / after["byResponses"] == pytest.approx(sqrt(pi / (pi - 1)))


@pytest.mark.parametrize("changes", [{"gamma": 0.2}, {"gamma": 1}, {"batch": True, "gamma": 0.5}])
def test_with_shortcuts_the_predicted_sums_are_rectified_normals(
    read: Reader, changes: dict[str, Any]
) -> None:
    """The recursion of the page, with SciPy's normal distribution."""
    state = {**DEEP, "shortcut": True, **changes}
    predicted = compute(read.open(SIGNAL), "predict", state)
    factor = 50 * state["sigma"] ** 2
    variance = 1 if state["batch"] else factor
    mean, square = sqrt(variance / (2 * pi)), variance / 2
    for first, second in zip(predicted[1:-1:2], predicted[2:-1:2], strict=True):
        stds = [sqrt(factor * square), sqrt(factor / 2 * (1 if state["batch"] else factor * square))]
        assert [first["std"], second["std"]] == pytest.approx(stds, rel=1e-5)
        spread = sqrt(square - mean**2 + state["gamma"] ** 2 * (1 if state["batch"] else stds[1] ** 2))
        share, density = norm.cdf(mean / spread), norm.pdf(mean / spread)
        square = (mean**2 + spread**2) * share + mean * spread * density
        mean = mean * share + spread * density


@pytest.mark.parametrize(
    "changes", [{}, {"batch": True}, {"shortcut": True, "gamma": 0.2}, {"batch": True, "shortcut": True}]
)
def test_predictions_are_near_what_is_measured(read: Reader, changes: dict[str, Any]) -> None:
    """The geometric mean over eight seeds, in which 50 units stray less from wide layers."""
    page = read.open(SIGNAL)
    state = {**DEEP, "depth": 20, **changes}
    predicted = compute(page, "predict", state)
    runs = [compute(page, "measure", {**state, "seed": seed}) for seed in range(1, 9)]
    for place, layer in enumerate(predicted[:-1]):
        measured = torch.tensor(
            [[run[place]["std"], run[place]["byResponses"] / run[-2]["byResponses"]] for run in runs]
        )
        ratios = measured.log().mean(dim=0).exp() / torch.tensor([layer["std"], layer["byResponses"]])
        assert 0.5 < ratios.min() <= ratios.max() < 2


@pytest.mark.parametrize("read", EVERYWHERE, indirect=True)
def test_the_tasks_of_the_signal_are_solved_by_keyboard(read: Reader) -> None:
    page = read.open(SIGNAL)
    explorer(page).get_by_label("Initial weights").focus()
    page.keyboard.type("He")
    sigma = explorer(page).get_by_label("Standard deviation σ", exact=True)
    assert sigma.input_value() == "0.2"
    assert tasks_solved(page) == [False, False, False]
    sigma.focus()
    for _ in range(9):
        page.keyboard.press("ArrowUp")
    assert tasks_solved(page) == [True, False, False]
    explorer(page).get_by_label("Start from").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    gamma = explorer(page).get_by_label("Last γ of a block", exact=True)
    gamma.focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("0.2")
    assert tasks_solved(page) == [False, True, False]
    explorer(page).get_by_label("Start from").focus()
    page.keyboard.press("ArrowUp")
    assert tasks_solved(page) == [False, False, False]
    explorer(page).get_by_label(re.compile("^Shortcuts")).focus()
    page.keyboard.press("Space")
    assert tasks_solved(page) == [False, False, True]
    page.keyboard.press("Escape")
    assert explorer(page).get_by_label("Layers", exact=True).input_value() == "30"


@pytest.mark.parametrize("read", EVERYWHERE, indirect=True)
def test_the_tasks_of_the_signal_are_solved_by_mouse(read: Reader) -> None:
    page = read.open(SIGNAL)
    set_field(page, "Standard deviation σ", 0.21)
    assert tasks_solved(page) == [True, False, False]
    explorer(page).get_by_label("Start from").select_option("50 layers, shortcuts")
    set_field(page, "Last γ of a block", 0.1)
    assert tasks_solved(page) == [False, True, False]
    explorer(page).get_by_label(re.compile("^Normalisation")).select_option("batch")
    assert tasks_solved(page) == [False, False, True]
    explorer(page).get_by_label(re.compile("^Shortcuts")).click()
    assert tasks_solved(page) == [False, False, False]
    assert explorer(page).get_by_label("Last γ of a block", exact=True).is_disabled()


def package_network(choice: dict[str, Any], image: dict[str, int]) -> torch.nn.Module:
    name, plain = choice["network"], choice["shortcut"] == "none"
    shape, changes = (image["channels"], image["side"], image["side"]), {}
    if name in "ABCDE":
        name, changes = f"vgg-{name.lower()}", {"head": choice["head"]}
    else:
        if not plain:
            changes["shortcut"] = choice["shortcut"]
        if name == "cifar":
            name, changes["repeats"] = "20", (choice["n"],) * 3
        else:
            changes |= {"stem": choice["stem"], "stride_in": choice["stride"]}
        name = f"{'plain' if plain else 'resnet'}-{name}"
    with torch.device("meta"):
        return build_model(name, shape, image["classes"], **changes)


def with_normalisations_merged(layers: "DataFrame") -> list[tuple[str, tuple[int, ...], int, int]]:
    """Return a row for each convolution with its normalisation, pool and linear layer, as the explorer does."""
    rows: list[tuple[str, tuple[int, ...], int, int]] = []
    for name, kind, shape, parameters, work in layers.itertuples(index=False):
        if kind == "BatchNorm2d":
            rows[-1] = (*rows[-1][:2], rows[-1][2] + parameters, rows[-1][3])
        elif kind in ("Conv2d", "MaxPool2d", "AdaptiveAvgPool2d", "Linear"):
            rows.append((name, shape, parameters, work))
    return rows


def dissect(page: "Page", choices: list[dict[str, Any]], image: dict[str, int]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(
        """([choices, image]) => {
          const { tables } = JSON.parse(document.querySelector(".explorer script").textContent);
          return choices.map((choice) => deepernets.anatomy.dissect(choice, image, tables));
        }""",
        [choices, image],
    )
    return found


VGGS = [{**BUILT, "network": name, "head": head} for name in "ABCDE" for head in ("paper", "cifar")]
RESNETS = [
    {**BUILT, "network": depth, "shortcut": shortcut}
    for depth in ("18", "34", "50", "101", "152")
    for shortcut in ("A", "B", "C", "none")
]
STRIDES = [{**BUILT, "network": depth, "stride": "3x3", "stem": "cifar"} for depth in ("18", "50", "101")]
CIFARS = [
    {**BUILT, "network": "cifar", "n": n, "shortcut": shortcut}
    for n in (3, 5, 7, 9, 18)
    for shortcut in ("A", "B", "C", "none")
]


@pytest.mark.parametrize(
    ("choices", "image"),
    [
        ([*VGGS, *RESNETS, *STRIDES], {"side": 224, "channels": 3, "classes": 1000}),
        ([*VGGS[:3], *RESNETS[::5], *STRIDES], {"side": 97, "channels": 1, "classes": 10}),
        (CIFARS, {"side": 32, "channels": 3, "classes": 10}),
        ([*CIFARS[:4], *RESNETS[:8:3]], {"side": 9, "channels": 4, "classes": 2}),
    ],
    ids=["ImageNet", "odd sides", "CIFAR", "tiny images"],
)
def test_every_layer_of_every_network_is_the_packages(
    read: Reader, choices: list[dict[str, Any]], image: dict[str, int]
) -> None:
    shape = (image["channels"], image["side"], image["side"])
    for choice, found in zip(choices, dissect(read.open(ANATOMY), choices, image), strict=True):
        network = package_network(choice, image)
        rows = with_normalisations_merged(summary(network, shape))
        shown = [
            (row["name"], tuple(row["output"]), row["parameters"]["value"], row["multiplyAdds"]["value"])
            for row in found["rows"]
        ]
        full = [(channels, sides[0]) if sides else (channels, 1) for _, (channels, *sides), _, _ in rows]
        assert shown == [(name, size, *costs) for (name, _, *costs), size in zip(rows, full, strict=True)]
        memory = [activation_bytes(output) for _, output, _, _ in rows]
        assert [row["memory"]["value"] for row in found["rows"]] == memory
        totals = (found["parameters"], found["multiplyAdds"], found["memory"])
        assert totals == (count_parameters(network), count_multiply_adds(network, shape), sum(memory))


def test_the_sums_written_out_have_the_values_beside_them(read: Reader) -> None:
    choices = [{**BUILT, "network": name} for name in ("D", "50", "cifar")]
    for found in dissect(read.open(ANATOMY), choices, {"side": 224, "channels": 3, "classes": 1000}):
        for row in found["rows"]:
            for cost in (row["parameters"], row["multiplyAdds"], row["memory"], row["side"]):
                python = {"·": "*", ",": "", "²": "**2", "⌊(": "((", "/2⌋": "//2)", "/1⌋": "//1)", "−": "-"}
                text = cost["sum"]
                for sign, written in python.items():
                    text = text.replace(sign, written)
                if text and "mean" not in text:
                    assert eval(text) == cost["value"]


@pytest.mark.parametrize("name", list("ABCDE"))
def test_an_image_too_small_for_a_vgg_is_refused_by_the_page_where_it_is_by_the_package(
    read: Reader, name: str
) -> None:
    from deepernets.errors import UserError

    page = read.open(ANATOMY)
    for side in (1, 15, 28, 31, 32, 33):
        image = {"side": side, "channels": 1, "classes": 10}
        [found] = dissect(page, [{**BUILT, "network": name}], image)
        try:
            package_network({**BUILT, "network": name}, image)
            assert found["dead"] is None
        except UserError:
            assert found["dead"]["kind"] == "pool"
    assert found["rows"][-1]["name"] == "head.fc3"


def test_on_28_pixels_the_fifth_pool_has_nothing_left(read: Reader) -> None:
    page = read.open(ANATOMY)
    explorer(page).get_by_label("Start from").select_option("a digit of 28×28")
    text = explorer(page).locator(".explorer-summary").inner_text()
    assert "VGG D does not accept 28×28 pixels: block5.pool gets a map of 1×1" in text
    assert "its window of 2×2 does not fit on 1×1" in explorer(page).locator(".explorer-dead").inner_text()


@pytest.mark.parametrize("preset", ANATOMY_PRESETS)
def test_the_python_of_the_anatomy_prints_the_totals_that_are_shown(read: Reader, preset: str) -> None:
    page = read.open(ANATOMY)
    explorer(page).get_by_label("Start from").select_option(preset)
    _, printed = run_its_python(page)
    rows = [row.split("\t") for row in explorer(page).locator(".explorer-totals tr").all_inner_texts()[:2]]
    shown = [[cell.replace(",", "") for cell in column if cell != "–"] for column in zip(*rows, strict=True)]
    assert printed == [column for column in shown[1:3] if column]


@pytest.mark.parametrize("read", EVERYWHERE, indirect=True)
def test_the_tasks_of_the_anatomy_are_solved_by_keyboard(read: Reader) -> None:
    page = read.open(ANATOMY)
    side = explorer(page).get_by_label("Side of the image", exact=True)
    side.focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("28")
    assert "block5.pool" in explorer(page).locator(".explorer-summary").inner_text()
    for _ in range(3):
        page.keyboard.press("ArrowUp")
    assert tasks_solved(page) == [False, False]
    page.keyboard.press("ArrowUp")
    assert tasks_solved(page) == [True, False]
    explorer(page).get_by_label("Start from").focus()
    page.keyboard.press("ArrowDown")
    assert tasks_solved(page) == [False, True]
    page.keyboard.press("Escape")
    assert side.input_value() == "224"
    assert tasks_solved(page) == [False, False]


@pytest.mark.parametrize("read", EVERYWHERE, indirect=True)
def test_the_tasks_of_the_anatomy_are_solved_by_mouse(read: Reader) -> None:
    page = read.open(ANATOMY)
    set_field(page, "Side of the image", 32)
    assert tasks_solved(page) == [True, False]
    for box in explorer(page).locator("fieldset").all():
        box.get_by_label(re.compile("^Network")).select_option("50")
    assert tasks_solved(page) == [False, False]
    explorer(page).locator("fieldset").last.get_by_label("Stride in the").select_option("3x3")
    assert tasks_solved(page) == [False, True]
    explorer(page).locator("fieldset").last.get_by_label(re.compile("^Network")).select_option("cifar")
    set_field(page, "n", 18)
    assert "ResNet-110 has" in explorer(page).locator(".explorer-summary").inner_text()


@pytest.mark.parametrize("chapter", [SIGNAL, ANATOMY, FIELDS, KERNELS, "book/reading-results"])
def test_in_print_the_page_has_a_figure_in_the_explorers_place(read: Reader, chapter: str) -> None:
    page = read.open(chapter)
    page.emulate_media(media="print")
    (shown,) = [part for part in explorer(page).locator("> *").all() if part.is_visible()]
    assert "needs JavaScript and a screen" in shown.inner_text()
    assert not page.get_by_text("Press Escape").first.is_visible()
    assert page.locator("article figure img, article figure svg").first.is_visible()


@pytest.mark.parametrize("read", [("phone", "dark")], indirect=True)
@pytest.mark.parametrize("chapter", [SIGNAL, ANATOMY, FIELDS, KERNELS])
def test_in_dark_mode_an_explorer_has_the_background_of_the_page(read: Reader, chapter: str) -> None:
    page = read.open(chapter)
    script = "box => getComputedStyle(box.parentElement).backgroundColor"
    assert explorer(page).evaluate(script) == "rgba(0, 0, 0, 0)"


@pytest.mark.parametrize(
    ("chapter", "field", "value"), [(SIGNAL, "Layers", 12), (SIGNAL, "Seed", 77), (ANATOMY, "Classes", 12)]
)
def test_the_address_brings_a_signal_and_an_anatomy_back(
    read: Reader, chapter: str, field: str, value: int
) -> None:
    page = read.open(chapter)
    set_field(page, field, value)
    before, url = explorer(page).locator("tbody").all_text_contents(), page.url
    page = read.open(chapter, url[url.index("#") :])
    assert explorer(page).locator("tbody").all_text_contents() == before
    assert explorer(page).get_by_label(field, exact=True).input_value() == str(value)


@pytest.mark.parametrize(
    ("chapter", "fragment"),
    [
        (SIGNAL, "signal:31_0.1_none_0_1_1"),
        (SIGNAL, "signal:30_9_none_0_1_1"),
        (SIGNAL, "signal:30_0.1_layer_0_1_1"),
        (ANATOMY, "anatomy:224_3_1000_Z.paper.cifar.A.1x1.3_D.paper.cifar.A.1x1.3_side"),
        (ANATOMY, "anatomy:0_3_1000_D.paper.cifar.A.1x1.3_D.paper.cifar.A.1x1.3_side"),
        (ANATOMY, "anatomy:224_3_1000_D.paper.cifar.A.1x1.3_D.paper.cifar.A.1x1.3_toString"),
    ],
)
def test_an_address_that_no_network_has_is_ignored(read: Reader, chapter: str, fragment: str) -> None:
    before = explorer(read.open(chapter)).locator("tbody").all_text_contents()
    page = read.open(chapter, f"#explorer-{fragment}")
    assert explorer(page).locator("tbody").all_text_contents() == before
    assert read.errors == []
