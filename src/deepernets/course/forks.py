"""Point every link at a fork of the course, and write a hand-out without solutions."""

import re
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from deepernets.course.editions import write_student_edition
from deepernets.errors import UserError
from deepernets.files import write_atomically

GITHUB = re.compile(r"https://github\.com/[\w.-]+/[\w.-]+")
IN_HAND_OUT = (
    *("benchmarks", "book", "labs", "results", "src"),
    *("LICENSE", "_config.yml", "_toc.yml", "pyproject.toml", "requirements.txt"),
)
IGNORED = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "*.part")
README = """# Deeper Networks, from paper to practice

The labs of the course are in [labs/](labs). Open one in Colab with the link at its top, or at home:

```shell
python3 -m venv .venv
.venv/bin/pip install -r requirements.txt
.venv/bin/jupyter lab labs
```

`.venv/bin/jupyter-book build .` builds the book in `_build/html`, `.venv/bin/pytest --nbval-lax labs` runs every
lab as a test. The course itself: {url}
"""


def repository(root: Path) -> tuple[str, str]:
    """Return the repository's address and branch from ``_config.yml``, the only file that has them."""
    settings = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["repository"]
    return settings["url"].rstrip("/"), settings.get("branch", "main")


def point_at(root: Path, url: str | None, ref: str | None) -> None:
    """Point ``_config.yml``, the notebooks' links and set-up cells and the README at a fork; run nothing.

    Args:
        root: The repository, or a hand-out.
        url: The fork, ``https://github.com/owner/name``; None keeps the present address.
        ref: Branch or tag; None keeps the present one.

    Raises:
        UserError: Colab cannot open notebooks from that address.
    """
    old_url, old_ref = repository(root)
    url, ref = (url or old_url).rstrip("/").removesuffix(".git"), ref or old_ref
    if not GITHUB.fullmatch(url) or not re.fullmatch(r"[\w./-]+", ref):
        raise UserError(
            f"Links cannot point at {url!r}, {ref!r}: Colab opens notebooks from GitHub; give --repository "
            "https://github.com/OWNER/NAME and a branch or tag as --ref."
        )
    slug, old_slug = (address.removeprefix("https://github.com/") for address in (url, old_url))
    changes = {
        f"/github/{old_slug}/blob/{old_ref}/": f"/github/{slug}/blob/{ref}/",
        f"git+{old_url}@{old_ref}": f"git+{url}@{ref}",
        f"//github.com/{old_slug}": f"//github.com/{slug}",
        f"branch: {old_ref}": f"branch: {ref}",
    }
    for path in (
        root / "_config.yml",
        root / "README.md",
        *root.glob("labs/*.ipynb"),
        *root.glob("solutions/*.ipynb"),
    ):
        if path.is_file():
            _replace(path, changes)


def _replace(path: Path, changes: dict[str, str]) -> None:
    text = path.read_text(encoding="utf-8")
    for old, new in changes.items():
        text = text.replace(old, new)
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def hand_out(root: Path, target: Path, url: str | None = None, ref: str | None = None) -> Path:
    """Write the student edition of the course, without solutions, ready to be pushed to a repository for students.

    Args:
        root: The repository; it stays as it is.
        target: Folder to make, outside of `root/labs`; it must not exist yet, or be empty.
        url: Where students will find the copy; None for the repository's own address.
        ref: Branch or tag of it; None for the repository's own.

    Raises:
        UserError: `target` is not empty, or Colab cannot open notebooks from the address.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
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
        (made / "README.md").write_text(README.format(url=repository(root)[0]), encoding="utf-8")
        point_at(made, url, ref)
        shutil.copytree(made, target, dirs_exist_ok=True)
    return target
