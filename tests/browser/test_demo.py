"""The whole path in a real browser: press *Run the demo*, wait, look at each page, upload a photo, read the name."""

import time
from pathlib import Path

import cv2
import pytest

from facessl.studio import Studio
from tests.browser.driver import PAGES, browser_path, finished, go_to, no_error, opened, press, served, set_number

pytestmark = pytest.mark.browser


@pytest.mark.timeout(900)
def test_from_one_click_to_an_identified_face(tmp_path: Path) -> None:
    # Four people and one epoch: what is tested is the way, not what is learnt; how long the usual one takes and what it
    # reaches is told by python -m tests.browser.time_demo.
    with served(tmp_path) as address, opened(address, browser_path(), webgl=False) as page:
        page.get_by_text("A smaller or larger demo").click()
        page.get_by_text("More settings").first.click()
        for label, value in (("^People", 4), ("^Photos", 10), ("^Epochs", 1), ("^Finetune epochs", 1)):
            set_number(page, label, value)
        press(page, "Run the demo")
        studio = Studio(tmp_path)
        deadline = time.monotonic() + 60
        while len(demo := studio.demo()) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        for run in demo:
            finished(run, page, 400)
        for name in PAGES:
            go_to(page, name)

        model = next(run for run in demo if run.kind == "finetune")
        for seed in range(20):  # a photo that the model knows: what is tested here is the page, not the model
            drawn = studio.sample(model.id, stranger=False, seed=seed)
            assert drawn
            image = drawn[0]
            answers = studio.identify(model.id, image)
            if len(answers) == 1 and answers[0].answer.person:
                break
        cv2.imwrite(str(tmp_path / "photo.png"), image[:, :, ::-1])
        go_to(page, "Identify")
        page.get_by_text("Upload a photo", exact=True).first.click()
        page.locator('input[type="file"]').first.set_input_files(str(tmp_path / "photo.png"))
        page.get_by_text(answers[0].answer.person or "nobody known").first.wait_for()
        no_error(page)


@pytest.mark.timeout(300)
def test_a_link_into_the_middle_opens_with_the_frame(tmp_path: Path) -> None:
    """The first thing that a fresh server is asked for is a page within the studio, with a choice in its link."""
    with served(tmp_path) as address, opened(f"{address}/compare?dataset=nobody", browser_path(), webgl=False) as page:
        page.get_by_role("heading", name="Compare", exact=True).wait_for()
        page.get_by_role("link", name="Pre-train", exact=True).first.wait_for()
        no_error(page)
