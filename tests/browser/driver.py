"""A studio of its own on a free port, and a Chromium that looks at it."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from facessl.run import Run
from tests import chromium

ROOT = Path(__file__).parents[2]
PAGES = ("Data", "Views", "Pre-train", "Embeddings", "Fine-tune", "Identify", "Compare")
# Drawing by software costs half a core, so only who needs it asks for it: a map of over 1,000 points.
WEBGL = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@contextlib.contextmanager
def served(home: Path) -> Iterator[str]:
    """Serve the workspace ``home`` and yield the address; the server's words go to ``server.txt`` in it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--server.port", str(port), "--server.headless", "true"]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", *options]
    with open(home / "server.txt", "w") as log:
        server = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "FACESSL_PHOTO_ROOTS": "/", "FACESSL_HOME": str(home), "PYTHONFAULTHANDLER": "1"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
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
    finally:
        server.terminate()
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            server.send_signal(signal.SIGABRT)  # it then says where each of its threads is
            server.wait(20)
            raise AssertionError((home / "server.txt").read_text()) from None


@contextlib.contextmanager
def opened(address: str, executable: str, *, webgl: bool = True, **context: Any) -> Iterator[Any]:
    """Open an address in a page of 1440 × 900 points, or as Playwright's ``context`` settings say."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS + WEBGL if webgl else FLAGS)
        page = browser.new_page(**{"viewport": {"width": 1440, "height": 900}, **context})
        page.set_default_timeout(60_000)
        page.goto(address)
        yield page
        browser.close()


def browser_path() -> str:
    """Return a Chromium's path, or skip the test and say what is missing."""
    import pytest

    path = chromium.find()
    if path is None:
        pytest.skip(chromium.MISSING)
    pytest.importorskip("playwright.sync_api")
    return path


def no_error(page: Any) -> None:
    """Wait until the page has settled, and fail if it shows an exception."""
    page.wait_for_timeout(1000)
    for busy in ("stStatusWidget", "stSpinner"):
        page.locator(f'[data-testid="{busy}"]').first.wait_for(state="detached")
    shown = page.locator('[data-testid="stException"]')
    assert shown.count() == 0, shown.first.inner_text()


def go_to(page: Any, name: str) -> None:
    """Follow a link of the frame; once more where a page that was just being drawn anew lost the first click."""
    from playwright.sync_api import TimeoutError as Late

    no_error(page)
    link, heading = (page.get_by_role(role, name=name, exact=True).first for role in ("link", "heading"))
    link.click()
    try:
        try:
            heading.wait_for(timeout=20_000)
        except Late:
            link.click()
            heading.wait_for()
    except Late as error:  # what it shows instead is worth more than that it waited
        shown = page.locator('[data-testid="stMain"]').inner_text()
        raise AssertionError(f"{name} did not come. {page.url} shows:\n{shown}") from error
    no_error(page)


def press(page: Any, name: str) -> None:
    """Press the button of this name once the page has settled: a click while it is drawn anew can be lost."""
    no_error(page)
    page.get_by_role("button", name=name, exact=True).first.click()


def set_number(page: Any, label: str, value: int) -> None:
    field = page.get_by_role("spinbutton", name=re.compile(label, re.IGNORECASE)).first
    field.fill(str(value))
    field.press("Tab")


def finished(run: Run, page: Any, seconds: float) -> None:
    """Watch the page until the run is finished; fail if the run fails, or if the page does."""
    deadline = time.monotonic() + seconds
    while (status := run.status()).state != "finished":
        begun = status.message != "Not started yet."  # seen between its making and the start of its process
        ended = begun and status.state in ("failed", "interrupted", "stopped")
        assert not ended, f"{status}\n{run.log_text()}"
        assert time.monotonic() < deadline, (run.title, status)
        no_error(page)
    no_error(page)
