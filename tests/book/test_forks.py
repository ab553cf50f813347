import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
import yaml

from deepernets.book import forks
from deepernets.book.editions import edition_of
from deepernets.course import labs
from deepernets.errors import UserError

if TYPE_CHECKING:
    from tests.conftest import Run

ROOT = Path(__file__).parents[2]
FORK = "https://github.com/a-school/deeper"


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """Return a copy of all that a fork carries."""
    copy = tmp_path / "course"
    for folder in (".binder", ".devcontainer", "benchmarks", "book", "labs", "solutions", "results", "src"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("_config.yml", "_toc.yml", "README.md", "LICENSE", "pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / name, copy)
    return copy


def _text(folder: Path) -> str:
    return "".join(path.read_text() for path in sorted(folder.rglob("*.ipynb")))


def test_every_link_points_at_the_fork_and_the_labs_still_hold(course: Path) -> None:
    url, ref = forks.repository(course)
    changed = forks.point_at(course, FORK, "v2")
    assert forks.repository(course) == (FORK, "v2")
    assert forks.book_address(course) == "https://a-school.github.io/deeper"
    labs.check(course)
    assert changed[0] == "_config.yml: 4 addresses changed"
    assert changed[1].startswith("README.md: ")
    assert [line.split(":")[0] for line in changed[2:]] == [
        path.relative_to(course).as_posix()
        for folder in ("labs", "solutions")
        for path in sorted((course / folder).glob("*.ipynb"))
    ]
    everything = _text(course) + (course / "README.md").read_text() + (course / "_config.yml").read_text()
    assert url.split("github.com")[1] not in everything
    assert url.split("github.com/")[1] not in everything
    assert "a-school.github.io/deeper/book/vgg-training.html" in everything
    for service in ("codespaces.new/a-school/deeper?", "mybinder.org/v2/gh/a-school/deeper/v2?"):
        assert service in everything
    assert "github/a-school/deeper/blob/v2/labs/03_train_vgg.ipynb" in everything
    assert f"git+{FORK}@v2" in everything
    forks.point_at(course, url, ref)
    assert _text(course) == _text(ROOT / "labs") + _text(ROOT / "solutions")


def test_the_address_of_a_fork_may_begin_with_that_of_the_original(course: Path) -> None:
    url, _ = forks.repository(course)
    forks.point_at(course, f"{url}-2027", "v2")
    everything = _text(course) + (course / "README.md").read_text() + (course / "_config.yml").read_text()
    assert f"git+{url}-2027@v2" in everything
    assert "-2027-2027" not in everything


def test_pointing_keeps_the_comments_of_the_settings(course: Path) -> None:
    before = (ROOT / "_config.yml").read_text().splitlines()
    forks.point_at(course, FORK, None)
    after = (course / "_config.yml").read_text().splitlines()
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert changed[0] == f"  url: {FORK}"
    assert changed[1].startswith("  baseurl: https://a-school.github.io/deeper # of the published book")
    assert changed[2].startswith(
        '      colab: "https://colab.research.google.com/github/a-school/deeper/blob/main/'
    )
    assert len(changed) == 3


def test_without_a_ref_links_lead_to_the_newest_version(course: Path) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(course)]
    forks.point_at(course, FORK, None)
    assert forks.repository(course) == (FORK, "main"), "there is no git here"
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", "one"], check=True)
    for tag in ("v0.9.0", "v0.10.0", "v0.2.0", "old", "very-new"):
        subprocess.run([*git, "tag", tag], check=True)
    forks.point_at(course, None, None)
    assert forks.repository(course) == (FORK, "v0.10.0")
    assert f"git+{FORK}@v0.10.0" in (course / "labs/03_train_vgg.ipynb").read_text()


def test_an_address_of_the_book_of_ones_own_is_kept(course: Path) -> None:
    settings = course / "_config.yml"
    settings.write_text(
        settings.read_text().replace("https://deepernets.github.io/deepernets", "https://b.org/c/")
    )
    forks.point_at(course, FORK, None)
    assert forks.book_address(course) == "https://b.org/c"


@pytest.mark.parametrize(
    ("url", "ref"), [("https://example.org/a/b", "main"), ("a/b", None), (FORK, "two words")]
)
def test_an_address_that_colab_cannot_open_is_refused(url: str, ref: str | None, course: Path) -> None:
    with pytest.raises(UserError, match="Colab opens notebooks from GitHub"):
        forks.point_at(course, url, ref)
    assert forks.repository(course) == forks.repository(ROOT)


def test_a_hand_out_holds_the_labs_and_no_solution(course: Path, tmp_path: Path) -> None:
    made = forks.hand_out(course, tmp_path / "out", FORK, "v2")
    assert not list(made.rglob("solutions")) + list(made.rglob("0?_*.py"))
    assert len(list(made.glob("labs/*.ipynb"))) == len(list(course.glob("labs/*.ipynb")))
    assert "BEGIN SOLUTION" not in _text(made)
    pages = yaml.safe_load((made / "_toc.yml").read_text())
    listed = [page["file"] for part in pages["parts"] for page in part["chapters"]]
    assert not [page for page in listed if page.startswith("solutions/")]
    assert all(list(made.glob(f"{page}.*")) for page in [*listed, pages["root"]])
    assert edition_of(pages) == "student"
    assert not (made / "book" / "teaching.md").exists()
    assert "`make " not in (made / "book" / "how-to-work.md").read_text(), "a hand-out has no Makefile"
    assert not [
        page for page in made.glob("book/*.md") if re.search("../solutions/|teaching.md", page.read_text())
    ]
    assert forks.repository(made) == (FORK, "v2")
    assert f"git+{FORK}@v2" in _text(made / "labs")
    assert forks.repository(course) == forks.repository(ROOT)


def test_a_hand_out_leads_to_its_own_labs_and_has_no_tools_for_developers(
    course: Path, tmp_path: Path
) -> None:
    made = forks.hand_out(course, tmp_path / "out", FORK)
    readme = (made / "README.md").read_text()
    titles = re.findall(
        r"^\| \[Lab (\d+): [^]]+\]\((labs/\S+)\) \| \[open in Colab\]\((\S+)\)", readme, re.MULTILINE
    )
    assert [int(number) for number, _, _ in titles] == list(
        range(1, 1 + len(list(made.glob("labs/*.ipynb"))))
    )
    for _, path, colab in titles:
        assert (made / path).is_file()
        assert colab == f"https://colab.research.google.com/github/a-school/deeper/blob/main/{path}"
    assert f"git clone {FORK}\ncd deeper\n" in readme
    assert f"developed at {forks.repository(course)[0]}" in readme
    assert ".venv/" in (made / ".gitignore").read_text().splitlines()
    project = tomllib.loads((made / "pyproject.toml").read_text())
    assert set(project["tool"]) == {"hatch"}
    assert set(project["project"]["optional-dependencies"]) == {"course"}
    assert (made / "requirements.txt").read_text().splitlines()[1:] == ["-e .[course]"]
    assert {path.name for path in made.iterdir()} >= {".binder", ".devcontainer", ".gitignore", "README.md"}
    assert not {"tests", "solutions", "Makefile", "CONTRIBUTING.md", ".github"} & {
        p.name for p in made.iterdir()
    }


def test_a_hand_out_is_installed_as_in_colab_and_runs_a_lab_as_a_test(course: Path, tmp_path: Path) -> None:
    made, site = forks.hand_out(course, tmp_path / "out"), tmp_path / "site"
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    _run([sys.executable, "-m", "pip", "install", "--quiet", *offline, "--target", site, made], made)
    assert (site / "deepernets" / "results" / "order.txt").is_file()
    lab = made / "labs" / "01_receptive_fields.ipynb"
    notebook = nbformat.read(lab, as_version=4)
    installed = (
        f"import deepernets; assert deepernets.__file__.startswith({str(site)!r}), deepernets.__file__"
    )
    notebook.cells.insert(0, nbformat.v4.new_code_cell(installed))
    nbformat.write(notebook, lab)
    test = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--nbval-lax", "--nbval-current-env"]
    passed = re.search(r"(\d+) passed", _run([*test, lab.relative_to(made)], made, PYTHONPATH=str(site)))
    assert passed
    assert int(passed[1]) == sum(cell.cell_type == "code" for cell in notebook.cells)


def _run(command: list[Any], folder: Path, **environment: str) -> str:
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_hand_out_overwrites_nothing(course: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="is not empty"):
        forks.hand_out(course, tmp_path / "out")
    with pytest.raises(UserError, match="Colab"):
        forks.hand_out(course, tmp_path / "new", "nowhere")
    (tmp_path / "clone" / ".git").mkdir(parents=True)  # what `git clone` makes of an empty repository
    assert (forks.hand_out(course, tmp_path / "clone") / ".git").is_dir()
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("words", [["--check", "--ref", "v2"], ["03", "--check"], ["03", "--ref", "v2"]])
def test_one_thing_at_a_time(run: "Run", words: list[str]) -> None:
    status, _, error = run("labs", "build", *words)
    assert status == 2
    assert "one of them at a time" in error
