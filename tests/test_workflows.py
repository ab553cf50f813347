"""The workflows call what is there, and only the jobs that publish may write."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MAY_WRITE = {"deploy": {"pages", "id-token"}, "publish": {"contents"}}
TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def jobs_of(workflow: Path) -> dict[str, Any]:
    return yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]


def commands_of(workflow: Path) -> Iterator[str]:
    for job in jobs_of(workflow).values():
        for step in job["steps"]:
            yield from step.get("run", "").splitlines()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_calls_targets_and_scripts_that_exist(path: Path) -> None:
    calls = 0
    for command in commands_of(path):
        if called := re.match(r"make (.+)", command):
            assert {word for word in called[1].split() if "=" not in word} <= TARGETS, command
        elif script := re.match(r"bash (\S+)", command):
            assert (ROOT / script[1]).is_file(), command
        else:
            continue
        calls += 1
    assert calls


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_only_the_jobs_that_publish_may_write(path: Path) -> None:
    for name, job in jobs_of(path).items():
        writes = {scope for scope, right in job.get("permissions", {}).items() if right != "read"}
        assert writes == MAY_WRITE.get(name, set()), name
        assert job["timeout-minutes"] <= 60
        assert set(job.get("needs", [])) <= set(jobs_of(path))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_an_action_is_pinned_to_one_commit_everywhere(path: Path) -> None:
    everywhere = "".join(other.read_text(encoding="utf-8") for other in WORKFLOWS)
    for action, commit, version in re.findall(r"uses: (\S+)@(\S+)(?: # (v[\d.]+))?", path.read_text(encoding="utf-8")):
        assert re.fullmatch(r"[0-9a-f]{40}", commit), action
        assert version, action
        assert set(re.findall(rf"uses: {action}@(\S+)", everywhere)) == {commit}


def test_what_is_released_is_made_by_the_commands_before() -> None:
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    assert "make test-browser pdf" in text
    assert all(f"_build/{made}" in text for made in ("release", "html", "pdf/*.pdf", "deepernets-hand-out"))
