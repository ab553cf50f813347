"""The explorers: their tasks can be solved by mouse and by keyboard, and their numbers are the package's."""

import contextlib
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from deepernets.models.receptive_field import predicted_side
from deepernets.models.registry import build_model
from tests.browser.conftest import Reader

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

FIELDS, KERNELS = "book/receptive-fields", "book/convolution"
EVERYWHERE = [(screen, scheme) for screen in ("desk", "phone") for scheme in ("light", "dark")]


NAMES = {
    "receptive-fields": "receptive-field",
    "convolution": "kernels",
    "when-depth-hurts": "signal",  # and another one
    "resnet-family": "anatomy",
    "reading-results": "is-it-real",
}


def explorer(page: "Page") -> "Locator":
    """Return the explorer that is tested on a page."""
    return page.locator(f"#explorer-{NAMES[Path(urlsplit(page.url).path).stem]}")


def run_its_python(page: "Page") -> tuple[dict[str, Any], list[list[str]]]:
    return run_code(explorer(page))


def run_code(shown: "Locator") -> tuple[dict[str, Any], list[list[str]]]:
    """Run the Python that an explorer shows; return its names, and its printed lines as words."""
    code = shown.locator("pre code").text_content()
    assert code is not None
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, names)
    return names, [line.split() for line in printed.getvalue().splitlines()]


def table(page: "Page") -> list[list[str]]:
    """Return the cells of the explorer's table."""
    rows = explorer(page).locator("tbody tr").all()
    return [[cell.strip() for cell in row.locator("th, td").all_inner_texts()] for row in rows]


def number(text: str) -> float:
    return float(text.replace(",", "").replace("−", "-"))


def set_field(page: "Page", label: str, value: float) -> None:
    explorer(page).get_by_label(label, exact=True).fill(str(value))


def assert_fields_are_the_packages(page: "Page") -> None:
    names, _ = run_its_python(page)
    shown = [[number(cell) for cell in row[1:4]] for row in table(page)[1:]]
    assert shown == names["fields"][["receptive_field", "jump", "start"]].to_numpy().tolist()


@pytest.mark.parametrize(
    ("preset", "model", "side", "changes", "maps"),
    [
        ("VGG D", "vgg-d", 224, {}, "block5.pool"),
        ("ResNet-20", "resnet-20", 32, {}, "stage3.block3.branch.conv2"),
        ("ResNet-50, stride in the first 1×1", "resnet-50", 224, {}, "stage4.block3.branch.conv3"),
        (
            "ResNet-50, stride in the 3×3",
            "resnet-50",
            224,
            {"stride_in": "3x3"},
            "stage4.block3.branch.conv3",
        ),
    ],
)
def test_the_presets_are_the_networks_of_the_package(
    read: Reader, preset: str, model: str, side: int, changes: dict[str, Any], maps: str
) -> None:
    page = read.open(FIELDS)
    explorer(page).get_by_label("Start from").select_option(preset)
    assert_fields_are_the_packages(page)
    network = build_model(model, in_shape=(3, side, side), classes=10, **changes)
    import deepernets

    fields = deepernets.receptive_field(network, (3, side, side)).set_index("name").loc[maps]
    last = [number(cell) for cell in table(page)[-1][1:4]]
    assert last == [fields["receptive_field"], fields["jump"], fields["start"]]


def test_what_is_built_is_what_the_package_computes(read: Reader) -> None:
    page = read.open(FIELDS)
    for label, value in {"Kernel": 5, "Stride": 2, "Padding": 1, "Dilation": 3}.items():
        set_field(page, label, value)
    assert_fields_are_the_packages(page)
    explorer(page).get_by_role("button", name="Add a layer").click()
    explorer(page).get_by_label("Kind").select_option("pool")
    set_field(page, "Dilation", 1)
    assert_fields_are_the_packages(page)
    explorer(page).get_by_role("button", name="Earlier").click()
    assert_fields_are_the_packages(page)
    explorer(page).get_by_role("button", name="Remove").click()
    assert len(table(page)) == 4
    assert_fields_are_the_packages(page)


def test_layers_are_chosen_with_the_arrow_keys(read: Reader) -> None:
    page = read.open(FIELDS)
    explorer(page).get_by_role("radio").last.focus()
    for chosen in (2, 1, 0):
        page.keyboard.press("ArrowUp")
        checked = [radio.is_checked() for radio in explorer(page).get_by_role("radio").all()]
        assert checked.index(True) == chosen
        side, summary = 1 + 2 * chosen, explorer(page).locator(".explorer-summary").inner_text()
        assert f"{side}×{side} pixels" in summary


def test_the_sums_are_written_out(read: Reader) -> None:
    page = read.open(FIELDS)
    explorer(page).get_by_label("Start from").select_option("the worked example")
    sums = explorer(page).locator(".explorer-sums").inner_text().splitlines()
    assert sums == ["r = 5 + 2 · (3 − 1) · 2 = 13", "j = 1 · 2 = 2", "a = 0 + (2 · (3 − 1)/2 − 2) · 2 = 0"]


def test_the_effective_field_is_the_formulas(read: Reader) -> None:
    page = read.open(FIELDS)
    text = explorer(page).locator(".explorer-summary").inner_text()
    assert number(re.findall(r"about ([\d.,]+) pixels", text)[0]) == round(predicted_side([(3, 1)] * 3), 2)


@pytest.mark.parametrize("read", EVERYWHERE, indirect=True)
def test_the_task_of_the_fields_is_solved_by_keyboard(read: Reader) -> None:
    """Five layers of stride 2, then three of stride 1: 1 + 2 (1 + 2 + 4 + 8 + 16) + 3 · 2 · 32 = 255 pixels."""
    page = read.open(FIELDS)
    explorer(page).get_by_label("Start from").focus()
    page.keyboard.type("an image")
    page.keyboard.press("Tab")
    verdict = explorer(page).locator(".explorer-verdict")
    assert "3 pixels wide" in verdict.inner_text()
    explorer(page).get_by_label("Stride", exact=True).focus()
    page.keyboard.press("ArrowUp")
    add = explorer(page).get_by_role("button", name="Add a layer")
    for _ in range(4):
        add.focus()
        page.keyboard.press("Enter")
    for _ in range(3):
        add.focus()
        page.keyboard.press("Enter")
        explorer(page).get_by_label("Stride", exact=True).focus()
        while page.evaluate("document.activeElement.value") != "1":
            page.keyboard.press("ArrowDown")
    assert table(page)[-1][1:3] == ["255", "32"]
    assert "Solved: 72 C² = 294,912 weights" in verdict.inner_text()
    page.keyboard.press("Escape")
    assert len(table(page)) == 4


@pytest.mark.parametrize("read", EVERYWHERE, indirect=True)
def test_the_tasks_of_the_kernels_are_solved_by_mouse(read: Reader) -> None:
    page = read.open(KERNELS)
    tasks = explorer(page).locator(".explorer-tasks li")
    assert ["Solved" in text for text in tasks.all_inner_texts()] == [False, False]
    set_field(page, "Channels in", 3)
    assert ["Solved" in text for text in tasks.all_inner_texts()] == [True, False]
    explorer(page).get_by_label("Start from").select_option("a group for every channel")
    assert ["Solved" in text for text in tasks.all_inner_texts()] == [False, True]
    explorer(page).get_by_label("Groups").press("Escape")
    assert ["Solved" in text for text in tasks.all_inner_texts()] == [False, False]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Channels in": 3, "Channels between": 64, "Channels out": 64, "Map side": 112},
        {"Large kernel": 5, "Groups": 32, "Channels out": 128},
        {"Large kernel": 11, "Channels in": 8, "Channels between": 16, "Channels out": 24, "Map side": 7},
    ],
)
def test_weights_and_work_of_kernels_are_the_packages(read: Reader, changes: dict[str, int]) -> None:
    page = read.open(KERNELS)
    for label, value in changes.items():
        set_field(page, label, value)
    rows = {row[0]: row[1:] for row in table(page)}
    _, printed = run_its_python(page)
    assert [printed[0][0], printed[1][0]] == [cell.replace(",", "") for cell in rows["weights"][:2]]
    work = [cell.replace(",", "") for cell in rows["multiply-adds of an image"][:2]]
    assert [printed[0][1], printed[1][1]] == work
    depth = int(rows["ReLUs in a row"][1])
    assert number(rows["effective field"][1]) == round(predicted_side([(3, 1)] * depth), 2)
    assert rows["receptive field"][:2] == [str(1 + 2 * depth)] * 2


def test_groups_that_divide_no_channels_are_refused_in_a_sentence(read: Reader) -> None:
    page = read.open(KERNELS)
    set_field(page, "Groups", 3)
    assert "3 groups cannot share 256 channels" in explorer(page).inner_text()
    assert table(page) == []


@pytest.mark.parametrize(("chapter", "field", "value"), [(FIELDS, "Kernel", 9), (KERNELS, "Large kernel", 9)])
def test_the_address_brings_a_state_back(read: Reader, chapter: str, field: str, value: int) -> None:
    page = read.open(chapter)
    assert "#" not in page.url
    set_field(page, field, value)
    before, address = table(page), page.url
    page = read.open(chapter, address[address.index("#") :])
    assert table(page) == before
    assert explorer(page).get_by_label(field, exact=True).input_value() == str(value)


@pytest.mark.parametrize("chapter", [FIELDS, KERNELS])
@pytest.mark.parametrize("fragment", ["32_9_9_c3.1.1", "x", "0_0_0", "7_256_256_256_0_56", "%E0%A4%A"])
def test_an_address_without_sense_is_ignored(read: Reader, chapter: str, fragment: str) -> None:
    name = {FIELDS: "receptive-field", KERNELS: "kernels"}[chapter]
    before = table(read.open(chapter))
    assert table(read.open(chapter, f"#explorer-{name}:{fragment}")) == before
    assert read.errors == []


@pytest.mark.parametrize("chapter", [f"book/{name}" for name in NAMES])
def test_without_javascript_a_sentence_says_so_and_figures_are_there(browser: Any, chapter: str) -> None:
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = Reader(context.new_page()).open(chapter)
    assert "needs JavaScript" in explorer(page).inner_text()
    assert not page.get_by_text("Press Escape").first.is_visible()
    assert page.locator("article figure img, article figure svg").first.is_visible()
    context.close()


@pytest.mark.parametrize("read", [("small phone", "light")], indirect=True)
def test_on_a_small_phone_letters_are_legible_and_a_wide_table_says_that_it_scrolls(read: Reader) -> None:
    page = read.open(FIELDS)
    scale = "text => text.ownerSVGElement.clientWidth / text.ownerSVGElement.viewBox.baseVal.width"
    size = (
        f"all => Math.min(...all.map(text => parseFloat(getComputedStyle(text).fontSize) * ({scale})(text)))"
    )
    assert explorer(page).locator("svg text").evaluate_all(size) >= 12
    page = read.open(KERNELS)
    explorer(page).locator(".explorer-scroll.scrolls").wait_for()


def test_a_guess_is_kept_and_shown_beside_the_answer(read: Reader) -> None:
    page = read.open(FIELDS)
    page.get_by_label("Your guess").first.fill("about the whole image")
    page = read.open(FIELDS)
    assert page.get_by_label("Your guess").first.input_value() == "about the whole image"
    box = page.locator(".admonition.question").first
    box.locator("summary").click()
    assert "Your guess: about the whole image" in box.locator("details").inner_text()
