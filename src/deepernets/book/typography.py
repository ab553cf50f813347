"""Lines and columns of the book's pages: what belongs together stays on one line, and numbers are set alike.

`deepernets.book.pages` registers `Typography` with Sphinx, so the pages and the outputs of cells need no special
characters.
"""

import re
from typing import Any

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

SHORT = 24  # characters of code in a sentence that stay on one line
AS_WRITTEN = (nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.raw, nodes.comment)
# "74 %", "0.3 ± 0.1" and "Table 3" do not break at their space, and "93.8%" gets one.
PERCENT = re.compile(r"((?<=\d)|^) ?%(?!\w)")
PLUS_MINUS = re.compile(r"(?<=\d) ± (?=\d)")
REFERENCE = re.compile(r"\b((?:table|figure|section|equation|lab|exercise)s?) (?=\d)", re.IGNORECASE)
MINUS = re.compile(r"(?<![\w.])-(?=\d)")
# ResNet-50, vgg-16-bn-cifar, cifar10-jpeg, 3-4-6-3 and 2026-11-27 do not break at their hyphens.
HYPHENATED = re.compile(r"\d+(?:-\d+){2,}|\b[A-Za-z]+\d*(?:-[a-z]+)*-\d+(?:-[a-z\d]+)*|\bcifar10-jpeg\b")
NUMBER = re.compile(r"[+−-]?\d[\d,]*(\.\d+)?( ?%)?( ± \d+(\.\d+)?)?")
NOTHING = ("", "–")


class Typography(SphinxPostTransform):
    """Set the texts of one page, after references and the numbers of its cells have been put in."""

    default_priority = 900
    formats = ("html",)

    def run(self, **_: Any) -> None:
        """Change the page's nodes in place."""
        for table in list(self.document.findall(nodes.tgroup)):
            align_numbers(table)
        for literal in list(self.document.findall(nodes.literal)):
            if len(literal.astext()) <= SHORT:
                literal["classes"].append("short")
        for formula in list(self.document.findall(nodes.math)):
            keep_punctuation(formula)
        for link in list(self.document.findall(nodes.reference)):
            free_first_space(link)
        for text in list(self.document.findall(nodes.Text)):
            if not within(text, AS_WRITTEN):
                set_text(text)


def spaced(text: str) -> str:
    """Return a text with the spaces and minus signs of print.

    >>> spaced("Table 3 has 93.8% and 7 % ± 1; -0.5 points").replace(chr(160), "_")
    'Table_3 has 93.8_% and 7_% ± 1; −0.5 points'
    """
    text = PERCENT.sub("\N{NO-BREAK SPACE}%", text)
    text = PLUS_MINUS.sub("\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}", text)
    return MINUS.sub("\N{MINUS SIGN}", REFERENCE.sub("\\1\N{NO-BREAK SPACE}", text))


def set_text(text: nodes.Text) -> None:
    """Set one text, with names that do not break in elements of their own."""
    written, parts, end = spaced(text.astext()), [], 0
    if text.parent.index(text) == 0 and not isinstance(text.parent, nodes.inline):
        written = re.sub(r"^\N{NO-BREAK SPACE}%", "%", written)  # as the heading of a column
    for name in HYPHENATED.finditer(written):
        parts += [
            nodes.Text(written[end : name.start()]),
            nodes.inline(name[0], name[0], classes=["together"]),
        ]
        end = name.end()
    text.parent.replace(text, [*parts, nodes.Text(written[end:])])


def keep_punctuation(formula: nodes.math) -> None:
    """Put a formula and the punctuation next to it into an element that does not break."""
    parent: Any = formula.parent
    place = parent.index(formula)
    before = parent[place - 1] if place else None
    after = parent[place + 1] if place + 1 < len(parent) else None
    opening, closing = "", ""
    if isinstance(before, nodes.Text):
        opening = before[len(before.rstrip("([“")) :]
        parent.replace(before, nodes.Text(before.removesuffix(opening)))
    if isinstance(after, nodes.Text):
        closing = after[: len(after) - len(after.lstrip(".,;:!?)]”"))]
        parent.replace(after, nodes.Text(after.removeprefix(closing)))
    if opening or closing:
        group = nodes.inline("", "", classes=["together"])
        parent.replace(formula, group)
        group += [nodes.Text(opening), formula, nodes.Text(closing)]


def free_first_space(link: nodes.reference) -> None:
    """Put a space at the start of a link before the link, so that it is not underlined."""
    text = link[0] if len(link) else None
    if isinstance(text, nodes.Text) and text.startswith(" "):
        link.replace(text, nodes.Text(text.lstrip()))
        link.parent.insert(link.parent.index(link), nodes.Text(" "))


def align_numbers(table: nodes.tgroup) -> None:
    """Align the columns of a table that hold only numbers to the right, also in tables from cells."""
    rows = [list(row) for row in table.findall(nodes.row)]
    head = len(next(iter(table.findall(nodes.thead)), ()))
    for column in zip(*rows, strict=False):
        texts = [cell.astext().strip() for cell in column[head:]]
        if any(text not in NOTHING for text in texts) and all(
            text in NOTHING or NUMBER.fullmatch(text) for text in texts
        ):
            for cell in column:
                cell["classes"] = [*(name for name in cell["classes"] if name != "text-left"), "text-right"]


def within(node: nodes.Node, kinds: tuple[type, ...]) -> bool:
    """Return whether a node is part of one of these kinds."""
    while node.parent is not None:
        node = node.parent
        if isinstance(node, kinds):
            return True
    return False
