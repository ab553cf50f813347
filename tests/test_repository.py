"""The files for maintainers say the same as the package, and what runs in public is pinned."""

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager
from packaging.requirements import Requirement

import deepernets
from deepernets.book.forks import repository

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
MAY_WRITE = {"deploy": {"pages", "id-token"}, "publish": {"contents"}}  # jobs, and what
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


def jobs_of(workflow: Path) -> dict[str, Any]:
    return yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_only_the_jobs_that_publish_may_write(path: Path) -> None:
    for name, job in jobs_of(path).items():
        writes = {scope for scope, right in job.get("permissions", {}).items() if right != "read"}
        assert writes == MAY_WRITE.get(name, set()), name
        assert job["timeout-minutes"] <= 60
        assert set(job.get("needs", [])) <= set(jobs_of(path))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_calls_targets_and_scripts_that_exist(path: Path) -> None:
    steps = [step for job in jobs_of(path).values() for step in job["steps"]]
    commands = "\n".join(step.get("run", "") for step in steps)
    targets = {word for line in re.findall(r"^make (.+)", commands, re.MULTILINE) for word in line.split()}
    scripts = re.findall(r"^bash (\S+)", commands, re.MULTILINE)
    assert scripts or targets or not commands.strip()  # all of its steps are actions
    assert targets <= TARGETS
    assert all((ROOT / script).is_file() for script in scripts)


def test_an_action_is_the_same_version_in_every_workflow() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    used = set(re.findall(r"uses: (\S+)@(\S+) # (v[\d.]+)\n", text))
    assert len(used) == len({action for action, _, _ in used}) == len(set(re.findall(r"uses: (\S+)@", text)))


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


def test_codespaces_and_binder_install_the_course() -> None:
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert container["postCreateCommand"].endswith("pip install -r requirements.txt")
    for name in container["customizations"]["codespaces"]["openFiles"]:
        assert (ROOT / name).is_file()
    environment = yaml.safe_load((ROOT / ".binder" / "environment.yml").read_text(encoding="utf-8"))
    (version,) = [one.split("=")[1] for one in environment["dependencies"] if one.startswith("python=")]
    assert container["image"].endswith(f":{version}")
    after = ROOT / ".binder" / "postBuild"
    assert after.read_text(encoding="utf-8").rstrip().endswith("-e '.[course]'")
    if os.name == "posix":
        assert os.access(after, os.X_OK), "Binder runs it"


def test_on_a_package_index_every_link_of_the_readme_leads_to_the_repository() -> None:
    shown = ProjectMetadata(str(ROOT), PluginManager()).core.readme
    pattern = r"\]\(([^)]+)\)"
    links = re.findall(pattern, shown)
    assert len(links) == len(re.findall(pattern, (ROOT / "README.md").read_text(encoding="utf-8"))) > 20
    assert not [link for link in links if not link.startswith("https://")]
    url, ref = repository(ROOT)
    paths = re.findall(rf"\]\({url}/(?:blob|raw)/{ref}/([^)]+)\)", shown)
    assert len(paths) > 20
    assert not [path for path in paths if not (ROOT / path).exists()]
    assert f"]({url}/raw/{ref}/book/_static/configurations.png)" in shown  # a page of GitHub is no picture


def test_the_constraints_pin_versions_that_every_index_can_have() -> None:
    text = (ROOT / ".ci" / "constraints.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*( ; [^;]+)?", line) for line in lines)
    pinned = {requirement.name: requirement for requirement in map(Requirement, lines)}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [Requirement(text) for text in [*project["dependencies"], *extras["course"], *extras["dev"]]]
    unmet = [
        f"{requirement}: {pinned.get(requirement.name.lower())}"
        for requirement in wanted
        if requirement.name.lower() not in pinned
        or not requirement.specifier.contains(str(pinned[requirement.name.lower()].specifier)[2:])
    ]
    assert not unmet, "run make constraints"
