"""Real photos, brought as a zip by upload, through every page to a face identified."""

import zipfile
from pathlib import Path

import pytest

from tests.browser.driver import browser_path, opened, served
from tests.browser.walk import ANSWERED, Walk, unseen_photo


@pytest.mark.browser
@pytest.mark.realdata
@pytest.mark.long
@pytest.mark.timeout(900)
def test_real_photos_through_every_page(tmp_path: Path, real_data: Path) -> None:
    few = tmp_path / "six people.zip"
    with zipfile.ZipFile(real_data / "celebs6-natural.zip") as whole, zipfile.ZipFile(few, "w") as part:
        taken: dict[str, int] = {}
        for name in sorted(n for n in whole.namelist() if not n.endswith("/")):
            person = name.split("/")[-2]
            if taken.setdefault(person, 0) < 12:
                taken[person] += 1
                part.writestr(name, whole.read(name))
    with served(tmp_path) as address, opened(address, browser_path(), webgl=False) as page:
        walk = Walk(page, tmp_path)
        prepared = walk.prepare(few, upload=True, min_photos=6)
        name = prepared.config["recipe"]["name"]
        assert name == "six-people"
        assert len(walk.studio.dataset(name).people) == 6
        walk.pretrain(epochs=1, batch_size=32, image_size=32, backbone="tinyvgg")
        walk.finetune(epochs=1)
        walk.embed()
        photo, _ = unseen_photo(tmp_path, name, tmp_path)
        assert ANSWERED.search(walk.identify(photo))
        walk.everywhere()
