"""The two editions of the book: the student edition is the whole book without solutions and teaching part.

``_toc.yml`` lists every page. The student edition is derived from it when the book is built, and when a hand-out is
written. A link from one of its pages to a page that it lacks becomes text, so such a link needs a text:
``[Teaching with this book](teaching.md)``.
"""

import posixpath
import re
import shutil
import sys
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

INSTRUCTOR_PARTS = ("Solutions", "Teaching")  # captions in _toc.yml
EDITIONS = {
    "student": "Student edition. The instructor edition adds solutions and a teaching part.",
    "instructor": "Instructor edition, with solutions and a teaching part. Do not hand it out.",
}
LINK = re.compile(r"(?<!!)\[(?P<text>[^\][]+)\]\((?P<target>[^)#\s]+)(?:#[^)\s]*)?\)")


def read_toc(path: Path) -> dict[str, Any]:
    """Return a table of contents as Jupyter Book reads it."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def edition_of(toc: dict[str, Any]) -> str:
    """Return the edition that a table of contents makes.

    >>> edition_of({"root": "welcome", "parts": [{"caption": "Labs", "chapters": [{"file": "labs/01"}]}]})
    'student'
    """
    return "instructor" if any(map(_for_instructors, toc.get("parts", []))) else "student"


def for_students(toc: dict[str, Any]) -> dict[str, Any]:
    """Return a table of contents without the parts for instructors."""
    parts = [part for part in toc.get("parts", []) if not _for_instructors(part)]
    return {**toc, "parts": parts}


def pages_in(toc: dict[str, Any]) -> list[str]:
    """Return the pages of a table of contents in their order, the first page included."""
    listed = [page["file"] for part in toc.get("parts", []) for page in part["chapters"]]
    return [toc["root"], *listed, *(page["file"] for page in toc.get("chapters", []))]


def instructor_pages(toc: dict[str, Any]) -> set[str]:
    """Return the pages that the student edition lacks."""
    return {*pages_in(toc)} - {*pages_in(for_students(toc))}


def _for_instructors(part: dict[str, Any]) -> bool:
    return part.get("caption") in INSTRUCTOR_PARTS


def without_links(text: str, page: str, missing: Collection[str]) -> str:
    """Return a page's Markdown in which links to pages that its edition lacks are text.

    Args:
        text: The page.
        page: Its name as in the table of contents; links are relative to its folder.
        missing: Names of the pages that are not there.

    >>> without_links("See [the plans](teaching.md#plans) and [](data.md).", "book/welcome", ["book/teaching"])
    'See the plans (instructor edition) and [](data.md).'
    """

    def replaced(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page), link["target"]))
        lacking = str(PurePosixPath(path).with_suffix("")) in missing
        return f"{link['text']} (instructor edition)" if lacking else link[0]

    return LINK.sub(replaced, text)


def write_student_edition(course: Path) -> None:
    """Change a copy of the course into the student edition: its contents, pages and links."""
    toc = read_toc(course / "_toc.yml")
    missing = instructor_pages(toc)
    for path in _files(course, missing):
        path.unlink()
    for path in _files(course, pages_in(for_students(toc))):
        if path.suffix == ".md":
            text, page = path.read_text(encoding="utf-8"), path.relative_to(course).with_suffix("").as_posix()
            path.write_text(without_links(text, page, missing), encoding="utf-8")
    (course / "_toc.yml").write_text(yaml.safe_dump(for_students(toc), sort_keys=False), encoding="utf-8")


def _files(course: Path, pages: Collection[str]) -> Iterator[Path]:
    return (
        path
        for page in pages
        for suffix in (".md", ".ipynb")
        if (path := course / f"{page}{suffix}").is_file()
    )


def write_toc(edition: str, course: Path = Path()) -> None:
    """Write the table of contents of an edition to ``_build/toc.yml``.

    If it differs from that of the last build, the pages of that build are deleted. Otherwise solutions would stay
    among the pages of a student edition.
    """
    toc, path = read_toc(course / "_toc.yml"), course / "_build" / "toc.yml"
    text = yaml.safe_dump(toc if edition == "instructor" else for_students(toc), sort_keys=False)
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    for folder in ("html", "singlehtml"):
        shutil.rmtree(path.parent / folder, ignore_errors=True)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Make this module an extension of Sphinx: pages name their edition and link to no page that it lacks."""
    app.add_config_value("edition", "", "env")  # pages are read again when it changes
    app.connect("config-inited", _say_which)
    app.connect("source-read", _without_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _say_which(app: Any, config: Any) -> None:
    config.edition = edition_of(read_toc(Path(app.srcdir) / config.external_toc_path))
    config.html_theme_options["extra_footer"] = f'<p class="edition">{EDITIONS[config.edition]}</p>'


def _without_links(app: Any, page: str, source: list[str]) -> None:
    if app.config.edition == "student" and app.env.doc2path(page).endswith(".md"):
        source[0] = without_links(source[0], page, instructor_pages(read_toc(Path(app.srcdir) / "_toc.yml")))


if __name__ == "__main__":
    write_toc(sys.argv[1])
