"""Views in a browser: on a desk and on a phone the many views come out in full rows."""

from pathlib import Path

import pytest

from tests.browser.driver import browser_path, no_error, opened, served
from tests.pages.made import tiny_set

pytestmark = pytest.mark.browser

MORE = 32  # views


@pytest.mark.timeout(300)
def test_the_views_come_out_in_full_rows(tmp_path: Path) -> None:
    executable = browser_path()
    tiny_set(tmp_path)
    with served(tmp_path) as address, opened(f"{address}/views", executable, webgl=False) as page:
        page.get_by_text(f"{MORE} more views").wait_for()
        no_error(page)
        grid = page.locator(f"div:has(> figure:nth-child({MORE})):not(:has(> figure:nth-child({MORE + 1})))")
        for width, columns in ((1440, 16), (390, 4)):
            page.set_viewport_size({"width": width, "height": 900})
            no_error(page)
            assert len(grid.evaluate("e => getComputedStyle(e).gridTemplateColumns").split()) == columns
