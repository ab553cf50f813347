"""The built book: its pages, pictures and links, and the figures its chapters show.

These tests read the pages that `make book` wrote, and build them only where there are none.
"""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup, Tag

import deepernets

ROOT = Path(__file__).parents[2]
HTML = ROOT / "_build" / "html"
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
PAGES = [TOC["root"], *(chapter["file"] for part in TOC["parts"] for chapter in part["chapters"])]


@pytest.fixture(scope="module", autouse=True)
def _book() -> None:
    if not (HTML / "index.html").is_file():
        command = [sys.executable, "-m", "jupyter_book", "build", str(ROOT), "-W", "-n", "--keep-going", "-q"]
        subprocess.run(command, check=True, cwd=ROOT)


@cache
def read(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def article(page: str) -> Tag:
    found = read(HTML / f"{page}.html").select_one("article")
    assert found is not None, f"{page} has no article"
    return found


def text_of(page: str) -> str:
    """Return the words of a page as a reader sees them, with single spaces."""
    return re.sub(r"\s+", " ", article(page).get_text(" "))


def addresses(page: str, *, tags: str) -> list[str]:
    """Return what the chosen tags of a page point at."""
    found = read(HTML / f"{page}.html").select(tags)
    return [str(tag.get("href") or tag.get("src")) for tag in found if tag.get("href") or tag.get("src")]


@pytest.mark.parametrize("page", PAGES)
def test_page_has_a_title_and_text(page: str) -> None:
    assert article(page).h1 is not None
    assert len(text_of(page).split()) > 30


@pytest.mark.parametrize("page", PAGES)
def test_every_picture_says_in_words_what_it_shows(page: str) -> None:
    for picture in article(page).select("img"):
        words = str(picture.get("alt") or "").split()
        assert len(words) > 3, f"{page}: {picture.get('src')} has the alternative text {words}"


@pytest.mark.parametrize("page", PAGES)
def test_links_inside_the_book_resolve(page: str) -> None:
    here = HTML / f"{page}.html"
    for address in addresses(page, tags="a, img, script, link"):
        parts = urlsplit(address)
        if parts.scheme:
            continue
        target = (here.parent / unquote(parts.path)).resolve() if parts.path else here
        assert target.is_file(), f"{page}: {address} leads nowhere"
        if parts.fragment and target.suffix == ".html":
            there = read(target).find(id=unquote(parts.fragment))
            assert there, f"{page}: {address} names a place that does not exist"


@pytest.mark.parametrize("page", PAGES)
def test_page_needs_no_network(page: str) -> None:
    fetched = addresses(page, tags="img, script, iframe, link[rel=stylesheet]")
    assert [address for address in fetched if address.startswith(("http:", "https:", "//"))] == []


def test_the_book_holds_no_sources() -> None:
    assert not list(HTML.rglob("*.ipynb"))
    assert not list(HTML.rglob("*.md"))


def test_readme_links_lead_to_the_repository_of_the_config() -> None:
    url = CONFIG["repository"]["url"]
    slug = url.removeprefix("https://github.com/")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    linked = re.findall(r"(?://github\.com|research\.google\.com/github)/([\w.-]+/[\w.-]+)", readme)
    assert linked
    assert set(linked) == {slug}


def test_readme_names_files_that_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", readme) if "://" not in target]
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


VGG_CONFIGURATIONS = {
    "parameters of A and A-LRN": "132,863,336",
    "parameters of B": "133,047,848",
    "parameters of C": "133,638,952",
    "parameters of D": "138,357,544",
    "parameters of E": "143,667,240",
    "E against A": "8.1 %",
    "first fully-connected layer": "102,764,544",
    "its share of D": "74.3 %",
    "three 3×3 against one 7×7": "27 C² against 49 C²",
    "how much more the 7×7 costs": "81.5%",
    "what the paper says of it": "The paper says 81 %",
    "report A's VGG-16": "14,724,675 parameters",
    "report C's VGG-16": "33,637,066 parameters",
    "from B to D": "5,309,696",
}


@pytest.mark.parametrize("what", VGG_CONFIGURATIONS)
def test_vgg_configurations_shows_the_figures(what: str) -> None:
    assert VGG_CONFIGURATIONS[what] in text_of("book/vgg-configurations")


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_vgg_configurations_shows_the_receptive_fields(layers: int) -> None:
    assert f"{layers} × conv3 sees {2 * layers + 1}×{2 * layers + 1}" in text_of("book/vgg-configurations")


def test_vgg_configurations_shows_the_papers_millions_beside_the_exact_counts() -> None:
    rows = [
        [cell.get_text(strip=True) for cell in row.select("th, td")]
        for row in article("book/vgg-configurations").select("tr")
    ]
    for name, layers, millions, exact in (
        ("A", "11", "133", "132,863,336"),
        ("A-LRN", "11", "133", "132,863,336"),
        ("B", "13", "133", "133,047,848"),
        ("C", "16", "134", "133,638,952"),
        ("D", "16", "138", "138,357,544"),
        ("E", "19", "144", "143,667,240"),
    ):
        assert [name, layers, millions, exact, exact] in rows


def test_vgg_configurations_quotes_the_papers_errors() -> None:
    rows = [
        [cell.get_text(strip=True) for cell in row.select("th, td")]
        for row in article("book/vgg-configurations").select("tr")
    ]
    for name, layers, top1, top5 in (
        ("A", "11", "29.6", "10.4"),
        ("A-LRN", "11", "29.7", "10.5"),
        ("B", "13", "28.7", "9.9"),
        ("C", "16", "28.1", "9.4"),
        ("D", "16", "27.0", "8.8"),
        ("E", "19", "27.3", "9.0"),
    ):
        assert [name, layers, top1, top5] in rows


@pytest.mark.parametrize(
    "name",
    ["report-a/vgg-16/as-reported", "report-b/resnet-20-mnist/as-reported", "report-b/resnet-20-mnist/ours"],
)
def test_vgg_configurations_shows_what_the_record_says(name: str) -> None:
    run = deepernets.records(name)[0]
    shown = text_of("book/vgg-configurations")
    for words in (
        run.recipe.name,
        run.data["variant"],
        f"{run.test['accuracy']:.2%}",
        run.precision,
        run.device,
        run.started,
        f"{run.model['parameters']:,} parameters",
    ):
        assert words in shown
