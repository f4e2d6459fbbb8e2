"""Preparing: whose, which split, which face; the same every time; nothing half-done that looks done."""

import io
import itertools
import os
import signal
import subprocess
import sys
import time
import unicodedata
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import psutil
import pytest
from PIL import Image

from facessl import config, preparation, recipes, recognition, runs
from facessl.dataset import FaceDataset, open_dataset
from facessl.errors import DatasetError, SourceError, Stopped
from facessl.images import encode_jpeg
from facessl.preparation import _chunks, _plan
from facessl.run import Run
from facessl.sources import synthetic

DRAWN = {"source": "synthetic", "people": 3, "photos": 10, "unnamed": 3, "size": 64, "min_photos": 5}
ROOT = Path(__file__).parents[1]
KILLED = """
import sys, pathlib
from facessl import preparation, run, runs
if __name__ == "__main__":
    preparation.prepare(run.Run(pathlib.Path(sys.argv[1])), pathlib.Path(sys.argv[2]))
"""


def make_run(workspace: Path, **settings: object) -> Run:
    recipe = recipes.build(config.PrepareRecipe, {"name": "demo", **settings})
    return runs.create(workspace, "prepare", recipe, title="a test's")


def prepare(workspace: Path, **settings: object) -> FaceDataset:
    preparation.prepare(make_run(workspace, **settings), workspace)
    return open_dataset(workspace, str(settings.get("name", "demo")))


@pytest.fixture(scope="module")
def faces() -> list[bytes]:
    """Six photos of six generated people, as JPEG files."""
    return [encode_jpeg(synthetic.render(person, 1, size=160)) for person in range(6)]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> FaceDataset:
    return prepare(tmp_path_factory.mktemp("drawn"), **DRAWN)


def make_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def png(size: int, colour: str = "teal") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(file, "PNG")
    return file.getvalue()


# What comes out


def test_the_table_the_faces_and_the_folders_tell_the_same(drawn: FaceDataset) -> None:
    kept = drawn.crops
    assert list(drawn.table["photo"]) == list(range(33))
    assert drawn.faces.shape == (len(kept), 64, 64, 3)
    assert list(kept["face"]) == list(range(len(kept)))
    assert list(kept["photo"]) == sorted(kept["photo"])
    files = sorted(path.relative_to(drawn.path / "scaled") for path in (drawn.path / "scaled").rglob("*.jpg"))
    assert len(files) == len(kept)
    by_folder = pd.Series([str(file.parts[0]) for file in files]).value_counts()
    assert by_folder.to_dict() == kept["split"].value_counts().to_dict()
    file = drawn.path / "scaled" / "unlabelled" / "unlabelled" / "unlabelled_0001.jpg"
    first = drawn.faces[drawn.rows("unlabelled")[0]]
    assert np.abs(cv2.imread(str(file))[..., ::-1].astype(int) - first).mean() < 6


def test_the_counts_agree_with_a_recount(drawn: FaceDataset) -> None:
    table, counts = drawn.table, drawn.info["counts"]
    kept = table[table["status"] == "kept"]
    assert counts["people"] == len(drawn.people) == kept.loc[kept["label"] >= 0, "person"].nunique() == 3
    assert counts["photos"] == len(table) == 33
    assert counts["faces"] == len(kept)
    assert counts["splits"] == {s: int((kept["split"] == s).sum()) for s in ("unlabelled", "train", "val", "test")}
    assert sum(counts["statuses"].values()) == 33
    assert counts["statuses"]["kept"] == len(kept)
    assert counts["aligned"] == int(table["aligned"].sum())
    assert counts["with_several_faces"] == int((table["found"] > 1).sum())


def test_a_row_says_what_its_photo_and_crop_are(drawn: FaceDataset) -> None:
    kept = drawn.crops
    assert (kept["width"] == 256).all() and (kept["found"] >= 1).all()
    inside = (kept["box_x"] >= 0) & (kept["box_x"] + kept["box_w"] <= 256.01)
    assert inside.all()
    assert list(kept["label"]) == [drawn.people.index(p) if p else -1 for p in kept["person"]]
    assert (kept["aligned"] == kept["left_eye_x"].notna()).all()
    slope = np.degrees(np.arctan2(kept["right_eye_y"] - kept["left_eye_y"], kept["right_eye_x"] - kept["left_eye_x"]))
    assert np.nanmax(np.abs(slope - kept["angle"])) < 1e-3
    assert drawn.faces[4].mean() == pytest.approx(kept["brightness"][4], abs=25)
    source = preparation.open_recipe_source(recipes.build(config.PrepareRecipe, drawn.info["recipe"]))
    assert drawn.table["factor_yaw"].tolist() == pytest.approx([p.factors["yaw"] for p in source.photos], abs=1e-4)
    assert drawn.table["path"].tolist() == [photo.path for photo in source.photos]


def test_people_with_few_photos_become_unlabelled(faces: list[bytes], tmp_path: Path) -> None:
    files = {f"Anna/{n}.jpg": faces[n % 6] for n in range(6)} | {f"Bo/{n}.jpg": faces[n % 6] for n in range(5)}
    path = make_zip(tmp_path / "photos.zip", files | {"Cleo/1.jpg": faces[0]})
    dataset = prepare(tmp_path, source="folder", path=str(path), min_photos=5, size=48)
    assert dataset.people == ["Anna", "Bo"]
    assert set(dataset.table.loc[dataset.table["path"].str.startswith("Cleo"), "split"]) == {"unlabelled"}
    assert dataset.table.loc[dataset.table["label"] < 0, "person"].tolist() == [""]
    assert "1 person with fewer than 5 photos" in " ".join(dataset.info["notes"])


def test_a_set_without_people_is_still_a_set(faces: list[bytes], tmp_path: Path) -> None:
    path = make_zip(tmp_path / "photos.zip", {f"{n}.jpg": face for n, face in enumerate(faces)})
    dataset = prepare(tmp_path, source="folder", path=str(path), size=48)
    assert dataset.people == []
    assert set(dataset.crops["split"]) == {"unlabelled"}
    assert "pre-training only" in " ".join(dataset.info["notes"])


def test_the_split_is_that_of_split_folders_on_the_real_folder(faces: list[bytes], tmp_path: Path) -> None:
    import splitfolders

    people = {"Zed": [f"{n}.jpg" for n in range(1, 24)], "Anna B": [f"Anna {n}!.jpg" for n in range(31)]}
    photos = tmp_path / "photos"
    for person, names in people.items():
        (photos / person).mkdir(parents=True)
        for name in names:
            (photos / person / name).write_bytes(faces[0])
    splitfolders.ratio(photos, output=tmp_path / "parted", seed=7, ratio=(0.7, 0.2, 0.1))
    expected = {
        f"{file.parent.name}/{file.name}": file.parent.parent.name for file in (tmp_path / "parted").glob("*/*/*")
    }
    recipe = {"split_seed": 7, "train_share": 0.7, "val_share": 0.2, "size": 32, "duplicates": False}
    table = prepare(tmp_path, source="folder", path=str(photos), **recipe).table
    assert dict(zip(table["path"], table["split"], strict=True)) == expected
    assert set(expected.values()) == {"train", "val", "test"}


# The same every time


def files_of(dataset: FaceDataset) -> dict[str, bytes]:
    names = ["faces.npy", "faces.parquet", *(str(p) for p in sorted((dataset.path / "scaled").rglob("*.jpg")))]
    return {Path(name).name: (dataset.path / name).read_bytes() for name in names}


def test_stopped_anywhere_and_resumed_it_is_the_same_to_the_byte(
    drawn: FaceDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "CHUNK", 8)
    run = make_run(tmp_path, **DRAWN)
    stopped = 0
    while True:
        calls = itertools.count()
        monkeypatch.setattr(Run, "check_stop", lambda self, calls=calls: _stop_after(2, calls))
        try:
            result = preparation.prepare(run, tmp_path)
            break
        except Stopped:
            stopped += 1
            assert not (tmp_path / "datasets" / "demo").exists()
    assert stopped == 2
    assert result["counts"] == drawn.info["counts"]
    assert files_of(open_dataset(tmp_path, "demo")) == files_of(drawn)
    assert not (run.path / "building").exists()


def _stop_after(chunks: int, calls: "itertools.count[int]") -> None:
    if next(calls) >= chunks:
        raise Stopped("Stopped on request.")


def test_a_crew_of_processes_makes_the_same_set(
    drawn: FaceDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_chunks, "_FEW", 0)
    monkeypatch.setattr(preparation, "CHUNK", 8)
    run = make_run(tmp_path, workers=2, **DRAWN)
    preparation.prepare(run, tmp_path)
    assert files_of(open_dataset(tmp_path, "demo")) == files_of(drawn)
    status = run.status()
    assert (status.step, status.steps) == (33, 33)
    assert status.images_per_second > 0
    assert Image.open(run.path / "preview.jpg").size[0] == 960


def test_the_crew_leaves_with_a_killed_worker_and_the_work_goes_on(faces: list[bytes], tmp_path: Path) -> None:
    path = make_zip(tmp_path / "photos.zip", {f"{number}.jpg": faces[number % 6] for number in range(200)})
    run = make_run(tmp_path, source="folder", path=str(path), size=32, workers=2)
    script = tmp_path / "script.py"
    script.write_text(KILLED)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    worker = subprocess.Popen([sys.executable, script, run.path, tmp_path], env=environment, stderr=subprocess.DEVNULL)
    parts = run.path / "building" / "parts"
    deadline = time.monotonic() + 120
    while not list(parts.glob("[0-9]*.json")):
        assert worker.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    crew = psutil.Process(worker.pid).children(recursive=True)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    _, alive = psutil.wait_procs(crew, timeout=20)
    assert not alive
    assert not (tmp_path / "datasets" / "demo").exists()
    kept = {part.name: part.stat().st_mtime_ns for part in parts.glob("[0-9]*.json")}
    seen = {}
    monitor = preparation.pack

    def pack(*arguments: object) -> object:
        seen.update({part.name: part.stat().st_mtime_ns for part in parts.glob("[0-9]*.json")})
        return monitor(*arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparation, "pack", pack)
        preparation.prepare(run, tmp_path)
    assert kept.items() <= seen.items()  # what was done was not done again
    assert len(seen) > len(kept)


def test_parts_of_other_photos_are_not_mixed_in(faces: list[bytes], tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(6):
        (photos / f"{number}.jpg").write_bytes(faces[number])
    run = make_run(tmp_path, source="folder", path=str(photos), size=48)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparation, "pack", lambda *_: (_ for _ in ()).throw(Stopped("Stopped.")))
        with pytest.raises(Stopped):
            preparation.prepare(run, tmp_path)
    (photos / "0.jpg").rename(photos / "9.jpg")
    preparation.prepare(run, tmp_path)
    other = prepare(tmp_path, source="folder", path=str(photos), size=48, name="other")
    assert np.array_equal(open_dataset(tmp_path, "demo").faces, other.faces)


def test_a_run_killed_before_it_could_say_so_has_its_result(tmp_path: Path, faces: list[bytes]) -> None:
    path = make_zip(tmp_path / "photos.zip", {f"{n}.jpg": face for n, face in enumerate(faces)})
    run = make_run(tmp_path, source="folder", path=str(path), size=48)
    assert preparation.prepare(run, tmp_path) == preparation.prepare(run, tmp_path)


def test_others_random_numbers_are_left_alone(tmp_path: Path) -> None:
    import random

    random.seed(5)
    expected = random.Random(5).random()
    splits = _plan.split_by_folders([10, 20], config.PrepareRecipe(), tmp_path)
    assert random.random() == expected
    assert [len(person) for person in splits] == [10, 20]
    assert [person.count("train") for person in splits] == [8, 16]


# Names on disk


def test_slugs_are_safe_and_differ_on_every_disk() -> None:
    names = [
        "../../x",
        "..",
        "",
        "राजेश खन्ना",
        "Anna",
        "anna",
        "ANNA",
        "CON",
        "🙂",
        "a/b\\c:d",
        "Zoë",
        "Zoe\u0308",
        "x" * 300,
    ]
    slugs = _plan.safe_slugs([*names, "unlabelled"])
    assert len({unicodedata.normalize("NFKC", slug).casefold() for slug in slugs}) == len(names) + 1
    for slug in slugs:
        assert slug not in ("", ".", "..", "CON", "unlabelled")
        assert not set(slug) & set('/\\:*?"<>|\0\n. ')
        assert len(f"{slug}_000001.jpg".encode()) < 255
    assert slugs[3] == "राजेश_खन्ना"
    assert slugs[4] == "Anna"


def test_a_set_of_difficult_names_is_made_whole(faces: list[bytes], tmp_path: Path) -> None:
    names = ["राजेश खन्ना", "Anna", "anna", 'A "quoted" one', "🙂"]
    files = {f"{name}/{n}.jpg": faces[n] for name in names for n in range(6)}
    path = make_zip(tmp_path / "photos.zip", files)
    dataset = prepare(tmp_path, source="folder", path=str(path), min_photos=5, size=32)
    assert dataset.people == sorted(names)
    assert dataset.table["person"].value_counts().to_dict() == dict.fromkeys(names, 6)
    found = list(dataset.path.rglob("*.jpg"))
    assert len(found) == len(dataset.crops)
    assert len({path.parent.name.casefold() for path in found}) == 5


# What is refused, and what a bad photo becomes


def test_bad_photos_have_a_row_that_says_why(faces: list[bytes], tmp_path: Path) -> None:
    webp = io.BytesIO()
    Image.open(io.BytesIO(faces[1])).save(webp, "WEBP")
    tiny = cv2.resize(cv2.imdecode(np.frombuffer(faces[2], np.uint8), 1), (80, 80), interpolation=cv2.INTER_AREA)
    files = {
        "good.jpg": faces[0],
        "cut.jpg": faces[0][: len(faces[0]) // 2],
        "empty.jpg": b"",
        "nobody.png": png(200),
        "pixel.png": png(1),
        "text.jpg": b"hello",
        "webp.jpg": webp.getvalue(),
        "small.png": cv2.imencode(".png", tiny)[1].tobytes(),
    }
    path = make_zip(tmp_path / "photos.zip", files)
    dataset = prepare(tmp_path, source="folder", path=str(path), size=224)
    table = dataset.table.set_index("path")
    assert table["status"].to_dict() == {
        "good.jpg": "kept",
        "cut.jpg": "unreadable",
        "empty.jpg": "unreadable",
        "nobody.png": "no face",
        "pixel.png": "unreadable",
        "text.jpg": "unreadable",
        "webp.jpg": "kept",
        "small.png": "too small",
    }
    assert (table.loc[table["status"] != "kept", "reason"].str.endswith(".")).all()
    assert (table.loc[table["status"] == "kept", "reason"] == "").all()
    assert len(dataset.rows()) == 2
    # What was refused keeps its picture, should a person say that it is a face after all.
    assert (table["face"] >= 0).to_dict() == {path: status != "unreadable" for path, status in table["status"].items()}


def test_no_face_at_all_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "photos.zip", {"a.png": png(100), "b.jpg": b"hello"})
    run = make_run(tmp_path, source="folder", path=str(path))
    with pytest.raises(DatasetError, match=r"No face was found in the 2 photos \(1 could not be read\)"):
        preparation.prepare(run, tmp_path)
    assert not (tmp_path / "datasets").exists()
    assert not (run.path / "building").exists()


def test_bad_sources_are_refused_before_and_at_work(tmp_path: Path) -> None:
    empty = make_zip(tmp_path / "empty.zip", {})
    slip = make_zip(tmp_path / "slip.zip", {"../../x/1.jpg": png(100)})
    for path in (empty, slip, tmp_path / "missing"):
        run = make_run(tmp_path, source="folder", path=str(path))
        with pytest.raises(SourceError):
            preparation.check(run.recipe(), tmp_path)
        with pytest.raises(SourceError):
            preparation.prepare(run, tmp_path)
    assert not (tmp_path / "datasets").exists()


def test_the_name_of_a_version_needs_its_parent(tmp_path: Path) -> None:
    recipe = make_run(tmp_path, **DRAWN).recipe().model_copy(update={"name": "mine@2"})
    with pytest.raises(DatasetError, match="name of a version; choose one without @, or give the parent mine"):
        preparation.check(recipe, tmp_path)


def test_a_taken_name_is_refused(drawn: FaceDataset) -> None:
    workspace = drawn.path.parents[1]
    run = make_run(workspace, **DRAWN)
    before = (drawn.path / "dataset.json").read_bytes()
    for attempt in (lambda: preparation.check(run.recipe(), workspace), lambda: preparation.prepare(run, workspace)):
        with pytest.raises(DatasetError, match="choose another name"):
            attempt()
    assert (drawn.path / "dataset.json").read_bytes() == before


# Real photos


@pytest.mark.realdata
def test_a_real_mess_is_prepared(real_data: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(real_data / "celebs6-natural.zip") as archive:
        names = sorted(archive.namelist())
        odd = [name for name in names if not name.endswith("/") and not archive.read(name).startswith(b"\xff\xd8")]
        chosen = dict.fromkeys([*odd, *names[::8]])
        photos = {name: archive.read(name) for name in chosen if not name.endswith("/")}
    path = make_zip(tmp_path / "photos.zip", photos)
    dataset = prepare(tmp_path, source="folder", path=str(path), min_photos=5)
    assert len(odd) == 16
    assert not (dataset.table["status"] == "unreadable").any()
    assert (dataset.table["status"] == "kept").mean() > 0.85
    assert len(dataset.people) >= 5


@pytest.mark.realdata
def test_tight_crops_are_prepared(real_data: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(real_data / "celebs6-aligned.zip") as archive:
        photos = {name: archive.read(name) for name in sorted(archive.namelist())[::13] if not name.endswith("/")}
    dataset = prepare(tmp_path, source="folder", path=str(make_zip(tmp_path / "photos.zip", photos)), workers=2)
    assert (dataset.table["status"] == "kept").mean() > 0.93
    assert len(dataset.people) >= 5


@pytest.mark.parametrize("tracker", ["_chunks.watch_semaphores()", "None"])
def test_what_is_killed_leaves_no_word_of_semaphores_in_the_log(tracker: str) -> None:
    code = f"""
import multiprocessing, os
from facessl.preparation import _chunks
{tracker}
kept = multiprocessing.get_context("spawn").Semaphore()
os.kill(os.getpid(), 9)
"""
    # What tidies up outlives the process and holds the pipe: this waits for it.
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ("leaked semaphore" in done.stderr) == (tracker == "None")


def test_of_photos_that_are_aligned_already_the_middle_is_taken_as_it_is(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    photos = [rng.integers(0, 256, (80, 120, 3), dtype=np.uint8) for _ in range(4)]  # no detector finds a face in noise
    folder = tmp_path / "photos" / "Ada"
    folder.mkdir(parents=True)
    for number, photo in enumerate(photos):
        Image.fromarray(photo).save(folder / f"{number}.png")
    settings = {"source": "folder", "path": str(folder.parent), "min_photos": 9, "size": 40, "margin": 0.3}
    opened = prepare(tmp_path, **settings, detector="middle", middle=0.5)
    found = opened.table.sort_values("path")
    assert set(found["status"]) == {"kept"} and not found["aligned"].any()
    assert found[["box_x", "box_y", "box_w", "box_h"]].iloc[0].tolist() == [40, 20, 40, 40]
    assert np.array_equal(opened.faces[found["face"]], [photo[20:60, 40:80] for photo in photos])
    (asked,) = recognition.find_faces(_Nobody(), opened, photos[0])  # an uploaded photo is cut like the set's
    assert np.array_equal(asked.crop, photos[0][20:60, 40:80])


class _Nobody:
    """An encoder that knows nothing."""

    def embed(self, faces: np.ndarray) -> np.ndarray:
        return np.zeros((len(faces), 2), np.float32)

    def opinions(self, faces: np.ndarray, top: int) -> list[list[tuple[str, float]]]:
        return [[] for _ in faces]
