"""Point every link at a fork of the course, and write a hand-out without solutions."""

import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
import yaml

from deepernets.book.editions import write_student_edition
from deepernets.errors import UserError
from deepernets.files import write_text

GITHUB = re.compile(r"https://github\.com/[\w.-]+/[\w.-]+")
IN_HAND_OUT = (
    *(".binder", ".devcontainer", "benchmarks", "book", "labs", "results", "src"),
    *("LICENSE", "_config.yml", "_toc.yml", "pyproject.toml", "requirements.txt"),
)
IGNORED = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "*.part")
TESTS_OF_DEVELOPERS = re.compile(r"# The tests\.\ndev = \[\n.*?^\]\n", re.MULTILINE | re.DOTALL)
GITIGNORE = """.venv/
_build/
runs/
__pycache__/
*.egg-info/
.ipynb_checkpoints/
"""
README = """# Deeper Networks, from paper to practice

{count} lab notebooks on VGG and ResNet, with their book. Solutions are not included.

{labs}

## At home

Python 3.11, 3.12 or 3.13 and 6 GB of disk:

```shell
git clone {url}
cd {name}
python3 -m venv .venv
.venv/bin/python -m pip install -r requirements.txt    # on Windows: .venv\\Scripts\\python
.venv/bin/python -m jupyter lab labs
```

On Linux without a GPU, PyTorch's build for CPUs is much smaller. Install `torch` and `torchvision` first with the
command that [pytorch.org](https://pytorch.org/get-started/locally/) gives for it.

`.venv/bin/jupyter-book build .` builds the book in `_build/html`.

## Licence

Code and text are free under the [MIT licence](LICENSE).{origin}
"""


def repository(root: Path) -> tuple[str, str]:
    """Return the repository's address and branch from ``_config.yml``, the only file that has them."""
    named = _settings(root)["repository"]
    return named["url"].rstrip("/"), named.get("branch", "main")


def book_address(root: Path) -> str:
    """Return the address of the published book from ``_config.yml``, without a slash at the end."""
    address: str = _settings(root).get("html", {}).get("baseurl") or pages_of(repository(root)[0])
    return address.rstrip("/")


def _settings(root: Path) -> dict[str, Any]:
    return yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))


def pages_of(url: str) -> str:
    """Return where GitHub publishes the pages of a repository.

    >>> pages_of("https://github.com/Somebody/deepernets")
    'https://somebody.github.io/deepernets'
    >>> pages_of("https://github.com/Somebody/somebody.github.io")
    'https://somebody.github.io'
    """
    owner, name = url.removeprefix("https://github.com/").split("/")
    host = f"{owner.lower()}.github.io"
    return f"https://{host}" if name.lower() == host else f"https://{host}/{name}"


def newest_tag(root: Path) -> str | None:
    """Return the tag of the newest version, such as ``v1.2.0``; None without git or without one."""
    try:
        done = subprocess.run(
            ["git", "-C", root, "tag", "--list", "v[0-9]*", "--sort=-version:refname"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return next(iter(done.stdout.split()), None)


def point_at(root: Path, url: str | None, ref: str | None) -> list[str]:
    """Point ``_config.yml``, the notebooks' links and set-up cells and the README at a fork; run nothing.

    The published book is then where GitHub publishes the fork's pages, unless it has an address of its own.

    Args:
        root: The repository, or a hand-out.
        url: The fork, ``https://github.com/owner/name``; None keeps the present address.
        ref: Branch or tag; None for that of the newest version, or main if there is none.

    Returns:
        A line about each file that changed.

    Raises:
        UserError: Colab cannot open notebooks from that address.
    """
    old_url, old_ref = repository(root)
    url = (url or old_url).rstrip("/").removesuffix(".git")
    ref = ref or newest_tag(root) or "main"
    if not GITHUB.fullmatch(url) or not re.fullmatch(r"[\w./-]+", ref):
        raise UserError(
            f"Links cannot point at {url!r}, {ref!r}: Colab opens notebooks from GitHub; give --repository "
            "https://github.com/OWNER/NAME and a branch or tag as --ref."
        )
    slug, old_slug = (address.removeprefix("https://github.com/") for address in (url, old_url))
    changes = {
        f"/github/{old_slug}/blob/{old_ref}/": f"/github/{slug}/blob/{ref}/",
        f"/gh/{old_slug}/{old_ref}?": f"/gh/{slug}/{ref}?",  # Binder
        f"codespaces.new/{old_slug}": f"codespaces.new/{slug}",
        f"git+{old_url}@{old_ref}": f"git+{url}@{ref}",
        f"//github.com/{old_slug}": f"//github.com/{slug}",
        pages_of(old_url): pages_of(url),
        f"branch: {old_ref}": f"branch: {ref}",
    }
    changes = {old: new for old, new in changes.items() if old != new}
    if not changes:
        return []
    # all at once: a new address may contain an old one
    pattern = re.compile("|".join(map(re.escape, changes)))
    lines = []
    for files in ("_config.yml", "README.md", "labs/*.ipynb", "solutions/*.ipynb"):
        for path in sorted(root.glob(files)):
            text, count = pattern.subn(lambda old: changes[old[0]], path.read_text(encoding="utf-8"))
            if count:
                write_text(path, text)
                name = path.relative_to(root).as_posix()
                lines.append(f"{name}: {count} {'address' if count == 1 else 'addresses'} changed")
    return lines


def hand_out(root: Path, target: Path, url: str | None = None, ref: str | None = None) -> Path:
    """Write the student edition of the course, without solutions, ready to be pushed to a repository for students.

    Args:
        root: The repository; it stays as it is.
        target: Folder to make, outside of `root/labs`; it must not exist yet, or be empty, or an empty clone.
        url: Where students will find the copy; None for the repository's own address.
        ref: Branch or tag of it; None for main if there is a `url`, and for the repository's own otherwise.

    Raises:
        UserError: `target` is not empty, or Colab cannot open notebooks from the address.
    """
    if target.exists() and (not target.is_dir() or {path.name for path in target.iterdir()} - {".git"}):
        raise UserError(f"{target} is not empty; give a new folder for the hand-out.")
    with TemporaryDirectory() as folder:
        made = Path(folder) / "hand-out"
        made.mkdir()
        for name in IN_HAND_OUT:
            source = root / name
            if source.is_dir():
                shutil.copytree(source, made / name, ignore=IGNORED)
            elif source.is_file():
                shutil.copy(source, made / name)
        write_student_edition(made)
        point_at(made, url, ref or ("main" if url else repository(root)[1]))
        _leave_out_tools(made)
        (made / "README.md").write_text(_readme(made, repository(root)[0]), encoding="utf-8")
        shutil.copytree(made, target, dirs_exist_ok=True)
    return target


def _leave_out_tools(made: Path) -> None:
    """Leave the tools of developers out of a hand-out's settings and requirements."""
    project = made / "pyproject.toml"
    text, _, _ = project.read_text(encoding="utf-8").partition("\n[tool.ruff]")
    project.write_text(TESTS_OF_DEVELOPERS.sub("", text), encoding="utf-8")
    (made / "requirements.txt").write_text(
        "# The package, the labs and the book.\n-e .[course]\n", encoding="utf-8"
    )
    (made / ".gitignore").write_text(GITIGNORE, encoding="utf-8")


def _readme(made: Path, origin: str) -> str:
    """Return the README of a hand-out: its labs with their links, and how to install it."""
    url, ref = repository(made)
    colab = f"https://colab.research.google.com/github/{url.removeprefix('https://github.com/')}/blob/{ref}"
    rows = ["| lab | |", "|---|---|"]
    for path in sorted(made.glob("labs/*.ipynb")):
        title = nbformat.read(path, as_version=4).cells[0].source.splitlines()[0].lstrip("# ")
        rows.append(f"| [{title}](labs/{path.name}) | [open in Colab]({colab}/labs/{path.name}) |")
    return README.format(
        count=len(rows) - 2,
        labs="\n".join(rows),
        url=url,
        name=url.rsplit("/", 1)[1],
        origin=f" The course is developed at {origin}." if origin != url else "",
    )
