"""A folder or a zip as people have them: understood and said how, or refused in one sentence."""

import io
import os
import stat
import struct
import tarfile
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from facessl.errors import ImageError, SourceError
from facessl.sources import Photo, Source, allowed
from facessl.sources._layout import understand
from facessl.sources.folder import Options, check, open_source


def picture(kind: str = "JPEG", colour: str = "teal") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (24, 24), colour).save(file, kind)
    return file.getvalue()


JPEG = picture()


def make_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def make_tree(path: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return path


def people_of(source: Source) -> dict[str, str | None]:
    return {photo.path: photo.person for photo in source.photos}


def refused(path: Path, **options: str) -> str:
    """Return the one sentence a source is refused with."""
    with pytest.raises(SourceError) as error:
        open_source(Options(**options), path)
    sentence = str(error.value)
    assert sentence.endswith(".") and "\n" not in sentence
    assert len(sentence) < 300
    return sentence


def make_tar(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".tgz" else "w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


@pytest.fixture(params=["zip", "folder", "tar", "tgz"])
def make(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Make the same files as a zip, a folder, a tar."""
    monkeypatch.setenv("FACESSL_HOME", str(tmp_path / "workspace"))
    if request.param == "zip":
        return lambda files: make_zip(tmp_path / "photos.zip", files)
    if request.param == "folder":
        return lambda files: make_tree(tmp_path / "photos", files)
    return lambda files: make_tar(tmp_path / f"photos.{request.param}", files)


def test_a_folder_is_a_person(make) -> None:
    source = open_source(Options(), make({"Bo/2.jpg": JPEG, "Anna/1.jpg": JPEG, "Bo/10.jpg": JPEG}))
    assert [(photo.person, photo.path) for photo in source.photos] == [
        ("Anna", "Anna/1.jpg"),
        ("Bo", "Bo/10.jpg"),
        ("Bo", "Bo/2.jpg"),
    ]
    assert source.notes == ("2 people, a folder each, 3 photos: “Anna”, “Bo”.",)
    assert source.read(source.photos[0]).shape == (24, 24, 3)
    source.close()


def test_outer_folders_are_looked_through(make) -> None:
    source = open_source(Options(), make({"a/b/Anna/1.jpg": JPEG, "a/b/Bo/1.jpg": JPEG}))
    assert people_of(source) == {"a/b/Anna/1.jpg": "Anna", "a/b/Bo/1.jpg": "Bo"}
    assert "“a/b”" in source.notes[0]


def test_photos_in_one_heap_have_no_names(make) -> None:
    source = open_source(Options(), make({"1.jpg": JPEG, "2.jpg": JPEG}))
    assert set(people_of(source).values()) == {None}
    assert "without names" in source.notes[0]


def test_one_folder_of_photos_is_a_heap_unless_it_is_said_to_be_a_person(make) -> None:
    path = make({"Anna/1.jpg": JPEG, "Anna/2.jpg": JPEG})
    source = open_source(Options(), path)
    assert set(people_of(source).values()) == {None}
    assert "choose the layout people" in " ".join(source.notes)
    assert set(people_of(open_source(Options(layout="people"), path)).values()) == {"Anna"}


def test_flat_takes_no_names(make) -> None:
    source = open_source(Options(layout="flat"), make({"Anna/1.jpg": JPEG, "Bo/1.jpg": JPEG}))
    assert set(people_of(source).values()) == {None}


def test_loose_and_deeper_photos_are_taken_and_noted(make) -> None:
    source = open_source(Options(), make({"0.jpg": JPEG, "Anna/2019/1.jpg": JPEG, "Bo/1.jpg": JPEG}))
    assert people_of(source) == {"0.jpg": None, "Anna/2019/1.jpg": "Anna", "Bo/1.jpg": "Bo"}
    notes = " ".join(source.notes)
    assert "1 photo not in a person" in notes and "1 photo in deeper" in notes


def test_a_finished_split_is_looked_through(make) -> None:
    source = open_source(Options(), make({"set/train/Anna/1.jpg": JPEG, "set/test/Anna/2.jpg": JPEG}))
    assert set(people_of(source).values()) == {"Anna"}
    assert "“test”, “train”: taken as parts of a split" in " ".join(source.notes)


def test_what_systems_leave_behind_and_other_files_are_noted(make) -> None:
    files = {"Anna/1.jpg": JPEG, "Bo/1.jpg": JPEG, "__MACOSX/Anna/._1.jpg": b"x", "Anna/.DS_Store": b"x"}
    files |= {"Anna/Thumbs.db": b"x", "read me.txt": b"hello", "more.zip": b"PK", "Bo/list.csv": b"a,b"}
    source = open_source(Options(), make(files))
    assert len(source.photos) == 2
    notes = " ".join(source.notes)
    assert "Left out what systems leave behind (.DS_Store, __MACOSX and the like): 3." in notes
    assert "Left out 3 files that are no pictures (" in notes and ".txt" in notes
    assert "Archives inside are not opened" in notes


def test_pictures_are_told_by_content_where_the_name_says_nothing(make) -> None:
    kinds = ("JPEG", "PNG", "WEBP", "AVIF", "BMP", "TIFF", "GIF")
    files = {f"Anna/{number}": picture(kind) for number, kind in enumerate(kinds)} | {"Bo/a.data": JPEG}
    source = open_source(Options(), make(files | {"Bo/BMX": b"BM is how this text begins, and it goes on"}))
    assert len(source.photos) == 8
    for photo in source.photos:
        assert source.read(photo).shape == (24, 24, 3)


def test_a_webp_named_jpg_is_read_and_a_text_named_jpg_is_not(make) -> None:
    source = open_source(Options(), make({"Anna/1.jpg": picture("WEBP"), "Bo/1.jpg": b"hello"}))
    assert source.read(source.photos[0]).shape == (24, 24, 3)
    with pytest.raises(ImageError, match="no picture"):
        source.read(source.photos[1])
    with pytest.raises(ImageError, match="not among"):
        source.read(Photo(None, "../secret.jpg"))


@pytest.mark.parametrize("name", ["राजेश खन्ना", "Zoë 🙂", 'Anna "A" O\'Neil', "李小龙", "<b>x</b>"])
def test_a_name_in_any_script_is_the_persons_name(name: str, make) -> None:
    source = open_source(Options(), make({f"{name.replace('/', '∕')}/1.jpg": JPEG, "Bo/1.jpg": JPEG}))
    assert name.replace("/", "∕") in people_of(source).values()
    assert source.read(source.photos[0]).shape == (24, 24, 3)


def test_utf8_that_is_not_marked_as_such_is_still_read(tmp_path: Path) -> None:
    name = "राजेश"
    path = make_zip(tmp_path / "mac.zip", {"Bo/1.jpg": JPEG, f"{name}/1.jpg": JPEG})
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # clear the bit that says UTF-8
        at = -1
        while (at := data.find(signature, at + 1)) >= 0:
            data[at + offset + 1] &= ~0x08
    path.write_bytes(data)
    assert name in people_of(open_source(Options(), path)).values()


@pytest.mark.parametrize(
    ("one", "other"),
    [("Anna", "anna"), (unicodedata.normalize("NFC", "Zoë"), unicodedata.normalize("NFD", "Zoë"))],
)
def test_names_that_some_disks_take_for_one_stay_two_people(one: str, other: str, make) -> None:
    source = open_source(Options(), make({f"{one}/1.jpg": JPEG, f"{other}/1.jpg": JPEG}))
    assert set(people_of(source).values()) == {one, other}
    assert "kept as different people" in " ".join(source.notes)


# Mixed layouts: each is understood in one way, which the notes say


def understood(make, *paths: str, layout: str = "auto") -> tuple[dict[str, str | None], str]:
    source = open_source(Options(layout=layout), make(dict.fromkeys(paths, JPEG)))
    assert sorted(people_of(source)) == sorted(paths)
    return people_of(source), " ".join(source.notes)


def test_an_outer_folder_with_loose_photos_is_still_looked_through(make) -> None:
    people, notes = understood(make, "all/Anna/1.jpg", "all/Bo/1.jpg", "all/group.jpg")
    assert people == {"all/Anna/1.jpg": "Anna", "all/Bo/1.jpg": "Bo", "all/group.jpg": None}
    assert "Looked into the folder “all”." in notes
    assert "1 photo not in a person's folder: taken without a name." in notes


def test_one_persons_folder_with_a_folder_in_it_is_not_taken_apart(make) -> None:
    people, notes = understood(make, "Anna/1.jpg", "Anna/2019/2.jpg")
    assert set(people.values()) == {None}
    assert "All 2 photos lie in one folder, “Anna”" in notes


def test_one_persons_folder_beside_loose_photos_is_a_persons(make) -> None:
    people, _ = understood(make, "Anna/1.jpg", "x.jpg")
    assert people == {"Anna/1.jpg": "Anna", "x.jpg": None}


def test_the_last_folder_is_the_person_if_asked(make) -> None:
    people, notes = understood(make, "2019/Anna/1.jpg", "2020/Anna/1.jpg", "2020/Bo/1.jpg", "x.jpg", layout="innermost")
    assert sorted(filter(None, people.values())) == ["Anna", "Anna", "Bo"]
    assert "1 name of several folders: each taken as one person." in notes


def test_folders_below_the_first_are_said_to_have_been_passed_over(make) -> None:
    people, notes = understood(make, "spring/Anna/1.jpg", "autumn/Anna/1.jpg", "autumn/Bo/1.jpg")
    assert set(people.values()) == {"spring", "autumn"}
    assert "choose the layout innermost" in notes


def test_folders_of_years_are_looked_through_and_that_is_said(make) -> None:
    people, notes = understood(make, "2019/Anna/1.jpg", "2020/Anna/1.jpg", "2020/07-14/Bo/1.jpg")
    assert sorted(people.items()) == [
        ("2019/Anna/1.jpg", "Anna"), ("2020/07-14/Bo/1.jpg", "Bo"), ("2020/Anna/1.jpg", "Anna")]  # fmt: skip
    assert "“2019”, “2020”: taken as dates and not as people" in notes and "choose the layout people" in notes
    assert "2 people" in notes and "1 name of several folders: each taken as one person." in notes


@pytest.mark.parametrize(
    "paths",
    [
        ("Anna/2019/1.jpg", "Bo/2019/1.jpg"),  # sessions of people
        ("2019/Anna/1.jpg", "Bo/1.jpg"),  # Bo would become the only person with a folder of Bo's own
        ("17/1.jpg", "18/1.jpg"),  # people who are numbers
        ("17/1/1.jpg", "18/1/1.jpg"),  # and their sessions
    ],
)
def test_where_the_folders_above_may_be_people_they_are(paths: tuple[str, ...], make) -> None:
    people, _ = understood(make, *paths)
    assert people == {path: path.split("/")[0] for path in paths}


def test_photos_called_by_a_number_are_no_folders_of_a_year() -> None:
    photos, _ = understand(["7", "2019/Anna/8"], "auto")
    assert [(photo.path, photo.person) for photo in photos] == [("2019/Anna/8", "2019"), ("7", None)]


def test_blanks_about_a_name_are_no_part_of_it_and_joining_is_said(make) -> None:
    people, notes = understood(make, "Anna /1.jpg", "Anna/2.jpg", "Bo  Lee/3.jpg", " Cy/4.jpg")
    assert sorted(people.items()) == [
        (" Cy/4.jpg", "Cy"), ("Anna /1.jpg", "Anna"), ("Anna/2.jpg", "Anna"), ("Bo  Lee/3.jpg", "Bo Lee")]  # fmt: skip
    assert "“Anna” and “Anna ” differ only in blanks: taken as one person." in notes
    assert notes.count("differ only in blanks") == 1 and "3 people" in notes


@pytest.mark.parametrize("layout", ["auto", "splits"])
def test_parts_of_a_split_with_photos_of_nobody(layout: str, make) -> None:
    people, notes = understood(make, "Train/Anna/1.jpg", "Test/1.jpg", "unlabelled/Cleo/1.jpg", layout=layout)
    assert people == {"Train/Anna/1.jpg": "Anna", "Test/1.jpg": None, "unlabelled/Cleo/1.jpg": None}
    assert "“Test”, “Train”, “unlabelled”: taken as parts of a split" in notes
    assert "Of these, 1 in a folder called unlabelled." in notes


def test_people_called_train_and_test_are_people_if_asked(make) -> None:
    people, _ = understood(make, "train/Anna/1.jpg", "test/Anna/2.jpg", layout="people")
    assert set(people.values()) == {"train", "test"}


def test_a_folder_called_unlabelled_beside_people_holds_nobody(make) -> None:
    people, notes = understood(make, "Anna/1.jpg", "Bo/1.jpg", "unlabelled/1.jpg")
    assert people == {"Anna/1.jpg": "Anna", "Bo/1.jpg": "Bo", "unlabelled/1.jpg": None}
    assert "called unlabelled" in notes


def test_the_notes_say_what_was_taken_for_a_name_on_one_line(make) -> None:
    _, notes = understood(make, *(f"{name}/1.jpg" for name in ("a\nb", "B" * 200, "C", "D", "E", "F")))
    assert "6 people, a folder each, 6 photos: " in notes and "and 2 more" in notes
    assert notes.isprintable() and len(notes) < 200


# What is refused


def test_an_empty_zip(tmp_path: Path) -> None:
    assert "is empty; give" in refused(make_zip(tmp_path / "empty.zip", {}))


def test_an_empty_folder(tmp_path: Path) -> None:
    assert "is empty; give" in refused(tmp_path)


def test_only_texts(make) -> None:
    assert "2 × .txt" in refused(make({"a.txt": b"hello", "b/c.txt": b"hello"}))


def test_no_path_and_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="give the path"):
        open_source(Options(), "")
    assert "check the path" in refused(tmp_path / "missing.zip")


@pytest.mark.parametrize("content", [b"", b"hello", JPEG, b"Rar!\x1a\x07\0" + bytes(100)])
def test_a_file_that_is_no_zip(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "photos.zip"
    path.write_bytes(content)
    assert "no zip" in refused(path)


def test_a_zip_cut_off_in_the_upload(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "photos.zip", {f"Anna/{n}.jpg": JPEG for n in range(9)})
    path.write_bytes(path.read_bytes()[:-40])
    assert "not a whole one" in refused(path)


@pytest.mark.parametrize(
    "name",
    [
        "../x/1.jpg",
        "../../x/1.jpg",
        "Anna/../../1.jpg",
        "/etc/1.jpg",
        "C:\\x\\1.jpg",
        "..\\..\\x\\1.jpg",
        "\\\\host\\1.jpg",
    ],
)
def test_names_that_point_outside(name: str, tmp_path: Path) -> None:
    path = make_zip(tmp_path / "slip.zip", {"Anna/1.jpg": JPEG, name: JPEG})
    before = set(tmp_path.parent.rglob("*"))
    assert "points outside" in refused(path)
    assert set(tmp_path.parent.rglob("*")) == before


def test_a_person_whose_name_only_holds_dots_is_a_person(make) -> None:
    source = open_source(Options(), make({"A..B/1.jpg": JPEG, "C/1.jpg": JPEG}))
    assert set(people_of(source).values()) == {"A..B", "C"}


def test_a_zip_that_claims_20_gb(tmp_path: Path) -> None:
    """The sizes in the central directory are forged: 5 photos of 4 GB each."""
    path = make_zip(tmp_path / "bomb.zip", {f"Anna/{n}.jpg": JPEG for n in range(5)})
    data = bytearray(path.read_bytes())
    at = -1
    while (at := data.find(b"PK\x01\x02", at + 1)) >= 0:
        struct.pack_into("<I", data, at + 24, 4_200_000_000)
    path.write_bytes(data)
    assert "unpacks to 21 GB" in refused(path)


def test_a_photo_that_unpacks_to_a_lot_is_unreadable_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Bo/1.jpg", JPEG)
        with archive.open("Anna/1.jpg", "w", force_zip64=True) as file:
            for _ in range(210):
                file.write(bytes(1_000_000))
    assert path.stat().st_size < 1_000_000
    source = open_source(Options(), path)
    with pytest.raises(ImageError, match="210 MB"):
        source.read(source.photos[0])


def test_a_size_that_is_a_lie_is_unreadable(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "lie.zip", {"Anna/1.jpg": JPEG, "Bo/1.jpg": JPEG})
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.find(b"PK\x01\x02") + 24, 10)
    path.write_bytes(data)
    source = open_source(Options(), path)
    with pytest.raises(ImageError, match="zip"):
        source.read(source.photos[0])
    assert source.read(source.photos[1]).shape == (24, 24, 3)


def test_a_damaged_entry_is_unreadable(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "damaged.zip", {"Anna/1.jpg": JPEG, "Bo/1.jpg": JPEG})
    data = bytearray(path.read_bytes())
    data[data.find(JPEG) + 30] ^= 255
    path.write_bytes(data)
    source = open_source(Options(), path)
    with pytest.raises(ImageError, match="damaged inside the zip"):
        source.read(source.photos[0])


def test_a_locked_zip(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "locked.zip", {"Anna/1.jpg": JPEG})
    data = bytearray(path.read_bytes())
    data[data.find(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert "password" in refused(path)


def test_links_in_a_zip_are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "links.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("Anna/passwd.jpg")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("Anna/1.jpg", JPEG)
    source = open_source(Options(), path)
    assert [photo.path for photo in source.photos] == ["Anna/1.jpg"]
    assert "links" in " ".join(source.notes)


def test_links_out_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    outside = make_tree(tmp_path / "outside", {"secret.jpg": JPEG})
    inside = make_tree(tmp_path / "inside", {"Anna/1.jpg": JPEG, "Bo/1.jpg": JPEG})
    (inside / "Anna" / "out.jpg").symlink_to(outside / "secret.jpg")
    (inside / "Anna" / "again.jpg").symlink_to(inside / "Anna" / "1.jpg")
    (inside / "Cleo").symlink_to(outside)
    os.mkfifo(inside / "Anna" / "pipe.jpg")
    source = open_source(Options(), inside)
    assert [photo.path for photo in source.photos] == ["Anna/1.jpg", "Anna/again.jpg", "Bo/1.jpg"]
    notes = " ".join(source.notes)
    for what in (
        "links that lead out of the folder: 1.",
        "links to folders, which are not followed: 1.",
        "no files: 1.",
    ):
        assert what in notes


def test_a_file_that_vanished_is_unreadable(tmp_path: Path) -> None:
    source = open_source(Options(), make_tree(tmp_path, {"Anna/1.jpg": JPEG, "Bo/1.jpg": JPEG}))
    (tmp_path / "Anna" / "1.jpg").unlink()
    with pytest.raises(ImageError, match="cannot be read"):
        source.read(source.photos[0])


def test_a_folder_that_vanished_is_not_a_heap_of_unreadable_photos(tmp_path: Path) -> None:
    path = make_tree(tmp_path / "photos", {"Anna/1.jpg": JPEG, "Bo/1.jpg": JPEG})
    source = open_source(Options(), path)
    path.rename(tmp_path / "elsewhere")
    with pytest.raises(SourceError, match="is gone; bring it back"):
        source.read(source.photos[0])
    (tmp_path / "elsewhere").rename(path)
    assert source.read(source.photos[0]).shape == (24, 24, 3)


def test_unknown_options_are_refused() -> None:
    with pytest.raises(ValidationError):
        Options(layout="heap")


# Tars


def test_a_compressed_tar_is_unpacked_once_and_not_while_a_person_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACESSL_HOME", str(tmp_path / "workspace"))
    path = make_tar(tmp_path / "photos.tgz", {"Anna/1.jpg": JPEG, "Bo/1.jpg": JPEG})
    unpacked = tmp_path / "workspace" / "downloads" / "unpacked"
    check(Options(), path)
    assert not unpacked.exists()
    for _ in range(2):
        source = open_source(Options(), path)
        assert source.read(source.photos[1]).shape == (24, 24, 3)
        source.close()
    assert [file.suffix for file in unpacked.iterdir() if file.name != ".lock"] == [".tar"]
    with pytest.raises(SourceError):
        check(Options(), tmp_path / "missing.tgz")


def test_copies_of_tars_that_nobody_opens_any_more_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESSL_HOME", str(tmp_path / "workspace"))
    unpacked = tmp_path / "workspace" / "downloads" / "unpacked"

    def opened(name: str) -> set[Path]:
        path = tmp_path / name
        if not path.exists():
            make_tar(path, {"Anna/1.jpg": JPEG})
        open_source(Options(), path).close()
        return set(unpacked.glob("*.tar"))

    (first,) = opened("first.tgz")
    (second,) = opened("second.tgz") - {first}
    for copy in (first, second):
        os.utime(copy, (0, 0))
    opened("second.tgz")  # in use again
    assert first not in opened("third.tgz") and second.exists()
    assert first in opened("first.tgz")  # made again


def test_a_tar_of_zeros_does_not_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESSL_HOME", str(tmp_path / "workspace"))
    path = make_tar(tmp_path / "bomb.tgz", {"Anna/1.jpg": bytes(30_000_000)})
    assert path.stat().st_size < 100_000
    assert "unpacks to more than" in refused(path)
    left = [file for file in (tmp_path / "workspace").rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in left) == 0


def test_links_in_a_tar_are_not_followed_but_a_second_name_is_a_photo(tmp_path: Path) -> None:
    path = tmp_path / "photos.tar"
    make_tree(tmp_path / "files", {"Anna/1.jpg": JPEG})
    (tmp_path / "files" / "Anna" / "2.jpg").hardlink_to(tmp_path / "files" / "Anna" / "1.jpg")
    (tmp_path / "files" / "Anna" / "3.jpg").symlink_to("/etc/passwd")
    with tarfile.open(path, "w") as archive:
        archive.add(tmp_path / "files" / "Anna", "./Anna")
    source = open_source(Options(layout="people"), path)
    assert [photo.path for photo in source.photos] == ["Anna/1.jpg", "Anna/2.jpg"]
    assert (source.read(source.photos[0]) == source.read(source.photos[1])).all()
    assert "Left out links, which are not followed: 1." in source.notes


def test_a_tar_with_a_damaged_header_is_refused_and_not_read_in_part(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "photos.tar", {f"Anna/{n}.jpg": JPEG for n in range(4)})
    data = bytearray(path.read_bytes())
    at = data.find(b"Anna/2.jpg")
    data[at + 150] ^= 255
    path.write_bytes(data)
    assert "not a whole one" in refused(path)
    path.write_bytes(data[: at - 10])
    assert "not a whole one" in refused(path)


# Paths that the browser may name


def test_home_is_allowed_unless_the_operator_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACESSL_PHOTO_ROOTS", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir("/usr")
    for path in ("~/photos", tmp_path / "home" / "a", "/usr/share"):
        assert allowed(path) == Path(path).expanduser().resolve()
    for path in ("/etc", "~/..", tmp_path):
        with pytest.raises(SourceError, match="your home folder"):
            allowed(path)


def test_only_what_the_operator_lists_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, outside = make_tree(tmp_path / "in", {"a/1.jpg": JPEG}), make_tree(tmp_path / "in-not", {"1.jpg": JPEG})
    (inside / "out").symlink_to(outside)
    (tmp_path / "way in").symlink_to(inside / "a")
    monkeypatch.setenv("FACESSL_PHOTO_ROOTS", os.pathsep.join(["/nowhere", str(inside)]))
    for path in (inside, inside / "a", inside / "a" / "1.jpg", tmp_path / "way in", inside / "b" / ".." / "a"):
        assert allowed(path) == path.resolve()
    for path in (outside, inside / "out", inside / "..", inside / ".." / "in-not", "/", "", "/etc", "a\0b"):
        with pytest.raises(SourceError, match=r"^[^\n]+\.$"):
            allowed(path)


def test_an_empty_list_of_roots_allows_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESSL_PHOTO_ROOTS", "")
    with pytest.raises(SourceError):
        allowed(tmp_path)


@pytest.mark.realdata
def test_the_mess_of_a_real_zip_is_read(real_data: Path) -> None:
    source = open_source(Options(), real_data / "celebs6-natural.zip")
    assert len(source.photos) == 362
    with zipfile.ZipFile(real_data / "celebs6-natural.zip") as archive:
        odd = [photo for photo in source.photos if not archive.read(photo.path).startswith(b"\xff\xd8")]
    assert len(odd) == 16
    for photo in odd + list(source.photos[::9]):
        image = source.read(photo)
        assert image.dtype == np.uint8 and image.shape[2] == 3
