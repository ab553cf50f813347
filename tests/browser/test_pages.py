"""Pages with explorers in a browser: no wider than the screen, without errors, and without a network."""

import pytest

from tests.browser.conftest import Reader

SCREENS = [("desk", "light"), ("phone", "dark"), ("small phone", "light")]


PAGES = ("welcome", "convolution", "receptive-fields", "when-depth-hurts", "resnet-family")


@pytest.mark.parametrize("page", [f"book/{page}" for page in PAGES])
@pytest.mark.parametrize("read", SCREENS, indirect=True)
def test_a_page_fits_the_screen_asks_no_other_host_and_has_no_errors(read: Reader, page: str) -> None:
    shown = read.open(page)
    assert shown.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert read.foreign == []
    assert read.errors == []
