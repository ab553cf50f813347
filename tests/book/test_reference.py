"""The pages on the package and on the commands, which are made from docstrings and from the help."""

import re
from collections.abc import Iterator

import pytest
from cyclopts import App

import deepernets
from deepernets.cli import app
from tests.book.conftest import Book
from tests.test_imports import PACKAGES


def commands(parent: App, *words: str) -> Iterator[tuple[tuple[str, ...], App]]:
    for name in parent:
        if not name.startswith("-"):
            yield (*words, name), parent[name]
            yield from commands(parent[name], *words, name)


COMMANDS = dict(commands(app))


@pytest.mark.parametrize("name", deepernets.__all__)
def test_every_name_of_the_package_is_described(book: Book, name: str) -> None:
    signature = book.article("book/package").find("dt", id=f"deepernets.{name}")
    assert signature is not None
    description = signature.find_next_sibling("dd")
    assert description is not None
    summary = (getattr(deepernets, name).__doc__ or "").splitlines()[0]
    assert re.sub(r"\W", "", summary) in re.sub(r"\W", "", description.get_text())


def test_all_packages_are_listed_in_the_order_of_their_imports(book: Book) -> None:
    table = book.rows("book/package")
    assert [row[0] for row in table[1:]] == [f"deepernets.{name}" for name in PACKAGES]


def test_every_command_is_described_with_its_options(book: Book) -> None:
    sections = {
        section["id"]: section.get_text() for section in book.article("book/commands").select("section[id]")
    }
    assert len(COMMANDS) > 15
    for words, command in COMMANDS.items():
        described = sections["-".join(("deepernets", *words))]
        arguments = command.assemble_argument_collection() if command.default_command else ()
        for argument in arguments:
            assert all(name in described for name in argument.names if name.startswith("--")), words
