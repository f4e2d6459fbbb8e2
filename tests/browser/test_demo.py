"""The whole path in a real browser: press *Run the demo*, wait, look at each page, upload a photo, read the name."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from facessl.studio import Studio
from tests import chromium

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parents[2]
PAGES = ("Data", "Views", "Pre-train", "Embeddings", "Fine-tune", "Identify", "Compare")
FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    """A studio of its own on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--server.port", str(port), "--server.headless", "true"]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", *options]
    with open(home / "server.txt", "w") as log:
        server = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "FACESSL_HOME": str(home)}, stdout=log, stderr=subprocess.STDOUT
        )
    url = f"http://localhost:{port}"
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=2).close()
            break
        except OSError:
            assert server.poll() is None and time.monotonic() < deadline, (home / "server.txt").read_text()
            time.sleep(0.2)
    yield url
    server.terminate()
    server.wait(20)


@pytest.fixture(scope="module")
def page(address: str) -> Iterator[object]:
    path = chromium.find()
    if path is None:
        pytest.skip(chromium.MISSING)
    playwright_api = pytest.importorskip("playwright.sync_api")
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        opened = browser.new_page(viewport={"width": 1440, "height": 900})
        opened.set_default_timeout(60_000)
        opened.goto(address)
        yield opened
        browser.close()


def no_error(page) -> None:  # type: ignore[no-untyped-def]
    page.wait_for_timeout(1500)
    shown = page.locator('[data-testid="stException"]')
    assert shown.count() == 0, shown.first.inner_text()


def set_number(page, label: str, value: int) -> None:  # type: ignore[no-untyped-def]
    field = page.get_by_role("spinbutton", name=re.compile(label, re.IGNORECASE))
    field.fill(str(value))
    field.press("Tab")


@pytest.mark.timeout(600)
def test_from_one_click_to_an_identified_face(page, home: Path) -> None:  # type: ignore[no-untyped-def]
    page.get_by_text("A smaller or larger demo").click()
    for label, value in (("^People", 6), ("^Photos", 20), ("^Epochs", 3)):
        set_number(page, label, value)
    page.get_by_role("button", name="Run the demo").click()
    studio = Studio(home)
    deadline = time.monotonic() + 400
    while not (demo := studio.demo()) or any(run.status().state != "finished" for run in demo):
        for run in demo:
            assert run.status().state not in ("failed", "interrupted"), f"{run.status().error}\n{run.log_text()}"
        assert time.monotonic() < deadline, [(run.title, run.status()) for run in demo]
        time.sleep(0.5)
        no_error(page)
    for name in PAGES:
        page.get_by_role("link", name=name, exact=True).first.click()
        page.wait_for_timeout(1500)
        no_error(page)

    model = next(run for run in demo if run.kind == "finetune")
    for seed in range(20):  # a photo that the model knows: what is tested here is the page, not the model
        drawn = studio.sample(model.id, stranger=False, seed=seed)
        assert drawn
        image = drawn[0]
        answers = studio.identify(model.id, image)
        if len(answers) == 1 and answers[0].answer.person:
            break
    cv2.imwrite(str(home / "photo.png"), image[:, :, ::-1])
    page.get_by_role("link", name="Identify", exact=True).first.click()
    page.get_by_text("Upload a photo", exact=True).first.click()
    page.locator('input[type="file"]').first.set_input_files(str(home / "photo.png"))
    page.get_by_text(answers[0].answer.person or "nobody known").first.wait_for()
    no_error(page)
