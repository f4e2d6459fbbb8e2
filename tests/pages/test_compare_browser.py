"""The Compare page in a browser: a link brings back what was compared, and a chart is saved as PNG and as SVG."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests.browser.driver import browser_path, no_error, opened, served
from tests.pages.made import finetuned, tiny_set

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


@pytest.mark.timeout(300)
def test_a_chart_is_saved_as_png_and_as_svg(tmp_path: Path) -> None:
    executable = browser_path()
    tiny_set(tmp_path)
    finetuned(tmp_path, "First", right=6)
    finetuned(tmp_path, "Second", right=3)
    with served(tmp_path) as address:
        for theme in ("light", "dark"):
            with opened(f"{address}/compare", executable, webgl=False, color_scheme=theme) as page:
                _saved_as_both(page, tmp_path, theme)


def _saved_as_both(page: "Page", tmp_path: Path, theme: str) -> None:
    camera = page.locator(".js-plotly-plot .modebar-btn").first
    camera.wait_for()
    no_error(page)
    with page.expect_download() as saved:
        camera.click()
    assert saved.value.suggested_filename == "fine-tunings-by-epochs.png"
    saved.value.save_as(tmp_path / "chart.png")
    width = page.locator(".js-plotly-plot").first.bounding_box()["width"]
    picture = Image.open(tmp_path / "chart.png").convert("RGB")
    assert picture.width == pytest.approx(3 * width, rel=0.02)  # enough to print
    assert (sum(picture.getpixel((3, 3))) < 150) == (theme == "dark")  # the page's colour, not nothing

    page.get_by_role("radio", name="SVG").or_(page.get_by_text("SVG", exact=True)).first.click()
    no_error(page)
    with page.expect_download() as saved:
        page.locator(".js-plotly-plot .modebar-btn").first.click()
    assert saved.value.suggested_filename == "fine-tunings-by-epochs.svg"
    saved.value.save_as(tmp_path / "chart.svg")
    drawing = (tmp_path / "chart.svg").read_text()
    assert drawing.startswith("<svg") and all(name in drawing for name in ("First", "Second", "Fine-tunings by epochs"))
    colours = {tuple(map(int, c)) for c in re.findall(r"fill: rgb\((\d+), (\d+), (\d+)\)", drawing)}
    assert any((sum(colour) < 400) != (theme == "dark") for colour in colours)  # letters that stand out


@pytest.mark.timeout(300)
def test_the_first_link_that_a_server_is_asked_for_brings_back_all_runs(tmp_path: Path) -> None:
    executable = browser_path()
    tiny_set(tmp_path)
    runs = [finetuned(tmp_path, f"Number {right}", right=right) for right in (1, 2, 3, 4, 5, 6)]
    query = "&".join(f"run={run.id}" for run in runs[:3]) + f"&pair={runs[2].id}&pair={runs[0].id}"
    with served(tmp_path) as address, opened(f"{address}/compare?{query}", executable, webgl=False) as page:
        page.get_by_text("2 photos only Number 3 got right, 0 only Number 1").wait_for()
        no_error(page)
        page.get_by_role("tab", name="Studies").click()
        page.get_by_text("No study of tiny was started yet.").wait_for()
        page.get_by_role("tab", name="Runs").click()
        page.get_by_text("2 photos only Number 3 got right, 0 only Number 1").wait_for()
        assert [part for part in page.url.split("?")[1].split("&") if part[:4] in ("run=", "pair")] == query.split("&")


@pytest.mark.timeout(120)
def test_chosen_runs_stay_when_others_come_and_names_change(tmp_path: Path) -> None:
    executable = browser_path()
    tiny_set(tmp_path)
    first, second = (finetuned(tmp_path, name, right=3) for name in ("First", "Second"))
    with served(tmp_path) as address, opened(f"{address}/compare?run={first.id}", executable, webgl=False) as page:
        picker = page.get_by_test_id("stMultiSelect")
        chips = picker.locator("[data-tag], [data-baseweb=tag]")
        chips.get_by_text("First", exact=True).wait_for()
        second.describe(title="First")  # the two are told apart by their ids from now on
        third = finetuned(tmp_path, "Third", right=6)
        chips.get_by_text(f"First · {first.id[-4:]}", exact=True).wait_for(timeout=20_000)
        for name in ("Third", f"First · {second.id[-4:]}"):
            picker.locator("input").click()
            page.get_by_role("option", name=name, exact=True).click()
            chips.get_by_text(name, exact=True).wait_for()
        page.wait_for_function("location.search.split('run=').length == 4")
        no_error(page)
        asked = [part[4:] for part in page.url.split("?")[1].split("&") if part.startswith("run=")]
        assert asked == [first.id, third.id, second.id]
