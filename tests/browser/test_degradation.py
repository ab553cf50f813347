"""The explorer of degradation: its curves and diagnoses are the records' and the package's; its quiz is solved.

Most tests look at a temporary page with invented whole runs of all four networks, some at the book's page, where a
network may be missing.
"""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import deepernets
from deepernets.analysis.depth import diagnosis
from deepernets.book.degradation import NETWORKS, PAIRS, RULES, degradation
from deepernets.results.comparison import whole_run
from deepernets.training.records import Record
from tests.book.test_degradation import SHORT, invented, whole
from tests.browser.conftest import HTML, Reader
from tests.browser.test_explorers import EVERYWHERE, run_code

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

PAGE = "book/when-depth-hurts"
NAME = "degradation"
RUNS = [
    *SHORT,
    *invented(),
    whole(PAIRS[1].first, 5.6, 11.9),
    whole(PAIRS[1].second, 3.1, 31.0),
]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page like the chapter's with the explorer alone, of runs of all four networks."""
    chapter = (HTML / f"{PAGE}.html").read_text(encoding="utf-8")
    tags = re.findall(r"<link [^>]*stylesheet[^>]*>|<script [^>]*_static/explorers/[^>]*></script>", chapter)
    head = "".join(tags).replace("../_static/", f"{(HTML / '_static').as_uri()}/")
    path = tmp_path_factory.mktemp(NAME) / "page.html"
    theme = 'matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"'
    head += f"<script>document.documentElement.dataset.theme = {theme};</script>"
    start = f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Runs</title>{head}'
    path.write_text(
        f'{start}<main class="bd-content">{degradation(RUNS).data}</main></html>', encoding="utf-8"
    )
    return path


def explorer(page: "Page") -> "Locator":
    return page.locator(f"#explorer-{NAME}")


def choice_of_pair(page: "Page") -> "Locator":
    return explorer(page).get_by_label(re.compile("^Pair"))


def look(read: Reader, path: Path, state: str = "") -> "Page":
    read.page.goto("about:blank")
    read.page.goto(path.as_uri() + (f"#explorer-{NAME}:{state}" if state else ""))
    return read.page


def rows(page: "Page", table: int) -> dict[str, list[float]]:
    found = explorer(page).locator("tbody").nth(table).locator("tr").all()
    cells = [row.locator("th, td").all_inner_texts() for row in found]
    return {name: [float(value.removesuffix("\u00a0%")) for value in values] for name, *values in cells}


def mean_errors(run: Record, epochs: int) -> list[float]:
    """Return the mean training and validation error of the last epochs, and the test error, in per cent."""
    last = run.epochs[-epochs:]
    accuracies = [
        sum(epoch[f"{split}_accuracy"] for epoch in last) / epochs for split in ("train", "validation")
    ]
    return [100 * (1 - accuracy) for accuracy in (*accuracies, run.test["accuracy"])]


def pairs_of(page: "Page") -> list[dict[str, Any]]:
    text = explorer(page).locator("script").text_content()
    assert text is not None
    pairs: list[dict[str, Any]] = json.loads(text)["pairs"]
    return pairs


def test_the_chapter_shows_the_networks_that_are_run_whole_and_names_the_others(read: Reader) -> None:
    page = read.open(PAGE)
    found = deepernets.load_records()
    runs = {name: whole_run(f"paper/{name}", found) for name in NETWORKS}
    summary = explorer(page).locator(".explorer-summary").inner_text()
    for name, run in runs.items():
        assert name in summary
        assert explorer(page).get_by_label(name, exact=True).is_visible() == (run is not None)
        if run:
            assert rows(page, 0)[name] == pytest.approx(mean_errors(run, 1), abs=0.00501)
    if None in runs.values():
        assert "run whole yet" in summary or "Not run whole" in summary
    assert read.errors == []


def test_the_diagnoses_of_the_chapter_are_the_packages(read: Reader) -> None:
    page = read.open(PAGE)
    found = deepernets.load_records()
    for pair in pairs_of(page):
        runs = PAIRS[pair["number"]].runs(found)
        assert runs is not None
        assert pair["answer"] == diagnosis(runs[0].epochs, runs[1].epochs)


@pytest.mark.parametrize("smoothing", [1, 5, 25])
def test_the_curves_are_moving_means_of_the_records(read: Reader, full: Path, smoothing: int) -> None:
    page = look(read, full, f"1111_111_{smoothing}_100_0_0")
    shown = rows(page, 0)
    paths = explorer(page).locator("path.explorer-error[d*=' 182 '], path.explorer-error[d*='L182 ']").all()
    assert len(paths) >= 2 * len(NETWORKS)
    for name, run in zip(NETWORKS, invented(), strict=True):
        expected = mean_errors(run, smoothing)
        assert shown[name] == pytest.approx(expected, abs=0.00501)
        group = explorer(page).locator(f"g.explorer-run-{NETWORKS.index(name)}:has(> svg path)").first
        for line, error in zip(group.locator("path").all(), expected[:2], strict=True):
            height = float((line.get_attribute("d") or "").split()[-1])
            assert height == pytest.approx(240 * (1 - error / 100), abs=0.00501)


def test_curves_are_chosen_smoothed_and_enlarged(read: Reader, full: Path) -> None:
    page = look(read, full)
    lines = explorer(page).locator(".explorer-curves").first.locator("path")
    assert lines.count() == 8
    explorer(page).get_by_label("plain-56", exact=True).uncheck()
    assert (lines.count(), list(rows(page, 0))) == (6, ["plain-20", "resnet-20", "resnet-56"])
    explorer(page).get_by_label("validation", exact=True).uncheck()
    assert lines.count() == 3
    explorer(page).get_by_label("Mean over 1 epoch", exact=True).fill("10")
    assert "(means over 10 epochs)" in explorer(page).locator(".explorer-summary").inner_text()
    before = lines.first.get_attribute("d")
    explorer(page).get_by_label("Axis up to").select_option("10")
    assert lines.first.get_attribute("d") != before


def test_the_test_error_is_a_mark_and_no_curve(read: Reader, full: Path) -> None:
    page = look(read, full)
    marks = explorer(page).locator(".explorer-curves").first.locator("g[transform='translate(14 0)']")
    assert marks.count() == 4
    assert "it has no curve" in explorer(page).inner_text()
    explorer(page).get_by_label("test", exact=True).uncheck()
    assert marks.count() == 0


def test_its_python_prints_what_is_shown(read: Reader, full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deepernets, "load_records", lambda: RUNS)
    for pair in (0, 1):
        answer = 1 + list(RULES).index(("not converged", "overfitting")[pair])
        page = look(read, full, f"0110_111_7_20_{pair}_{answer}")
        *networks, diagnosed = run_code(explorer(page))[1]
        printed = {(name, split): float(error) for name, split, error in networks}
        for name, values in rows(page, 0).items():
            errors = [printed[f"paper/{name}", split] for split in ("train", "validation", "test")]
            assert errors == pytest.approx(values, abs=0.0101)
        assert " ".join(diagnosed) == ("not converged", "overfitting")[pair]
    page = look(read, full, "0000_111_7_20_0_0")
    assert not explorer(page).locator(".explorer-python").is_visible()


@pytest.mark.parametrize("read", EVERYWHERE, indirect=True)
def test_the_quiz_is_solved_by_mouse(read: Reader, full: Path) -> None:
    page = look(read, full)
    answers = []
    for number, pair in enumerate(pairs_of(page), 1):
        choice_of_pair(page).select_option(str(number))
        shown = [value for run in pair["runs"] for value in (run["training"][-1], run["validation"][-1])]
        assert [value for row in rows(page, 1).values() for value in row] == pytest.approx(shown, abs=0.00501)
        answers.append(pair["answer"])
        wrong = next(word for word in RULES if word != pair["answer"])
        for word, verdict in ((wrong, "No. "), (pair["answer"], "Right. ")):
            explorer(page).get_by_label(word, exact=True).check()
            explorer(page).get_by_role("button", name="Check").click()
            said = explorer(page).locator("form + p").inner_text()
            assert said.removeprefix("✓ ").startswith(
                verdict + (RULES[word] if word == wrong else pair["reason"])
            )
    assert set(answers) == set(RULES)
    assert f"Diagnosed: {len(answers)} of {len(answers)} pairs." in explorer(page).inner_text()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert read.errors == []
    assert read.foreign == []


@pytest.mark.parametrize("read", EVERYWHERE, indirect=True)
def test_the_quiz_is_solved_by_keyboard_and_escape_starts_again(read: Reader) -> None:
    page = read.open(PAGE)
    for number, pair in enumerate(pairs_of(page), 1):
        choice_of_pair(page).focus()
        page.keyboard.type(str(number))
        page.keyboard.press("Tab")
        while page.evaluate("document.activeElement.type") != "radio":
            page.keyboard.press("Tab")
        page.keyboard.press("Space")
        for _ in range(list(RULES).index(pair["answer"])):
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        assert "Right. " in explorer(page).locator("form + p").inner_text()
    page.keyboard.press("Escape")
    assert f"Diagnosed: 0 of {number} pairs." in explorer(page).inner_text()
    assert explorer(page).locator("form + p").inner_text() == ""


def test_nothing_is_diagnosed_without_a_choice(read: Reader) -> None:
    page = read.open(PAGE)
    explorer(page).get_by_role("button", name="Check").click()
    assert explorer(page).locator("form + p").inner_text() == "Choose one of the four first."


def test_its_address_brings_a_state_back_and_one_without_sense_is_ignored(read: Reader, full: Path) -> None:
    page = look(read, full)
    first = explorer(page).inner_text()
    explorer(page).get_by_label("plain-56", exact=True).uncheck()
    choice_of_pair(page).select_option("2")
    before, address = explorer(page).inner_text(), page.url.partition(":1")[2]
    page = look(read, full, f"1{address}")
    assert explorer(page).inner_text() == before
    for nonsense in (
        "1111",
        "1111_111_0_20_0_0",
        "1111_111_1_21_0_0",
        "1111_111_1_20_99_0",
        "1111_111_1_20_0_9",
    ):
        page.evaluate(f"() => {{ location.hash = 'explorer-{NAME}:{nonsense}'; }}")
        assert explorer(page).inner_text() == before
        assert explorer(look(read, full, nonsense)).inner_text() == first
        page = look(read, full, f"1{address}")
    page.evaluate(f"() => {{ location.hash = 'explorer-{NAME}:1111_111_1_20_0_0'; }}")
    page.wait_for_function("document.querySelectorAll('#explorer-degradation tbody')[0].rows.length === 4")
    assert explorer(page).inner_text() == first


def test_without_javascript_and_in_print_there_are_charts_and_diagnoses(
    browser: "Browser", full: Path
) -> None:
    for javascript in (True, False):
        context = browser.new_context(java_script_enabled=javascript, offline=True)
        page = look(Reader(context.new_page()), full)
        page.emulate_media(media="print" if javascript else "screen")
        assert explorer(page).locator(".explorer-static svg").count() > len(NETWORKS)
        assert explorer(page).locator(".explorer-static svg").first.is_visible()
        assert "Degradation: run B has the higher training error" in explorer(page).inner_text()
        assert "Press Escape" not in explorer(page).inner_text()
        assert not choice_of_pair(page).is_visible()
        context.close()


@pytest.mark.parametrize("read", [("small phone", "dark")], indirect=True)
def test_on_a_small_phone_nothing_is_wider_and_targets_are_large(read: Reader, full: Path) -> None:
    page = look(read, full)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    targets = explorer(page).locator("select, button, summary, label").all()
    for box in [target.bounding_box() for target in targets if target.is_visible()]:
        assert box is not None
        assert box["height"] >= 44
    sizes = (
        explorer(page)
        .locator("svg text")
        .evaluate_all("all => all.map(t => parseFloat(getComputedStyle(t).fontSize))")
    )
    assert min(sizes) >= 12
