"""Sandboxes: what each command line hides, and what happens where none works."""

import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from deepernets.course.grading import isolation
from deepernets.course.grading.isolation import Limits, choose, command
from deepernets.errors import UserError

REPOSITORY = Path(__file__).parents[3]
LIMITS = Limits(output=2**20, memory=2**30, processes=7)


@pytest.fixture
def nothing_known() -> Iterator[None]:
    """Forget what was found to work, before and after."""
    choose.cache_clear()
    yield
    choose.cache_clear()


@pytest.mark.parametrize("sandbox", ["bubblewrap", "podman", "unshare", "unshare as root"])
def test_every_sandbox_shows_python_and_the_package_and_no_more(
    sandbox: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPERNETS_SECRET", "instructor")
    words = "\n".join(command(sandbox, LIMITS))
    assert str(REPOSITORY / "src" / "deepernets") in words
    assert sys.prefix in words
    assert "instructor" not in words
    assert not any(str(REPOSITORY / name) in words for name in ("solutions", "tests", "labs", ".git"))
    assert "HOME" in words
    assert "/tmp" in words


@pytest.mark.parametrize(
    ("sandbox", "options"),
    [
        (
            "bubblewrap",
            [
                "--unshare-net",
                "--unshare-pid",
                "--unshare-ipc",
                "--bounding-set=-all",
                "--as-pid-1",
                "--clearenv",
                "--die-with-parent",
                "--new-session",
                "--ro-bind",
            ],
        ),
        (
            "podman",
            ["--network=none", "--read-only", "--cap-drop=all", "--pids-limit=7", f"--memory={2**30}"],
        ),
        (
            "unshare",
            ["--user", "--net", "--mount", "--pid", "--ipc", "--bounding-set=-all", "--no-new-privs"],
        ),
        ("unshare as root", ["--net", "--mount", "--pid", "--clear-groups", "--bounding-set=-all"]),
    ],
)
def test_every_sandbox_is_cut_off(sandbox: str, options: list[str]) -> None:
    assert set(options) <= set(command(sandbox, LIMITS))


@pytest.mark.parametrize("user", [0, 1000])
def test_no_sandbox_runs_as_the_system_s_own_root(user: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    assert ("--clear-groups" in command("bubblewrap", LIMITS)) == (user == 0)
    assert ("--unshare-user" in command("bubblewrap", LIMITS)) == (user != 0)
    assert any(word.startswith("--user=") for word in command("podman", LIMITS)) == (user == 0)
    assert "--clear-groups" in command("unshare as root", LIMITS)
    assert "--user" in command("unshare", LIMITS)


def test_every_mount_of_a_path_is_read_only() -> None:
    words = command("bubblewrap", LIMITS)
    assert "--bind" not in words
    volumes = [word for before, word in pairwise(command("podman", LIMITS)) if before == "--volume"]
    assert volumes
    assert all(volume.endswith(":ro") for volume in volumes)
    script = next(word for word in command("unshare", LIMITS) if "pivot_root" in word)
    bound = [line.split()[-1] for line in script.splitlines() if line.startswith("mount --bind")]
    again = [line.split()[-1] for line in script.splitlines() if line.startswith("mount -o remount,bind,ro,")]
    assert bound == again
    assert "remount,ro" not in script, "only root may remount more than its own bind"


@pytest.mark.usefixtures("nothing_known")
def test_where_no_sandbox_works_grading_is_refused_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(isolation, "_complaint", lambda sandbox: "Operation not permitted")
    with pytest.raises(UserError, match=r"No sandbox works here \(bubblewrap: Operation .* --sandbox none"):
        choose()
    with pytest.raises(UserError, match=r"No sandbox works here \(podman: "):
        choose("podman")
    assert choose("none") == "none"


@pytest.mark.usefixtures("nothing_known")
def test_the_first_that_works_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        isolation, "_complaint", lambda way: "" if way in ("unshare", "podman") else "not installed"
    )
    assert (choose(), choose("podman")) == ("unshare", "podman")


def test_a_program_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert isolation._complaint("bubblewrap") == "bwrap is not installed"


def test_processes_are_counted_only_where_they_are_the_sandbox_s_own() -> None:
    assert not isolation.counts_processes("none")
    assert isolation.counts_processes("unshare as root")
