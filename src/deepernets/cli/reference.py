"""The sections of ``book/commands.md``, made from the help of the commands: an extension of Sphinx."""

from typing import Any

PAGE = "book/commands"


def describe_commands() -> str:
    """Return a section of Markdown for each command, with its arguments and options."""
    from deepernets.cli import app

    _, _, sections = app.generate_docs().split("\n## ", 2)  # after the title and the table of contents
    return f"## {sections}"


def setup(app: Any) -> dict[str, bool]:
    """Make this module an extension of Sphinx."""
    app.connect("env-get-outdated", lambda *changes: [PAGE])  # its source does not show a change of the help
    app.connect("source-read", _add_commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _add_commands(app: Any, page: str, source: list[str]) -> None:
    if page == PAGE:
        source[0] += f"\n{describe_commands()}"
