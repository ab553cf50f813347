"""The book as a web site: an extension of Sphinx, next to `deepernets.book.pages`.

It writes the first page to the root of the site as well, and a page for addresses that lead nowhere. Every page
gets a description for search engines and previews. Labs get their notebooks to download.
"""

import posixpath
import re
import shutil
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deepernets.book.course_map import MAP
from deepernets.book.forks import pages_of

CARD, CARD_SIZE = "_static/social-card.png", (1200, 630)
CARD_TEXT = "Deeper Networks, from paper to practice, with the receptive fields of VGG-16 as nested squares."
LINKS = re.compile(r'\b(href|src|action|data-content_root)="([^"#][^"]*)"')
COLAB = re.compile(r'(<a class="reference external" href="https://colab[^"]+">Open in Colab</a>)')
NOT_FOUND = """<h1>Page not found</h1>
<p>There is no page at this address. It may have moved, or the address may be incomplete.</p>
<ul>
<li><a href="{home}">Start at the first page</a></li>
<li><a href="{map}">Look at the map of chapters and labs</a></li>
<li><a href="{search}">Search the book</a></li>
</ul>"""
# A server shows 404.html at the address that was asked for, so relative links need the folder of the site.
BASE = """<script>
if (location.protocol.startsWith("http")) {{
  const base = document.createElement("base");
  base.href = location.pathname.startsWith("{prefix}") ? "{prefix}" : "/";
  document.head.prepend(base);
}}
</script>"""


def setup(app: Any) -> dict[str, bool]:
    """Connect the functions of this module to Sphinx."""
    app.connect("config-inited", _set_address)
    app.connect("html-collect-pages", _not_found)
    app.connect("html-page-context", _complete, priority=900)  # after the theme
    app.connect("build-finished", _write_index, priority=400)  # before a redirect would be written
    app.connect("build-finished", _copy_labs)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def at_root(html: str, folder: str) -> str:
    """Return a page that is shown in a folder as it must be in the root: with its relative links changed.

    >>> at_root('<a href="data.html#x"> <img src="../_static/a.png"> <a href="#top"> <a href="//a.b">', "book")
    '<a href="book/data.html#x"> <img src="_static/a.png"> <a href="#top"> <a href="//a.b">'
    """

    def changed(link: re.Match[str]) -> str:
        name, address = link.groups()
        if urlsplit(address).scheme or address.startswith("//"):
            return link[0]
        path = posixpath.normpath(posixpath.join(folder, address))
        return f'{name}="{path}{"/" * address.endswith("/")}"'

    return LINKS.sub(changed, html)


def first_sentence(text: str) -> str:
    """Return the first sentence of a text, without citations.

    >>> first_sentence("K. He and others [He et al., 2016] add 1.5 % to it. This helps.")
    'K. He and others add 1.5 % to it.'
    """
    without = re.sub(r"\s*\[[^]]*\d{4}\]", "", " ".join(text.split()))
    return re.split(r"(?<=[.?!])(?<!\b[A-Z]\.)\s", without)[0]


def describe(page: str, doctree: Any) -> str:
    """Return what the map says of a page, and the first sentence of its text."""
    name = posixpath.basename(page)
    paragraphs = doctree.findall(
        lambda node: node.tagname == "paragraph" and node.parent.tagname == "section"
    )
    texts = (paragraph.astext() for paragraph in paragraphs)
    first = next((text for text in texts if not text.startswith("Reading time")), "")
    what = MAP[name].what if name in MAP else ""
    parts = [
        "With solutions." * page.startswith("solutions/"),
        f"{what}{'.' * what[-1:].isalpha()}",
        first_sentence(first),
    ]
    return " ".join(filter(None, parts))


def _set_address(app: Any, config: Any) -> None:
    repository = (config.html_theme_options or {}).get("repository_url")
    if repository:
        config.html_baseurl = f"{(config.html_baseurl or pages_of(repository)).rstrip('/')}/"


def _not_found(app: Any) -> Iterator[tuple[str, dict[str, Any], str]]:
    if app.builder.name == "html":
        uri = app.builder.get_target_uri
        links = {"home": "index.html", "map": uri("book/map"), "search": uri("search")}
        yield "404", {"title": "Page not found", "body": NOT_FOUND.format(**links)}, "page.html"


def _complete(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Complete what a page's template is filled with."""
    base = app.config.html_baseurl
    if page == "404":
        context["pageurl"] = None  # it has no address of its own
        context["metatags"] = BASE.format(prefix=urlsplit(base).path) + context.get("metatags", "")
    if page == app.config.root_doc:
        context["pageurl"] = base
    if doctree is not None:
        description = app.env.metadata[page].get("description") or describe(page, doctree)
        context["metatags"] = context.get("metatags", "") + _preview(context, base, description)
    if page.startswith("labs/"):
        link = f'<a href="{posixpath.basename(page)}.ipynb" download>Download the notebook</a>'
        context["body"] = COLAB.sub(rf"\1 · {link}", context["body"], count=1)
    if page.startswith(("labs/", "solutions/")):  # they are made from masters, which are the files to edit
        _remove_edit_button(context.get("header_buttons", []))


def _preview(context: dict[str, Any], base: str, description: str) -> str:
    """Return the tags from which search engines and messengers describe a page."""
    width, height = CARD_SIZE
    properties = {
        "og:type": "website",
        "og:site_name": context["docstitle"],
        "og:title": re.sub(r"<[^>]+>", "", context["title"]),
        "og:description": description,
        "og:url": context["pageurl"],
        "og:image": f"{base}{CARD}",
        "og:image:width": width,
        "og:image:height": height,
        "og:image:alt": CARD_TEXT,
    }
    tags = [f'<meta property="{name}" content="{escape(str(text))}" />' for name, text in properties.items()]
    return "\n".join(
        [
            f'<meta name="description" content="{escape(description)}" />',
            '<meta name="twitter:card" content="summary_large_image" />',
            *tags,
        ]
    )


def _remove_edit_button(buttons: list[dict[str, Any]]) -> None:
    for group in buttons:
        if "buttons" in group:
            group["buttons"] = [
                button for button in group["buttons"] if button.get("label") != "source-edit-button"
            ]


def _write_index(app: Any, error: Exception | None) -> None:
    """Write the first page to the root of the site, too."""
    first = Path(app.outdir) / f"{app.config.root_doc}.html"
    if error is None and app.builder.name == "html" and first.is_file():
        html = at_root(first.read_text(encoding="utf-8"), posixpath.dirname(app.config.root_doc))
        (Path(app.outdir) / "index.html").write_text(html, encoding="utf-8")


def _copy_labs(app: Any, error: Exception | None) -> None:
    """Put the notebooks of the labs, and of nothing else, next to their pages."""
    if error is None and app.builder.name == "html":
        for page in app.env.found_docs:
            if page.startswith("labs/"):
                shutil.copy(app.env.doc2path(page), Path(app.outdir) / f"{page}.ipynb")
