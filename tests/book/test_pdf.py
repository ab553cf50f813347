from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from deepernets import __version__
from deepernets.book import pdf
from deepernets.errors import UserError

TOC = {"root": "book/first", "parts": [{"caption": "Part", "chapters": [{"file": "book/second"}]}]}
PAGE = """<html><head><link rel="stylesheet" href="../_static/a.css"><script>track()</script>
<script src="../_static/mathjax/tex.js"></script></head><body><nav>Menu</nav><article><section id="top">
<h1>{title}<a class="headerlink" href="#top">#</a></h1><img src="../_images/a.png">
<a href="second.html#top">there</a>
<a href="#top">here</a><a href="../search.html">search</a><a href="https://example.org/">away</a>
<details class="admonition hide above-input"><summary>Code for Figure 1</summary><pre>draw()</pre></details>
<svg aria-labelledby="clip dot"><clipPath id="clip"/><path id="dot"/>
<use xlink:href="#dot" clip-path="url(#clip)"/></svg><div class="solution dropdown admonition" id="answer">42</div>
<details><summary>More</summary>Text</details>
<details><summary><span class="sd-summary-text">Open this when you have a guess</span></summary>Seven</details>
<details><summary>Rubric: open it after you have written your answer</summary>Names both.</details>
<p>Three layers:</p><p>One sentence.</p><p><strong>Explain.</strong></p><p><strong>Two</strong> of them.</p>
</section></article></body></html>"""


@pytest.fixture
def joined(tmp_path: Path) -> BeautifulSoup:
    """Return two pages as one."""
    for name in ("first", "second"):
        (tmp_path / "book").mkdir(exist_ok=True)
        (tmp_path / "book" / f"{name}.html").write_text(
            PAGE.format(title=name.capitalize()), encoding="utf-8"
        )
    return BeautifulSoup(pdf.join_pages(tmp_path, TOC), "html.parser")


def test_every_name_is_unique_and_every_link_leads_to_one_of_them(joined: BeautifulSoup) -> None:
    names = [str(tag["id"]) for tag in joined.select("[id]")]
    assert len(names) == len(set(names)) == 10
    links = [str(tag["href"]) for tag in joined.select("a")]
    assert links.count("#book-second--top") == 3  # from both pages, and from its own
    assert [link for link in links if link.removeprefix("#") not in names] == ["https://example.org/"] * 2
    assert "search" in joined.get_text(), "a link that leads out of the book is text"


def test_the_contents_name_every_part_and_page(joined: BeautifulSoup) -> None:
    contents = joined.select_one(".book-contents")
    assert contents is not None
    assert [tag.get_text() for tag in contents.select("h2, a")] == ["First", "Part", "Second"]
    assert [tag["href"] for tag in contents.select("a")] == ["#book-first", "#book-second"]
    title_page = joined.select_one(".title-page").get_text()  # type: ignore[union-attr]
    assert "Student edition" in title_page
    assert f"Version {__version__}" in title_page


def test_nothing_is_closed_and_the_screens_parts_are_left_out(joined: BeautifulSoup) -> None:
    assert all(tag.has_attr("open") for tag in joined.select("details"))
    assert joined.get_text().count("42") == 2
    assert not joined.select(".dropdown, .headerlink, article script")
    assert not [word for word in ("draw()", "track()", "Menu") if word in str(joined)]
    assert {str(tag["src"]) for tag in joined.select("[src]")} == {
        "../html/_images/a.png",
        "../html/_static/mathjax/tex.js",
    }


def test_nothing_on_paper_asks_to_be_opened(joined: BeautifulSoup) -> None:
    titles = [tag.get_text() for tag in joined.select("#book-first summary")]
    assert titles == ["More", "Answer", "Rubric"]


def test_what_announces_something_stays_with_it(joined: BeautifulSoup) -> None:
    leading = [tag.get_text() for tag in joined.select("#book-first [data-leads]")]
    assert leading == ["Three layers:", "Explain."]


def test_the_parts_of_a_drawing_still_find_each_other(joined: BeautifulSoup) -> None:
    for page in ("book-first", "book-second"):
        drawing = joined.select_one(f"#{page} svg")
        assert drawing is not None
        assert [tag["id"] for tag in drawing.select("[id]")] == [f"{page}--clip", f"{page}--dot"]
        assert drawing["aria-labelledby"] == f"{page}--clip {page}--dot"
        used = drawing.find("use")
        assert used is not None
        assert (used["clip-path"], used["xlink:href"]) == (f"url(#{page}--clip)", f"#{page}--dot")


def test_without_chromium_the_error_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="apt install chromium"):
        pdf.make_pdf(tmp_path)
