"""A study in a browser: started from the page, stopped, resumed, watched to its end, and its answer read."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from facessl import attending, runs, turns
from facessl.config import EmbedRecipe
from facessl.studio import Studio
from tests.browser.driver import browser_path, finished, no_error, opened, press, served, set_number
from tests.pages.test_compare_studies import study
from tests.tiny import make_set

pytestmark = pytest.mark.browser

_TEXTS = {"Starts": "nothing", "Shares": "100", "Backbone": "tinyvgg"}
_NUMBERS = {"Number of seeds": 1, "Image side in pixels": 32, "Frozen epochs": 1}


@pytest.mark.timeout(300)
def test_a_study_is_started_stopped_resumed_and_answers(tmp_path: Path) -> None:
    executable = browser_path()
    make_set(tmp_path, people=4, photos=20)
    with served(tmp_path) as address, opened(f"{address}/compare?tab=studies", executable, webgl=False) as page:
        fill_in(page)
        page.get_by_text("It takes 1 fine-tuning.").wait_for()
        other = runs.create(tmp_path, "embed", EmbedRecipe(), title="Other")
        with attending.held(other), turns.turn(tmp_path, other, ["cpu"]):  # it cannot end before it is stopped
            press(page, "Start the study")
            press(page, "Stop")
            page.get_by_role("button", name="Resume", exact=True).wait_for()
        press(page, "Resume")
        page.get_by_role("button", name="Resume", exact=True).wait_for(state="detached")
        (run,) = Studio(tmp_path).runs("study")
        assert f"study={run.id}" in page.url
        finished(run, page, 240)  # processes of their own, which give way to whatever else the machine does
        page.get_by_text("Accuracy by share of labels").first.wait_for()
        page.locator(".js-plotly-plot").get_by_text("untrained, frozen").first.wait_for()
        page.get_by_role("button", name=re.compile("CSV")).first.wait_for()
        no_error(page)
    (tuned,) = Studio(tmp_path).runs("finetune")
    assert (run.status().attempts, tuned.status().state) == (2, "finished")


def fill_in(page: Any) -> None:
    """Choose a study of one linear layer on an untrained network: seconds."""
    page.get_by_role("combobox", name="Study").first.click()
    page.get_by_role("option", name="Label efficiency").click()
    no_error(page)
    page.get_by_text("More settings").first.click()
    for label, text in _TEXTS.items():
        field = page.get_by_role("textbox", name=label, exact=True)
        field.fill(text)
        field.press("Enter")
    for label, number in _NUMBERS.items():
        set_number(page, f"^{label}$", number)
    page.get_by_role("combobox", name="Mode").click()
    page.get_by_role("option", name="Frozen").click()
    no_error(page)


@pytest.mark.timeout(300)
def test_a_heat_map_fits_a_phone_with_all_its_names_and_numbers(tmp_path: Path) -> None:
    executable = browser_path()
    make_set(tmp_path)
    columns = [f"factor no. {number}" for number in range(10)]
    models = ["PCA-whitened pixels", "Relative position · ResNet18 on gen · seed 3"]
    heat = {"title": "What is known", "kind": "heat", "x_title": "", "y_title": "", "x": columns, "y": models,
            "z": [[100.0] * 10, [-88.0] * 10]}  # fmt: skip
    study(tmp_path, "finished", {"sentences": [], "tables": [], "charts": [heat], "missing": []})
    phone = {"width": 390, "height": 1344}
    with (
        served(tmp_path) as address,
        opened(f"{address}/compare?tab=studies", executable, webgl=False, viewport=phone) as page,
    ):
        chart = page.locator(".js-plotly-plot").first
        chart.wait_for()
        no_error(page)
        assert page.evaluate("document.documentElement.scrollWidth") == phone["width"]
        whole = chart.bounding_box()
        for kind, count in ((".annotation-text", 20), (".xtick", 10), (".ytick", 2)):
            boxes = [each.bounding_box() for each in chart.locator(kind).all()]
            assert len(boxes) == count
            assert all(
                whole["x"] <= box["x"] and box["x"] + box["width"] <= whole["x"] + whole["width"] for box in boxes
            )
        numbers = [each.bounding_box() for each in chart.locator(".annotation-text").all()][:10]
        assert all(one["x"] + one["width"] <= other["x"] + 1 for one, other in pairwise(numbers))
