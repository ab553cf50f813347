"""The explorer "Is it real?": its numbers are the package's, and its tasks are solved by mouse and by keyboard."""

import contextlib
import io
import re
from typing import TYPE_CHECKING, Any

import pytest

from deepernets.analysis import statistics
from deepernets.book.explorers import REAL_LIMITS, is_it_real
from tests.browser.conftest import Reader

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

PAGE = "book/reading-results"
EVERYWHERE = [(screen, scheme) for screen in ("desk", "phone") for scheme in ("light", "dark")]
EPSILON = 2.0**-52
# (images, correct answers of the first, of the second, images on which exactly one is right)
COUNTS = [
    (1, 1, 0, 1),
    (10, 10, 10, 0),
    (10, 0, 0, 0),
    (100, 95, 91, 8),
    (3000, 2736, 2575, 300),
    (3000, 2575, 2736, 161),
    (10_000, 9965, 9962, 73),
    (10_000, 9000, 8950, 1050),
    (1_000_000, 910_000, 909_000, 51_000),
]


def explorer(page: "Page") -> "Locator":
    return page.locator("#explorer-is-it-real")


def fill(page: "Page", **values: object) -> None:
    for key, value in values.items():
        explorer(page).get_by_label(REAL_LIMITS[key]["text"], exact=True).fill(str(value))


def results(page: "Page") -> dict[str, list[str]]:
    rows = [row.locator("th, td").all_text_contents() for row in explorer(page).locator("tbody tr").all()]
    return {name: cells for name, *cells in rows}


def numbers(text: str) -> list[float]:
    plain = text.replace(",", "").replace("−", "-")
    return [float(found) for found in re.findall(r"-?\d+(?:\.\d+)?", plain)]


def computed(page: "Page", name: str, arguments: list[list[Any]]) -> list[Any]:
    """Return what a function of the page's script returns for each list of arguments."""
    call = f"all => all.map(one => deepernets.statistics.{name}(...one))"
    found: list[Any] = page.evaluate(call, arguments)
    return found


def test_the_intervals_are_the_packages(read: Reader) -> None:
    """Both take the same few steps in double precision, on numbers of at most 1; each rounds by half an epsilon.

    The square root of a difference of nearly equal numbers, off by some epsilons, can be off by the root of them.
    """
    page = read.open(PAGE)
    few = 16 * EPSILON
    wilson = computed(page, "wilson", [[right, images] for images, right, *_ in COUNTS])
    unpaired = computed(page, "unpairedInterval", [[one, other, images] for images, one, other, _ in COUNTS])
    halves = [((apart + one - other) // 2, (apart - one + other) // 2) for _, one, other, apart in COUNTS]
    paired = computed(
        page, "pairedInterval", [[*half, row[0]] for half, row in zip(halves, COUNTS, strict=True)]
    )
    for number, (images, one, other, _) in enumerate(COUNTS):
        assert wilson[number] == pytest.approx(
            statistics.binomial_interval(one, images), rel=0, abs=64 * EPSILON
        )
        theirs = statistics.unpaired_interval(one, other, images)
        assert unpaired[number] == pytest.approx(theirs, rel=0, abs=few)
        assert paired[number] == pytest.approx(
            statistics.paired_interval(*halves[number], images), rel=0, abs=few
        )


def test_mcnemars_p_is_the_packages(read: Reader) -> None:
    """The page multiplies up to n/2 ratios, each rounded twice, and adds as many products of one sign."""
    page = read.open(PAGE)
    pairs = [(b, c) for b in range(8) for c in range(8)]
    pairs += [(b, n - b) for n in (50, 51, 1000, 1001) for b in range(0, n + 1, max(1, n // 20))]
    pairs += [(50_000, 50_100), (49_500, 50_500), (100_001, 100_000), (499_000, 501_000)]
    found = computed(page, "mcnemar", [list(pair) for pair in pairs])
    for (b, c), p in zip(pairs, found, strict=True):
        rounding = 2 * (b + c + 4) * EPSILON
        assert p == pytest.approx(statistics.mcnemar_of_counts(b, c), rel=rounding + 1e-12, abs=1e-300)
    mistakes = [(images - one, images - other, images) for images, one, other, _ in COUNTS[:-1]]
    bounds = computed(page, "mcnemarBounds", [[n - a, n - b, n] for a, b, n in mistakes])
    for row, both in zip(mistakes, bounds, strict=True):
        assert both == pytest.approx(statistics.mcnemar_bounds(*row), rel=1e-9, abs=1e-300)


def test_the_best_of_several_is_the_packages(read: Reader) -> None:
    """Tails of less than 1e-20 of the mode are left out; a sum of n shares is rounded n times."""
    page = read.open(PAGE)
    grid: list[list[Any]] = [
        [share, images, tries]
        for share in (0.0, 0.5, 0.912, 0.9962, 1.0)
        for images in (1, 7, 3000, 10_000)
        for tries in (1, 2, 12, 1000)
    ]
    for row, gain in zip(grid, computed(page, "gainFromImages", grid), strict=True):
        theirs = statistics.expected_best(*row) - row[0]
        assert gain == pytest.approx(theirs, rel=0, abs=1000 * row[2] * EPSILON + 1e-12)
    draws = [1, 2, 3, 5, 12, 50, 1000]
    # the trapezia of 0.01, corrected once, leave a term of h⁴/720 times a derivative of the order of the draws
    for count, maximum in zip(draws, computed(page, "expectedMaximum", [[n] for n in draws]), strict=True):
        assert maximum == pytest.approx(statistics.expected_maximum(count), rel=0, abs=count * 0.01**4 / 720)


def test_the_numbers_of_images_are_the_packages(read: Reader) -> None:
    """A number is rounded up; so close to a whole one, rounding can make it the next."""
    page = read.open(PAGE)
    pairs = [[0.9, 0.91], [0.9965, 0.9962], [0.5, 0.0], [0.912, 0.858333], [0.8975, 0.9025]]
    for row, needed in zip(pairs, computed(page, "imagesNeeded", pairs), strict=True):
        assert abs(needed - statistics.images_needed(*row)) <= 1
    pairs = [[0.05, 0.01], [0.05, -0.05], [0.1, 0.0003], [1, 0.5]]
    for row, needed in zip(pairs, computed(page, "imagesNeededPaired", pairs), strict=True):
        assert abs(needed - statistics.images_needed_paired(*row)) <= 1


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"agreement": 99.5, "tries": 3},
        {"first": 90.25, "second": 89.75, "agreement": 95, "seeds": 5, "sd": 0.3, "tries": 5},
        {"first": 70, "second": 85.8333, "images": 3000, "agreement": 80},
    ],
)
def test_what_is_shown_is_what_its_python_prints(read: Reader, state: dict[str, float]) -> None:
    page = read.open(PAGE)
    fill(page, **state)
    code = explorer(page).locator("pre code").text_content()
    assert code is not None
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, {})
    lines = [
        numbers(re.sub(r"[a-zA-Z]", "", line)) for line in printed.getvalue().splitlines() if "e-" not in line
    ]
    shown = results(page)
    first, second = (numbers(shown[name][1]) for name in ("first", "second"))
    assert [*first, *second] == pytest.approx([100 * end for end in lines[0]], abs=0.005001)
    separate = numbers(shown["difference, separate images"][1])
    assert separate == pytest.approx([100 * end for end in lines[1]], abs=0.005001)
    if "agreement" in state:
        same = numbers(shown["difference, the same images"][1])
        assert same == pytest.approx([100 * end for end in lines[2]], abs=0.005001)
    if state.get("seeds", 1) > 1:
        low, high = numbers(shown["difference, means over 5 seeds"][1])
        assert (high - low) / 2 == pytest.approx(lines[-1][0], abs=0.0051)


def test_the_presets_are_in_the_choice_and_say_what_may_be_concluded(read: Reader) -> None:
    page = read.open(PAGE)
    names = explorer(page).get_by_label("Start from").locator("option").all_text_contents()
    for name in names:
        assert f'"{name}"' in str(is_it_real().data)
    said = {}
    for name in names:
        explorer(page).get_by_label("Start from").select_option(name)
        said[name] = explorer(page).locator(".explorer-summary").inner_text()
    a, b, resnet = (
        next(text for name, text in said.items() if name.startswith(start))
        for start in ("Report A", "Report B, MNIST", "ResNet-110")
    )
    assert (
        "show that the first network is better on images of this kind (p between 6.8·10⁻⁴⁹ and 9.2·10⁻¹⁰)"
        in a
    )
    assert "another seed may reverse the order" in a
    assert "do not show which network is better (p between 0.25 and 0.82)" in b
    assert "The choice alone explains the difference" in b
    assert "Over 5 seeds the recipes are not shown to differ" in resnet
    explorer(page).get_by_label("Start from").select_option(names[-2])
    assert results(page)["best of 5, by the seeds"][0] == "0.19 points"


@pytest.mark.parametrize("read", EVERYWHERE, indirect=True)
def test_its_tasks_are_solved_by_mouse(read: Reader) -> None:
    page = read.open(PAGE)
    tasks = explorer(page).locator(".explorer-tasks li")

    def solved() -> list[bool]:
        return ["Solved" in text for text in tasks.all_inner_texts()]

    assert solved() == [False, False, False]
    fill(page, tries=2)
    assert solved() == [False, False, True]
    fill(page, first=91, second=90, images=7000)
    assert solved() == [True, False, False]
    assert "13,496" in tasks.first.inner_text()
    fill(page, images=2200, agreement=95)
    assert solved() == [False, True, False]
    assert "3,923" in tasks.nth(1).inner_text()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert read.errors == []
    assert read.foreign == []


@pytest.mark.parametrize("read", EVERYWHERE, indirect=True)
def test_a_task_is_solved_by_keyboard_and_escape_resets(read: Reader) -> None:
    page = read.open(PAGE)
    explorer(page).get_by_label("Start from").focus()
    page.keyboard.type("half")
    for value in ("91", "90", "2200", "95"):
        page.keyboard.press("Tab")
        page.keyboard.press("Control+a")
        page.keyboard.type(value)
    assert "Solved" in explorer(page).locator(".explorer-tasks li").nth(1).inner_text()
    page.keyboard.press("Escape")
    assert results(page)["first"][0] == "99.65\u00a0%, 35 wrong"
    assert explorer(page).get_by_label("Start from").input_value() == "Report B, MNIST: VGG-13 and VGG-16"
    assert "difference, means over 1 seed" in results(page)


def test_an_agreement_that_the_accuracies_rule_out_is_refused_in_a_sentence(read: Reader) -> None:
    page = read.open(PAGE)
    fill(page, first=95, second=90, images=1000, agreement=99)
    assert "agree on 85.00\u00a0% to 95.00\u00a0% of the images" in (explorer(page).text_content() or "")
    assert results(page)["difference, the same images"][1] == "agreement not known"


def test_its_address_brings_a_state_back_and_one_without_sense_is_ignored(read: Reader) -> None:
    page = read.open(PAGE)
    fill(page, second=99, agreement=99.1)
    before, address = results(page), page.url
    page = read.open(PAGE, address[address.index("#") :])
    assert results(page) == before
    nonsense = [
        "99_98",
        "101_90_10_unknown_1_1_0",
        "unknown_90_10_95_1_1_0",
        "90_90_10_95_1.5_1_0",
        "%E0%A4%A",
    ]
    for fragment in nonsense:
        page.evaluate("fragment => { location.hash = `explorer-is-it-real:${fragment}`; }", fragment)
        assert results(page) == before
    page = read.open(PAGE, f"#explorer-is-it-real:{nonsense[0]}")
    assert results(page)["first"][0] == "99.65\u00a0%, 35 wrong"
    assert read.errors == []
