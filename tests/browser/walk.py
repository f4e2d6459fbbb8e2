"""A person's own photos through every page: prepare, pre-train, fine-tune, map, identify. By test and by command:

python -m tests.browser.walk PHOTOS.zip --home FOLDER [--upload] [--min-photos 20] [--epochs 1] [--pictures FOLDER]
"""

import argparse
import re
import time
from pathlib import Path
from typing import Any

from facessl.run import Run
from facessl.studio import Studio
from tests import chromium
from tests.browser.driver import PAGES, finished, go_to, no_error, opened, press, served, set_number

ANSWERED = re.compile(r"(above|below) the threshold of|No face was found|Nobody is known yet")


class Walk:
    """One person at one page, and what is in the workspace meanwhile."""

    def __init__(self, page: Any, home: Path, pictures: Path | None = None, patience: float = 600) -> None:
        self.page, self.studio, self.pictures, self.patience = page, Studio(home), pictures, patience

    def prepare(self, photos: Path, *, upload: bool, min_photos: int) -> Run:
        """Bring a zip, uploaded or by its path on this machine, on the Data page."""
        page = self.page
        go_to(page, "Data")
        page.get_by_role("tab", name="Prepare a new set").click()
        self._select("Where the photos come from", "Folder or zip")
        if upload:
            page.locator('input[type="file"]').first.set_input_files(str(photos))
            page.get_by_text(photos.name).first.wait_for()
        else:
            page.get_by_text("A folder or zip on this machine", exact=True).first.click()
            path = page.get_by_role("textbox", name="Path of the folder or zip")
            path.fill(str(photos))
            path.press("Enter")
        no_error(page)
        set_number(page, "^Least photos", min_photos)
        return self._start("prepare", "Prepare the set")

    def pretrain(self, epochs: int, batch_size: int, image_size: int = 64, backbone: str = "") -> Run:
        page = self.page
        go_to(page, "Pre-train")
        self._to_the_form()
        if backbone:
            self._select("Backbone", backbone)
        set_number(page, "^Epochs", epochs)
        set_number(page, "^Batch size", batch_size)
        set_number(page, "^Image side", image_size)
        return self._start("pretrain", "Start pre-training")

    def finetune(self, epochs: int) -> Run:
        go_to(self.page, "Fine-tune")
        self._to_the_form()
        set_number(self.page, "^Epochs", epochs)
        return self._start("finetune", "Start")

    def _to_the_form(self) -> None:
        if self.page.get_by_role("tab", name="Start a run").count():
            self.page.get_by_role("tab", name="Start a run").click()

    def embed(self) -> Run:
        go_to(self.page, "Embeddings")
        return self._start("embed", "Draw the map")

    def identify(self, photo: Path) -> str:
        """Upload a photo; return what the page says."""
        page = self.page
        go_to(page, "Identify")
        page.locator('input[type="file"]').first.set_input_files(str(photo))
        page.get_by_text(photo.name).first.wait_for()
        no_error(page)
        # The page looks settled before it has begun to look for faces, so what is waited for is what it says then.
        page.get_by_text(ANSWERED).first.wait_for(timeout=1000 * self.patience)
        no_error(page)
        self.look("identify")
        return str(page.locator('[data-testid="stMain"]').inner_text())

    def everywhere(self) -> None:
        for name in PAGES:
            go_to(self.page, name)
            self.look(name.lower())

    def look(self, name: str) -> None:
        """Take a picture of the page, where somebody wants pictures."""
        if self.pictures is not None:
            self.page.wait_for_timeout(2000)
            self.page.screenshot(path=str(self.pictures / f"{name}.png"))

    def _select(self, label: str, option: str) -> None:
        self.page.get_by_role("combobox", name=re.compile(label)).first.click()
        self.page.get_by_role("option", name=option).first.click()
        no_error(self.page)

    def _start(self, kind: str, button: str) -> Run:
        before = {run.id for run in self.studio.runs(kind)}
        press(self.page, button)
        deadline = time.monotonic() + 60
        while not (new := [run for run in self.studio.runs(kind) if run.id not in before]):
            assert time.monotonic() < deadline, self.page.locator('[data-testid="stMain"]').inner_text()
            time.sleep(0.2)
        if self.pictures is not None:
            self.page.wait_for_timeout(8000)
            self.look(f"{kind}-running")
        finished(new[0], self.page, self.patience)
        self.look(f"{kind}-done")
        return new[0]


def unseen_photo(home: Path, dataset: str, folder: Path) -> tuple[Path, str]:
    """Write a ``test`` photo as it came into the folder, and return where it is and who is on it."""
    from PIL import Image

    studio = Studio(home)
    test = studio.dataset(dataset).table.query("split == 'test' and status == 'kept'").iloc[0]
    path = folder / "somebody.png"
    Image.fromarray(studio.photo(dataset, int(test["photo"]))).save(path)
    return path, str(test["person"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--upload", action="store_true")
    parser.add_argument("--min-photos", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--finetune-epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--pictures", type=Path)
    asked = parser.parse_args()
    executable = chromium.find()
    assert executable, chromium.MISSING
    asked.home.mkdir(parents=True, exist_ok=True)
    if asked.pictures:
        asked.pictures.mkdir(parents=True, exist_ok=True)
    with served(asked.home) as address, opened(address, executable) as page:
        walk = Walk(page, asked.home, asked.pictures, patience=3600)
        made = [walk.prepare(asked.photos.resolve(), upload=asked.upload, min_photos=asked.min_photos)]
        made.append(walk.pretrain(asked.epochs, asked.batch_size))
        made.append(walk.finetune(asked.finetune_epochs))
        made.append(walk.embed())
        photo, person = unseen_photo(asked.home, made[0].config["recipe"]["name"], asked.home)
        said = walk.identify(photo)
        walk.everywhere()
    for run in made:
        print(run.kind, f"{run.status().seconds:.0f} s", (run.result() or {}).get("metrics", {}))
    print("identified:", [line for line in said.splitlines() if "·" in line or "imilarity" in line], "really:", person)


if __name__ == "__main__":
    main()
