"""Definitions for the links to the glossary: ``book/_static/tooltips.js`` shows them."""

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docutils.nodes import Element

SYMBOLS = {r"\max": "max", r"\times": "×", r"\cdot": "·", "-": "−"}  # a tooltip has no formulas
SYMBOL = re.compile("|".join(map(re.escape, SYMBOLS)))


def definitions_in(page: "Element") -> dict[str, str]:
    """Return the definitions of a glossary as plain text, by the names of the places of their terms.

    Args:
        page: The page as Sphinx keeps it.
    """
    from docutils import nodes

    found = {}
    for item in page.findall(nodes.definition_list_item):
        definition = item.next_node(nodes.definition)
        for formula in list(definition.findall(nodes.math)):
            text = SYMBOL.sub(lambda match: SYMBOLS[match[0]], formula.astext())
            formula.replace_self(nodes.Text(text))
        text = re.sub(r"\s+", " ", definition.astext())
        found.update({name: text for term in item.findall(nodes.term) for name in term["ids"]})
    return found


def setup(app: Any) -> dict[str, bool]:
    """Make this module an extension of Sphinx."""
    app.connect("env-updated", _collect)
    app.connect("doctree-resolved", _define)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _collect(app: Any, env: Any) -> list[str]:
    """Collect the definitions; if they changed, every page is written again."""
    objects = env.get_domain("std").objects
    terms = {page for (kind, _), (page, _) in objects.items() if kind == "term"}
    found = {
        name: text for page in sorted(terms) for name, text in definitions_in(env.get_doctree(page)).items()
    }
    changed = found != getattr(env, "definitions", None)
    env.definitions = found
    return list(env.found_docs) if changed else []


def _define(app: Any, page: "Element", name: str) -> None:
    from docutils import nodes

    for link in page.findall(nodes.reference):
        place = link.get("refid") or link.get("refuri", "").rpartition("#")[2]
        if place in app.env.definitions:
            link["reftitle"] = app.env.definitions[place]
