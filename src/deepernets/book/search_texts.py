"""Excerpts for the search, also in a book that is opened from its files.

Sphinx's search fetches each page that it found, to show an excerpt. Browsers refuse that to a page opened from a
file. So the texts of all pages are written into one script that only the search page loads, and
``book/_static/search-excerpts.js`` hands them to Sphinx's search.
"""

import json
import re
from pathlib import Path
from typing import Any

TEXTS = "search-texts.js"
ARTICLE = re.compile(r"<article\b.*</article>", re.DOTALL)
SILENT = re.compile(
    r"<(script|style|svg|button)\b.*?</\1>"
    r'|<details class="[^"]*above-input">.*?</details>'  # code that only draws a figure
    r'|<a class="headerlink".*?</a>'
    r"|\\[()\[\]]",  # around formulas
    re.DOTALL,
)
OTHER_TAGS = re.compile(r"<(?!/?section\b|dt\b|/dd\b)[^>]*>")


def readable(page: str) -> str:
    """Return the text of a page, of whose markup only the places that search results lead to are left.

    Args:
        page: The page's HTML.

    >>> readable('<article><section class="a" id="b"><h1>Title</h1><p>Some <b>text</b>.</p></section></article>')
    '<section id="b">Title Some text. </section>'
    """
    article = ARTICLE.search(page)
    text = SILENT.sub("", article[0] if article else "")
    text = re.sub(r"<dt\b", "<section", text).replace("</dd>", "</section>")  # a term and its definition
    text = re.sub(r"<section\b[^>]*?( id=[^ >]*)?>", r"<section\1>", text)
    text = re.sub(r"</(p|h\d|li|td|th|tr|div|pre|dt)>", " ", text)
    return re.sub(r"\s+", " ", OTHER_TAGS.sub("", text)).strip()


def setup(app: Any) -> dict[str, bool]:
    """Make this module an extension of Sphinx."""
    app.connect("html-page-context", _load_in_search_page)
    app.connect("build-finished", _write_texts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _load_in_search_page(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    if page == "search":
        app.add_js_file(TEXTS)
        app.add_js_file("search-excerpts.js")


def _write_texts(app: Any, failure: Exception | None) -> None:
    if failure or app.builder.name != "html":
        return
    texts = {
        page: readable((Path(app.outdir) / f"{page}.html").read_text(encoding="utf-8"))
        for page in sorted(app.env.found_docs)
    }
    content = json.dumps(texts, ensure_ascii=False, separators=(",", ":"))
    (Path(app.outdir) / "_static" / TEXTS).write_text(f"window.searchTexts = {content};\n", encoding="utf-8")
