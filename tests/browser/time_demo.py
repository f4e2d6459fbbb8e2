"""How long the usual demo takes in a browser, from the click to an identified face. By command, on a quiet machine:

python -m tests.browser.time_demo --home FOLDER [--pictures FOLDER]
"""

import argparse
import time
from pathlib import Path

from facessl.studio import Studio
from tests import chromium
from tests.browser.driver import finished, go_to, no_error, opened, served


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--pictures", type=Path)
    asked = parser.parse_args()
    asked.home.mkdir(parents=True, exist_ok=True)
    executable = chromium.find()
    assert executable, chromium.MISSING
    with served(asked.home) as address, opened(address, executable, webgl=False) as page:
        studio = Studio(asked.home)
        page.get_by_role("button", name="Run the demo").wait_for()
        start = time.monotonic()
        page.get_by_role("button", name="Run the demo").click()
        while len(demo := studio.demo()) < 4:
            time.sleep(0.2)
        for run in demo:
            if asked.pictures:
                page.wait_for_timeout(6000)
                page.screenshot(path=str(asked.pictures / f"home-{run.kind}.png"))
            finished(run, page, 900)
            print(f"{run.kind}: ready {time.monotonic() - start:.0f} s after the click", flush=True)
        go_to(page, "Identify")
        for number in range(1, 11):
            page.get_by_role("button", name="Somebody known", exact=True).click()
            page.get_by_text("Really:").first.wait_for()
            no_error(page)
            if page.get_by_text("Right", exact=True).count():
                print(f"a known person named rightly: {time.monotonic() - start:.0f} s, photo {number}")
                break
        if asked.pictures:
            page.screenshot(path=str(asked.pictures / "identify.png"))
    for run in demo:
        result = run.result() or {}
        print(run.kind, f"{run.status().seconds:.0f} s", result.get("metrics"), result.get("identification"))


if __name__ == "__main__":
    main()
