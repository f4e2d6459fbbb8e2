"""Two browsers, one of them a phone: both show the same runs, whoever started or renamed them."""

from pathlib import Path
from typing import Any

import pytest

from facessl.studio import Studio
from tests.browser.driver import FLAGS, browser_path, no_error, opened, served
from tests.pages.made import make_run, pretrained, tiny_set

pytestmark = pytest.mark.browser


@pytest.mark.timeout(300)
def test_a_number_typed_out_of_range_is_refused_when_start_is_pressed_at_once(tmp_path: Path) -> None:
    executable = browser_path()
    tiny_set(tmp_path)
    with served(tmp_path) as address, opened(f"{address}/pretrain", executable, webgl=False) as page:
        start = page.get_by_role("button", name="Start pre-training")
        start.wait_for()
        no_error(page)
        page.get_by_role("spinbutton", name="Epochs").fill("99999")
        start.click()  # the field is left only by this
        page.get_by_text("Epochs: must be 10,000 or less, got 99999.").wait_for()
        no_error(page)
        assert start.is_disabled()
        page.get_by_role("spinbutton", name="Epochs").fill("3")
        page.get_by_role("spinbutton", name="Epochs").press("Tab")
        page.locator("button:enabled", has_text="Start pre-training").wait_for()
        page.get_by_text("Nobody is before it").wait_for()
    assert Studio(tmp_path).runs("pretrain") == []


@pytest.mark.timeout(300)
def test_a_second_browser_sees_what_the_first_and_a_command_do(tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    executable = browser_path()
    tiny_set(tmp_path)
    run = pretrained(tmp_path)
    with served(tmp_path) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        desk = browser.new_page(viewport={"width": 1440, "height": 900})
        phone = browser.new_page(viewport={"width": 390, "height": 844})
        pages: tuple[Any, ...] = (desk, phone)
        for page in pages:
            page.set_default_timeout(60_000)
            page.goto(f"{address}/pretrain?run={run.id}")
            page.get_by_text(run.title, exact=True).first.wait_for()
            no_error(page)

        desk.get_by_text("Title and note").click()
        desk.get_by_label("Title", exact=True).fill("Called anew")
        desk.get_by_role("button", name="Save").click()
        for page in pages:
            page.get_by_text("Called anew", exact=True).first.wait_for()

        make_run(tmp_path, "pretrain", "By command")  # elsewhere, while nobody touches the pages
        for page in pages:
            page.get_by_text("Find", exact=True).first.wait_for()  # there are two to choose from now
            no_error(page)
        phone.reload()
        phone.get_by_text("Called anew", exact=True).first.wait_for()
        no_error(phone)
        browser.close()
