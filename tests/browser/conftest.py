"""What the tests in a browser share: the built book, opened from its files by Chromium with the network cut off."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from deepernets.book.pdf import find_chromium
from deepernets.errors import UserError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HTML = Path(__file__).parents[2] / "_build" / "html"
SCREENS = {"desk": (1440, 900), "phone": (390, 844), "small phone": (320, 640)}


def _missing(reason: str) -> NoReturn:
    if os.environ.get("DEEPERNETS_BROWSER") == "required":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """Start Chromium; without it, or without Playwright or the book, the tests are skipped with the reason."""
    try:
        program = find_chromium()
    except UserError as error:
        _missing(str(error))
    if not (HTML / "index.html").is_file():
        _missing("The book is not built; `make book` builds it.")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing("Playwright is not installed; `make test-browser` installs it.")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


class Reader:
    """A page of the book in front of a reader; what it asks other hosts for, and its errors, are kept."""

    def __init__(self, page: "Page") -> None:
        self.page = page
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on(
            "console", lambda message: self.errors.append(message.text) if message.type == "error" else None
        )
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def open(self, page: str, fragment: str = "") -> "Page":
        """Open a page, named as in the table of contents."""
        self.page.goto("about:blank")
        self.page.goto(f"{(HTML / page).as_uri()}.html{fragment}")
        return self.page

    @property
    def foreign(self) -> list[str]:
        """The addresses that are not the book's own files."""
        return [url for url in self.requests if not url.startswith(("file:", "data:", "blob:", "about:"))]


@pytest.fixture
def read(browser: "Browser", request: pytest.FixtureRequest) -> Iterator[Reader]:
    """Return a reader; the parameter, if there is one, is (screen, colour scheme)."""
    screen, scheme = getattr(request, "param", ("desk", "light"))
    width, height = SCREENS[screen]
    options: dict[str, Any] = {
        "viewport": {"width": width, "height": height},
        "color_scheme": scheme,
        "has_touch": "phone" in screen,
    }
    context = browser.new_context(offline=True, **options)
    context.set_default_timeout(60_000)  # far above what anything takes, also beside other work
    yield Reader(context.new_page())
    context.close()
