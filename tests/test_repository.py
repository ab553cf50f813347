"""The files for maintainers say the same as the package, and what runs in public is pinned."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import deepernets
from deepernets.course.forks import repository

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
NAMED = ["README.md", "CONTRIBUTING.md", "SECURITY.md", ".github/pull_request_template.md"]


def test_version_and_address_are_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert project["version"] == citation["version"] == deepernets.__version__
    assert f"\n## {project['version']}\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    url, _ = repository(ROOT)
    assert citation["repository-code"] == url
    assert all(address.startswith(url) for address in project["urls"].values())


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_only_read_and_its_actions_are_pinned_to_commits(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    used = re.findall(r"uses: (\S+)", text)
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) for action in used), used
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}


@pytest.mark.parametrize("name", NAMED)
def test_files_that_are_named_for_contributors_exist(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([\w./-]+)\)", text)
    paths = re.findall(r"(?:tests|src|labs|book|solutions)/[\w./-]+\.(?:py|ipynb|md|bib)", text)
    made = ("NAME", "lab12", "12_", "NN_")  # by whoever reads it
    missing = [
        path
        for path in [*links, *paths]
        if not any(word in path for word in made) and not (ROOT / path).exists()
    ]
    assert not missing
